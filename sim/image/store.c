/* SPDX-License-Identifier: BSD-3-Clause */
/* store.c: the store's folder, its locks and its blobs; see store.h for the theory of operation. */
#include "sim/image/store.h"
#include "sim/image/newfile.h"
#include "sim/image/oci.h"

#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/lock.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define STORES_VARIABLE "ROMSIM_IMAGE_STORES"
#define SHARED_VARIABLE "ROMSIM_SHARED_STORE"
#define SHARED_DEFAULT  "/var/lib/romsim/images"

static const char use_lock[] = "lock-use";
static const char index_lock[] = "lock-index";
static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";

static int open_lock(const struct romsim_store *store, const char *name, int flags)
{
    return openat(store->folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Makes, if need be, and locks a file of the store.  Returns the descriptor, or -1. */
static int take_lock(const struct romsim_store *store, const char *name, int how, int timeout_ms,
                     struct romsim_error *err)
{
    CLEANUP_FD int fd = open_lock(store, name, O_RDWR | O_CREAT);

    if (fd < 0)
        return romsim_error_system(err, errno, "cannot lock the image store '%s'",
                                   QUOTE(store->path));
    if (romsim_lock_take(fd, how, timeout_ms, store->path, err) < 0)
        return romsim_error_context(err, "the image store");
    return steal_fd(&fd);
}

int store_lock_index(const struct romsim_store *store, struct romsim_error *err)
{
    return take_lock(store, index_lock, LOCK_EX, ROMSIM_LOCK_WRITER_TIMEOUT_MS, err);
}

/* Many use the store at once, and that may take long: a VM runs from it. */
static int lock_alone(const struct romsim_store *store, struct romsim_error *err)
{
    int fd = take_lock(store, use_lock, LOCK_EX, ROMSIM_LOCK_TIMEOUT_MS, err);

    if (fd < 0 && err && err->errnum == EBUSY && !*err->hint)
        romsim_error_hint(err, "try again when nobody uses the store");
    return fd;
}

static int lock_shared(const struct romsim_store *store, struct romsim_error *err)
{
    return take_lock(store, use_lock, LOCK_SH, ROMSIM_LOCK_WRITER_TIMEOUT_MS, err);
}

/* Who reads does not wait.  Returns the descriptor, or -1: a gc has the lock, or it cannot be. */
static int try_shared(const struct romsim_store *store, int flags)
{
    CLEANUP_FD int fd = open_lock(store, use_lock, flags);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 ? steal_fd(&fd) : -1;
}

int store_replace(const struct romsim_store *store, const char *name, const char *text, size_t size,
                  struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;
    char temporary[64];
    int errnum;

    /* Under the index's lock nobody else uses this name; what a killed command left is replaced. */
    snprintf(temporary, sizeof(temporary), "%s.new", name);
    fd = openat(store->folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                store->is_trusted ? 0644 : 0600);
    errnum = fd < 0 ? errno : romsim_write_fully(fd, text, size, 0);
    if (errnum == 0 &&
        (fdatasync(fd) < 0 || renameat(store->folder, temporary, store->folder, name) < 0))
        errnum = errno;
    if (errnum == 0)
        return 0;
    return romsim_error_system(err, errnum, "cannot write '%s' of the image store", name);
}

static int prepare(struct romsim_store *store, struct romsim_error *err)
{
    CLEANUP_FD int lock = -1;

    if (faccessat(store->folder, "oci-layout", F_OK, 0) == 0)
        return 0;
    lock = store_lock_index(store, err);
    if (lock < 0)
        return -1;
    return store_replace(store, "oci-layout", layout_text, strlen(layout_text), err);
}

static struct romsim_store *new_store(const char *path, bool is_own, struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = calloc(1, sizeof(*store));

    if (!store) {
        romsim_error_nomem(err);
        return NULL;
    }
    store->folder = store->lock = -1;
    store->is_own = is_own;
    store->path = strdup(path);
    if (!store->path) {
        romsim_error_nomem(err);
        return NULL;
    }
    return STEAL_POINTER(&store);
}

static int open_folder(struct romsim_store *store, struct romsim_error *err)
{
    store->folder = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder >= 0)
        return 0;
    return romsim_error_system(err, errno, "cannot open the image store '%s'", QUOTE(store->path));
}

static struct romsim_store *open_to_change(const char *path, bool is_shared, bool alone,
                                           struct romsim_error *err)
{
    CLEANUP_STORE struct romsim_store *store = path ? new_store(path, true, err) : NULL;

    if (!store || open_folder(store, err) < 0)
        return NULL;
    store->is_trusted = is_shared;
    store->lock = alone ? lock_alone(store, err) : lock_shared(store, err);
    if (store->lock < 0 || prepare(store, err) < 0)
        return NULL;
    return STEAL_POINTER(&store);
}

struct romsim_store *romsim_store_open(bool alone, struct romsim_error *err)
{
    CLEANUP_FREE char *blobs = romsim_path_data("oci/blobs/sha256", err);
    CLEANUP_FREE char *path = blobs ? romsim_path_data_name("oci", err) : NULL;

    return open_to_change(path, false, alone, err);
}

struct romsim_store *romsim_store_open_shared(bool alone, struct romsim_error *err)
{
    const char *path = store_shared_path();
    CLEANUP_FREE char *blobs = path ? romsim_path_join(path, "blobs/sha256") : NULL;
    struct romsim_store *store;

    if (!path || path[0] != '/') {
        romsim_error_set(err, EINVAL, "there is no shared image store: %s is %s", SHARED_VARIABLE,
                         path ? "no absolute path" : "empty");
        return NULL;
    }
    umask(022);
    if (!blobs) {
        romsim_error_nomem(err);
        return NULL;
    }
    store = romsim_path_make(blobs, 0755, err) < 0 ? NULL : open_to_change(path, true, alone, err);
    if (!store && err && !*err->hint && geteuid() != 0)
        romsim_error_hint(err, "only root fills the store that all users of this machine share");
    return store;
}

/* ---- stores that are only read ------------------------------------------------------------ */

const char *store_shared_path(void)
{
    const char *chosen = getenv(SHARED_VARIABLE);

    if (!chosen)
        return SHARED_DEFAULT;
    return *chosen ? chosen : NULL;
}

bool store_is_safe(const struct stat *st, uid_t owner, mode_t others)
{
    return (st->st_uid == 0 || st->st_uid == geteuid() || st->st_uid == owner) &&
           (st->st_mode & others) == 0;
}

/* Could somebody whom the user does not trust have put something there? */
static int check_owners(struct romsim_store *store, bool is_shared, struct romsim_error *err)
{
    static const char *const parts[] = {".", "oci-layout", "index.json", "blobs", "blobs/sha256"};
    mode_t others = is_shared ? WRITABLE_BY_OTHERS : WRITABLE_BY_ANYBODY;
    uid_t owner = geteuid();
    struct stat st;

    if (!is_shared && fstat(store->folder, &st) == 0)
        owner = st.st_uid;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (fstatat(store->folder, parts[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* who reads it says so */
        if (store_is_safe(&st, owner, others))
            continue;
        return romsim_error_set(
            err, EPERM, "the image store '%s' is not to be trusted: %s%s%s %s", QUOTE(store->path),
            i ? "its '" : "it", i ? parts[i] : "", i ? "'" : "",
            st.st_mode & others ? "can be written by others" : "belongs to another user");
    }
    store->is_trusted = is_shared;
    return 0;
}

static int check_store(struct romsim_store *store, bool is_shared, struct romsim_error *err)
{
    if (store->path[0] != '/')
        return romsim_error_set(err, EINVAL, "the image store '%s' is no absolute path",
                                QUOTE(store->path));
    if (open_folder(store, err) < 0)
        return -1;
    if (store->is_own)
        return 0;
    if (faccessat(store->folder, "oci-layout", F_OK, 0) < 0)
        return romsim_error_system(err, errno,
                                   "'%s' is no image store: it has no readable 'oci-layout'",
                                   QUOTE(store->path));
    return check_owners(store, is_shared, err);
}

/* Nothing is made or changed in a store that is read, but for the lock of the user's own. */
static int open_to_read(struct romsim_store *store, bool is_shared, struct romsim_error *err)
{
    if (check_store(store, is_shared, err) < 0) {
        if (is_shared)
            romsim_error_hint(err,
                              "root fills it, with 'romsim image import --shared'; %s names "
                              "another one, or none",
                              SHARED_VARIABLE);
        else if (!store->is_own)
            romsim_error_hint(err, "it is named in %s", STORES_VARIABLE);
        return -1;
    }
    if (store->is_own)
        store->lock = try_shared(store, O_RDWR | O_CREAT);
    if (store->lock < 0)
        store->lock = try_shared(store, O_RDONLY);
    return 0;
}

enum which { STORE_OWN, STORE_NAMED, STORE_SHARED };

static int add_store(struct romsim_stores *stores, const char *path, enum which which,
                     struct romsim_error *err)
{
    bool is_own = which == STORE_OWN;
    CLEANUP_STORE struct romsim_store *store = new_store(path, is_own, err);
    struct romsim_store **items;

    if (!store)
        return -1;
    if (open_to_read(store, which == STORE_SHARED, &store->failure) == 0)
        store->failure.errnum = 0;
    else if (which != STORE_NAMED && store->folder < 0 && store->failure.errnum == ENOENT)
        return 0; /* nothing was ever put there */
    else if (is_own && store->failure.errnum == ENOTDIR)
        free(romsim_path_data("oci", &store->failure)); /* cannot be, and says what is in the way */
    items = reallocarray(stores->items, stores->count + 1, sizeof(struct romsim_store *));
    if (!items)
        return romsim_error_nomem(err);
    stores->items = items;
    items[stores->count++] = STEAL_POINTER(&store);
    return 0;
}

static int add_all(struct romsim_stores *stores, struct romsim_error *err)
{
    CLEANUP_FREE char *own = romsim_path_data_name("oci", NULL); /* NULL: a user without a home */
    const char *list = getenv(STORES_VARIABLE), *shared = store_shared_path();

    if (own && add_store(stores, own, STORE_OWN, err) < 0)
        return -1;
    for (size_t size; list && *list; list += size + (list[size] == ':')) {
        CLEANUP_FREE char *path = NULL;

        size = strcspn(list, ":");
        path = strndup(list, size);
        if (!path)
            return romsim_error_nomem(err);
        if (*path && add_store(stores, path, STORE_NAMED, err) < 0)
            return -1;
    }
    return shared ? add_store(stores, shared, STORE_SHARED, err) : 0;
}

int romsim_stores_open(struct romsim_stores *ret, struct romsim_error *err)
{
    struct romsim_stores stores = {0};

    if (add_all(&stores, err) < 0) {
        romsim_stores_close(&stores);
        return -1;
    }
    *ret = stores;
    return 0;
}

void romsim_stores_close(struct romsim_stores *stores)
{
    for (size_t i = 0; i < stores->count; i++)
        romsim_store_close(stores->items[i]);
    free(stores->items);
    *stores = (struct romsim_stores){0};
}

void romsim_store_close(struct romsim_store *store)
{
    if (!store)
        return;
    cleanup_close_fd(&store->folder);
    cleanup_close_fd(&store->lock);
    free(store->path);
    free(store);
}

const char *romsim_store_path(const struct romsim_store *store)
{
    return store->path;
}

bool romsim_store_is_own(const struct romsim_store *store)
{
    return store->is_own;
}

int romsim_store_share(const struct romsim_store *store, int *ret_folder, int *ret_lock,
                       bool *ret_is_ours, struct romsim_error *err)
{
    CLEANUP_FD int folder = fcntl(store->folder, F_DUPFD_CLOEXEC, 3);
    CLEANUP_FD int lock = store->lock < 0 ? -1 : fcntl(store->lock, F_DUPFD_CLOEXEC, 3);
    struct stat st;

    if (folder < 0 || (store->lock >= 0 && lock < 0) || fstat(folder, &st) < 0)
        return romsim_error_system(err, errno, "cannot use the image store");
    *ret_is_ours = (store->is_own && st.st_uid == geteuid()) || store->is_trusted;
    *ret_folder = steal_fd(&folder);
    *ret_lock = steal_fd(&lock);
    return 0;
}

/* ---- blobs ------------------------------------------------------------------------------ */

enum { PIECE = 1 << 20 };

int store_open_blobs(const struct romsim_store *store, const char *digest, bool make,
                     struct romsim_error *err)
{
    char path[32];
    int fd;

    snprintf(path, sizeof(path), "blobs/%.*s", (int)strcspn(digest, ":"), digest);
    if (make && mkdirat(store->folder, path, 0700) < 0 && errno != EEXIST)
        return romsim_error_system(err, errno, "cannot make '%s/%s'", QUOTE(store->path), path);
    fd = openat(store->folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? romsim_error_system(err, errno, "cannot open '%s/%s'", QUOTE(store->path), path)
                  : fd;
}

int romsim_store_add(struct romsim_store *store, struct romsim_blob *blob, struct romsim_error *err)
{
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    CLEANUP_FD int folder = -1;
    char digest[ROMSIM_DIGEST_SIZE];

    romsim_blob_digest(blob, OCI_SHA256, digest);
    folder = store_open_blobs(store, digest, true, err);
    if (folder < 0)
        return -1;
    if (newfile_is_there(folder, romsim_digest_hex(digest), romsim_blob_size(blob), digest))
        return 0;
    if (newfile_open(folder, store->path, &file, err) < 0 ||
        newfile_write_blob(&file, blob, 0, err) < 0)
        return -1;
    return newfile_keep(&file, romsim_digest_hex(digest), err);
}

static int read_piece(int fd, uint8_t *piece, size_t size, uint64_t offset,
                      struct romsim_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, piece + done, size - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return romsim_error_system(err, got < 0 ? errno : EIO, "cannot read a blob");
        done += (size_t)got;
    }
    return 0;
}

/* Copies and hashes piece by piece. */
static int copy_pieces(const struct newfile *file, int fd, uint64_t offset, uint64_t size,
                       struct romsim_digest *running, romsim_copied *copied, void *context,
                       struct romsim_error *err)
{
    CLEANUP_FREE uint8_t *piece = malloc(PIECE);

    if (!piece)
        return romsim_error_nomem(err);
    for (uint64_t done = 0; done < size;) {
        size_t step = (size_t)min_u64(PIECE, size - done);

        if (read_piece(fd, piece, step, offset + done, err) < 0 ||
            newfile_write(file, piece, step, done, err) < 0)
            return -1;
        romsim_digest_update(running, piece, step);
        copied(context, step);
        done += step;
    }
    return 0;
}

static int check_digest(struct romsim_digest *running, const char *expected,
                        struct romsim_error *err)
{
    char found[ROMSIM_DIGEST_SIZE];

    romsim_digest_final(running, found);
    if (strcmp(found, expected) == 0)
        return 0;
    return romsim_error_set(err, EUCLEAN, "the blob '%s' is damaged: its digest is %s", expected,
                            found);
}

int romsim_store_add_file(struct romsim_store *store, int fd, uint64_t offset, uint64_t size,
                          const char *digest, romsim_copied *copied, void *context,
                          struct romsim_error *err)
{
    CLEANUP_NEWFILE struct newfile file = NEWFILE_NONE;
    CLEANUP_FD int folder = store_open_blobs(store, digest, true, err);
    struct romsim_digest *running;
    int status;

    if (folder < 0)
        return -1;
    if (newfile_is_there(folder, romsim_digest_hex(digest), size, digest)) {
        copied(context, size);
        return 0;
    }
    running = romsim_digest_new(digest);
    if (!running)
        return romsim_error_nomem(err);
    status = newfile_open(folder, store->path, &file, err);
    if (status == 0)
        status = copy_pieces(&file, fd, offset, size, running, copied, context, err);
    if (status == 0)
        status = check_digest(running, digest, err);
    romsim_digest_free(running);
    return status < 0 ? -1 : newfile_keep(&file, romsim_digest_hex(digest), err);
}
