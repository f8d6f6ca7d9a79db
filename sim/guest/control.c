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

enum { PORT_PATIENCE_MS = 20000, PORT_INTERVAL_MS = 2, COMMAND_MAX = 64 };

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

/* Bytes that have come and were not used yet. */
static char input[256];
static size_t input_from, input_to;

/* Takes in what has come, waiting for some where there is none. */
static void fill(void)
{
    ssize_t got;

    input_from = 0;
    do
        got = read(port, input, sizeof(input));
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        fail(got < 0 ? errno : 0, "the host went away");
    input_to = (size_t)got;
}

static void read_all(char *bytes, size_t size)
{
    while (size > 0) {
        size_t part = input_to - input_from < size ? input_to - input_from : size;

        memcpy(bytes, input + input_from, part);
        input_from += part;
        bytes += part;
        size -= part;
        if (size > 0)
            fill();
    }
}

enum { LINE_SIZE = 64 };

static void read_line(char line[LINE_SIZE])
{
    size_t size = 0;

    do
        read_all(&line[size], 1);
    while (line[size] != '\n' && ++size < LINE_SIZE - 1);
    line[size] = '\0';
}

/* What follows a line "romsim 2 BYTES". */
static void read_manifest(const char *line, struct manifest *ret)
{
    long size = -1;
    char *bytes;
    const char *problem;

    if (strncmp(line, MANIFEST_GREETING, strlen(MANIFEST_GREETING)) == 0)
        size = manifest_number(line + strlen(MANIFEST_GREETING), MANIFEST_MAX);
    if (size < 0)
        fail(0, "the host speaks another version: run 'make guest' again");
    bytes = malloc((size_t)size + 1);
    if (!bytes)
        fail(ENOMEM, "cannot hold the manifest");
    read_all(bytes, (size_t)size);
    if (manifest_parse(bytes, (size_t)size, ret, &problem) < 0)
        fail(0, "bad manifest: %s", problem);
}

void control_read_manifest(struct manifest *ret)
{
    char line[LINE_SIZE];

    read_line(line);
    read_manifest(line, ret);
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

/* What follows a word at the beginning of a line, or NULL. */
static char *after(char *line, const char *word)
{
    size_t size = strlen(word);

    return strncmp(line, word, size) == 0 ? line + size : NULL;
}

/* The host sends whole lines. */
bool control_receive(int app, struct manifest *manifest)
{
    bool goes_on = false;

    if (input_from == input_to)
        fill();
    while (input_from < input_to) {
        char line[LINE_SIZE], *rest;
        struct manifest_terminal size;

        read_line(line);
        if (strcmp(line, "kill") == 0) {
            kill(app, SIGKILL);
        } else if (strcmp(line, "stop") == 0) {
            kill(app, SIGTERM);
        } else if (strcmp(line, "go on") == 0) {
            libukp_go_on();
        } else if (strcmp(line, "hold") == 0) {
            hold_app();
        } else if ((rest = after(line, "release "))) {
            clone_release(rest);
        } else if (strcmp(line, "traffic") == 0) {
            network_report();
        } else if (strncmp(line, MANIFEST_WAKE, strlen(MANIFEST_WAKE)) == 0) {
            clone_wake(manifest, line + strlen(MANIFEST_WAKE));
            goes_on = true;
        } else if ((rest = after(line, "size "))) {
            if (manifest_terminal(rest, &size) == 0)
                console_resize(&size);
        } else if ((rest = after(line, "end "))) {
            input_end(strtoull(rest, NULL, 10));
        } else {
            struct manifest next;

            read_manifest(line, &next);
            clone_become(manifest, &next);
            if (app) {
                opens_begin(manifest);
                control_send("phase app");
            }
            goes_on = true;
        }
    }
    return goes_on;
}

_Noreturn void fail(int error, const char *format, ...)
{
    char line[MANIFEST_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    format_text(line, format, arguments);
    va_end(arguments);
    console_print("%s%s%s\n", line, error ? ": " : "", error ? strerror(error) : "");
    control_send("said %llu", console_sent());
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
