/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c: romsim_erofs_verify(): is an image what the tree says?
 *
 * The tree's directories are compared with the image's one by one, in the same walk as the writer's
 * (so there is no recursion); each inode is compared once, when its first name is met, and its nid
 * is then kept, so that the other names of a hard link must lead to the same.  Data is compared
 * with the tree's, or with the sums that the writer kept of it (write_sums.c).
 */
#include "sim/erofs/write.h"

#include <errno.h>
#include <romsim/checked.h>
#include <romsim/text.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, FORGET = 1 << 20 };

struct verifier {
    struct romsim_tree *tree;
    struct romsim_erofs *image;
    uint8_t *expected; /* CHUNK bytes of the tree's data */
    uint8_t *found;    /* CHUNK bytes of the image's, where they cannot be looked at in place */
    void *scratch;     /* for readdir */
    uint64_t looked;   /* bytes of the mapped image that were looked at and not let go since */
    uint64_t end;      /* of what was looked at */
    const struct romsim_erofs_sums *sums; /* or NULL */
    uint64_t *nids; /* of the inodes by their numbers, and 1; 0: not met yet */
};

static int differs(struct romsim_error *err, const char *what, uint64_t found, uint64_t expected)
{
    return romsim_error_set(err, EUCLEAN, "%s is %llu in the image, not %llu", what,
                            (unsigned long long)found, (unsigned long long)expected);
}

static uint64_t *nid_of(const struct verifier *verifier, const struct romsim_inode *inode)
{
    return &verifier->nids[inode->cookie - 1];
}

/* ---- data ------------------------------------------------------------------------------- */

/* How many of these bytes of the image are a hole of its file, so that there is nothing to
 * compare. */
static uint64_t image_hole(const struct verifier *verifier, uint64_t position, uint64_t size)
{
    uint64_t base;
    int fd = romsim_blob_fd(romsim_erofs_blob(verifier->image), &base);
    off_t data = lseek(fd, (off_t)(base + position), SEEK_DATA);

    if (data < 0)
        return errno == ENXIO ? size : 0;
    return min_u64((uint64_t)data - base - position, size);
}

/* Everything comes about in the order of its places in the image: what was looked at is not needed
 * again.  (What is behind it may be just what another thread looks at.) */
static void let_go(struct verifier *verifier, uint64_t size)
{
    verifier->looked += size;
    if (verifier->looked < FORGET)
        return;
    romsim_blob_forget(romsim_erofs_blob(verifier->image), 0, verifier->end);
    verifier->looked = 0;
}

/* The image's bytes from `offset`, at most *size of them; *size becomes how many there are. */
static const uint8_t *look(struct verifier *verifier, const struct romsim_erofs_inode *disk,
                           uint64_t offset, size_t *size, struct romsim_error *err)
{
    const uint8_t *bytes;
    uint64_t length, position;
    int mapped =
        romsim_erofs_map(verifier->image, disk, offset, *size, &bytes, &length, &position, err);

    if (mapped < 0)
        return NULL;
    if (mapped > 0) {
        verifier->end = max_u64(verifier->end, position);
        let_go(verifier, length);
        *size = (size_t)length;
        return bytes;
    }
    if (romsim_erofs_read(verifier->image, disk, offset, verifier->found, *size, size, err) < 0)
        return NULL;
    if (*size > 0)
        return verifier->found;
    romsim_error_set(err, EUCLEAN, "the data ends at byte %llu", (unsigned long long)offset);
    return NULL;
}

static int compare_chunk(struct verifier *verifier, const struct romsim_inode *inode,
                         const struct romsim_erofs_inode *disk, uint64_t offset, size_t *size,
                         struct romsim_error *err)
{
    const uint8_t *found = look(verifier, disk, offset, size, err);

    if (!found || romsim_inode_read(inode, offset, verifier->expected, *size, err) < 0)
        return -1;
    if (memcmp(found, verifier->expected, *size) == 0)
        return 0;
    romsim_error_set(err, EUCLEAN, "the data differs within %zu bytes from byte %llu on", *size,
                     (unsigned long long)offset);
    return romsim_error_hint(err, "did the file change while the image was written?");
}

