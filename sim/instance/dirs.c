/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirs.c: `dir: PATH`, an inline ROM from a directory, by the rules of the cloud's CLI
 * (cloud-rules §2): files in lexical order; regular files only, anything else is an error; empty
 * directories vanish; mode, owner and times are lost; an empty directory is an error.
 *
 * The walk is hostdir.h's.  It stops where the limits do: a slip like `dir: /` costs no minutes.
 */
#include "model.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/hostdir.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

DEFINE_VECTOR(file_list, struct romsim_file);

struct walk {
    const struct romsim_instance *instance;
    struct romsim_rom *rom;
    const struct romsim_limits *limits;
    struct romsim_diagnostics *diagnostics;
    char *root;
    struct romsim_hostdir *directory;
    struct file_list files; /* with their data while they are within the limits */
    size_t file_count;      /* all of them */
    uint64_t bytes;
    size_t entries;
    bool reported;
};

static int report(struct walk *walk, enum romsim_cloud_code code, struct romsim_error *error)
{
    if (error->rule == ROMSIM_RULE_NONE && error->errnum != ENOMEM)
        error->rule = ROMSIM_RULE_DIR;
    complain_at(walk->diagnostics, &walk->rom->image_place, code, error);
    walk->reported = true;
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

/* A path of the walk as the user would write it; NULL without memory. */
static char *full_path(const struct walk *walk, const char *path)
{
    return *path ? romsim_path_join(walk->rom->dir, path) : strdup(walk->rom->dir);
}

static int refuse_type(struct walk *walk, const char *path, mode_t mode)
{
    CLEANUP_FREE char *full = full_path(walk, path);
    struct romsim_error error;

    romsim_error_set(&error, EINVAL, "Invalid dir '%s': '%s' is %s", QUOTE(walk->rom->dir),
                     QUOTE(full ? full : path), type_name(mode));
    romsim_error_hint(&error, "an inline ROM has regular files only; an image ROM may have others");
    return report(walk, ROMSIM_CLOUD_INVALID, &error);
}

static int refuse_system(struct walk *walk, const char *path, int errnum)
{
    CLEANUP_FREE char *full = full_path(walk, path);
    struct romsim_error error;

    romsim_error_system(&error, errnum, "Invalid dir '%s': '%s'", QUOTE(walk->rom->dir),
                        QUOTE(full ? full : path));
    return report(walk, ROMSIM_CLOUD_INVALID, &error);
}

/* Reads all of a file that was just met.  `file` owns its data on failure, too. */
static int read_file(const struct walk *walk, const struct romsim_hostdir_entry *entry,
                     struct romsim_file *file, struct romsim_error *err)
{
    struct romsim_identity identity;
    CLEANUP_FD int fd = -1;
    size_t size = (size_t)entry->st->st_size;
    int errnum;

    romsim_identity_of(entry->st, &identity);
    fd = romsim_hostdir_open_file(walk->directory, entry->path, &identity, err);
    if (fd < 0)
        return -1;
    file->data = malloc(size + 1);
    if (!file->data)
        return romsim_error_nomem(err);
    file->size = size;
    errnum = romsim_read_fully(fd, file->data, size, 0);
    if (errnum != 0 && errnum != ENODATA)
        return romsim_error_system(err, errnum, "cannot read '%s'", QUOTE(entry->path));
    return romsim_hostdir_check_file(walk->directory, entry->path, &identity, fd, err);
}

static int load_file(struct walk *walk, const struct romsim_hostdir_entry *entry,
                     struct romsim_error *err)
{
    struct romsim_file file = {.encoding = ROMSIM_ENCODING_BASE64,
                               .place = walk->rom->image_place,
                               .path = strdup(entry->path)};
    int status = file.path ? read_file(walk, entry, &file, err) : romsim_error_nomem(err);

    if (status == 0 && file_list_append(&walk->files, file) < 0)
        status = romsim_error_nomem(err);
    if (status < 0) {
        free(file.data);
        free(file.path);
    }
    return status;
}

static int visit_file(struct walk *walk, const struct romsim_hostdir_entry *entry,
                      struct romsim_error *err)
{
    struct romsim_error error;

    if (!romsim_utf8_is_valid(entry->path, strlen(entry->path))) {
        romsim_error_set(&error, EINVAL, "Invalid dir '%s': the name '%s' is not UTF-8",
                         QUOTE(walk->rom->dir), QUOTE(entry->path));
        return report(walk, ROMSIM_CLOUD_INVALID, &error);
    }
    walk->file_count++;
    if (!checked_add(walk->bytes, (uint64_t)entry->st->st_size, &walk->bytes))
        walk->bytes = UINT64_MAX;
    if (walk->file_count > walk->limits->files || walk->bytes > walk->limits->rom_bytes)
        return 0; /* counted for the message, not loaded */
    return load_file(walk, entry, err);
}

static int visit(void *context, const struct romsim_hostdir_entry *entry, void **ret_directory,
                 struct romsim_error *err)
{
    struct walk *walk = context;
    struct romsim_error error;

    (void)ret_directory;
    if (++walk->entries > romsim_bound(ROMSIM_BOUND_DIR_ENTRIES)) {
        romsim_bound_refuse(&error, ROMSIM_BOUND_DIR_ENTRIES,
                            "Too many files in dir '%s': more than %llu", QUOTE(walk->rom->dir),
                            (unsigned long long)romsim_bound(ROMSIM_BOUND_DIR_ENTRIES));
        error.rule = ROMSIM_RULE_BOUND;
        return report(walk, ROMSIM_CLOUD_TOO_MANY, &error);
    }
    if (S_ISDIR(entry->st->st_mode))
        return 0;
    if (!S_ISREG(entry->st->st_mode))
        return refuse_type(walk, entry->path, entry->st->st_mode);
    return visit_file(walk, entry, err);
}

/* The order of a walk that enters a directory where its name stands: '/' is less than any other
 * byte of a name. */
static int path_byte(char byte)
{
    return byte == '/' ? 1 : byte ? (unsigned char)byte + 1 : 0;
}

static int compare_paths(const void *left, const void *right)
{
    const char *a = ((const struct romsim_file *)left)->path;
    const char *b = ((const struct romsim_file *)right)->path;

    while (*a && *a == *b) {
        a++;
        b++;
    }
    return path_byte(*a) - path_byte(*b);
}

static int walk_tree(struct walk *walk)
{
    struct romsim_error cause, error;

    walk->directory = romsim_hostdir_open(walk->root, &cause);
    if (!walk->directory || romsim_hostdir_walk(walk->directory, visit, walk, &cause) < 0) {
        if (walk->reported)
            return -1;
        romsim_error_set(&error, cause.errnum, "Invalid dir '%s': %s", QUOTE(walk->rom->dir),
                         cause.message);
        romsim_error_hint(&error, "%s", cause.hint);
        return report(walk, ROMSIM_CLOUD_INVALID, &error);
    }
    if (walk->files.count > 0)
        qsort(walk->files.items, walk->files.count, sizeof(*walk->files.items), compare_paths);
    return 0;
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
        error.rule = ROMSIM_RULE_TOO_MANY_FILES;
        romsim_error_hint(&error, "an image ROM may have any number: image instead of dir");
        report(walk, ROMSIM_CLOUD_TOO_MANY, &error);
    }
    if (walk->bytes > walk->limits->rom_bytes) {
        romsim_error_set(&error, EINVAL, "%s is too large: %llu bytes, at most %llu", label,
                         (unsigned long long)walk->bytes,
                         (unsigned long long)walk->limits->rom_bytes);
        error.rule = ROMSIM_RULE_ROM_BYTES;
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
        return refuse_system(walk, "", errno);
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
    int status;

    if (!root)
        return refuse_system(&walk, "", ENOMEM);
    for (size_t size = strlen(root); size > 1 && root[size - 1] == '/'; size--)
        root[size - 1] = '\0';
    status = load_dir(&walk);
    romsim_hostdir_unref(walk.directory);
    if (status < 0) {
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

        if (rom->dir && !rom->image && rom->file_count == 0 &&
            !romsim_instance_is_foreign(instance, rom->origin))
            status |= load_rom(instance, rom, limits, diagnostics);
    }
    return status;
}
