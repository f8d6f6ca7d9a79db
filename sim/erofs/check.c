/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c: checking an image as a whole, and counting what it is made of. */
#include "check.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdarg.h>

enum { PATH_SIZE_MAX = 1024 * (EROFS_NAME_LEN + 1) + 1, MESSAGE_SIZE = 1280 };

/* ---- findings --------------------------------------------------------------------------- */

void check_finding(struct check *check, enum romsim_erofs_severity severity,
                   const struct romsim_erofs_inode *inode, uint64_t offset, const char *format, ...)
{
    struct romsim_erofs_census *census = &check->census;
    char message[MESSAGE_SIZE];
    struct romsim_erofs_finding finding = {
        .severity = severity,
        .path = check->path.data ? check->path.data : "",
        .in_metabox = inode && erofs_nid_in_metabox(inode->nid),
        .offset = offset,
        .message = message,
    };
    va_list arguments;

    *(severity == ROMSIM_EROFS_ERROR ? &census->errors : &census->warnings) += 1;
    if (!check->report || census->errors + census->warnings > ROMSIM_EROFS_FINDINGS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    check->report(check->context, &finding);
}

void check_damage(struct check *check, const struct romsim_erofs_inode *inode, uint64_t offset,
                  const struct romsim_error *err)
{
    check_finding(check, ROMSIM_EROFS_ERROR, inode, offset, "%s", err->message);
}

bool check_pay(uint64_t *budget, uint64_t cost)
{
    if (cost > *budget) {
        *budget = 0;
        return false;
    }
    *budget -= cost;
    return true;
}

/* ---- the image as a whole --------------------------------------------------------------- */

static int check_super(struct check *check, struct romsim_error *err)
{
    const struct romsim_erofs *erofs = check->erofs;
    const struct romsim_erofs_super *super = &erofs->super;
    uint64_t blocks = erofs->size >> super->block_bits;
    const uint64_t at = EROFS_SUPER_OFFSET;
    struct romsim_error damage = {0};

    if (erofs_check_checksum(erofs, &damage) < 0) /* the rest may be good all the same */
        check_damage(check, NULL, at, &damage);

    /* The kernel does not mind; if data is missing, its files will say so. */
    if (super->blocks > blocks)
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, at,
                      "the superblock says %llu blocks, the image has %llu: was it cut short?",
                      (unsigned long long)super->blocks, (unsigned long long)blocks);
    if (erofs_in_block(erofs, erofs->size))
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, erofs->size,
                      "the size, %llu bytes, is no multiple of the block size, %llu",
                      (unsigned long long)erofs->size, (unsigned long long)erofs_block_size(erofs));
    if (!(super->feature_compat & EROFS_FEATURE_COMPAT_SB_CHKSUM))
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, at, "the superblock has no checksum");
    if (super->block_bits > 12)
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, at,
                      "blocks of %llu bytes: Linux on x86_64 mounts at most 4096",
                      (unsigned long long)erofs_block_size(erofs));
    if (super->build_time_nsec >= 1000000000)
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, at, "a build time with %u nanoseconds",
                      super->build_time_nsec);
    return check_range_add(check, RANGE_SUPER, 0, at, erofs->super_size, err);
}

/* An inode without a name. */
static int check_special(struct check *check, const char *name,
                         const struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    uint64_t data_bytes = check->census.data_bytes;
    int result;

    romsim_buffer_puts(&check->path, name);
    result = erofs_nid_set_add(&check->seen, inode->nid);
    if (result < 0)
        return romsim_error_nomem(err);
    if (!result)
        check_finding(check, ROMSIM_EROFS_ERROR, inode, inode->offset,
                      "it is the packed inode, too");
    else if (check_inode(check, inode, err) < 0)
        return -1;
    check->census.data_bytes = data_bytes;
    romsim_buffer_reset(&check->path);
    return 0;
}

