/* SPDX-License-Identifier: BSD-3-Clause */
/* view.c: answers about the nodes of a view (view.h has the theory). */
#include "overlay.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

enum {
    NID_BITS = 43,
    METABOX_BIT = NID_BITS,
    SLOT_SHIFT = NID_BITS + 1,
    NID_METABOX_BIT = 63, /* in a nid (erofs_fs.h) */
    DEVICE_BLOCK_SIZE = 4096,
    XATTR_HEADER_SIZE = 12, /* what Linux answers with EOPNOTSUPP when nothing follows it */
    DOTS = 2                /* "." and "..", the first two entries of a directory */
};

/* Overlayfs's own, which it shows to nobody. */
#define OVERLAY_XATTRS "trusted.overlay."

/* ---- numbers ---------------------------------------------------------------------------- */

int view_number(unsigned slot, uint64_t nid, uint64_t *ret, struct romsim_error *err)
{
    uint64_t metabox = nid >> NID_METABOX_BIT;
    uint64_t place = nid & ~(UINT64_C(1) << NID_METABOX_BIT);

    if (place >> NID_BITS)
        return romsim_error_set(err, EUCLEAN, "a nid %#llx is beyond every image",
                                (unsigned long long)nid);
    *ret = (uint64_t)slot << SLOT_SHIFT | metabox << METABOX_BIT | place;
    return 0;
}

static int get_overlay(struct romsim_view *view, uint64_t number, struct view_node *ret,
                       struct romsim_error *err)
{
    const struct overlay *overlay;

    if (number >= view->overlays.count || !view->overlays.items[number])
        return romsim_error_set(err, ESTALE, "there is no node %llu", (unsigned long long)number);
    overlay = view->overlays.items[number];
    ret->number = number;
    ret->overlay = overlay;
    ret->image = overlay->base_image;
    if (ret->image) {
        ret->slot = overlay->slot;
        ret->inode = overlay->base;
    }
    return 0;
}

int view_get(struct romsim_view *view, uint64_t number, struct view_node *ret,
             struct romsim_error *err)
{
    uint64_t slot = number >> SLOT_SHIFT;
    uint64_t nid = number & ((UINT64_C(1) << NID_BITS) - 1);

    if (slot == 0)
        return get_overlay(view, number, ret, err);
    if (slot >= view->slots || !view->images[slot].erofs)
        return romsim_error_set(err, ESTALE, "there is no node %llu", (unsigned long long)number);
    nid |= (number >> METABOX_BIT & 1) << NID_METABOX_BIT;
    ret->number = number;
    ret->overlay = NULL;
    ret->image = view->images[slot].erofs;
    ret->slot = (unsigned)slot;
    return romsim_erofs_inode(ret->image, nid, &ret->inode, err);
}

const struct view_image *view_image_of(const struct romsim_view *view, uint64_t node)
{
    uint64_t slot = node >> SLOT_SHIFT;

    if (slot == 0 && node < view->overlays.count && view->overlays.items[node])
        slot = view->overlays.items[node]->slot;
    return &view->images[slot < view->slots ? slot : 0];
}

size_t romsim_view_device(const struct romsim_view *view, uint64_t node)
{
    return view_image_of(view, node)->place;
}

const char *romsim_view_device_name(const struct romsim_view *view, uint64_t node)
{
    const struct view_image *image = view_image_of(view, node);

    return image->name[0] ? image->name : NULL;
}

bool romsim_view_nid(const struct romsim_view *view, uint64_t node, uint64_t *ret)
{
    const struct overlay *overlay = node < view->overlays.count ? view->overlays.items[node] : NULL;

    if (overlay && overlay->base_image)
        *ret = overlay->base.nid;
    else if (node >> SLOT_SHIFT)
        *ret = (node & ((UINT64_C(1) << NID_BITS) - 1)) | (node >> METABOX_BIT & 1)
                                                              << NID_METABOX_BIT;
    else
        return false;
    return true;
}

struct overlay_child *overlay_find(const struct overlay *overlay, const char *name,
                                   size_t name_size)
{
    for (size_t i = 0; i < overlay->children.count; i++) {
        struct overlay_child *child = &overlay->children.items[i];

        if (strlen(child->name) == name_size && memcmp(child->name, name, name_size) == 0)
            return child;
    }
    return NULL;
}

