/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dockerfile.c: Dockerfiles, built by whatever tool there is.
 *
 * Theory of operation: the tool builds an image with a name that nobody has, writes it as a docker
 * archive into a file without a name, which it sees as its standard output, and removes the name.
 * The tools die with us (PR_SET_PDEATHSIG).
 */
#include "sim/image/packed.h"

#include <romsim/buffer.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
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

/* Is there such a program in one of PATH's folders? */
static bool is_in_path(const char *name)
{
    const char *path = getenv("PATH");

    for (const char *folder = path ? path : ""; *folder;) {
        size_t size = strcspn(folder, ":");
        char *file = NULL;
        bool found;

        if (asprintf(&file, "%.*s/%s", (int)size, folder, name) < 0)
            return false;
        found = size > 0 && access(file, X_OK) == 0;
        free(file);
        if (found)
            return true;
        folder += size + (folder[size] == ':');
    }
    return false;
}

static const struct tool *find_tool(struct romsim_error *err)
{
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        if (is_in_path(tools[i].name))
            return &tools[i];
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

static _Noreturn void run_child(const struct job *job, const char *const *arguments, int out)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)job->tool->name};
    sigset_t none;
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (size_t i = 0; arguments[i]; i++)
        argv[i + 1] = (char *)fill_in(job, arguments[i]);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (in >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(job->log_fd, 2) >= 0)
        execvp(argv[0], argv);
    _exit(127);
}

static int wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* Runs one of the tool's commands with its output going to `out`; returns its wait status. */
static int run(const struct job *job, const char *const *arguments, int out)
{
    pid_t parent = getpid(), child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(127);
        run_child(job, arguments, out);
    }
    return child < 0 ? -1 : wait_for(child);
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
