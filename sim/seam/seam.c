/* SPDX-License-Identifier: BSD-3-Clause */
/* seam.c: the chains of a view's devices (romsim/seam.h has the theory). */
#include "fault.h"
#include "trace.h"

#include <stdlib.h>
#include <string.h>

struct romsim_seam {
    struct romsim_view *view;
    size_t device_count;
    struct layer *heads; /* of the chains: layers without operations, one a device; or NULL */
    struct trace trace;
};

/* ---- the chain ---------------------------------------------------------------------------- */

int next_lookup(struct layer *layer, uint64_t directory, const char *name, uint64_t *ret_node,
                struct romsim_error *err)
{
    struct romsim_view *view = layer->view;

    do
        layer = layer->next;
    while (layer && !layer->ops->lookup);
    return layer ? layer->ops->lookup(layer, directory, name, ret_node, err)
                 : romsim_view_lookup(view, directory, name, ret_node, err);
}

int next_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
              struct romsim_view_data *ret, struct romsim_error *err)
{
    struct romsim_view *view = layer->view;

    do
        layer = layer->next;
    while (layer && !layer->ops->read);
    return layer ? layer->ops->read(layer, node, offset, size, ret, err)
                 : romsim_view_read(view, node, offset, size, ret, err);
}

static void free_layer(struct layer *layer)
{
    if (layer->ops->free)
        layer->ops->free(layer);
    else
        free(layer);
}

int seam_push(struct romsim_seam *seam, size_t device, struct layer *layer)
{
    if (!layer)
        return -1;
    if (!seam->heads && !(seam->heads = calloc(seam->device_count, sizeof(*seam->heads)))) {
        free_layer(layer);
        return -1;
    }
    layer->view = seam->heads[device].view = seam->view;
    layer->next = seam->heads[device].next;
    seam->heads[device].next = layer;
    return 0;
}

/* The head of the chain of the device that a node is in, or NULL: there is none. */
static struct layer *chain_of(const struct romsim_seam *seam, uint64_t node)
{
    size_t device = seam->heads ? romsim_view_device(seam->view, node) : ROMSIM_VIEW_NO_DEVICE;

    return device < seam->device_count && seam->heads[device].next ? &seam->heads[device] : NULL;
}

/* ---- the seam ----------------------------------------------------------------------------- */

bool romsim_seam_options_are_none(const struct romsim_seam_options *options)
{
    return !options || (!options->trace && !romsim_faults_count(options->faults));
}

static int compose_fault(struct romsim_seam *seam, size_t device, const struct romsim_device *rom,
                         const struct fault *fault, int stop)
{
    if (!fault_is_of(fault, rom))
        return 0;
    if (fault->is_eio && seam_push(seam, device, error_layer(fault, rom->blob)) < 0)
        return -1;
    return fault_delays(fault) ? seam_push(seam, device, delay_layer(fault, stop)) : 0;
}

/* Puts a device's layers one over the other: the last one is asked first. */
static int compose(struct romsim_seam *seam, const struct romsim_layout *layout, size_t device,
                   const struct romsim_seam_options *options, struct romsim_error *err)
{
    const struct romsim_device *rom = &layout->devices[device];
    const char *at = romsim_layout_at(layout, rom);

    if (rom->role != ROMSIM_DEVICE_ROM || (!rom->blob && !romsim_faults_miss(options->faults, rom)))
        return 0;
    for (size_t i = 0; i < romsim_faults_count(options->faults); i++)
        if (compose_fault(seam, device, rom, &options->faults->list.items[i], options->stop) < 0)
            return -1;
    if (!options->trace)
        return 0;
    if (!rom->blob)
        trace_missing(&seam->trace, rom, at);
    else if (seam_push(seam, device, trace_layer(&seam->trace, rom, at, err)) < 0)
        return -1;
    for (size_t i = 0; i < romsim_faults_count(options->faults); i++)
        if (fault_is_of(&options->faults->list.items[i], rom))
            trace_fault(&seam->trace, rom->indexed_name, romsim_faults_text(options->faults, i));
    return 0;
}

