/* SPDX-License-Identifier: BSD-3-Clause */
/* program.c: another program, run from its start to its end. */
#include <romsim/cleanup.h>
#include <romsim/program.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A pipe to what a stream is collected in; without a buffer both ends are -1. */
struct reading {
    struct romsim_buffer *buffer;
    int reader, writer;
};

static int open_reading(struct reading *reading, struct romsim_buffer *buffer)
{
    int ends[2];

    *reading = (struct reading){buffer, -1, -1};
    if (!buffer)
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    reading->reader = ends[0];
    reading->writer = ends[1];
    return 0;
}

static void close_end(int *fd)
{
    cleanup_close_fd(fd);
    *fd = -1;
}

static void close_reading(struct reading *reading)
{
    close_end(&reading->reader);
    close_end(&reading->writer);
}

/* Takes what there is; the pipe is closed at its end, and when there is no room for more. */
static void read_some(struct reading *reading)
{
    char bytes[16384];
    ssize_t size = read(reading->reader, bytes, sizeof(bytes));

    if (size < 0 && errno == EINTR)
        return;
    if (size <= 0 || romsim_buffer_append(reading->buffer, bytes, (size_t)size) < 0)
        close_end(&reading->reader);
}

static void read_all(struct reading readings[2])
{
    while (readings[0].reader >= 0 || readings[1].reader >= 0) {
        struct pollfd polls[] = {{readings[0].reader, POLLIN, 0}, {readings[1].reader, POLLIN, 0}};

        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++)
            if (polls[i].revents)
                read_some(&readings[i]);
    }
}

static int spawn(const struct romsim_program *program, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, pid_t *ret)
{
    static const char *const folders[] = {"/usr/sbin", "/sbin"};
    char *const *argv = (char *const *)program->argv;
    const char *file = program->file ? program->file : argv[0];
    int errnum = posix_spawnp(ret, file, actions, attributes, argv, environ);

    for (size_t i = 0; errnum == ENOENT && !strchr(file, '/') && i < 2; i++) {
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", folders[i], file);
        errnum = posix_spawn(ret, path, actions, attributes, argv, environ);
    }
    return errnum;
}

static void add_output(posix_spawn_file_actions_t *actions, const struct reading *reading, int fd)
{
    if (reading->writer >= 0)
        posix_spawn_file_actions_adddup2(actions, reading->writer, fd);
    else
        posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_WRONLY, 0);
}

/* Returns 0 or an errno. */
static int start(const struct romsim_program *program, const struct reading readings[2], pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int errnum;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    if (program->input > 0)
        posix_spawn_file_actions_adddup2(&actions, program->input, 0);
    else
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    add_output(&actions, &readings[0], 1);
    add_output(&actions, &readings[1], 2);
    /* A descriptor that is made a copy of itself is not closed on exec any more. */
    for (const int *fd = program->inherited; fd && *fd >= 0; fd++)
        posix_spawn_file_actions_adddup2(&actions, *fd, *fd);
    errnum = spawn(program, &actions, &attributes, ret);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return errnum;
}

int romsim_program_run(const struct romsim_program *program, int *ret_status,
                       struct romsim_error *err)
{
    struct reading readings[2] = {{NULL, -1, -1}, {NULL, -1, -1}};
    int errnum, status;
    pid_t pid = -1;

    if (open_reading(&readings[0], program->output) < 0 ||
        open_reading(&readings[1], program->errors) < 0)
        errnum = errno;
    else
        errnum = start(program, readings, &pid);
    close_end(&readings[0].writer);
    close_end(&readings[1].writer);
    if (errnum == 0 && program->started)
        program->started(program->context, pid);
    if (errnum == 0)
        read_all(readings);
    close_reading(&readings[0]);
    close_reading(&readings[1]);
    if (errnum != 0)
        return romsim_error_system(err, errnum, "cannot run %s", program->argv[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return romsim_error_system(err, errno, "cannot wait for %s", program->argv[0]);
    *ret_status = status;
    return 0;
}