/* The size of a hole at `offset` that the tree and the image's file agree on. */
static uint64_t common_hole(struct verifier *verifier, const struct romsim_inode *inode,
                            const struct romsim_erofs_inode *disk, uint64_t offset)
{
    uint64_t size = romsim_inode_hole(inode, offset);
    uint64_t length, position;
    const uint8_t *bytes;

    if (size < CHUNK || romsim_erofs_map(verifier->image, disk, offset, size, &bytes, &length,
                                         &position, NULL) <= 0)
        return 0;
    return image_hole(verifier, position, length);
}

static int compare_data(struct verifier *verifier, const struct romsim_inode *inode,
                        const struct romsim_erofs_inode *disk, struct romsim_error *err)
{
    uint64_t offset = 0;

    while (offset < inode->size) {
        uint64_t hole = common_hole(verifier, inode, disk, offset);
        size_t size = (size_t)min_u64(CHUNK, inode->size - offset);

        if (hole > 0) {
            offset += hole;
            continue;
        }
        if (compare_chunk(verifier, inode, disk, offset, &size, err) < 0)
            return -1;
        offset += size;
    }
    return 0;
}

/* ---- data by sums ----------------------------------------------------------------------- */

/* The data of a file as it is found, piece by piece. */
struct finding {
    const struct erofs_sum *next; /* what was read of the file, and is not found yet */
    const struct erofs_sum *end;
    struct erofs_sum sum; /* of the piece at hand */
    bool is_begun;
};

static int piece_differs(uint32_t piece, struct romsim_error *err)
{
    if (piece == EROFS_SUM_TAIL / EROFS_SUM_BLOCKS)
        return romsim_error_set(err, EUCLEAN, "the data differs in its last block");
    return romsim_error_set(err, EUCLEAN, "the data differs within %d bytes from byte %llu on",
                            EROFS_SUM_BLOCKS * EROFS_WRITE_BLOCK,
                            (unsigned long long)piece * EROFS_SUM_BLOCKS * EROFS_WRITE_BLOCK);
}

/* The piece at hand is found as a whole: it must be the next one that was read. */
static int end_piece(struct finding *finding, struct romsim_error *err)
{
    const struct erofs_sum *found = &finding->sum, *expected = finding->next;

    if (!finding->is_begun)
        return 0;
    finding->is_begun = false;
    if (expected == finding->end || expected->piece > found->piece)
        return piece_differs(found->piece, err);
    if (expected->piece < found->piece || expected->value != found->value)
        return piece_differs(expected->piece, err);
    finding->next++;
    return 0;
}

static int find_block(struct finding *finding, uint64_t block, const uint8_t *bytes,
                      struct romsim_error *err)
{
    struct erofs_sum sum = erofs_sum_of(finding->sum.node, block);

    if (erofs_block_is_zero(bytes))
        return 0;
    if (sum.piece != finding->sum.piece && end_piece(finding, err) < 0)
        return -1;
    if (!finding->is_begun)
        finding->sum = sum;
    finding->is_begun = true;
    erofs_sum_fold(&finding->sum, block, erofs_block_hash(bytes));
    return 0;
}

/* Bytes from a block's beginning on. */
static int find_bytes(struct finding *finding, uint64_t block, const uint8_t *bytes, size_t size,
                      struct romsim_error *err)
{
    uint8_t padded[EROFS_WRITE_BLOCK];

    for (size_t at = 0; at < size; at += EROFS_WRITE_BLOCK)
        if (find_block(finding, block++, erofs_whole_block(bytes + at, size - at, padded), err) < 0)
            return -1;
    return 0;
}

/* How many whole blocks at `offset` are a hole of the image's file. */
static uint64_t found_hole(const struct verifier *verifier, const struct romsim_erofs_inode *disk,
                           uint64_t offset, uint64_t size)
{
    uint64_t length, position;
    const uint8_t *bytes;

    if (size < CHUNK || romsim_erofs_map(verifier->image, disk, offset, size, &bytes, &length,
                                         &position, NULL) <= 0)
        return 0;
    length = image_hole(verifier, position, length);
    return length - length % EROFS_WRITE_BLOCK;
}

