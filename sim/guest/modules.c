/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * modules.c: loads the kernel's modules.  `make guest` put them into /modules, with their order
 * (dependencies first, by modules.dep) and the kernel's release.  With a kernel of the user's own
 * they are left alone: it must have all drivers built in.  Modules of a file system that few
 * instances need have a list of their own, and wait until one is to be mounted.
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

/* Loads what a list has: its first line is the kernel's release, then comes one module a line. */
static void load_list(const char *path)
{
    FILE *order = fopen(path, "re");
    char line[256];

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

void modules_load(void)
{
    load_list("/modules/order");
}

void modules_load_file_systems(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->mounts.count; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/modules/order.%s", manifest->mounts.items[i].type);
        load_list(path);
    }
}
