/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ll.c: the thin skin between a seam and libfuse's low-level API.
 *
 * The content never changes, so the kernel may keep all that it is told: names (missing ones,
 * too), attributes, link targets, directories and data.  Opening needs nothing from us; the answer
 * ENOSYS tells the kernel not to ask again for the life of the mount, and to keep its caches.
 *
 * Where the seam watches a device, the kernel keeps none of its names, and each read comes here as
 * it was made, without readahead (FOPEN_DIRECT_IO); that is said when a file is opened, so then
 * opening has to be answered.
 *
 * Every handler replies exactly once.
 */
#include "ll.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

/* Seconds for which the kernel may keep what it is told: 30 years. */
#define FOR_EVER 1e9

enum { NAME_SIZE = ROMSIM_NAME_MAX + 1 };

static struct romsim_seam *seam_of(fuse_req_t req)
{
    const struct ll *ll = fuse_req_userdata(req);

    return ll->seam;
}

static struct romsim_view *view_of(fuse_req_t req)
{
    return romsim_seam_view(seam_of(req));
}

/* For how long the kernel may keep what it is told of a directory's names. */
static double names_timeout(fuse_req_t req, uint64_t directory)
{
    return romsim_seam_watches(seam_of(req), directory) ? 0 : FOR_EVER;
}

/* Tells what is behind an errno that the image is to blame for; `name` (or NULL) is what was asked
 * for in the node. */
static void report(const struct ll *ll, uint64_t node, const char *name,
                   const struct romsim_error *err)
{
    CLEANUP_FREE char *message = NULL;

    if (!ll->report || (err->errnum != EUCLEAN && err->errnum != EOPNOTSUPP && err->errnum != EIO))
        return;
    if (asprintf(&message, "%s: %s%s%s",
                 romsim_view_device_name(romsim_seam_view(ll->seam), node) ?: "the view",
                 name ? QUOTE(name) : "", name ? ": " : "", err->message) < 0)
        message = NULL;
    if (message)
        ll->report(ll->context, message);
}

/* The errno of a failure; EIO for one without: 0 would say that all is well. */
static int errno_of(const struct romsim_error *err)
{
    return err->errnum > 0 ? err->errnum : EIO;
}

static void reply_failure(fuse_req_t req, uint64_t node, const struct romsim_error *err)
{
    report(fuse_req_userdata(req), node, NULL, err);
    fuse_reply_err(req, errno_of(err));
}

/* The same for a file's data: of that the kernel's own EROFS says EIO, whatever is wrong with the
 * image, because for its page cache a page is there or not. */
static void reply_no_data(fuse_req_t req, uint64_t node, const struct romsim_error *err)
{
    report(fuse_req_userdata(req), node, NULL, err);
    fuse_reply_err(req, err->errnum == EUCLEAN ? EIO : errno_of(err));
}

static void ll_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    conn->want |= conn->capable & (FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_READDIRPLUS);
    /* Directories are mostly read to look at the files (find, ls -l, tar), and what is learnt is
     * kept: always readdirplus, no guessing.  Nothing changes, so there is nothing to invalidate.
     */
    conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA);
}

/* ---- names and attributes --------------------------------------------------------------- */

static int fill_entry(fuse_req_t req, uint64_t directory, uint64_t node,
                      struct fuse_entry_param *ret, struct romsim_error *err)
{
    *ret = (struct fuse_entry_param){
        .ino = node,
        .attr_timeout = FOR_EVER,
        .entry_timeout = names_timeout(req, directory),
    };
    return romsim_view_stat(view_of(req), node, &ret->attr, err);
}

static void ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {0}; /* ino 0: there is no such name */
    struct romsim_error err;
    uint64_t node;
    int found;

    if (strlen(name) > ROMSIM_NAME_MAX) {
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    err.errnum = 0;
    entry.entry_timeout = names_timeout(req, parent);
    found = romsim_seam_lookup(seam_of(req), parent, name, &node, &err);
    if (found < 0 || (found == 1 && fill_entry(req, parent, node, &entry, &err) < 0)) {
        report(fuse_req_userdata(req), parent, name, &err);
        fuse_reply_err(req, errno_of(&err));
    } else {
        fuse_reply_entry(req, &entry);
    }
}

/* Nothing is kept about a node, so there is nothing to forget. */
static void ll_forget(fuse_req_t req, fuse_ino_t node, uint64_t lookups)
{
    (void)node;
    (void)lookups;
    fuse_reply_none(req);
}

static void ll_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    (void)count;
    (void)forgets;
    fuse_reply_none(req);
}

static void ll_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
    struct romsim_error err;
    struct stat stat;

    (void)file;
    err.errnum = 0;
    if (romsim_view_stat(view_of(req), node, &stat, &err) < 0)
        reply_failure(req, node, &err);
    else
        fuse_reply_attr(req, &stat, FOR_EVER);
}

