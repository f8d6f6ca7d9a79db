/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_extract.c: `romsim rom extract`: the files of an image as files of the host.
 *
 * Nothing is written outside the target: every path is resolved by the kernel beneath the target's
 * descriptor with no symlink followed (openat2), whatever else happens in the target meanwhile.
 * Nothing that exists is replaced or changed.  Symlinks that lead out of the target are refused
 * unless they are asked for.  What the user may not do (owners, devices, xattrs of the system) is
 * left out, and said once.  What small images with much data may do to a disk, rom_limit.h says.
 *
 * A signal that asks for the end is looked for between files and pieces of them, so that no part of
 * a file is left, and what is there is said.
 */
#include "sim/cli/rom_limit.h"

#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* What is all zeros in a file's block becomes a hole; what is refused is said so many times. */
enum { PIECE = 1 << 20, BLOCK = 4096, REPORTS_MAX = 20 };

struct extraction {
    const char *directory;
    struct rom_image image;
    struct rom_listing listing;
    int target;
    bool is_root, all_links, as_json, no_limit;
    bool *is_made; /* of each entry: by us, so that its metadata is ours to set */
    size_t made;
    size_t refused; /* the first REPORTS_MAX are reported */
    size_t refused_links, existing;
    size_t skipped_owners, skipped_setids, skipped_devices, skipped_xattrs;
    size_t damaged_xattrs;            /* files that have not all of theirs */
    struct romsim_error xattrs_error; /* why no more xattrs are set, if errnum */
    struct rom_names names;
    uint8_t *buffer;
    sigset_t ending; /* the signals to look for */
    int ended_by;    /* the one that came, or 0 */
};

/* ---- signals ------------------------------------------------------------------------------ */

/* From here on they wait until is_ended() looks.  One that the caller ignores stays ignored. */
static void hold_signals(struct extraction *extraction)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;

    sigemptyset(&extraction->ending);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&extraction->ending, signals[i]);
    sigprocmask(SIG_BLOCK, &extraction->ending, NULL);
}

static bool is_ended(struct extraction *extraction)
{
    const struct timespec now = {0};
    int number = extraction->ended_by ? 0 : sigtimedwait(&extraction->ending, NULL, &now);

    if (number > 0)
        extraction->ended_by = number;
    return extraction->ended_by != 0;
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
    struct rom_image *image = &extraction->image;
    struct romsim_error *error = &extraction->xattrs_error;
    struct romsim_xattr xattr;
    uint64_t cursor = 0;
    int found = 0;

    while (!error->errnum &&
           (found = romsim_erofs_xattr(image->erofs, inode, &cursor, &xattr, NULL)) > 0) {
        if (romsim_erofs_budget_pay(image->budget, strlen(xattr.name) + xattr.value_size, error) ==
                0 &&
            fsetxattr(fd, xattr.name, xattr.value, xattr.value_size, 0) < 0)
            extraction->skipped_xattrs++;
        romsim_xattr_release(&xattr);
    }
    extraction->damaged_xattrs += found < 0;
}

/* The owner goes before the mode, since chown() clears the set-id bits.  Without the owners these
 * bits would lend the caller's own rights to others: then no file gets them. */
