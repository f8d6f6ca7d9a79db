/* SPDX-License-Identifier: BSD-3-Clause */
/* cache.c: see cache.h for the theory of operation. */
#include "sim/image/cache.h"
#include "sim/image/newfile.h"
#include "sim/image/store.h"

#include <romsim/checked.h>
#include <romsim/erofs.h>
#include <romsim/image.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* To be raised when the writer makes other bytes of the same tree. */
#define CACHE_VERSION "romsim root 3"

enum { UNSAFE_SECONDS = 2, KEEP_SECONDS = 30 * 24 * 3600 };

static const char temporary_prefix[] = ".new-";
static const char shared_name[] = "roots"; /* beneath the shared store */

int cache_key_make(const char *domain, const void *bytes, size_t size, struct cache_key *ret,
                   struct romsim_error *err)
{
    struct romsim_sha256 *sha256 = romsim_sha256_new();
    uint8_t digest[ROMSIM_SHA256_SIZE];

    if (!sha256)
        return romsim_error_nomem(err);
    romsim_sha256_update(sha256, CACHE_VERSION, sizeof(CACHE_VERSION));
    romsim_sha256_update(sha256, domain, strlen(domain) + 1);
    romsim_sha256_update(sha256, bytes, size);
    romsim_sha256_final(sha256, digest);
    romsim_sha256_free(sha256);
    romsim_text_hex(digest, sizeof(digest), ret->hex);
    return 0;
}

bool cache_time_is_safe(int64_t newest_change)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return newest_change <= now.tv_sec - UNSAFE_SECONDS;
}

int cache_key_of_file(const struct stat *st, struct cache_key *ret, struct romsim_error *err)
{
    const int64_t identity[] = {
        (int64_t)st->st_dev, (int64_t)st->st_ino, st->st_size,         st->st_mtim.tv_sec,
        st->st_mtim.tv_nsec, st->st_ctim.tv_sec,  st->st_ctim.tv_nsec,
    };

    return cache_key_make("file", identity, sizeof(identity), ret, err);
}

static int open_folder(struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_cache("roots", err);
    int fd;

    if (!path)
        return -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? romsim_error_system(err, errno, "cannot open the cache '%s'", QUOTE(path)) : fd;
}

static void root_name(const struct cache_key *key, char ret[80])
{
    snprintf(ret, 80, "%s.erofs", key->hex);
}

/* A root of the cache whose end was lost with the machine's power is not used. */
static bool root_is_whole(struct romsim_blob *root)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(root, NULL);
    struct romsim_erofs_super super;
    struct romsim_erofs_inode inode;
    uint64_t size;

    if (!erofs || romsim_erofs_inode(erofs, romsim_erofs_root(erofs), &inode, NULL) < 0)
        return false;
    romsim_erofs_super(erofs, &super);
    return checked_shift_left(super.blocks, super.block_bits, &size) &&
           size == romsim_blob_size(root);
}

/* The folder with the roots of the shared image store, or -1: there is none to be trusted. */
static int open_shared(void)
{
    const char *store = store_shared_path();
    CLEANUP_FREE char *path = store ? romsim_path_join(store, shared_name) : NULL;
    CLEANUP_FD int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !store_is_safe(&st, geteuid(), WRITABLE_BY_OTHERS))
        return -1;
    return steal_fd(&fd);
}

/* The root of a name in a folder: 1 and *ret, 0 if there is none, -1. */
static int find_in(int folder, const char *name, bool is_shared, struct romsim_blob **ret,
                   struct romsim_error *err)
{
    CLEANUP_FD int fd =
        folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEANUP_BLOB struct romsim_blob *root = NULL;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (is_shared && !store_is_safe(&st, geteuid(), WRITABLE_BY_OTHERS)))
        return 0;
    if (!is_shared)
        futimens(fd, NULL); /* it is in use: cache_sweep() */
    root = romsim_blob_take_fd(steal_fd(&fd), err);
    if (!root)
        return -1;
    if (!root_is_whole(root)) {
        if (!is_shared)
            unlinkat(folder, name, 0);
        return 0;
    }
    *ret = STEAL_POINTER(&root);
    return 1;
}

int cache_find(const struct cache_key *key, struct romsim_blob **ret, struct romsim_error *err)
{
    CLEANUP_FD int folder = open_folder(NULL);
    CLEANUP_FD int shared = open_shared();
    char name[80];
    int found;

    root_name(key, name);
    found = find_in(folder, name, false, ret, err);
    return found ? found : find_in(shared, name, true, ret, err);
}

int cache_share(int store, struct romsim_blob *root, const struct cache_key *key,
                const struct cache_key *second, struct romsim_error *err)
{
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    CLEANUP_FD int folder = -1;
    char name[80], other[80];

    root_name(key, name);
    root_name(second, other);
    if (mkdirat(store, shared_name, 0755) < 0 && errno != EEXIST)
        return romsim_error_system(err, errno, "cannot make the folder '%s'", shared_name);
    folder = openat(store, shared_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return romsim_error_system(err, errno, "cannot open the folder '%s'", shared_name);
    if (newfile_open(folder, shared_name, &file, err) < 0 ||
        newfile_write_blob(&file, root, 0, err) < 0 || newfile_keep(&file, name, err) < 0)
        return -1;
    unlinkat(folder, other, 0);
    if (linkat(folder, name, folder, other, 0) < 0)
        return romsim_error_system(err, errno, "cannot write '%s'", other);
    return 0;
}

void cache_link(const struct cache_key *key, const struct cache_key *second)
{
    CLEANUP_FD int folder = open_folder(NULL);
    char from[80], to[80];

    root_name(key, from);
    root_name(second, to);
    if (folder >= 0 && linkat(folder, from, folder, to, 0) < 0)
        return; /* the next time its layers are checked again */
}

/* A file to write a root to: without a name where the file system can, else with one that says
 * that it is not finished and a lock that says that somebody is at it. */
static int open_new(int folder, char ret_name[32])
{
    int fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(ret_name, 32, "%s%d-%u", temporary_prefix, (int)getpid(), i);
        fd = openat(folder, ret_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            flock(fd, LOCK_EX | LOCK_NB);
            return fd;
        }
        if (errno != EEXIST)
            break;
    }
    ret_name[0] = '\0';
    return -1;
}

