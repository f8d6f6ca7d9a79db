/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opens.c: what the guest's processes open beneath the mounts of ROMs, also in vain.
 *
 * The host sees what the kernel asks of a drive, and so nothing that the page cache answers, and no
 * name that is not there.  So probes are put on the kernel's own functions (kprobes, in tracefs):
 * do_filp_open(), by which all files are opened, programs too, and filename_lookup(), by which
 * paths are looked up otherwise (stat, access, chdir); both have the name in the kernel's memory.
 * Their lines come in pairs, the call and its return, which belong together by their thread:
 *
 *                cat-57      [000] .....     1.234567: o: (do_filp_open+0x0/0x100) dfd=-100
 * name="/r/a" cat-57      [000] .....     1.234570: O: (do_open+0x9/0x2 <- do_filp_open) ret=-2
 *
 * The name of the process takes 16 characters, whatever they are.  The file system that they are
 * set by is there for a moment only: the app must not find it.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing"

/* The first member of a struct filename is the name. */
#define PROBES                                                                                     \
    "p:romsim/o do_filp_open dfd=$arg1:s32 name=+0(+0($arg2)):string\n"                            \
    "r:romsim/O do_filp_open ret=$retval:s64\n"                                                    \
    "p:romsim/l filename_lookup dfd=$arg1:s32 name=+0(+0($arg2)):string\n"                         \
    "r:romsim/L filename_lookup ret=$retval:s32\n"

enum { NAME_WIDTH = 16, CALLS_MAX = 32, LINES_MAX = 20000, ERROR_MOST = 4095 };

struct call {
    long thread; /* 0: free */
    int directory;
    char kind;
    char name[PATH_MAX];
};

static int source = -1;
static int reported;
static struct call calls[CALLS_MAX];
static char pending[8192];
static size_t pending_size;

