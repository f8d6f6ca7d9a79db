/* SPDX-License-Identifier: BSD-3-Clause */
/* debugger.h: how to get into the guest with a debugger, through QEMU's gdb stub. */
#ifndef ROMSIM_VM_DEBUGGER_H
#define ROMSIM_VM_DEBUGGER_H

#include <romsim/layout.h>
#include <romsim/vm.h>

/* Can the instances have it?  Not several, since the port is one; and a clone does not begin.
 * Returns 0 or -1. */
int debugger_check(const struct romsim_vm_gdb *gdb, const struct romsim_layout *const *layouts,
                   size_t count, struct romsim_error *err);

/* What to type, for the user, with the kernel's symbols if its file has some; `release` is the
 * bundle's if the kernel is that, else NULL.  malloc'ed, or NULL without memory. */
char *debugger_note(const struct romsim_vm_gdb *gdb, const char *kernel, const char *release);

#endif
