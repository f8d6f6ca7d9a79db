/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.h: the images of volumes (volume_image.c), for the store (volume.c). */
#ifndef ROMSIM_STATE_VOLUME_H
#define ROMSIM_STATE_VOLUME_H

#include <romsim/error.h>

#include <stdbool.h>
#include <stdint.h>

/* Makes the file that large, without taking the space. */
int volume_image_set_size(int fd, uint64_t size, struct romsim_error *err);

/* How large a volume of what is in the directory is, and how many inodes it has room for. */
int volume_image_measure(const char *directory, uint64_t *ret_size_mb, uint64_t *ret_inodes,
                         struct romsim_error *err);

/* Makes an ext4 file system in the file, with what is in `directory` (or NULL) and at least so many
 * inodes (0: as usual). */
int volume_image_make(const char *image, const char *uuid, const char *directory, uint64_t inodes,
                      struct romsim_error *err);

/* Copies an image, which must be a file with an ext4 file system; holes stay holes.  `path` is the
 * source's name in messages. */
int volume_image_copy(int source, const char *path, int target, struct romsim_error *err);

/* Was it in use when its machine came to a sudden end?  Then its journal has to be replayed, which
 * takes a writable device, whatever it is mounted for. */
bool volume_image_needs_replay(int fd);

#endif
