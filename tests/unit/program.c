/* SPDX-License-Identifier: BSD-3-Clause */
/* program.c: other programs, run to their end. */
#include "harness.h"

#include <romsim/program.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct romsim_buffer output, errors;

/* Runs `sh -c SCRIPT`, and returns its wait status. */
static int run(const char *script, int input, const int *inherited)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    const struct romsim_program program = {.argv = argv,
                                           .inherited = inherited,
                                           .input = input,
                                           .printed = &output,
                                           .complaints = &errors};
    struct romsim_error err;
    int status = -1;

    output = ROMSIM_BUFFER_INIT(1 << 20);
    errors = ROMSIM_BUFFER_INIT(1 << 20);
    ck_assert_int_eq(romsim_program_run(&program, &status, &err), 0);
    return status;
}

/* A file with this text, in memory. */
static int file_of(const char *text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

START_TEST(both_outputs_are_collected_however_they_come)
{
    int status = run("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890; "
                     "echo abcdefghijklmnopqrstuvwxyzabcde >&2; i=$((i+1)); done; exit 3",
                     -1, NULL);

    ck_assert_int_eq(WEXITSTATUS(status), 3);
    ck_assert_uint_eq(output.size, 96000);
    ck_assert_uint_eq(errors.size, 96000);
    ck_assert_mem_eq(errors.data + 95968, "abcdefghijklmnopqrstuvwxyzabcde\n", 32);
}
END_TEST

START_TEST(its_input_is_a_file_or_nothing)
{
    int text = file_of("over there");

    ck_assert_int_eq(run("cat", -1, NULL), 0);
    ck_assert_uint_eq(output.size, 0);
    ck_assert_int_eq(run("cat", text, NULL), 0);
    ck_assert_str_eq(output.data, "over there");
    close(text);
}
END_TEST

START_TEST(it_has_the_descriptors_that_it_is_given_and_no_other)
{
    int given = file_of("given"), kept = file_of("kept");
    const int inherited[] = {given, -1};
    char script[100];

    snprintf(script, sizeof(script), "cat /dev/fd/%d; ! [ -e /dev/fd/%d ]", given, kept);
    ck_assert_int_eq(run(script, -1, inherited), 0);
    ck_assert_str_eq(output.data, "given");
    close(given);
    close(kept);
}
END_TEST

START_TEST(what_prints_without_an_end_meets_a_closed_pipe)
{
    const char *argv[] = {"sh", "-c", "exec yes", NULL};
    struct romsim_buffer some = ROMSIM_BUFFER_INIT(100000);
    const struct romsim_program program = {.argv = argv, .printed = &some};
    int status;

    signal(SIGPIPE, SIG_IGN); /* is not inherited */
    ck_assert_int_eq(romsim_program_run(&program, &status, NULL), 0);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    ck_assert_int_eq(some.failed, EFBIG);
    romsim_buffer_reset(&some);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_an_error)
{
    const char *argv[] = {"no-such-program-anywhere", NULL};
    const struct romsim_program program = {.argv = argv};
    struct romsim_error err;
    int status = 7;

    ck_assert_int_eq(romsim_program_run(&program, &status, &err), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "cannot run no-such-program-anywhere"));
    ck_assert_int_eq(status, 7);
}
END_TEST

