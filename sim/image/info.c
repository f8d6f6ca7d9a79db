/* SPDX-License-Identifier: BSD-3-Clause */
/* info.c: what there is to say of an image without reading its layers. */
#include "sim/image/oci.h"

#include <romsim/store.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *const role_names[] = {
    [OCI_ROLE_LAYER] = "layer",
    [OCI_ROLE_ROM] = "rom",
    [OCI_ROLE_KERNEL] = "kernel",
    [OCI_ROLE_INITRD] = "root",
};

static int fill_layers(struct oci_source *source, const struct oci_image *image,
                       struct romsim_image_info *ret, struct romsim_error *err)
{
    ret->layers = calloc(image->layer_count + 1, sizeof(*ret->layers));
    if (!ret->layers)
        return romsim_error_nomem(err);
    ret->layer_count = image->layer_count;
    for (size_t i = 0; i < image->layer_count; i++) {
        const struct oci_layer *from = &image->layers[i];
        struct romsim_image_layer *to = &ret->layers[i];

        to->role = role_names[from->role];
        memcpy(to->media_type, from->descriptor.media_type, sizeof(to->media_type));
        memcpy(to->digest, from->descriptor.digest, sizeof(to->digest));
        to->size = from->path ? oci_source_size(source, from->path) : from->descriptor.size;
        ret->size += to->size;
    }
    return 0;
}

static void take_config(struct oci_image *image, struct romsim_image_info *ret)
{
    memcpy(ret->digest, image->manifest.digest, sizeof(ret->digest));
    memcpy(ret->os, image->platform.os, sizeof(ret->os));
    memcpy(ret->architecture, image->platform.architecture, sizeof(ret->architecture));
    memcpy(ret->variant, image->platform.variant, sizeof(ret->variant));
    ret->is_rom =
        image->layer_count > 0 && oci_image_count(image, OCI_ROLE_ROM) == image->layer_count;
    oci_image_take_command(image, &ret->entrypoint, &ret->cmd, &ret->env, &ret->working_dir);
}

/* Takes from the image what there is to say. */
static int fill(struct oci_source *source, struct oci_image *image, const char *name,
                struct romsim_image_info *ret, struct romsim_error *err)
{
    struct romsim_image_info info = {.name = strdup(name)};

    if (!info.name || fill_layers(source, image, &info, err) < 0) {
        romsim_image_info_release(&info);
        return romsim_error_nomem(err);
    }
    take_config(image, &info);
    *ret = info;
    return 0;
}

int romsim_store_info(const struct romsim_store_name *name, struct romsim_image_info *ret,
                      struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};

    if (oci_open_stored(name, &source, &image, err) < 0)
        return romsim_error_context(err, "image '%s'", QUOTE(name->name));
    return fill(source, &image, name->name, ret, err);
}

int romsim_image_info(const char *text, const char *directory, struct romsim_image_info *ret,
                      struct romsim_error *err)
{
    CLEANUP_REFERENCE struct reference reference = {0};
    CLEANUP_OCI_SOURCE struct oci_source *source = NULL;
    CLEANUP_OCI_IMAGE struct oci_image image = {0};
    int found;

    if (reference_parse(text, directory, &reference, err) < 0)
        return -1;
    found = oci_open(&reference, &source, &image, err);
    if (found == 0 && !reference_becomes_layout(&reference) &&
        reference_cut_tag(&reference, err) < 0)
        found = -1;
    if (found == 0 && access(reference.path, F_OK) == 0) {
        if (reference.kind == ROMSIM_REFERENCE_NAME)
            reference.kind = ROMSIM_REFERENCE_PATH;
        found = oci_open(&reference, &source, &image, err);
    }
    if (found <= 0)
        return found < 0 ? -1 : oci_not_found(&reference, false, err);
    return fill(source, &image, text, ret, err);
}

void romsim_image_info_release(struct romsim_image_info *info)
{
    free(info->name);
    free(info->layers);
    free(info->working_dir);
    romsim_strings_clear(&info->entrypoint);
    romsim_strings_clear(&info->cmd);
    romsim_strings_clear(&info->env);
    *info = (struct romsim_image_info){0};
}
