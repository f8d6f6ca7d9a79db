/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.h: a process that reads what strangers made gives up what it does not need for that.
 *
 * In two stages, since its threads have to be made between them: romsim_sandbox_enter() by the
 * process's only thread, then romsim_sandbox_seal().  Neither fails: what a machine does not allow
 * is left out, and said in what is returned, ROMSIM_SANDBOX_... bits.  sim/base/sandbox.c has the
 * theory.
 */
#ifndef ROMSIM_SANDBOX_H
#define ROMSIM_SANDBOX_H

#include <stddef.h>

enum {
    ROMSIM_SANDBOX_PRIVILEGES = 1, /* none, and no way to new ones */
    ROMSIM_SANDBOX_FILES = 2,      /* no file can be opened, whatever its mode */
    ROMSIM_SANDBOX_CALLS = 4,      /* no system call but a few */
    ROMSIM_SANDBOX_ALL = 7,
    ROMSIM_SANDBOX_TEXT = 256
};

/* Closes all descriptors but `keep` (those of them that are not negative; standard error, if it is
 * none of them, leads to nothing), for ever gives up privileges, and the file system.  By a process
 * that has one thread; those that it makes take after it. */
unsigned romsim_sandbox_enter(const int *keep, size_t count);

/* From here on no thread of the process can make any system call but those few that reading,
 * writing and waiting take, with memory and the end of threads: the others give EPERM. */
unsigned romsim_sandbox_seal(void);

/* What would apply here: a process of its own tries.  0 if that cannot be started. */
unsigned romsim_sandbox_probe(void);

/* What is missing among the bits, for a person: "no Landlock (Linux 5.13)"; "" if nothing is. */
void romsim_sandbox_lack(unsigned applied, char ret[ROMSIM_SANDBOX_TEXT]);

#endif
