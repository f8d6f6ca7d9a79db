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
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

enum {
    DIGEST_PIECE = 1 << 20,
    PIECES_MAX = 1000,     /* of a mapping; a process may have 65,530 */
    MOSTLY_MIN = 64 << 20, /* less is hashed in no time */
    STREAM_CHUNK = 1 << 20
};

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

/*
 * Reading a hole of a tmpfs's file through a mapping takes a page, and where none is left, SIGBUS
 * is the answer.  So only the pieces with data are mapped from the file, between zeros that are
 * nobody's.  Of a file with very many pieces the rest gets its pages before it is mapped, if that
 * can be: a memfd has no limit to run into, and a file of the cache cannot be written.
 */
static int map_pieces(uint8_t *bytes, int fd, uint64_t size)
{
    uint64_t start, end;
    unsigned pieces = 0;
    const void *piece;

    for (uint64_t at = 0; romsim_next_data(fd, at, size, &start, &end); at = end) {
        if (++pieces == PIECES_MAX) {
            end = size;
            if (!(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) &&
                fallocate(fd, 0, (off_t)start, (off_t)(end - start)) < 0 && errno != EBADF)
                return -1;
        }
        piece =
            mmap(bytes + start, end - start, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)start);
        if (piece == MAP_FAILED)
            return -1;
    }
    return 0;
}

/* NULL with errno on failure. */
static const uint8_t *map_file(int fd, uint64_t size)
{
    struct statfs system;
    bool by_pieces = fstatfs(fd, &system) == 0 && system.f_type == TMPFS_MAGIC;
    void *bytes =
        by_pieces ? mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                  : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    int errnum;

    if (bytes == MAP_FAILED)
        return NULL;
    if (!by_pieces || map_pieces(bytes, fd, size) == 0)
        return bytes;
    errnum = errno;
    munmap(bytes, size);
    errno = errnum;
    return NULL;
}

struct romsim_blob *romsim_blob_take_fd(int taken_fd, struct romsim_error *err)
{
    CLEANUP_FD int fd = taken_fd;
    CLEANUP_BLOB struct romsim_blob *blob = new_blob(err);
    const uint8_t *bytes;
    struct stat st;

    if (!blob)
        return NULL;
    if (seal(fd) < 0 || fstat(fd, &st) < 0) {
        romsim_error_system(err, errno, "cannot seal a file");
        return NULL;
    }
    if (st.st_size > 0) {
        bytes = map_file(fd, (uint64_t)st.st_size);
        if (!bytes) {
            romsim_error_write(err, errno, fd, "map a file");
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

/* ---- copies of what others have --------------------------------------------------------- */

static int changed_meanwhile(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EAGAIN, "'%s' changed while it was read", QUOTE(name));
    return romsim_error_hint(err, "try again when nothing writes to it");
}

static int cannot_copy(int copy, const char *name, int errnum, struct romsim_error *err)
{
    CLEANUP_FREE char *what = NULL;

    if (asprintf(&what, "copy '%s'", QUOTE(name)) < 0)
        return romsim_error_nomem(err);
    return romsim_error_write(err, errnum, copy, what);
}

static int check_size(const char *name, uint64_t size, enum romsim_bound bound,
                      struct romsim_error *err)
{
    if (size <= romsim_bound(bound))
        return 0;
    return romsim_bound_refuse(err, bound, "'%s' has more than %s", QUOTE(name),
                               SIZE_TEXT(romsim_bound(bound)));
}

static int copy_file(int fd, const struct stat *before, int copy, const char *name,
                     struct romsim_error *err)
{
    uint64_t size = (uint64_t)before->st_size;
    struct romsim_identity identity;
    struct stat after;
    int errnum;

    romsim_identity_of(before, &identity);
    errnum = ftruncate(copy, before->st_size) < 0 ? errno : romsim_copy_data(fd, 0, copy, 0, size);
    lseek(fd, 0, SEEK_SET); /* as it was: it may be somebody's standard input */
    if (errnum != 0 && errnum != ENODATA)
        return cannot_copy(copy, name, errnum, err);
    if (errnum == ENODATA || fstat(fd, &after) < 0 || !romsim_identity_is(&identity, &after))
        return changed_meanwhile(name, err);
    return 0;
}

/* read() that waits, whatever the descriptor's mode.  Returns -1 with errno. */
static ssize_t read_some(int fd, uint8_t *chunk, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    for (;;) {
        ssize_t got = read(fd, chunk, size);

        if (got >= 0 || (errno != EINTR && errno != EAGAIN))
            return got;
        if (errno == EAGAIN)
            poll(&ready, 1, -1);
    }
}

static int copy_stream(int fd, int copy, const char *name, enum romsim_bound bound,
                       struct romsim_error *err)
{
    CLEANUP_FREE uint8_t *chunk = malloc(STREAM_CHUNK);
    uint64_t size = 0;
    ssize_t got;

    if (!chunk)
        return romsim_error_nomem(err);
    while ((got = read_some(fd, chunk, STREAM_CHUNK)) > 0) {
        int errnum = romsim_write_sparsely(copy, chunk, (size_t)got, size);

        if (errnum != 0)
            return cannot_copy(copy, name, errnum, err);
        size += (uint64_t)got;
        if (check_size(name, size, bound, err) < 0)
            return -1;
    }
    if (got < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(name));
    return ftruncate(copy, (off_t)size) < 0 ? cannot_copy(copy, name, errno, err) : 0;
}

static bool is_stream(int fd, mode_t mode)
{
    return S_ISFIFO(mode) || S_ISSOCK(mode) || (S_ISCHR(mode) && !isatty(fd)) ||
           (S_ISREG(mode) && lseek(fd, 0, SEEK_CUR) > 0);
}

/* What comes through a pipe is always bounded, a file only if that is asked for. */
static struct romsim_blob *snapshot(int fd, const char *name, enum romsim_bound bound,
                                    bool is_bounded, struct romsim_error *err)
{
    CLEANUP_FD int copy = -1;
    struct stat st;
    int status;

    if (fstat(fd, &st) < 0) {
        romsim_error_system(err, errno, "cannot read '%s'", QUOTE(name));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) && !is_stream(fd, st.st_mode)) {
        romsim_error_set(err, EINVAL, "'%s' is %s", QUOTE(name),
                         S_ISCHR(st.st_mode) ? "a terminal or device" : "not a regular file");
        return NULL;
    }
    if (is_bounded && S_ISREG(st.st_mode) && check_size(name, (uint64_t)st.st_size, bound, err) < 0)
        return NULL;
    copy = romsim_blob_scratch_file(err);
    if (copy < 0)
        return NULL;
    status = is_stream(fd, st.st_mode) ? copy_stream(fd, copy, name, bound, err)
                                       : copy_file(fd, &st, copy, name, err);
    return status < 0 ? NULL : romsim_blob_take_fd(steal_fd(&copy), err);
}

struct romsim_blob *romsim_blob_snapshot_fd(int fd, const char *name, struct romsim_error *err)
{
    return snapshot(fd, name, ROMSIM_BOUND_FILE_BYTES, true, err);
}

static struct romsim_blob *snapshot_path(const char *path, enum romsim_bound bound, bool is_bounded,
                                         struct romsim_error *err)
{
    int ours = romsim_path_descriptor(path);
    /* What is behind a descriptor cannot always be opened again: a socket, a pipe whose other end
     * is closed.  Non-blocking, so that a fifo is refused instead of waited for. */
    CLEANUP_FD int fd = ours >= 0 ? fcntl(ours, F_DUPFD_CLOEXEC, 3)
                                  : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
        return NULL;
    }
    if (ours < 0 && !S_ISREG(st.st_mode)) {
        romsim_error_set(err, EINVAL, "'%s' is not a regular file", QUOTE(path));
        if (S_ISFIFO(st.st_mode))
            romsim_error_hint(err, "a pipe is read as /dev/stdin");
        return NULL;
    }
    return snapshot(fd, path, bound, is_bounded, err);
}

