/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_console.c: what `romsim run` shows: the apps' consoles on stdout, all else on stderr, but for
 * the kernels' logs and the timings if there are files for them.
 *
 * One instance's bytes pass as they are.  With several, each line gets its instance's name, and a
 * line waits until it is complete (or long), so that two never share one.  So it is with every line
 * of a kernel's log on stderr, which is made safe for a terminal besides.  Nothing is written with
 * stdio: a reader that stands still must not hold up who answers signals.
 */
#include "run_console.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_LONG = 4096, LINE_MAX_HELD = 1 << 16 };

static bool is_same_file(int one, int other)
{
    struct stat a, b;

    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int run_console_open(struct run_console *console, const char **names, size_t count)
{
    console->names = names;
    console->count = count;
    stream_init(&console->streams[0], STDOUT_FILENO);
    stream_init(&console->streams[1], STDERR_FILENO);
    stream_init(&console->streams[2], -1);
    stream_init(&console->streams[3], -1);
    console->log = &console->streams[2];
    console->times = &console->streams[3];
    console->out = &console->streams[0];
    console->err = &console->streams[is_same_file(STDOUT_FILENO, STDERR_FILENO) ? 0 : 1];
    console->lines = calloc(count, sizeof(*console->lines));
    console->logs = calloc(count, sizeof(*console->logs));
    console->ended = calloc(count, sizeof(*console->ended));
    if (!console->lines || !console->logs || !console->ended)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int width = (int)strlen(names[i]);

        console->lines[i] = console->logs[i] = ROMSIM_BUFFER_INIT(LINE_MAX_HELD);
        if (width > console->name_width)
            console->name_width = width;
    }
    return 0;
}

int run_console_open_file(struct stream *stream, const char *path, struct romsim_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0666);

    if (fd < 0 && errno == ENXIO)
        return romsim_error_set(err, ENXIO, "cannot write '%s': nobody reads it", QUOTE(path));
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot write '%s'", QUOTE(path));
    stream_init(stream, fd);
    return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Adds a line behind its instance's name. */
static void add_line(struct run_console *console, struct stream *stream, size_t instance,
                     const char *text, size_t size)
{
    CLEANUP_BUFFER struct romsim_buffer line = ROMSIM_BUFFER_INIT(2 * LINE_MAX_HELD);

    romsim_buffer_printf(&line, "%-*s | ", console->name_width, console->names[instance]);
    romsim_buffer_append(&line, text, size);
    romsim_buffer_puts(&line, "\n");
    if (!line.failed)
        stream_add(stream, line.data, line.size);
}

typedef void line_printer(struct run_console *console, size_t instance, const char *text,
                          size_t size);

static void print_line(struct run_console *console, size_t instance, const char *text, size_t size)
{
    add_line(console, console->out, instance, text, size);
}

static void print_log_line(struct run_console *console, size_t instance, const char *text,
                           size_t size)
{
    char quoted[LINE_LONG];
    CLEANUP_BUFFER struct romsim_buffer line = ROMSIM_BUFFER_INIT(2 * LINE_MAX_HELD);

    while (size > 0 && text[size - 1] == '\r')
        size--;
    if (console->log->fd >= 0) {
        add_line(console, console->log, instance, text, size);
        return;
    }
    if (console->count > 1)
        romsim_buffer_printf(&line, "%-*s ", console->name_width, console->names[instance]);
    romsim_buffer_printf(&line, "kernel | %s\n",
                         romsim_text_quote(text, size, quoted, sizeof(quoted)));
    if (!line.failed)
        stream_add(console->err, line.data, line.size);
}

/* Prints and forgets what is held of an unfinished line. */
static void flush_line(struct run_console *console, size_t instance, struct romsim_buffer *held,
                       line_printer *print)
{
    if (held->size)
        print(console, instance, held->data, held->size);
    romsim_buffer_reset(held);
    held->failed = 0;
}

static void print_lines(struct run_console *console, size_t instance, struct romsim_buffer *held,
                        line_printer *print, const char *text, size_t size)
{
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t part = newline ? (size_t)(newline - text) : size;

        romsim_buffer_append(held, text, part);
        if (newline && held->size == 0)
            print(console, instance, "", 0);
        else if (newline || held->size >= LINE_LONG || held->failed)
            flush_line(console, instance, held, print);
        text += part + (newline ? 1 : 0);
        size -= part + (newline ? 1 : 0);
    }
}

static void print_console(struct run_console *console, size_t instance,
                          const struct romsim_vm_event *event)
{
    if (console->is_silent)
        return;
    if (console->count > 1)
        print_lines(console, instance, &console->lines[instance], print_line, event->text,
                    event->size);
    else
        stream_add(console->out, event->text, event->size);
}

static void list(struct run_console *console, size_t instance, const char *state)
{
    const char *name = console->names[instance];

    if (!console->lists || strcmp(console->lists, state) != 0)
        return;
    stream_add(console->out, name, strlen(name));
    stream_add(console->out, "\n", 1);
}

