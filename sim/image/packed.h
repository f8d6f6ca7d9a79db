/* SPDX-License-Identifier: BSD-3-Clause */
/* packed.h: a Kraftfile's source as the bytes that an image ships, and what its own image config
 * says, where it has one (packed.c); Dockerfiles (dockerfile.c). */
#ifndef ROMSIM_IMAGE_PACKED_H
#define ROMSIM_IMAGE_PACKED_H

#include <romsim/build.h>
#include <romsim/image.h>
#include <romsim/kraftfile.h>

struct packed {
    struct romsim_blob *blob; /* owned: a reference */
    enum romsim_image_kind kind;
    uint64_t files;
    uint64_t lost_xattrs; /* inodes whose xattrs cpio could not keep */
    char *warning;        /* what else there is to be said about its files, or NULL; owned */
    bool is_by_platform;  /* another architecture has another one */
    struct romsim_strings entrypoint, cmd, env;
    char *working_dir;
};

/* Another reference to the bytes, and copies of the rest.  Returns 0, or -1 without memory. */
int packed_copy(const struct packed *packed, struct packed *ret);
void packed_release(struct packed *packed);
#define CLEANUP_PACKED __attribute__((cleanup(packed_release)))

struct packing {
    const char *directory;    /* that sources are relative to */
    const char *architecture; /* "x86_64" */
    int log_fd;
};

/* Packs a root or ROM.  The error's place is the source's. */
int packed_make(const struct packing *packing, const struct romsim_source *source, bool is_rom,
                struct packed *ret, struct romsim_error *err);

/*
 * Builds a Dockerfile with the first of buildah, podman and docker that there is, and returns what
 * `docker save` would write.  The builder's own image is removed again.
 */
struct romsim_blob *dockerfile_build(const struct packing *packing, const char *context,
                                     const char *file, struct romsim_error *err);

#endif
