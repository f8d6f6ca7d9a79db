/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * not_found.c: what is said of an image that is nowhere: first where romsim has looked, then how
 * the image could come.
 *
 * romsim asks no registry and no other program's store, but people paste what their other tools
 * take.  So the transports of those are known here, each with the command that brings an image from
 * there.
 */
#include "sim/image/oci.h"

#include <romsim/buffer.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { CLOSE_NAMES_MAX = 5, ADVICE_MAX = 500 };

/* ---- other tools' transports ------------------------------------------------------------- */

enum bringing {
    BY_COPY,        /* skopeo copy TRANSPORT... */
    BY_DOCKER_SAVE, /* it is docker that has the image */
    BY_PODMAN_SAVE, /* podman or buildah */
    AS_PATH,        /* it is a path, which needs no transport here */
    AS_LAYOUT       /* oci:PATH */
};

static const struct transport {
    const char *prefix, *meaning;
    enum bringing bringing;
} transports[] = {
    {"docker-daemon:", "docker's own store", BY_DOCKER_SAVE},
    {"containers-storage:", "the store of podman and buildah", BY_PODMAN_SAVE},
    {"dir:", "a folder that skopeo wrote", BY_COPY},
    {"sif:", "a file of Singularity", BY_COPY},
    {"ostree:", "an OSTree repository", BY_COPY},
    {"tarball:", "layers as tar files", BY_COPY},
    {"oci-layout://", "an OCI image layout", AS_LAYOUT},
    {"oci-layout:", "an OCI image layout", AS_LAYOUT},
    {"file://", "a path", AS_PATH},
    {"file:", "a path", AS_PATH},
};

static const struct transport *transport_of(const char *text)
{
    for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++)
        if (strncmp(text, transports[i].prefix, strlen(transports[i].prefix)) == 0)
            return &transports[i];
    return NULL;
}

/* The image's name behind podman's "[driver@graph+run]". */
static const char *without_store(const char *text)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : NULL;

    return end ? end + 1 : text;
}

static void advise_transport(const struct transport *transport, const char *text,
                             struct romsim_buffer *advice)
{
    const char *rest = text + strlen(transport->prefix);
    const char *name = QUOTE(without_store(rest));

    romsim_buffer_printf(advice, "%.*s is %s, ", (int)strcspn(transport->prefix, "/"),
                         transport->prefix, transport->meaning);
    switch (transport->bringing) {
    case BY_COPY:
        romsim_buffer_printf(advice,
                             "which romsim does not read; to bring it: skopeo copy %s oci:DIR:TAG "
                             "&& romsim image import -t NAME oci:DIR:TAG",
                             QUOTE(text));
        break;
    case BY_DOCKER_SAVE:
        romsim_buffer_printf(advice,
                             "which romsim does not read; to bring it: docker save -o FILE %s && "
                             "romsim image import -t %s docker-archive:FILE",
                             name, name);
        break;
    case BY_PODMAN_SAVE:
        romsim_buffer_printf(advice,
                             "which romsim does not read; to bring it: podman save --format "
                             "oci-archive -o FILE %s && romsim image import -t %s oci-archive:FILE",
                             name, name);
        break;
    case AS_PATH:
        romsim_buffer_printf(advice, "which stands here without it: %s", QUOTE(rest));
        break;
    case AS_LAYOUT:
        romsim_buffer_printf(advice, "here that is oci:%s", QUOTE(rest));
        break;
    }
}

/* ---- names ------------------------------------------------------------------------------- */

/* Where the last component of a name begins: people mistype it, or forget what is before it. */
static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

static bool is_close(const char *name, const char *wanted)
{
    const char *one[] = {name, NULL};
    size_t stem = strcspn(last_part(wanted), ":@");

    return romsim_text_nearest(wanted, one) ||
           (stem > 0 && strncmp(last_part(name), last_part(wanted), stem) == 0);
}

