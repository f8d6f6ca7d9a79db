/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_write.h: images in the cloud's OCI form (cloud-rules §3), as a layout or as a tar of one.
 *
 *     index -> manifest (os kraftcloud) -> config (Cmd, Entrypoint, Env, WorkingDir, Labels)
 *                                       -> kernel, root: a tar layer of one file each, marked by
 *                                          an annotation
 *                                       -> ROMs: the raw bytes, media type ...unikraft.rom.v1
 *
 * Layers are not compressed, no time is stored, and members of JSON objects have a fixed order:
 * the same image has the same digests everywhere.
 */
#ifndef ROMSIM_IMAGE_OCI_WRITE_H
#define ROMSIM_IMAGE_OCI_WRITE_H

#include <romsim/blob.h>
#include <romsim/instance.h>
#include <romsim/vector.h>

#include <jansson.h>

/* What an image for one platform is made of.  Everything is borrowed; NULL is absent. */
struct oci_recipe {
    const char *os, *architecture;
    struct romsim_strings features; /* "CONFIG_X=y" */
    struct romsim_blob *kernel, *root;
    struct romsim_blob *const *roms;
    size_t rom_count;
    struct romsim_strings entrypoint, cmd, env; /* env: "K=V" */
    const char *working_dir;
    const struct romsim_env *labels;
    size_t label_count;
};

DEFINE_VECTOR(oci_blobs, struct romsim_blob *)

/* Everything that a registry would be sent: the blobs, each digest once, and the descriptor of the
 * manifest, or of the index where the image is for several platforms. */
struct oci_bundle {
    struct oci_blobs blobs; /* owned: references */
    json_t *top;            /* {mediaType, digest, size, platform}; owned */
};

/* Makes manifests, configs and layers of one image for `count` >= 1 platforms. */
int oci_bundle_make(const struct oci_recipe *images, size_t count, struct oci_bundle *ret,
                    struct romsim_error *err);
void oci_bundle_release(struct oci_bundle *bundle);

#define CLEANUP_BUNDLE __attribute__((cleanup(oci_bundle_release)))

/* "sha256:..." of the bundle's top. */
const char *oci_bundle_digest(const struct oci_bundle *bundle);

/*
 * Adds the bundle to the OCI layout in the folder `path` under the tag `tag`; what had the tag
 * loses it.  The folder is made if it is missing; one that holds something else is refused
 * (EEXIST).  Safe when two do it at once: the index is replaced under a lock.
 */
int oci_bundle_write_layout(const struct oci_bundle *bundle, const char *path, const char *tag,
                            struct romsim_error *err);

/* Writes a tar (skopeo's oci-archive) with nothing else in it; replaces the file `path`. */
int oci_bundle_write_archive(const struct oci_bundle *bundle, const char *path, const char *tag,
                             struct romsim_error *err);

#endif
