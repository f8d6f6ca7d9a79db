/* SPDX-License-Identifier: BSD-3-Clause */
/* processor.h: which processor an instance gets, apart from what has to be found out for it. */
#ifndef ROMSIM_VM_PROCESSOR_H
#define ROMSIM_VM_PROCESSOR_H

#include <romsim/vm.h>

/* Sets the model, its level and whose it is, for ret->accel, which has `highest` as its highest
 * level, and the wanted level (0: none is).  ENOTSUP if it is beyond the highest. */
int processor_take_level(struct romsim_processor *ret, int highest, int wanted,
                         struct romsim_error *err);

/* The same for an arm64 guest, for ret->accel. */
void processor_take_arm64(struct romsim_processor *ret);

/* Can this be the value of QEMU's -cpu: a name and what may follow it? */
bool processor_may_be_model(const char *text);

#endif
