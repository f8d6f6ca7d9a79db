/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci.h: OCI images: where their blobs lie, what their manifest and config say.
 *
 * The documents: OCI image-spec 1.1 (image-layout.md, image-index.md, manifest.md, config.md,
 * layer.md); for docker-archive the `docker save` format; for ROMs cloud-rules §3.
 *
 * Everything is verified on the way: a descriptor's size before a byte is read, the digest before
 * a byte is used.
 */
#ifndef ROMSIM_IMAGE_OCI_H
#define ROMSIM_IMAGE_OCI_H

#include "sim/image/reference.h"

#include <romsim/arch.h>
#include <romsim/blob.h>
#include <romsim/digest.h>
#include <romsim/image.h>
#include <romsim/store.h>

#include <jansson.h>
#include <stdbool.h>
#include <sys/stat.h>

#define OCI_MEDIA_INDEX          "application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_MANIFEST       "application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_CONFIG         "application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_TAR            "application/vnd.oci.image.layer.v1.tar"
#define OCI_MEDIA_ROM            "application/vnd.unikraft.rom.v1"
#define OCI_ANNOTATION_NAME      "org.opencontainers.image.ref.name"
#define OCI_ANNOTATION_FULL_NAME "io.containerd.image.name"
#define OCI_ANNOTATION_KERNEL    "org.unikraft.kernel.image"
#define OCI_ANNOTATION_INITRD    "org.unikraft.kernel.initrd"

/* The algorithm of the digests that romsim makes. */
#define OCI_SHA256 "sha256:"

static inline void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define CLEANUP_JSON CLEANUP(cleanup_json)

/* ---- where blobs lie (oci_source.c) ----------------------------------------------------- */

struct oci_source; /* a layout's directory, or an archive with the same files */

struct oci_source *oci_source_directory(const char *path, struct romsim_error *err);
/* Of a store: the files of the user's own are used in place, without a private copy, and its gc
 * waits until the source is freed. */
struct oci_source *oci_source_store(const struct romsim_store *store, struct romsim_error *err);
struct oci_source *oci_source_archive(const char *path, struct romsim_error *err);
/* An archive that is in hand; `name` is for messages. */
struct oci_source *oci_source_blob(struct romsim_blob *blob, const char *name,
                                   struct romsim_error *err);
/* The tree that an archive became; takes it. */
struct oci_source *oci_source_tree(struct romsim_tree *tree, struct romsim_error *err);
/* Gives the tree back, or NULL if there is none. */
struct romsim_tree *oci_source_take_tree(struct oci_source *source);
void oci_source_free(struct oci_source *source);

DEFINE_CLEANUP(struct oci_source, oci_source_free)
#define CLEANUP_OCI_SOURCE CLEANUP(cleanup_oci_source_free)

/* Is there such a file? */
bool oci_source_has(struct oci_source *source, const char *path);

/* A file to be read once, from *ret_offset on: nothing of it has been verified but its size. */
int oci_source_open(struct oci_source *source, const char *path, uint64_t size, int *ret_fd,
                    uint64_t *ret_offset, struct romsim_error *err);

/* The size of a file, 0 if there is none. */
uint64_t oci_source_size(struct oci_source *source, const char *path);

/* The bytes of a file of the layout.  `size` (UINT64_MAX: any) is compared before they are read;
 * `digest` (or NULL) after. */
struct romsim_blob *oci_source_file(struct oci_source *source, const char *path, uint64_t size,
                                    const char *digest, struct romsim_error *err);

/* A file of the layout as JSON. */
json_t *oci_source_json(struct oci_source *source, const char *path, uint64_t size,
                        const char *digest, struct romsim_error *err);

/* A text as JSON, within what an image's may cost; `name` is for messages. */
json_t *oci_json_parse(const void *text, size_t size, const char *name, struct romsim_error *err);

/* ---- descriptors (oci_descriptor.c) ----------------------------------------------------- */

struct oci_descriptor {
    char media_type[128];
    char digest[ROMSIM_DIGEST_SIZE];
    uint64_t size;
};

/* Reads a descriptor; `what` ("layer 3") is for messages. */
int oci_descriptor_parse(const json_t *json, const char *what, struct oci_descriptor *ret,
                         struct romsim_error *err);

/* What a media type says: an index, a manifest, a layer that need not be with the image. */
bool oci_type_is_index(const char *media_type);
bool oci_type_is_manifest(const char *media_type);
bool oci_type_is_foreign(const char *media_type);

