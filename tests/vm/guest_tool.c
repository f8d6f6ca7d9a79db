/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest_tool.c: what the tests of `run` need in a guest, as one static program.
 *
 *     guest_tool listen FIRST COUNT        listens on so many ports, says "listening", waits
 *     guest_tool forge REPEATS TEXT        steals init's control line and writes TEXT on it, \n and
 *                                          \0 (a thousand x) expanded
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listen_on(unsigned first, unsigned count)
{
    const struct rlimit many = {count + 64, count + 64};

    setrlimit(RLIMIT_NOFILE, &many);
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(first + i)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0) {
            perror("listen");
            return 1;
        }
    }
    printf("listening\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* Is this descriptor of init's the port romsim.control? */
static bool is_control(const char *number)
{
    char path[300], target[64] = "", name[64] = "";
    int fd;

    snprintf(path, sizeof(path), "/proc/1/fd/%s", number);
    if (readlink(path, target, sizeof(target) - 1) < 0 || strncmp(target, "/dev/vport", 10) != 0)
        return false;
    snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", target + 5);
    fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, name, sizeof(name) - 1) < 0)
        return false;
    close(fd);
    return strncmp(name, "romsim.control", 14) == 0;
}

static int steal_control(void)
{
    DIR *descriptors = opendir("/proc/1/fd");
    int init = (int)syscall(SYS_pidfd_open, 1, 0);
    struct dirent *entry;

    while (descriptors && (entry = readdir(descriptors)))
        if (is_control(entry->d_name))
            return (int)syscall(SYS_pidfd_getfd, init, atoi(entry->d_name), 0);
    return -1;
}

static int forge(unsigned repeats, const char *text)
{
    static char line[1 << 16];
    size_t size = 0;
    int fd = steal_control();

    if (fd < 0) {
        perror("cannot steal the control line");
        return 1;
    }
    for (; *text && size < sizeof(line) - 1000; text++)
        if (text[0] == '\\' && text[1] == 'n') {
            line[size++] = '\n';
            text++;
        } else if (text[0] == '\\' && text[1] == '0') {
            memset(line + size, 'x', 1000);
            size += 1000;
            text++;
        } else {
            line[size++] = *text;
        }
    for (unsigned i = 0; i < repeats; i++)
        if (write(fd, line, size) < 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "listen") == 0)
        return listen_on((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
    if (argc == 4 && strcmp(argv[1], "forge") == 0)
        return forge((unsigned)atoi(argv[2]), argv[3]);
    return 2;
}
