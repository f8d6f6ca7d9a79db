/* SPDX-License-Identifier: BSD-3-Clause */
/* paths.c: romsim's own folders. */
#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *romsim_path_join(const char *directory, const char *name)
{
    char *path;

    if (!directory || !directory[0] || name[0] == '/')
        return strdup(name);
    if (!name[0])
        return strdup(directory);
    if (asprintf(&path, "%s%s%s", directory, directory[strlen(directory) - 1] == '/' ? "" : "/",
                 name) < 0)
        return NULL;
    return path;
}

char *romsim_path_absolute(const char *path)
{
    CLEANUP_FREE char *here = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
    char *absolute = NULL, *end;

    if (!here || asprintf(&absolute, "%s/%s", strcmp(here, "/") == 0 ? "" : here, path) < 0)
        return NULL;
    end = absolute;
    for (const char *part = absolute; *part;) {
        size_t size = strcspn(part, "/");

        if (size > 0 && !(size == 1 && part[0] == '.')) {
            *end++ = '/';
            memmove(end, part, size);
            end += size;
        }
        part += size + (part[size] == '/');
    }
    if (end == absolute)
        *end++ = '/';
    *end = '\0';
    return absolute;
}

int romsim_path_descriptor(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

    if (strcmp(path, "/dev/stdin") == 0)
        return STDIN_FILENO;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const char *number = path + strlen(folders[i]);

        if (strncmp(path, folders[i], strlen(folders[i])) == 0 && *number && strlen(number) < 9 &&
            strspn(number, "0123456789") == strlen(number))
            return (int)strtol(number, NULL, 10);
    }
    return -1;
}

static int make_one(const char *path, unsigned mode, struct romsim_error *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        return romsim_error_set(err, ENOTDIR, "'%s' is not a directory", QUOTE(path));
    }
    return romsim_error_system(err, errno, "cannot make the directory '%s'", QUOTE(path));
}

int romsim_path_make(const char *path, unsigned mode, struct romsim_error *err)
{
    CLEANUP_FREE char *copy = strdup(path);

    if (!copy)
        return romsim_error_nomem(err);
    for (char *slash = strchr(copy + 1, '/'); copy[0] && slash; slash = strchr(slash + 1, '/')) {
        int made;

        *slash = '\0';
        made = make_one(copy, mode, err);
        *slash = '/';
        if (made < 0)
            return -1;
    }
    return make_one(copy, mode, err);
}

static char *home_folder(struct romsim_error *err)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home && home[0] == '/')
        return strdup(home);
    user = getpwuid(getuid());
    if (user && user->pw_dir && user->pw_dir[0] == '/')
        return strdup(user->pw_dir);
    romsim_error_set(err, ENOENT, "no home directory: HOME is not set");
    romsim_error_hint(err, "set HOME, or XDG_CACHE_HOME and XDG_DATA_HOME");
    return NULL;
}

/* BASE/NAME/SUB, made if missing. */
static char *make_folder(const char *base, const char *name, const char *sub,
                         struct romsim_error *err)
{
    CLEANUP_FREE char *own = romsim_path_join(base, name);
    CLEANUP_FREE char *path = own ? romsim_path_join(own, sub) : NULL;

    if (!path) {
        romsim_error_nomem(err);
        return NULL;
    }
    return romsim_path_make(path, 0700, err) < 0 ? NULL : STEAL_POINTER(&path);
}

/* The folder under $VARIABLE/romsim or, without it, HOME/FALLBACK/romsim.  The specification says
 * that a relative value is to be ignored. */
static char *xdg_name(const char *variable, const char *fallback, const char *sub,
                      struct romsim_error *err)
{
    const char *value = getenv(variable);
    CLEANUP_FREE char *home = NULL;
    CLEANUP_FREE char *own = NULL;
    char *path = NULL;

    if (value && value[0] == '/') {
        own = romsim_path_join(value, "romsim");
    } else {
        home = home_folder(err);
        if (!home)
            return NULL;
        if (asprintf(&own, "%s/%s/romsim", home, fallback) < 0)
            own = NULL;
    }
    path = own ? romsim_path_join(own, sub) : NULL;
    if (!path)
        romsim_error_nomem(err);
    return path;
}

static char *xdg_folder(const char *variable, const char *fallback, const char *sub,
                        struct romsim_error *err)
{
    CLEANUP_FREE char *path = xdg_name(variable, fallback, sub, err);

    if (!path)
        return NULL;
    if (romsim_path_make(path, 0700, err) < 0) {
        romsim_error_hint(err, "romsim keeps things there; %s chooses another folder", variable);
        return NULL;
    }
    return STEAL_POINTER(&path);
}

char *romsim_path_cache(const char *sub, struct romsim_error *err)
{
    return xdg_folder("XDG_CACHE_HOME", ".cache", sub, err);
}

char *romsim_path_data(const char *sub, struct romsim_error *err)
{
    return xdg_folder("XDG_DATA_HOME", ".local/share", sub, err);
}

char *romsim_path_data_name(const char *sub, struct romsim_error *err)
{
    return xdg_name("XDG_DATA_HOME", ".local/share", sub, err);
}

/* Is it a directory (no link) of ours that nobody else may write? */
static int is_private(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 022) == 0;
}

char *romsim_path_state(const char *sub, struct romsim_error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char own[64];

    /* `su` and `sudo` may leave another user's folder in the environment. */
    if (runtime && runtime[0] == '/' && is_private(runtime))
        return make_folder(runtime, "romsim", sub, err);
    snprintf(own, sizeof(own), "/tmp/romsim-%u", (unsigned)geteuid());
    if (make_one(own, 0700, err) < 0)
        return NULL;
    if (!is_private(own)) {
        romsim_error_set(err, EPERM, "the state folder '%s' belongs to somebody else", own);
        romsim_error_hint(err, "set XDG_RUNTIME_DIR to a folder that only you can write");
        return NULL;
    }
    return make_folder(own, "", sub, err);
}

static int remove_entry(const FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
    case FTS_DOT:
        return 0;
    case FTS_DP:
    case FTS_DNR:
        return rmdir(entry->fts_accpath) < 0 ? errno : 0;
    case FTS_ERR:
    case FTS_NS:
        return entry->fts_errno;
    default:
        return unlink(entry->fts_accpath) < 0 ? errno : 0;
    }
}

int romsim_path_remove_tree(const char *path, struct romsim_error *err)
{
    char *paths[] = {(char *)path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    const FTSENT *entry;
    int result = 0;

    if (!walk)
        return romsim_error_system(err, errno, "cannot remove '%s'", QUOTE(path));
    while ((entry = fts_read(walk))) {
        int errnum = remove_entry(entry);

        if (errnum != 0 && errnum != ENOENT && result == 0)
            result = romsim_error_system(err, errnum, "cannot remove '%s'", QUOTE(entry->fts_path));
    }
    fts_close(walk);
    return result;
}

bool romsim_path_is_within(const char *path, const char *parent)
{
    size_t size = strcmp(parent, "/") == 0 ? 0 : strlen(parent);

    return strncmp(path, parent, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

char *romsim_path_program_folder(void)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (size <= 0)
        return NULL;
    path[size] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return strdup(path);
}
