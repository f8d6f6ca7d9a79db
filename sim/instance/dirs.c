/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirs.c: `dir: PATH`, an inline ROM from a directory, by the rules of the cloud's CLI
 * (cloud-rules §2): a walk in lexical order; regular files only, anything else is an error; empty
 * directories vanish; mode, owner and times are lost; an empty directory is an error.
 *
 * The walk stops where the limits do: a slip like `dir: /` costs no minutes.
 */
#include "model.h"

#include <romsim/checked.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

enum { ENTRIES_MAX = 100000 };

DEFINE_VECTOR(file_list, struct romsim_file);

struct walk {
    const struct romsim_instance *instance;
    struct romsim_rom *rom;
    const struct romsim_limits *limits;
    struct romsim_diagnostics *diagnostics;
    char *root;
    struct file_list files; /* with their data while they are within the limits */
    size_t file_count;      /* all of them */
    uint64_t bytes;
    size_t entries;
};

static int report(struct walk *walk, enum romsim_cloud_code code, struct romsim_error *error)
{
    complain_at(walk->diagnostics, &walk->rom->image_place, code, error);
    return -1;
}

static const char *type_name(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFLNK:
        return "a symbolic link";
    case S_IFCHR:
    case S_IFBLK:
        return "a device";
    case S_IFIFO:
        return "a fifo";
    case S_IFSOCK:
        return "a socket";
    default:
        return "no regular file";
    }
}

static int refuse_type(struct walk *walk, const char *path, mode_t mode)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Invalid dir '%s': '%s' is %s", QUOTE(walk->rom->dir),
                     QUOTE(path), type_name(mode));
    romsim_error_hint(&error, "an inline ROM has regular files only; an image ROM may have others");
    return report(walk, ROMSIM_CLOUD_INVALID, &error);
}

static int refuse_system(struct walk *walk, const char *path, int errnum)
{
    struct romsim_error error;

    romsim_error_system(&error, errnum, "Invalid dir '%s': '%s'", QUOTE(walk->rom->dir),
                        QUOTE(path));
    return report(walk, ROMSIM_CLOUD_INVALID, &error);
}

/* Reads all of a file that must not have become something else or larger than `size`. */
static int read_file(const char *path, uint64_t size, struct romsim_file *file)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    uint8_t *data;

    if (fd < 0)
        return errno;
    data = malloc(size + 1);
    if (!data)
        return ENOMEM;
    file->data = data;
    while (file->size < size) {
        ssize_t got = read(fd, data + file->size, size - file->size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return 0;
        file->size += (size_t)got;
    }
    return 0;
}

static int load_file(struct walk *walk, const char *path, const char *relative, uint64_t size)
{
    struct romsim_file file = {.encoding = ROMSIM_ENCODING_BASE64, .place = walk->rom->image_place};
    int errnum = read_file(path, size, &file);

    file.path = strdup(relative);
    if (errnum == 0 && file.path && file_list_append(&walk->files, file) == 0)
        return 0;
    free(file.data);
    free(file.path);
    return refuse_system(walk, relative, errnum ? errnum : ENOMEM);
}

static int visit_file(struct walk *walk, const FTSENT *entry)
{
    const char *relative = entry->fts_path + strlen(walk->root);
    uint64_t size = (uint64_t)entry->fts_statp->st_size;
    struct romsim_error error;

    relative += *relative == '/';
    if (!romsim_utf8_is_valid(relative, strlen(relative))) {
        romsim_error_set(&error, EINVAL, "Invalid dir '%s': the name '%s' is not UTF-8",
                         QUOTE(walk->rom->dir), QUOTE(relative));
        return report(walk, ROMSIM_CLOUD_INVALID, &error);
    }
    walk->file_count++;
    if (!checked_add(walk->bytes, size, &walk->bytes))
        walk->bytes = UINT64_MAX;
    if (walk->file_count > walk->limits->files || walk->bytes > walk->limits->rom_bytes)
        return 0; /* counted for the message, not loaded */
    return load_file(walk, entry->fts_path, relative, size);
}