/* ---- attributes ------------------------------------------------------------------------- */

/* As the kernel's new_decode_dev(). */
static dev_t decode_rdev(uint32_t rdev)
{
    return makedev((rdev & 0xfff00) >> 8, (rdev & 0xff) | (rdev >> 12 & 0xfff00));
}

/* In units of 512 bytes, as the kernel's EROFS counts them. */
static blkcnt_t blocks_of(const struct romsim_erofs_inode *inode, unsigned block_bits)
{
    uint64_t bytes;

    if (romsim_erofs_is_compressed(inode))
        return (blkcnt_t)(inode->start << (block_bits - 9));
    if (!checked_align_up(inode->size, UINT64_C(1) << block_bits, &bytes))
        bytes = inode->size;
    return (blkcnt_t)(bytes >> 9);
}

static void stat_image(const struct view_node *node, struct stat *ret)
{
    const struct romsim_erofs_inode *inode = &node->inode;
    struct romsim_erofs_super super;

    romsim_erofs_super(node->image, &super);
    *ret = (struct stat){
        .st_mode = inode->mode,
        .st_nlink = inode->links,
        .st_uid = inode->uid,
        .st_gid = inode->gid,
        .st_size = (off_t)inode->size,
        .st_blksize = (blksize_t)1 << super.block_bits,
        .st_blocks = blocks_of(inode, super.block_bits),
        .st_mtim = {.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec},
    };
    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
        ret->st_rdev = decode_rdev(inode->rdev);
}

static void stat_overlay(const struct overlay *overlay, struct stat *ret)
{
    *ret = (struct stat){
        .st_mode = S_IFDIR | 0755,
        .st_nlink = 2,
        .st_blksize = DEVICE_BLOCK_SIZE,
    };
    if (!overlay->blob)
        return;
    ret->st_mode = S_IFREG | 0444;
    ret->st_nlink = overlay->names;
    ret->st_size = (off_t)romsim_blob_size(overlay->blob);
    ret->st_blocks = (blkcnt_t)((romsim_blob_size(overlay->blob) + 511) >> 9);
}

/* A directory's link count: one more for each directory that its base does not have. */
static void count_new_directories(const struct overlay *overlay, struct romsim_view *view,
                                  struct stat *ret)
{
    for (size_t i = 0; i < overlay->children.count; i++) {
        const struct overlay_child *child = &overlay->children.items[i];
        bool is_device =
            child->node < view->overlays.count && view->overlays.items[child->node]->blob;

        if (!child->hides && !is_device)
            ret->st_nlink++;
    }
}

int romsim_view_stat(struct romsim_view *view, uint64_t number, struct stat *ret,
                     struct romsim_error *err)
{
    struct view_node node;
    struct stat stat;

    if (view_get(view, number, &node, err) < 0)
        return -1;
    if (node.image)
        stat_image(&node, &stat);
    else
        stat_overlay(node.overlay, &stat);
    if (node.overlay && !node.overlay->blob)
        count_new_directories(node.overlay, view, &stat);
    stat.st_ino = number;
    stat.st_atim = stat.st_ctim = stat.st_mtim;
    *ret = stat;
    return 0;
}

int romsim_view_statfs(struct romsim_view *view, uint64_t number, struct statvfs *ret,
                       struct romsim_error *err)
{
    struct romsim_erofs_super super = {.block_bits = 12};
    struct view_node node;

    if (view_get(view, number, &node, err) < 0)
        return -1;
    if (!node.image) /* a device file, a made directory: as the root */
        node.image = view->overlays.items[ROMSIM_VIEW_ROOT]->base_image;
    if (node.image)
        romsim_erofs_super(node.image, &super);
    *ret = (struct statvfs){
        .f_bsize = 1ul << super.block_bits,
        .f_frsize = 1ul << super.block_bits,
        .f_blocks = super.blocks,
        .f_files = super.inodes,
        .f_namemax = ROMSIM_NAME_MAX,
    };
    return 0;
}

/* ---- names ------------------------------------------------------------------------------ */

