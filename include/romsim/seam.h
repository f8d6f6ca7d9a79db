/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seam.h: what stands between who reads a layout (FUSE, and through it QEMU) and the images.
 *
 * Theory of operation, as nbdkit's of its filters.  Below is the view (view.h): immutable, with
 * the answers that are right.  Above is who asks: a FUSE session, for a program of the host or for
 * QEMU, which reads the drives through it.  Between them each device has a chain of layers, small
 * things that look at what passes or change it: each has the same few operations (sim/seam/layer.h)
 * and hands on what does not concern it to the next one.  A device for which nothing was asked has
 * no chain, and then a call here is a call of the view.
 *
 * What may be kept by who asks follows from the chain, and not from the session: the view's answers
 * never change, so the kernel may keep them for ever, unless a layer wants to see each question.
 * So romsim_seam_watches() says of a node whether that is so.
 *
 * A run with a chain has to have its drives by FUSE: what QEMU reads straight from the images'
 * files passes nothing of this.
 */
#ifndef ROMSIM_SEAM_H
#define ROMSIM_SEAM_H

#include <romsim/error.h>
#include <romsim/fault.h>
#include <romsim/layout.h>
#include <romsim/trace.h>
#include <romsim/view.h>

#include <stdbool.h>
#include <stdint.h>

struct romsim_seam;

/* What is to stand in the way. */
struct romsim_seam_options {
    const struct romsim_trace *trace;   /* every access to a ROM is written down there; or NULL */
    const struct romsim_faults *faults; /* what goes wrong with ROMs; stays as long as the seam; or
                                           NULL */
    int stop; /* readable when nobody has to wait any more; romsim_fs_mount() sets it; or -1 */
};

/* Would nothing stand in the way? */
bool romsim_seam_options_are_none(const struct romsim_seam_options *options);

/* The view of a layout (romsim_view_new()) with the chains of its devices over it.  It does not
 * need the layout any more.  `options` NULL: none.  NULL on failure. */
struct romsim_seam *romsim_seam_new(const struct romsim_layout *layout, bool drives_only,
                                    const struct romsim_seam_options *options,
                                    struct romsim_error *err);

/* Accepts NULL. */
void romsim_seam_free(struct romsim_seam *seam);

/* The view below, for what no layer has a part in; it belongs to the seam. */
struct romsim_view *romsim_seam_view(struct romsim_seam *seam);

/* Has no device a chain?  And has that which a node is in, or was made in, one, so that no answer
 * about its names or its data may be kept? */
bool romsim_seam_is_bare(const struct romsim_seam *seam);
bool romsim_seam_watches(const struct romsim_seam *seam, uint64_t node);

/* Writes down in the trace, if there is one, that a start has come to this. */
void romsim_seam_phase(const struct romsim_seam *seam, const char *name);

/* The same of what a process of the guest has opened of a ROM, or could not. */
void romsim_seam_open(const struct romsim_seam *seam, const struct romsim_trace_open *opened);

/* As romsim_view_lookup() and romsim_view_read(), by way of the chain. */
int romsim_seam_lookup(struct romsim_seam *seam, uint64_t directory, const char *name,
                       uint64_t *ret_node, struct romsim_error *err);
int romsim_seam_read(struct romsim_seam *seam, uint64_t node, uint64_t offset, size_t size,
                     struct romsim_view_data *ret, struct romsim_error *err);

#endif
