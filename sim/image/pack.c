/* SPDX-License-Identifier: BSD-3-Clause */
/* pack.c: romsim_image_pack(): ROMs from what people have: directories, archives, files. */
#include "sim/image/image.h"
#include "sim/image/oci.h"
#include "sim/image/probe.h"
#include "sim/image/reference.h"

#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { ROM_ALIGNMENT = 4096 };

/* ---- sources ---------------------------------------------------------------------------- */

struct source {
    struct reference reference; /* a path, its files or an image in it */
    const char *path;           /* the reference's */
    struct stat st;
    struct romsim_blob *blob; /* NULL for a directory */
    enum image_form form;
    struct romsim_tree *tree; /* of an archive or of an image's layers, once it was looked into */
};

static void source_release(struct source *source)
{
    reference_release(&source->reference);
    romsim_blob_unref(source->blob);
    romsim_tree_free(source->tree);
}

/* A path, with a tag if that of a file has one, or files:PATH. */
static int parse_path(const char *text, bool as_files, struct reference *ret,
                      struct romsim_error *err)
{
    const char *path = text;
    bool is_files = as_files || romsim_reference_form(text, &path) == ROMSIM_REFERENCE_FILES;

    ret->kind = is_files ? ROMSIM_REFERENCE_FILES : ROMSIM_REFERENCE_PATH;
    ret->text = strdup(text);
    ret->path = strdup(is_files ? path : text);
    if (!ret->text || !ret->path)
        return romsim_error_nomem(err);
    return reference_becomes_layout(ret) ? 0 : reference_cut_tag(ret, err);
}

/* A fifo is waited for, as by any program that is told to read one. */
static struct romsim_blob *read_fifo(const char *path, struct romsim_error *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        return romsim_blob_snapshot_fd(fd, path, err);
    romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    return NULL;
}

/* What comes through a pipe has no mode and no time of its own. */
static void set_defaults(struct stat *st)
{
    if (S_ISREG(st->st_mode))
        return;
    st->st_mode = S_IFREG | 0644;
    st->st_mtim = (struct timespec){0};
}

static int source_open(const char *text, bool as_files, struct source *ret,
                       struct romsim_error *err)
{
    const char *path;

    if (parse_path(text, as_files, &ret->reference, err) < 0)
        return -1;
    ret->path = path = ret->reference.path;
    if (stat(path, &ret->st) < 0)
        return romsim_error_system(err, errno, "cannot pack '%s'", QUOTE(path));
    if (S_ISDIR(ret->st.st_mode))
        return 0;
    ret->blob = S_ISFIFO(ret->st.st_mode)
                    ? read_fifo(path, err)
                    : romsim_blob_snapshot_within(path, ROMSIM_BOUND_FILE_BYTES, err);
    if (!ret->blob)
        return -1;
    set_defaults(&ret->st);
    ret->form = image_form_probe(romsim_blob_bytes(ret->blob), romsim_blob_size(ret->blob));
    return 0;
}

static bool is_archive(const struct source *source)
{
    return source->form == FORM_TAR || source->form == FORM_CPIO ||
           image_form_is_compressed(source->form);
}

/* ---- trees ------------------------------------------------------------------------------ */

static struct romsim_tree *tree_of_file(const struct source *source, struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    const char *slash = strrchr(source->path, '/');
    const char *name = slash ? slash + 1 : source->path;
    struct romsim_dentry *dentry;

    if (!tree) {
        romsim_error_nomem(err);
        return NULL;
    }
    dentry =
        romsim_tree_add(tree, romsim_tree_root(tree), name, strlen(name), source->st.st_mode, err);
    if (!dentry || romsim_inode_set_blob(dentry->inode, source->blob, err) < 0)
        return NULL;
    dentry->inode->mtime = source->st.st_mtim.tv_sec;
    dentry->inode->mtime_nsec = (uint32_t)source->st.st_mtim.tv_nsec;
    return STEAL_POINTER(&tree);
}

static void own_by_root(struct romsim_tree *tree)
{
    for (struct romsim_inode *inode = romsim_tree_next_inode(tree, NULL); inode;
         inode = romsim_tree_next_inode(tree, inode))
        inode->uid = inode->gid = 0;
}

static struct romsim_tree *tree_of(struct source *source, struct romsim_error *err)
{
    if (source->tree)
        return STEAL_POINTER(&source->tree);
    return source->blob ? tree_of_file(source, err)
                        : romsim_tree_from_directory(source->path, ROMSIM_OWNERS_ROOT, err);
}

/* ---- images ----------------------------------------------------------------------------- */

