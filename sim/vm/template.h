/* SPDX-License-Identifier: BSD-3-Clause */
/* template.h: what a template wants of those who start its clones. */
#ifndef ROMSIM_VM_TEMPLATE_H
#define ROMSIM_VM_TEMPLATE_H

#include <romsim/template.h>
#include <romsim/vm.h>

/* A clone's processor is its template's; the accelerator has to be the same.  Returns 0 or -1. */
int template_processor(const struct romsim_template *template, struct romsim_processor *processor,
                       struct romsim_error *err);

#endif