/* The part [offset, end) of a file's data, whose blocks are numbered from `block` on. */
static int find_data(struct verifier *verifier, const struct romsim_erofs_inode *disk,
                     uint64_t offset, uint64_t end, uint64_t block, struct finding *finding,
                     struct romsim_error *err)
{
    while (offset < end) {
        uint64_t hole = found_hole(verifier, disk, offset, end - offset);
        size_t size = (size_t)min_u64(CHUNK, end - offset);
        const uint8_t *bytes;

        if (hole == 0) {
            bytes = look(verifier, disk, offset, &size, err);
            if (!bytes || find_bytes(finding, block, bytes, size, err) < 0)
                return -1;
            hole = size;
        }
        offset += hole;
        block += hole / EROFS_WRITE_BLOCK;
    }
    return 0;
}

static int compare_sums(struct verifier *verifier, const struct romsim_inode *inode,
                        const struct romsim_erofs_inode *disk, struct romsim_error *err)
{
    const struct erofs_sum_list *sums = &verifier->sums->list;
    size_t node = inode->cookie - 1;
    struct finding finding = {.next = sums->items + erofs_sums_find(verifier->sums, node),
                              .end = sums->items + erofs_sums_find(verifier->sums, node + 1),
                              .sum = erofs_sum_of(node, 0)};
    uint64_t tail = disk->layout == ROMSIM_EROFS_FLAT_INLINE ? disk->size % EROFS_WRITE_BLOCK : 0;
    uint64_t flat = disk->size - tail;

    if (find_data(verifier, disk, 0, flat, 0, &finding, err) < 0 ||
        find_data(verifier, disk, flat, disk->size, EROFS_SUM_TAIL, &finding, err) < 0 ||
        end_piece(&finding, err) < 0)
        return -1;
    return finding.next == finding.end ? 0 : piece_differs(finding.next->piece, err);
}

static int compare_target(struct verifier *verifier, const struct romsim_inode *inode,
                          const struct romsim_erofs_inode *disk, struct romsim_error *err)
{
    CLEANUP_FREE char *target = romsim_erofs_readlink(verifier->image, disk, err);

    if (!target)
        return -1;
    let_go(verifier, EROFS_WRITE_BLOCK);
    if (strcmp(target, inode->target) == 0)
        return 0;
    return romsim_error_set(err, EUCLEAN, "the link's target is '%s' in the image, not '%s'",
                            QUOTE(target), QUOTE(inode->target));
}

/* ---- xattrs ----------------------------------------------------------------------------- */

static const struct romsim_xattr *find_xattr(const struct romsim_inode *inode, const char *name)
{
    for (size_t i = 0; i < inode->xattr_count; i++)
        if (strcmp(inode->xattrs[i].name, name) == 0)
            return &inode->xattrs[i];
    return NULL;
}

static bool same_value(const struct romsim_xattr *a, const struct romsim_xattr *b)
{
    return a->value_size == b->value_size &&
           (a->value_size == 0 || memcmp(a->value, b->value, a->value_size) == 0);
}

static int compare_xattrs(struct verifier *verifier, const struct romsim_inode *inode,
                          const struct romsim_erofs_inode *disk, struct romsim_error *err)
{
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    size_t count = 0;
    int more;

    while ((more = romsim_erofs_xattr(verifier->image, disk, &cursor, &xattr, err)) > 0) {
        const struct romsim_xattr *expected = find_xattr(inode, xattr.name);
        int bad = !expected || !same_value(expected, &xattr);

        if (bad)
            romsim_error_set(err, EUCLEAN, "the xattr '%s' is another in the image",
                             QUOTE(xattr.name));
        romsim_xattr_release(&xattr);
        if (bad)
            return -1;
        count++;
    }
    if (more == 0 && count != inode->xattr_count)
        return differs(err, "the number of xattrs", count, inode->xattr_count);
    return more;
}

/* ---- inodes ----------------------------------------------------------------------------- */

