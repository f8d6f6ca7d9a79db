/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replays.c: several cases, one after the other, and one report of them.
 *
 * A case is hostile input, and what happens in one is not to end the others: each is replayed by a
 * fork, which leaves its result and what it says in scratch files.  The reports are written twice:
 * before the first case, when nothing has ended yet, and at the end.  So a place where nothing can
 * be written is known at once, and who is killed leaves a report that says so.
 */
#include "replays.h"

#include "outcomes.h"
#include "signals.h"

#include <romsim/clock.h>
#include <romsim/daemon.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUFFIX ".tar.zst"

enum { SAID_MOST = 4096, CONSOLE_MOST = 64 << 10, CASES_MOST = 100000 };

struct replays {
    const struct cli_args *args;
    replays_one *one;
    void *context;
    struct romsim_strings cases;
    struct outcomes *outcomes; /* or NULL */
    struct cli_list list;      /* with --json */
    bool is_json, is_ended;    /* by a signal */
    int signals;               /* readable when one came */
    size_t same, different, failed;
};

static void replays_release(struct replays *replays)
{
    romsim_strings_clear(&replays->cases);
    outcomes_free(replays->outcomes);
}

/* ---- which ones --------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool replays_are_wanted(const struct cli_args *args)
{
    return args->operand_count > 1 || outcomes_are_wanted(args) || is_folder(args->operands[0]);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_case_name(const char *name)
{
    size_t size = strlen(name), suffix = strlen(SUFFIX);

    return name[0] != '.' && size > suffix && strcmp(name + size - suffix, SUFFIX) == 0;
}

static int add_folder(struct replays *replays, const char *path, struct romsim_error *err)
{
    struct romsim_strings *cases = &replays->cases;
    size_t first = cases->count;
    DIR *entries = opendir(path);
    const struct dirent *entry;
    int status = 0;

    if (!entries)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(path));
    while (status == 0 && cases->count < CASES_MOST && (entry = readdir(entries)))
        if (is_case_name(entry->d_name) &&
            romsim_strings_take(cases, romsim_path_join(path, entry->d_name)) < 0)
            status = romsim_error_nomem(err);
    closedir(entries);
    if (status == 0 && cases->count == first)
        status =
            romsim_error_set(err, ENOENT, "there is no case in '%s' (*" SUFFIX ")", QUOTE(path));
    if (cases->count > first)
        qsort(cases->items + first, cases->count - first, sizeof(*cases->items), compare_names);
    return status;
}

static int list_cases(struct replays *replays, struct romsim_error *err)
{
    for (size_t i = 0; i < replays->args->operand_count; i++) {
        const char *operand = replays->args->operands[i];

        if (is_folder(operand)) {
            if (add_folder(replays, operand, err) < 0)
                return -1;
        } else if (romsim_strings_append(&replays->cases, operand) < 0) {
            return romsim_error_nomem(err);
        }
    }
    if (replays->cases.count >= CASES_MOST)
        return romsim_error_set(err, E2BIG, "these are %d cases or more", CASES_MOST);
    return 0;
}

/* ---- a process for each ------------------------------------------------------------------- */

/* What a fork leaves behind, -1 where there is none. */
struct scratch {
    int verdict, console, said;
};

static void scratch_close(struct scratch *scratch)
{
    cleanup_close_fd(&scratch->verdict);
    cleanup_close_fd(&scratch->console);
    cleanup_close_fd(&scratch->said);
}

static int scratch_open(struct scratch *ret, struct romsim_error *err)
{
    ret->verdict = romsim_blob_scratch_memfd(err);
    ret->console = romsim_blob_scratch_memfd(err);
    ret->said = romsim_blob_scratch_memfd(err);
    return ret->verdict < 0 || ret->console < 0 || ret->said < 0 ? -1 : 0;
}

