/* SPDX-License-Identifier: BSD-3-Clause */
/* extract.c: the files of an image as files of the host, beneath one directory. */
#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/rom_extract.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What is all zeros in a file's block becomes a hole. */
enum { PIECE = 1 << 20, BLOCK = 4096 };

struct extraction {
    const struct romsim_rom_extract_options *options;
    const char *directory;
    struct romsim_rom_look *look;
    struct romsim_rom_listing listing;
    int target;
    bool *is_made; /* of each entry: by us, so that its metadata is ours to set */
    struct romsim_rom_names names;
    uint8_t *buffer;
    struct romsim_rom_extract_result *result;
};

static bool is_ended(struct extraction *extraction)
{
    const struct romsim_rom_extract_options *options = extraction->options;

    if (options->is_ended && options->is_ended(options->context))
        extraction->result->is_ended = true;
    return extraction->result->is_ended;
}

/* ---- beneath the target ------------------------------------------------------------------- */

static int open_beneath(const struct extraction *extraction, const char *path, int flags,
                        mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, extraction->target, path, &how, sizeof(how));
}

/* The directory of an entry, opened, and the entry's name in it. */
static int open_parent(const struct extraction *extraction, size_t index, const char **ret_name)
{
    const struct romsim_rom_listing *listing = &extraction->listing;
    CLEANUP_FREE char *path = romsim_rom_path(listing, listing->entries.items[index].parent, true);

    *ret_name = romsim_rom_name(listing, index);
    if (!path) {
        errno = ENOMEM;
        return -1;
    }
    return open_beneath(extraction, *path ? path : ".", O_PATH | O_DIRECTORY, 0);
}

/* ---- metadata ----------------------------------------------------------------------------- */

static void set_xattrs(struct extraction *extraction, int fd,
                       const struct romsim_erofs_inode *inode)
{
    struct romsim_rom_look *look = extraction->look;
    struct romsim_error *error = &extraction->result->xattrs_error;
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    int found = 0;

    while (!error->errnum &&
           (found = romsim_erofs_xattr(look->erofs, inode, &cursor, &xattr, NULL)) > 0) {
        uint64_t size = strlen(xattr.name) + xattr.value_size;

        if (romsim_erofs_budget_pay(look->budget, size, error) == 0 &&
            fsetxattr(fd, xattr.name, xattr.value, xattr.value_size, 0) < 0)
            extraction->result->xattrs++;
        romsim_xattr_release(&xattr);
    }
    extraction->result->damaged_xattrs += found < 0;
}

/* The owner goes before the mode, since chown() clears the set-id bits.  Without the owners these
 * bits would lend the caller's own rights to others: then no file gets them. */
static int set_metadata(struct extraction *extraction, int fd,
                        const struct romsim_erofs_inode *inode)
{
    const struct timespec times[2] = {{.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec},
                                      {.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec}};
    mode_t mode = inode->mode & 07777;

    if (extraction->options->keep_owners) {
        if (fchown(fd, inode->uid, inode->gid) < 0)
            return -1;
    } else {
        extraction->result->owners += inode->uid != geteuid() || inode->gid != getegid();
        extraction->result->setids += (mode & 06000) != 0;
        mode &= 01777;
    }
    if (inode->xattr_size)
        set_xattrs(extraction, fd, inode);
    if (fchmod(fd, mode) < 0)
        return -1;
    return futimens(fd, times);
}

