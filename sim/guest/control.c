/* SPDX-License-Identifier: BSD-3-Clause */
/* control.c: the line to the host, a virtio-serial port. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

enum { PORT_PATIENCE_MS = 20000, PORT_INTERVAL_MS = 2 };

static int port = -1;

/* Is this the port?  Its name stands in sysfs. */
static bool has_name(const char *entry, const char *wanted)
{
    char path[300], name[64];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size = read(fd, name, sizeof(name) - 1);
    close(fd);
    if (size <= 0)
        return false;
    name[size] = '\0';
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, wanted) == 0;
}

/* Opens it if it is there.  -1 if it is not, -2 if there is nothing where it would be. */
static int look_for_port(const char *name, int flags)
{
    DIR *directory = opendir("/sys/class/virtio-ports");
    struct dirent *entry;
    char path[300];
    int fd = -1;

    if (!directory)
        return -2;
    while (fd < 0 && (entry = readdir(directory)))
        if (has_name(entry->d_name, name)) {
            snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
            fd = open(path, O_RDWR | O_CLOEXEC | flags);
        }
    closedir(directory);
    return fd;
}

/* The driver is there before its ports are: the host tells of each, and of its name, in messages of
 * their own, which a busy host may leave for later. */
int port_open(const char *name, int flags)
{
    int fd = look_for_port(name, flags);

    for (int tries = 0; fd == -1 && tries < PORT_PATIENCE_MS / PORT_INTERVAL_MS; tries++) {
        usleep(PORT_INTERVAL_MS * 1000);
        fd = look_for_port(name, flags);
    }
    return fd < 0 ? -1 : fd;
}

void control_open(void)
{
    port = port_open(MANIFEST_PORT, 0);
    if (port < 0)
        fail(0, "this kernel has no driver for the control port (virtio_console)");
}

int control_fd(void)
{
    return port;
}

static void read_all(char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = read(port, bytes, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fail(got < 0 ? errno : 0, "the host went away");
        bytes += got;
        size -= (size_t)got;
    }
}

/* Reads the line "romsim 1 BYTES\n", byte for byte: what follows it is not ours to take. */
static size_t read_greeting(void)
{
    char line[64];
    size_t size = 0;
    long bytes = -1;

    do
        read_all(&line[size], 1);
    while (line[size] != '\n' && ++size < sizeof(line) - 1);
    line[size] = '\0';
    if (strncmp(line, MANIFEST_GREETING, strlen(MANIFEST_GREETING)) == 0)
        bytes = manifest_number(line + strlen(MANIFEST_GREETING), MANIFEST_MAX);
    if (bytes < 0)
        fail(0, "the host speaks another version: run 'make guest' again");
    return (size_t)bytes;
}

void control_read_manifest(struct manifest *ret)
{
    size_t size = read_greeting();
    char *bytes = malloc(size + 1);
    const char *problem;

    if (!bytes)
        fail(ENOMEM, "cannot hold the manifest");
    read_all(bytes, size);
    if (manifest_parse(bytes, size, ret, &problem) < 0)
        fail(0, "bad manifest: %s", problem);
}

/* Sends a line behind a newline: whoever else wrote to the port, an app that stole it, say, and
 * left its line open, cannot swallow this one. */
static void send_line(char *line, size_t size)
{
    line[0] = '\n';
    for (size_t i = 1; i < size; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[size++] = '\n';
    while (port >= 0 && size > 0) {
        ssize_t sent = write(port, line, size);

        if (sent < 0 && errno != EINTR)
            return;
        line += sent < 0 ? 0 : sent;
        size -= sent < 0 ? 0 : (size_t)sent;
    }
}

/* vsnprintf() into a text that fits a line, cut if it is too long.  Returns its length. */
static size_t format_text(char text[MANIFEST_LINE_MAX], const char *format, va_list arguments)
{
    int length = vsnprintf(text, MANIFEST_LINE_MAX - 1, format, arguments);

    if (length < 0)
        return 0;
    return length < MANIFEST_LINE_MAX - 1 ? (size_t)length : MANIFEST_LINE_MAX - 2;
}

void control_send(const char *format, ...)
{
    char line[1 + MANIFEST_LINE_MAX];
    va_list arguments;
    size_t size;

    va_start(arguments, format);
    size = format_text(line + 1, format, arguments);
    va_end(arguments);
    send_line(line, 1 + size);
}

/* The host sends whole lines, of few words; what comes together is obeyed together. */
void control_receive(int app)
{
    char text[64];
    ssize_t size = read(port, text, sizeof(text) - 1);

    if (size <= 0)
        return;
    text[size] = '\0';
    if (strstr(text, "go on\n"))
        libukp_go_on();
    if (strstr(text, "traffic\n"))
        network_report();
    if (strstr(text, "kill\n"))
        kill(app, SIGKILL);
    else if (strstr(text, "stop\n"))
        kill(app, SIGTERM);
}

_Noreturn void fail(int error, const char *format, ...)
{
    char line[MANIFEST_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    format_text(line, format, arguments);
    va_end(arguments);
    console_print("%s%s%s\n", line, error ? ": " : "", error ? strerror(error) : "");
    if (error)
        control_send("failed %s: %s", line, strerror(error));
    else
        control_send("failed %s", line);
    /* The host ends the VM at that line.  Without a port this is all there is to do. */
    if (port >= 0)
        sleep(10);
    reboot(RB_AUTOBOOT);
    _exit(1);
}
