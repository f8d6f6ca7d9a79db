/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modules.c: loads the kernel's modules.  `make guest` put them into /modules, with their order
 * (dependencies first, by modules.dep) and the kernel's release.  With a kernel of the user's own
 * they are left alone: it must have all drivers built in.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void load(const char *name)
{
    char path[300];
    int fd;

    snprintf(path, sizeof(path), "/modules/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
        fail(errno, "cannot load the kernel module %s", name);
    close(fd);
}

static bool is_for_this_kernel(const char *release)
{
    struct utsname system;

    return uname(&system) == 0 && strcmp(system.release, release) == 0;
}

void modules_load(void)
{
    FILE *order = fopen("/modules/order", "re");
    char line[256];

    /* The first line is the kernel's release, then one module a line. */
    for (unsigned number = 0; order && fgets(line, sizeof(line), order); number++) {
        line[strcspn(line, "\n")] = '\0';
        if (number > 0)
            load(line);
        else if (!is_for_this_kernel(line))
            break;
    }
    if (order)
        fclose(order);
}