/* In the lower layer of an overlay a character device 0:0 is a whiteout: nothing is there. */
static bool is_whiteout(const struct romsim_erofs_inode *inode)
{
    return S_ISCHR(inode->mode) && inode->rdev == 0;
}

/* Has the file overlayfs's mark that its data is elsewhere?  What cannot be read has none. */
static bool is_metacopy(struct romsim_erofs *image, const struct romsim_erofs_inode *inode)
{
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    bool found = false;

    if (!S_ISREG(inode->mode) || inode->xattr_size == 0)
        return false;
    while (!found && romsim_erofs_xattr(image, inode, &cursor, &xattr, NULL) == 1) {
        found = strcmp(xattr.name, OVERLAY_XATTRS "metacopy") == 0;
        romsim_xattr_release(&xattr);
    }
    return found;
}

/*
 * What the guest's overlay makes of a name in its lower layer.  (Other marks mean nothing in the
 * lowest layer, or, as the xattrs that newer kernels take for whiteouts, nothing to Linux 6.1.)
 * Returns 1, 0 for a whiteout, or -1.
 */
static int look_through_overlay(const struct view_node *directory, uint64_t nid,
                                struct romsim_error *err)
{
    struct romsim_erofs_inode inode;

    if (romsim_erofs_inode(directory->image, nid, &inode, NULL) < 0)
        return 1; /* whoever looks at it gets the error */
    if (is_metacopy(directory->image, &inode))
        return romsim_error_set(err, EPERM, "overlayfs refuses a file that is marked as metacopy");
    return !is_whiteout(&inode);
}

int romsim_view_lookup(struct romsim_view *view, uint64_t directory, const char *name,
                       uint64_t *ret_node, struct romsim_error *err)
{
    const struct overlay_child *child;
    struct view_node node;
    uint64_t nid;
    int found;

    if (view_get(view, directory, &node, err) < 0)
        return -1;
    child = node.overlay ? overlay_find(node.overlay, name, strlen(name)) : NULL;
    if (child) {
        *ret_node = child->node;
        return 1;
    }
    if (!node.image)
        return node.overlay->blob ? romsim_error_set(err, ENOTDIR, "not a directory") : 0;
    found = romsim_erofs_lookup(node.image, &node.inode, name, strlen(name), &nid, err);
    if (found == 1 && view->images[node.slot].is_layered)
        found = look_through_overlay(&node, nid, err);
    if (found <= 0)
        return found;
    return view_number(node.slot, nid, ret_node, err) < 0 ? -1 : 1;
}

static bool is_dots(const char *name, size_t size)
{
    return name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.'));
}

