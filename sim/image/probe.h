/* SPDX-License-Identifier: BSD-3-Clause */
/* probe.h: what some bytes are, told by their magic, never by a file's name. */
#ifndef ROMSIM_IMAGE_PROBE_H
#define ROMSIM_IMAGE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_form {
    FORM_OTHER,
    FORM_EROFS,
    FORM_TAR,
    FORM_CPIO,
    FORM_GZIP,
    FORM_XZ,
    FORM_ZSTD,
    FORM_LZ4,
    FORM_LZ4_LEGACY, /* without frames, as Linux's initramfs unpacker reads it */
    /* Only to be named in a refusal. */
    FORM_BZIP2,
    FORM_LZMA,
    FORM_LZOP,
    FORM_ZIP,
    FORM_ELF,
    FORM_SQUASHFS,
    FORM_EXT,
    FORM_QCOW2,
    FORM_EMPTY,
};

enum image_form image_form_probe(const uint8_t *bytes, uint64_t size);

/* For messages, with its article: "a tar archive", "a squashfs image", ... */
const char *image_form_name(enum image_form form);

/* gzip, xz, zstd or lz4, so that it can be decompressed? */
bool image_form_is_compressed(enum image_form form);

#endif