static int compare_numbers(const struct romsim_inode *inode, const struct romsim_erofs_inode *disk,
                           struct romsim_error *err)
{
    bool is_directory = S_ISDIR(inode->mode);
    bool is_device = S_ISCHR(inode->mode) || S_ISBLK(inode->mode);
    const struct {
        const char *what;
        uint64_t found, expected;
        bool skip;
    } fields[] = {
        {"the owner", disk->uid, inode->uid, false},
        {"the group", disk->gid, inode->gid, false},
        {"the time", (uint64_t)disk->mtime, (uint64_t)inode->mtime, false},
        {"the time's nanoseconds", disk->mtime_nsec, inode->mtime_nsec, false},
        {"the number of links", disk->links, erofs_link_count(inode), false},
        {"the size", disk->size, inode->size, is_directory || is_device},
        {"the device number", disk->rdev, erofs_encode_device(inode->rdev_major, inode->rdev_minor),
         !is_device},
    };

    if (disk->mode != inode->mode)
        return romsim_error_set(err, EUCLEAN, "the mode is 0%o in the image, not 0%o", disk->mode,
                                inode->mode);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (!fields[i].skip && fields[i].found != fields[i].expected)
            return differs(err, fields[i].what, fields[i].found, fields[i].expected);
    return 0;
}

static int compare_inode(struct verifier *verifier, const struct romsim_inode *inode, uint64_t nid,
                         struct romsim_error *err)
{
    struct romsim_erofs_inode disk;

    let_go(verifier, sizeof(struct erofs_inode_extended));
    if (romsim_erofs_inode(verifier->image, nid, &disk, err) < 0 ||
        compare_numbers(inode, &disk, err) < 0 || compare_xattrs(verifier, inode, &disk, err) < 0)
        return -1;
    if (S_ISREG(inode->mode))
        return (verifier->sums ? compare_sums : compare_data)(verifier, inode, &disk, err);
    if (S_ISLNK(inode->mode))
        return compare_target(verifier, inode, &disk, err);
    return 0;
}

/* ---- directories ------------------------------------------------------------------------ */

static int blame(const char *path, struct romsim_error *err)
{
    return romsim_error_context(err, "%s", QUOTE(path ? path : "/"));
}

/* A name of the tree and the dirent found for it. */
static int compare_entry(struct verifier *verifier, const struct romsim_dentry *name,
                         const struct romsim_erofs_dirent *found, struct romsim_error *err)
{
    struct romsim_inode *inode = name->inode;
    uint64_t *nid = nid_of(verifier, inode);
    bool first = *nid == 0;

    if (found->file_type != erofs_file_type(inode->mode))
        return differs(err, "the type of the entry", found->file_type,
                       erofs_file_type(inode->mode));
    if (first)
        *nid = found->nid + 1;
    if (*nid != found->nid + 1)
        return differs(err, "the nid of the hard link", found->nid, *nid - 1);
    return first ? compare_inode(verifier, inode, found->nid, err) : 0;
}

/* "." and "..": *dots counts them. */
static int compare_dots(const struct verifier *verifier, const struct romsim_inode *directory,
                        const struct romsim_erofs_dirent *found, unsigned *dots,
                        struct romsim_error *err)
{
    const struct romsim_inode *to = directory;

    if (found->name_size == 2 && directory->dentry)
        to = directory->dentry->parent;
    if (found->nid + 1 != *nid_of(verifier, to) || found->name_size != ++*dots)
        return romsim_error_set(err, EUCLEAN, "'.' and '..' are wrong in the image");
    return 0;
}

static bool is_dots(const struct romsim_erofs_dirent *dirent)
{
    return dirent->name_size <= 2 && memcmp(dirent->name, "..", dirent->name_size) == 0;
}

