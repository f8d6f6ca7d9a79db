/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_root.c: an image's layers become a root or a ROM.
 *
 * A container image's layers are put over each other in one tree; a Unikraft image has one tar
 * layer with its root as a single file, EROFS or cpio (cloud-rules §3).  A root is found in the
 * cache by the digests of the plain layers, so the same image has one root however it came.
 */
#include "sim/image/cache.h"
#include "sim/image/image.h"
#include "sim/image/oci.h"
#include "sim/image/probe.h"
#include "sim/image/store.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const struct oci_layer *last_layer(const struct oci_image *image, enum oci_role role)
{
    for (size_t i = image->layer_count; i-- > 0;) {
        if (image->layers[i].role == role)
            return &image->layers[i];
    }
    return NULL;
}

/* ---- the one file of a Unikraft layer --------------------------------------------------- */

static struct romsim_inode *only_file(const struct romsim_tree *tree)
{
    struct romsim_inode *inode = NULL, *file = NULL;

    while ((inode = romsim_tree_next_inode(tree, inode))) {
        if (S_ISDIR(inode->mode))
            continue;
        if (file || !S_ISREG(inode->mode))
            return NULL;
        file = inode;
    }
    return file;
}

/* The bytes of the one file in a layer: a kernel or a root. */
static struct romsim_blob *layer_file(struct oci_source *source, const struct oci_layer *layer,
                                      const char *what, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = oci_layer_blob(source, layer, err);
    CLEANUP_TREE struct romsim_tree *tree = blob ? romsim_tree_new(NULL) : NULL;
    const struct romsim_inode *file;

    if (!tree || romsim_tree_add_archive(tree, blob, false, what, err) < 0)
        return NULL;
    file = only_file(tree);
    if (!file || file->size == 0 || file->data.extent_count != 1 ||
        file->data.extents[0].length != file->size) {
        romsim_error_set(err, EUCLEAN, "the %s's layer is not a tar of one file", what);
        return NULL;
    }
    return romsim_blob_slice(blob, file->data.extents[0].source_offset, file->size, err);
}

/* ---- a root ----------------------------------------------------------------------------- */

/* The plain bytes of the container layer `index`, verified and counted. */
static struct romsim_blob *next_layer(struct oci_source *source, const struct oci_image *image,
                                      size_t index, struct oci_growth *growth,
                                      struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = oci_layer_blob(source, &image->layers[index], err);

    if (!blob || oci_growth_count(growth, source, image, index, romsim_blob_size(blob), err) < 0)
        return NULL;
    return STEAL_POINTER(&blob);
}

struct romsim_tree *oci_tree(struct oci_source *source, const struct oci_image *image,
                             struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = romsim_tree_new(NULL);
    struct oci_growth growth = {0};
    char name[32];

    if (!tree) {
        romsim_error_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < image->layer_count; i++) {
        CLEANUP_BLOB struct romsim_blob *blob = NULL;

        if (image->layers[i].role != OCI_ROLE_LAYER)
            continue;
        snprintf(name, sizeof(name), "layer %zu", i + 1);
        blob = next_layer(source, image, i, &growth, err);
        if (!blob || romsim_tree_add_archive(tree, blob, true, name, err) < 0)
            return NULL;
    }
    return STEAL_POINTER(&tree);
}

/* Are the layers what their descriptors and the config say? */
static int check_layers(struct oci_source *source, const struct oci_image *image,
                        struct romsim_error *err)
{
    struct oci_growth growth = {0};

    for (size_t i = 0; i < image->layer_count; i++) {
        CLEANUP_BLOB struct romsim_blob *blob = NULL;

        if (image->layers[i].role != OCI_ROLE_LAYER)
            continue;
        blob = next_layer(source, image, i, &growth, err);
        if (!blob)
            return -1;
    }
    return 0;
}

static int look_at_layers(struct oci_source *source, const struct oci_image *image,
                          struct romsim_error *err)
{
    for (size_t i = 0; i < image->layer_count; i++)
        if (image->layers[i].role == OCI_ROLE_LAYER &&
            oci_layer_look(source, &image->layers[i], err) < 0)
            return romsim_error_context(err, "layer %zu", i + 1);
    return 0;
}

/*
 * Two keys.  What identifies the content is the layers' plain digests, in order: the root is built
 * once, however the image came.  But that layers have these digests is what the config says of
 * them, so the root is found at once only under the key of the descriptors that have been checked
 * against it; a docker-archive's layers have their sizes in place of descriptors.
 */
static int layers_keys(struct oci_source *source, const struct oci_image *image,
                       struct cache_key *ret_content, struct cache_key *ret_checked,
                       struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer content =
        ROMSIM_BUFFER_INIT(image->layer_count * (ROMSIM_DIGEST_SIZE + 2));
    CLEANUP_BUFFER struct romsim_buffer checked =
        ROMSIM_BUFFER_INIT(image->layer_count * 3 * ROMSIM_DIGEST_SIZE);

    for (size_t i = 0; i < image->layer_count; i++) {
        const struct oci_layer *layer = &image->layers[i];
        uint64_t size = layer->descriptor.size;

        if (layer->role != OCI_ROLE_LAYER)
            continue;
        if (layer->path)
            size = oci_source_size(source, layer->path);
        romsim_buffer_printf(&content, "%s\n", layer->diff_id);
        romsim_buffer_printf(&checked, "%s %llu %s\n", layer->descriptor.digest,
                             (unsigned long long)size, layer->diff_id);
    }
    if (content.failed || checked.failed)
        return romsim_error_nomem(err);
    if (cache_key_make("layers", content.data, content.size, ret_content, err) < 0)
        return -1;
    return cache_key_make("checked layers", checked.data, checked.size, ret_checked, err);
}

