/* SPDX-License-Identifier: BSD-3-Clause */
/* outline.h: what the guest is told of a layout. */
#ifndef ROMSIM_VM_OUTLINE_H
#define ROMSIM_VM_OUTLINE_H

#include <romsim/buffer.h>
#include <romsim/error.h>
#include <romsim/layout.h>

/* Appends the manifest, with its greeting, to `ret`. */
int outline_write(const struct romsim_layout *layout, struct romsim_buffer *ret,
                  struct romsim_error *err);

#endif