static void ll_readlink(fuse_req_t req, fuse_ino_t node)
{
    struct romsim_error err;
    char *target;

    err.errnum = 0;
    target = romsim_view_readlink(view_of(req), node, &err);
    if (target)
        fuse_reply_readlink(req, target);
    else
        reply_no_data(req, node, &err);
    free(target);
}

static void ll_statfs(fuse_req_t req, fuse_ino_t node)
{
    struct romsim_error err;
    struct statvfs statvfs;

    err.errnum = 0;
    if (romsim_view_statfs(view_of(req), node, &statvfs, &err) < 0)
        reply_failure(req, node, &err);
    else
        fuse_reply_statfs(req, &statvfs);
}

/* ---- files ------------------------------------------------------------------------------ */

/* A NULL handler would not do: libfuse answers it with success, and the kernel goes on asking. */
static void ll_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
    if (romsim_seam_is_bare(seam_of(req))) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    file->direct_io = romsim_seam_watches(seam_of(req), node);
    file->keep_cache = !file->direct_io;
    fuse_reply_open(req, file);
}

/* A directory's names are looked up one by one where that matters. */
static void ll_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *file)
{
    (void)node;
    (void)file;
    fuse_reply_err(req, ENOSYS);
}

static void ll_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
    struct romsim_error err;
    struct romsim_view_data data;

    (void)file;
    err.errnum = 0;
    if (romsim_seam_read(seam_of(req), node, (uint64_t)offset, size, &data, &err) < 0) {
        reply_no_data(req, node, &err);
        return;
    }
    fuse_reply_iov(req, data.pieces, data.count);
    romsim_view_data_release(&data);
}

/* ---- directories ------------------------------------------------------------------------ */

/* A directory's answer while it is being filled. */
struct listing {
    fuse_req_t req;
    uint64_t directory;
    bool plus; /* with the attributes of every entry */
    char *buffer;
    size_t size, used;
};

/*
 * The attributes of an entry.  Without them the kernel will ask with a lookup, and has to: for the
 * dots, for an inode that cannot be read, and in a damaged directory for a name that a lookup does
 * not find or finds elsewhere.
 */
static bool fill_known(const struct listing *listing, const struct romsim_view_entry *entry,
                       const char *name, struct fuse_entry_param *ret)
{
    struct romsim_view *view = view_of(listing->req);
    uint64_t node;

    return listing->plus && !entry->is_dot &&
           romsim_view_lookup(view, listing->directory, name, &node, NULL) == 1 &&
           node == entry->node &&
           fill_entry(listing->req, listing->directory, node, ret, NULL) == 0;
}

/* Adds an entry; false if it does not fit any more. */
static bool listing_add(struct listing *listing, const struct romsim_view_entry *entry,
                        uint64_t next)
{
    char *at = listing->buffer + listing->used;
    size_t left = listing->size - listing->used;
    struct fuse_entry_param param;
    char name[NAME_SIZE];
    size_t size;

    memcpy(name, entry->name, entry->name_size);
    name[entry->name_size] = '\0';
    if (!fill_known(listing, entry, name, &param))
        param = (struct fuse_entry_param){
            .attr = {.st_ino = entry->node, .st_mode = entry->type},
        };
    size = listing->plus
               ? fuse_add_direntry_plus(listing->req, at, left, name, &param, (off_t)next)
               : fuse_add_direntry(listing->req, at, left, name, &param.attr, (off_t)next);
    if (size > left)
        return false;
    listing->used += size;
    return true;
}

/* Fills the listing from `cursor` on.  Returns 0, or -1 if not even one entry could be read: what
 * goes wrong later is for the next call, from there. */
static int listing_fill(struct listing *listing, uint64_t cursor, void *scratch,
                        struct romsim_error *err)
{
    struct romsim_view_entry entry;
    uint64_t next;
    int found;

    for (;;) {
        found = romsim_view_readdir(view_of(listing->req), listing->directory, cursor, &next,
                                    &entry, scratch, err);
        if (found <= 0 || !listing_add(listing, &entry, next))
            break;
        cursor = next;
    }
    return found < 0 && listing->used == 0 ? -1 : 0;
}

static void reply_listing(fuse_req_t req, fuse_ino_t directory, size_t size, off_t offset,
                          bool plus)
{
    struct listing listing = {.req = req, .directory = directory, .plus = plus, .size = size};
    struct romsim_error err;
    char *memory = malloc(size + ROMSIM_EROFS_BLOCK_MAX);

    if (!memory) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    err.errnum = 0;
    listing.buffer = memory + ROMSIM_EROFS_BLOCK_MAX;
    if (listing_fill(&listing, (uint64_t)offset, memory, &err) < 0)
        reply_failure(req, directory, &err);
    else
        fuse_reply_buf(req, listing.buffer, listing.used);
    free(memory);
}

