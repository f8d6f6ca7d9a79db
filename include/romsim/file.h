/* SPDX-License-Identifier: BSD-3-Clause */
/* file.h: reading, writing and copying files as a whole. */
#ifndef ROMSIM_FILE_H
#define ROMSIM_FILE_H

#include <romsim/error.h>

#include <stddef.h>
#include <stdint.h>

/*
 * Copies `length` bytes from one file's offset to another's: by copy_file_range(), which shares
 * the blocks where the file system can, else by reading and writing.
 * Returns 0, or an errno; ENODATA if the source ended early.
 */
int romsim_copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length);

/*
 * Copies what is no hole of the first `length` bytes of a file to `to_offset` on in another, where
 * nothing was written yet.  The size of `to` is the caller's.  Returns as romsim_copy_range(); a
 * file that ends early is not told from one that ends in a hole.
 */
int romsim_copy_data(int from, int to, uint64_t to_offset, uint64_t length);

/* pread()/pwrite() of exactly `size` bytes.  Return 0, or an errno; ENODATA at an early end. */
int romsim_read_fully(int fd, void *buffer, size_t size, uint64_t offset);
int romsim_write_fully(int fd, const void *buffer, size_t size, uint64_t offset);

/*
 * Replaces (or makes, with mode 0600) the file `path` by one with these bytes: there is the old one
 * or the whole new one at any time.  For the files of romsim's own folders: a process that is
 * killed may leave PATH.PID behind.  Returns 0 or -1.
 */
int romsim_file_replace(const char *path, const void *bytes, size_t size, struct romsim_error *err);

#endif
