/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostdir.c: see hostdir.h.
 *
 * Theory of operation of the walk: a list of directories still to be read, from the root on.  One
 * is open at a time: depth costs no descriptors and no stack.  What a walk met is true of one
 * moment, its end: each entry was looked at before, and is unchanged after.  A file's data is read
 * later, and the file is then still the one that was met.
 */
#include <romsim/hostdir.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

struct romsim_hostdir {
    unsigned references;
    int fd;
    char path[]; /* as the user named it */
};

/* ---- the directory ------------------------------------------------------------------------ */

struct romsim_hostdir *romsim_hostdir_open(const char *path, struct romsim_error *err)
{
    size_t size = strlen(path) + 1;
    struct romsim_hostdir *directory = malloc(sizeof(*directory) + size);

    if (!directory) {
        romsim_error_nomem(err);
        return NULL;
    }
    directory->references = 1;
    memcpy(directory->path, path, size);
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory->fd < 0) {
        romsim_error_system(err, errno, "cannot open the directory '%s'", QUOTE(path));
        free(directory);
        return NULL;
    }
    return directory;
}

struct romsim_hostdir *romsim_hostdir_ref(struct romsim_hostdir *directory)
{
    directory->references++;
    return directory;
}

void romsim_hostdir_unref(struct romsim_hostdir *directory)
{
    if (!directory || --directory->references > 0)
        return;
    close(directory->fd);
    free(directory);
}

/* ---- identities --------------------------------------------------------------------------- */

