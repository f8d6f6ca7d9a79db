/* SPDX-License-Identifier: BSD-3-Clause */
/* file.h: reading, writing and copying files as a whole. */
#ifndef ROMSIM_FILE_H
#define ROMSIM_FILE_H

#include <romsim/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The next piece of a file that is no hole, in [offset, end).  False if there is none.  Where the
 * file system has no holes, all is such a piece.  Moves the descriptor's position.
 */
bool romsim_next_data(int fd, uint64_t offset, uint64_t end, uint64_t *ret_start,
                      uint64_t *ret_end);

/*
 * Copies what is no hole of `length` bytes of a file at `from_offset` to `to_offset` on in another,
 * where nothing was written yet: by copy_file_range(), which shares the blocks where the file
 * system can, else by reading and writing.  The size of `to` is the caller's.
 * Returns 0, or an errno; ENODATA if the source ended early, which is not told from a hole there.
 */
int romsim_copy_data(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length);

/* pread()/pwrite() of exactly `size` bytes.  Return 0, or an errno; ENODATA at an early end. */
int romsim_read_fully(int fd, void *buffer, size_t size, uint64_t offset);
int romsim_write_fully(int fd, const void *buffer, size_t size, uint64_t offset);

/* pwrite() of what is not zeros, by the blocks of a file where nothing was written yet.  Returns 0,
 * or an errno. */
int romsim_write_sparsely(int fd, const void *bytes, size_t size, uint64_t offset);

/*
 * "cannot WHAT: STRERROR", of writing to `fd`: where the disk is full, with the folder that the
 * file is or will be in, and what helps.  `what` as in "write the image".  Returns -1.
 */
int romsim_error_write(struct romsim_error *err, int errnum, int fd, const char *what);

/*
 * Replaces (or makes, with mode 0600) the file `path` by one with these bytes: there is the old one
 * or the whole new one at any time.  For the files of romsim's own folders: a process that is
 * killed may leave PATH.PID behind.  Returns 0 or -1.
 */
int romsim_file_replace(const char *path, const void *bytes, size_t size, struct romsim_error *err);

#endif
