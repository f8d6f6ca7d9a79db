/* SPDX-License-Identifier: BSD-3-Clause */
/* accel.h: the tiny guest that tells whether an accelerator works. */
#ifndef ROMSIM_VM_ACCEL_H
#define ROMSIM_VM_ACCEL_H

#include <stdbool.h>

/* Runs the tiny guest with QEMU's -accel and -cpu of these names.  True if it came to its end in
 * time; else *ret_how says what happened, to follow "but". */
bool accel_try(const char *accel, const char *cpu, const char **ret_how);

#endif
