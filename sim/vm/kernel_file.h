/* SPDX-License-Identifier: BSD-3-Clause */
/* kernel_file.h: a kernel of the user's or the image's, as a file that QEMU boots quickly. */
#ifndef ROMSIM_VM_KERNEL_FILE_H
#define ROMSIM_VM_KERNEL_FILE_H

#include <romsim/blob.h>
#include <romsim/error.h>

/*
 * A file with the kernel: an ELF kernel with a PVH entry, or a bzImage that cannot be unpacked, as
 * it is; a bzImage unpacked.  It is kept in the cache folder under its digest.  Returns the path,
 * malloc'ed, or NULL (EINVAL if it is no kernel).
 */
char *kernel_file(struct romsim_blob *kernel, struct romsim_error *err);

#endif
