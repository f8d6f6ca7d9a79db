/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptors.h: how many files a process may open (ulimit -n), asked before and kept in hand.
 *
 * What leaves something behind (a mount, a folder) must be able to clean up when no descriptor is
 * left: so it holds as many as that takes, from before it begins.
 */
#ifndef ROMSIM_DESCRIPTORS_H
#define ROMSIM_DESCRIPTORS_H

#include <romsim/error.h>

enum { ROMSIM_SPARES_MAX = 64 };

/* Descriptors of nothing.  Zero-initialised it holds none. */
struct romsim_spares {
    int items[ROMSIM_SPARES_MAX];
    unsigned count;
};

/* Opens `count` descriptors more.  None are opened on failure; `what`, as in "a mount", is what
 * needs them.  Returns 0, or -1 with EMFILE, ENFILE, ... */
int romsim_spares_hold(struct romsim_spares *spares, unsigned count, const char *what,
                       struct romsim_error *err);
void romsim_spares_release(struct romsim_spares *spares);

/* Could `count` files be opened now?  Returns as romsim_spares_hold(). */
int romsim_descriptors_check(unsigned count, const char *what, struct romsim_error *err);

#endif
