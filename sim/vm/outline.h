/* SPDX-License-Identifier: BSD-3-Clause */
/* outline.h: what the guest is told of a layout. */
#ifndef ROMSIM_VM_OUTLINE_H
#define ROMSIM_VM_OUTLINE_H

#include <romsim/buffer.h>
#include <romsim/error.h>
#include <romsim/fault.h>
#include <romsim/layout.h>
#include <romsim/vm.h>

#include <stdbool.h>
#include <stdint.h>

/* Appends the manifest of a guest with a private address, with its greeting, to `ret`; of a clone,
 * what is its own.  Of the faults (or NULL) those count by which a device is missing.  `holds`: it
 * is to be saved before its app starts. */
int outline_write(const struct romsim_layout *layout, const struct romsim_faults *faults,
                  uint32_t address, bool holds, bool traces, const struct romsim_vm_input *input,
                  struct romsim_buffer *ret, struct romsim_error *err);

/* Appends the line with the time to one that was suspended. */
int outline_wake(struct romsim_buffer *ret, struct romsim_error *err);

/* Appends what a guest is told whose app stands still, and that goes on where it was saved. */
void outline_release(struct romsim_buffer *ret);

#endif
