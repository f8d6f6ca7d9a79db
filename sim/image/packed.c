/* SPDX-License-Identifier: BSD-3-Clause */
/* packed.c: a Kraftfile's source, told by its magic, becomes EROFS, cpio or plain bytes. */
#include "sim/image/packed.h"

#include "sim/image/image.h"
#include "sim/image/oci.h"
#include "sim/image/probe.h"

#include <romsim/arch.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int packed_copy(const struct packed *packed, struct packed *ret)
{
    CLEANUP_PACKED struct packed copy = {.blob = romsim_blob_ref(packed->blob),
                                         .kind = packed->kind,
                                         .files = packed->files,
                                         .is_by_platform = packed->is_by_platform};

    if (packed->working_dir && !(copy.working_dir = strdup(packed->working_dir)))
        return -1;
    if (romsim_strings_append_all(&copy.entrypoint, &packed->entrypoint) < 0 ||
        romsim_strings_append_all(&copy.cmd, &packed->cmd) < 0 ||
        romsim_strings_append_all(&copy.env, &packed->env) < 0)
        return -1;
    *ret = copy;
    copy = (struct packed){0};
    return 0;
}

void packed_release(struct packed *packed)
{
    romsim_blob_unref(packed->blob);
    romsim_strings_clear(&packed->entrypoint);
    romsim_strings_clear(&packed->cmd);
    romsim_strings_clear(&packed->env);
    free(packed->working_dir);
    free(packed->warning);
    *packed = (struct packed){0};
}

/* ---- what a source is ------------------------------------------------------------------- */

/* What is at hand for one source. */
struct subject {
    const struct packing *packing;
    const struct romsim_source *source;
    bool is_rom;
    char *path; /* joined */
    enum romsim_source_type type;
    enum romsim_source_format format;
};

static void subject_release(struct subject *subject)
{
    free(subject->path);
}

/* "Dockerfile", "Dockerfile.dev", "app.Dockerfile": the cloud's packer goes by the name, too. */
static bool is_dockerfile_name(const char *path)
{
    static const char wanted[] = "Dockerfile";
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    while (*name) {
        size_t size = strcspn(name, ".");

        if (size == strlen(wanted) && memcmp(name, wanted, size) == 0)
            return true;
        name += size + (name[size] == '.');
    }
    return false;
}

static bool has_file(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = romsim_path_join(folder, name);

    return path && access(path, F_OK) == 0;
}

static int type_of_file(const char *path, enum romsim_source_type *ret, struct romsim_error *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint8_t head[8192];
    ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
    enum image_form form;

    if (size < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(path));
    form = image_form_probe(head, (uint64_t)size);
    if (form == FORM_EROFS)
        *ret = ROMSIM_SOURCE_EROFS;
    else if (form == FORM_CPIO)
        *ret = ROMSIM_SOURCE_CPIO;
    else if (form == FORM_TAR || image_form_is_compressed(form))
        *ret = ROMSIM_SOURCE_TARBALL;
    else
        *ret = ROMSIM_SOURCE_FILE;
    return 0;
}

static int no_source(const struct subject *subject, int errnum, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_absolute(subject->path);

    romsim_error_system(err, errnum, "no source '%s'", QUOTE(subject->source->path));
    if (path && subject->source->path[0] != '/')
        romsim_error_hint(err, "looked at %s", QUOTE(path));
    return -1;
}

/* What is there, by its magic; a Dockerfile, which has none, by its name. */
static int find_type(const struct subject *subject, enum romsim_source_type *ret,
                     struct romsim_error *err)
{
    struct stat st;