/* Whoever was quicker has put the same bytes there. */
static void keep(int folder, int fd, const char *temporary, const struct cache_key *key)
{
    char name[80], source[40];

    root_name(key, name);
    if (*temporary) {
        renameat(folder, temporary, folder, name);
        return;
    }
    snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, source, folder, name, AT_SYMLINK_FOLLOW) < 0)
        return; /* not kept */
}

/* Writes and verifies. */
static struct romsim_blob *build(struct romsim_tree *tree, int fd, struct romsim_error *err)
{
    CLEANUP_EROFS_SUMS struct romsim_erofs_sums *sums = romsim_erofs_sums_new();
    const struct romsim_erofs_options options = {.sums = sums};
    CLEANUP_BLOB struct romsim_blob *root = NULL;
    int copy;

    if (!sums) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (romsim_erofs_write(tree, &options, fd, NULL, err) < 0)
        return NULL;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        romsim_error_system(err, errno, "cannot open the new root");
        return NULL;
    }
    root = romsim_blob_take_fd(copy, err);
    if (!root || romsim_erofs_verify_sums(tree, sums, root, err) < 0)
        return NULL;
    return STEAL_POINTER(&root);
}

struct romsim_blob *cache_build(const struct cache_key *key, struct romsim_tree *tree,
                                struct romsim_error *err)
{
    CLEANUP_FD int folder = open_folder(NULL);
    CLEANUP_FD int fd = -1;
    struct romsim_blob *root;
    char temporary[32] = "";

    if (folder >= 0) {
        cache_sweep(KEEP_SECONDS, NULL, NULL);
        fd = open_new(folder, temporary);
    }
    if (fd < 0) { /* it cannot be kept: no home, or one that may only be read */
        key = NULL;
        fd = romsim_blob_scratch_file(err);
    }
    if (fd < 0)
        return NULL;
    root = build(tree, fd, err);
    if (root && key)
        keep(folder, fd, temporary, key);
    if (*temporary)
        unlinkat(folder, temporary, 0); /* not there any more if it was kept */
    return root;
}

/* Is it an unfinished root whose maker is gone? */
static bool is_abandoned(int folder, const char *name)
{
    CLEANUP_FD int fd = -1;

    if (strncmp(name, temporary_prefix, strlen(temporary_prefix)) != 0)
        return false;
    fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Former versions had locks beside the roots. */
static bool is_old_lock(const char *name)
{
    return strncmp(name, "lock-", 5) == 0;
}

static bool is_unused(int folder, const char *name, int64_t seconds, struct stat *st)
{
    const char *suffix = strrchr(name, '.');

    return suffix && strcmp(suffix, ".erofs") == 0 &&
           fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode) &&
           st->st_mtim.tv_sec <= time(NULL) - seconds;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

int cache_sweep(int64_t seconds, uint64_t *ret_bytes, struct romsim_error *err)
{
    CLEANUP_FD int folder = open_folder(err);
    CLEANUP(close_directory) DIR *directory = folder < 0 ? NULL : fdopendir(folder);
    const struct dirent *entry;
    uint64_t bytes = 0;
    struct stat st;

    if (!directory)
        return -1;
    steal_fd(&folder);
    while ((entry = readdir(directory))) {
        if (is_unused(dirfd(directory), entry->d_name, seconds, &st)) {
            bytes += st.st_nlink == 1 ? (uint64_t)st.st_blocks * 512 : 0;
            unlinkat(dirfd(directory), entry->d_name, 0);
        } else if (is_old_lock(entry->d_name) || is_abandoned(dirfd(directory), entry->d_name)) {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (ret_bytes)
        *ret_bytes = bytes;
    return 0;
}

static bool is_one_of(const char *name, const struct cache_key *keys, size_t count)
{
    size_t size = ROMSIM_SHA256_HEX_SIZE - 1;

    for (size_t i = 0; i < count; i++)
        if (strncmp(name, keys[i].hex, size) == 0 && strcmp(name + size, ".erofs") == 0)
            return true;
    return false;
}

int cache_sweep_shared(int store, const struct cache_key *keys, size_t count, uint64_t *bytes,
                       struct romsim_error *err)
{
    CLEANUP_FD int folder =
        openat(store, shared_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(close_directory) DIR *directory = folder < 0 ? NULL : fdopendir(folder);
    const struct dirent *entry;
    struct stat st;

    if (!directory)
        return errno == ENOENT ? 0
                               : romsim_error_system(err, errno, "cannot read '%s'", shared_name);
    steal_fd(&folder);
    while ((entry = readdir(directory))) {
        if (is_one_of(entry->d_name, keys, count) ||
            fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || unlinkat(dirfd(directory), entry->d_name, 0) < 0)
            continue;
        *bytes += st.st_nlink == 1 ? (uint64_t)st.st_blocks * 512 : 0;
    }
    return 0;
}

int romsim_image_cache_sweep(int64_t seconds, uint64_t *ret_bytes, struct romsim_error *err)
{
    return cache_sweep(seconds < 0 ? KEEP_SECONDS : seconds, ret_bytes, err);
}
