/* SPDX-License-Identifier: BSD-3-Clause */
/* tar_write.h: tar headers (POSIX ustar), the same on every host. */
#ifndef ROMSIM_IMAGE_TAR_WRITE_H
#define ROMSIM_IMAGE_TAR_WRITE_H

#include <stdint.h>

enum { TAR_BLOCK_SIZE = 512, TAR_NAME_MAX = 100, TAR_END_SIZE = 1024 };

/* The header of a regular file, root:root 0644, time 0.  `name` has at most TAR_NAME_MAX bytes. */
void tar_header(const char *name, uint64_t size, uint8_t ret[TAR_BLOCK_SIZE]);

/* The header of a folder, root:root 0755, time 0.  `name` ends in '/'. */
void tar_folder_header(const char *name, uint8_t ret[TAR_BLOCK_SIZE]);

/* What a file of `size` bytes takes behind its header. */
uint64_t tar_padded(uint64_t size);

#endif
