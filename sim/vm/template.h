/* SPDX-License-Identifier: BSD-3-Clause */
/* template.h: what a template wants of those who start its clones. */
#ifndef ROMSIM_VM_TEMPLATE_H
#define ROMSIM_VM_TEMPLATE_H

#include <romsim/template.h>
#include <romsim/vm.h>

/* A clone's processor is its template's; the accelerator has to be the same.  Returns 0 or -1. */
int template_processor(const struct romsim_template *template, struct romsim_processor *processor,
                       struct romsim_error *err);

/* A template of the caller's alone, of a VM that was saved into these files, which it takes: it is
 * in no store.  NULL on failure; the files are closed then. */
struct romsim_template *template_keep(const struct romsim_layout *layout,
                                      const struct romsim_processor *processor,
                                      struct romsim_vm_saving *saving, struct romsim_error *err);

#endif
