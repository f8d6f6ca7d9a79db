/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layer.h: the layers of a seam (romsim/seam.h has the theory).
 *
 * To add one: a file layer_NAME.c with its struct layer_ops and a function that makes it, a line
 * where seam.c composes a device's chain, and a unit test of it over a view.
 *
 * All operations may be called by many threads at once.  What a layer hands on, it hands on with
 * next_lookup() and next_read().  Errors are as the view's: what a layer makes up looks as what a
 * bad image gives.
 */
#ifndef ROMSIM_SEAM_LAYER_H
#define ROMSIM_SEAM_LAYER_H

#include <romsim/seam.h>

struct layer;

struct layer_ops {
    const char *name;
    /* NULL: it has no part in that.  As those of the view. */
    int (*lookup)(struct layer *layer, uint64_t directory, const char *name, uint64_t *ret_node,
                  struct romsim_error *err);
    int (*read)(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
                struct romsim_view_data *ret, struct romsim_error *err);
    void (*free)(struct layer *layer); /* NULL: free(3) does */
};

/* The first member of what a layer has. */
struct layer {
    const struct layer_ops *ops;
    struct layer *next; /* owned; NULL: the view */
    struct romsim_view *view;
};

/* The same operation of what is below a layer: of the next one that has a part in it, or of the
 * view. */
int next_lookup(struct layer *layer, uint64_t directory, const char *name, uint64_t *ret_node,
                struct romsim_error *err);
int next_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
              struct romsim_view_data *ret, struct romsim_error *err);

/* Puts a layer (taken, NULL too) on the chain of a device, over what is there.  Returns 0, or -1
 * without memory, or for NULL. */
int seam_push(struct romsim_seam *seam, size_t device, struct layer *layer);

#endif