static void print_log(struct run_console *console, size_t instance,
                      const struct romsim_vm_event *event)
{
    if (console->count > 1 || console->log->fd < 0)
        print_lines(console, instance, &console->logs[instance], print_log_line, event->text,
                    event->size);
    else
        stream_add(console->log, event->text, event->size);
}

/* ---- stderr --------------------------------------------------------------------------------- */

/* "" for a single instance, else "name: ". */
static const char *prefix(const struct run_console *console, size_t instance, char ret[160])
{
    ret[0] = '\0';
    if (console->count > 1 && instance < console->count)
        snprintf(ret, 160, "%s: ", console->names[instance]);
    return ret;
}

/* Appends a text of several lines, and nothing that a terminal would take as a control. */
static void append_disarmed(struct romsim_buffer *out, const char *text, const char *line_end)
{
    size_t room = 4 * strlen(text) + 16;
    CLEANUP_FREE char *safe = malloc(room);

    for (; safe && *text; text += *text == '\n') {
        size_t size = strcspn(text, "\n");

        romsim_buffer_puts(out, romsim_text_disarm(text, size, safe, room));
        romsim_buffer_puts(out, line_end);
        text += size;
    }
}

void run_console_say(struct run_console *console, const char *format, ...)
{
    CLEANUP_BUFFER struct romsim_buffer lines = ROMSIM_BUFFER_INIT(1 << 20);
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    romsim_buffer_puts(&lines, "romsim: ");
    append_disarmed(&lines, text ? text : "out of memory",
                    input_is_raw(console->input) ? "\r\n" : "\n");
    if (!lines.failed)
        stream_add(console->err, lines.data, lines.size);
}

/* Shows how long a start took, if that is wanted. */
static void print_timings(struct run_console *console, size_t instance)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    char name[160];

    if (console->times->fd >= 0)
        timings_print_json(console->timings, instance, console->names[instance], &text);
    else
        timings_print(console->timings, instance, &text);
    if (text.failed || !text.size)
        return;
    if (console->times->fd >= 0)
        stream_add(console->times, text.data, text.size);
    else
        run_console_say(console, "%s%s", prefix(console, instance, name), text.data);
}

void run_console_close(struct run_console *console)
{
    for (size_t i = 0; i < console->count; i++)
        if (timings_has_more(console->timings, i))
            print_timings(console, i);
    if (console->times->problem)
        run_console_say(console, "error: cannot write the timings: %s",
                        strerror(console->times->problem));
    for (size_t i = 0; console->lines && console->logs && i < console->count; i++) {
        romsim_buffer_reset(&console->lines[i]);
        romsim_buffer_reset(&console->logs[i]);
    }
    free(console->lines);
    free(console->logs);
    free(console->ended);
    for (size_t i = 0; i < sizeof(console->streams) / sizeof(console->streams[0]); i++)
        stream_end(&console->streams[i]);
    cleanup_close_fd(&console->log->fd);
    cleanup_close_fd(&console->times->fd);
}

static void end(struct run_console *console, size_t instance)
{
    flush_line(console, instance, &console->lines[instance], print_line);
    flush_line(console, instance, &console->logs[instance], print_log_line);
    console->ended[instance] = true;
}

void run_console_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct run_console *console = context;
    char name[160];

    prefix(console, instance, name);
    switch (event->kind) {
    case ROMSIM_VM_CREATED:
        list(console, instance, "created");
        break;
    case ROMSIM_VM_STATE:
        console->ended[instance] &= strcmp(event->text, "starting") != 0;
        list(console, instance, event->text);
        break;
    case ROMSIM_VM_CONSOLE:
        print_console(console, instance, event);
        break;
    case ROMSIM_VM_KERNEL_LOG:
        print_log(console, instance, event);
        break;
    case ROMSIM_VM_NOTE:
        if (!console->quiet)
            run_console_say(console, "%s%s", name, event->text);
        break;
    case ROMSIM_VM_ERROR:
        run_console_say(console, "error: %s%s", name, event->text);
        break;
    case ROMSIM_VM_PORT:
        if (!console->quiet)
            run_console_say(console, "%s answers at %s", console->names[instance], event->text);
        break;
    case ROMSIM_VM_PHASE:
        if (console->verbose)
            run_console_say(console, "%s%7.3f s  %s", name, (double)event->micros / 1e6,
                            event->text);
        break;
    case ROMSIM_VM_EXIT:
        end(console, instance);
        if (console->verbose || (console->count > 1 && !console->quiet))
            run_console_say(console, "%sthe app ended with status %d", name, event->status);
        break;
    case ROMSIM_VM_FAILED:
        end(console, instance);
        run_console_say(console, "error: %s%s", name, event->text);
        break;
    case ROMSIM_VM_TIMING:
        break;
    }
    if (timings_take(console->timings, instance, event))
        print_timings(console, instance);
}
