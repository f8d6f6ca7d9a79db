/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verdict.c: what is to be said of a ROM's image, in one place for all who say it: the cloud's
 * refusal of a size, damage, what the guest cannot mount, what the cloud's packer does otherwise.
 *
 * There are two looks.  Who starts an instance does what the cloud would: names and inodes are gone
 * over, and a damaged image is attached as it is, with a warning.  Who asks whether an image is
 * good has all of it read and decoded, and damage is an error.
 */
#include "sim/image/image.h"

#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <errno.h>
#include <sys/stat.h>

enum { ROM_ALIGNMENT = 4096, MOUNT_BLOCK_BITS = 12 /* of Linux on x86_64 */ };

/* ---- its size ---------------------------------------------------------------------------- */

/* The first error of an image, for people. */
static void note_finding(void *context, const struct romsim_erofs_finding *finding)
{
    struct romsim_error *first = context;

    if (finding->severity == ROMSIM_EROFS_ERROR && !first->errnum)
        romsim_error_set(first, EUCLEAN, "%s%s%s", QUOTE(finding->path),
                         finding->path[0] ? ": " : "", finding->message);
}

/* What an image says of its own size, 0 if it says none that makes sense. */
static uint64_t claimed_size(struct romsim_blob *blob)
{
    struct romsim_erofs_super super;

    if (romsim_erofs_peek(blob, &super, NULL) < 0 || super.block_bits > 16 ||
        super.blocks > UINT64_MAX >> super.block_bits)
        return 0;
    return super.blocks << super.block_bits;
}

/*
 * What is wrong with a size depends on what has it: padding neither fills an empty file nor brings
 * back what was cut off, and gives a damaged image just another size.
 */
static int invalid_size(struct romsim_blob *blob, const char *name, struct romsim_error *err)
{
    uint64_t size = romsim_blob_size(blob), claimed = claimed_size(blob);
    struct romsim_error first = {0};

    romsim_error_set(err, EINVAL, "Invalid size %llu of ROM image '%s'", (unsigned long long)size,
                     QUOTE(name));
    romsim_error_rule(err, ROMSIM_RULE_ROM_SIZE);
    if (!size)
        return romsim_error_hint(err, "it is empty; a ROM has at least %d bytes", ROM_ALIGNMENT);
    if (claimed > size)
        return romsim_error_hint(err,
                                 "it is an EROFS image of %llu bytes that was cut short: copy it "
                                 "again, padding does not bring back the rest",
                                 (unsigned long long)claimed);
    if (claimed && romsim_erofs_check(blob, note_finding, &first, NULL, NULL) > 0)
        return romsim_error_hint(err,
                                 "it is a damaged EROFS image, which padding does not repair: %s; "
                                 "'romsim rom check' lists all of it",
                                 first.message);
    return romsim_error_hint(err,
                             "a ROM's size has to be a multiple of %d bytes; pad it: "
                             "truncate -s %%%d FILE",
                             ROM_ALIGNMENT, ROM_ALIGNMENT);
}

int image_check_alignment(struct romsim_blob *blob, const char *name, struct romsim_error *err)
{
    uint64_t size = romsim_blob_size(blob);

    if (size > 0 && size % ROM_ALIGNMENT == 0)
        return 0;
    invalid_size(blob, name, err);
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return -1;
}

/* ---- before it is attached ---------------------------------------------------------------- */

static int count_file(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    uint64_t *files = context;

    (void)path;
    *files += S_ISREG(inode->mode);
    return 0;
}

/*
 * Looks at all of an EROFS image's names and inodes.  The cloud attaches whatever has the right
 * size, and an app may meet a damage or never; so a damage, or what this reader does not know, is
 * a warning, and the image is attached as it is.
 */
static int look_at_erofs(struct romsim_blob *blob, const char *name, struct romsim_rom_image *ret,
                         struct romsim_error *err)
{
    struct romsim_error damage = {0};
    const char *end = "";
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(blob, &damage);

    if (erofs && romsim_erofs_walk(erofs, count_file, &ret->files, &damage) == 0)
        return 0;
    /* EFBIG: more names than are counted. */
    if (damage.errnum != EUCLEAN && damage.errnum != EOPNOTSUPP && damage.errnum != EFBIG) {
        if (err)
            *err = damage;
        return romsim_error_context(err, "ROM image '%s'", QUOTE(name));
    }
    if (!erofs)
        end = damage.errnum == EUCLEAN ? ", and cannot be mounted" : ", and cannot be looked into";
    if (asprintf(&ret->warning, "ROM image '%s': %s; it is attached as it is%s", QUOTE(name),
                 damage.message, end) < 0) {
        ret->warning = NULL;
        return romsim_error_nomem(err);
    }
    return 0;
}

int image_look_at_rom(struct romsim_blob *blob, const char *name, struct romsim_rom_image *ret,
                      struct romsim_error *err)
{
    if (image_check_alignment(blob, name, err) < 0)
        return -1;
    ret->kind = romsim_image_probe(blob);
    return ret->kind == ROMSIM_IMAGE_EROFS ? look_at_erofs(blob, name, ret, err) : 0;
}

const char *romsim_image_mount_problem(struct romsim_blob *blob, enum romsim_image_kind kind)
{
    struct romsim_erofs_super super;

    if (kind == ROMSIM_IMAGE_CPIO)
        return "is a cpio archive, no EROFS image";
    if (kind == ROMSIM_IMAGE_RAW)
        return "is raw data, no EROFS image";
    if (romsim_erofs_peek(blob, &super, NULL) == 0 && super.block_bits > MOUNT_BLOCK_BITS)
        return "has blocks of more than 4096 bytes, which Linux on x86_64 does not mount";
    return NULL;
}

/* ---- all of it ---------------------------------------------------------------------------- */

struct check {
    const char *name;
    const struct romsim_place *place;
    struct romsim_diagnostics *diagnostics;
};

static void warn_of_image(void *context, const char *message)
{
    const struct check *check = context;
    struct romsim_error warning;

    romsim_error_set(&warning, EINVAL, "ROM image '%s': %s", QUOTE(check->name), message);
    warning.rule = ROMSIM_RULE_UNLIKE_CLOUD;
    warning.place = *check->place;
    romsim_diagnostics_add(check->diagnostics, &warning, 1);
}

void romsim_image_check(struct romsim_blob *blob, const char *name,
                        const struct romsim_place *place, struct romsim_diagnostics *diagnostics)
{
    struct check check = {name, place, diagnostics};
    struct romsim_erofs_census census = {0};
    struct romsim_error first = {0}, error = {0};
    int result;

    if (romsim_image_probe(blob) != ROMSIM_IMAGE_EROFS)
        return;
    result = romsim_erofs_check(blob, note_finding, &first, &census, &error);
    if (result == 0)
        result = romsim_erofs_cloud_warnings(blob, warn_of_image, &check, &error) < 0 ? -1 : 0;
    if (result == 0)
        return;
    if (result > 0) {
        romsim_error_set(&error, EUCLEAN, "ROM image '%s' is damaged in %s: %s", QUOTE(name),
                         COUNT_TEXT(census.errors, "place", "places"), first.message);
        error.rule = ROMSIM_RULE_DAMAGED;
        romsim_error_hint(&error, "'romsim rom check' lists all of it");
    } else {
        romsim_error_context(&error, "ROM image '%s'", QUOTE(name));
    }
    error.place = *place;
    romsim_diagnostics_add(diagnostics, &error, 0);
}
