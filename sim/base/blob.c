/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blob.c: immutable bytes.
 *
 * Theory of operation: a blob's file is one that nobody else can change (blob.h), so it is mapped
 * once, as a whole, and handed out as plain memory.  A slice shares its parent's mapping.  The
 * SHA-256 is computed when it is first asked for.
 */
#include <romsim/blob.h>
#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/hostdir.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct romsim_blob {
    atomic_uint references;
    const uint8_t *bytes;
    uint64_t size;
    uint64_t source_size;
    int fd;
    uint64_t offset;            /* of the blob in the file behind fd */
    struct romsim_blob *parent; /* of a slice: owns the mapping and fd */
    pthread_mutex_t digest_lock;
    char sha256[ROMSIM_DIGEST_SIZE]; /* "sha256:..."; "": not yet computed */
};

static const uint8_t no_bytes[1];
static const char sha256_prefix[] = "sha256:";

enum { DIGEST_PIECE = 8 << 20 };

static struct romsim_blob *new_blob(struct romsim_error *err)
{
    struct romsim_blob *blob = calloc(1, sizeof(*blob));

    if (!blob) {
        romsim_error_nomem(err);
        return NULL;
    }
    atomic_init(&blob->references, 1);
    pthread_mutex_init(&blob->digest_lock, NULL);
    blob->bytes = no_bytes;
    blob->fd = -1;
    return blob;
}

int romsim_blob_scratch_memfd(struct romsim_error *err)
{
    int fd = memfd_create("romsim", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    return fd < 0 ? romsim_error_system(err, errno, "cannot make an anonymous file") : fd;
}

/* Where the file system has no O_TMPFILE: a named file, unlinked at once. */
static int open_unlinked(const char *folder)
{
    CLEANUP_FREE char *path = romsim_path_join(folder, "romsim.XXXXXX");
    int fd;

    if (!path) {
        errno = ENOMEM;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
        fd = open_unlinked(folder);
    return fd;
}

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");

    return folder && folder[0] == '/' ? folder : "/tmp";
}

/* In the cache folder, where there is room; for a user without one (a service's, whose home is not
 * there) in the folder for temporary files, else in memory. */
int romsim_blob_scratch_file(struct romsim_error *err)
{
    CLEANUP_FREE char *folder = romsim_path_cache("scratch", NULL);
    int fd = folder ? open_nameless(folder) : -1;

    if (fd < 0)
        fd = open_nameless(temporary_folder());
    return fd < 0 ? romsim_blob_scratch_memfd(err) : fd;
}

/* A memfd that can no longer change; other files have no seals (EINVAL), or may get none (a file of
 * tmpfs), and need none. */
static int seal(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & F_SEAL_SEAL))
        return 0;
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

struct romsim_blob *romsim_blob_take_fd(int taken_fd, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;
    CLEANUP_BLOB struct romsim_blob *blob = new_blob(err);
    struct stat st;
    void *bytes;

    if (!blob)
        return NULL;
    if (seal(fd) < 0 || fstat(fd, &st) < 0) {
        romsim_error_system(err, errno, "cannot seal a file");
        return NULL;
    }
    if (st.st_size > 0) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (bytes == MAP_FAILED) {
            romsim_error_system(err, errno, "cannot map a file of %s",
                                SIZE_TEXT((uint64_t)st.st_size));
            return NULL;
        }
        blob->bytes = bytes;
    }
    blob->size = blob->source_size = (uint64_t)st.st_size;
    blob->fd = steal_fd(&fd);
    return STEAL_POINTER(&blob);
}

struct romsim_blob *romsim_blob_from_bytes(const void *bytes, uint64_t size,
                                           struct romsim_error *err)
{
    CLEANUP_FD int fd = romsim_blob_scratch_memfd(err);
    int errnum;

    if (fd < 0)
        return NULL;
    errnum = romsim_write_fully(fd, bytes, size, 0);
    if (errnum != 0) {
        romsim_error_system(err, errnum, "cannot keep %s in memory", SIZE_TEXT(size));
        return NULL;
    }
    return romsim_blob_take_fd(steal_fd(&fd), err);
}

