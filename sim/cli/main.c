/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c: the program. */
#include "sim/cli/cli.h"

#include <romsim/daemon.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A file that romsim opens must not get the number of a standard stream that the caller closed:
 * words meant for the user would be written into it.  Reading only, so that writing to a closed
 * stream stays the error that it is; not closed on exec, for the same reason in children. */
static void occupy_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            return;
}

static void do_nothing(int number)
{
    (void)number;
}

/* A file that grows over the caller's limit (ulimit -f) is an error to report, EFBIG, and to clean
 * up after.  A handler, unlike SIG_IGN, is not inherited by the programs that romsim starts. */
static void survive_file_limit(void)
{
    struct sigaction action;

    if (sigaction(SIGXFSZ, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
        return;
    action.sa_handler = do_nothing;
    action.sa_flags = SA_RESTART;
    sigaction(SIGXFSZ, &action, NULL);
}

static int lost_status = CLI_FAILED;

static void report_lost_page(int number, siginfo_t *info, void *context)
{
    static const char message[] = "romsim: error: a file cannot be read on: the disk is full or "
                                  "damaged, or it was cut short\n";

    (void)context;
    if (info->si_code <= 0) { /* somebody's kill(), not a fault */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    (void)!write(STDERR_FILENO, message, sizeof(message) - 1);
    _exit(lost_status);
}

/* Blobs are read by mappings (blob.h); where the disk cannot give a page, this is what is left to
 * say, with a status that is not the one of a crash. */
static void explain_lost_pages(const char *command)
{
    struct sigaction action = {.sa_sigaction = report_lost_page, .sa_flags = SA_SIGINFO};

    if (command && strcmp(command, "run") == 0)
        lost_status = CLI_RUN_FAILED;
    sigaction(SIGBUS, &action, NULL);
}

int main(int argc, char **argv)
{
    int status;

    occupy_closed_streams();
    romsim_daemon_remember();
    survive_file_limit();
    explain_lost_pages(argc > 1 ? argv[1] : NULL);
    /* Names are bytes, and the output must not depend on where it is made: no setlocale(). */
    status = cli_main(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        struct romsim_error error;

        romsim_error_system(&error, errno, "cannot write the output");
        cli_report(&error);
        status = status == CLI_OK ? CLI_FAILED : status;
    }
    return status;
}
