/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * embed.h: files that are in the program as they are in the source.
 *
 * ROMSIM_EMBED(index, "sim/api/page/index.html"), outside of functions, makes the bytes from
 * `index` to `index_end`, read-only and without a NUL.  The compiler does not tell make of such a
 * file: the Makefile has a line for each object that has some.
 */
#ifndef ROMSIM_EMBED_H
#define ROMSIM_EMBED_H

#define ROMSIM_EMBED(name, path)                                                                   \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" path "\"\n" #name                       \
            "_end:\n.popsection\n");                                                               \
    extern __attribute__((visibility("hidden"))) const char name[], name##_end[]

#endif
