/* SPDX-License-Identifier: BSD-3-Clause */
/* walk.c: going over the names of an image, past what is damaged. */
#include <romsim/rom.h>

#include <string.h>

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

int romsim_rom_walk_open(struct romsim_rom_look *look, const char *path,
                         struct romsim_rom_walk *ret, struct romsim_error *err)
{
    *ret = (struct romsim_rom_walk){.look = look};
    if (romsim_rom_lookup(look->erofs, path, ROMSIM_ROM_NO_FOLLOW, &ret->start, err) < 0)
        return -1;
    ret->base = normalize(path ? path : "");
    if (!ret->base)
        return romsim_error_nomem(err);
    ret->walker = romsim_erofs_walker_new(look->erofs, &ret->start, ret->base, look->budget, err);
    return ret->walker ? 0 : -1;
}

void romsim_rom_walk_close(struct romsim_rom_walk *walk)
{
    romsim_erofs_walker_free(walk->walker);
    free(walk->base);
    *walk = (struct romsim_rom_walk){0};
}

int romsim_rom_walk_next(struct romsim_rom_walk *walk, struct romsim_erofs_step *ret,
                         bool *ret_damaged, struct romsim_error *err)
{
    struct romsim_error error = {0};
    int result;

    *ret_damaged = false;
    while ((result = romsim_erofs_walker_next(walk->walker, ret, &error)) == ROMSIM_EROFS_DAMAGED) {
        romsim_rom_damaged(walk->look, ret->path, &error);
        *ret_damaged = ret->is_name;
        if (ret->is_name)
            return 1;
    }
    if (result < 0 && err)
        *err = error;
    return result;
}
