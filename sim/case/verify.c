/* SPDX-License-Identifier: BSD-3-Clause */
/* verify.c: is an instance here what a case has? */
#include "restore.h"

#include <romsim/text.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the case does not have cannot differ. */
static int forget_redacted(const struct romsim_case *opened, struct romsim_points *points,
                           struct romsim_error *err)
{
    for (size_t i = 0; i < points->count; i++) {
        struct romsim_point *point = &points->items[i];

        for (size_t j = 0; j < opened->redacted.count; j++) {
            char subject[200];

            snprintf(subject, sizeof(subject), "env %.150s", QUOTE(opened->redacted.items[j]));
            if (strcmp(point->subject, subject) != 0 || !point->here || !point->there)
                continue;
            point->result = ROMSIM_POINT_UNTOLD;
            free(point->there);
            point->there = strdup("redacted");
            if (!point->there)
                return romsim_error_nomem(err);
        }
    }
    return 0;
}

/* Size and digest of an image; of bytes that the case has, those that differ can be told. */
static int add_image(const struct romsim_case_image *image, const struct romsim_device *device,
                     struct romsim_points *points, struct romsim_error *err)
{
    const char *noun = device->role == ROMSIM_DEVICE_ROOT ? "root" : "ROM";
    char subject[200], here[ROMSIM_DIGEST_SIZE], sizes[2][24];
    struct romsim_point *point;
    bool is_same;

    snprintf(subject, sizeof(subject), "%s '%.100s': size", noun,
             QUOTE(image->name ?: image->device));
    snprintf(sizes[0], sizeof(sizes[0]), "%" PRIu64, romsim_blob_size(device->blob));
    snprintf(sizes[1], sizeof(sizes[1]), "%" PRIu64, image->size);
    is_same = romsim_blob_size(device->blob) == image->size;
    point = romsim_points_add(points, is_same ? ROMSIM_POINT_SAME : ROMSIM_POINT_DIFFERS, subject,
                              sizes[0], sizes[1]);
    if (!point)
        return romsim_error_nomem(err);
    snprintf(subject, sizeof(subject), "%s '%.100s': digest", noun,
             QUOTE(image->name ?: image->device));
    romsim_blob_digest(device->blob, image->digest, here);
    is_same = strcmp(here, image->digest) == 0;
    point = romsim_points_add(points, is_same ? ROMSIM_POINT_SAME : ROMSIM_POINT_DIFFERS, subject,
                              here, image->digest);
    if (!point)
        return romsim_error_nomem(err);
    if (is_same || !image->blob)
        return 0;
    point->device = device;
    point->blob = romsim_blob_ref(image->blob);
    point->file = strdup("the case");
    return point->file ? 0 : romsim_error_nomem(err);
}

static int first_error(struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    for (size_t i = diagnostics->count; err && i-- > 0;)
        if (!diagnostics->entries[i].is_warning)
            *err = diagnostics->entries[i].error;
    romsim_diagnostics_clear(diagnostics);
    return -1;
}

int romsim_verify_case(const struct romsim_layout *layout, const struct romsim_instance *instance,
                       const struct romsim_case *opened, struct romsim_points *ret,
                       struct romsim_error *err)
{
    struct romsim_diagnostics diagnostics = {0};
    CLEANUP_INSTANCE struct romsim_instance *there = case_request(opened, NULL, &diagnostics);
    const struct romsim_device *root = romsim_layout_root(layout);

    if (!there)
        return first_error(&diagnostics, err);
    romsim_diagnostics_clear(&diagnostics);
    if (romsim_verify_answer(layout, instance, there, ret, err) < 0 ||
        forget_redacted(opened, ret, err) < 0)
        return -1;
    if (root && add_image(&opened->root, root, ret, err) < 0)
        return -1;
    for (size_t i = 0; i < opened->rom_count; i++) {
        const struct romsim_device *device = romsim_layout_device(layout, ROMSIM_DEVICE_ROM, i);

        if (device && device->blob && add_image(&opened->roms[i], device, ret, err) < 0)
            return -1;
    }
    return 0;
}
