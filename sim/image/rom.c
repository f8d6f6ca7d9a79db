/* SPDX-License-Identifier: BSD-3-Clause */
/* rom.c: the ROMs of an instance: inline files, a directory, a file, or a reference. */
#include "sim/image/image.h"
#include "sim/image/oci.h"

#include <romsim/erofs_check.h>
#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { ROM_ALIGNMENT = 4096 };

int image_error_at(struct romsim_error *err, const struct romsim_place *place)
{
    if (err && err->place.line == 0)
        err->place = *place;
    return -1;
}

/* The first error of an image, for people. */
static void note_finding(void *context, const struct romsim_erofs_finding *finding)
{
    struct romsim_error *first = context;

    if (finding->severity == ROMSIM_EROFS_ERROR && !first->errnum)
        romsim_error_set(first, EUCLEAN, "%s%s%s", QUOTE(finding->path),
                         finding->path[0] ? ": " : "", finding->message);
}

/* What an image says of its own size, 0 if it says none that makes sense. */
static uint64_t claimed_size(struct romsim_blob *blob)
{
    struct romsim_erofs_super super;

    if (romsim_erofs_peek(blob, &super, NULL) < 0 || super.block_bits > 16 ||
        super.blocks > UINT64_MAX >> super.block_bits)
        return 0;
    return super.blocks << super.block_bits;
}

/*
 * What is wrong with a size depends on what has it: padding neither fills an empty file nor brings
 * back what was cut off, and gives a damaged image just another size.
 */
static int invalid_size(struct romsim_blob *blob, const char *name, struct romsim_error *err)
{
    uint64_t size = romsim_blob_size(blob), claimed = claimed_size(blob);
    struct romsim_error first = {0};

    romsim_error_set(err, EINVAL, "Invalid size %llu of ROM image '%s'", (unsigned long long)size,
                     QUOTE(name));
    if (!size)
        return romsim_error_hint(err, "it is empty; a ROM has at least %d bytes", ROM_ALIGNMENT);
    if (claimed > size)
        return romsim_error_hint(err,
                                 "it is an EROFS image of %llu bytes that was cut short: copy it "
                                 "again, padding does not bring back the rest",
                                 (unsigned long long)claimed);
    if (claimed && romsim_erofs_check(blob, note_finding, &first, NULL, NULL) > 0)
        return romsim_error_hint(err,
                                 "it is a damaged EROFS image, which padding does not repair: %s; "
                                 "'romsim rom check' lists all of it",
                                 first.message);
    return romsim_error_hint(err,
                             "a ROM's size has to be a multiple of %d bytes; pad it: "
                             "truncate -s %%%d FILE",
                             ROM_ALIGNMENT, ROM_ALIGNMENT);
}

int image_check_alignment(struct romsim_blob *blob, const char *name, struct romsim_error *err)
{
    uint64_t size = romsim_blob_size(blob);

    if (size > 0 && size % ROM_ALIGNMENT == 0)
        return 0;
    invalid_size(blob, name, err);
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return -1;
}

static int count_file(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    uint64_t *files = context;

    (void)path;
    *files += S_ISREG(inode->mode);
    return 0;
}

/*
 * Looks at all of an EROFS image's names and inodes.  The cloud attaches whatever has the right
 * size, and an app may meet a damage or never; so a damage, or what this reader does not know, is
 * a warning, and the image is attached as it is.
 */
static int look_at_image(struct romsim_blob *blob, const char *name, struct romsim_rom_image *ret,
                         struct romsim_error *err)
{
    struct romsim_error damage = {0};
    const char *end = "";
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, &damage);

    if (erofs && romsim_erofs_walk(erofs, count_file, &ret->files, &damage) == 0)
        return 0;
    /* EFBIG: more names than are counted. */
    if (damage.errnum != EUCLEAN && damage.errnum != EOPNOTSUPP && damage.errnum != EFBIG) {
        if (err)
            *err = damage;
        return romsim_error_context(err, "ROM image '%s'", QUOTE(name));
    }
    if (!erofs)
        end = damage.errnum == EUCLEAN ? ", and cannot be mounted" : ", and cannot be looked into";
    if (asprintf(&ret->warning, "ROM image '%s': %s; it is attached as it is%s", QUOTE(name),
                 damage.message, end) < 0) {
        ret->warning = NULL;
        return romsim_error_nomem(err);
    }
    return 0;
}