    if (stat(subject->path, &st) < 0)
        return no_source(subject, errno, err);
    if (S_ISDIR(st.st_mode)) {
        *ret = has_file(subject->path, "oci-layout") ? ROMSIM_SOURCE_OCI : ROMSIM_SOURCE_DIR;
        return 0;
    }
    if (!S_ISREG(st.st_mode))
        return romsim_error_set(err, EINVAL, "'%s' is neither a file nor a folder",
                                QUOTE(subject->source->path));
    if (is_dockerfile_name(subject->path)) {
        *ret = ROMSIM_SOURCE_DOCKERFILE;
        return 0;
    }
    return type_of_file(subject->path, ret, err);
}

/* Can what is there be used as what the Kraftfile says it is? */
static bool type_fits(enum romsim_source_type said, enum romsim_source_type found)
{
    bool is_folder = found == ROMSIM_SOURCE_DIR || found == ROMSIM_SOURCE_OCI;

    switch (said) {
    case ROMSIM_SOURCE_DIR:
        return is_folder;
    case ROMSIM_SOURCE_FILE:
        return !is_folder;
    case ROMSIM_SOURCE_DOCKERFILE: /* its folder, or a file of any name */
        return found == ROMSIM_SOURCE_DIR || found == ROMSIM_SOURCE_FILE || said == found;
    default:
        return said == found;
    }
}

static int wrong_type(const struct subject *subject, enum romsim_source_type found,
                      struct romsim_error *err)
{
    static const char *const things[] = {
        [ROMSIM_SOURCE_DIR] = "a folder",
        [ROMSIM_SOURCE_FILE] = "a file of no known form",
        [ROMSIM_SOURCE_TARBALL] = "a tar archive",
        [ROMSIM_SOURCE_CPIO] = "a cpio archive",
        [ROMSIM_SOURCE_EROFS] = "an EROFS image",
        [ROMSIM_SOURCE_OCI] = "an OCI image layout",
        [ROMSIM_SOURCE_DOCKERFILE] = "a Dockerfile",
    };

    romsim_error_set(err, EINVAL, "Invalid type '%s': '%s' is %s",
                     romsim_source_type_name(subject->type), QUOTE(subject->source->path),
                     things[found]);
    if (subject->type == ROMSIM_SOURCE_EROFS || subject->type == ROMSIM_SOURCE_CPIO)
        return romsim_error_hint(err, "'type' is what it is; what becomes of it is 'format: %s'",
                                 romsim_source_type_name(subject->type));
    return romsim_error_hint(err, "without a type it is told by its content");
}

/* An archive of images, not of files?  Whatever else is wrong with it is said when it is packed. */
static bool holds_images(const char *path)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_archive(path, NULL);

    return source && oci_source_is_image(source);
}

static int settle_type(struct subject *subject, struct romsim_error *err)
{
    enum romsim_source_type found;

    subject->type = subject->source->type;
    if (subject->type == ROMSIM_SOURCE_OCI)
        return 0; /* may be a name, too: see open_image() */
    if (find_type(subject, &found, err) < 0)
        return -1;
    if (subject->type == ROMSIM_SOURCE_ANY)
        subject->type = found == ROMSIM_SOURCE_TARBALL && holds_images(subject->path)
                            ? ROMSIM_SOURCE_OCI
                            : found;
    else if (!type_fits(subject->type, found))
        return wrong_type(subject, found, err);
    return 0;
}

/* ---- what it becomes -------------------------------------------------------------------- */

/* The cloud's packer makes EROFS of a ROM unless told otherwise, and does not convert an image
 * that is packed already: then the format has to say what it is. */
static int settle_packed_format(struct subject *subject, enum romsim_source_format own,
                                struct romsim_error *err)
{
    enum romsim_source_format wanted = subject->source->format;

    if (wanted == ROMSIM_FORMAT_ANY)
        wanted = subject->is_rom ? ROMSIM_FORMAT_EROFS : own;
    subject->format = own;
    if (wanted == own)
        return 0;
    romsim_error_set(err, EINVAL, "Unsupported format mismatch: '%s' is %s, the format is %s%s",
                     QUOTE(subject->source->path), romsim_source_format_name(own),
                     romsim_source_format_name(wanted),
                     subject->source->format == ROMSIM_FORMAT_ANY ? " by default" : "");
    romsim_error_hint(err, "{source: ..., format: %s}", romsim_source_format_name(own));
    return image_error_at(err, &subject->source->format_place);
}

