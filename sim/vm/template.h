/* SPDX-License-Identifier: BSD-3-Clause */
/* template.h: what a template wants of those who start its clones. */
#ifndef ROMSIM_VM_TEMPLATE_H
#define ROMSIM_VM_TEMPLATE_H

#include <romsim/template.h>
#include <romsim/vm.h>

#include <jansson.h>

/* A clone's processor is its template's; the accelerator has to be the same.  Returns 0 or -1. */
int template_processor(const struct romsim_template *template, struct romsim_processor *processor,
                       struct romsim_error *err);

/* What a template's record says of an instance (or NULL) and how it runs.  A new object. */
json_t *template_record(const struct romsim_layout *layout, const struct romsim_instance *instance,
                        const struct romsim_processor *processor, const char *version);

/* "7.2.22 (Debian 1:7.2+dfsg-7)", as QEMU says it to qmp_version(); malloc'ed. */
char *template_qemu_version(struct romsim_error *err);

/* The images of all drives of a VM, in their order, with a reference each; `ret` has room for
 * ROMSIM_TEMPLATE_DRIVES_MAX.  Returns 0, or -1: it cannot be saved with them. */
int template_drives(const struct romsim_layout *layout, struct romsim_blob **ret, size_t *ret_count,
                    struct romsim_error *err);

/* A template of the caller's alone, of a VM that was saved into these files, which it takes: it is
 * in no store.  NULL on failure; the files are closed then. */
struct romsim_template *template_keep(const struct romsim_layout *layout,
                                      const struct romsim_processor *processor,
                                      struct romsim_vm_saving *saving, struct romsim_error *err);

#endif
