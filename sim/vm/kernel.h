/* SPDX-License-Identifier: BSD-3-Clause */
/* kernel.h: kernels as files: what is packed unpacked on the host, and what boots told apart. */
#ifndef ROMSIM_VM_KERNEL_H
#define ROMSIM_VM_KERNEL_H

#include <romsim/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kernel_kind { KERNEL_UNKNOWN, KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_IMAGE, KERNEL_PACKED_IMAGE };

/* By magic: an x86 bzImage, an ELF file, an arm64 Image (Documentation/arch/arm64/booting.rst),
 * what may be one that is compressed (by gzip, or as an EFI program: CONFIG_EFI_ZBOOT), or neither.
 */
enum kernel_kind kernel_probe(const uint8_t *bytes, size_t size);

/* Is it a 64-bit x86 ELF kernel with a PVH entry note, which QEMU boots without a boot loader? */
bool kernel_has_pvh(const uint8_t *bytes, size_t size);

/*
 * Finds the compressed payload of a bzImage by its setup header (Documentation/arch/x86/boot.rst,
 * payload_offset and payload_length), or what a compressed Image consists of, and unpacks it: gzip,
 * xz, lzma, lz4 or zstd, told by magic.  Sets *ret (malloc'ed) and *ret_size.  EINVAL if it is
 * neither, EUCLEAN if it is damaged, EOPNOTSUPP for bzip2 and lzo.
 */
int kernel_unpack(const uint8_t *bytes, size_t size, uint8_t **ret, size_t *ret_size,
                  struct romsim_error *err);

#endif