static int settle_format(struct subject *subject, struct romsim_error *err)
{
    switch (subject->type) {
    case ROMSIM_SOURCE_EROFS:
        return settle_packed_format(subject, ROMSIM_FORMAT_EROFS, err);
    case ROMSIM_SOURCE_CPIO:
        return settle_packed_format(subject, ROMSIM_FORMAT_CPIO, err);
    case ROMSIM_SOURCE_FILE:
        subject->format = subject->source->format; /* ANY: the bytes as they are */
        if (subject->is_rom)
            return 0;
        romsim_error_set(err, EINVAL, "Could not detect rootfs type of '%s'",
                         QUOTE(subject->source->path));
        return romsim_error_hint(err, "a root is a folder, a tar or cpio archive, an EROFS image, "
                                      "an OCI layout or a Dockerfile");
    default:
        subject->format = subject->source->format == ROMSIM_FORMAT_CPIO ? ROMSIM_FORMAT_CPIO
                                                                        : ROMSIM_FORMAT_EROFS;
        return 0;
    }
}

/* ---- packing ---------------------------------------------------------------------------- */

/* Whatever rom pack takes, too: a folder, an archive, a packed image, a file. */
static int pack_path(const struct subject *subject, struct packed *ret, struct romsim_error *err)
{
    static const enum romsim_pack_format formats[] = {
        [ROMSIM_FORMAT_ANY] = ROMSIM_PACK_RAW,
        [ROMSIM_FORMAT_EROFS] = ROMSIM_PACK_EROFS,
        [ROMSIM_FORMAT_CPIO] = ROMSIM_PACK_CPIO,
    };
    const struct romsim_pack_options options = {.format = formats[subject->format],
                                                .as_files = true};
    struct romsim_pack_result result;

    ret->blob = romsim_image_pack(subject->path, &options, -1, &result, err);
    if (!ret->blob)
        return -1;
    ret->kind = result.kind;
    ret->files = result.files;
    ret->lost_xattrs = result.lost_xattrs;
    ret->warning = result.warning[0] ? strdup(result.warning) : NULL;
    return 0;
}

static uint64_t count_files(const struct romsim_tree *tree)
{
    const struct romsim_inode *inode = NULL;
    uint64_t files = 0;

    while ((inode = romsim_tree_next_inode(tree, inode)))
        files += S_ISREG(inode->mode);
    return files;
}

static int pack_tree(const struct subject *subject, struct romsim_tree *tree, struct packed *ret,
                     struct romsim_error *err)
{
    struct romsim_inode *inode = NULL;
    CLEANUP_FD int fd = -1;

    while ((inode = romsim_tree_next_inode(tree, inode)))
        inode->uid = inode->gid = 0;
    ret->files = count_files(tree);
    if (subject->format == ROMSIM_FORMAT_EROFS) {
        ret->kind = ROMSIM_IMAGE_EROFS;
        ret->blob = romsim_erofs_build(tree, NULL, NULL, err);
        ret->warning = image_tree_warning(tree, subject->source->path);
        return ret->blob ? 0 : -1;
    }
    ret->kind = ROMSIM_IMAGE_CPIO;
    fd = romsim_blob_scratch_file(err);
    if (fd < 0 || romsim_cpio_write(tree, fd, &ret->lost_xattrs, err) < 0)
        return -1;
    ret->warning = image_tree_warning(tree, subject->source->path);
    ret->blob = romsim_blob_take_fd(steal_fd(&fd), err);
    return ret->blob ? 0 : -1;
}

/* ---- images as sources ------------------------------------------------------------------ */