static int set_metadata(struct extraction *extraction, int fd,
                        const struct romsim_erofs_inode *inode)
{
    const struct timespec times[2] = {{.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec},
                                      {.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec}};
    mode_t mode = inode->mode & 07777;

    if (extraction->is_root) {
        if (fchown(fd, inode->uid, inode->gid) < 0)
            return -1;
    } else {
        extraction->skipped_owners += inode->uid != geteuid() || inode->gid != getegid();
        extraction->skipped_setids += (mode & 06000) != 0;
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
                      struct romsim_error *error)
{
    struct romsim_erofs *erofs = extraction->image.erofs;
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
        if (is_ended(extraction))
            return romsim_error_set(error, EINTR, "stopped");
        if (is_hole)
            continue;
        if (romsim_erofs_read(erofs, inode, offset, extraction->buffer, PIECE, &got, error) < 0)
            return -1;
        errnum = write_piece(fd, extraction->buffer, got, offset);
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
    CLEANUP_FREE char *target = romsim_erofs_readlink(extraction->image.erofs, inode, error);
    long depth = extraction->listing.entries.items[index].depth - 1;

    if (!target)
        return -1;
    if (!extraction->all_links && !link_stays_inside(target, depth)) {
        extraction->refused_links++;
        return romsim_error_set(error, EPERM, "a symlink that may lead out of the target, to '%s'",
                                QUOTE(target));
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
    first = inode.links > 1 ? rom_names_first(&extraction->names, &extraction->listing, index) : 0;
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

    extraction->existing += error->errnum == EEXIST;
    if (extraction->refused++ >= REPORTS_MAX)
        return;
    romsim_error_context(error, "%s", path ? QUOTE(path) : "?");
    rom_report(extraction->image.file, error);
}

/* Directories get their modes and times last, from the innermost out; those that were there before
 * keep theirs. */
static void finish_directory(struct extraction *extraction, size_t index)
{
    CLEANUP_FREE char *path =
        extraction->is_made[index] ? rom_path(&extraction->listing, index, true) : NULL;
    struct romsim_erofs_inode inode;
    struct romsim_error error = {0};
    CLEANUP_FD int fd = -1;

    if (!path || rom_inode(&extraction->listing, index, &inode, &error) < 0 || !S_ISDIR(inode.mode))
        return;
    fd = open_beneath(extraction, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
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
    for (size_t i = first; i < count && !is_ended(extraction); i++) {
        struct romsim_error error = {0};

        extraction->is_made[i] = extract_entry(extraction, i, &error) == 0;
        if (extraction->is_made[i])
            extraction->made++;
        else if (!extraction->ended_by)
            report_entry(extraction, i, &error);
    }
    for (size_t i = count; i-- > 0;)
        finish_directory(extraction, i);
}

static json_t *json_result(const struct extraction *extraction)
{
    return json_pack("{s:I, s:I, s:{s:I, s:I, s:I, s:I}}", "made", (json_int_t)extraction->made,
                     "refused", (json_int_t)extraction->refused, "left out", "owners",
                     (json_int_t)extraction->skipped_owners, "setid",
                     (json_int_t)extraction->skipped_setids, "devices",
                     (json_int_t)extraction->skipped_devices, "xattrs",
                     (json_int_t)extraction->skipped_xattrs);
}

static void say_skipped(const struct extraction *extraction)
{
    const char *why = geteuid() == 0 ? "--no-owner" : "you are not root";

    if (extraction->skipped_owners)
        cli_note("%zu files belong to you instead of their owners in the image (%s)",
                 extraction->skipped_owners, why);
    if (extraction->skipped_setids)
        cli_note("%zu files lost their set-user-id and set-group-id bits (%s)",
                 extraction->skipped_setids, why);
    if (extraction->skipped_devices)
        cli_note("%zu devices were left out (%s)", extraction->skipped_devices, why);
    if (extraction->skipped_xattrs)
        cli_note("%zu xattrs could not be set", extraction->skipped_xattrs);
    if (extraction->damaged_xattrs)
        cli_note("%zu files have damaged xattrs, which were left out", extraction->damaged_xattrs);
}

/* What the reports of single files leave open. */
static void say_refused(const struct extraction *extraction)
{
    if (extraction->refused > REPORTS_MAX)
        cli_note("and %zu more files were not made", extraction->refused - REPORTS_MAX);
    if (extraction->existing)
        cli_note("%zu of the files are in '%s' already and were left as they are: use another "
                 "directory",
                 extraction->existing, QUOTE(extraction->directory));
    if (extraction->refused_links)
        cli_note("--all-links makes symlinks that may lead out of the target, too");
    if (extraction->ended_by)
        cli_note("stopped: %zu files are in '%s'", extraction->made, QUOTE(extraction->directory));
}

/* ---- the target --------------------------------------------------------------------------- */

static void hint_parent(struct romsim_error *error, const char *path)
{
    size_t size = strlen(path);
    CLEANUP_FREE char *parent = NULL;

    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 1 && path[size - 1] != '/')
        size--;
    parent = strndup(path, size > 1 ? size - 1 : size);
    if (parent && size > 1)
        romsim_error_hint(error, "make the directory above it first: mkdir -p '%s'", QUOTE(parent));
}

static int open_target(struct extraction *extraction)
{
    const char *path = extraction->directory;
    struct romsim_error error;
    int errnum = mkdir(path, 0777) < 0 ? errno : 0;

    extraction->is_made[0] = !errnum;
    if (!errnum || errnum == EEXIST) {
        extraction->target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (extraction->target >= 0)
            return CLI_OK;
        errnum = errno;
    }
    romsim_error_system(&error, errnum, "cannot unpack into '%s'", QUOTE(path));
    if (errnum == ENOENT)
        hint_parent(&error, path);
    return cli_report(&error);
}

/* Before anything is written. */
static int check_limit(struct extraction *extraction, uint64_t *ret_size)
{
    struct romsim_blob *image = romsim_erofs_blob(extraction->image.erofs);
    uint64_t image_size = romsim_blob_size(image), most = rom_limit(image_size);
    struct romsim_error error = {0};
    bool cut;

    rom_data_size(&extraction->listing, &extraction->names, most, ret_size, &cut);
    if (*ret_size <= most)
        return CLI_OK;
    romsim_error_set(&error, EFBIG, "%s%s of data come out of an image of %s",
                     cut ? "more than " : "", SIZE_TEXT(*ret_size), SIZE_TEXT(image_size));
    romsim_error_hint(&error, "--no-limit unpacks it nevertheless");
    return rom_report(extraction->image.file, &error);
}

static int check_space(struct extraction *extraction, uint64_t size)
{
    struct romsim_error error = {0};
    struct statvfs fs;
    uint64_t space;

    /* Some file systems do not say. */
    if (fstatvfs(extraction->target, &fs) < 0 || !fs.f_blocks)
        return CLI_OK;
    if (!checked_multiply(geteuid() == 0 ? fs.f_bfree : fs.f_bavail, fs.f_frsize, &space) ||
        size <= space)
        return CLI_OK;
    if (extraction->is_made[0])
        rmdir(extraction->directory);
    romsim_error_set(&error, ENOSPC, "%s of data come out of it, '%s' has room for %s",
                     SIZE_TEXT(size), QUOTE(extraction->directory), SIZE_TEXT(space));
    romsim_error_hint(&error, "--no-limit tries it nevertheless");
    return rom_report(extraction->image.file, &error);
}

/* ---- the command -------------------------------------------------------------------------- */

static int prepare(struct extraction *extraction)
{
    struct romsim_error error;
    uint64_t size = 0;
    int status = CLI_OK;

    extraction->is_made = calloc(extraction->listing.entries.count, sizeof(bool));
    extraction->buffer = malloc(PIECE);
    if (!extraction->is_made || !extraction->buffer ||
        rom_names_init(&extraction->names, &extraction->listing) < 0) {
        romsim_error_nomem(&error);
        return cli_report(&error);
    }
    if (!extraction->no_limit)
        status = check_limit(extraction, &size);
    if (status == CLI_OK)
        status = open_target(extraction);
    return status == CLI_OK ? check_space(extraction, size) : status;
}

static int run_loaded(struct extraction *extraction)
{
    int status = prepare(extraction);

    if (status != CLI_OK)
        return status;
    hold_signals(extraction);
    extract_all(extraction);
    if (extraction->as_json)
        cli_print_json(json_result(extraction));
    else
        say_skipped(extraction);
    say_refused(extraction);
    if (extraction->xattrs_error.errnum)
        rom_report(extraction->image.file, &extraction->xattrs_error);
    status = rom_image_end(&extraction->image);
    if (extraction->ended_by)
        return 128 + extraction->ended_by;
    if (extraction->refused || extraction->damaged_xattrs || extraction->xattrs_error.errnum)
        return CLI_FAILED;
    return status;
}

static int run_extract(const struct cli_args *args)
{
    const char *path = args->operand_count > 1 ? args->operands[1] : NULL;
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL;
    struct extraction extraction = {
        .directory = cli_value(args, "output"),
        .target = -1,
        .is_root = geteuid() == 0 && !cli_has(args, "no-owner"),
        .all_links = cli_has(args, "all-links"),
        .as_json = cli_has(args, "json"),
        .no_limit = cli_has(args, "no-limit"),
    };
    struct romsim_error error = {0};
    int status;

    if (!extraction.directory)
        return cli_usage(args, "it needs --output DIR");
    erofs = rom_open(args->operands[0]);
    if (!erofs)
        return CLI_FAILED;
    rom_image_init(&extraction.image, erofs, args->operands[0]);
    if (rom_listing_load(&extraction.image, path, &extraction.listing, &error) < 0)
        status = rom_report(extraction.image.file, &error);
    else
        status = run_loaded(&extraction);
    if (extraction.target >= 0)
        close(extraction.target);
    rom_listing_release(&extraction.listing);
    rom_names_release(&extraction.names);
    free(extraction.is_made);
    free(extraction.buffer);
    return status;
}

static const struct cli_option options[] = {
    {"output", 'o', "DIR", "where to; made if it is not there"},
    {"all-links", 0, NULL, "also make symlinks that lead out of DIR"},
    {"no-owner", 0, NULL, "let everything belong to you, as root too"},
    ROM_OPTION_NO_LIMIT,
    CLI_OPTION_JSON,
    CLI_OPTION_END,
};

const struct cli_command cli_rom_extract = {
    .name = "extract",
    .operands = "FILE [PATH]",
    .operands_min = 1,
    .operands_max = 2,
    .summary = "unpack an EROFS image, or a part of it, into a directory",
    .description =
        "Nothing is written outside DIR, nothing that exists is replaced or changed, and\n"
        "symlinks that lead out of DIR are refused.  Owners are kept for root only; where\n"
        "they are not, devices are left out and set-user-id and set-group-id bits are\n"
        "dropped.\n",
    .options = options,
    .run = run_extract,
};
