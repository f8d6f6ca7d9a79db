/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_mount.c: `romsim mount FILE DIR`: an instance's file system on the host, through FUSE.
 *
 * In the background the command returns when the mount answers: the child that will serve it mounts
 * it and says so on a pipe, the parent then asks the mount itself.  Until then the child has the
 * terminal, so that its errors are seen; later ones come through the pipe.
 */
#include "sim/cli/seam.h"

#include <romsim/daemon.h>
#include <romsim/descriptors.h>
#include <romsim/fs.h>
#include <romsim/mounts.h>
#include <romsim/sandbox.h>
#include <romsim/state.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

/* Files that a mount opens, for a while or for its life: with fewer it would stop half-way. */
enum { DESCRIPTORS = 20 };

/* How long a server that fails may take to say why. */
enum { REASON_TIMEOUT_MS = 5000 };

_Static_assert(sizeof(struct romsim_error) <= PIPE_BUF, "a pipe takes an error as a whole");

struct job {
    const struct romsim_layout *layout;
    const char *point;
    struct romsim_fs_options options;
};

/* ---- the server ------------------------------------------------------------------------- */

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void fill_ending_signals(sigset_t *ret)
{
    sigemptyset(ret);
    for (size_t i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++)
        sigaddset(ret, ending_signals[i]);
}

/* Waits for a signal that ends the mount; they are blocked in all threads. */
static void *watch_signals(void *fs)
{
    sigset_t ending;
    int number;

    fill_ending_signals(&ending);
    while (sigwait(&ending, &number) == 0)
        romsim_fs_stop(fs);
    return NULL;
}

static int serve_until_signal(struct romsim_fs *fs, struct romsim_error *err)
{
    pthread_t watcher;
    int error = pthread_create(&watcher, NULL, watch_signals, fs);
    int served;

    if (error != 0) {
        romsim_error_system(err, error, "cannot start a thread");
        return romsim_error_hint(err, "the limit of memory (ulimit -v) or of processes (ulimit "
                                      "-u) is too low");
    }
    served = romsim_fs_serve(fs, err);
    pthread_cancel(watcher);
    pthread_join(watcher, NULL);
    return served;
}

/* Tells the parent that the mount is there.  False if the parent is gone: then nobody wants it.
 * From here on the pipe is the only way to tell an error, until the parent has its answer. */
static bool announce(int ready)
{
    bool told = ready < 0 || write(ready, "", 1) == 1;

    if (told && ready >= 0)
        romsim_daemon_let_go(true);
    return told;
}

/* ---- what users of the mount met ---------------------------------------------------------- */

enum { DAMAGES_MAX = 20 };

/* What is damaged in the images: on the terminal, or, in the background, in the mount's record,
 * where `romsim doctor` finds it. */
struct damage_log {
    pthread_mutex_t lock;
    struct romsim_state *state; /* NULL: the terminal */
    json_t *summary;            /* {"instance", "damage": [...]} */
};

static void write_down(struct damage_log *log, const char *message)
{
    json_t *list = json_object_get(log->summary, "damage");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), message) == 0)
            return;
    if (json_array_size(list) < DAMAGES_MAX &&
        json_array_append_new(list, json_string(message)) == 0)
        romsim_state_set_summary(log->state, json_incref(log->summary), NULL);
}

/* Called by the server's threads. */
static void note_damage(void *context, const char *message)
{
    struct damage_log *log = context;

    pthread_mutex_lock(&log->lock);
    if (log->state)
        write_down(log, message);
    else
        cli_warn("%s", message);
    pthread_mutex_unlock(&log->lock);
}