/* The source is from now on what is in an image: a packed root, a ROM, or layers. */
static int take_image(struct source *source, struct oci_source *from, struct oci_image *image,
                      struct romsim_error *err)
{
    CLEANUP(romsim_base_image_release) struct romsim_base_image base = {0};
    CLEANUP(romsim_rom_image_release) struct romsim_rom_image rom = {0};
    struct romsim_blob *blob;

    if (oci_image_count(image, OCI_ROLE_INITRD) == 0 && oci_image_count(image, OCI_ROLE_ROM) == 0) {
        source->tree = oci_tree(from, image, err);
        return source->tree ? 0 : -1;
    }
    if (oci_image_count(image, OCI_ROLE_INITRD) > 0) {
        if (oci_base(from, image, &base, err) < 0)
            return -1;
        blob = STEAL_POINTER(&base.root);
    } else {
        if (oci_rom(from, image, source->path, &rom, err) < 0)
            return -1;
        blob = STEAL_POINTER(&rom.blob);
    }
    romsim_blob_unref(source->blob);
    source->blob = blob;
    source->form = image_form_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
    if (source->form != FORM_EROFS && source->form != FORM_CPIO)
        source->form = FORM_OTHER; /* an archive in an image is a raw ROM */
    return 0;
}

/* Finds the image in the folder of a layout, or in an archive, which is unpacked.  Returns 1, 0 if
 * there is none, or -1. */
static int open_image(struct source *source, struct oci_source **ret_source, struct oci_image *ret,
                      struct romsim_error *err)
{
    const struct reference *reference = &source->reference;

    if (reference->kind == ROMSIM_REFERENCE_OCI)
        return oci_open(reference, ret_source, ret, err);
    if (!source->blob || (!is_archive(source) && !reference->tag))
        return 0;
    source->tree = romsim_tree_new(NULL);
    if (!source->tree)
        return romsim_error_nomem(err);
    if (romsim_tree_add_archive(source->tree, source->blob, false, source->path, err) < 0)
        return -1;
    if (reference->kind == ROMSIM_REFERENCE_FILES)
        return 0;
    return oci_open_tree(&source->tree, reference->tag, source->path, ret_source, ret, err);
}

/* A cpio archive and any file may be what is wanted as they are. */
static bool is_to_be_opened(const struct source *source, enum romsim_pack_format format)
{
    if (source->reference.tag || format == ROMSIM_PACK_EROFS)
        return true;
    return format != ROMSIM_PACK_RAW && source->form != FORM_CPIO;
}

/* As other commands that are given a path: an archive or a folder of images is its image. */
static int look_inside(struct source *source, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *from = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    int found = open_image(source, &from, &image, err);

    if (found > 0 && take_image(source, from, &image, err) < 0)
        return oci_failed(&source->reference, err);
    if (found >= 0 && source->tree)
        own_by_root(source->tree);
    return found < 0 ? -1 : 0;
}

/* What a source becomes when nobody says it. */
static enum romsim_pack_format choose_format(const struct source *source)
{
    if (source->tree || !source->blob || (is_archive(source) && source->form != FORM_CPIO))
        return ROMSIM_PACK_EROFS;
    if (source->form == FORM_EROFS)
        return ROMSIM_PACK_EROFS;
    return source->form == FORM_CPIO ? ROMSIM_PACK_CPIO : ROMSIM_PACK_RAW;
}

static void count_files(const struct romsim_tree *tree, struct romsim_pack_result *result)
{
    for (const struct romsim_inode *inode = romsim_tree_next_inode(tree, NULL); inode;
         inode = romsim_tree_next_inode(tree, inode)) {
        if (!S_ISREG(inode->mode))
            continue;
        result->files++;
        result->data_bytes += inode->size;
    }
    result->stored_bytes = result->data_bytes;
}

/* ---- results ---------------------------------------------------------------------------- */

static struct romsim_blob *pack_erofs(struct romsim_tree *tree,
                                      const struct romsim_pack_options *options, int fd,
                                      struct romsim_pack_result *result, struct romsim_error *err)
{
    struct romsim_erofs_result written;
    struct romsim_blob *blob = romsim_erofs_build_fd(tree, &options->erofs, fd, &written, err);

    if (blob)
        result->stored_bytes = written.stored_bytes;
    result->kind = ROMSIM_IMAGE_EROFS;
    return blob;
}

static struct romsim_blob *pack_cpio(struct romsim_tree *tree, int taken_fd,
                                     struct romsim_pack_result *result, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;

    if (romsim_cpio_write(tree, fd, &result->lost_xattrs, err) < 0)
        return NULL;
    result->kind = ROMSIM_IMAGE_CPIO;
    return romsim_blob_take_fd(steal_fd(&fd), err);
}

