/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.c: giving up what a process does not need.
 *
 * Theory of operation, as of passt's isolation.c.  Images come from strangers, and who reads them
 * may have a fault that a crafted one uses.  So they are read by a process of its own, which has
 * nothing else to do, and whose parent does what needs the machine: mounting and unmounting, the
 * record, the terminal.  Before its first byte of a request it goes through these stages:
 *
 *  1. Descriptors.  It is a fork of a process that has many: locks, sockets, the user's terminal.
 *     All are closed but those that it is told to keep.  The images stay: they are mapped.
 *  2. Privileges.  no_new_privs, so that no set-uid program gives any, and no capability, for one
 *     that root started.
 *  3. Files.  A Landlock domain without a rule: nothing can be opened, made, removed or run, no TCP
 *     port bound or connected to, no process outside signalled (what of that the kernel knows).
 *     Rather than a namespace, which takes a user of its own, a mount, and a setting that some
 *     distributions turn off; what Landlock does not cover, stat() and chdir(), ends with stage 4.
 *  4. System calls.  A seccomp filter for all threads, which have been made by then: read, write,
 *     wait, memory that cannot be executed, the end of a thread.  There is no socket(), no open(),
 *     no ioctl(), no clone() among them.
 *
 * What is not allowed gives EPERM rather than the process's end.  It is the refusal that protects:
 * an attacker who has EPERM for all that leads anywhere has no more than one who is killed.  But
 * one call that a new C library makes, where it has another way if that fails, would end a user's
 * mount.  passt can afford that, since a connection can be made again.
 *
 * Each stage is for itself: a kernel or a container that refuses one does not keep the others.
 */
#include <romsim/sandbox.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* ---- descriptors -------------------------------------------------------------------------- */

/* The lowest of `keep` that is above `fd`, or -1. */
static int next_kept(const int *keep, size_t count, int fd)
{
    int next = -1;

    for (size_t i = 0; i < count; i++)
        if (keep[i] > fd && (next < 0 || keep[i] < next))
            next = keep[i];
    return next;
}

static bool is_kept(const int *keep, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

static void close_range_of(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    /* Before Linux 5.9.  The limit may have been lowered since the highest was opened. */
    for (unsigned fd = first; fd <= last && fd < 65536; fd++)
        close((int)fd);
}

/* A terminal or a pipe must not be held open by who says nothing there; but what a library or a
 * sanitizer writes to standard error may not land elsewhere either. */
static void silence(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        close(STDERR_FILENO);
    else if (null != STDERR_FILENO) {
        dup2(null, STDERR_FILENO);
        close(null);
    }
}

static void close_others(const int *keep, size_t count)
{
    int fd = STDERR_FILENO, next;

    for (int stream = STDIN_FILENO; stream < STDERR_FILENO; stream++)
        if (!is_kept(keep, count, stream))
            close(stream);
    if (!is_kept(keep, count, STDERR_FILENO))
        silence();
    while ((next = next_kept(keep, count, fd)) >= 0) {
        close_range_of((unsigned)fd + 1, (unsigned)next - 1);
        fd = next;
    }
    close_range_of((unsigned)fd + 1, ~0U);
}

/* ---- privileges --------------------------------------------------------------------------- */

static bool drop_privileges(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    bool is_dropped = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

    return syscall(SYS_capset, &header, none) == 0 && is_dropped;
}

/* ---- files -------------------------------------------------------------------------------- */

/* Of linux/landlock.h, which may be older than the kernel that runs. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif

enum { LANDLOCK_ASK_VERSION = 1, LANDLOCK_KNOWN = 6 };

struct landlock_handled {
    uint64_t files;  /* LANDLOCK_ACCESS_FS_... */
    uint64_t net;    /* LANDLOCK_ACCESS_NET_... */
    uint64_t scoped; /* LANDLOCK_SCOPE_... */
};

/* All that each version can refuse; 6.1, 6.2, 6.7, 6.10, 6.12 brought the later ones. */
static const struct landlock_handled landlock_versions[LANDLOCK_KNOWN] = {
    {.files = (1 << 13) - 1},           {.files = (1 << 14) - 1},
    {.files = (1 << 15) - 1},           {.files = (1 << 15) - 1, .net = 3},
    {.files = (1 << 16) - 1, .net = 3}, {.files = (1 << 16) - 1, .net = 3, .scoped = 3},
};

static bool give_up_files(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_ASK_VERSION);
    const struct landlock_handled *handled;
    bool is_done;
    int rules;

    if (version < 1)
        return false;
    handled = &landlock_versions[(version < LANDLOCK_KNOWN ? version : LANDLOCK_KNOWN) - 1];
    rules = (int)syscall(SYS_landlock_create_ruleset, handled, sizeof(*handled), 0);
    if (rules < 0)
        return false;
    is_done = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return is_done;
}

/* ---- system calls ------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef NATIVE_ARCH

/* Asked for one after the other, so the frequent ones first (and then kept by the kernel, in a map
 * of the numbers that are allowed whatever their arguments are). */