static int visit(struct walk *walk, const FTSENT *entry)
{
    struct romsim_error error;

    if (++walk->entries > ENTRIES_MAX) {
        romsim_error_set(&error, EINVAL, "Too many files in dir '%s': more than %d",
                         QUOTE(walk->rom->dir), ENTRIES_MAX);
        return report(walk, ROMSIM_CLOUD_TOO_MANY, &error);
    }
    switch (entry->fts_info) {
    case FTS_D:
    case FTS_DP:
        return 0;
    case FTS_F:
        return visit_file(walk, entry);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return refuse_system(walk, entry->fts_path, entry->fts_errno);
    default:
        return refuse_type(walk, entry->fts_path, entry->fts_statp->st_mode);
    }
}

static int compare_names(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int walk_tree(struct walk *walk)
{
    char *const paths[] = {walk->root, NULL};
    /* FTS_COMFOLLOW: the directory itself may be named by a link. */
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, compare_names);
    const FTSENT *entry;
    int status = 0;

    if (!fts)
        return refuse_system(walk, walk->root, errno);
    while (status == 0 && (entry = fts_read(fts)))
        status = visit(walk, entry);
    fts_close(fts);
    return status;
}

/* The amounts are judged here, since what is beyond the limits was not loaded. */
static int judge(struct walk *walk)
{
    char label[ROM_LABEL_SIZE];
    struct romsim_error error;
    size_t errors = walk->diagnostics->errors;

    rom_label(walk->instance, walk->rom, label);
    if (walk->file_count == 0) {
        romsim_error_set(&error, EINVAL, "Invalid dir '%s': it has no files",
                         QUOTE(walk->rom->dir));
        report(walk, ROMSIM_CLOUD_INVALID, &error);
    }
    if (walk->file_count > walk->limits->files) {
        romsim_error_set(&error, EINVAL, "Too many files in %s: %zu, at most %llu", label,
                         walk->file_count, (unsigned long long)walk->limits->files);
        romsim_error_hint(&error, "an image ROM may have any number: image instead of dir");
        report(walk, ROMSIM_CLOUD_TOO_MANY, &error);
    }
    if (walk->bytes > walk->limits->rom_bytes) {
        romsim_error_set(&error, EINVAL, "%s is too large: %llu bytes, at most %llu", label,
                         (unsigned long long)walk->bytes,
                         (unsigned long long)walk->limits->rom_bytes);
        romsim_error_hint(&error, "an image ROM may be larger: image instead of dir");
        report(walk, ROMSIM_CLOUD_TOO_LONG, &error);
    }
    return walk->diagnostics->errors == errors ? 0 : -1;
}

static void files_free(struct file_list *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        free(files->items[i].data);
    }
    file_list_reset(files);
}

static int load_dir(struct walk *walk)
{
    struct stat status;
    struct romsim_error error;

    if (stat(walk->root, &status) < 0)
        return refuse_system(walk, walk->root, errno);
    if (!S_ISDIR(status.st_mode)) {
        romsim_error_set(&error, ENOTDIR, "Invalid dir '%s': it is no directory",
                         QUOTE(walk->rom->dir));
        return report(walk, ROMSIM_CLOUD_INVALID, &error);
    }
    return walk_tree(walk) < 0 || judge(walk) < 0 ? -1 : 0;
}

static int load_rom(const struct romsim_instance *instance, struct romsim_rom *rom,
                    const struct romsim_limits *limits, struct romsim_diagnostics *diagnostics)
{
    CLEANUP_FREE char *root = romsim_path_join(instance->directory, rom->dir);
    struct walk walk = {.instance = instance,
                        .rom = rom,
                        .limits = limits,
                        .diagnostics = diagnostics,
                        .root = root};

    if (!root)
        return refuse_system(&walk, rom->dir, ENOMEM);
    for (size_t size = strlen(root); size > 1 && root[size - 1] == '/'; size--)
        root[size - 1] = '\0';
    if (load_dir(&walk) < 0) {
        files_free(&walk.files);
        return -1;
    }
    rom->files = walk.files.items;
    rom->file_count = walk.files.count;
    return 0;
}

int romsim_instance_load_dirs(struct romsim_instance *instance, const struct romsim_limits *limits,
                              struct romsim_diagnostics *diagnostics)
{
    int status = 0;

    for (size_t i = 0; i < instance->rom_count; i++) {
        struct romsim_rom *rom = &instance->roms[i];

        if (rom->dir && !rom->image && rom->file_count == 0)
            status |= load_rom(instance, rom, limits, diagnostics);
    }
    return status;
}