static uint64_t count_tree_files(const struct romsim_tree *tree)
{
    const struct romsim_inode *inode = NULL;
    uint64_t files = 0;

    while ((inode = romsim_tree_next_inode(tree, inode)))
        files += S_ISREG(inode->mode);
    return files;
}

/* Takes the tree. */
static int build(const struct romsim_instance *instance, struct romsim_tree *built_tree,
                 const char *name, struct romsim_rom_image *ret, struct romsim_error *err)
{
    const struct romsim_erofs_options options = {.no_verify = instance->no_verify};
    CLEANUP_TREE struct romsim_tree *tree = built_tree;
    struct romsim_blob *blob;

    blob = tree ? romsim_erofs_build(tree, &options, NULL, err) : NULL;
    if (!blob)
        return -1;
    *ret = (struct romsim_rom_image){.blob = blob,
                                     .kind = ROMSIM_IMAGE_EROFS,
                                     .files = count_tree_files(tree),
                                     .warning = image_tree_warning(tree, name)};
    return 0;
}

int image_rom_from_blob(struct romsim_blob *blob, const char *name, struct romsim_rom_image *ret,
                        struct romsim_error *err)
{
    struct romsim_rom_image rom = {.kind = romsim_image_probe(blob)};

    if (image_check_alignment(blob, name, err) < 0)
        return -1;
    if (rom.kind == ROMSIM_IMAGE_EROFS && look_at_image(blob, name, &rom, err) < 0)
        return -1;
    rom.blob = romsim_blob_ref(blob);
    *ret = rom;
    return 0;
}

/* A file's bytes, unless they are an archive of images. */
static int rom_from_file(const struct reference *reference, struct romsim_rom_image *ret,
                         struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob =
        romsim_blob_snapshot_within(reference->path, ROMSIM_BOUND_FILE_BYTES, err);
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    int found = 0;

    if (blob && reference->kind != REFERENCE_FILES)
        found = oci_open_blob(blob, reference->tag, reference->path, &source, &image, err);
    if (!blob || found < 0)
        return -1;
    if (found == 0)
        return image_rom_from_blob(blob, reference->path, ret, err);
    if (oci_rom(source, &image, reference->text, ret, err) < 0)
        return oci_failed(reference, err);
    return 0;
}

/* As base_from_oci(). */
static int rom_from_oci(const struct reference *reference, struct romsim_rom_image *ret,
                        struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    int found = oci_open(reference, &source, &image, err);

    if (found > 0 && oci_rom(source, &image, reference->text, ret, err) < 0)
        return oci_failed(reference, err);
    return found;
}

static int rom_from_reference(const struct romsim_instance *instance, struct reference *reference,
                              struct romsim_rom_image *ret, struct romsim_error *err)
{
    int found = 0;
    struct stat st;

    if (reference->kind != REFERENCE_PATH && reference->kind != REFERENCE_FILES)
        found = rom_from_oci(reference, ret, err);
    if (found == 0 && reference_becomes_layout(reference))
        found = rom_from_oci(reference, ret, err);
    if (found == 0 && reference_cut_tag(reference, err) < 0)
        found = -1;
    if (found != 0)
        return found < 0 ? -1 : 0;
    if (stat(reference->path, &st) < 0) {
        if (reference->kind == REFERENCE_NAME && errno == ENOENT)
            return oci_not_found(reference, true, err);
        romsim_error_system(err, errno, "no ROM image '%s'", QUOTE(reference->text));
        return reference_hint_path(reference, err);
    }
    if (S_ISDIR(st.st_mode))
        return build(instance, romsim_tree_from_directory(reference->path, ROMSIM_OWNERS_ROOT, err),
                     reference->text, ret, err);
    return rom_from_file(reference, ret, err);
}

int romsim_image_rom(const struct romsim_instance *instance, const struct romsim_rom *rom,
                     struct romsim_rom_image *ret, struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};

    if (rom->is_inline) {
        if (build(instance, romsim_tree_from_files(rom->files, rom->file_count, err), rom->name,
                  ret, err) < 0)
            return image_error_at(err, &rom->place);
        return 0;
    }
    if (reference_parse(rom->image, instance->directory, &reference, err) < 0 ||
        rom_from_reference(instance, &reference, ret, err) < 0)
        return image_error_at(err, &rom->image_place);
    return 0;
}

void romsim_rom_image_release(struct romsim_rom_image *rom)
{
    romsim_blob_unref(rom->blob);
    free(rom->warning);
    *rom = (struct romsim_rom_image){0};
}