/* Mounts, serves and unmounts.  `ready` is the pipe to the parent, -1 in the foreground. */
static int serve(const struct job *job, int ready, bool *ret_told, struct romsim_error *err)
{
    struct damage_log log = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .summary =
                                 json_pack("{s:s, s:[]}", "instance", job->layout->name, "damage")};
    struct romsim_fs_options options = job->options;
    char id[ROMSIM_MOUNT_ID_SIZE];
    struct romsim_state *state;
    struct romsim_fs *fs = NULL;
    int result = -1;

    if (romsim_descriptors_check(DESCRIPTORS, "a mount", err) < 0) {
        json_decref(log.summary);
        return -1;
    }
    romsim_state_mount_id(job->point, id);
    state = romsim_state_new(ROMSIM_STATE_MOUNT, id, err);
    options.report = note_damage;
    options.context = &log;
    if (ready >= 0)
        log.state = state;
    if (state && romsim_state_set_summary(state, json_incref(log.summary), err) == 0 &&
        romsim_state_set_mount(state, job->point, err) == 0)
        fs = romsim_fs_mount(job->layout, job->point, &options, err);
    if (fs && ready < 0)
        cli_note("'%s' shows the instance '%s' until ctrl-C", QUOTE(job->point),
                 QUOTE(job->layout->name));
    if (fs && (*ret_told = announce(ready)))
        result = serve_until_signal(fs, err);
    else if (fs)
        result = 0;
    romsim_fs_free(fs);
    romsim_state_free(state);
    json_decref(log.summary);
    return result;
}

static int run_server(const struct job *job, int ready)
{
    struct romsim_error error;
    bool told = false;
    sigset_t ending;

    fill_ending_signals(&ending);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    if (serve(job, ready, &told, &error) == 0)
        return CLI_OK;
    if (ready < 0 || !told)
        return cli_report(&error);
    if (write(ready, &error, sizeof(error)) < 0)
        return CLI_FAILED; /* the parent had its answer, and is gone */
    return CLI_FAILED;
}

/* ---- the command ------------------------------------------------------------------------ */

/* The child said that it mounted; now the mount itself has to answer.  If it does not, the child
 * may be able to say why. */
static int await_answer(const char *point, int child)
{
    struct pollfd told = {.fd = child, .events = POLLIN};
    struct romsim_error error, reason;
    struct statfs answer;

    if (statfs(point, &answer) < 0)
        romsim_error_system(&error, errno, "the mount at '%s' does not answer", QUOTE(point));
    else if (answer.f_type == FUSE_SUPER_MAGIC)
        return CLI_OK;
    else /* what answered is the directory below: the child has unmounted already */
        romsim_error_set(&error, EIO, "the mount at '%s' went away", QUOTE(point));
    if (poll(&told, 1, REASON_TIMEOUT_MS) > 0 &&
        read(child, &reason, sizeof(reason)) == sizeof(reason))
        return cli_report(&reason);
    return cli_report(&error);
}

static int run_in_background(const struct job *job)
{
    struct romsim_error error;
    int ready[2], status;
    char byte;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0 || (pid = romsim_daemon_fork()) < 0) {
        romsim_error_system(&error, errno, "cannot start a process");
        return cli_report(&error);
    }
    if (pid == 0) {
        close(ready[0]);
        romsim_daemon_separate();
        signal(SIGPIPE, SIG_IGN);
        _exit(run_server(job, ready[1]));
    }
    close(ready[1]);
    if (TEMP_FAILURE_RETRY(read(ready[0], &byte, 1)) == 1)
        return await_answer(job->point, ready[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) != CLI_OK ? WEXITSTATUS(status) : CLI_FAILED;
}

/* The mount at `point` (or NULL) does not answer: its server may be stopped, its machine gone. */
static void report_silent(const char *point, struct romsim_error *error)
{
    pid_t pid;
    CLEANUP_FD int server = point ? romsim_state_mount_server(point, &pid) : -1;

    if (server >= 0)
        romsim_error_hint(error,
                          "its server, process %d, is stopped or too busy; 'romsim umount %s' ends "
                          "the mount",
                          (int)pid, QUOTE(point));
    cli_report(error);
}