/* For what cannot be opened: links and devices. */
static int set_metadata_at(struct extraction *extraction, int parent, const char *name,
                           const struct romsim_erofs_inode *inode)
{
    const struct timespec times[2] = {{.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec},
                                      {.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec}};

    if (extraction->options->keep_owners &&
        fchownat(parent, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISLNK(inode->mode) && extraction->options->keep_owners &&
        fchmodat(parent, name, inode->mode & 07777, 0) < 0)
        return -1;
    return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
}

/* ---- files -------------------------------------------------------------------------------- */

/* Is the block at `*at` all zeros?  Moves behind it. */
static bool next_block(const uint8_t *bytes, size_t size, size_t *at)
{
    static const uint8_t zeros[BLOCK];
    size_t start = *at;

    *at += min_u64(BLOCK, size - start);
    return memcmp(bytes + start, zeros, *at - start) == 0;
}

/* Writes what is not zeros into a file that has nothing there yet. */
static int write_piece(int fd, const uint8_t *bytes, size_t size, uint64_t offset)
{
    size_t at = 0, written = 0;

    while (at < size) {
        size_t start = at;
        bool is_zero = next_block(bytes, size, &at);
        size_t end = is_zero ? start : at;
        int errnum = 0;

        if (end > written && (is_zero || at == size))
            errnum = romsim_write_fully(fd, bytes + written, end - written, offset + written);
        if (errnum != 0)
            return errnum;
        if (is_zero)
            written = at;
    }
    return 0;
}

/* Holes stay holes, and zeros become some: images have files of zeros that no disk holds. */
static int write_data(struct extraction *extraction, int fd, const struct romsim_erofs_inode *inode,
                      struct romsim_error *err)
{
    struct romsim_erofs *erofs = extraction->look->erofs;
    uint64_t size;
    size_t got;
    int errnum;

    if (ftruncate(fd, (off_t)inode->size) < 0)
        return romsim_error_system(err, errno, "cannot make a file of %llu bytes",
                                   (unsigned long long)inode->size);
    for (uint64_t offset = 0; offset < inode->size; offset += size) {
        int is_hole = romsim_erofs_hole(erofs, inode, offset, &size, err);

        if (is_hole < 0)
            return -1;
        if (is_ended(extraction))
            return romsim_error_set(err, EINTR, "stopped");
        if (is_hole)
            continue;
        if (romsim_erofs_read(erofs, inode, offset, extraction->buffer, PIECE, &got, err) < 0)
            return -1;
        errnum = write_piece(fd, extraction->buffer, got, offset);
        if (errnum != 0)
            return romsim_error_system(err, errnum, "cannot write");
        size = got;
    }
    return 0;
}

static int extract_file(struct extraction *extraction, int parent, const char *name,
                        const struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    CLEANUP_FD int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return romsim_error_system(err, errno, "cannot make it");
    if (write_data(extraction, fd, inode, err) < 0) {
        unlinkat(parent, name, 0);
        return -1;
    }
    if (set_metadata(extraction, fd, inode) < 0)
        return romsim_error_system(err, errno, "cannot set its owner, mode or time");
    return 0;
}

/* Does a link from a file `depth` directories below the target stay beneath it?  The names on its
 * way may be links themselves, from which ".." goes up elsewhere: it is good at the beginning only,
 * where it goes up from the link's own directory. */
static bool link_stays_inside(const char *target, long depth)
{
    bool is_up = true;

    if (*target == '/')
        return false;
    while (*target) {
        size_t size = strcspn(target, "/");

        if (size == 2 && target[0] == '.' && target[1] == '.')
            depth = is_up ? depth - 1 : -1;
        else if (size && !(size == 1 && target[0] == '.'))
            is_up = false;
        if (depth < 0)
            return false;
        target += size;
        target += strspn(target, "/");
    }
    return true;
}

static int extract_link(struct extraction *extraction, int parent, size_t index,
                        const struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    const char *name = romsim_rom_name(&extraction->listing, index);
    CLEANUP_FREE char *target = romsim_erofs_readlink(extraction->look->erofs, inode, err);
    long depth = extraction->listing.entries.items[index].depth - 1;

    if (!target)
        return -1;
    if (!extraction->options->all_links && !link_stays_inside(target, depth)) {
        extraction->result->refused_links++;
        return romsim_error_set(err, EPERM, "a symlink that may lead out of the target, to '%s'",
                                QUOTE(target));
    }
    if (symlinkat(target, parent, name) < 0)
        return romsim_error_system(err, errno, "cannot make it");
    if (set_metadata_at(extraction, parent, name, inode) < 0)
        return romsim_error_system(err, errno, "cannot set its owner or time");
    return 0;
}

static int extract_special(struct extraction *extraction, int parent, const char *name,
                           const struct romsim_erofs_inode *inode, struct romsim_error *err)
{
    dev_t device = makedev(romsim_rom_major(inode->rdev), romsim_rom_minor(inode->rdev));

    if (!extraction->options->keep_owners && (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))) {
        extraction->result->devices++;
        return 0;
    }
    if (mknodat(parent, name, (inode->mode & S_IFMT) | (inode->mode & 0777), device) < 0)
        return romsim_error_system(err, errno, "cannot make it");
    if (set_metadata_at(extraction, parent, name, inode) < 0)
        return romsim_error_system(err, errno, "cannot set its owner, mode or time");
    return 0;
}

