/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_limit.h: how much an image may unfold to.
 *
 * Compressed and shared data let a small image hold files of any size.  What has to go through all
 * of their bytes asks here first, so that a bomb costs the user a message and not a disk.
 */
#ifndef ROMSIM_CLI_ROM_LIMIT_H
#define ROMSIM_CLI_ROM_LIMIT_H

#include "sim/cli/rom.h"

#define ROM_OPTION_NO_LIMIT                                                                        \
    {                                                                                              \
        "no-limit", 0, NULL, "even if it is over 64 times the image and 1 GiB"                     \
    }

/* 64 times `image_size` and 1 GiB: more than honest data in an image of this size has. */
uint64_t rom_limit(uint64_t image_size);

/* ---- names of the same file --------------------------------------------------------------- */

/* The first entry of each file that has several names. */
struct rom_names {
    uint32_t *slots;
    size_t count;
};

int rom_names_init(struct rom_names *names, const struct rom_listing *listing); /* 0 or -1 */
void rom_names_clear(struct rom_names *names);                                  /* of entries */
void rom_names_release(struct rom_names *names);

/* The earlier entry with the same inode, or 0: then this one is remembered. */
size_t rom_names_first(struct rom_names *names, const struct rom_listing *listing, size_t index);

/* ---- data --------------------------------------------------------------------------------- */

/*
 * The bytes that the listing's regular files have without their holes, each hard-linked file once
 * (`names` must be empty and is so afterwards).  Of damaged files it counts what is good.  Once
 * `most` is passed it may give up counting: then *ret_cut is set and there are more than *ret.
 */
void rom_data_size(const struct rom_listing *listing, struct rom_names *names, uint64_t most,
                   uint64_t *ret, bool *ret_cut);

#endif