static int compare_next(struct verifier *verifier, const struct romsim_inode *directory,
                        const struct romsim_dentry **name, const struct romsim_erofs_dirent *found,
                        unsigned *dots, struct romsim_error *err)
{
    const struct romsim_dentry *expected = *name;

    if (is_dots(found))
        return compare_dots(verifier, directory, found, dots, err);
    if (!expected || found->name_size != expected->name_size ||
        memcmp(found->name, expected->name, found->name_size) != 0)
        return romsim_error_set(
            err, EUCLEAN, "it has the unexpected entry '%s' in the image",
            romsim_text_quote(found->name, found->name_size, (char[256]){0}, 256));
    *name = expected->next;
    if (compare_entry(verifier, expected, found, err) < 0)
        return romsim_error_context(err, "%s", QUOTE(expected->name));
    return 0;
}

static int compare_directory(struct verifier *verifier, const struct romsim_inode *directory,
                             struct romsim_error *err)
{
    const struct romsim_dentry *name = directory->children;
    struct romsim_erofs_inode disk;
    struct romsim_erofs_dirent found;
    uint64_t cursor = 0;
    unsigned dots = 0;
    int more;

    if (romsim_erofs_inode(verifier->image, *nid_of(verifier, directory) - 1, &disk, err) < 0)
        return -1;
    let_go(verifier, disk.size + EROFS_WRITE_BLOCK);
    while ((more = romsim_erofs_readdir(verifier->image, &disk, cursor, &cursor, &found,
                                        verifier->scratch, err)) > 0)
        if (compare_next(verifier, directory, &name, &found, &dots, err) < 0)
            return -1;
    if (more == 0 && (name || dots != 2))
        return romsim_error_set(err, EUCLEAN, "it lacks the entry '%s' in the image",
                                name ? QUOTE(name->name) : "..");
    return more;
}

/* ---- all of it -------------------------------------------------------------------------- */

static int compare_all(struct verifier *verifier, struct romsim_error *err)
{
    struct romsim_inode *root = romsim_tree_root(verifier->tree);

    *nid_of(verifier, root) = romsim_erofs_root(verifier->image) + 1;
    if (compare_inode(verifier, root, romsim_erofs_root(verifier->image), err) < 0 ||
        compare_directory(verifier, root, err) < 0)
        return blame("/", err);
    for (const struct romsim_dentry *name = root->children; name; name = romsim_dentry_next(name)) {
        if (!S_ISDIR(name->inode->mode) || compare_directory(verifier, name->inode, err) == 0)
            continue;
        CLEANUP_FREE char *path = romsim_dentry_path(name);
        return blame(path, err);
    }
    return 0;
}

/* Several inodes of the tree must not have become one. */
static int compare_count(struct verifier *verifier, struct romsim_error *err)
{
    struct romsim_erofs_super super;
    uint64_t count = romsim_tree_inode_count(verifier->tree);

    romsim_erofs_super(verifier->image, &super);
    return super.inodes == count ? 0 : differs(err, "the number of inodes", super.inodes, count);
}

int romsim_erofs_verify_sums(struct romsim_tree *tree, struct romsim_erofs_sums *sums,
                             struct romsim_blob *image, struct romsim_error *err)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(image, err);
    CLEANUP_FREE uint8_t *buffers = malloc(2 * CHUNK + ROMSIM_EROFS_BLOCK_MAX);
    CLEANUP_FREE uint64_t *nids = calloc(romsim_tree_inode_count(tree), sizeof(*nids));
    struct verifier verifier = {.tree = tree, .image = erofs, .sums = sums, .nids = nids};

    if (!erofs)
        return romsim_error_context(err, "reading the image back");
    if (!buffers || !nids)
        return romsim_error_nomem(err);
    verifier.expected = buffers;
    verifier.found = buffers + CHUNK;
    verifier.scratch = buffers + 2 * CHUNK;
    if (romsim_tree_sort(tree, err) < 0)
        return -1;
    erofs_number_inodes(tree);
    if (sums)
        erofs_sums_sort(sums);
    if (compare_count(&verifier, err) < 0 || compare_all(&verifier, err) < 0)
        return romsim_error_context(err, "reading the image back");
    return 0;
}

int romsim_erofs_verify(struct romsim_tree *tree, struct romsim_blob *image,
                        struct romsim_error *err)
{
    return romsim_erofs_verify_sums(tree, NULL, image, err);
}