void romsim_identity_of(const struct stat *st, struct romsim_identity *ret)
{
    *ret = (struct romsim_identity){.device = st->st_dev,
                                    .number = st->st_ino,
                                    .size = (uint64_t)st->st_size,
                                    .modified = st->st_mtim,
                                    .changed = st->st_ctim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool romsim_identity_is(const struct romsim_identity *identity, const struct stat *st)
{
    return identity->device == st->st_dev && identity->number == st->st_ino &&
           identity->size == (uint64_t)st->st_size &&
           same_time(&identity->modified, &st->st_mtim) &&
           same_time(&identity->changed, &st->st_ctim);
}

/* ---- opening ------------------------------------------------------------------------------ */

/* One component after the other, none of them a link: for kernels before 5.6, and for sandboxes
 * that do not know openat2(). */
static int open_by_steps(int root_fd, const char *path, int flags)
{
    CLEANUP_FD int above = -1;
    char name[NAME_MAX + 1];

    for (;;) {
        size_t size = strcspn(path, "/");
        bool is_last = path[size] == '\0';
        int fd;

        if (size > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        fd = openat(above < 0 ? root_fd : above, name,
                    is_last ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || is_last)
            return fd;
        cleanup_close_fd(&above);
        above = fd;
        path += size + 1;
    }
}

int romsim_hostdir_openat(const struct romsim_hostdir *directory, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd;

    if (!*path)
        path = ".";
    fd = (int)syscall(SYS_openat2, directory->fd, path, &how, sizeof(how));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_by_steps(directory->fd, path, flags | O_CLOEXEC);
    return fd;
}

int romsim_hostdir_changed(const struct romsim_hostdir *directory, const char *path,
                           struct romsim_error *err)
{
    CLEANUP_FREE char *full = romsim_path_join(directory->path, path);

    romsim_error_set(err, ESTALE, "'%s' changed while it was read", QUOTE(full ? full : path));
    return romsim_error_hint(err, "try again when nothing writes to it");
}

int romsim_hostdir_blame(const struct romsim_hostdir *directory, const char *path,
                         struct romsim_error *err)
{
    CLEANUP_FREE char *full = romsim_path_join(directory->path, path);

    if (err && err->errnum == ESTALE) /* names it already */
        return -1;
    return romsim_error_context(err, "'%s'", QUOTE(full ? full : path));
}

/* What was there when it was met, and is gone or a link now, was moved by somebody. */
static bool was_moved(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP || errnum == EXDEV ||
           errnum == ENXIO;
}

static int cannot_open(const struct romsim_hostdir *directory, const char *path,
                       struct romsim_error *err)
{
    int errnum = errno;
    CLEANUP_FREE char *full = romsim_path_join(directory->path, path);

    if (was_moved(errnum))
        return romsim_hostdir_changed(directory, path, err);
    return romsim_error_system(err, errnum, "cannot open '%s'", QUOTE(full ? full : path));
}

int romsim_hostdir_check_file(const struct romsim_hostdir *directory, const char *path,
                              const struct romsim_identity *identity, int fd,
                              struct romsim_error *err)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && romsim_identity_is(identity, &st))
        return 0;
    return romsim_hostdir_changed(directory, path, err);
}

int romsim_hostdir_open_file(const struct romsim_hostdir *directory, const char *path,
                             const struct romsim_identity *identity, struct romsim_error *err)
{
    /* Non-blocking, in case a fifo took the file's place. */
    CLEANUP_FD int fd = romsim_hostdir_openat(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return cannot_open(directory, path, err);
    if (romsim_hostdir_check_file(directory, path, identity, fd, err) < 0)
        return -1;
    return steal_fd(&fd);
}

/* ---- the walk ----------------------------------------------------------------------------- */

/* Something that was met.  Owns the path. */
struct met {
    char *path;
    struct romsim_identity identity;
    void *value; /* the visitor's, of a directory that is to be read */
};
DEFINE_VECTOR(met_list, struct met)
DEFINE_VECTOR(name_list, char *)

struct walk {
    struct romsim_hostdir *root;
    romsim_hostdir_visit *visit;
    void *context;
    struct met_list pending; /* directories that are to be read */
    struct met_list again;   /* what is to be looked at again in the end */
};

static void met_list_release(struct met_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    met_list_reset(list);
}

static void walk_release(struct walk *walk)
{
    met_list_release(&walk->pending);
    met_list_release(&walk->again);
}

static void name_list_release(struct name_list *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    name_list_reset(names);
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

/* Takes the path in any case. */
static int remember(struct met_list *list, char *path, const struct stat *st, void *value,
                    struct romsim_error *err)
{
    struct met met = {.path = path, .value = value};

    romsim_identity_of(st, &met.identity);
    if (met_list_append(list, met) == 0)
        return 0;
    free(path);
    return romsim_error_nomem(err);
}

static int visit_entry(struct walk *walk, const struct met *parent, int dir_fd, const char *name,
                       struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(parent->path, name);
    void *value = NULL;
    struct stat st;
    struct romsim_hostdir_entry entry = {
        .path = path, .st = &st, .dir_fd = dir_fd, .parent = parent->value};

    if (!path)
        return romsim_error_nomem(err);
    entry.name = path + strlen(path) - strlen(name);
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return cannot_open(walk->root, path, err);
    if (walk->visit(walk->context, &entry, &value, err) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return remember(&walk->pending, STEAL_POINTER(&path), &st, value, err);
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        return 0;
    return remember(&walk->again, STEAL_POINTER(&path), &st, NULL, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_names(DIR *stream, struct name_list *names, struct romsim_error *err)
{
    const struct dirent *entry;

    while (errno = 0, (entry = readdir(stream))) {
        char *name;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        name = strdup(entry->d_name);
        if (!name || name_list_append(names, name) < 0) {
            free(name);
            return romsim_error_nomem(err);
        }
    }
    if (errno)
        return romsim_error_system(err, errno, "cannot read the directory");
    if (names->count > 0)
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    return 0;
}

/* Reads a directory that must still be the one that was met. */
static int read_directory(struct walk *walk, const struct met *met, struct romsim_error *err)
{
    CLEANUP_FD int fd = romsim_hostdir_openat(walk->root, met->path, O_RDONLY | O_DIRECTORY);
    CLEANUP(name_list_release) struct name_list names = {0};
    CLEANUP(close_directory) DIR *stream = NULL;

    if (fd < 0)
        return cannot_open(walk->root, met->path, err);
    if (romsim_hostdir_check_file(walk->root, met->path, &met->identity, fd, err) < 0)
        return -1;
    stream = fdopendir(fd);
    if (!stream)
        return romsim_error_system(err, errno, "cannot read the directory");
    steal_fd(&fd);
    if (list_names(stream, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (visit_entry(walk, met, dirfd(stream), names.items[i], err) < 0)
            return -1;
    return 0;
}

/* Has everything stayed as it was met? */
static int look_again(const struct walk *walk, struct romsim_error *err)
{
    for (size_t i = 0; i < walk->again.count; i++) {
        const struct met *met = &walk->again.items[i];
        CLEANUP_FD int fd = romsim_hostdir_openat(walk->root, met->path, O_PATH);

        if (fd < 0)
            return cannot_open(walk->root, met->path, err);
        if (romsim_hostdir_check_file(walk->root, met->path, &met->identity, fd, err) < 0)
            return -1;
    }
    return 0;
}

static int start(struct walk *walk, struct romsim_error *err)
{
    struct stat st;
    struct romsim_hostdir_entry entry = {
        .path = "", .name = "", .st = &st, .dir_fd = walk->root->fd};
    char *path = strdup("");
    void *value = NULL;

    if (!path)
        return romsim_error_nomem(err);
    if (fstat(walk->root->fd, &st) < 0) {
        free(path);
        return cannot_open(walk->root, "", err);
    }
    if (walk->visit(walk->context, &entry, &value, err) == 0)
        return remember(&walk->pending, path, &st, value, err);
    free(path);
    return -1;
}

int romsim_hostdir_walk(struct romsim_hostdir *directory, romsim_hostdir_visit *visit,
                        void *context, struct romsim_error *err)
{
    CLEANUP(walk_release)
    struct walk walk = {.root = directory, .visit = visit, .context = context};

    if (start(&walk, err) < 0)
        return -1;
    while (walk.pending.count > 0) {
        struct met met = walk.pending.items[--walk.pending.count];
        int status = read_directory(&walk, &met, err);

        if (met_list_append(&walk.again, met) < 0) {
            free(met.path);
            return romsim_error_nomem(err);
        }
        if (status < 0)
            return -1;
    }
    return look_again(&walk, err);
}
