/* SPDX-License-Identifier: BSD-3-Clause */
/* copy.h: copying between files, inside the kernel where it can. */
#ifndef ROMSIM_BASE_COPY_H
#define ROMSIM_BASE_COPY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies `length` bytes from one file's offset to another's: by copy_file_range(), which shares
 * the blocks where the file system can, else by reading and writing.
 * Returns 0, or an errno; ENODATA if the source ended early.
 */
int copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length);

/* pread()/pwrite() of exactly `size` bytes.  Return 0, or an errno; ENODATA at an early end. */
int read_fully(int fd, void *buffer, size_t size, uint64_t offset);
int write_fully(int fd, const void *buffer, size_t size, uint64_t offset);

#endif
