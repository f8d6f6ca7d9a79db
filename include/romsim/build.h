/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.h: images from Kraftfiles, in the cloud's form (cloud-rules §3).
 *
 * A build reads every source, packs it (EROFS or cpio, root:root, padded to 4096 bytes), and holds
 * the image in memory and unnamed scratch files until it is written somewhere.
 */
#ifndef ROMSIM_BUILD_H
#define ROMSIM_BUILD_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/error.h>
#include <romsim/image.h>
#include <romsim/kraftfile.h>

struct romsim_build;
struct romsim_store;

struct romsim_build_options {
    const char *architecture; /* only this one; NULL: all targets of the Kraftfile */
    int log_fd;               /* where a Dockerfile's builder may write while it works; -1: its
                                 words are kept, and the last of them shown when it fails */
};

/* A root or ROM of a build, in the Kraftfile's order; the root first. */
struct romsim_build_part {
    const char *source; /* as the Kraftfile has it */
    bool is_rom;
    enum romsim_image_kind kind;
    const char *architecture;
    uint64_t files; /* regular ones that were packed; 0: not known */
    uint64_t size;
    const char *sha256; /* hexadecimal */
};

/*
 * Builds.  Errors carry the place in the Kraftfile; all sources are tried, so that all that are
 * wrong are reported.  Warnings go to the diagnostics, too.  The Kraftfile and the options' strings
 * must outlive the build.  NULL if there was an error.
 */
struct romsim_build *romsim_build_run(const struct romsim_kraftfile *kraftfile,
                                      const struct romsim_build_options *options,
                                      struct romsim_diagnostics *diagnostics);
void romsim_build_free(struct romsim_build *build);

DEFINE_CLEANUP(struct romsim_build, romsim_build_free)
#define CLEANUP_BUILD CLEANUP(cleanup_romsim_build_free)

/* "sha256:..." of the manifest, or of the index over several. */
const char *romsim_build_digest(const struct romsim_build *build);

size_t romsim_build_part_count(const struct romsim_build *build);
void romsim_build_part(const struct romsim_build *build, size_t index,
                       struct romsim_build_part *ret);

/*
 * Writes the image: into a store under a name, into an OCI layout (made or added to) under
 * a tag, or as a tar of a layout.  Each is there as a whole or not at all.
 */
int romsim_build_to_store(const struct romsim_build *build, struct romsim_store *store,
                          const char *name, struct romsim_error *err);
int romsim_build_to_layout(const struct romsim_build *build, const char *path, const char *tag,
                           struct romsim_error *err);
int romsim_build_to_archive(const struct romsim_build *build, const char *path, const char *tag,
                            struct romsim_error *err);

#endif