/* A root that is packed already is shipped as it is. */
static int take_root(const struct subject *subject, struct oci_source *source,
                     struct oci_image *image, struct packed *ret, struct romsim_error *err)
{
    struct romsim_base_image base = {0};

    if (subject->format == ROMSIM_FORMAT_CPIO)
        return romsim_error_set(err, EOPNOTSUPP, "its root is packed already, and is no cpio");
    if (oci_base(source, image, &base, err) < 0) {
        romsim_base_image_release(&base);
        return -1;
    }
    ret->kind = ROMSIM_IMAGE_EROFS;
    ret->blob = STEAL_POINTER(&base.root);
    ret->warning = STEAL_POINTER(&base.warning);
    image->entrypoint = base.entrypoint;
    image->cmd = base.cmd;
    image->env = base.env;
    image->working_dir = base.working_dir;
    base.entrypoint = base.cmd = base.env = (struct romsim_strings){0};
    base.working_dir = NULL;
    romsim_base_image_release(&base);
    return 0;
}

static int take_rom(const struct subject *subject, struct oci_source *source,
                    const struct oci_image *image, struct packed *ret, struct romsim_error *err)
{
    struct romsim_rom_image rom = {0};

    if (!subject->is_rom) {
        romsim_error_set(err, EINVAL, "it is a ROM, which cannot be a root");
        return romsim_error_hint(err, "name it under 'roms'");
    }
    if (oci_rom(source, image, subject->source->path, &rom, err) < 0)
        return -1;
    ret->kind = rom.kind;
    ret->files = rom.files;
    ret->blob = STEAL_POINTER(&rom.blob);
    romsim_rom_image_release(&rom);
    return 0;
}

static int pack_layers(const struct subject *subject, struct oci_source *source,
                       const struct oci_image *image, struct packed *ret, struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = oci_tree(source, image, err);

    return tree ? pack_tree(subject, tree, ret, err) : -1;
}

/* Takes the image's config, too. */
static int pack_image(const struct subject *subject, struct oci_source *source,
                      struct oci_image *image, struct packed *ret, struct romsim_error *err)
{
    int status;

    if (oci_image_count(image, OCI_ROLE_INITRD) > 0)
        status = take_root(subject, source, image, ret, err);
    else if (oci_image_count(image, OCI_ROLE_ROM) > 0)
        status = take_rom(subject, source, image, ret, err);
    else
        status = pack_layers(subject, source, image, ret, err);
    if (status < 0)
        return -1;
    ret->is_by_platform = true;
    oci_image_take_command(image, &ret->entrypoint, &ret->cmd, &ret->env, &ret->working_dir);
    return 0;
}

/* romsim reads images for one architecture at a time, the guest's. */
static int check_architecture(const struct subject *subject, struct romsim_error *err)
{
    const char *ours = romsim_arch_facts()->cloud;

    if (strcmp(subject->packing->architecture, ours) == 0)
        return 0;
    romsim_error_set(err, EOPNOTSUPP, "an image for %s cannot be a source here",
                     QUOTE(subject->packing->architecture));
    return romsim_error_hint(err, "images are read for %s here; --arch takes one", ours);
}

/* An archive: of a layout, or what `docker save` wrote. */
static int open_archive(const struct subject *subject, struct oci_source **ret_source,
                        struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_archive(subject->path, err);

    if (!source || oci_load(source, NULL, ret, err) < 0)
        return -1;
    *ret_source = STEAL_POINTER(&source);
    return 0;
}

static int open_reference(const char *text, const char *directory, struct oci_source **ret_source,
                          struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    int found;

    if (reference_parse(text, directory, &reference, err) < 0)
        return -1;
    found = oci_open(&reference, ret_source, ret, err);
    if (found > 0)
        return 0;
    return found < 0 ? -1 : oci_not_found(&reference, true, err);
}

