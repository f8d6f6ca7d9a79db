/* SPDX-License-Identifier: BSD-3-Clause */
/* rom_walk.c: going over the names of an image, past what is damaged. */
#include "sim/cli/rom.h"

#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { DAMAGE_MAX = 20 };

void rom_image_init(struct rom_image *image, struct romsim_erofs *erofs, const char *file)
{
    *image = (struct rom_image){.erofs = erofs, .file = file};
    image->budget = &image->own_budget;
    romsim_erofs_budget_init(image->budget, erofs);
}

void rom_image_damaged(struct rom_image *image, const char *path, struct romsim_error *error)
{
    if (image->damage++ >= DAMAGE_MAX)
        return;
    romsim_error_context(error, "%s", QUOTE(path));
    rom_report(image->file, error);
}

int rom_image_end(const struct rom_image *image)
{
    if (!image->damage)
        return CLI_OK;
    if (image->damage > DAMAGE_MAX)
        cli_note("and %zu more errors", image->damage - DAMAGE_MAX);
    cli_note("%s is damaged, this is not all of it: " ROM_HINT_CHECK, QUOTE(image->file));
    return CLI_FAILED;
}

bool rom_is_damage(const struct romsim_error *error)
{
    return error->errnum == EUCLEAN || error->errnum == EOPNOTSUPP || error->errnum == EIO;
}

/* "/a/b" from "a//./b/", "" for the root. */
static char *normalize(const char *path)
{
    char *ret = malloc(strlen(path) + 2);
    size_t size = 0;

    if (!ret)
        return NULL;
    while (*(path += strspn(path, "/"))) {
        size_t length = strcspn(path, "/");

        if (length != 1 || path[0] != '.') {
            ret[size++] = '/';
            memcpy(ret + size, path, length);
            size += length;
        }
        path += length;
    }
    ret[size] = '\0';
    return ret;
}

int rom_walk_open(struct rom_image *image, const char *path, struct rom_walk *ret,
                  struct romsim_error *error)
{
    *ret = (struct rom_walk){.image = image};
    if (rom_lookup(image->erofs, path, ROM_NO_FOLLOW, &ret->start, error) < 0)
        return -1;
    ret->base = normalize(path ? path : "");
    if (!ret->base)
        return romsim_error_nomem(error);
    ret->walker =
        romsim_erofs_walker_new(image->erofs, &ret->start, ret->base, image->budget, error);
    return ret->walker ? 0 : -1;
}

void rom_walk_close(struct rom_walk *walk)
{
    romsim_erofs_walker_free(walk->walker);
    free(walk->base);
    *walk = (struct rom_walk){0};
}

int rom_walk_next(struct rom_walk *walk, struct romsim_erofs_step *ret, bool *ret_damaged,
                  struct romsim_error *error)
{
    int result;

    *ret_damaged = false;
    while ((result = romsim_erofs_walker_next(walk->walker, ret, error)) == ROMSIM_EROFS_DAMAGED) {
        rom_image_damaged(walk->image, ret->path, error);
        *ret_damaged = ret->is_name;
        if (ret->is_name)
            return 1;
    }
    return result;
}
