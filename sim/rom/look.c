/* SPDX-License-Identifier: BSD-3-Clause */
/* look.c: what a look at an image costs and meets, and what inodes say. */
#include <romsim/rom.h>

#include <errno.h>
#include <sys/stat.h>

void romsim_rom_look_init(struct romsim_rom_look *look, struct romsim_erofs *erofs,
                          romsim_rom_damage *tell, void *context)
{
    *look = (struct romsim_rom_look){.erofs = erofs, .tell = tell, .context = context};
    look->budget = &look->own_budget;
    romsim_erofs_budget_init(look->budget, erofs);
}

void romsim_rom_damaged(struct romsim_rom_look *look, const char *path, struct romsim_error *error)
{
    look->damage++;
    if (look->tell)
        look->tell(look->context, path, error);
}

bool romsim_rom_is_damage(const struct romsim_error *error)
{
    return error->errnum == EUCLEAN || error->errnum == EOPNOTSUPP || error->errnum == EIO;
}

/* ---- inodes ------------------------------------------------------------------------------- */

const char *romsim_rom_type_name(uint32_t mode)
{
    static const struct {
        uint32_t type;
        const char *name;
    } types[] = {
        {S_IFREG, "file"},        {S_IFDIR, "directory"},    {S_IFLNK, "symlink"},
        {S_IFCHR, "char device"}, {S_IFBLK, "block device"}, {S_IFIFO, "fifo"},
        {S_IFSOCK, "socket"},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if ((mode & S_IFMT) == types[i].type)
            return types[i].name;
    return "unknown";
}

uint64_t romsim_rom_nid(uint64_t nid)
{
    return nid & INT64_MAX;
}

bool romsim_rom_in_metabox(uint64_t nid)
{
    return nid >> 63;
}

unsigned romsim_rom_major(uint32_t rdev)
{
    return rdev >> 8 & 0xfff;
}

unsigned romsim_rom_minor(uint32_t rdev)
{
    return (rdev & 0xff) | (rdev >> 12 & 0xfff00);
}