struct romsim_blob *romsim_blob_snapshot(const char *path, struct romsim_error *err)
{
    return snapshot_path(path, ROMSIM_BOUND_FILE_BYTES, false, err);
}

struct romsim_blob *romsim_blob_snapshot_within(const char *path, enum romsim_bound bound,
                                                struct romsim_error *err)
{
    return snapshot_path(path, bound, true, err);
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
    /* A file in a compressed archive has its share of what the archive took. */
    slice->source_size = size;
    if (blob->source_size < blob->size)
        slice->source_size =
            (uint64_t)((double)size * ((double)blob->source_size / (double)blob->size)) + 1;
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

bool romsim_blob_next_data(const struct romsim_blob *blob, uint64_t offset, uint64_t *ret_start,
                           uint64_t *ret_end)
{
    uint64_t base, start, end;
    int fd = romsim_blob_fd(blob, &base);

    if (offset >= blob->size)
        return false;
    if (fd < 0 || !romsim_next_data(fd, base + offset, base + blob->size, &start, &end))
        return false;
    *ret_start = start - base;
    *ret_end = end - base;
    return true;
}

int romsim_blob_copy(const struct romsim_blob *blob, int fd, uint64_t offset)
{
    uint64_t base;
    int from = romsim_blob_fd(blob, &base);
    int errnum = blob->size > 0 ? romsim_copy_data(from, base, fd, offset, blob->size) : 0;
    off_t end = (off_t)(offset + blob->size);
    struct stat st;

    if (errnum != 0)
        return errnum;
    if (fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && st.st_size < end && ftruncate(fd, end) < 0))
        return errno;
    return 0;
}

bool romsim_blob_is_mostly_hole(const struct romsim_blob *blob)
{
    uint64_t data = 0, start, end;

    if (blob->size < MOSTLY_MIN)
        return false;
    for (uint64_t at = 0; romsim_blob_next_data(blob, at, &start, &end); at = end) {
        data += end - start;
        if (data > blob->size / 16)
            return false;
    }
    return true;
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
    uint64_t at = 0, piece, start, end;

    if (!digest)
        abort();
    while (romsim_blob_next_data(blob, at, &start, &end)) {
        digest_zeros(digest, start - at);
        for (at = start; at < end; at += piece) {
            piece = min_u64(end - at, DIGEST_PIECE);
            romsim_digest_update(digest, blob->bytes + at, piece);
            if (blob->size > DIGEST_PIECE)
                romsim_blob_forget(blob, at, piece);
        }
    }
    digest_zeros(digest, blob->size - at);
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

const char *romsim_blob_sha256_shown(struct romsim_blob *blob)
{
    return romsim_blob_is_mostly_hole(blob) ? NULL : romsim_blob_sha256_hex(blob);
}
