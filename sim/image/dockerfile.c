/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dockerfile.c: Dockerfiles, built by whatever tool there is.
 *
 * Theory of operation: the tool builds an image with a name that nobody has, writes it as a docker
 * archive into a file without a name, which it sees as its standard output, and removes the name.
 * The tools die with us (`end_signal`).
 */
#include "sim/image/packed.h"

#include <romsim/buffer.h>
#include <romsim/program.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

enum { ARGUMENTS_MAX = 16, NAME_SIZE = 64, LOG_TAIL = 400 };

/* How a tool is asked.  "%n": the image's name, "%f": the Dockerfile, "%c": its folder, "%p": the
 * platform. */
struct tool {
    const char *name;
    const char *build[ARGUMENTS_MAX];
    const char *save[ARGUMENTS_MAX]; /* to standard output */
    const char *remove[ARGUMENTS_MAX];
};

static const struct tool tools[] = {
    {"buildah",
     {"bud", "--isolation", "chroot", "--platform", "%p", "-t", "%n", "-f", "%f", "--", "%c"},
     {"push", "-q", "%n", "docker-archive:/dev/stdout"},
     {"rmi", "%n"}},
    {"podman",
     {"build", "--platform", "%p", "-t", "%n", "-f", "%f", "--", "%c"},
     {"save", "-q", "--format", "docker-archive", "%n"},
     {"rmi", "%n"}},
    {"docker",
     {"build", "--platform", "%p", "-t", "%n", "-f", "%f", "--", "%c"},
     {"save", "%n"},
     {"rmi", "%n"}},
};

struct job {
    const struct tool *tool;
    char name[NAME_SIZE];
    const char *context, *file, *platform;
    int log_fd; /* both streams of the tool, but for what it saves */
};

/* ---- finding a tool --------------------------------------------------------------------- */

static const struct tool *find_tool(struct romsim_error *err)
{
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        CLEANUP_FREE char *path = romsim_program_find(tools[i].name);

        if (path)
            return &tools[i];
    }
    romsim_error_set(err, ENOENT, "a Dockerfile needs buildah, podman or docker, and none is here");
    romsim_error_hint(err, "apt-get install buildah; or build it elsewhere, 'docker save' it, and "
                           "give the file with type: oci");
    return NULL;
}

/* ---- running it ------------------------------------------------------------------------- */

static const char *fill_in(const struct job *job, const char *argument)
{
    if (argument[0] != '%')
        return argument;
    switch (argument[1]) {
    case 'n':
        return job->name;
    case 'f':
        return job->file;
    case 'p':
        return job->platform;
    default:
        return job->context;
    }
}

/* Runs one of the tool's commands with its output going to `out`; returns its wait status. */
static int run(const struct job *job, const char *const *arguments, int out)
{
    const char *argv[ARGUMENTS_MAX + 2] = {job->tool->name};
    const struct romsim_program program = {
        .argv = argv, .output = out, .errors = job->log_fd, .end_signal = SIGTERM};
    int status;

    for (size_t i = 0; arguments[i]; i++)
        argv[i + 1] = fill_in(job, arguments[i]);
    return romsim_program_run(&program, &status, NULL) == 0 ? status : -1;
}

/* The end of what the tool wrote, as one line; "" if it wrote nothing. */
static void read_tail(const struct job *job, char ret[LOG_TAIL + 1])
{
    off_t size = lseek(job->log_fd, 0, SEEK_END);
    off_t start = size > LOG_TAIL ? size - LOG_TAIL : 0;
    ssize_t count = size > 0 ? pread(job->log_fd, ret, LOG_TAIL, start) : 0;
    char *line;

    if (count < 0)
        count = 0;
    while (count > 0 && (ret[count - 1] == '\n' || ret[count - 1] == ' '))
        count--;
    ret[count] = '\0';
    line = start > 0 ? strchr(ret, '\n') : NULL;
    if (line)
        memmove(ret, line + 1, strlen(line + 1) + 1);
    while ((line = strchr(ret, '\n')))
        *line = ' ';
}

static int failed(const struct job *job, const char *verb, int status, struct romsim_error *err)
{
    char tail[LOG_TAIL + 1];

    read_tail(job, tail);
    if (status >= 0 && WIFSIGNALED(status))
        romsim_error_set(err, EIO, "'%s %s' was killed by signal %d", job->tool->name, verb,
                         WTERMSIG(status));
    else
        romsim_error_set(err, EIO, "'%s %s' failed with status %d", job->tool->name, verb,
                         status < 0 ? -1 : WEXITSTATUS(status));
    if (*tail)
        romsim_error_hint(
            err, "its last words: %s",
            romsim_text_quote(tail, strlen(tail), (char[LOG_TAIL + 64]){0}, LOG_TAIL + 64));
    return -1;
}

static struct romsim_blob *build_and_save(const struct job *job, struct romsim_error *err)
{
    CLEANUP_FD int out = romsim_blob_scratch_file(err);
    int status;

    if (out < 0)
        return NULL;
    status = run(job, job->tool->build, job->log_fd);
    if (status != 0) {
        failed(job, job->tool->build[0], status, err);
        return NULL;
    }
    status = run(job, job->tool->save, out);
    run(job, job->tool->remove, job->log_fd);
    if (status != 0) {
        failed(job, job->tool->save[0], status, err);
        return NULL;
    }
    return romsim_blob_take_fd(steal_fd(&out), err);
}

static int make_name(char ret[NAME_SIZE], struct romsim_error *err)
{
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return romsim_error_system(err, errno, "no random numbers");
    romsim_text_hex(random, sizeof(random), hex);
    snprintf(ret, NAME_SIZE, "localhost/romsim-build:%s", hex);
    return 0;
}

struct romsim_blob *dockerfile_build(const struct packing *packing, const char *context,
                                     const char *file, struct romsim_error *err)
{
    struct job job = {.tool = find_tool(err),
                      .context = context,
                      .file = file,
                      .platform = strcmp(packing->architecture, "arm64") == 0 ? "linux/arm64"
                                                                              : "linux/amd64"};
    CLEANUP_FD int log = -1;

    if (!job.tool || make_name(job.name, err) < 0)
        return NULL;
    if (packing->log_fd < 0) {
        log = romsim_blob_scratch_memfd(err);
        if (log < 0)
            return NULL;
    }
    job.log_fd = log < 0 ? packing->log_fd : log;
    return build_and_save(&job, err);
}