static int set(const char *file, const char *text)
{
    char path[128];
    ssize_t written;
    int fd;

    snprintf(path, sizeof(path), TRACEFS "/%s", file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    written = write(fd, text, strlen(text));
    close(fd);
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* init's own are of no interest. */
static int set_probes(void)
{
    char filter[64];

    snprintf(filter, sizeof(filter), "common_pid != %d", (int)getpid());
    set("buffer_percent", "0"); /* readable when there is anything, where that can be said */
    if (set("kprobe_events", PROBES) < 0 || set("events/romsim/filter", filter) < 0)
        return -1;
    source = open(TRACEFS "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return source < 0 ? -1 : set("events/romsim/enable", "1");
}

void opens_begin(const struct manifest *manifest)
{
    int error;

    if (!manifest->trace || source >= 0)
        return;
    if (mount("romsim", TRACEFS, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
        control_send("opens this kernel has no tracefs");
        return;
    }
    if (set_probes() < 0) {
        error = errno;
        control_send("opens this kernel has no probes for it: %s", strerror(error));
        if (source >= 0)
            close(source);
        source = -1;
    }
    umount2(TRACEFS, MNT_DETACH);
}

int opens_fd(void)
{
    return source;
}

/* ---- paths -------------------------------------------------------------------------------- */

/* Without dots and empty parts, as text; what is above / is /. */
static void normalise(const char *path, char ret[PATH_MAX])
{
    size_t used = 0;

    while (*path) {
        size_t size;

        path += strspn(path, "/");
        size = strcspn(path, "/");
        if (size == 2 && path[0] == '.' && path[1] == '.') {
            while (used > 0 && ret[--used] != '/')
                ;
        } else if (size > 0 && !(size == 1 && path[0] == '.') && used + size + 2 < PATH_MAX) {
            ret[used++] = '/';
            memcpy(ret + used, path, size);
            used += size;
        }
        path += size;
    }
    ret[used] = '\0';
}

/* The absolute path of a call's name.  The process may be gone by now, with its directory. */
static int resolve(const struct call *call, const struct manifest *manifest, char ret[PATH_MAX])
{
    char link[64], base[PATH_MAX] = "", joined[2 * PATH_MAX];
    ssize_t size = 0;

    if (call->name[0] != '/') {
        if (call->directory == AT_FDCWD)
            snprintf(link, sizeof(link), "/proc/%ld/cwd", call->thread);
        else
            snprintf(link, sizeof(link), "/proc/%ld/fd/%d", call->thread, call->directory);
        size = readlink(link, base, sizeof(base) - 1);
        if (size < 0 && call->directory != AT_FDCWD)
            return -1;
        if (size < 0)
            snprintf(base, sizeof(base), "%s", manifest->working_dir ? manifest->working_dir : "/");
        else
            base[size] = '\0';
    }
    snprintf(joined, sizeof(joined), "%s/%s", base, call->name);
    normalise(joined, ret);
    return 0;
}

/* The innermost mount that a path is in, or NULL; of a path that a later one hides, too. */
static const struct manifest_mount *mount_of(const struct manifest *manifest, const char *path)
{
    const struct manifest_mount *found = NULL;

    for (size_t i = 0; i < manifest->mounts.count; i++) {
        const struct manifest_mount *mount = &manifest->mounts.items[i];
        size_t size = strlen(mount->path);

        if (strncmp(path, mount->path, size) == 0 && (path[size] == '/' || path[size] == '\0') &&
            (!found || size >= strlen(found->path)))
            found = mount;
    }
    return found;
}

static void tell(const struct manifest *manifest, const struct call *call, const char *process,
                 long error)
{
    const struct manifest_mount *mount;
    char path[PATH_MAX];

    if (resolve(call, manifest, path) < 0 || !(mount = mount_of(manifest, path)) ||
        (call->kind == 'l' && error != ENOENT))
        return;
    control_send("open %ld %ld %s %s %s", call->thread, error, mount->device, process,
                 path[strlen(mount->path)] ? path + strlen(mount->path) : "/");
    if (++reported < LINES_MAX)
        return;
    control_send("opens there were %d: what comes later is not told", LINES_MAX);
    close(source);
    source = -1;
}

/* ---- lines -------------------------------------------------------------------------------- */

static struct call *call_of(long thread)
{
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (calls[i].thread == thread)
            return &calls[i];
    return NULL;
}

/* The call of a thread that has none is in the first free place; without one it is lost. */
static void take_call(long thread, char kind, char *text)
{
    struct call *call = call_of(thread) ? call_of(thread) : call_of(0);
    char *directory = strstr(text, " dfd="), *name = strstr(text, " name=\""), *end;

    if (!call || !directory || !name)
        return;
    name += strlen(" name=\"");
    end = strrchr(name, '"');
    if (!end)
        return;
    *end = '\0';
    call->thread = thread;
    call->kind = kind;
    call->directory = (int)strtol(directory + strlen(" dfd="), NULL, 10);
    snprintf(call->name, sizeof(call->name), "%s", name);
}

static void take_return(const struct manifest *manifest, long thread, char kind,
                        const char *process, const char *text)
{
    struct call *call = call_of(thread);
    const char *value = strstr(text, " ret=");
    long long result;

    if (!call || !value || call->kind != kind)
        return;
    result = strtoll(value + strlen(" ret="), NULL, 10);
    tell(manifest, call, process, result < 0 && result >= -ERROR_MOST ? (long)-result : 0);
    call->thread = 0;
}

static void take_line(const struct manifest *manifest, char *line)
{
    char process[NAME_WIDTH + 1], *text, *rest;
    size_t from = strspn(line, " ");
    long thread;

    if (strlen(line) <= NAME_WIDTH || line[NAME_WIDTH] != '-')
        return;
    from = from < NAME_WIDTH ? from : NAME_WIDTH - 1;
    snprintf(process, sizeof(process), "%.*s", (int)(NAME_WIDTH - from), line + from);
    for (char *blank = process; (blank = strchr(blank, ' '));)
        *blank = '_';
    thread = strtol(line + NAME_WIDTH + 1, &rest, 10);
    text = strstr(rest, ": ");
    if (thread <= 0 || !text || text[3] != ':')
        return;
    if (text[2] == 'o' || text[2] == 'l')
        take_call(thread, text[2], text);
    else if (text[2] == 'O' || text[2] == 'L')
        take_return(manifest, thread, text[2] == 'O' ? 'o' : 'l', process, text);
}

void opens_report(const struct manifest *manifest)
{
    ssize_t got;

    while (source >= 0 &&
           (got = read(source, pending + pending_size, sizeof(pending) - 1 - pending_size)) > 0) {
        char *line = pending, *end;

        pending_size += (size_t)got;
        pending[pending_size] = '\0';
        while ((end = strchr(line, '\n'))) {
            *end = '\0';
            take_line(manifest, line);
            line = end + 1;
        }
        pending_size -= (size_t)(line - pending);
        memmove(pending, line, pending_size);
        if (pending_size == sizeof(pending) - 1)
            pending_size = 0;
    }
}