static void advise_close_names(const char *wanted, struct romsim_buffer *advice)
{
    CLEANUP_STORES struct romsim_stores stores = {0};
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    unsigned count = 0;

    if (romsim_stores_open(&stores, NULL) < 0 || romsim_stores_list(&stores, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count && count < CLOSE_NAMES_MAX; i++)
        if (is_close(names.items[i].name, wanted))
            romsim_buffer_printf(advice, "%s%s", count++ ? ", " : "the local store has ",
                                 QUOTE(names.items[i].name));
    if (count > 0)
        romsim_buffer_puts(advice, "; ");
}

/* Of a name with a digest there is nothing to build, and skopeo takes no tag beside a digest. */
static void advise_registry(const char *full, struct romsim_buffer *advice)
{
    const char *digest = strchr(full, '@');
    size_t size = digest ? (size_t)(digest - full) : strlen(full);
    CLEANUP_FREE char *name = strndup(full, size);
    size_t tag = name ? (size_t)(last_part(name) - name) : 0;

    if (!name)
        return;
    advise_close_names(full, advice);
    if (!digest)
        romsim_buffer_printf(advice, "to build it: romsim image build DIR -t %s; ", QUOTE(name));
    else
        size = tag + strcspn(name + tag, ":");
    romsim_buffer_printf(advice,
                         "to bring it: skopeo copy docker://%.*s%s oci:DIR:TAG && romsim image "
                         "import -t %s oci:DIR:TAG",
                         (int)size, name, digest ? digest : "", name);
}

/* ---- paths ------------------------------------------------------------------------------- */

/* Is it meant as a path: the end of a file's name, or a folder that is there before the last '/'?
 */
static bool is_meant_as_path(const struct reference *reference)
{
    static const char *const ends[] = {"/",    ".tar",  ".gz",    ".tgz", ".xz", ".zst",
                                       ".bz2", ".cpio", ".erofs", ".img", ".rom"};
    const char *slash = strrchr(reference->path, '/');
    const char *text = reference->text;
    size_t size = strlen(text);
    struct stat st;

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (size > strlen(ends[i]) && strcmp(text + size - strlen(ends[i]), ends[i]) == 0)
            return true;
    if (strchr(text, '/') && slash) {
        CLEANUP_FREE char *folder = strndup(reference->path, (size_t)(slash - reference->path));

        return folder && *folder && stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
    }
    return false;
}

int reference_hint_path(const struct reference *reference, struct romsim_error *err)
{
    CLEANUP_FREE char *path =
        reference->text[0] == '/' ? NULL : romsim_path_absolute(reference->path);

    return path ? romsim_error_hint(err, "looked at %s", QUOTE(path)) : -1;
}

/* ---- the whole --------------------------------------------------------------------------- */

int oci_not_found(const struct reference *reference, bool looked_at_path, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer advice = ROMSIM_BUFFER_INIT(ADVICE_MAX);
    const struct transport *transport = transport_of(reference->text);
    const char *name = romsim_reference_name(reference->text);
    CLEANUP_FREE char *full = romsim_store_normalize(name, NULL);
    CLEANUP_FREE char *path = looked_at_path ? romsim_path_absolute(reference->path) : NULL;
    bool has_scheme = name != reference->text;

    romsim_error_set(err, ENOENT, "No image with name '%s'", QUOTE(reference->text));
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    if (path && !transport && !has_scheme)
        romsim_buffer_printf(&advice, "there is no file '%s' either", QUOTE(path));
    if (transport) {
        advise_transport(transport, reference->text, &advice);
    } else if (has_scheme || !is_meant_as_path(reference)) {
        if (advice.size > 0)
            romsim_buffer_puts(&advice, "; ");
        if (full)
            advise_registry(full, &advice);
        else
            romsim_buffer_puts(&advice, "it cannot be a name of the local store");
    }
    return romsim_error_hint(err, "%s%s", advice.data ? advice.data : "",
                             advice.failed ? "..." : "");
}
