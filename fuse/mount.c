/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.c: making a FUSE mount.
 *
 * Not by libfuse, which prints what goes wrong and tells the program nothing.  Who may mount does
 * it with mount(2) (root, or the root of a user namespace); others ask fusermount3, which is
 * set-uid: it opens /dev/fuse, mounts, and sends the descriptor back through the socket whose
 * number is in _FUSE_COMMFD (util/fusermount.c of libfuse).
 */
#include "mount.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/fs.h>
#include <romsim/mounts.h>
#include <romsim/program.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FUSE_DEVICE "/dev/fuse"
#define FUSERMOUNT  "fusermount3"

enum { OPTIONS_SIZE = 256, OUTPUT_MAX = 4096 };

/* With other users let in, the kernel has to check modes and owners.  Without, only the user who
 * mounts gets in, and the images are that user's own to read: to check would hide, say, a private
 * file (which the image has as root's) from the one who put it there. */
static const char *access_options(bool allow_other)
{
    return allow_other ? ",allow_other,default_permissions" : "";
}

/* ---- mount(2) --------------------------------------------------------------------------- */

static int open_device(struct romsim_error *err)
{
    int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
    int error = errno;

    if (fd >= 0)
        return fd;
    romsim_error_system(err, error, "cannot open " FUSE_DEVICE);
    if (error == ENOENT || error == ENODEV || error == ENXIO)
        romsim_error_hint(err, "load the kernel module 'fuse'; in a container, start it with "
                               "--device " FUSE_DEVICE);
    else if (error == EACCES || error == EPERM)
        romsim_error_hint(err, "an administrator can let users in: chmod 666 " FUSE_DEVICE);
    return -1;
}

/* Returns the descriptor, or -1: EPERM means that fusermount3 has to do it. */
static int mount_directly(const char *point, const char *source, bool allow_other,
                          struct romsim_error *err)
{
    CLEANUP_FD int fd = open_device(err);
    char options[OPTIONS_SIZE];

    if (fd < 0)
        return -1;
    snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=%u,group_id=%u%s", fd,
             (unsigned)S_IFDIR, (unsigned)getuid(), (unsigned)getgid(),
             access_options(allow_other));
    if (mount(source, point, ROMSIM_MOUNT_TYPE, MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0)
        return romsim_error_system(err, errno, "cannot mount at '%s'", QUOTE(point));
    return steal_fd(&fd);
}

/* ---- fusermount3 ------------------------------------------------------------------------ */

/* The descriptor that comes through the socket, or -1 at its end. */
static int receive_descriptor(int socket)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header;
    ssize_t received;
    int fd = -1;

    do
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    header = received > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

/* fusermount3's last words become the error's. */
static int report_fusermount(const char *output, struct romsim_error *err)
{
    const char *words = output ? output : "";
    size_t size = strlen(words);

    while (size > 0 && words[size - 1] == '\n')
        size--;
    if (strncmp(words, FUSERMOUNT ": ", strlen(FUSERMOUNT ": ")) == 0) {
        words += strlen(FUSERMOUNT ": ");
        size -= strlen(FUSERMOUNT ": ");
    }
    romsim_error_set(err, EACCES, FUSERMOUNT ": %s",
                     size > 0 ? romsim_text_quote(words, size, (char[512]){0}, 512) : "it failed");
    if (strstr(words, "user_allow_other"))
        romsim_error_hint(err, "an administrator can add 'user_allow_other' to /etc/fuse.conf");
    /* Not for want of rights in the directory, which it says in other words. */
    else if (strstr(words, "mount failed: Permission denied"))
        romsim_error_hint(err,
                          "AppArmor may refuse the place (Ubuntu since 25.04): mount below your "
                          "home folder, /mnt, /media or /tmp, or see "
                          "/etc/apparmor.d/fusermount3");
    return -1;
}

static int mount_by_fusermount(const char *point, const char *source, bool allow_other,
                               struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer words = ROMSIM_BUFFER_INIT(OUTPUT_MAX);
    CLEANUP_FD int ours = -1, theirs = -1, fd = -1;
    char options[OPTIONS_SIZE], setting[32];
    const char *argv[] = {FUSERMOUNT, "-o", options, "--", point, NULL};
    int sockets[2], status;

    snprintf(options, sizeof(options), "ro,nosuid,nodev,fsname=%s,subtype=romsim%s", source,
             access_options(allow_other));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    ours = sockets[0];
    theirs = sockets[1];
    snprintf(setting, sizeof(setting), "_FUSE_COMMFD=%d", theirs);
    const struct romsim_program program = {.argv = argv,
                                           .setting = setting,
                                           .inherited = (const int[]){theirs, -1},
                                           .complaints = &words};
    /* It does not wait for an answer: the descriptor is in the socket when it has ended. */
    if (romsim_program_run(&program, &status, err) < 0)
        return err && err->errnum == ENOENT ? romsim_error_hint(err, "it is in the package 'fuse3'")
                                            : -1;
    close(steal_fd(&theirs));
    fd = receive_descriptor(ours);
    return fd >= 0 ? steal_fd(&fd) : report_fusermount(words.data, err);
}

/* ---- both ------------------------------------------------------------------------------- */

int fuse_mount(const char *point, const char *name, bool allow_other, struct romsim_error *err)
{
    struct romsim_error direct;
    char source[96];
    int fd;

    snprintf(source, sizeof(source), "romsim%s%.64s", name[0] ? ":" : "", name);
    fd = mount_directly(point, source, allow_other, &direct);
    if (fd >= 0)
        return fd;
    if (direct.errnum == EPERM)
        return mount_by_fusermount(point, source, allow_other, err);
    if (err)
        *err = direct;
    return -1;
}

/* Has this process CAP_SYS_ADMIN?  As root, if that cannot be told. */
static bool may_mount(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &header, data) < 0)
        return geteuid() == 0;
    return data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

int romsim_fs_probe(struct romsim_error *err)
{
    CLEANUP_FD int fd = open_device(err);
    CLEANUP_FREE char *helper = romsim_program_find(FUSERMOUNT);

    if (fd < 0)
        return -1;
    if (may_mount())
        return 0;
    /* What a set-uid program may become is bounded, in containers and services. */
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
        prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0) {
        romsim_error_set(err, EPERM, "nothing that is started here may mount");
        return romsim_error_hint(err, "a container may with --cap-add SYS_ADMIN; a service without "
                                      "NoNewPrivileges");
    }
    if (helper)
        return 0;
    romsim_error_set(err, ENOENT, "there is no " FUSERMOUNT ", which mounts for users");
    return romsim_error_hint(err, "it is in the package 'fuse3'");
}
