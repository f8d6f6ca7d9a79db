/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fs.c: the life of a mount: mount, serve, stop, unmount.
 *
 * Threads: serving threads each read a request and answer it; the kernel wakes one at a time.  The
 * thread in romsim_fs_serve() waits on an eventfd, which says that it is time to end: written by
 * romsim_fs_stop(), or by a serving thread that found the file system unmounted.  A thread that
 * still waits for a request is cancelled there and only there, as libfuse's own loop does it.  Our
 * own loop, because libfuse 3.14's cannot be woken from another thread, and makes and ends threads
 * with the load, which costs more than it saves.
 */
#include "ll.h"
#include "mount.h"

#include <romsim/descriptors.h>
#include <romsim/fs.h>
#include <romsim/lock.h>
#include <romsim/mounts.h>
#include <romsim/text.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

/* More threads than processors, since one that waits for the disk (a page of an image that is not
 * in memory) serves nobody meanwhile. */
enum { THREADS_MIN = 4, THREADS_MAX = 16 };

/* Files that unmounting opens: mountinfo; fusermount3 starts with what is free then. */
enum { SPARES = 5 };

struct romsim_fs {
    struct ll ll; /* has the seam */
    struct fuse_session *session;
    char *point;
    dev_t device;                /* of our mount */
    int stop;                    /* an eventfd: readable when it is time to end */
    int hurry;                   /* another: no read has to wait any more in the seam */
    atomic_size_t serving;       /* threads that answer */
    struct romsim_spares spares; /* for the unmounting */
};

struct server {
    pthread_t thread;
    struct romsim_fs *fs;
    struct fuse_buf request;
    int error; /* what ended it, an errno, or 0 */
};

/* ---- mounting --------------------------------------------------------------------------- */

/* A mount whose server was killed goes away, one that lives stays. */
static int make_room(const char *point, struct romsim_error *err)
{
    int kind = romsim_mount_find(point, NULL, err);

    if (kind < 0)
        return -1;
    if (kind != ROMSIM_MOUNT_OURS)
        return 0;
    if (romsim_mount_is_dead(point))
        return romsim_mount_detach(point, NULL, err);
    romsim_error_set(err, EBUSY, "'%s' is a romsim mount already", QUOTE(point));
    return romsim_error_hint(err, "'romsim umount %s' ends it", QUOTE(point));
}

/* A mount hides what its directory has: over /etc, or over one's own work, that is no wish but a
 * slip.  A directory that cannot be read is left for the mount itself to refuse. */
static int check_empty(const char *point, struct romsim_error *err)
{
    DIR *directory = opendir(point);
    const struct dirent *entry;
    bool empty = true;

    while (directory && empty && (entry = readdir(directory)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (directory)
        closedir(directory);
    if (empty)
        return 0;
    romsim_error_set(err, ENOTEMPTY, "'%s' is not empty: a mount would hide what is in it",
                     QUOTE(point));
    return romsim_error_hint(err, "make a directory for it");
}

/* The instance's name, for df and mountinfo, with '_' for what could need quoting there. */
static void safe_name(const char *name, char *ret, size_t size)
{
    size_t length = 0;

    for (; name && *name && length + 1 < size; name++)
        ret[length++] = isalnum((unsigned char)*name) || strchr("._-", *name) ? *name : '_';
    ret[length] = '\0';
}

/*
 * Two commands may find the same place free at the same time.  So who mounts holds a lock on the
 * directory meanwhile, and looks under the lock whether it is free.  (One who opens the directory
 * when the other's mount is on it already locks something else, but then sees that mount.)
 * The descriptor to close is in *ret_fd, or -1: a dead mount cannot be opened, and not every file
 * system has locks; then there is none.  Returns 0, or -1 if somebody holds it for too long.
 */
static int lock_place(const char *point, int *ret_fd, struct romsim_error *err)
{
    CLEANUP_FD int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct romsim_error error = {0};

    if (fd >= 0 && romsim_lock_take(fd, LOCK_EX, ROMSIM_LOCK_TIMEOUT_MS, point, &error) < 0 &&
        error.errnum == EBUSY) {
        if (err)
            *err = error;
        return -1;
    }
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* Detaches our mount, and no other that may be there by now: while the session lives, no other
 * mount has its device number; when the session has ended, it was unmounted by somebody. */
static void unmount_own(struct romsim_fs *fs)
{
    dev_t device;

    romsim_spares_release(&fs->spares);
    if (fuse_session_exited(fs->session))
        return;
    if (romsim_mount_find(fs->point, &device, NULL) == ROMSIM_MOUNT_OURS && device == fs->device)
        romsim_mount_detach(fs->point, NULL, NULL);
}

static int mount_seam(struct romsim_fs *fs, const char *name, bool allow_other,
                      struct romsim_error *err)
{
    CLEANUP_FD int lock = -1;
    char source[64];
    int fd, found;

    safe_name(name, source, sizeof(source));
    if (lock_place(fs->point, &lock, err) < 0 || make_room(fs->point, err) < 0 ||
        check_empty(fs->point, err) < 0 ||
        romsim_spares_hold(&fs->spares, SPARES, "a mount", err) < 0)
        return -1;
    fd = fuse_mount(fs->point, source, allow_other, err);
    if (fd < 0)
        return -1;
    fs->session = ll_session_new(&fs->ll, fd, err);
    if (!fs->session) {
        romsim_spares_release(&fs->spares);
        romsim_mount_detach(fs->point, NULL, NULL);
        return -1;
    }
    found = romsim_mount_find(fs->point, &fs->device, err);
    if (found == ROMSIM_MOUNT_OURS)
        return 0;
    if (found >= 0)
        return romsim_error_set(err, EIO, "the mount at '%s' went away", QUOTE(fs->point));
    /* It was made under the lock, so it is ours, whatever its number. */
    romsim_spares_release(&fs->spares);
    romsim_mount_detach(fs->point, NULL, NULL);
    return -1;
}

struct romsim_fs *romsim_fs_mount(const struct romsim_layout *layout, const char *directory,
                                  const struct romsim_fs_options *options, struct romsim_error *err)
{
    struct romsim_fs_options chosen =
        options ? *options : (struct romsim_fs_options){.drives_only = false};
    struct romsim_fs *fs = calloc(1, sizeof(*fs));

    if (!fs) {
        romsim_error_nomem(err);
        return NULL;
    }
    fs->stop = eventfd(0, EFD_CLOEXEC);
    chosen.seam.stop = fs->hurry = eventfd(0, EFD_CLOEXEC);
    fs->ll.report = chosen.report;
    fs->ll.context = chosen.context;
    if (fs->stop < 0 || fs->hurry < 0)
        romsim_error_system(err, errno, "cannot make an eventfd");
    else if ((fs->point = romsim_mount_point(directory, err)) &&
             (fs->ll.seam = romsim_seam_new(layout, chosen.drives_only, &chosen.seam, err)) &&
             mount_seam(fs, layout->name, chosen.allow_other, err) == 0)
        return fs;
    romsim_fs_free(fs);
    return NULL;
}

void romsim_fs_free(struct romsim_fs *fs)
{
    if (!fs)
        return;
    if (fs->session) {
        unmount_own(fs);
        fuse_session_destroy(fs->session);
    }
    romsim_seam_free(fs->ll.seam);
    if (fs->stop >= 0)
        close(fs->stop);
    if (fs->hurry >= 0)
        close(fs->hurry);
    romsim_spares_release(&fs->spares);
    free(fs->point);
    free(fs);
}

/* ---- serving ---------------------------------------------------------------------------- */

static void raise_event(int event)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t ignored = write(event, &one, sizeof(one)); /* cannot fail before 2^64 of them */

    (void)ignored;
    errno = saved;
}

void romsim_fs_stop(struct romsim_fs *fs)
{
    raise_event(fs->stop);
}

void romsim_fs_hurry(struct romsim_fs *fs)
{
    raise_event(fs->hurry);
}

static void *serve_requests(void *argument)
{
    struct server *server = argument;
    struct fuse_session *session = server->fs->session;

    while (!fuse_session_exited(session)) {
        int received;

        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        received = fuse_session_receive_buf(session, &server->request);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
        if (received > 0)
            fuse_session_process_buf(session, &server->request);
        else if (received < 0 && received != -EINTR && received != -EAGAIN) {
            server->error = -received;
            break;
        }
    }
    /* One that has no memory for a request leaves it to the others. */
    if (atomic_fetch_sub(&server->fs->serving, 1) == 1 || server->error != ENOMEM)
        romsim_fs_stop(server->fs);
    return NULL;
}

static size_t count_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < THREADS_MIN)
        return THREADS_MIN;
    return processors > THREADS_MAX ? THREADS_MAX : (size_t)processors;
}

