/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostdir.c: directories of the host that somebody changes while they are read.
 *
 * Each test has a folder with `source`, which is read, and `outside`, of which no byte may ever be
 * read: its files have the names and sizes of those in `source/sub`.
 */
#include "tars.h"

#include <romsim/erofs.h>
#include <romsim/hostdir.h>
#include <romsim/instance.h>
#include <romsim/tree.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define INSIDE  "inside!"
#define OUTSIDE "SECRET!"

static int home = -1;
static char source[96];

static void write_file(const char *path, const char *text)
{
    CLEANUP_FD int fd = openat(home, path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void make_folder(const char *path)
{
    ck_assert_int_eq(mkdirat(home, path, 0755), 0);
}

static void enter(void)
{
    tars_enter();
    home = open(tars_home, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(home, 0);
    snprintf(source, sizeof(source), "%s/source", tars_home);
    make_folder("source");
    make_folder("source/sub");
    make_folder("outside");
    write_file("source/sub/file", INSIDE);
    write_file("outside/file", OUTSIDE);
    ck_assert_int_eq(symlinkat("../outside", home, "link"), 0);
}

static void leave(void)
{
    close(home);
    tars_leave();
}

/* Puts one name in the place of the other, in one step. */
static void exchange(const char *a, const char *b)
{
    ck_assert_int_eq(renameat2(home, a, home, b, RENAME_EXCHANGE), 0);
}

static bool has_secret(const void *bytes, size_t size)
{
    return memmem(bytes, size, OUTSIDE, strlen(OUTSIDE)) != NULL;
}

/* ---- between the walk and the read -------------------------------------------------------- */

static void swap_directory(void)
{
    exchange("source/sub", "link");
}

static void swap_file(void)
{
    ck_assert_int_eq(unlinkat(home, "source/sub/file", 0), 0);
    ck_assert_int_eq(symlinkat("../../outside/file", home, "source/sub/file"), 0);
}

static void replace_file(void)
{
    ck_assert_int_eq(linkat(home, "outside/file", home, "new", 0), 0);
    ck_assert_int_eq(renameat(home, "new", home, "source/sub/file"), 0);
}

static void remove_file(void)
{
    ck_assert_int_eq(unlinkat(home, "source/sub/file", 0), 0);
}

static void put_fifo(void)
{
    remove_file();
    ck_assert_int_eq(mkfifoat(home, "source/sub/file", 0644), 0);
}

/* As many bytes as before; again and again until the file system's clock has moved on. */
static void rewrite_file(void)
{
    struct stat before, after;

    ck_assert_int_eq(fstatat(home, "source/sub/file", &before, 0), 0);
    do {
        write_file("source/sub/file", OUTSIDE);
        ck_assert_int_eq(fstatat(home, "source/sub/file", &after, 0), 0);
    } while (before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
             before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void (*const changes[])(void) = {
    swap_directory, swap_file, replace_file, remove_file, put_fifo, rewrite_file,
};

START_TEST(what_changed_since_the_walk_is_not_packed)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        CLEANUP_TREE struct romsim_tree *tree = NULL;
        struct romsim_error err = {0};
        char message[192];

        enter();
        snprintf(message, sizeof(message), "'%s/sub/file' changed while it was read", source);
        tree = romsim_tree_from_directory(source, ROMSIM_OWNERS_ROOT, &err);
        ck_assert_ptr_nonnull(tree);
        changes[i]();
        ck_assert_ptr_null(romsim_erofs_build(tree, NULL, NULL, &err));
        ck_assert_int_eq(err.errnum, ESTALE);
        ck_assert_ptr_nonnull(strstr(err.message, message));
        ck_assert_ptr_nonnull(strstr(err.hint, "try again"));
        leave();
    }
}
END_TEST

START_TEST(what_changed_after_it_was_written_is_found_by_reading_back)
{
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_erofs_options quick = {.no_verify = true};
    struct romsim_error err = {0};

    enter();
    tree = romsim_tree_from_directory(source, ROMSIM_OWNERS_ROOT, &err);
    blob = romsim_erofs_build(tree, &quick, NULL, &err);
    ck_assert_ptr_nonnull(blob);
    rewrite_file();
    ck_assert_int_eq(romsim_erofs_verify(tree, blob, &err), -1);
    ck_assert_int_eq(err.errnum, ESTALE);
    leave();
}
END_TEST

/* ---- during the walk ---------------------------------------------------------------------- */

/* Changes something when an entry is met. */
struct meddler {
    const char *at;
    void (*change)(void);
    unsigned met;
};

static int meddle(void *context, const struct romsim_hostdir_entry *entry, void **ret_directory,
                  struct romsim_error *err)
{
    struct meddler *meddler = context;

    (void)ret_directory;
    (void)err;
    meddler->met++;
    if (strcmp(entry->path, meddler->at) == 0 && meddler->change)
        meddler->change();
    return 0;
}

static void add_file(void)
{
    write_file("source/new", "x");
}

static void replace_link(void)
{
    ck_assert_int_eq(unlinkat(home, "source/a-link", 0), 0);
    ck_assert_int_eq(symlinkat("there", home, "source/a-link"), 0);
}

static void fill_empty(void)
{
    write_file("source/a-empty", "no longer");
}

START_TEST(what_changes_during_the_walk_is_noticed)
{
    static const struct meddler meddlers[] = {
        {"sub", swap_directory, 0},      /* before it is read */
        {"sub/file", swap_directory, 0}, /* while it is read */
        {"sub/file", add_file, 0},       /* behind the walk's back */
        {"sub/file", replace_link, 0},   {"sub/file", fill_empty, 0},
    };

    for (size_t i = 0; i < sizeof(meddlers) / sizeof(meddlers[0]); i++) {
        CLEANUP_HOSTDIR struct romsim_hostdir *directory = NULL;
        struct meddler meddler = meddlers[i], idle = {.at = ""};
        struct romsim_error err = {0};

        enter();
        ck_assert_int_eq(symlinkat("here", home, "source/a-link"), 0);
        write_file("source/a-empty", "");
        directory = romsim_hostdir_open(source, &err);
        ck_assert_ptr_nonnull(directory);
        ck_assert_int_eq(romsim_hostdir_walk(directory, meddle, &idle, &err), 0);
        ck_assert_uint_eq(idle.met, 5);
        ck_assert_int_eq(romsim_hostdir_walk(directory, meddle, &meddler, &err), -1);
        ck_assert_int_eq(err.errnum, ESTALE);
        ck_assert_ptr_nonnull(strstr(err.message, "changed while it was read"));
        leave();
    }
}
END_TEST

static int note_name(void *context, const struct romsim_hostdir_entry *entry, void **ret_directory,
                     struct romsim_error *err)
{
    struct romsim_buffer *names = context;

    (void)err;
    romsim_buffer_printf(names, "%s<%s ", entry->path,
                         entry->parent ? (const char *)entry->parent : "");
    *ret_directory = (void *)(*entry->path ? "dir" : "top");
    return 0;
}

START_TEST(a_walk_goes_by_name_and_keeps_what_the_visitor_gave)
{
    CLEANUP_BUFFER struct romsim_buffer names = ROMSIM_BUFFER_INIT(1000);
    CLEANUP_HOSTDIR struct romsim_hostdir *directory = NULL;

    enter();
    write_file("source/b", "");
    write_file("source/a", "");
    write_file("source/z", "");
    directory = romsim_hostdir_open(source, NULL);
    ck_assert_int_eq(romsim_hostdir_walk(directory, note_name, &names, NULL), 0);
    ck_assert_str_eq(names.data, "< a<top b<top sub<top z<top sub/file<dir ");
    leave();
}
END_TEST

/* ---- in a loop ---------------------------------------------------------------------------- */

enum { TRIES = 300 };

/* Swaps the directory and a link to the outside, and a file in it and another one, as fast as it
 * can, until it is killed. */
static pid_t start_swapper(void)
{
    pid_t parent = getpid(), child = fork();

    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        renameat2(home, "source/sub", home, "link", RENAME_EXCHANGE);
    _exit(0);
}

static void stop_swapper(pid_t child)
{
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* Many entries, so that there is time to change something. */
static void enter_crowd(void)
{
    CLEANUP_FD int secret = -1;

    enter();
    for (int i = 0; i < 20; i++) {
        char path[64];

        snprintf(path, sizeof(path), "source/sub/%d", i);
        write_file(path, INSIDE);
        snprintf(path, sizeof(path), "outside/%d", i);
        write_file(path, OUTSIDE);
    }
    secret = openat(home, "outside/7", O_RDONLY);
    fsetxattr(secret, "user.x", OUTSIDE, strlen(OUTSIDE), 0); /* where there are xattrs */
}

START_TEST(no_byte_from_outside_is_ever_packed)
{
    pid_t swapper;
    unsigned refused = 0;

    enter_crowd();
    swapper = start_swapper();
    for (int i = 0; i < TRIES; i++) {
        struct romsim_error err = {0};
        CLEANUP_TREE struct romsim_tree *tree =
            romsim_tree_from_directory(source, ROMSIM_OWNERS_ROOT, &err);
        CLEANUP_BLOB struct romsim_blob *blob =
            tree ? romsim_erofs_build(tree, NULL, NULL, &err) : NULL;

        if (blob) {
            ck_assert(!has_secret(romsim_blob_bytes(blob), romsim_blob_size(blob)));
            continue;
        }
        refused++;
        ck_assert_msg(err.errnum == ESTALE, "try %d: %s", i, err.message);
    }
    stop_swapper(swapper);
    printf("# %u of %d were refused\n", refused, TRIES);
    leave();
}
END_TEST

START_TEST(no_byte_from_outside_is_ever_in_a_request)
{
    static const char text[] = "image: x\nmemory_mb: 64\nroms: [{name: r, dir: source, at: /r}]\n";
    pid_t swapper;

    enter_crowd();
    swapper = start_swapper();
    for (int i = 0; i < TRIES; i++) {
        struct romsim_instances instances;
        struct romsim_diagnostics diagnostics = {0};
        const struct romsim_input input = {.name = "x.yaml", .directory = tars_home};
        int status =
            romsim_instances_parse(text, strlen(text), &input, NULL, &instances, &diagnostics);

        for (size_t j = 0; status == 0 && j < instances.items[0]->roms[0].file_count; j++) {
            const struct romsim_file *file = &instances.items[0]->roms[0].files[j];

            ck_assert(!has_secret(file->data, file->size));
        }
        romsim_instances_clear(&instances);
        romsim_diagnostics_clear(&diagnostics);
    }
    stop_swapper(swapper);
    leave();
}
END_TEST

/* ---- descriptors, and kernels without openat2() ------------------------------------------- */

enum { DEPTH = 200 };

static void make_deep(void)
{
    int above = openat(home, "source", O_RDONLY | O_DIRECTORY);

    for (int i = 0; i < DEPTH; i++) {
        int fd;

        ck_assert_int_eq(mkdirat(above, "d", 0755), 0);
        fd = openat(above, "d", O_RDONLY | O_DIRECTORY);
        ck_assert_int_ge(fd, 0);
        close(above);
        above = fd;
    }
    close(above);
}

START_TEST(depth_costs_no_descriptors)
{
    struct rlimit few;
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    struct romsim_error err = {0};

    enter();
    make_deep();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
    few.rlim_cur = (rlim_t)home + 3; /* the directory, and what is read */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    tree = romsim_tree_from_directory(source, ROMSIM_OWNERS_ROOT, &err);
    few.rlim_cur = few.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    ck_assert_msg(tree != NULL, "%s", err.message);
    ck_assert_uint_eq(romsim_tree_inode_count(tree), DEPTH + 3);
    leave();
}
END_TEST

/* From here on openat2() fails with ENOSYS. */
static bool forbid_openat2(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

START_TEST(without_openat2_no_link_is_followed_either)
{
    CLEANUP_TREE struct romsim_tree *tree = NULL;
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    struct romsim_error err = {0};

    if (!forbid_openat2())
        UNIT_SKIP("no seccomp filters here");
    enter();
    make_deep();
    tree = romsim_tree_from_directory(source, ROMSIM_OWNERS_ROOT, &err);
    ck_assert_msg(tree != NULL, "%s", err.message);
    blob = romsim_erofs_build(tree, NULL, NULL, &err);
    ck_assert_msg(blob != NULL, "%s", err.message);
    swap_directory();
    romsim_blob_unref(blob);
    blob = romsim_erofs_build(tree, NULL, NULL, &err);
    ck_assert_ptr_null(blob);
    ck_assert_int_eq(err.errnum, ESTALE);
    leave();
}
END_TEST

UNIT_MAIN("hostdir", what_changed_since_the_walk_is_not_packed,
          what_changed_after_it_was_written_is_found_by_reading_back,
          what_changes_during_the_walk_is_noticed,
          a_walk_goes_by_name_and_keeps_what_the_visitor_gave, no_byte_from_outside_is_ever_packed,
          no_byte_from_outside_is_ever_in_a_request, depth_costs_no_descriptors,
          without_openat2_no_link_is_followed_either)
