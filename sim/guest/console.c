/* SPDX-License-Identifier: BSD-3-Clause */
/* console.c: the app's console, a virtio console; before there is one, the kernel's log. */
#include "guest.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int console = -1;

void console_open(void)
{
    struct termios mode;

    console = open("/dev/hvc0", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (console < 0)
        fail(0, "this kernel has no driver for the console (virtio_console)");
    /* Bytes leave the guest as the app wrote them: no carriage returns, no echo. */
    if (tcgetattr(console, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(console, TCSANOW, &mode);
    }
}

int console_fd(void)
{
    return console;
}

void console_print(const char *format, ...)
{
    char line[MANIFEST_LINE_MAX + 256];
    int fd = console >= 0 ? console : open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (console < 0)
        dprintf(fd, "<2>%s", line); /* critical: shown in spite of `quiet` */
    else if (write(fd, line, strlen(line)) < 0)
        return; /* nobody is left to be told */
    if (console < 0)
        close(fd);
}

void console_drain(void)
{
    if (console >= 0)
        tcdrain(console);
}
