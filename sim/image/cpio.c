/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpio.c: a tree as a cpio archive in the newc form (the kernel's initramfs format: Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * Readers take the name "TRAILER!!!" for the archive's end and, as Linux does, pass over a name of
 * more than PATH_MAX bytes without a word.  So a file of that name stands there as "./TRAILER!!!",
 * which none of them confuses, and a longer name is refused.
 */
#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/image.h>
#include <romsim/text.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const char trailer_name[] = "TRAILER!!!";

enum { CPIO_ALIGNMENT = 4, ROM_ALIGNMENT = 4096, BUFFER_SIZE = 1 << 20 };

struct cpio {
    const struct romsim_tree *tree;
    int fd;
    uint8_t *buffer;
    size_t fill;
    uint64_t offset; /* of the buffer's first byte */
    uint32_t inodes;
    uint64_t lost;
};

/* ---- output ----------------------------------------------------------------------------- */

static int flush(struct cpio *cpio, struct romsim_error *err)
{
    int errnum;

    if (romsim_tree_check_image(cpio->tree, cpio->offset + cpio->fill, err) < 0)
        return -1;
    errnum = romsim_write_sparsely(cpio->fd, cpio->buffer, cpio->fill, cpio->offset);
    if (errnum != 0)
        return romsim_error_write(err, errnum, cpio->fd, "write the archive");
    cpio->offset += cpio->fill;
    cpio->fill = 0;
    return 0;
}

static int append(struct cpio *cpio, const void *data, size_t size, struct romsim_error *err)
{
    while (size > 0) {
        size_t step = (size_t)min_u64(size, BUFFER_SIZE - cpio->fill);

        memcpy(cpio->buffer + cpio->fill, data, step);
        cpio->fill += step;
        data = (const uint8_t *)data + step;
        size -= step;
        if (cpio->fill == BUFFER_SIZE && flush(cpio, err) < 0)
            return -1;
    }
    return 0;
}

static int align(struct cpio *cpio, uint64_t alignment, struct romsim_error *err)
{
    static const uint8_t zeros[ROM_ALIGNMENT];

    return append(cpio, zeros, -(cpio->offset + cpio->fill) % alignment, err);
}

static int append_file(struct cpio *cpio, const struct romsim_inode *inode,
                       struct romsim_error *err)
{
    uint64_t offset = 0;

    while (offset < inode->size) {
        size_t step = (size_t)min_u64(inode->size - offset, BUFFER_SIZE - cpio->fill);

        if (romsim_inode_read(inode, offset, cpio->buffer + cpio->fill, step, err) < 0)
            return -1;
        cpio->fill += step;
        offset += step;
        if (cpio->fill == BUFFER_SIZE && flush(cpio, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- entries ---------------------------------------------------------------------------- */

/* The 13 numbers of a header in their order, each as 8 hexadecimal digits. */
enum {
    FIELD_INO,
    FIELD_MODE,
    FIELD_UID,
    FIELD_GID,
    FIELD_NLINK,
    FIELD_MTIME,
    FIELD_FILESIZE,
    FIELD_DEVMAJOR,
    FIELD_DEVMINOR,
    FIELD_RDEVMAJOR,
    FIELD_RDEVMINOR,
    FIELD_NAMESIZE,
    FIELD_CHECK,
    FIELDS
};

static int append_header(struct cpio *cpio, const uint32_t fields[FIELDS], const char *name,
                         struct romsim_error *err)
{
    char header[6 + FIELDS * 8 + 1] = "070701";

    for (size_t i = 0; i < FIELDS; i++)
        snprintf(header + 6 + i * 8, 9, "%08X", fields[i]);
    if (append(cpio, header, sizeof(header) - 1, err) < 0 ||
        append(cpio, name, strlen(name) + 1, err) < 0)
        return -1;
    return align(cpio, CPIO_ALIGNMENT, err);
}

/* 32 bits without a sign is all that there is for a time. */
static uint32_t clamp_time(int64_t time)
{
    if (time < 0)
        return 0;
    return time > UINT32_MAX ? UINT32_MAX : (uint32_t)time;
}

/* Files and symbolic links have data; of a hard link only the last name. */
static uint64_t data_size(const struct romsim_inode *inode, bool last)
{
    if (S_ISLNK(inode->mode) || (S_ISREG(inode->mode) && last))
        return inode->size;
    return 0;
}

/* The cookie holds the inode's number (low half) and how many of its names were met. */
static int append_entry(struct cpio *cpio, struct romsim_inode *inode, const char *path,
                        struct romsim_error *err)
{
    bool is_device = S_ISCHR(inode->mode) || S_ISBLK(inode->mode);
    size_t path_size = strlen(path) + 1;
    uint64_t size;

    if (path_size > PATH_MAX)
        return romsim_error_set(err, ENAMETOOLONG,
                                "a path of %zu bytes is too long for a cpio archive, whose readers "
                                "take %d",
                                path_size - 1, PATH_MAX - 1);

    if (inode->cookie == 0) {
        inode->cookie = ++cpio->inodes;
        cpio->lost += inode->xattr_count > 0;
    }
    inode->cookie += UINT64_C(1) << 32;
    size = data_size(inode, inode->cookie >> 32 == inode->links);
    if (size > UINT32_MAX)
        return romsim_error_set(err, EFBIG, "a file of %s is too large for a cpio archive",
                                SIZE_TEXT(size));
    const uint32_t fields[FIELDS] = {
        [FIELD_INO] = (uint32_t)inode->cookie,
        [FIELD_MODE] = inode->mode,
        [FIELD_UID] = inode->uid,
        [FIELD_GID] = inode->gid,
        [FIELD_NLINK] = S_ISDIR(inode->mode) ? 2 : inode->links,
        [FIELD_MTIME] = clamp_time(inode->mtime),
        [FIELD_FILESIZE] = (uint32_t)size,
        [FIELD_RDEVMAJOR] = is_device ? inode->rdev_major : 0,
        [FIELD_RDEVMINOR] = is_device ? inode->rdev_minor : 0,
        [FIELD_NAMESIZE] = (uint32_t)path_size,
    };
    if (append_header(cpio, fields, path, err) < 0 ||
        (S_ISLNK(inode->mode) && append(cpio, inode->target, size, err) < 0) ||
        (S_ISREG(inode->mode) && size > 0 && append_file(cpio, inode, err) < 0))
        return -1;
    return align(cpio, CPIO_ALIGNMENT, err);
}

static int append_trailer(struct cpio *cpio, struct romsim_error *err)
{
    const uint32_t fields[FIELDS] = {[FIELD_NLINK] = 1, [FIELD_NAMESIZE] = sizeof(trailer_name)};

    if (append_header(cpio, fields, trailer_name, err) < 0 || align(cpio, ROM_ALIGNMENT, err) < 0 ||
        flush(cpio, err) < 0)
        return -1;
    if (ftruncate(cpio->fd, (off_t)cpio->offset) < 0)
        return romsim_error_write(err, errno, cpio->fd, "write the archive");
    return 0;
}

static int append_all(struct cpio *cpio, struct romsim_tree *tree, struct romsim_error *err)
{
    struct romsim_inode *root = romsim_tree_root(tree);

    if (append_entry(cpio, root, ".", err) < 0)
        return -1;
    for (const struct romsim_dentry *name = root->children; name; name = romsim_dentry_next(name)) {
        CLEANUP_FREE char *path = romsim_dentry_path(name);

        if (!path)
            return romsim_error_nomem(err);
        if (append_entry(cpio, name->inode,
                         strcmp(path + 1, trailer_name) == 0 ? "./TRAILER!!!" : path + 1, err) < 0)
            return romsim_error_context(err, "%s", QUOTE(path));
    }
    return append_trailer(cpio, err);
}

int romsim_cpio_write(struct romsim_tree *tree, int fd, uint64_t *ret_lost,
                      struct romsim_error *err)
{
    CLEANUP_FREE uint8_t *buffer = malloc(BUFFER_SIZE);
    struct cpio cpio = {.tree = tree, .fd = fd, .buffer = buffer};

    if (!buffer)
        return romsim_error_nomem(err);
    if (romsim_tree_sort(tree, err) < 0)
        return -1;
    for (struct romsim_inode *inode = romsim_tree_next_inode(tree, NULL); inode;
         inode = romsim_tree_next_inode(tree, inode))
        inode->cookie = 0;
    if (append_all(&cpio, tree, err) < 0)
        return -1;
    *ret_lost = cpio.lost;
    return 0;
}