static mode_t type_of_dirent(uint8_t file_type)
{
    static const mode_t types[] = {0,       S_IFREG, S_IFDIR,  S_IFCHR,
                                   S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

    return file_type < sizeof(types) / sizeof(types[0]) ? types[file_type] : 0;
}

/* ".." of an image's directory is what the image says; of its root, the root itself: the number
 * is for show only, the kernel knows its parents. */
static uint64_t parent_of(struct romsim_view *view, const struct view_node *node)
{
    uint64_t parent;

    if (node->overlay)
        return node->overlay->parent;
    return romsim_view_lookup(view, node->number, "..", &parent, NULL) == 1 ? parent : node->number;
}

static void dot_entry(struct romsim_view *view, const struct view_node *node, uint64_t cursor,
                      struct romsim_view_entry *ret)
{
    *ret = (struct romsim_view_entry){
        .node = cursor == 0 ? node->number : parent_of(view, node),
        .name = "..",
        .name_size = cursor + 1,
        .type = S_IFDIR,
        .is_dot = true,
    };
}

static void child_entry(struct romsim_view *view, const struct overlay_child *child,
                        struct romsim_view_entry *ret)
{
    bool is_file = child->node < view->overlays.count && view->overlays.items[child->node]->blob;

    *ret = (struct romsim_view_entry){
        .node = child->node,
        .name = child->name,
        .name_size = strlen(child->name),
        .type = is_file ? S_IFREG : S_IFDIR,
    };
}

/* Does a child of the overlay directory, or the guest's overlay, hide the entry? */
static bool is_hidden(const struct romsim_view *view, const struct view_node *node,
                      const struct romsim_erofs_dirent *dirent)
{
    struct romsim_erofs_inode inode;

    if (node->overlay && overlay_find(node->overlay, dirent->name, dirent->name_size))
        return true;
    return view->images[node->slot].is_layered && type_of_dirent(dirent->file_type) == S_IFCHR &&
           romsim_erofs_inode(node->image, dirent->nid, &inode, NULL) == 0 && is_whiteout(&inode);
}

/* The next entry of the image's directory that is not a dot and not hidden. */
static int image_entry(const struct romsim_view *view, const struct view_node *node,
                       uint64_t cursor, uint64_t *ret_cursor, struct romsim_view_entry *ret,
                       void *scratch, struct romsim_error *err)
{
    struct romsim_erofs_dirent dirent;
    int found;

    do {
        found =
            romsim_erofs_readdir(node->image, &node->inode, cursor, &cursor, &dirent, scratch, err);
        if (found <= 0)
            return found;
    } while (is_dots(dirent.name, dirent.name_size) || is_hidden(view, node, &dirent));
    *ret = (struct romsim_view_entry){
        .name = dirent.name,
        .name_size = dirent.name_size,
        .type = type_of_dirent(dirent.file_type),
    };
    *ret_cursor = cursor;
    if (view_number(node->slot, dirent.nid, &ret->node, NULL) < 0)
        ret->node = ROMSIM_VIEW_NOWHERE; /* the name is there all the same */
    return 1;
}

int romsim_view_readdir(struct romsim_view *view, uint64_t directory, uint64_t cursor,
                        uint64_t *ret_cursor, struct romsim_view_entry *ret, void *scratch,
                        struct romsim_error *err)
{
    struct view_node node;
    uint64_t next, made;
    int found;

    if (view_get(view, directory, &node, err) < 0)
        return -1;
    if (node.overlay ? node.overlay->blob != NULL : !S_ISDIR(node.inode.mode))
        return romsim_error_set(err, ENOTDIR, "not a directory");
    made = DOTS + (node.overlay ? node.overlay->children.count : 0);
    if (cursor < made) {
        if (cursor < DOTS)
            dot_entry(view, &node, cursor, ret);
        else
            child_entry(view, &node.overlay->children.items[cursor - DOTS], ret);
        *ret_cursor = cursor + 1;
        return 1;
    }
    if (!node.image)
        return 0;
    found = image_entry(view, &node, cursor - made, &next, ret, scratch, err);
    if (found == 1)
        *ret_cursor = next + made;
    return found;
}

/* ---- content ---------------------------------------------------------------------------- */

char *romsim_view_readlink(struct romsim_view *view, uint64_t number, struct romsim_error *err)
{
    struct view_node node;

    if (view_get(view, number, &node, err) < 0)
        return NULL;
    if (!node.image || !S_ISLNK(node.inode.mode)) {
        romsim_error_set(err, EINVAL, "not a symbolic link");
        return NULL;
    }
    return romsim_erofs_readlink(node.image, &node.inode, err);
}

void romsim_view_data_release(struct romsim_view_data *data)
{
    free(data->buffer);
    *data = (struct romsim_view_data){0};
}

static void add_piece(struct romsim_view_data *data, const void *bytes, size_t size)
{
    data->pieces[data->count++] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes, /* const */
                                                 .iov_len = size};
    data->size += size;
}

static void read_device(const struct overlay *device, uint64_t offset, size_t size,
                        struct romsim_view_data *ret)
{
    uint64_t end = romsim_blob_size(device->blob);

    if (offset < end)
        add_piece(ret, romsim_blob_bytes(device->blob) + offset, min_u64(size, end - offset));
}

/* Collects pieces of the image for the whole range.  Returns 1, 0 if a part of the data does not
 * stand in the image as it is, or there are too many pieces, or -1. */
