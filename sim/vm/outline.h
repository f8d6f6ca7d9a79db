/* SPDX-License-Identifier: BSD-3-Clause */
/* outline.h: what the guest is told of a layout. */
#ifndef ROMSIM_VM_OUTLINE_H
#define ROMSIM_VM_OUTLINE_H

#include <romsim/buffer.h>
#include <romsim/error.h>
#include <romsim/layout.h>
#include <romsim/vm.h>

#include <stdbool.h>
#include <stdint.h>

/* Appends the manifest of a guest with a private address, with its greeting, to `ret`; of a clone,
 * what is its own.  `holds`: it is to be saved before its app starts. */
int outline_write(const struct romsim_layout *layout, uint32_t address, bool holds,
                  const struct romsim_vm_input *input, struct romsim_buffer *ret,
                  struct romsim_error *err);

/* Appends the line with the time to one that was suspended. */
int outline_wake(struct romsim_buffer *ret, struct romsim_error *err);

#endif