static void ll_readdir(fuse_req_t req, fuse_ino_t directory, size_t size, off_t offset,
                       struct fuse_file_info *file)
{
    (void)file;
    reply_listing(req, directory, size, offset, false);
}

static void ll_readdirplus(fuse_req_t req, fuse_ino_t directory, size_t size, off_t offset,
                           struct fuse_file_info *file)
{
    (void)file;
    reply_listing(req, directory, size, offset, true);
}

/* ---- xattrs ----------------------------------------------------------------------------- */

/* The kernel keeps "trusted." from all but the administrator when one is read; the list is ours to
 * filter. */
static bool may_see(fuse_req_t req, const char *name)
{
    return fuse_req_ctx(req)->uid == 0 || strncmp(name, "trusted.", strlen("trusted.")) != 0;
}

/* Sums up what the kernel takes: beyond this many bytes of names, nobody can list them. */
static bool count_name(const char *name, size_t *total)
{
    *total += strlen(name) + 1;
    return *total <= XATTR_LIST_MAX;
}

/* Finds an xattr by name.  Returns 1, 0 or -1. */
static int find_xattr(fuse_req_t req, uint64_t node, const char *name, struct romsim_xattr *ret,
                      struct romsim_error *err)
{
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    size_t total = 0;
    int found;

    while ((found = romsim_view_xattr(view_of(req), node, &cursor, &xattr, err)) == 1) {
        if (strcmp(xattr.name, name) == 0) {
            *ret = xattr;
            return 1;
        }
        if (!count_name(xattr.name, &total))
            found = romsim_error_set(err, E2BIG, "too many xattrs");
        romsim_xattr_release(&xattr);
        if (found < 0)
            break;
    }
    return found;
}

/* Replies with bytes, or with their number if the caller asks for that with size 0. */
static void reply_sized(fuse_req_t req, const void *bytes, size_t count, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(req, count);
    else if (count > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, bytes, count);
}

static void ll_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
    struct romsim_xattr xattr;
    struct romsim_error err;
    int found;

    err.errnum = 0;
    found = find_xattr(req, node, name, &xattr, &err);
    if (found < 0) {
        reply_failure(req, node, &err);
    } else if (found == 0) {
        fuse_reply_err(req, ENODATA);
    } else {
        reply_sized(req, xattr.value, xattr.value_size, size);
        romsim_xattr_release(&xattr);
    }
}

static void ll_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(XATTR_LIST_MAX);
    struct romsim_xattr xattr;
    struct romsim_error err;
    uint64_t cursor = 0;
    int found;

    err.errnum = 0;
    while ((found = romsim_view_xattr(view_of(req), node, &cursor, &xattr, &err)) == 1) {
        if (may_see(req, xattr.name))
            romsim_buffer_append(&names, xattr.name, strlen(xattr.name) + 1);
        romsim_xattr_release(&xattr);
        if (names.failed)
            break;
    }
    if (found < 0)
        reply_failure(req, node, &err);
    else if (names.failed)
        fuse_reply_err(req, names.failed == EFBIG ? E2BIG : names.failed);
    else
        reply_sized(req, names.data, names.size, size);
}

/* ---- the session ------------------------------------------------------------------------ */

/* What is missing here libfuse answers with ENOSYS; the kernel refuses to write by itself (ro). */
static const struct fuse_lowlevel_ops operations = {
    .init = ll_init,
    .lookup = ll_lookup,
    .forget = ll_forget,
    .forget_multi = ll_forget_multi,
    .getattr = ll_getattr,
    .readlink = ll_readlink,
    .open = ll_open,
    .read = ll_read,
    .opendir = ll_opendir,
    .readdir = ll_readdir,
    .readdirplus = ll_readdirplus,
    .statfs = ll_statfs,
    .getxattr = ll_getxattr,
    .listxattr = ll_listxattr,
};

/* libfuse's own words go nowhere: only sim/cli prints. */
static void drop_message(enum fuse_log_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
}

struct fuse_session *ll_session_new(struct ll *ll, int fd, struct romsim_error *err)
{
    char program[] = "romsim";
    char *argv[] = {program, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fuse_session *session;
    char path[32];

    fuse_set_log_func(drop_message);
    session = fuse_session_new(&args, &operations, sizeof(operations), ll);
    fuse_opt_free_args(&args);
    /* libfuse takes a mounted descriptor by this name (fuse_session_mount()'s documentation). */
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    if (!session || fuse_session_mount(session, path) != 0) {
        romsim_error_set(err, ENOMEM, "libfuse cannot make a session");
        if (session)
            fuse_session_destroy(session);
        close(fd);
        return NULL;
    }
    return session;
}
