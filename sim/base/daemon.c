/* SPDX-License-Identifier: BSD-3-Clause */
/* daemon.c: processes of romsim's own that go on beside or after the command that started them. */
#include <romsim/cleanup.h>
#include <romsim/daemon.h>
#include <romsim/vector.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

DEFINE_VECTOR(descriptors, int);

static struct descriptors inherited;

/* Without /proc the list stays empty, without memory a descriptor stays open: no more than that. */
void romsim_daemon_remember(void)
{
    DIR *entries = opendir("/proc/self/fd");
    const struct dirent *entry;

    if (!entries)
        return;
    while ((entry = readdir(entries))) {
        int fd = (int)strtol(entry->d_name, NULL, 10);

        if (fd > STDERR_FILENO && fd != dirfd(entries))
            descriptors_append(&inherited, fd);
    }
    closedir(entries);
}

pid_t romsim_daemon_fork(void)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

void romsim_daemon_separate(void)
{
    static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGPIPE};
    sigset_t none;

    setsid();
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        signal(handled[i], SIG_DFL);
    for (size_t i = 0; i < inherited.count; i++)
        close(inherited.items[i]);
    descriptors_reset(&inherited);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void romsim_daemon_let_go(bool all)
{
    CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= (all ? STDERR_FILENO : STDOUT_FILENO); fd++)
        dup2(null, fd);
    if (all && chdir("/") < 0)
        return; /* then it stays where it is, which is no harm */
}