static int extract_hard_link(struct extraction *extraction, int parent, const char *name,
                             size_t first, struct romsim_error *err)
{
    const char *first_name;
    CLEANUP_FD int first_parent = open_parent(extraction, first, &first_name);

    if (first_parent < 0 || linkat(first_parent, first_name, parent, name, 0) < 0)
        return romsim_error_system(err, errno, "cannot make a hard link");
    return 0;
}

static int extract_entry(struct extraction *extraction, size_t index, struct romsim_error *err)
{
    const char *name;
    CLEANUP_FD int parent = open_parent(extraction, index, &name);
    struct romsim_erofs_inode inode;
    size_t first;

    if (romsim_rom_inode(&extraction->listing, index, &inode, err) < 0)
        return -1;
    if (parent < 0)
        return romsim_error_system(err, errno, "its directory cannot be opened");
    if (S_ISDIR(inode.mode))
        return mkdirat(parent, name, 0700) < 0 ? romsim_error_system(err, errno, "cannot make it")
                                               : 0;
    first = inode.links > 1
                ? romsim_rom_names_first(&extraction->names, &extraction->listing, index)
                : 0;
    if (first)
        return extract_hard_link(extraction, parent, name, first, err);
    if (S_ISREG(inode.mode))
        return extract_file(extraction, parent, name, &inode, err);
    if (S_ISLNK(inode.mode))
        return extract_link(extraction, parent, index, &inode, err);
    return extract_special(extraction, parent, name, &inode, err);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void refuse_entry(struct extraction *extraction, size_t index, struct romsim_error *error)
{
    const struct romsim_rom_extract_options *options = extraction->options;
    CLEANUP_FREE char *path = romsim_rom_path(&extraction->listing, index, false);

    extraction->result->refused++;
    extraction->result->existing += error->errnum == EEXIST;
    if (options->refused)
        options->refused(options->context, path ? path : "?", error);
}

/* Directories get their modes and times last, from the innermost out; those that were there before
 * keep theirs. */
static void finish_directory(struct extraction *extraction, size_t index)
{
    CLEANUP_FREE char *path =
        extraction->is_made[index] ? romsim_rom_path(&extraction->listing, index, true) : NULL;
    struct romsim_erofs_inode inode;
    struct romsim_error error = {0};
    CLEANUP_FD int fd = -1;

    if (!path || romsim_rom_inode(&extraction->listing, index, &inode, &error) < 0 ||
        !S_ISDIR(inode.mode))
        return;
    fd = open_beneath(extraction, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0 && set_metadata(extraction, fd, &inode) == 0)
        return;
    romsim_error_system(&error, errno, "cannot set its owner, mode or time");
    refuse_entry(extraction, index, &error);
}

static void extract_all(struct extraction *extraction)
{
    size_t count = extraction->listing.entries.count;
    struct romsim_erofs_inode inode;
    size_t first = 1;

    /* A single file is asked for: it is its own parent in the listing. */
    if (romsim_rom_inode(&extraction->listing, 0, &inode, NULL) == 0 && !S_ISDIR(inode.mode))
        first = 0;
    for (size_t i = first; i < count && !is_ended(extraction); i++) {
        struct romsim_error error = {0};

        extraction->is_made[i] = extract_entry(extraction, i, &error) == 0;
        if (extraction->is_made[i])
            extraction->result->made++;
        else if (!extraction->result->is_ended)
            refuse_entry(extraction, i, &error);
    }
    for (size_t i = count; i-- > 0;)
        finish_directory(extraction, i);
}

/* ---- the target --------------------------------------------------------------------------- */

static void hint_parent(struct romsim_error *err, const char *path)
{
    size_t size = strlen(path);
    CLEANUP_FREE char *parent = NULL;

    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 1 && path[size - 1] != '/')
        size--;
    parent = strndup(path, size > 1 ? size - 1 : size);
    if (parent && size > 1)
        romsim_error_hint(err, "make the directory above it first: mkdir -p '%s'", QUOTE(parent));
}