/* Starts the threads, with all signals blocked in them: those are for the caller.  Returns how many
 * run; *ret_problem is the errno of one that does not. */
static size_t start_servers(struct romsim_fs *fs, struct server *servers, size_t count,
                            int *ret_problem)
{
    sigset_t all, before;
    size_t started = 0;

    atomic_store(&fs->serving, count);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < count) {
        servers[started].fs = fs;
        *ret_problem =
            pthread_create(&servers[started].thread, NULL, serve_requests, &servers[started]);
        if (*ret_problem != 0)
            break;
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started < count && atomic_fetch_sub(&fs->serving, count - started) == count - started)
        romsim_fs_stop(fs); /* the last of them has failed already */
    return started;
}

/* Ends the threads.  Returns the errno of one whose failure ended the service, or 0. */
static int end_servers(struct server *servers, size_t count)
{
    size_t without_memory = 0;
    int error = 0;

    for (size_t i = 0; i < count; i++)
        pthread_cancel(servers[i].thread);
    for (size_t i = 0; i < count; i++) {
        pthread_join(servers[i].thread, NULL);
        free(servers[i].request.mem);
        if (servers[i].error == ENOMEM)
            without_memory++;
        else if (servers[i].error != 0)
            error = servers[i].error;
    }
    return error == 0 && without_memory == count ? ENOMEM : error;
}

/* Nobody will answer any more: ends the connection, so that nobody waits for it. */
static void hang_up(struct romsim_fs *fs)
{
    CLEANUP_FD int null = -1;

    romsim_spares_release(&fs->spares);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup3(null, fuse_session_fd(fs->session), O_CLOEXEC);
}

int romsim_fs_serve(struct romsim_fs *fs, struct romsim_error *err)
{
    struct server servers[THREADS_MAX] = {0};
    int error = 0;
    size_t count = start_servers(fs, servers, count_threads(), &error);
    struct pollfd stop = {.fd = fs->stop, .events = POLLIN};

    if (count == 0) {
        hang_up(fs);
        romsim_error_system(err, error, "cannot start a thread");
        return romsim_error_hint(err, "the limit of memory (ulimit -v) or of processes (ulimit "
                                      "-u) is too low");
    }
    while (poll(&stop, 1, -1) < 0 && errno == EINTR)
        ;
    romsim_fs_hurry(fs);
    error = end_servers(servers, count);
    if (error == 0)
        return 0;
    hang_up(fs);
    return romsim_error_system(err, error, "cannot answer the kernel for '%s'", QUOTE(fs->point));
}