static int map_pieces(const struct view_node *node, uint64_t offset, size_t size,
                      struct romsim_view_data *ret, struct romsim_error *err)
{
    while (size > 0) {
        uint64_t position, length;
        const uint8_t *bytes;
        int mapped = ret->count == ROMSIM_VIEW_PIECES_MAX
                         ? 0
                         : romsim_erofs_map(node->image, &node->inode, offset, size, &bytes,
                                            &length, &position, err);

        if (mapped <= 0)
            return mapped;
        add_piece(ret, bytes, length);
        offset += length;
        size -= length;
    }
    return 1;
}

static int read_copy(const struct view_node *node, uint64_t offset, size_t size,
                     struct romsim_view_data *ret, struct romsim_error *err)
{
    size_t done;

    *ret = (struct romsim_view_data){.buffer = malloc(size)};
    if (!ret->buffer)
        return romsim_error_nomem(err);
    if (romsim_erofs_read(node->image, &node->inode, offset, ret->buffer, size, &done, err) < 0) {
        romsim_view_data_release(ret);
        return -1;
    }
    add_piece(ret, ret->buffer, done);
    return 0;
}

static int read_image(const struct view_node *node, uint64_t offset, size_t size,
                      struct romsim_view_data *ret, struct romsim_error *err)
{
    int mapped;

    if (!S_ISREG(node->inode.mode))
        return romsim_error_set(err, EISDIR, "not a regular file");
    if (offset >= node->inode.size)
        return 0;
    size = min_u64(size, node->inode.size - offset);
    mapped = map_pieces(node, offset, size, ret, err);
    if (mapped != 0)
        return mapped < 0 ? -1 : 0;
    return read_copy(node, offset, size, ret, err);
}

int romsim_view_read(struct romsim_view *view, uint64_t number, uint64_t offset, size_t size,
                     struct romsim_view_data *ret, struct romsim_error *err)
{
    struct romsim_view_data data = {0};
    struct view_node node;

    if (view_get(view, number, &node, err) < 0)
        return -1;
    if (node.overlay && node.overlay->blob)
        read_device(node.overlay, offset, size, &data);
    else if (node.overlay)
        return romsim_error_set(err, EISDIR, "a directory");
    else if (read_image(&node, offset, size, &data, err) < 0)
        return -1;
    *ret = data;
    return 0;
}

int romsim_view_xattr(struct romsim_view *view, uint64_t number, uint64_t *cursor,
                      struct romsim_xattr *ret, struct romsim_error *err)
{
    struct view_node node;
    int found;

    if (view_get(view, number, &node, err) < 0)
        return -1;
    if (!node.image || node.inode.xattr_size == 0)
        return 0;
    if (node.inode.xattr_size == XATTR_HEADER_SIZE)
        return romsim_error_set(err, EOPNOTSUPP, "an area for xattrs without room for one");
    while ((found = romsim_erofs_xattr(node.image, &node.inode, cursor, ret, err)) == 1) {
        if (!view->images[node.slot].is_layered ||
            strncmp(ret->name, OVERLAY_XATTRS, strlen(OVERLAY_XATTRS)) != 0)
            break;
        romsim_xattr_release(ret);
    }
    return found;
}

/* ---- the whole -------------------------------------------------------------------------- */

struct romsim_view *romsim_view_new(const struct romsim_layout *layout, bool drives_only,
                                    struct romsim_error *err)
{
    CLEANUP(cleanup_romsim_view_free) struct romsim_view *view = calloc(1, sizeof(*view));

    if (!view) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (overlay_start(view, layout, drives_only, err) < 0)
        return NULL;
    for (size_t i = 0; !drives_only && i < layout->mount_count; i++)
        if (overlay_mount(view, layout, i, NULL, err) < 0)
            return NULL;
    if (!drives_only && layout->working_dir) /* what cannot be made, the layout has warned of */
        overlay_make_directory(view, layout->working_dir, NULL);
    overlay_finish(view);
    return STEAL_POINTER(&view);
}

void romsim_view_free(struct romsim_view *view)
{
    if (!view)
        return;
    for (size_t i = 0; i < view->overlays.count; i++)
        overlay_free(view->overlays.items[i]);
    overlays_reset(&view->overlays);
    for (unsigned i = 0; i < view->slots; i++)
        romsim_erofs_close(view->images[i].erofs);
    free(view->images);
    free(view->etc);
    free(view);
}
