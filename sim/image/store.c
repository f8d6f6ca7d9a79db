/* SPDX-License-Identifier: BSD-3-Clause */
/* store.c: the store's folder, its locks and its blobs; see store.h for the theory of operation. */
#include "sim/image/store.h"
#include "sim/image/newfile.h"
#include "sim/image/oci.h"

#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";

static int lock_file(int folder, const char *name, int how, struct romsim_error *err)
{
    CLEANUP_FD int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && flock(fd, how) < 0) {
        if (errno != EINTR)
            return romsim_error_system(err, errno, "cannot lock the image store");
    }
    return fd < 0 ? romsim_error_system(err, errno, "cannot lock the image store") : steal_fd(&fd);
}

int store_lock_index(const struct romsim_store *store, struct romsim_error *err)
{
    return lock_file(store->folder, "lock-index", LOCK_EX, err);
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
                0600);
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

struct romsim_store *romsim_store_open(int alone, struct romsim_error *err)
{
    CLEANUP_FREE char *blobs = romsim_path_data("oci/blobs/sha256", err);
    CLEANUP_STORE struct romsim_store *store = NULL;

    if (!blobs)
        return NULL;
    store = calloc(1, sizeof(*store));
    if (!store) {
        romsim_error_nomem(err);
        return NULL;
    }
    store->folder = store->lock = -1;
    store->path = romsim_path_data("oci", err);
    if (!store->path)
        return NULL;
    store->folder = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0) {
        romsim_error_system(err, errno, "cannot open the image store '%s'", QUOTE(store->path));
        return NULL;
    }
    store->lock = lock_file(store->folder, "lock-use", alone ? LOCK_EX : LOCK_SH, err);
    if (store->lock < 0 || prepare(store, err) < 0)
        return NULL;
    return STEAL_POINTER(&store);
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

int romsim_store_share(const struct romsim_store *store, int *ret_folder, int *ret_lock,
                       struct romsim_error *err)
{
    CLEANUP_FD int folder = fcntl(store->folder, F_DUPFD_CLOEXEC, 3);
    CLEANUP_FD int lock = fcntl(store->lock, F_DUPFD_CLOEXEC, 3);

    if (folder < 0 || lock < 0)
        return romsim_error_system(err, errno, "cannot use the image store");
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
