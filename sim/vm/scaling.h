/* SPDX-License-Identifier: BSD-3-Clause */
/* scaling.h: an instance's `scale_to_zero`, what it asks for and what the cloud shows of it. */
#ifndef ROMSIM_VM_SCALING_H
#define ROMSIM_VM_SCALING_H

#include <romsim/instance.h>

#include <jansson.h>

struct scaling {
    bool is_on;           /* the policy is "on" or "idle" */
    bool ends_idle;       /* "idle": a connection that nothing goes over does not hold it */
    bool is_stateful;     /* the VM is saved, else its app is stopped */
    uint64_t cooldown_us; /* without traffic, before it is put to standby */
};

struct scaling scaling_of(const struct romsim_instance *instance);

/* The member "scale_to_zero" of a GET from that of a request, with what is not said there. */
void scaling_complete(json_t *scale);

#endif
