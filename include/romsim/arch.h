/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arch.h: the architectures that a guest can have, in one table, and which one it is.
 *
 * It is the process's, as the level of the processor is (romsim/cpu.h): set once, before there are
 * threads, by who knows the user's wish (--arch); from then on only read.  Unless it is set it is
 * this machine's own, whose guests KVM can run; one of another is emulated.
 */
#ifndef ROMSIM_ARCH_H
#define ROMSIM_ARCH_H

#include <stdbool.h>
#include <stdint.h>

enum romsim_arch { ROMSIM_ARCH_AMD64, ROMSIM_ARCH_ARM64, ROMSIM_ARCH_COUNT };

struct romsim_arch_facts {
    const char *name;         /* "amd64": as --arch, OCI and Debian have it */
    const char *cloud;        /* "x86_64": as Kraftfiles and the cloud's images have it */
    const char *spoken;       /* "x86-64": as one says it of a processor */
    const char *qemu;         /* the program that emulates it */
    const char *qemu_package; /* Debian's, that has it */
    const char *tty;          /* the first serial line: "ttyS0" */
    const char *gdb;          /* as gdb's 'set architecture' has it */
    uint16_t machines[2];     /* of ELF programs that it runs: its own first; 0: none */
};

/* The facts of one. */
const struct romsim_arch_facts *romsim_arch_facts_of(enum romsim_arch arch);

/* The instance's: what was set, else this machine's; and its facts. */
enum romsim_arch romsim_arch(void);
void romsim_arch_set(enum romsim_arch arch);
const struct romsim_arch_facts *romsim_arch_facts(void);

/* This machine's, which romsim was built for; of one that is none of them the first. */
enum romsim_arch romsim_arch_host(void);

/* The one that a word means, in any case: "amd64", "x86_64", "x86-64", "arm64", "aarch64".
 * ROMSIM_ARCH_COUNT if there is none. */
enum romsim_arch romsim_arch_find(const char *word);

#endif