static int root_from_layers(struct oci_source *source, const struct oci_image *image,
                            struct romsim_base_image *ret, struct romsim_error *err)
{
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    struct cache_key content, checked;
    bool was_checked;
    int found;

    if (look_at_layers(source, image, err) < 0 ||
        layers_keys(source, image, &content, &checked, err) < 0)
        return -1;
    found = cache_find(&checked, &ret->root, err);
    was_checked = found > 0;
    if (found == 0) {
        found = cache_find(&content, &ret->root, err);
        if (found > 0 && check_layers(source, image, err) < 0)
            found = -1;
    }
    if (found < 0)
        return -1;
    ret->from_cache = found > 0;
    if (found == 0) {
        tree = oci_tree(source, image, err);
        ret->root = tree ? cache_build(&content, tree, err) : NULL;
        ret->warning = tree ? image_tree_warning(tree, NULL) : NULL;
    }
    if (!ret->root)
        return -1;
    if (!was_checked)
        cache_link(&content, &checked);
    return 0;
}

int romsim_store_keep_root(const struct romsim_store *store, const struct romsim_store_name *name,
                           struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    struct romsim_base_image base = {0};
    struct cache_key content, checked;
    int status;

    if (oci_open_stored(name, &source, &image, err) < 0)
        return -1;
    if (last_layer(&image, OCI_ROLE_INITRD) || oci_image_count(&image, OCI_ROLE_LAYER) == 0)
        return 0;
    status = root_from_layers(source, &image, &base, err);
    if (status == 0)
        status = layers_keys(source, &image, &content, &checked, err);
    if (status == 0)
        status = cache_share(store->folder, base.root, &content, &checked, err);
    romsim_base_image_release(&base);
    return status;
}

/* The two keys of what a name leads to on this platform, or none. */
static int keys_of_name(const struct romsim_store_name *name, struct cache_key keys[2])
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};

    if (oci_open_stored(name, &source, &image, NULL) < 0 ||
        oci_image_count(&image, OCI_ROLE_LAYER) == 0 ||
        layers_keys(source, &image, &keys[0], &keys[1], NULL) < 0)
        return 0;
    return 2;
}

int romsim_store_sweep_roots(const struct romsim_store *store, uint64_t *bytes,
                             struct romsim_error *err)
{
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    CLEANUP_FREE struct cache_key *keys = NULL;
    size_t count = 0;

    if (romsim_store_list(store, &names, err) < 0)
        return -1;
    keys = calloc(2 * names.count + 1, sizeof(*keys));
    if (!keys)
        return romsim_error_nomem(err);
    for (size_t i = 0; i < names.count; i++)
        count += (size_t)keys_of_name(&names.items[i], keys + count);
    return cache_sweep_shared(store->folder, keys, count, bytes, err);
}

static int root_from_initrd(struct oci_source *source, const struct oci_layer *layer,
                            struct romsim_base_image *ret, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = layer_file(source, layer, "root", err);

    return blob ? image_base_from_blob(blob, "the image's root", ret, err) : -1;
}

static int make_root(struct oci_source *source, const struct oci_image *image,
                     struct romsim_base_image *ret, struct romsim_error *err)
{
    const struct oci_layer *initrd = last_layer(image, OCI_ROLE_INITRD);

    if (initrd)
        return root_from_initrd(source, initrd, ret, err);
    if (oci_image_count(image, OCI_ROLE_LAYER) > 0)
        return root_from_layers(source, image, ret, err);
    if (oci_image_count(image, OCI_ROLE_ROM) > 0) {
        romsim_error_set(err, EINVAL, "it is a ROM, which cannot be a base image");
        return romsim_error_hint(err, "name it under 'roms'");
    }
    return romsim_error_set(err, EINVAL, "it has no root file system");
}

int oci_base(struct oci_source *source, struct oci_image *image, struct romsim_base_image *ret,
             struct romsim_error *err)
{
    const struct oci_layer *kernel = last_layer(image, OCI_ROLE_KERNEL);

    if (make_root(source, image, ret, err) < 0)
        return -1;
    if (kernel) {
        ret->kernel = layer_file(source, kernel, "kernel", err);
        if (!ret->kernel)
            return -1;
    }
    oci_image_take_command(image, &ret->entrypoint, &ret->cmd, &ret->env, &ret->working_dir);
    return 0;
}

/* ---- a ROM ------------------------------------------------------------------------------ */

int oci_rom(struct oci_source *source, const struct oci_image *image, const char *name,
            struct romsim_rom_image *ret, struct romsim_error *err)
{
    const struct oci_layer *layer = last_layer(image, OCI_ROLE_ROM);
    size_t count = oci_image_count(image, OCI_ROLE_ROM);
    CLEANUP_BLOB struct romsim_blob *blob = NULL;

    if (count < image->layer_count || !layer) {
        romsim_error_set(err, EINVAL,
                         layer ? "it is a bootable image with ROMs, not a ROM"
                               : "it is a bootable image, not a ROM");
        return romsim_error_hint(err, "a ROM's layers have the media type '%s'", OCI_MEDIA_ROM);
    }
    blob = oci_layer_blob(source, layer, err);
    if (!blob || image_rom_from_blob(blob, name, ret, err) < 0)
        return -1;
    if (count > 1 && !ret->warning &&
        asprintf(&ret->warning, "image '%s' has %zu ROM layers; the last one is used", QUOTE(name),
                 count) < 0)
        ret->warning = NULL;
    return 0;
}
