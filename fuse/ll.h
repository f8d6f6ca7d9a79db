/* SPDX-License-Identifier: BSD-3-Clause */
/* ll.h: a seam through libfuse's low-level API. */
#ifndef ROMSIM_FUSE_LL_H
#define ROMSIM_FUSE_LL_H

#include <romsim/seam.h>

#include <fuse_lowlevel.h>

/* What a session answers from. */
struct ll {
    struct romsim_seam *seam;
    void (*report)(void *context, const char *message); /* as in romsim_fs_options */
    void *context;
};

/* A session that answers from `ll` (which must outlive it) on `fd`, a mounted /dev/fuse descriptor,
 * which it owns from then on.  NULL on failure. */
struct fuse_session *ll_session_new(struct ll *ll, int fd, struct romsim_error *err);

#endif
