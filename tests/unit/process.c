/* SPDX-License-Identifier: BSD-3-Clause */
/* process.c: what the kernel tells of a process. */
#include "harness.h"

#include <romsim/process.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_process_is_told_of_whatever_its_name_is)
{
    struct romsim_process process;

    ck_assert_int_eq(prctl(PR_SET_NAME, "a) T 1 (b"), 0);
    ck_assert(romsim_process_look(getpid(), &process));
    ck_assert_str_eq(process.name, "a) T 1 (b");
    ck_assert_int_eq(process.state, 'R');
    ck_assert_uint_eq(process.user, geteuid());
    ck_assert_int_eq(prctl(PR_SET_NAME, ""), 0);
    ck_assert(romsim_process_look(getpid(), &process));
    ck_assert_str_eq(process.name, "");
    ck_assert_int_eq(process.state, 'R');
}
END_TEST

START_TEST(its_start_tells_it_from_another)
{
    struct romsim_process first, second;

    ck_assert(romsim_process_look(1, &first));
    ck_assert(romsim_process_look(getpid(), &second));
    ck_assert_uint_lt(first.start, second.start);
    ck_assert(romsim_process_is(getpid(), second.start));
    ck_assert(!romsim_process_is(getpid(), first.start));
}
END_TEST

START_TEST(one_that_has_ended_is_not_there)
{
    struct romsim_process process = {.start = 7};
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(!romsim_process_look(pid, &process));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_uint_eq(process.start, 7);
}
END_TEST

START_TEST(a_stopped_one_is_seen)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    ck_assert(!romsim_process_is_stopped(pid));
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
    ck_assert(romsim_process_is_stopped(pid));
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(!romsim_process_is_stopped(pid));
}
END_TEST

UNIT_MAIN("process", a_process_is_told_of_whatever_its_name_is, its_start_tells_it_from_another,
          one_that_has_ended_is_not_there, a_stopped_one_is_seen)
