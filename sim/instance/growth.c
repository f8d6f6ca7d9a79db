/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * growth.c: what the inline files of a text will become.
 *
 * A directory takes 4096 bytes in an image and two in a path: a text of a few hundred kilobytes
 * could have gigabytes of images made.  Each image is bounded when it is written; this is about all
 * of a text together, before the first of them.
 */
#include "model.h"

#include <romsim/bounds.h>
#include <romsim/text.h>

#include <string.h>

enum { BLOCK = 4096 };

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The directories in a path that the one before it, in order, does not name. */
static uint64_t new_directories(const char *before, const char *path)
{
    uint64_t count = 0;
    size_t same = 0;

    while (path[same] && path[same] == before[same])
        same++;
    for (; path[same]; same++)
        count += path[same] == '/';
    return count;
}

/* What a ROM's image will have beside the files' data, about; 0 without memory. */
static uint64_t image_bytes(const struct romsim_rom *rom)
{
    CLEANUP_FREE const char **paths = calloc(rom->file_count + 1, sizeof(char *));
    uint64_t blocks = rom->file_count;

    if (!paths)
        return 0;
    for (size_t i = 0; i < rom->file_count; i++)
        paths[i] = rom->files[i].path;
    qsort(paths, rom->file_count, sizeof(char *), compare_paths);
    for (size_t i = 0; i < rom->file_count; i++)
        blocks += new_directories(i > 0 ? paths[i - 1] : "", paths[i]);
    return blocks * BLOCK;
}

static uint64_t source_bytes(const struct romsim_rom *rom)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < rom->file_count; i++)
        bytes += strlen(rom->files[i].path) + rom->files[i].size;
    return bytes;
}

void check_growth(const struct romsim_instances *instances, struct romsim_diagnostics *diagnostics)
{
    uint64_t source = 0, images = 0;
    struct romsim_error error;

    for (size_t i = 0; i < instances->count; i++)
        for (size_t j = 0; j < instances->items[i]->rom_count; j++)
            source += source_bytes(&instances->items[i]->roms[j]);
    for (size_t i = 0; i < instances->count; i++)
        for (size_t j = 0; j < instances->items[i]->rom_count; j++) {
            const struct romsim_rom *rom = &instances->items[i]->roms[j];

            images += image_bytes(rom);
            if (images <= romsim_bound_for(ROMSIM_BOUND_IMAGE_BYTES, source))
                continue;
            romsim_bound_refuse(
                &error, ROMSIM_BOUND_IMAGE_BYTES,
                "the inline files up to here become images with %s of directories and padding, "
                "from %s of paths and data",
                SIZE_TEXT(images), SIZE_TEXT(source));
            error.rule = ROMSIM_RULE_BOUND;
            error.place = rom->place;
            romsim_diagnostics_add(diagnostics, &error, 0);
            return;
        }
}
