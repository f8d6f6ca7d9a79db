/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_console.c: what `romsim run` shows: the apps' consoles on stdout, all else on stderr.
 *
 * One instance's bytes pass as they are.  With several, each line gets its instance's name, and a
 * line waits until it is complete (or long), so that two never share one.
 */
#include "run_console.h"

#include "sim/cli/cli.h"

#include <romsim/cleanup.h>

#include <stdio.h>
#include <string.h>

enum { LINE_LONG = 4096 };

/* "" for a single instance, else "name: ". */
static const char *prefix(const struct run_console *console, size_t instance, char ret[160])
{
    ret[0] = '\0';
    if (console->count > 1 && instance < console->count)
        snprintf(ret, 160, "%s: ", console->layouts[instance]->name);
    return ret;
}

static void print_line(const struct run_console *console, size_t instance, const char *text,
                       size_t size)
{
    printf("%s | ", console->layouts[instance]->name);
    fwrite(text, 1, size, stdout);
    putchar('\n');
}

/* Prints and forgets what is held of an unfinished line. */
static void flush_line(struct run_console *console, size_t instance)
{
    struct romsim_buffer *held = &console->lines[instance].text;

    if (held->size)
        print_line(console, instance, held->data, held->size);
    romsim_buffer_reset(held);
    held->failed = 0;
}

static void print_lines(struct run_console *console, size_t instance, const char *text, size_t size)
{
    struct romsim_buffer *held = &console->lines[instance].text;

    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t part = newline ? (size_t)(newline - text) : size;

        romsim_buffer_append(held, text, part);
        if (newline && held->size == 0)
            print_line(console, instance, "", 0);
        else if (newline || held->size >= LINE_LONG || held->failed)
            flush_line(console, instance);
        text += part + (newline ? 1 : 0);
        size -= part + (newline ? 1 : 0);
    }
}

static void print_console(struct run_console *console, size_t instance,
                          const struct romsim_vm_event *event)
{
    if (console->count > 1)
        print_lines(console, instance, event->text, event->size);
    else
        fwrite(event->text, 1, event->size, stdout);
    fflush(stdout);
}

void run_console_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct run_console *console = context;
    char name[160];

    switch (event->kind) {
    case ROMSIM_VM_CONSOLE:
        print_console(console, instance, event);
        break;
    case ROMSIM_VM_NOTE:
        if (!console->quiet)
            cli_note("%s%s", prefix(console, instance, name), event->text);
        break;
    case ROMSIM_VM_PORT:
        if (!console->quiet)
            cli_note("%s answers at %s", console->layouts[instance]->name, event->text);
        break;
    case ROMSIM_VM_PHASE:
        if (console->verbose)
            cli_note("%s%7.3f s  %s", prefix(console, instance, name), (double)event->micros / 1e6,
                     event->text);
        break;
    case ROMSIM_VM_EXIT:
        flush_line(console, instance);
        if (console->verbose || (console->count > 1 && !console->quiet))
            cli_note("%sthe app ended with status %d", prefix(console, instance, name),
                     event->status);
        break;
    case ROMSIM_VM_FAILED:
        flush_line(console, instance);
        cli_note("error: %s%s", prefix(console, instance, name), event->text);
        break;
    }
}