static int changed_meanwhile(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EAGAIN, "'%s' changed while it was read", QUOTE(name));
    return romsim_error_hint(err, "try again when nothing writes to it");
}

/* The folder of a file that has no name any more, from what the kernel shows of it:
 * "/a/b/#123 (deleted)".  False for one in memory. */
static bool scratch_folder(int fd, char ret[PATH_MAX])
{
    char link[64];
    ssize_t size;
    char *slash;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, ret, PATH_MAX - 1);
    ret[size > 0 ? size : 0] = '\0';
    slash = strrchr(ret, '/');
    if (!slash || strncmp(ret, "/memfd:", 7) == 0)
        return false;
    *slash = '\0';
    return true;
}

static int cannot_copy(int copy, const char *name, int errnum, uint64_t size,
                       struct romsim_error *err)
{
    char folder[PATH_MAX];

    if (!scratch_folder(copy, folder))
        return romsim_error_system(err, errnum, "cannot copy '%s' into memory", QUOTE(name));
    romsim_error_system(err, errnum, "cannot copy '%s' into '%s'", QUOTE(name), QUOTE(folder));
    if (errnum == ENOSPC || errnum == EDQUOT)
        romsim_error_hint(err,
                          "it takes up to %s there; make room, or let XDG_CACHE_HOME name a folder "
                          "on a larger disk",
                          SIZE_TEXT(size));
    return -1;
}

struct romsim_blob *romsim_blob_snapshot_fd(int fd, const char *name, struct romsim_error *err)
{
    CLEANUP_FD int copy = -1;
    struct romsim_identity identity;
    struct stat before, after;
    int errnum;

    if (fstat(fd, &before) < 0) {
        romsim_error_system(err, errno, "cannot read '%s'", QUOTE(name));
        return NULL;
    }
    if (!S_ISREG(before.st_mode)) {
        romsim_error_set(err, EINVAL, "'%s' is not a regular file", QUOTE(name));
        return NULL;
    }
    romsim_identity_of(&before, &identity);
    copy = romsim_blob_scratch_file(err);
    if (copy < 0)
        return NULL;
    errnum = ftruncate(copy, before.st_size) < 0
                 ? errno
                 : romsim_copy_data(fd, copy, 0, (uint64_t)before.st_size);
    if (errnum != 0 && errnum != ENODATA) {
        cannot_copy(copy, name, errnum, (uint64_t)before.st_size, err);
        return NULL;
    }
    if (errnum == ENODATA || fstat(fd, &after) < 0 || !romsim_identity_is(&identity, &after)) {
        changed_meanwhile(name, err);
        return NULL;
    }
    return romsim_blob_take_fd(steal_fd(&copy), err);
}

struct romsim_blob *romsim_blob_snapshot(const char *path, struct romsim_error *err)
{
    /* Non-blocking, so that a fifo is refused instead of waited for. */
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
        return NULL;
    }
    return romsim_blob_snapshot_fd(fd, path, err);
}

struct romsim_blob *romsim_blob_slice(struct romsim_blob *blob, uint64_t offset, uint64_t size,
                                      struct romsim_error *err)
{
    struct romsim_blob *slice;

    if (!range_is_inside(offset, size, blob->size)) {
        romsim_error_set(err, EINVAL, "%llu bytes at %llu are not inside %llu bytes",
                         (unsigned long long)size, (unsigned long long)offset,
                         (unsigned long long)blob->size);
        return NULL;
    }
    slice = new_blob(err);
    if (!slice)
        return NULL;
    slice->bytes = blob->bytes + offset;
    slice->size = size;
    slice->source_size = min_u64(size, blob->source_size);
    slice->fd = blob->fd;
    slice->offset = blob->offset + offset;
    slice->parent = romsim_blob_ref(blob);
    return slice;
}

struct romsim_blob *romsim_blob_ref(struct romsim_blob *blob)
{
    atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    return blob;
}