static const uint16_t allowed[] = {
    /* requests and their answers */
    SYS_read,
    SYS_writev,
    SYS_write,
    SYS_readv,
    /* waiting: for each other, for the end, for a delay that was asked for */
    SYS_futex,
    SYS_ppoll,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_restart_syscall,
    SYS_sched_yield,
#ifdef SYS_poll
    SYS_poll,
#endif
    /* memory */
    SYS_munmap,
    SYS_madvise,
    SYS_mremap,
    SYS_brk,
    /* the beginning and the end of threads and of the process, and abort() */
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_set_robust_list,
    SYS_sched_getaffinity,
    SYS_gettid,
    SYS_getpid,
    SYS_exit,
    SYS_exit_group,
    SYS_close,
#ifdef SYS_rseq
    SYS_rseq,
#endif
    SYS_getrandom, /* malloc() takes some for what it checks itself with */
#if IS_SANITIZED
    /* what a sanitizer's report takes: it opens its file, and programs for their symbols */
    SYS_openat,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_readlinkat,
    SYS_pread64,
    SYS_ioctl,
    SYS_getrusage,
    SYS_prlimit64,
    SYS_fcntl,
    SYS_uname,
    SYS_dup,
    SYS_prctl,
    SYS_msync,
#ifdef SYS_open
    SYS_open,
    SYS_readlink,
    SYS_stat,
    SYS_access,
#endif
#endif
};

enum { ALLOWED = sizeof(allowed) / sizeof(allowed[0]), FILTER_MAX = 2 * ALLOWED + 32 };

struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short size;
};

static void add(struct filter *filter, struct sock_filter instruction)
{
    filter->code[filter->size++] = instruction;
}

#define ADD_STATEMENT(filter, operation, value)                                                    \
    add(filter, (struct sock_filter)BPF_STMT(operation, (uint32_t)(value)))
#define ADD_JUMP(filter, operation, value, yes, no)                                                \
    add(filter, (struct sock_filter)BPF_JUMP(operation, (uint32_t)(value), yes, no))

/* The low half of an argument; both architectures are little-endian. */
static uint32_t argument(unsigned index)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) + index * sizeof(uint64_t));
}

/* With the number loaded: a call whose argument has none of the bits is allowed. */
static void allow_without(struct filter *filter, long call, unsigned index, uint32_t bits)
{
    ADD_JUMP(filter, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    ADD_STATEMENT(filter, BPF_LD | BPF_W | BPF_ABS, argument(index));
    ADD_JUMP(filter, BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0);
    ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
}

/* And one whose argument is that. */
static void allow_with(struct filter *filter, long call, unsigned index, uint32_t value)
{
    ADD_JUMP(filter, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    ADD_STATEMENT(filter, BPF_LD | BPF_W | BPF_ABS, argument(index));
    ADD_JUMP(filter, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
}

static void compose(struct filter *filter)
{
    /* Numbers mean something else in another architecture's calls. */
    ADD_STATEMENT(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    ADD_JUMP(filter, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
    ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    ADD_STATEMENT(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ALLOWED; i++) {
        ADD_JUMP(filter, BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
        ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    allow_without(filter, SYS_mmap, 2, PROT_EXEC);
    allow_without(filter, SYS_mprotect, 2, PROT_EXEC);
    /* How a thread ends another one, and how abort() ends all. */
    allow_with(filter, SYS_tgkill, 0, (uint32_t)getpid());
    ADD_STATEMENT(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
}

static bool restrict_calls(void)
{
    struct filter filter = {.size = 0};
    struct sock_fprog program;

    compose(&filter);
    program = (struct sock_fprog){.len = filter.size, .filter = filter.code};
    /* What is not 0 may also be the number of a thread that could not be brought in. */
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

#else

static bool restrict_calls(void)
{
    return false; /* nobody has looked at what this architecture's calls are */
}

#endif

/* ---- all ---------------------------------------------------------------------------------- */

unsigned romsim_sandbox_enter(const int *keep, size_t count)
{
    unsigned applied = 0;

    close_others(keep, count);
    if (drop_privileges())
        applied |= ROMSIM_SANDBOX_PRIVILEGES;
    /* A sanitizer's report is a file that is made when there is something to say. */
    if (IS_SANITIZED || give_up_files())
        applied |= ROMSIM_SANDBOX_FILES;
    return applied;
}

unsigned romsim_sandbox_seal(void)
{
    return restrict_calls() ? ROMSIM_SANDBOX_CALLS : 0;
}

unsigned romsim_sandbox_probe(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        unsigned applied = romsim_sandbox_enter(NULL, 0);

        _exit((int)(applied | romsim_sandbox_seal()));
    }
    if (pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0 || !WIFEXITED(status))
        return 0;
    return (unsigned)WEXITSTATUS(status) & ROMSIM_SANDBOX_ALL;
}

void romsim_sandbox_lack(unsigned applied, char ret[ROMSIM_SANDBOX_TEXT])
{
    static const struct {
        unsigned bit;
        const char *words;
    } parts[] = {
        {ROMSIM_SANDBOX_PRIVILEGES, "privileges cannot be dropped"},
        {ROMSIM_SANDBOX_FILES, "no Landlock (Linux 5.13, with it among its 'lsm')"},
        {ROMSIM_SANDBOX_CALLS, "no seccomp filter"},
    };
    size_t used = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!(applied & parts[i].bit))
            used += (size_t)snprintf(ret + used, ROMSIM_SANDBOX_TEXT - used, "%s%s",
                                     used ? ", " : "", parts[i].words);
}