static void check_inode_count(struct check *check)
{
    const struct romsim_erofs *erofs = check->erofs;
    uint64_t found = check->seen.count;
    uint64_t specials = (erofs->packed.nid != 0) + erofs->has_metabox;

    romsim_buffer_reset(&check->path);
    /* Writers do not agree whether the packed inode and the metabox count. */
    if (erofs->super.inodes > found || erofs->super.inodes + specials < found)
        check_finding(check, ROMSIM_EROFS_WARNING, NULL, EROFS_SUPER_OFFSET,
                      "the superblock says %s, %llu can be reached",
                      COUNT_TEXT(erofs->super.inodes, "inode", "inodes"),
                      (unsigned long long)found);
}

/* Every claim is paid with bytes of the image, and of the metabox, where what is claimed may
 * stand. */
static void set_budgets(struct check *check)
{
    const uint64_t mebibyte = 1 << 20;
    uint64_t size = check->erofs->size;

    if (check->erofs->has_metabox)
        size += min_u64(check->erofs->metabox.size, size * 16);
    check->extent_budget = size / 2 + mebibyte / 16;
    check->directory_budget = size;
    check->xattr_budget = size;
    /* What the slowest algorithm decodes in a few seconds, and more than what real data come to. */
    check->decode_budget = size * 16 + 128 * mebibyte;
}

static int check_all(struct check *check, struct romsim_error *err)
{
    struct romsim_erofs *erofs = check->erofs;

    set_budgets(check);
    check->block = malloc(erofs_block_size(erofs));
    if (!check->block)
        return romsim_error_nomem(err);
    if (check_super(check, err) < 0)
        return -1;
    if (erofs->packed.nid && check_special(check, "(packed inode)", &erofs->packed, err) < 0)
        return -1;
    if (erofs->has_metabox && check_special(check, "(metabox)", &erofs->metabox, err) < 0)
        return -1;
    if (check_tree(check, err) < 0)
        return -1;
    check_inode_count(check);
    check_overlaps(check);
    return 0;
}

static void release(struct check *check)
{
    erofs_nid_set_reset(&check->seen);
    for (size_t i = 0; i < check->linked.count; i++)
        free(check->linked.items[i].path);
    linked_files_reset(&check->linked);
    ranges_reset(&check->ranges);
    romsim_buffer_reset(&check->path);
    free(check->block);
    free(check->decoded);
}

int romsim_erofs_census(struct romsim_erofs *erofs, struct romsim_erofs_census *ret,
                        struct romsim_error *err)
{
    struct check check = {.erofs = erofs, .path = ROMSIM_BUFFER_INIT(PATH_SIZE_MAX)};
    int result = check_all(&check, err);

    if (result == 0)
        *ret = check.census;
    release(&check);
    return result;
}

/* An image that cannot be opened: not one at all, or one finding. */
static int check_unopened(romsim_erofs_report *report, void *context,
                          struct romsim_erofs_census *ret, const struct romsim_error *err)
{
    struct check check = {.report = report, .context = context};

    if (err->errnum != EUCLEAN)
        return -1;
    check_damage(&check, NULL, EROFS_SUPER_OFFSET, err);
    if (ret)
        *ret = check.census;
    return 1;
}

int romsim_erofs_check(struct romsim_blob *image, romsim_erofs_report *report, void *context,
                       struct romsim_erofs_census *ret, struct romsim_error *err)
{
    struct romsim_error local = {0};
    CLEANUP_EROFS struct romsim_erofs *erofs = erofs_open_unverified(image, &local);
    struct check check = {
        .erofs = erofs,
        .report = report,
        .context = context,
        .decode = true,
        .path = ROMSIM_BUFFER_INIT(PATH_SIZE_MAX),
    };
    int result;

    if (!erofs) {
        if (err)
            *err = local;
        return check_unopened(report, context, ret, &local);
    }
    result = check_all(&check, err);
    if (result == 0) {
        result = check.census.errors ? 1 : 0;
        if (ret)
            *ret = check.census;
    }
    release(&check);
    return result;
}
