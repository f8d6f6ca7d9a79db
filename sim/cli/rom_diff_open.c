/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_diff_open.c: what `romsim rom diff` compares: images, and what can be packed into one. */
#include "sim/cli/rom_diff.h"

#include <romsim/image.h>

#include <string.h>
#include <sys/stat.h>

/* The image of a directory or an archive.  NULL after a report, or without one where the file is
 * neither. */
static struct romsim_blob *pack(const char *file, struct romsim_error *error)
{
    /* It goes nowhere, so it is not read back. */
    struct romsim_pack_options options = {.erofs = {.no_verify = true}};
    struct romsim_pack_result result;
    CLEANUP_BLOB struct romsim_blob *blob = romsim_image_pack(file, &options, -1, &result, error);

    if (blob && result.kind == ROMSIM_IMAGE_CPIO) { /* a cpio archive stays one unless told */
        romsim_blob_unref(blob);
        options.format = ROMSIM_PACK_EROFS;
        blob = romsim_image_pack(file, &options, -1, &result, error);
    }
    return STEAL_POINTER(&blob);
}

/* Is it an image already, or a file of which rom_open() has to say what is wrong? */
static bool is_packed(const char *file)
{
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct stat st;

    if (stat(file, &st) < 0)
        return !strchr(file, ':'); /* files:PATH, or an image's tag behind a path */
    if (!S_ISREG(st.st_mode))
        return false; /* a directory, or a pipe, which can be read once */
    blob = romsim_blob_snapshot(file, NULL);
    return !blob || romsim_erofs_probe(romsim_blob_bytes(blob), romsim_blob_size(blob));
}

static struct romsim_erofs *open_packed(const char *file)
{
    struct romsim_error error = {0};
    CLEANUP_BLOB struct romsim_blob *blob = pack(file, &error);
    struct romsim_erofs *erofs = NULL;

    /* Any other file would become raw: no image, and rom_open() says so. */
    if (blob && !romsim_erofs_probe(romsim_blob_bytes(blob), romsim_blob_size(blob)))
        return rom_open(file);
    if (blob)
        erofs = romsim_erofs_open(blob, &error);
    if (!erofs)
        rom_report(file, &error);
    return erofs;
}

struct romsim_erofs *diff_open(const char *file)
{
    return is_packed(file) ? rom_open(file) : open_packed(file);
}