static int compose_all(struct romsim_seam *seam, const struct romsim_layout *layout,
                       const struct romsim_seam_options *options, struct romsim_error *err)
{
    if (romsim_seam_options_are_none(options))
        return 0;
    if (options->trace)
        trace_begin(&seam->trace, options->trace, layout->name);
    romsim_error_nomem(err);
    for (size_t i = 0; i < layout->device_count; i++)
        if (compose(seam, layout, i, options, err) < 0)
            return -1;
    return 0;
}

static struct romsim_seam *make(const struct romsim_layout *layout, bool drives_only,
                                const struct romsim_seam_options *options, struct romsim_error *err)
{
    struct romsim_seam *seam = calloc(1, sizeof(*seam));

    if (!seam) {
        romsim_error_nomem(err);
        return NULL;
    }
    seam->device_count = layout->device_count;
    seam->view = romsim_view_new(layout, drives_only, err);
    if (seam->view && compose_all(seam, layout, options, err) == 0)
        return seam;
    romsim_seam_free(seam);
    return NULL;
}

/* With other bytes in some devices: of a copy of the layout, which others use, too. */
struct romsim_seam *romsim_seam_new(const struct romsim_layout *layout, bool drives_only,
                                    const struct romsim_seam_options *options,
                                    struct romsim_error *err)
{
    CLEANUP_FREE struct romsim_device *devices = NULL;
    struct romsim_layout changed = *layout;
    struct romsim_seam *seam = NULL;

    if (romsim_seam_options_are_none(options) || !romsim_faults_count(options->faults))
        return make(layout, drives_only, options, err);
    devices = calloc(layout->device_count + 1, sizeof(*devices));
    if (!devices) {
        romsim_error_nomem(err);
        return NULL;
    }
    memcpy(devices, layout->devices, layout->device_count * sizeof(*devices));
    for (size_t i = 0; i < layout->device_count; i++)
        if (devices[i].blob)
            romsim_blob_ref(devices[i].blob);
    changed.devices = devices;
    if (faults_change_devices(options->faults, devices, layout->device_count, err) == 0)
        seam = make(&changed, drives_only, options, err);
    for (size_t i = 0; i < layout->device_count; i++)
        romsim_blob_unref(devices[i].blob);
    return seam;
}

void romsim_seam_free(struct romsim_seam *seam)
{
    if (!seam)
        return;
    for (size_t i = 0; seam->heads && i < seam->device_count; i++) {
        struct layer *layer = seam->heads[i].next, *next;

        for (; layer; layer = next) {
            next = layer->next;
            free_layer(layer);
        }
    }
    free(seam->heads);
    trace_end(&seam->trace);
    romsim_view_free(seam->view);
    free(seam);
}

struct romsim_view *romsim_seam_view(struct romsim_seam *seam)
{
    return seam->view;
}

bool romsim_seam_is_bare(const struct romsim_seam *seam)
{
    return !seam->heads;
}

bool romsim_seam_watches(const struct romsim_seam *seam, uint64_t node)
{
    return chain_of(seam, node) != NULL;
}

void romsim_seam_phase(const struct romsim_seam *seam, const char *name)
{
    if (seam->trace.start)
        trace_phase(&seam->trace, name);
}

void romsim_seam_open(const struct romsim_seam *seam, const struct romsim_trace_open *opened)
{
    if (seam->trace.start)
        trace_open(&seam->trace, opened);
}

int romsim_seam_lookup(struct romsim_seam *seam, uint64_t directory, const char *name,
                       uint64_t *ret_node, struct romsim_error *err)
{
    struct layer *chain = chain_of(seam, directory);

    return chain ? next_lookup(chain, directory, name, ret_node, err)
                 : romsim_view_lookup(seam->view, directory, name, ret_node, err);
}

int romsim_seam_read(struct romsim_seam *seam, uint64_t node, uint64_t offset, size_t size,
                     struct romsim_view_data *ret, struct romsim_error *err)
{
    struct layer *chain = chain_of(seam, node);

    return chain ? next_read(chain, node, offset, size, ret, err)
                 : romsim_view_read(seam->view, node, offset, size, ret, err);
}