/* The fork: its end is that of all that it starts, and the parent's is its own. */
__attribute__((noreturn)) static void replay_here(const struct replays *replays, const char *file,
                                                  const struct scratch *scratch, pid_t parent)
{
    struct replays_result result = {0};
    sigset_t none;
    int status;

    setpgid(0, 0); /* a control-C is the parent's, who passes it on */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(CLI_RUN_FAILED);
    dup2(scratch->said, STDERR_FILENO);
    signals_catch();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    status = replays->one(replays->context, file, &result);
    if (result.console && result.console->size > 0) {
        size_t size = result.console->size < CONSOLE_MOST ? result.console->size : CONSOLE_MOST;

        romsim_write_fully(scratch->console, result.console->data + result.console->size - size,
                           size, 0);
    }
    if (result.verdict && json_dumpfd(result.verdict, scratch->verdict, 0) < 0)
        status = CLI_RUN_FAILED;
    fflush(NULL);
    _exit(status);
}

/* Waits for its end, and passes signals on: the first one asks, the second one forces. */
static int wait_for(struct replays *replays, pid_t pid)
{
    CLEANUP_FD int ended = pidfd_open(pid, 0);
    int status;

    while (ended >= 0) {
        struct pollfd polled[] = {{.fd = ended, .events = POLLIN},
                                  {.fd = replays->signals, .events = POLLIN}};

        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            break;
        for (unsigned count = signals_take(); count > 0; count--) {
            replays->is_ended = true;
            kill(pid, SIGTERM);
        }
        if (polled[0].revents & POLLIN)
            break;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return CLI_RUN_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_RUN_FAILED;
}

/* ---- what came of it ---------------------------------------------------------------------- */

/* The first bytes of a scratch file as a text. */
static void read_text(int fd, char *ret, size_t ret_size)
{
    ssize_t size = pread(fd, ret, ret_size - 1, 0);

    ret[size > 0 ? size : 0] = '\0';
}

/* The line that says why, without what stands in front of all such lines. */
static const char *find_reason(const char *said)
{
    static const char own[] = "romsim: error: ";
    const char *error = strstr(said, "error: ");

    if (!error)
        return *said ? said : "it ended without a word";
    while (error > said && error[-1] != '\n')
        error--;
    return strncmp(error, own, strlen(own)) == 0 ? error + strlen(own) : error;
}

/* The first line of a reason. */
static const char *headline(const char *why, char ret[SAID_MOST])
{
    return romsim_text_quote(why, strcspn(why, "\n"), ret, SAID_MOST);
}

static void read_console(struct outcomes *outcomes, size_t index, int fd)
{
    CLEANUP_FREE char *text = malloc(CONSOLE_MOST);
    ssize_t size = text ? pread(fd, text, CONSOLE_MOST, 0) : 0;

    if (size > 0)
        outcomes_console(outcomes, index, text, (size_t)size);
}

/* A line of stdout, or an item of its array. */
static void show(struct replays *replays, size_t index, int status, json_t *verdict,
                 const char *why)
{
    static const char *const words[] = {[CLI_OK] = "same", [CLI_FAILED] = "differs"};
    const char *file = replays->cases.items[index];
    char line[SAID_MOST];

    headline(why, line);
    if (replays->is_json) {
        json_t *item = verdict ? json_incref(verdict) : json_pack("{s:n}", "same");

        json_object_set_new(item, "case", json_string(QUOTE(file)));
        if (!verdict)
            json_object_set_new(item, "error", json_string(line));
        cli_list_add(&replays->list, item);
        return;
    }
    /* Why one could not be run stands on stderr, as when it is the only one. */
    if (!verdict)
        line[0] = '\0';
    printf("%-7s  %s%s%s\n", verdict ? words[status] : "error", QUOTE(file), *line ? ": " : "",
           line);
    fflush(stdout);
}

/* Takes what is left of a case; returns its exit status. */
static int conclude(struct replays *replays, size_t index, int status,
                    const struct scratch *scratch, uint64_t micros)
{
    char said[SAID_MOST], why[2 * SAID_MOST];
    json_t *verdict =
        lseek(scratch->verdict, 0, SEEK_SET) == 0 ? json_loadfd(scratch->verdict, 0, NULL) : NULL;
    enum outcomes_verdict outcome = status == CLI_OK ? OUTCOMES_PASSED : OUTCOMES_FAILED;

    read_text(scratch->said, said, sizeof(said));
    /* One that was asked to end may have ended otherwise for that. */
    if ((status != CLI_OK && status != CLI_FAILED) || (status == CLI_FAILED && replays->is_ended)) {
        json_decref(verdict);
        verdict = NULL;
    }
    if (verdict && status == CLI_FAILED) {
        snprintf(why, sizeof(why), "%s: %s\n%s",
                 json_string_value(json_object_get(verdict, "subject")) ?: "",
                 json_string_value(json_object_get(verdict, "difference")) ?: "", said);
    } else if (!verdict) {
        snprintf(why, sizeof(why), "%s",
                 replays->is_ended ? "the replay was ended" : find_reason(said));
        outcome = OUTCOMES_ERROR;
        status = CLI_RUN_FAILED;
    } else {
        why[0] = '\0';
    }
    fputs(said, stderr);
    show(replays, index, status, verdict, why);
    outcomes_set(replays->outcomes, index, outcome, why, micros);
    read_console(replays->outcomes, index, scratch->console);
    json_decref(verdict);
    return status;
}

static int replay(struct replays *replays, size_t index)
{
    CLEANUP(scratch_close) struct scratch scratch = {-1, -1, -1};
    uint64_t begin = romsim_clock_us();
    struct romsim_error error = {0};
    pid_t parent = getpid(), pid;
    int status;

    if (scratch_open(&scratch, &error) < 0)
        return cli_report(&error), CLI_RUN_FAILED;
    fflush(NULL);
    pid = romsim_daemon_fork();
    if (pid == 0)
        replay_here(replays, replays->cases.items[index], &scratch, parent);
    if (pid < 0) {
        romsim_error_system(&error, errno, "cannot start a process");
        return cli_report(&error), CLI_RUN_FAILED;
    }
    status = wait_for(replays, pid);
    status = conclude(replays, index, status, &scratch, romsim_clock_us() - begin);
    *(status == CLI_OK       ? &replays->same
      : status == CLI_FAILED ? &replays->different
                             : &replays->failed) += 1;
    return status;
}

/* Those that are left when somebody wanted the end are told as not replayed. */
static int replay_all(struct replays *replays)
{
    int worst = CLI_OK;

    for (size_t i = 0; i < replays->cases.count && !replays->is_ended; i++) {
        int status = replay(replays, i);

        worst = status > worst ? status : worst;
    }
    return worst;
}

static void tell_sums(const struct replays *replays)
{
    size_t left = replays->cases.count - replays->same - replays->different - replays->failed;

    if (cli_has(replays->args, "quiet"))
        return;
    cli_note("%s: %zu the same, %zu with a difference, %zu that could not be run%s",
             COUNT_TEXT(replays->cases.count, "case", "cases"), replays->same, replays->different,
             replays->failed + left, left ? " (it was ended before)" : "");
}

int replays_run(const struct cli_args *args, replays_one *one, void *context)
{
    CLEANUP(replays_release)
    struct replays replays = {
        .args = args, .one = one, .context = context, .is_json = cli_has(args, "json")};
    struct romsim_error error = {0};
    int status;

    if (list_cases(&replays, &error) < 0)
        return cli_report(&error), CLI_RUN_FAILED;
    if (outcomes_are_wanted(args))
        replays.outcomes = outcomes_new("romsim replay", (const char *const *)replays.cases.items,
                                        replays.cases.count);
    if (outcomes_write(args, replays.outcomes) < 0)
        return CLI_RUN_FAILED;
    replays.signals = signals_count();
    if (replays.is_json)
        cli_list_begin(&replays.list);
    status = replay_all(&replays);
    if (replays.is_json && cli_list_end(&replays.list) != CLI_OK)
        status = CLI_RUN_FAILED;
    if (outcomes_write(args, replays.outcomes) < 0)
        status = CLI_RUN_FAILED;
    tell_sums(&replays);
    return replays.is_ended ? CLI_RUN_FAILED : status;
}
