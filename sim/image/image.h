/* SPDX-License-Identifier: BSD-3-Clause */
/* image.h: what the files of this room share about ROMs and base images. */
#ifndef ROMSIM_IMAGE_IMAGE_H
#define ROMSIM_IMAGE_IMAGE_H

#include "sim/image/reference.h"

#include <romsim/image.h>

/* Gives an error that has no place yet the one of the member it is about.  Returns -1. */
int image_error_at(struct romsim_error *err, const struct romsim_place *place);

/* Refuses, in the cloud's tone, what is not a multiple of 4096 bytes; the hint tells an empty file,
 * and an image that is cut short or damaged, from what can be padded. */
int image_check_alignment(struct romsim_blob *blob, const char *name, struct romsim_error *err);

/* Refuses a size that the cloud refuses, and looks at what is in it: kind, files and warning of
 * *ret (verdict.c).  Returns 0 or -1. */
int image_look_at_rom(struct romsim_blob *blob, const char *name, struct romsim_rom_image *ret,
                      struct romsim_error *err);

/* A ROM from the bytes that it has in the end; takes a reference. */
int image_rom_from_blob(struct romsim_blob *blob, const char *name, struct romsim_rom_image *ret,
                        struct romsim_error *err);

/* A base image's root from an EROFS image or an archive, which is built or found in the cache. */
int image_base_from_blob(struct romsim_blob *blob, const char *name, struct romsim_base_image *ret,
                         struct romsim_error *err);

/* What is to be said about the files of a tree that became an image, malloc'ed, or NULL for nothing
 * (or no memory); `name` of the source may be NULL. */
char *image_tree_warning(struct romsim_tree *tree, const char *name);

#endif
