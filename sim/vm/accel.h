/* SPDX-License-Identifier: BSD-3-Clause */
/* accel.h: which accelerator may run a guest, and the tiny guest that tells whether it does. */
#ifndef ROMSIM_VM_ACCEL_H
#define ROMSIM_VM_ACCEL_H

#include <romsim/arch.h>

#include <stdbool.h>

/* May KVM of such a machine run such a guest?  The one place where this is decided. */
bool accel_may_be_kvm(enum romsim_arch guest, enum romsim_arch host);

/* Runs the tiny guest, of the instance's architecture, with QEMU's -accel and -cpu of these names.
 * True if it came to its end in time; else *ret_how says what happened, to follow "but". */
bool accel_try(const char *accel, const char *cpu, const char **ret_how);

#endif
