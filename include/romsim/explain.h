/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain.h: what the lines of a guest's console that concern ROMs mean, by a look at the layout
 * that the guest had.
 *
 * Known are the kernel's messages on EROFS and on drives (fs/erofs, block/ of Linux 6.1 to 6.12)
 * and what programs say of files that they cannot open.  A drive is known by its Linux name, by its
 * place (vda is the root, vdb the first ROM), and by the cloud's names (ukp_rom1, ukp_rom_code).
 *
 * Not thread-safe.
 */
#ifndef ROMSIM_EXPLAIN_H
#define ROMSIM_EXPLAIN_H

#include <romsim/layout.h>

/* All texts are fit for a terminal, and valid during the call. */
struct romsim_explanation {
    size_t line;        /* of the console, from 1 */
    const char *text;   /* the line, shortened */
    const char *device; /* "ukp_rom_code", or NULL */
    const char *path;   /* that it is about, in the ROM or in the guest; or NULL */
    const char *cause;  /* what is the matter */
    const char *advice; /* what to try; or NULL */
};
typedef void romsim_explained(void *context, const struct romsim_explanation *explanation);

/* Explains the lines of `size` bytes of console, of which nothing is expected.  What several lines
 * say is told once.  Returns how many explanations there were. */
long romsim_explain_console(const struct romsim_layout *layout, const char *console, size_t size,
                            romsim_explained *tell, void *context);

#endif
