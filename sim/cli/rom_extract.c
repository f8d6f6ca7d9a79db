/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_extract.c: `romsim rom extract`: the files of an image as files of the host.
 *
 * Nothing is written outside the target: every path is resolved by the kernel beneath the target's
 * descriptor with no symlink followed (openat2), whatever else happens in the target meanwhile.
 * Nothing that exists is replaced.  Symlinks that lead out of the target are refused unless they
 * are asked for.  What the user may not do (owners, devices, xattrs of the system) is left out, and
 * said once.
 */
#include "sim/cli/rom.h"

#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { PIECE = 1 << 20 };

struct extraction {
    const char *file;
    struct rom_listing listing;
    int target;
    bool is_root, all_links, as_json;
    size_t made;
    size_t refused; /* and reported */
    size_t skipped_owners, skipped_devices, skipped_xattrs;
    uint32_t *first_names; /* of hard-linked files: by nid, see find_first() */
    size_t first_count;
    uint8_t *buffer;
};

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
    const struct rom_listing *listing = &extraction->listing;
    CLEANUP_FREE char *path = rom_path(listing, listing->entries.items[index].parent, true);

    *ret_name = rom_name(listing, index);
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
    struct romsim_xattr xattr;
    uint64_t cursor = 0;

    while (romsim_erofs_xattr(extraction->listing.erofs, inode, &cursor, &xattr, NULL) > 0) {
        if (fsetxattr(fd, xattr.name, xattr.value, xattr.value_size, 0) < 0)
            extraction->skipped_xattrs++;
        romsim_xattr_release(&xattr);
    }
}

