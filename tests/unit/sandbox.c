/* SPDX-License-Identifier: BSD-3-Clause */
/* sandbox.c: what a process can do in the sandbox, and what not.  Each test's body runs in a child:
 * there is no way out. */
#include "harness.h"

#include <romsim/sandbox.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* What a child found, which cannot tell it otherwise: the line of the first thing that was not as
 * it has to be. */
static volatile int *first_wrong;

#define IN_SANDBOX(condition)                                                                      \
    do {                                                                                           \
        if (!(condition) && !*first_wrong)                                                         \
            *first_wrong = __LINE__;                                                               \
    } while (0)

#define REFUSED(call) IN_SANDBOX((errno = 0, (long)(call)) == -1 && errno == EPERM)

static void run(void (*body)(void))
{
    int status;
    pid_t pid;

    first_wrong = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(first_wrong != MAP_FAILED);
    pid = fork();
    if (pid == 0) {
        body();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    ck_assert_msg(!*first_wrong, "not so: line %d", *first_wrong);
    munmap((void *)first_wrong, 4096);
}

static void need(unsigned bits)
{
    unsigned applied = romsim_sandbox_probe();
    char lack[ROMSIM_SANDBOX_TEXT];

    romsim_sandbox_lack(applied, lack);
    if ((applied & bits) != bits) {
        printf("# this machine has %s\n", lack);
        fflush(stdout);
    }
}

#define SKIP_WITHOUT(bits)                                                                         \
    do {                                                                                           \
        need(bits);                                                                                \
        if ((romsim_sandbox_probe() & (bits)) != (bits))                                           \
            UNIT_SKIP("a part of the sandbox is not to be had here");                              \
    } while (0)

/* ---- privileges, descriptors, files -------------------------------------------------------- */

static void without_privileges(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    romsim_sandbox_enter(NULL, 0);
    IN_SANDBOX(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    IN_SANDBOX(syscall(SYS_capget, &header, data) == 0);
    IN_SANDBOX(!data[0].effective && !data[1].effective && !data[0].permitted &&
               !data[1].permitted);
}

START_TEST(no_privilege_is_left)
{
    SKIP_WITHOUT(ROMSIM_SANDBOX_PRIVILEGES);
    run(without_privileges);
}
END_TEST

static void keep_some(void)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD, 700), lost = fcntl(STDERR_FILENO, F_DUPFD, 500),
        higher = fcntl(STDERR_FILENO, F_DUPFD, 900), low = dup(STDERR_FILENO);
    const int keep[] = {kept, -1, low};

    IN_SANDBOX(kept == 700 && lost == 500 && higher == 900);
    romsim_sandbox_enter(keep, 3);
    IN_SANDBOX(fcntl(kept, F_GETFD) >= 0);
    IN_SANDBOX(fcntl(low, F_GETFD) >= 0);
    IN_SANDBOX(fcntl(STDERR_FILENO, F_GETFD) >= 0);
    IN_SANDBOX(fcntl(lost, F_GETFD) < 0 && errno == EBADF);
    IN_SANDBOX(fcntl(higher, F_GETFD) < 0 && errno == EBADF);
    IN_SANDBOX(fcntl(STDIN_FILENO, F_GETFD) < 0 && fcntl(STDOUT_FILENO, F_GETFD) < 0);
}

START_TEST(what_is_kept_stays_open_and_nothing_else)
{
    run(keep_some);
}
END_TEST

