/* SPDX-License-Identifier: BSD-3-Clause */
/* oci_open.c: from a reference to an image: the transports, and the names of the store. */
#include "sim/image/oci.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { CLOSE_NAMES_MAX = 5 };

static struct oci_source *open_source(const struct reference *reference, struct romsim_error *err)
{
    struct stat st;

    if (reference->kind == REFERENCE_OCI ||
        (reference->kind == REFERENCE_PATH && stat(reference->path, &st) == 0 &&
         S_ISDIR(st.st_mode)))
        return oci_source_directory(reference->path, err);
    return oci_source_archive(reference->path, err);
}

/* What `docker save` writes nowadays is a layout as well; a path is taken for that first. */
static bool is_docker_archive(struct oci_source *source, const struct reference *reference)
{
    return reference->kind == REFERENCE_DOCKER_ARCHIVE ||
           (reference->kind == REFERENCE_PATH && !oci_source_has(source, "oci-layout") &&
            oci_source_has(source, "manifest.json"));
}

static int load(struct oci_source *source, const struct reference *reference, struct oci_image *ret,
                struct romsim_error *err)
{
    struct oci_descriptor manifest;

    if (is_docker_archive(source, reference))
        return docker_archive_load(source, reference->tag, ret, err);
    if (oci_index_find(source, reference->tag, &manifest, err) < 0)
        return -1;
    return oci_image_load(source, &manifest, ret, err);
}

/* A store that cannot be opened (a user without a home) has no names. */
static int open_name(const struct reference *reference, struct oci_source **ret_source,
                     struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(0, NULL);
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    struct oci_descriptor start = {{0}, {0}, 0}, manifest;
    struct romsim_store_name name;
    int found = store ? romsim_store_find(store, reference->text, &name, err) : 0;

    if (found <= 0)
        return found;
    snprintf(start.media_type, sizeof(start.media_type), "%s", name.media_type);
    memcpy(start.digest, name.digest, sizeof(start.digest));
    start.size = name.size;
    romsim_store_name_release(&name);
    source = oci_source_store(store, err);
    if (!source || oci_index_resolve(source, &start, &manifest, err) < 0 ||
        oci_image_load(source, &manifest, ret, err) < 0)
        return -1;
    *ret_source = STEAL_POINTER(&source);
    return 1;
}

int oci_failed(const struct reference *reference, struct romsim_error *err)
{
    if (reference->kind == REFERENCE_NAME && err && err->errnum == EUCLEAN && !err->hint[0])
        romsim_error_hint(err, "import the image again, which repairs what the store has of it");
    return romsim_error_context(err, "image '%s'", QUOTE(reference->text));
}

int oci_open(const struct reference *reference, struct oci_source **ret_source,
             struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    int found;

    if (reference->kind == REFERENCE_NAME) {
        found = open_name(reference, ret_source, ret, err);
        return found < 0 ? oci_failed(reference, err) : found;
    }
    source = open_source(reference, err);
    if (!source || load(source, reference, ret, err) < 0)
        return oci_failed(reference, err);
    *ret_source = STEAL_POINTER(&source);
    return 1;
}

/* ---- what is not there ------------------------------------------------------------------ */

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

static void close_names(const char *wanted, struct romsim_buffer *ret)
{
    CLEANUP_STORE struct romsim_store *store = romsim_store_open(0, NULL);
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    CLEANUP_FREE char *full = romsim_store_normalize(wanted, NULL);
    unsigned count = 0;

    if (!store || !full || romsim_store_list(store, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count && count < CLOSE_NAMES_MAX; i++) {
        if (is_close(names.items[i].name, full))
            romsim_buffer_printf(ret, "%s%s", count++ ? ", " : "", QUOTE(names.items[i].name));
    }
}

/* People paste what their other tools take. */
static const char *without_scheme(const char *text)
{
    const char *end = strstr(text, "://");

    return end ? end + strlen("://") : text;
}

int oci_not_found(const struct reference *reference, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(400);
    CLEANUP_FREE char *full = romsim_store_normalize(without_scheme(reference->text), NULL);

    romsim_error_set(err, ENOENT, "No image with name '%s'", QUOTE(reference->text));
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    if (!full)
        return romsim_error_hint(err, "it is neither a file nor can it be a name of the local "
                                      "store");
    close_names(without_scheme(reference->text), &names);
    return romsim_error_hint(err,
                             "%s%s%sto build it: romsim image build DIR -t %s; to bring it: skopeo "
                             "copy docker://%s oci:DIR:TAG && romsim image import -t %s "
                             "oci:DIR:TAG",
                             names.size ? "the local store has " : "", names.size ? names.data : "",
                             names.size ? "; " : "", QUOTE(full), QUOTE(full), QUOTE(full));
}
