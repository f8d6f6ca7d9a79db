/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unpack-kernel: a tool of `make guest`, for the host: bzImage in, the ELF kernel inside out; of
 * arm64 an Image, compressed or not, in and the Image out.
 *
 *     unpack-kernel vmlinuz vmlinux
 */
#include "sim/vm/kernel.h"

#include <romsim/blob.h>
#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static int unpack(const char *from, const char *to, struct romsim_error *err)
{
    CLEANUP_FD int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP_FILE FILE *out = NULL;
    CLEANUP_BUFFER struct romsim_buffer image =
        ROMSIM_BUFFER_INIT(romsim_bound(ROMSIM_BOUND_KERNEL_BYTES));
    CLEANUP_FREE uint8_t *unpacked = NULL;
    const uint8_t *kernel;
    size_t size;

    if (in < 0 || romsim_buffer_read_fd(&image, in) < 0)
        return romsim_error_system(err, errno, "%s", from);
    kernel = (const uint8_t *)image.data;
    size = image.size;
    if (kernel_probe(kernel, size) != KERNEL_IMAGE) {
        if (kernel_unpack(kernel, size, &unpacked, &size, err) < 0)
            return romsim_error_context(err, "%s", from);
        kernel = unpacked;
    }
    if (!kernel_has_pvh(kernel, size) && kernel_probe(kernel, size) != KERNEL_IMAGE)
        return romsim_error_set(err, EINVAL, "%s: neither a kernel with a PVH entry nor an Image",
                                from);
    out = fopen(to, "we");
    if (!out || fwrite(kernel, 1, size, out) != size || fflush(out) != 0)
        return romsim_error_system(err, errno, "%s", to);
    return 0;
}

int main(int argc, char **argv)
{
    struct romsim_error err = {0};

    if (argc != 3) {
        fputs("usage: unpack-kernel BZIMAGE VMLINUX\n", stderr);
        return 2;
    }
    if (unpack(argv[1], argv[2], &err) < 0) {
        fprintf(stderr, "unpack-kernel: %s\n", err.message);
        return 1;
    }
    return 0;
}