/* A digest that can be verified (romsim/digest.h); others are refused. */
int oci_digest_parse(const char *text, char ret[ROMSIM_DIGEST_SIZE], struct romsim_error *err);

/* Where the blob of a descriptor lies. */
enum { OCI_BLOB_PATH_SIZE = 6 + ROMSIM_DIGEST_SIZE };
void oci_blob_path(const struct oci_descriptor *descriptor, char ret[OCI_BLOB_PATH_SIZE]);

/* The blob that a descriptor names, verified; the same as JSON. */
struct romsim_blob *oci_blob(struct oci_source *source, const struct oci_descriptor *descriptor,
                             struct romsim_error *err);
json_t *oci_json(struct oci_source *source, const struct oci_descriptor *descriptor,
                 struct romsim_error *err);

/* An annotation of an object that may have some, or NULL. */
const char *oci_annotation(const json_t *object, const char *name);

/* ---- platforms (oci_platform.c) --------------------------------------------------------- */

/* What an image is for; "" where it does not say. */
struct oci_platform {
    char os[32], architecture[32], variant[16];
};

/* Ranks begin with these; a platform that is said in full has a higher one. */
enum { OCI_RANK_NONE, OCI_RANK_ARTIFACT, OCI_RANK_PARTIAL };

/* Reads the members of an entry's `platform`, or of a config. */
struct oci_platform oci_platform_parse(const json_t *json);

/*
 * How well it fits, OCI_RANK_NONE not at all: kraftcloud before linux, and of each what makes the
 * most of the instance's processor without being beyond it (romsim/cpu.h); last what does not say
 * all of it.
 */
int oci_platform_rank(const struct oci_platform *platform);

/* "linux/amd64/v3", for messages. */
void oci_platform_text(const struct oci_platform *platform, char ret[96]);

/* The architecture that guests may have (--arch) and this one has not, if it is for it; else
 * ROMSIM_ARCH_COUNT. */
enum romsim_arch oci_platform_other(const struct oci_platform *platform);

/* The hint of an error about an image for other machines, perhaps of that architecture. */
int oci_platform_hint(enum romsim_arch other, struct romsim_error *err);

/* ---- an image (oci_image.c) ------------------------------------------------------------- */

enum oci_role { OCI_ROLE_LAYER, OCI_ROLE_ROM, OCI_ROLE_KERNEL, OCI_ROLE_INITRD };

struct oci_layer {
    enum oci_role role;
    struct oci_descriptor descriptor;
    char diff_id[ROMSIM_DIGEST_SIZE]; /* of the plain bytes; "" if the config does not say */
    char *path; /* of a docker-archive's layer, which is named by a path; or NULL */
};

struct oci_image {
    struct oci_descriptor manifest; /* of a docker-archive: of its config */
    struct oci_descriptor config;
    struct oci_platform platform;
    struct oci_layer *layers;
    size_t layer_count;
    struct romsim_strings entrypoint, cmd, env;
    char *working_dir;
    char *config_path; /* of a docker-archive, or NULL */
};

void oci_image_release(struct oci_image *image);
#define CLEANUP_OCI_IMAGE CLEANUP(oci_image_release)

/* Hands on what the config says of the command: the image has none then. */
void oci_image_take_command(struct oci_image *image, struct romsim_strings *ret_entrypoint,
                            struct romsim_strings *ret_cmd, struct romsim_strings *ret_env,
                            char **ret_working_dir);

/* Reads what manifest and config say. */
int oci_image_load(struct oci_source *source, const struct oci_descriptor *manifest,
                   struct oci_image *ret, struct romsim_error *err);

/* Fills what the config says: platform, command, environment, the layers' diff_ids. */
int oci_image_read_config(struct oci_image *image, const json_t *config, struct romsim_error *err);

/* Is the layer there, with the size that its descriptor says?  None of it is read. */
int oci_layer_look(struct oci_source *source, const struct oci_layer *layer,
                   struct romsim_error *err);

/* The plain bytes of a layer. */
struct romsim_blob *oci_layer_blob(struct oci_source *source, const struct oci_layer *layer,
                                   struct romsim_error *err);

/* What the layers of an image came to so far (oci_growth.c). */
struct oci_growth {
    uint64_t packed, plain; /* bytes of the layers as they are stored, and decompressed */
    uint64_t repeated;      /* of `plain`: layers that the image had already */
};

/* Counts the layer `index`, which has `plain` bytes; EFBIG if the image is a decompression bomb. */
int oci_growth_count(struct oci_growth *growth, struct oci_source *source,
                     const struct oci_image *image, size_t index, uint64_t plain,
                     struct romsim_error *err);