START_TEST(the_administrators_programs_are_found_without_a_path_to_them)
{
    const char *argv[] = {"mke2fs", "-V", NULL};
    const struct romsim_program program = {.argv = argv};
    int status;

    if (access("/usr/sbin/mke2fs", X_OK) < 0 && access("/sbin/mke2fs", X_OK) < 0)
        UNIT_SKIP("there is no mke2fs");
    setenv("PATH", "/usr/bin", 1);
    ck_assert_int_eq(romsim_program_run(&program, &status, NULL), 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

static void note_pid(void *context, pid_t pid)
{
    *(pid_t *)context = pid;
}

START_TEST(it_may_have_another_name_than_its_file_and_its_number_is_told)
{
    const char *argv[] = {"another", "-c", "echo $0 $$", NULL};
    pid_t pid = 0;
    const struct romsim_program program = {
        .argv = argv, .file = "/bin/sh", .printed = &output, .started = note_pid, .context = &pid};
    char wanted[64];
    int status;

    output = ROMSIM_BUFFER_INIT(1 << 20);
    ck_assert_int_eq(romsim_program_run(&program, &status, NULL), 0);
    ck_assert_int_eq(status, 0);
    snprintf(wanted, sizeof(wanted), "another %d\n", (int)pid);
    ck_assert_str_eq(output.data, wanted);
    romsim_buffer_reset(&output);
}
END_TEST

START_TEST(a_file_may_be_its_output_and_a_setting_is_added_to_its_environment)
{
    const char *argv[] = {"sh", "-c", "echo $ROMSIM_UNIT; echo aside >&2", NULL};
    int printed = file_of(""), complaints = file_of("");
    const struct romsim_program program = {
        .argv = argv, .setting = "ROMSIM_UNIT=new", .output = printed, .errors = complaints};
    char text[16] = "";
    int status;

    setenv("ROMSIM_UNIT", "old", 1);
    ck_assert_int_eq(romsim_program_run(&program, &status, NULL), 0);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(pread(printed, text, sizeof(text), 0), 4);
    ck_assert_mem_eq(text, "new\n", 4);
    ck_assert_int_eq(pread(complaints, text, sizeof(text), 0), 6);
    ck_assert_mem_eq(text, "aside\n", 6);
    close(printed);
    close(complaints);
}
END_TEST

static void note_signal(int number)
{
    (void)number;
    _exit(9); /* the handler of a program that was not yet another */
}

START_TEST(it_begins_with_no_signal_blocked_or_handled)
{
    sigset_t blocked;

    signal(SIGUSR1, note_signal);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR1); /* waits here, and is not inherited */
    ck_assert_int_eq(run("kill -USR1 $$", -1, NULL), SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}
END_TEST

/* A child that starts a program with an end signal, and ends itself. */
static _Noreturn void start_and_end(int told)
{
    const char *argv[] = {"sleep", "1000", NULL};
    const struct romsim_program program = {.argv = argv, .errors = told, .end_signal = SIGTERM};
    pid_t pid;

    _exit(romsim_program_start(&program, &pid, NULL) == 0 ? 0 : 1);
}

START_TEST(what_has_an_end_signal_ends_with_who_started_it)
{
    int ends[2], status;
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0)
        start_and_end(ends[1]);
    close(ends[1]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* nobody has the pipe any more */
    close(ends[0]);
}
END_TEST

START_TEST(a_program_is_found_where_a_shell_finds_it)
{
    char *path;

    setenv("PATH", "/nowhere:/bin", 1);
    path = romsim_program_find("sh");
    ck_assert_str_eq(path, "/bin/sh");
    free(path);
    path = romsim_program_find("./sh");
    ck_assert_str_eq(path, "./sh");
    free(path);
    setenv("PATH", "/", 1);
    ck_assert_ptr_null(romsim_program_find("etc")); /* a folder is none */
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

UNIT_MAIN("program", a_file_may_be_its_output_and_a_setting_is_added_to_its_environment,
          it_begins_with_no_signal_blocked_or_handled,
          what_has_an_end_signal_ends_with_who_started_it,
          a_program_is_found_where_a_shell_finds_it,
          it_may_have_another_name_than_its_file_and_its_number_is_told,
          both_outputs_are_collected_however_they_come, its_input_is_a_file_or_nothing,
          it_has_the_descriptors_that_it_is_given_and_no_other,
          what_prints_without_an_end_meets_a_closed_pipe, a_program_that_is_not_there_is_an_error,
          the_administrators_programs_are_found_without_a_path_to_them)