static void open_outside(void)
{
    IN_SANDBOX(romsim_sandbox_enter(NULL, 0) & ROMSIM_SANDBOX_FILES);
    IN_SANDBOX(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    IN_SANDBOX(open("/", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
    IN_SANDBOX(open("/tmp", O_TMPFILE | O_RDWR, 0600) < 0 && errno == EACCES);
    IN_SANDBOX(mkdir("/tmp/romsim-sandbox", 0700) < 0 && errno == EACCES);
    IN_SANDBOX(execl("/bin/true", "true", NULL) < 0 && errno == EACCES);
}

START_TEST(no_file_can_be_opened)
{
    if (IS_SANITIZED) /* its report is a file: then files are not given up (sandbox.c) */
        return;
    SKIP_WITHOUT(ROMSIM_SANDBOX_FILES);
    run(open_outside);
}
END_TEST

/* ---- system calls -------------------------------------------------------------------------- */

static void enter_all(const int *keep, size_t count)
{
    romsim_sandbox_enter(keep, count);
    IN_SANDBOX(romsim_sandbox_seal() == ROMSIM_SANDBOX_CALLS);
}

static void try_forbidden(void)
{
    static char page[8192] __attribute__((aligned(4096)));
    struct stat stat;
    void *memory;

    enter_all(NULL, 0);
    if (!IS_SANITIZED) {
        REFUSED(open("/etc/passwd", O_RDONLY));
        REFUSED(syscall(SYS_newfstatat, AT_FDCWD, "/etc", &stat, 0));
        REFUSED(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
        REFUSED(syscall(SYS_ioctl, 2, 0x5412 /* TIOCSTI */, "x"));
    }
    REFUSED(chdir("/"));
    REFUSED(unlink("/nothing"));
    REFUSED(socket(AF_INET, SOCK_STREAM, 0));
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
    REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    REFUSED(syscall(SYS_execve, "/bin/true", NULL, NULL));
    REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    REFUSED(kill(getppid(), 0));
    REFUSED(syscall(SYS_tgkill, 1, 1, 0));
    REFUSED(syscall(SYS_setuid, 0));
    REFUSED(unshare(CLONE_NEWUSER));
    REFUSED(syscall(SYS_seccomp, 0, 0, NULL));
    REFUSED(syscall(100000)); /* one that nobody knows yet */
    memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    IN_SANDBOX(memory == MAP_FAILED && errno == EPERM);
    REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
    IN_SANDBOX(mprotect(page, 4096, PROT_READ) == 0);
}

START_TEST(what_is_not_allowed_fails_and_kills_nobody)
{
    SKIP_WITHOUT(ROMSIM_SANDBOX_CALLS);
    run(try_forbidden);
}
END_TEST

/* The same numbers mean other calls to a 32-bit program: 20 is getpid() there. */
static void try_32_bit(void)
{
#ifdef __x86_64__
    long result;

    enter_all(NULL, 0);
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    IN_SANDBOX(result == -EPERM || result == -ENOSYS);
    IN_SANDBOX(syscall(0x40000000 | SYS_getpid) == -1); /* x32's */
#endif
}

START_TEST(the_calls_of_another_architecture_are_none)
{
    SKIP_WITHOUT(ROMSIM_SANDBOX_CALLS);
    run(try_32_bit);
}
END_TEST

static void *wait_and_open(void *argument)
{
    pthread_mutex_t *gate = argument;

    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    REFUSED(chdir("/"));
    free(malloc(1 << 20));
    return NULL;
}

static void *wait_for_ever(void *argument)
{
    const int *end = argument;
    static char byte; /* on the stack ASan would not see it go when the thread is cancelled */

    IN_SANDBOX(read(*end, &byte, 1) != 1);
    return NULL;
}

static void use_threads(void)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t opener, reader;
    int ends[2];

    /* What cancelling takes is loaded here, as the server does it. */
    IN_SANDBOX(pipe(ends) == 0);
    IN_SANDBOX(pthread_create(&reader, NULL, wait_for_ever, &ends[0]) == 0);
    pthread_cancel(reader);
    pthread_join(reader, NULL);
    romsim_sandbox_enter(ends, 2);
    pthread_mutex_lock(&gate);
    IN_SANDBOX(pthread_create(&opener, NULL, wait_and_open, &gate) == 0);
    IN_SANDBOX(pthread_create(&reader, NULL, wait_for_ever, &ends[0]) == 0);
    IN_SANDBOX(romsim_sandbox_seal() == ROMSIM_SANDBOX_CALLS);
    pthread_mutex_unlock(&gate);
    IN_SANDBOX(pthread_join(opener, NULL) == 0);
    IN_SANDBOX(pthread_cancel(reader) == 0);
    IN_SANDBOX(pthread_join(reader, NULL) == 0);
    IN_SANDBOX(pthread_create(&opener, NULL, wait_and_open, &gate) != 0);
}

START_TEST(threads_that_were_there_are_in_it_and_can_be_ended)
{
    SKIP_WITHOUT(ROMSIM_SANDBOX_CALLS);
    run(use_threads);
}
END_TEST

static void do_allowed(void)
{
    struct pollfd polled = {.events = POLLIN};
    const struct timespec short_time = {.tv_nsec = 1000};
    char bytes[8] = "";
    char *memory;
    int ends[2];

    IN_SANDBOX(pipe(ends) == 0);
    enter_all(ends, 2);
    IN_SANDBOX(write(ends[1], "hello", 5) == 5);
    polled.fd = ends[0];
    IN_SANDBOX(poll(&polled, 1, 1000) == 1);
    IN_SANDBOX(ppoll(&polled, 1, &short_time, NULL) == 1);
    IN_SANDBOX(read(ends[0], bytes, sizeof(bytes)) == 5 && strcmp(bytes, "hello") == 0);
    nanosleep(&short_time, NULL);
    for (size_t size = 16; size <= 64 << 20; size *= 2) {
        memory = malloc(size);
        IN_SANDBOX(memory != NULL);
        if (memory)
            memset(memory, 1, size);
        memory = realloc(memory, 3 * size);
        IN_SANDBOX(memory != NULL);
        free(memory);
    }
}

START_TEST(what_a_server_does_works)
{
    SKIP_WITHOUT(ROMSIM_SANDBOX_CALLS);
    run(do_allowed);
}
END_TEST

START_TEST(what_is_missing_is_said)
{
    char lack[ROMSIM_SANDBOX_TEXT];

    romsim_sandbox_lack(ROMSIM_SANDBOX_ALL, lack);
    ck_assert_str_eq(lack, "");
    romsim_sandbox_lack(ROMSIM_SANDBOX_ALL & ~(unsigned)ROMSIM_SANDBOX_FILES, lack);
    ck_assert_str_eq(lack, "no Landlock (Linux 5.13, with it among its 'lsm')");
    romsim_sandbox_lack(0, lack);
    ck_assert_ptr_nonnull(strstr(lack, "privileges cannot be dropped, no Landlock"));
    ck_assert_ptr_nonnull(strstr(lack, ", no seccomp filter"));
}
END_TEST

UNIT_MAIN("sandbox", no_privilege_is_left, what_is_kept_stays_open_and_nothing_else,
          no_file_can_be_opened, what_is_not_allowed_fails_and_kills_nobody,
          the_calls_of_another_architecture_are_none,
          threads_that_were_there_are_in_it_and_can_be_ended, what_a_server_does_works,
          what_is_missing_is_said)