void romsim_blob_unref(struct romsim_blob *blob)
{
    if (!blob || atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) != 1)
        return;
    if (blob->parent) {
        romsim_blob_unref(blob->parent);
    } else {
        if (blob->bytes != no_bytes)
            munmap((void *)(uintptr_t)blob->bytes, blob->size);
        if (blob->fd >= 0)
            close(blob->fd);
    }
    pthread_mutex_destroy(&blob->digest_lock);
    free(blob);
}

uint64_t romsim_blob_size(const struct romsim_blob *blob)
{
    return blob->size;
}

uint64_t romsim_blob_source_size(const struct romsim_blob *blob)
{
    return blob->source_size;
}

void romsim_blob_set_source_size(struct romsim_blob *blob, uint64_t size)
{
    blob->source_size = size;
}

const uint8_t *romsim_blob_bytes(const struct romsim_blob *blob)
{
    return blob->bytes;
}

int romsim_blob_fd(const struct romsim_blob *blob, uint64_t *ret_offset)
{
    if (ret_offset)
        *ret_offset = blob->offset;
    return blob->fd;
}

/* Only whole pages inside the range are let go: the mapping is of a file, shared and read-only, so
 * nothing is lost with them. */
void romsim_blob_forget(const struct romsim_blob *blob, uint64_t offset, uint64_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first, last;

    if (!range_is_inside(offset, size, blob->size) || blob->bytes == no_bytes)
        return;
    first = ((uintptr_t)blob->bytes + offset + page - 1) & ~(page - 1);
    last = ((uintptr_t)blob->bytes + offset + size) & ~(page - 1);
    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
}

/* Is all of this piece a hole of the file?  Then its zeros need not pass through the page cache. */
static bool piece_is_hole(const struct romsim_blob *blob, uint64_t at, uint64_t size)
{
    uint64_t offset;
    int fd = romsim_blob_fd(blob, &offset);
    off_t data = lseek(fd, (off_t)(offset + at), SEEK_DATA);

    return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + at + size;
}

static void digest_zeros(struct romsim_digest *digest, uint64_t size)
{
    static const uint8_t zeros[64 * 1024];
    uint64_t step;

    for (; size > 0; size -= step) {
        step = min_u64(size, sizeof(zeros));
        romsim_digest_update(digest, zeros, step);
    }
}

/* Fails only without memory for libcrypto's 200 bytes; there is nothing sane to go on with then,
 * and a wrong digest must never be handed out. */
static void compute_digest(const struct romsim_blob *blob, const char *like,
                           char ret[ROMSIM_DIGEST_SIZE])
{
    struct romsim_digest *digest = romsim_digest_new(like);
    uint64_t piece;

    if (!digest)
        abort();
    for (uint64_t at = 0; at < blob->size; at += piece) {
        piece = min_u64(blob->size - at, DIGEST_PIECE);
        if (piece_is_hole(blob, at, piece)) {
            digest_zeros(digest, piece);
            continue;
        }
        romsim_digest_update(digest, blob->bytes + at, piece);
        if (blob->size > 4 * DIGEST_PIECE)
            romsim_blob_forget(blob, at, piece);
    }
    romsim_digest_final(digest, ret);
    romsim_digest_free(digest);
}

const char *romsim_blob_sha256_hex(struct romsim_blob *blob)
{
    pthread_mutex_lock(&blob->digest_lock);
    if (!*blob->sha256)
        compute_digest(blob, sha256_prefix, blob->sha256);
    pthread_mutex_unlock(&blob->digest_lock);
    return romsim_digest_hex(blob->sha256);
}

void romsim_blob_digest(struct romsim_blob *blob, const char *like, char ret[ROMSIM_DIGEST_SIZE])
{
    if (strncmp(like, sha256_prefix, strlen(sha256_prefix)) != 0) {
        compute_digest(blob, like, ret);
        return;
    }
    romsim_blob_sha256_hex(blob);
    memcpy(ret, blob->sha256, sizeof(blob->sha256));
}