static struct romsim_blob *pack_tree(struct source *source, enum romsim_pack_format format,
                                     const struct romsim_pack_options *options, int taken_fd,
                                     struct romsim_pack_result *result, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;
    CLEANUP_TREE struct romsim_tree *tree = tree_of(source, err);
    CLEANUP_FREE char *warning = NULL;
    struct romsim_blob *blob;

    if (!tree)
        return NULL;
    count_files(tree, result);
    blob = format == ROMSIM_PACK_CPIO ? pack_cpio(tree, steal_fd(&fd), result, err)
                                      : pack_erofs(tree, options, steal_fd(&fd), result, err);
    warning = image_tree_warning(tree, source->path);
    if (warning)
        snprintf(result->warning, sizeof(result->warning), "%s", warning);
    return blob;
}

/* The bytes as they are, padded with zeros to a multiple of 4096. */
static struct romsim_blob *pack_bytes(const struct source *source, int taken_fd,
                                      struct romsim_pack_result *result, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;
    uint64_t size = romsim_blob_size(source->blob);
    uint64_t padded;
    int errnum;

    if (size == 0) {
        romsim_error_set(err, EINVAL, "'%s' is empty, a ROM is not", QUOTE(source->path));
        return NULL;
    }
    if (!checked_align_up(size, ROM_ALIGNMENT, &padded))
        return NULL;
    errnum = romsim_blob_copy(source->blob, fd, 0);
    if (errnum == 0 && ftruncate(fd, (off_t)padded) < 0)
        errnum = errno;
    if (errnum != 0) {
        romsim_error_write(err, errnum, fd, "write the ROM");
        return NULL;
    }
    result->kind = romsim_image_probe(source->blob);
    result->data_bytes = size;
    result->stored_bytes = padded;
    return romsim_blob_take_fd(steal_fd(&fd), err);
}

/* ---- all of it -------------------------------------------------------------------------- */

/* Is the source in the wanted format already? */
static bool is_ready(const struct source *source, enum romsim_pack_format format)
{
    return source->blob && !source->tree &&
           (format == ROMSIM_PACK_RAW ||
            (format == ROMSIM_PACK_EROFS && source->form == FORM_EROFS) ||
            (format == ROMSIM_PACK_CPIO && source->form == FORM_CPIO));
}

static int check_format(const struct source *source, enum romsim_pack_format format,
                        const struct romsim_pack_options *options, struct romsim_error *err)
{
    bool tuned = options->erofs.inline_data || options->erofs.compress;

    if (format == ROMSIM_PACK_RAW && (!source->blob || source->tree))
        return romsim_error_set(err, EINVAL, "the %s '%s' cannot become a raw ROM",
                                source->blob ? "files of" : "directory", QUOTE(source->path));
    if (source->blob && source->form == FORM_EROFS &&
        (tuned || (format != ROMSIM_PACK_EROFS && format != ROMSIM_PACK_RAW))) {
        romsim_error_set(err, EINVAL, "'%s' is an EROFS image already", QUOTE(source->path));
        return romsim_error_hint(err, "extract it first: romsim rom extract");
    }
    if (tuned && format != ROMSIM_PACK_EROFS)
        return romsim_error_set(err, EINVAL, "only EROFS can be compressed or inline");
    return 0;
}

static struct romsim_blob *pack_source(struct source *source,
                                       const struct romsim_pack_options *options, int taken_fd,
                                       struct romsim_pack_result *result, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;
    enum romsim_pack_format format = options->format;

    if (is_to_be_opened(source, format) && look_inside(source, err) < 0)
        return NULL;
    if (format == ROMSIM_PACK_AUTO)
        format = choose_format(source);
    if (check_format(source, format, options, err) < 0)
        return NULL;
    if (fd < 0)
        fd = romsim_blob_scratch_file(err);
    if (fd < 0)
        return NULL;
    if (is_ready(source, format))
        return pack_bytes(source, steal_fd(&fd), result, err);
    return pack_tree(source, format, options, steal_fd(&fd), result, err);
}

struct romsim_blob *romsim_image_pack(const char *path, const struct romsim_pack_options *options,
                                      int taken_fd, struct romsim_pack_result *ret,
                                      struct romsim_error *err)
{
    __attribute__((cleanup(source_release))) struct source source = {0};
    CLEANUP_FD int fd = taken_fd;
    struct romsim_pack_result result = {0};
    struct romsim_blob *blob;

    if (source_open(path, options->as_files, &source, err) < 0)
        return NULL;
    blob = pack_source(&source, options, steal_fd(&fd), &result, err);
    if (blob && ret)
        *ret = result;
    return blob;
}
