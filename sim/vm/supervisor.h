/* SPDX-License-Identifier: BSD-3-Clause */
/* supervisor.h: the process that owns an instance. */
#ifndef ROMSIM_VM_SUPERVISOR_H
#define ROMSIM_VM_SUPERVISOR_H

#include "machine.h"

/* Runs an instance to its end and reports on the socket `channel`; for a process of its own, which
 * should then exit.  Frees the plan's forwards: the ports are others' once the VM has ended. */
void supervisor_run(const struct romsim_layout *layout, const struct vm_plan *plan, int channel);

#endif