/* The mount point's absolute path; it has to be a directory.  NULL after a report. */
static char *find_point(const char *directory)
{
    struct romsim_error error;
    CLEANUP_FREE char *point = NULL, *silent = NULL;
    struct stat stat;

    if (romsim_mount_await(directory, &silent, &error) < 0) {
        report_silent(silent, &error);
        return NULL;
    }
    point = romsim_mount_point(directory, &error);
    if (!point) {
        if (error.errnum == ENOENT)
            romsim_error_hint(&error, "make it: mkdir -p '%s'", QUOTE(directory));
        cli_report(&error);
        return NULL;
    }
    if (lstat(point, &stat) == 0 && !S_ISDIR(stat.st_mode)) {
        romsim_error_set(&error, ENOTDIR, "'%s' is not a directory", QUOTE(directory));
        cli_report(&error);
        return NULL;
    }
    return STEAL_POINTER(&point);
}

static struct romsim_layout *make_layout(const struct cli_args *args,
                                         const struct romsim_instances *instances)
{
    const struct romsim_instance *instance = cli_pick(args, instances);
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_layout *layout;

    if (!instance)
        return NULL;
    cli_note_cache(args);
    layout = cli_has(args, "devices") ? romsim_layout_devices(instance, &diagnostics)
                                      : romsim_layout_new(instance, &diagnostics);
    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return layout;
}

/* Only the guest knows what is in a volume. */
static void note_volumes(const struct romsim_layout *layout)
{
    for (size_t i = 0; i < layout->mount_count; i++)
        if (layout->devices[layout->mounts[i].device].role == ROMSIM_DEVICE_VOLUME)
            cli_note("the volume at '%s' is not shown: the directory is empty here",
                     QUOTE(layout->mounts[i].path));
}

static int mount_instance(const struct cli_args *args, const struct romsim_instances *instances,
                          struct job *job)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = make_layout(args, instances);

    if (!layout)
        return CLI_FAILED;
    note_volumes(layout);
    if (!romsim_sandbox_probe())
        cli_note("this machine has no sandbox for what reads images ('romsim doctor' says more)");
    job->layout = layout;
    job->options.drives_only = cli_has(args, "devices");
    job->options.allow_other = cli_has(args, "allow-other");
    if (!cli_has(args, "foreground"))
        return run_in_background(job);
    return run_server(job, -1);
}

static int run_mount(const struct cli_args *args)
{
    CLEANUP_FREE char *point = NULL;
    struct romsim_instances instances;
    struct romsim_error error;
    struct cli_seam seam;
    struct job job = {0};
    int status;

    /* Before the images are built: that may take a while. */
    if (romsim_fs_probe(&error) < 0)
        return cli_report(&error);
    point = find_point(args->operands[1]);
    if (!point)
        return CLI_FAILED;
    status = cli_processor(args);
    if (status != CLI_OK)
        return status;
    job.point = point;
    status = cli_seam_options(args, cli_has(args, "foreground"), &seam, &job.options.seam);
    if (status == CLI_OK)
        status = cli_load(args, args->operands[0], &instances);
    if (status == CLI_OK) {
        status = mount_instance(args, &instances, &job);
        romsim_instances_clear(&instances);
    }
    cli_seam_clear(&seam);
    return status;
}

static const struct cli_option options[] = {
    {"foreground", 'f', NULL, "stay in the foreground until ctrl-C"},
    {"devices", 0, NULL, "show dev/ only: the ROMs' images, not their files"},
    {"allow-other", 0, NULL, "let other users in, as the files' modes allow"},
    {"trace", 0, "[=FILE]", "write down what is read: see 'romsim trace'"},
    {"fault", 0, "SPEC", "let something go wrong with a ROM, see romsim(1)"},
    CLI_OPTION_INSTANCE,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_LIMIT,
    CLI_OPTION_END};

const struct cli_command cli_command_mount = {
    .name = "mount",
    .help_beside = "show an instance's file system in a directory; end that",
    .operands = "FILE DIR",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "show an instance's file system in a directory",
    .description = "DIR shows, read-only, what the instance's app will see: the root image, each\n"
                   "ROM at its 'at', and the ROMs' images as files: dev/ukp_rom<N> and\n"
                   "dev/ukp_rom_<name>.  The command returns when the mount is ready.  It ends\n"
                   "with 'romsim umount DIR', or when its process gets SIGTERM.\n",
    .options = options,
    .run = run_mount,
};
