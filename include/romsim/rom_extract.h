/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_extract.h: the files of an image as files of the host.
 *
 * Nothing is written outside the target: every path is resolved by the kernel beneath the target's
 * descriptor with no symlink followed (openat2), whatever else happens in the target meanwhile.
 * Nothing that exists is replaced or changed.  Symlinks that lead out of the target are refused
 * unless they are asked for.  What the user may not do (owners, devices, xattrs of the system) is
 * left out and counted.
 */
#ifndef ROMSIM_ROM_EXTRACT_H
#define ROMSIM_ROM_EXTRACT_H

#include <romsim/rom.h>

struct romsim_rom_extract_options {
    bool keep_owners; /* and set-id bits and devices: for root only */
    bool all_links;   /* also those that may lead out of the target */
    bool no_limit;    /* however much it is: else over romsim_rom_limit(), or over the room that the
                         target's file system has, nothing is written */
    /* Looked at between files and pieces of them: true ends it, and leaves no part of a file; or
     * NULL. */
    bool (*is_ended)(void *context);
    /* Told of each file that is not made; `path` (or "?" without memory) is valid for the call, and
     * *error the callee's to change; or NULL. */
    void (*refused)(void *context, const char *path, struct romsim_error *error);
    void *context;
};

/* How many files... */
struct romsim_rom_extract_result {
    size_t made;
    size_t refused;                   /* were not made; of these: */
    size_t refused_links, existing;   /* links that may lead out; what is there already */
    size_t owners, setids, devices;   /* lack what only root may give, or were left out */
    size_t xattrs;                    /* xattrs (not files) that could not be set */
    size_t damaged_xattrs;            /* have not all of theirs, since these are damaged */
    struct romsim_error xattrs_error; /* why no more xattrs were set, if errnum */
    bool is_ended;                    /* by is_ended() */
    bool is_target;                   /* after a failure: it is about the target, not the image */
};

/*
 * Unpacks what is at `path` of the image (romsim_rom_lookup(), the last link not followed) into
 * `directory`, which is made if it is not there; its parent must be.  Damaged names are told to the
 * look.  Returns 0 if it went through, whatever was refused; or -1 and nothing was made: ENOENT,
 * EDQUOT over the limit, ENOSPC over the room, ...
 */
int romsim_rom_extract(struct romsim_rom_look *look, const char *path, const char *directory,
                       const struct romsim_rom_extract_options *options,
                       struct romsim_rom_extract_result *ret, struct romsim_error *err);

#endif