static int open_target(struct extraction *extraction, struct romsim_error *err)
{
    const char *path = extraction->directory;
    int errnum = mkdir(path, 0777) < 0 ? errno : 0;

    extraction->is_made[0] = !errnum;
    if (!errnum || errnum == EEXIST) {
        extraction->target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (extraction->target >= 0)
            return 0;
        errnum = errno;
    }
    extraction->result->is_target = true;
    romsim_error_system(err, errnum, "cannot unpack into '%s'", QUOTE(path));
    if (errnum == ENOENT)
        hint_parent(err, path);
    return -1;
}

/* Before anything is written. */
static int check_limit(struct extraction *extraction, uint64_t *ret_size, struct romsim_error *err)
{
    uint64_t image_size = romsim_blob_size(romsim_erofs_blob(extraction->look->erofs));
    uint64_t most = romsim_rom_limit(image_size);
    bool cut;

    romsim_rom_data_size(&extraction->listing, &extraction->names, most, ret_size, &cut);
    if (*ret_size <= most)
        return 0;
    return romsim_error_set(err, EDQUOT, "%s%s of data come out of an image of %s",
                            cut ? "more than " : "", SIZE_TEXT(*ret_size), SIZE_TEXT(image_size));
}

static int check_space(struct extraction *extraction, uint64_t size, struct romsim_error *err)
{
    struct statvfs fs;
    uint64_t space;

    /* Some file systems do not say. */
    if (fstatvfs(extraction->target, &fs) < 0 || !fs.f_blocks)
        return 0;
    if (!checked_multiply(geteuid() == 0 ? fs.f_bfree : fs.f_bavail, fs.f_frsize, &space) ||
        size <= space)
        return 0;
    if (extraction->is_made[0])
        rmdir(extraction->directory);
    return romsim_error_set(err, ENOSPC, "%s of data come out of it, '%s' has room for %s",
                            SIZE_TEXT(size), QUOTE(extraction->directory), SIZE_TEXT(space));
}

static int prepare(struct extraction *extraction, const char *path, struct romsim_error *err)
{
    uint64_t size = 0;

    if (romsim_rom_listing_load(extraction->look, path, &extraction->listing, err) < 0)
        return -1;
    extraction->is_made = calloc(extraction->listing.entries.count, sizeof(bool));
    extraction->buffer = malloc(PIECE);
    if (!extraction->is_made || !extraction->buffer ||
        romsim_rom_names_init(&extraction->names, &extraction->listing) < 0)
        return romsim_error_nomem(err);
    if (!extraction->options->no_limit && check_limit(extraction, &size, err) < 0)
        return -1;
    if (open_target(extraction, err) < 0)
        return -1;
    return extraction->options->no_limit ? 0 : check_space(extraction, size, err);
}

int romsim_rom_extract(struct romsim_rom_look *look, const char *path, const char *directory,
                       const struct romsim_rom_extract_options *options,
                       struct romsim_rom_extract_result *ret, struct romsim_error *err)
{
    struct extraction extraction = {
        .options = options, .directory = directory, .look = look, .target = -1, .result = ret};
    int status;

    *ret = (struct romsim_rom_extract_result){0};
    status = prepare(&extraction, path, err);
    if (status == 0)
        extract_all(&extraction);
    if (extraction.target >= 0)
        close(extraction.target);
    romsim_rom_listing_release(&extraction.listing);
    romsim_rom_names_release(&extraction.names);
    free(extraction.is_made);
    free(extraction.buffer);
    return status;
}
