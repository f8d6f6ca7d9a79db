/* SPDX-License-Identifier: BSD-3-Clause */
/* meeting.c: sockets by their names in an instance's folder, for packets in their order. */
#include "meeting.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KIND = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK };

static int listen_at(int fd, int folder, const char *name, const struct sockaddr_un *address)
{
    unlinkat(folder, name, 0);
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -1;
    return listen(fd, SOMAXCONN);
}

static int meet(const char *directory, const char *name, bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : socket(AF_UNIX, KIND, 0), status = fd, problem;

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name);
    if (fd >= 0)
        status = listens ? listen_at(fd, folder, name, &address)
                         : connect(fd, (const struct sockaddr *)&address, sizeof(address));
    problem = errno;
    cleanup_close_fd(&folder);
    if (status >= 0)
        return fd;
    cleanup_close_fd(&fd);
    errno = problem;
    return -1;
}

int meeting_listen(const char *directory, const char *name)
{
    return meet(directory, name, true);
}

int meeting_connect(const char *directory, const char *name)
{
    return meet(directory, name, false);
}
