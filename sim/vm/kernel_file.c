/* SPDX-License-Identifier: BSD-3-Clause */
/* kernel_file.c: a kernel of the user's or the image's, as a file that QEMU boots quickly. */
#include "kernel_file.h"

#include "kernel.h"

#include <romsim/arch.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* An arm64 Image, which may be compressed. */
static int write_image(const char *path, const uint8_t *bytes, size_t size,
                       struct romsim_error *err)
{
    CLEANUP_FREE uint8_t *unpacked = NULL;
    size_t unpacked_size = 0;

    if (kernel_probe(bytes, size) == KERNEL_IMAGE)
        return romsim_file_replace(path, bytes, size, err);
    if (kernel_probe(bytes, size) == KERNEL_PACKED_IMAGE &&
        kernel_unpack(bytes, size, &unpacked, &unpacked_size, err) < 0)
        return -1;
    if (unpacked && kernel_probe(unpacked, unpacked_size) == KERNEL_IMAGE)
        return romsim_file_replace(path, unpacked, unpacked_size, err);
    return romsim_error_set(err, EINVAL, "no kernel for arm64 (an Image, which may be compressed)");
}

/* Unpacks what can be unpacked; what cannot is left to its own unpacker in the guest. */
static int write_kernel(const char *path, struct romsim_blob *kernel, struct romsim_error *err)
{
    const uint8_t *bytes = romsim_blob_bytes(kernel);
    size_t size = romsim_blob_size(kernel), unpacked_size;
    CLEANUP_FREE uint8_t *unpacked = NULL;

    if (romsim_arch() == ROMSIM_ARCH_ARM64)
        return write_image(path, bytes, size, err);
    if (kernel_probe(bytes, size) == KERNEL_ELF && !kernel_has_pvh(bytes, size)) {
        romsim_error_set(err, EINVAL, "an ELF file, but not a kernel with a PVH entry");
        return romsim_error_hint(err, "a Linux kernel needs CONFIG_PVH=y, or give its bzImage");
    }
    if (kernel_probe(bytes, size) != KERNEL_ELF && kernel_probe(bytes, size) != KERNEL_BZIMAGE)
        return romsim_error_set(err, EINVAL, "neither a bzImage nor an ELF kernel");
    if (kernel_probe(bytes, size) == KERNEL_BZIMAGE) {
        struct romsim_error why = {0};

        if (kernel_unpack(bytes, size, &unpacked, &unpacked_size, &why) == 0 &&
            kernel_has_pvh(unpacked, unpacked_size))
            return romsim_file_replace(path, unpacked, unpacked_size, err);
        if (why.errnum && why.errnum != EOPNOTSUPP) {
            *err = why;
            return -1;
        }
    }
    return romsim_file_replace(path, bytes, size, err);
}

/* Where there is no cache, among what is there for as long as the machine runs. */
static char *find_folder(struct romsim_error *err)
{
    CLEANUP_FREE char *cache = romsim_path_cache("kernels", NULL);

    return cache && access(cache, W_OK) == 0 ? STEAL_POINTER(&cache)
                                             : romsim_path_state("kernels", err);
}

char *kernel_file(struct romsim_blob *kernel, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = NULL;
    CLEANUP_FREE char *path = NULL;

    if (romsim_blob_size(kernel) > romsim_bound(ROMSIM_BOUND_KERNEL_BYTES)) {
        romsim_bound_refuse(err, ROMSIM_BOUND_KERNEL_BYTES, "a kernel of %s",
                            SIZE_TEXT(romsim_blob_size(kernel)));
        return NULL;
    }
    folder = find_folder(err);
    if (!folder)
        return NULL;
    path = romsim_path_join(folder, romsim_blob_sha256_hex(kernel));
    if (!path) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (access(path, R_OK) < 0 && write_kernel(path, kernel, err) < 0)
        return NULL;
    return STEAL_POINTER(&path);
}
