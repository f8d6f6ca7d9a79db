/* SPDX-License-Identifier: BSD-3-Clause */
/* rom.c: the ROMs of an instance: inline files, a directory, a file, or a reference. */
#include "sim/image/image.h"
#include "sim/image/oci.h"

#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int image_error_at(struct romsim_error *err, const struct romsim_place *place)
{
    if (err && err->place.line == 0)
        err->place = *place;
    return -1;
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
    struct romsim_rom_image rom = {0};

    if (image_look_at_rom(blob, name, &rom, err) < 0)
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

    if (blob && reference->kind != ROMSIM_REFERENCE_FILES)
        found = oci_open_blob(blob, reference->tag, reference->path, &source, &image, err);
    if (!blob || found < 0)
        return -1;
    if (found == 0)
        return image_rom_from_blob(blob, reference->path, ret, err);
    if (oci_rom(source, &image, reference->text, ret, err) < 0)
        return oci_failed(reference, err);
    return 0;
}

static int rom_from_reference(const struct romsim_instance *instance, struct reference *reference,
                              struct romsim_rom_image *ret, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    struct stat st;
    int found = oci_find(reference, "ROM image", &source, &image, &st, err);

    if (found < 0)
        return -1;
    if (found > 0)
        return oci_rom(source, &image, reference->text, ret, err) < 0 ? oci_failed(reference, err)
                                                                      : 0;
    if (S_ISDIR(st.st_mode))
        return build(instance, romsim_tree_from_directory(reference->path, ROMSIM_OWNERS_ROOT, err),
                     reference->text, ret, err);
    return rom_from_file(reference, ret, err);
}

static struct romsim_blob *find_given(const struct romsim_instance *instance,
                                      const struct romsim_rom *rom)
{
    const struct romsim_supply *supply = instance->supply;
    size_t index = (size_t)(rom - instance->roms);

    return supply && index < supply->rom_count ? supply->roms[index] : NULL;
}

int romsim_image_rom(const struct romsim_instance *instance, const struct romsim_rom *rom,
                     struct romsim_rom_image *ret, struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    struct romsim_blob *given = find_given(instance, rom);

    if (given)
        return image_rom_from_blob(given, rom->name ?: "ROM", ret, err);
    if (rom->is_inline) {
        if (build(instance, romsim_tree_from_files(rom->files, rom->file_count, err), rom->name,
                  ret, err) < 0)
            return image_error_at(err, &rom->place);
        return 0;
    }
    if (reference_parse(rom->image, instance->directory, &reference, err) < 0)
        return image_error_at(err, &rom->image_place);
    reference.is_name_only = romsim_instance_is_foreign(instance, rom->origin);
    if (rom_from_reference(instance, &reference, ret, err) < 0)
        return image_error_at(err, &rom->image_place);
    return 0;
}

void romsim_rom_image_release(struct romsim_rom_image *rom)
{
    romsim_blob_unref(rom->blob);
    free(rom->warning);
    *rom = (struct romsim_rom_image){0};
}