/* Owner before mode: chown() clears the set-id bits.  An ordinary user's files get none. */
static int set_metadata(struct extraction *extraction, int fd,
                        const struct romsim_erofs_inode *inode)
{
    const struct timespec times[2] = {{.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec},
                                      {.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec}};
    mode_t mode = inode->mode & 07777;

    if (extraction->is_root) {
        if (fchown(fd, inode->uid, inode->gid) < 0)
            return -1;
    } else if (inode->uid != geteuid() || inode->gid != getegid()) {
        extraction->skipped_owners++;
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

    if (extraction->is_root &&
        fchownat(parent, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISLNK(inode->mode) && extraction->is_root &&
        fchmodat(parent, name, inode->mode & 07777, 0) < 0)
        return -1;
    return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
}

/* ---- files -------------------------------------------------------------------------------- */

/* Holes stay holes. */
static int write_data(struct extraction *extraction, int fd, const struct romsim_erofs_inode *inode,
                      struct romsim_error *error)
{
    struct romsim_erofs *erofs = extraction->listing.erofs;
    uint64_t size;
    size_t got;
    int errnum;

    if (ftruncate(fd, (off_t)inode->size) < 0)
        return romsim_error_system(error, errno, "cannot make a file of %llu bytes",
                                   (unsigned long long)inode->size);
    for (uint64_t offset = 0; offset < inode->size; offset += size) {
        int is_hole = romsim_erofs_hole(erofs, inode, offset, &size, error);

        if (is_hole < 0)
            return -1;
        if (is_hole)
            continue;
        if (romsim_erofs_read(erofs, inode, offset, extraction->buffer, PIECE, &got, error) < 0)
            return -1;
        errnum = romsim_write_fully(fd, extraction->buffer, got, offset);
        if (errnum != 0)
            return romsim_error_system(error, errnum, "cannot write");
        size = got;
    }
    return 0;
}

static int extract_file(struct extraction *extraction, int parent, const char *name,
                        const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    CLEANUP_FD int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return romsim_error_system(error, errno, "cannot make it");
    if (write_data(extraction, fd, inode, error) < 0) {
        unlinkat(parent, name, 0);
        return -1;
    }
    if (set_metadata(extraction, fd, inode) < 0)
        return romsim_error_system(error, errno, "cannot set its owner, mode or time");
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
                        const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    const char *name = rom_name(&extraction->listing, index);
    CLEANUP_FREE char *target = romsim_erofs_readlink(extraction->listing.erofs, inode, error);
    long depth = extraction->listing.entries.items[index].depth - 1;

    if (!target)
        return -1;
    if (!extraction->all_links && !link_stays_inside(target, depth)) {
        romsim_error_set(error, EPERM, "a symlink that may lead out of the target, to '%s'",
                         QUOTE(target));
        return romsim_error_hint(error, "--all-links makes such symlinks, too");
    }
    if (symlinkat(target, parent, name) < 0)
        return romsim_error_system(error, errno, "cannot make it");
    if (set_metadata_at(extraction, parent, name, inode) < 0)
        return romsim_error_system(error, errno, "cannot set its owner or time");
    return 0;
}

static int extract_special(struct extraction *extraction, int parent, const char *name,
                           const struct romsim_erofs_inode *inode, struct romsim_error *error)
{
    dev_t device = makedev(rom_major(inode->rdev), rom_minor(inode->rdev));

    if (!extraction->is_root && (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))) {
        extraction->skipped_devices++;
        return 0;
    }
    if (mknodat(parent, name, (inode->mode & S_IFMT) | (inode->mode & 0777), device) < 0)
        return romsim_error_system(error, errno, "cannot make it");
    if (set_metadata_at(extraction, parent, name, inode) < 0)
        return romsim_error_system(error, errno, "cannot set its owner, mode or time");
    return 0;
}

/* The earlier entry with the same inode, or 0.  The table has a slot for each bit of a nid's hash;
 * a collision only costs a comparison more. */
static size_t find_first(struct extraction *extraction, size_t index)
{
    const struct rom_entry *entries = extraction->listing.entries.items;
    uint64_t nid = entries[index].nid;
    size_t slot = (nid * UINT64_C(0x9E3779B97F4A7C15) >> 20) % extraction->first_count;

    while (extraction->first_names[slot]) {
        size_t other = extraction->first_names[slot] - 1;

        if (entries[other].nid == nid)
            return other;
        slot = (slot + 1) % extraction->first_count;
    }
    extraction->first_names[slot] = (uint32_t)index + 1;
    return 0;
}

static int extract_hard_link(struct extraction *extraction, int parent, const char *name,
                             size_t first, struct romsim_error *error)
{
    const char *first_name;
    CLEANUP_FD int first_parent = open_parent(extraction, first, &first_name);

    if (first_parent < 0 || linkat(first_parent, first_name, parent, name, 0) < 0)
        return romsim_error_system(error, errno, "cannot make a hard link");
    return 0;
}

static int extract_entry(struct extraction *extraction, size_t index, struct romsim_error *error)
{
    const char *name;
    CLEANUP_FD int parent = open_parent(extraction, index, &name);
    struct romsim_erofs_inode inode;
    size_t first;

    if (rom_inode(&extraction->listing, index, &inode, error) < 0)
        return -1;
    if (parent < 0)
        return romsim_error_system(error, errno, "its directory cannot be opened");
    if (S_ISDIR(inode.mode))
        return mkdirat(parent, name, 0700) < 0 ? romsim_error_system(error, errno, "cannot make it")
                                               : 0;
    first = inode.links > 1 ? find_first(extraction, index) : 0;
    if (first)
        return extract_hard_link(extraction, parent, name, first, error);
    if (S_ISREG(inode.mode))
        return extract_file(extraction, parent, name, &inode, error);
    if (S_ISLNK(inode.mode))
        return extract_link(extraction, parent, index, &inode, error);
    return extract_special(extraction, parent, name, &inode, error);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void report_entry(struct extraction *extraction, size_t index, struct romsim_error *error)
{
    CLEANUP_FREE char *path = rom_path(&extraction->listing, index, false);

    romsim_error_context(error, "%s", path ? QUOTE(path) : "?");
    rom_report(extraction->file, error);
    extraction->refused++;
}

/* Directories get their modes and times last, from the innermost out. */
static void finish_directory(struct extraction *extraction, size_t index)
{
    CLEANUP_FREE char *path = rom_path(&extraction->listing, index, true);
    struct romsim_erofs_inode inode;
    struct romsim_error error = {0};
    CLEANUP_FD int fd = -1;

    if (!path || rom_inode(&extraction->listing, index, &inode, &error) < 0 || !S_ISDIR(inode.mode))
        return;
    fd = open_beneath(extraction, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT)
        return; /* it was not made, and that was reported */
    if (fd >= 0 && set_metadata(extraction, fd, &inode) == 0)
        return;
    romsim_error_system(&error, errno, "cannot set its owner, mode or time");
    report_entry(extraction, index, &error);
}

static void extract_all(struct extraction *extraction)
{
    size_t count = extraction->listing.entries.count;
    struct romsim_erofs_inode inode;
    size_t first = 1;

    /* A single file is asked for: it is its own parent in the listing. */
    if (rom_inode(&extraction->listing, 0, &inode, NULL) == 0 && !S_ISDIR(inode.mode))
        first = 0;
    for (size_t i = first; i < count; i++) {
        struct romsim_error error = {0};

        if (extract_entry(extraction, i, &error) < 0)
            report_entry(extraction, i, &error);
        else
            extraction->made++;
    }
    for (size_t i = count; i-- > 0;)
        finish_directory(extraction, i);
}

static json_t *json_result(const struct extraction *extraction)
{
    return json_pack("{s:I, s:I, s:{s:I, s:I, s:I}}", "made", (json_int_t)extraction->made,
                     "refused", (json_int_t)extraction->refused, "left out", "owners",
                     (json_int_t)extraction->skipped_owners, "devices",
                     (json_int_t)extraction->skipped_devices, "xattrs",
                     (json_int_t)extraction->skipped_xattrs);
}

static void say_skipped(const struct extraction *extraction)
{
    if (extraction->skipped_owners)
        cli_note("%zu files belong to you instead of their owners in the image (you are not root)",
                 extraction->skipped_owners);
    if (extraction->skipped_devices)
        cli_note("%zu devices were left out (you are not root)", extraction->skipped_devices);
    if (extraction->skipped_xattrs)
        cli_note("%zu xattrs could not be set", extraction->skipped_xattrs);
}

static int open_target(const char *path)
{
    int fd;

    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        fd = -1;
    else
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        struct romsim_error error;

        romsim_error_system(&error, errno, "cannot unpack into '%s'", QUOTE(path));
        cli_report(&error);
    }
    return fd;
}

static int run_loaded(struct extraction *extraction)
{
    struct romsim_error error;

    extraction->first_count = extraction->listing.entries.count * 2 + 1;
    extraction->first_names = calloc(extraction->first_count, sizeof(uint32_t));
    extraction->buffer = malloc(PIECE);
    if (!extraction->first_names || !extraction->buffer) {
        romsim_error_nomem(&error);
        return cli_report(&error);
    }
    extract_all(extraction);
    if (extraction->as_json)
        cli_print_json(json_result(extraction));
    else
        say_skipped(extraction);
    return extraction->refused ? CLI_FAILED : CLI_OK;
}

static int run_extract(const struct cli_args *args)
{
    const char *file = args->operands[0], *directory = cli_value(args, "output");
    const char *path = args->operand_count > 1 ? args->operands[1] : NULL;
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL;
    struct extraction extraction = {
        .file = file,
        .target = -1,
        .is_root = geteuid() == 0 && !cli_has(args, "no-owner"),
        .all_links = cli_has(args, "all-links"),
        .as_json = cli_has(args, "json"),
    };
    int status;

    if (!directory)
        return cli_usage(args, "it needs --output DIR");
    erofs = rom_open(file);
    if (!erofs)
        return CLI_FAILED;
    status = rom_listing_load(erofs, file, path, true, &extraction.listing);
    if (status == CLI_OK)
        extraction.target = open_target(directory);
    if (status == CLI_OK && extraction.target < 0)
        status = CLI_FAILED;
    if (status == CLI_OK)
        status = run_loaded(&extraction);
    if (extraction.target >= 0)
        close(extraction.target);
    rom_listing_release(&extraction.listing);
    free(extraction.first_names);
    free(extraction.buffer);
    return status;
}

static const struct cli_option options[] = {
    {"output", 'o', "DIR", "where to; made if it is not there"},
    {"all-links", 0, NULL, "also make symlinks that lead out of DIR"},
    {"no-owner", 0, NULL, "let everything belong to you"},
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_rom_extract = {
    .name = "extract",
    .operands = "FILE [PATH]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "unpack an EROFS image, or a part of it, into a directory",
    .description = "Nothing is written outside DIR, nothing that exists is replaced, and symlinks\n"
                   "that lead out of DIR are refused.\n",
    .options = options,
    .run = run_extract,
};
