/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fs.c: the life of a mount: mount, serve, stop, unmount.
 *
 * Requests are answered by a process of its own (server.h), for which romsim_fs_serve() waits; so a
 * thread is enough for a mount, and may be one of a process that has much else to do.
 */
#include "ll.h"
#include "mount.h"
#include "server.h"

#include <romsim/descriptors.h>
#include <romsim/fs.h>
#include <romsim/lock.h>
#include <romsim/mounts.h>
#include <romsim/text.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

/* Files that unmounting opens: mountinfo; fusermount3 starts with what is free then. */
enum { SPARES = 5 };

struct romsim_fs {
    struct ll ll; /* has the seam */
    struct fuse_session *session;
    char *point;
    dev_t device;   /* of our mount */
    int stop;       /* an eventfd: readable when it is time to end */
    int hurry;      /* another: no read has to wait any more in the seam */
    int outputs[2]; /* what the seam writes to */
    struct server_channel channel;
    struct romsim_spares spares; /* for the unmounting */
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
    fs->channel = (struct server_channel){-1, -1};
    fs->outputs[0] = chosen.seam.trace ? chosen.seam.trace->json : -1;
    fs->outputs[1] = chosen.seam.trace ? chosen.seam.trace->text : -1;
    if (fs->stop < 0 || fs->hurry < 0)
        romsim_error_system(err, errno, "cannot make an eventfd");
    else if (server_channel_open(&fs->channel, err) == 0 &&
             (fs->point = romsim_mount_point(directory, err)) &&
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
    server_channel_close(&fs->channel);
    romsim_spares_release(&fs->spares);
    free(fs->point);
    free(fs);
}

/* ---- serving ---------------------------------------------------------------------------- */

void romsim_fs_stop(struct romsim_fs *fs)
{
    server_raise(fs->stop);
}

void romsim_fs_phase(struct romsim_fs *fs, const char *name)
{
    romsim_seam_phase(fs->ll.seam, name);
}

void romsim_fs_open(struct romsim_fs *fs, const struct romsim_trace_open *opened)
{
    romsim_seam_open(fs->ll.seam, opened);
}

void romsim_fs_hurry(struct romsim_fs *fs)
{
    server_raise(fs->hurry);
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
    const struct server_task task = {
        .ll = &fs->ll,
        .session = fs->session,
        .stop = fs->stop,
        .hurry = fs->hurry,
        .outputs = fs->outputs,
        .output_count = sizeof(fs->outputs) / sizeof(fs->outputs[0]),
    };

    if (server_run(&task, &fs->channel, err) == 0)
        return 0;
    hang_up(fs);
    romsim_error_context(err, "the mount at '%s'", QUOTE(fs->point));
    return -1;
}