/* What a source of the type oci means: a layout's folder, an archive, or else a reference. */
static int open_image(const struct subject *subject, struct oci_source **ret_source,
                      struct oci_image *ret, struct romsim_error *err)
{
    CLEANUP_FREE char *text = NULL;
    struct stat st;

    if (stat(subject->path, &st) < 0)
        return open_reference(subject->source->path, subject->packing->directory, ret_source, ret,
                              err);
    if (!S_ISDIR(st.st_mode))
        return open_archive(subject, ret_source, ret, err);
    if (asprintf(&text, "oci:%s", subject->path) < 0) {
        text = NULL;
        return romsim_error_nomem(err);
    }
    return open_reference(text, NULL, ret_source, ret, err);
}

static int pack_oci(const struct subject *subject, struct packed *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};

    if (check_architecture(subject, err) < 0 || open_image(subject, &source, &image, err) < 0)
        return -1;
    return pack_image(subject, source, &image, ret, err);
}

/* ---- Dockerfiles ------------------------------------------------------------------------ */

/* The folder that is the build's context and the file in it, both malloc'ed. */
static int find_dockerfile(const struct subject *subject, char **ret_context, char **ret_file,
                           struct romsim_error *err)
{
    const char *name = subject->source->dockerfile;
    const char *slash = strrchr(subject->path, '/');
    struct stat st;

    if (stat(subject->path, &st) < 0)
        return no_source(subject, errno, err);
    if (S_ISDIR(st.st_mode)) {
        *ret_context = strdup(subject->path);
        *ret_file = romsim_path_join(subject->path, name ? name : "Dockerfile");
    } else {
        *ret_context =
            slash ? strndup(subject->path, (size_t)(slash - subject->path) + 1) : strdup(".");
        *ret_file = strdup(subject->path);
    }
    if (!*ret_context || !*ret_file)
        return romsim_error_nomem(err);
    if (stat(*ret_file, &st) < 0)
        return romsim_error_system(err, errno, "no Dockerfile '%s'", QUOTE(*ret_file));
    return 0;
}

static int pack_dockerfile(const struct subject *subject, struct packed *ret,
                           struct romsim_error *err)
{
    CLEANUP_FREE char *context = NULL;
    CLEANUP_FREE char *file = NULL;
    CLEANUP_BLOB struct romsim_blob *archive = NULL;
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};

    if (check_architecture(subject, err) < 0 || find_dockerfile(subject, &context, &file, err) < 0)
        return -1;
    archive = dockerfile_build(subject->packing, context, file, err);
    source = archive ? oci_source_blob(archive, subject->source->path, err) : NULL;
    if (!source || docker_archive_load(source, NULL, &image, err) < 0)
        return -1;
    return pack_image(subject, source, &image, ret, err);
}

/* ---- all of them ------------------------------------------------------------------------ */

static int pack(struct subject *subject, struct packed *ret, struct romsim_error *err)
{
    if (settle_type(subject, err) < 0 || settle_format(subject, err) < 0)
        return -1;
    switch (subject->type) {
    case ROMSIM_SOURCE_OCI:
        return pack_oci(subject, ret, err);
    case ROMSIM_SOURCE_DOCKERFILE:
        return pack_dockerfile(subject, ret, err);
    default:
        return pack_path(subject, ret, err);
    }
}

int packed_make(const struct packing *packing, const struct romsim_source *source, bool is_rom,
                struct packed *ret, struct romsim_error *err)
{
    CLEANUP(subject_release)
    struct subject subject = {.packing = packing,
                              .source = source,
                              .is_rom = is_rom,
                              .path = romsim_path_join(packing->directory, source->path)};
    CLEANUP_PACKED struct packed packed = {0};

    if (!subject.path)
        return romsim_error_nomem(err);
    if (pack(&subject, &packed, err) < 0)
        return image_error_at(err, &source->place);
    *ret = packed;
    packed = (struct packed){0};
    return 0;
}