/* How many layers have the role. */
size_t oci_image_count(const struct oci_image *image, enum oci_role role);

/* ---- choosing one (oci_index.c, docker_archive.c) --------------------------------------- */

/* Finds the manifest of `tag` (NULL: the only one, or "latest") for this machine in index.json. */
int oci_index_find(struct oci_source *source, const char *tag, struct oci_descriptor *ret,
                   struct romsim_error *err);

/* From a descriptor of an index or a manifest to the manifest for this machine. */
int oci_index_resolve(struct oci_source *source, const struct oci_descriptor *start,
                      struct oci_descriptor *ret, struct romsim_error *err);

/* The image of `tag` (NULL: the only one) in what `docker save` wrote. */
int docker_archive_load(struct oci_source *source, const char *tag, struct oci_image *ret,
                        struct romsim_error *err);

/* Is it an image layout, or what `docker save` writes?  Told by the content of their marks. */
bool oci_source_is_image(struct oci_source *source);

/* ---- names (oci_names.c) ---------------------------------------------------------------- */

/* The whole names of the images in a layout, and in what `docker save` wrote, each once. */
int oci_names(struct oci_source *source, struct romsim_strings *ret, struct romsim_error *err);
int docker_archive_names(struct oci_source *source, struct romsim_strings *ret,
                         struct romsim_error *err);

/* Is it the name that is wanted, as a whole or from one of its slashes on? */
bool oci_name_fits(const char *name, const char *wanted);

/* As Docker shows it: without docker.io/ and its library/. */
const char *oci_name_familiar(const char *name);

/* ---- all together ----------------------------------------------------------------------- */

/* Says of an error which image it is about, and of a damaged one of the store what repairs it.
 * Returns -1. */
int oci_failed(const struct reference *reference, struct romsim_error *err);

/* The layout or the archive that a reference with a transport, or by path, names. */
struct oci_source *oci_open_source(const struct reference *reference, struct romsim_error *err);

/* Opens what a reference with a transport names, or a name of the store.  Returns 1, 0 if it is a
 * name that the store does not have, or -1. */
int oci_open(const struct reference *reference, struct oci_source **ret_source,
             struct oci_image *ret, struct romsim_error *err);

/* The image of `tag` (NULL: the only one) in a layout, or else in what `docker save` wrote. */
int oci_load(struct oci_source *source, const char *tag, struct oci_image *ret,
             struct romsim_error *err);

/*
 * Does an archive that became a tree, or the bytes of a file, hold images (a layout, or what
 * `docker save` writes)?  Returns 1 and the one of `tag`, 0 if not, or -1.  *tree is taken only if
 * it does.  `name` is for messages.
 */
int oci_open_tree(struct romsim_tree **tree, const char *tag, const char *name,
                  struct oci_source **ret_source, struct oci_image *ret, struct romsim_error *err);
int oci_open_blob(struct romsim_blob *blob, const char *tag, const char *name,
                  struct oci_source **ret_source, struct oci_image *ret, struct romsim_error *err);

/* The image of a name that a store has. */
int oci_open_stored(const struct romsim_store_name *name, struct oci_source **ret_source,
                    struct oci_image *ret, struct romsim_error *err);

/* Looks for what a reference leads to, `what` as people call it ("base image").  1: an image, which
 * is opened as by oci_open(); 0: its path, of which *ret_st tells; -1. */
int oci_find(struct reference *reference, const char *what, struct oci_source **ret_source,
             struct oci_image *ret, struct stat *ret_st, struct romsim_error *err);

/* The error for a name that is nowhere: the path that was looked at, close names, and the command
 * that would bring it (not_found.c).  Returns -1. */
int oci_not_found(const struct reference *reference, bool looked_at_path, struct romsim_error *err);

/* For a path that is not there: the hint says which one was looked at.  Returns -1. */
int reference_hint_path(const struct reference *reference, struct romsim_error *err);

/* A base image: its root from the cache or built, command and environment from the config. */
int oci_base(struct oci_source *source, struct oci_image *image, struct romsim_base_image *ret,
             struct romsim_error *err);

/* The layers of a container image over each other in one tree. */
struct romsim_tree *oci_tree(struct oci_source *source, const struct oci_image *image,
                             struct romsim_error *err);

/* A ROM: the bytes of its last ROM layer. */
int oci_rom(struct oci_source *source, const struct oci_image *image, const char *name,
            struct romsim_rom_image *ret, struct romsim_error *err);

#endif
