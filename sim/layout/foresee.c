/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * foresee.c: what will surely fail when the instance starts, found without starting it.
 *
 * The command is looked for as the guest's execvp(3) does it, on the view of the root and all ROMs:
 * is it there, may it be executed, is its interpreter there?  An answer is given only where it is
 * certain: what leads into /dev, /proc or /sys, into a ROM that is not to be had here, or through
 * something damaged, is passed over.
 */
#include "overlay.h"
#include "targets.h"

#include <romsim/text.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

enum {
    HEAD_SIZE = 256,  /* as much of a script's first line as the kernel reads */
    SCRIPTS_MAX = 5,  /* interpreters that are scripts themselves, as in the kernel */
    HEADERS_MAX = 64, /* of an ELF file's program headers */
    NAMED_MAX = 100   /* paths that are looked for in the arguments */
};

struct foresight {
    const struct romsim_layout *layout;
    const struct romsim_instance *instance;
    struct romsim_view *view;
    bool are_warnings;
    struct romsim_diagnostics *diagnostics;
};

enum answer { MISSING, FOUND, UNKNOWN };

static void tell(struct foresight *self, struct romsim_error *error, bool is_warning)
{
    bool has_args = self->instance->has_args && self->instance->args_place.line > 0;

    if (error->place.line == 0)
        error->place = has_args ? self->instance->args_place : self->instance->image_place;
    romsim_diagnostics_add(self->diagnostics, error, is_warning || self->are_warnings);
}

/* ---- looking for files ------------------------------------------------------------------ */

static bool is_within(const char *path, const char *parent)
{
    size_t size = strlen(parent);

    return strncmp(path, parent, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* Is the path in a ROM that is not to be had here? */
static bool is_elsewhere(const struct foresight *self, const char *path)
{
    for (size_t i = 0; i < self->layout->mount_count; i++)
        if (!self->layout->devices[self->layout->mounts[i].device].blob &&
            is_within(path, self->layout->mounts[i].path))
            return true;
    return false;
}

/* Looks for an absolute path, links followed. */
static enum answer find(const struct foresight *self, const char *path, uint64_t *ret_node,
                        struct stat *ret_stat)
{
    CLEANUP_STEPS struct steps steps = {0};
    struct romsim_error error = {0};

    if (is_elsewhere(self, path))
        return UNKNOWN;
    if (walk(self->view, path, WALK_FIND, &steps, &error) == 0) {
        *ret_node = steps.count > 0 ? steps.items[steps.count - 1].node : ROMSIM_VIEW_ROOT;
        if (romsim_view_stat(self->view, *ret_node, ret_stat, NULL) == 0)
            return FOUND;
        return UNKNOWN;
    }
    return error.errnum == ENOENT || error.errnum == ENOTDIR || error.errnum == ELOOP ? MISSING
                                                                                      : UNKNOWN;
}

/* The path as seen from the working directory; malloc'ed. */
static char *absolute(const struct foresight *self, const char *path)
{
    char *full = NULL;

    if (path[0] == '/')
        return strdup(path);
    return asprintf(&full, "%s/%s", self->layout->working_dir[1] ? self->layout->working_dir : "",
                    path) < 0
               ? NULL
               : full;
}

static const char *search_path(const struct foresight *self)
{
    const struct romsim_strings *env = &self->layout->env;

    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->items[i], "PATH=", 5) == 0)
            return env->items[i] + 5;
    return ROMSIM_DEFAULT_PATH;
}

static bool may_execute(const struct stat *stat)
{
    return S_ISREG(stat->st_mode) && (stat->st_mode & 0111);
}

/* Searches PATH, as execvp() does: what may not be executed is passed over, and remembered. */
static enum answer search(const struct foresight *self, const char *name, char **ret_path,
                          uint64_t *ret_node, struct stat *ret_stat)
{
    CLEANUP_FREE char *folders = strdup(search_path(self));
    char *rest = folders, *folder;

    while (rest && (folder = strsep(&rest, ":"))) {
        CLEANUP_FREE char *relative = NULL, *path = NULL;
        enum answer answer;
        struct stat stat;
        uint64_t node;

        if (asprintf(&relative, "%s%s%s", folder, folder[0] ? "/" : "", name) < 0 ||
            !(path = absolute(self, relative)))
            return UNKNOWN;
        answer = find(self, path, &node, &stat);
        if (answer == UNKNOWN)
            return UNKNOWN;
        if (answer == MISSING || (*ret_path && !may_execute(&stat)))
            continue;
        free(*ret_path);
        *ret_path = STEAL_POINTER(&path);
        *ret_node = node;
        *ret_stat = stat;
        if (may_execute(&stat))
            return FOUND;
    }
    return *ret_path ? FOUND : MISSING;
}

/* The only entry of a directory that is `name` but for the case; malloc'ed, or NULL. */
static char *other_case(struct romsim_view *view, uint64_t directory, const char *name)
{
    CLEANUP_FREE char *scratch = malloc(ROMSIM_EROFS_BLOCK_MAX);
    CLEANUP_FREE char *found = NULL;
    struct romsim_view_entry entry;
    uint64_t cursor = 0;
    size_t size = strlen(name);

    while (scratch &&
           romsim_view_readdir(view, directory, cursor, &cursor, &entry, scratch, NULL) == 1) {
        if (entry.name_size != size || strncasecmp(entry.name, name, size) != 0 ||
            memcmp(entry.name, name, size) == 0)
            continue;
        if (found)
            return NULL;
        found = strndup(entry.name, size);
    }
    return STEAL_POINTER(&found);
}

/* The path with the case that its names really have; NULL if there is none. */
static char *right_case(const struct foresight *self, const char *path)
{
    CLEANUP_FREE char *copy = strdup(path), *found = strdup("");
    char *rest = copy, *name;

    while (found && rest && (name = strsep(&rest, "/"))) {
        CLEANUP_FREE char *next = NULL, *other = NULL;
        struct stat stat;
        uint64_t node;

        if (name[0] == '\0')
            continue;
        if (asprintf(&next, "%s/%s", found, name) < 0)
            return NULL;
        if (find(self, next, &node, &stat) != FOUND) {
            if (find(self, found[0] ? found : "/", &node, &stat) != FOUND ||
                !(other = other_case(self->view, node, name)))
                return NULL;
            memcpy(next + strlen(found) + 1, other, strlen(other));
        }
        free(found);
        found = STEAL_POINTER(&next);
    }
    return STEAL_POINTER(&found);
}

/* ---- a ROM that is not mounted ----------------------------------------------------------- */

/* If the ROM of the device has what the path names below some directory, that directory; malloc'ed,
 * or NULL. */
static char *place_for(const struct romsim_device *device, const char *path)
{
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(device->blob, NULL);
    struct romsim_erofs_inode inode;

    for (const char *rest = strchr(path + 1, '/'); erofs && rest; rest = strchr(rest + 1, '/'))
        if (romsim_erofs_lookup_path(erofs, rest, &inode, NULL) == 1)
            return strndup(path, (size_t)(rest - path));
    return NULL;
}

/* Does the command mount the device by itself? */
static bool names_device(const struct romsim_layout *layout, const struct romsim_device *device)
{
    for (size_t i = 0; i < layout->argv.count; i++)
        if (strstr(layout->argv.items[i], device->indexed_name) ||
            (device->named_name[0] && strstr(layout->argv.items[i], device->named_name)))
            return true;
    return false;
}

/* A ROM without `at` that would have the path at *ret_at (malloc'ed), or NULL. */
static const struct romsim_device *unmounted_rom(const struct foresight *self, const char *path,
                                                 char **ret_at)
{
    const struct romsim_layout *layout = self->layout;

    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];

        if (device->blob && device->kind == ROMSIM_IMAGE_EROFS &&
            !romsim_layout_at(layout, device) && !names_device(layout, device) &&
            (*ret_at = place_for(device, path)))
            return device;
    }
    return NULL;
}

static const char *name_of(const struct romsim_device *device)
{
    return device->named_name[0] ? device->named_name : device->indexed_name;
}

/* ---- a program --------------------------------------------------------------------------- */

static size_t read_at(const struct foresight *self, uint64_t node, uint64_t offset, void *bytes,
                      size_t size)
{
    struct romsim_view_data data;
    uint8_t *at = bytes;
    size_t done;

    if (romsim_view_read(self->view, node, offset, size, &data, NULL) < 0)
        return 0;
    done = data.size;
    for (int i = 0; i < data.count; i++)
        at = mempcpy(at, data.pieces[i].iov_base, data.pieces[i].iov_len);
    romsim_view_data_release(&data);
    return done;
}

/* The interpreter of a script and its one argument; both malloc'ed, the argument may be NULL. */
struct shebang {
    char *interpreter, *argument;
};

static void shebang_clear(struct shebang *shebang)
{
    free(shebang->interpreter);
    free(shebang->argument);
}

/* Reads "#! INTERPRETER [ARGUMENT]".  False if the file does not begin so. */
static bool read_shebang(const struct foresight *self, uint64_t node, struct shebang *ret)
{
    static const char blanks[] = " \t";
    char head[HEAD_SIZE + 1] = {0};
    char *at, *end;

    if (read_at(self, node, 0, head, HEAD_SIZE) < 3 || head[0] != '#' || head[1] != '!')
        return false;
    head[strcspn(head, "\n")] = '\0';
    at = head + 2 + strspn(head + 2, blanks);
    end = at + strcspn(at, blanks);
    ret->interpreter = strndup(at, (size_t)(end - at));
    at = end + strspn(end, blanks);
    for (end = at + strlen(at); end > at && strchr(blanks, end[-1]);)
        end--;
    ret->argument = end > at ? strndup(at, (size_t)(end - at)) : NULL;
    return ret->interpreter && ret->interpreter[0];
}

/* The program that `#!/usr/bin/env NAME` starts, or NULL. */
static const char *name_for_env(const struct shebang *shebang)
{
    const char *slash = strrchr(shebang->interpreter, '/');

    if (!shebang->argument || strcmp(slash ? slash + 1 : shebang->interpreter, "env") != 0 ||
        shebang->argument[strcspn(shebang->argument, " \t-=/")])
        return NULL;
    return shebang->argument;
}

/* What a file that says nothing of its interpreter is most likely for. */
static const char *likely_interpreter(const char *path)
{
    static const char *const endings[][2] = {
        {".py", "python3"}, {".js", "node"}, {".mjs", "node"}, {".pl", "perl"}, {".rb", "ruby"}};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcmp(dot, endings[i][0]) == 0)
            return endings[i][1];
    return "/bin/sh";
}

static bool is_elf(const struct foresight *self, uint64_t node)
{
    char magic[SELFMAG];

    return read_at(self, node, 0, magic, sizeof(magic)) == sizeof(magic) &&
           memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* A file that may not be executed: most often one of an inline ROM, which has no modes. */
static void tell_mode(struct foresight *self, const char *path, uint64_t node,
                      const struct stat *stat)
{
    size_t place = romsim_view_device(self->view, node);
    bool is_inline = place != ROMSIM_VIEW_NO_DEVICE && self->layout->devices[place].is_inline;
    CLEANUP(shebang_clear) struct shebang shebang = {0};
    struct romsim_error error;

    if (!S_ISREG(stat->st_mode)) {
        romsim_error_set(&error, EACCES, "the command '%s' is %s", QUOTE(path),
                         S_ISDIR(stat->st_mode) ? "a directory" : "no regular file");
        tell(self, &error, false);
        return;
    }
    romsim_error_set(&error, EACCES, "the command '%s' is not executable: %s 0%o", QUOTE(path),
                     is_inline ? "all files of an inline ROM have the mode" : "its mode is",
                     (unsigned)stat->st_mode & 07777);
    if (is_elf(self, node))
        romsim_error_hint(&error, is_inline ? "an image ROM keeps modes: 'image: ./DIR' in "
                                              "place of 'files' or 'dir'"
                                            : "chmod +x it where the image is made");
    else
        romsim_error_hint(&error, "run it through its interpreter: args: [\"%s\", \"%s\"]",
                          !read_shebang(self, node, &shebang) ? likely_interpreter(path)
                          : name_for_env(&shebang)            ? name_for_env(&shebang)
                                                              : QUOTE(shebang.interpreter),
                          QUOTE(path));
    tell(self, &error, false);
}

/* "args: ['python x.py']", "Python", "/app" of a ROM without `at`: says the right one. */
static void hint_missing(const struct foresight *self, const char *name, const char *path,
                         struct romsim_error *error)
{
    CLEANUP_FREE char *at = NULL, *other = NULL, *first = strndup(name, strcspn(name, " ")),
                      *found = NULL;
    const struct romsim_device *rom = path ? unmounted_rom(self, path, &at) : NULL;
    struct stat stat;
    uint64_t node;

    if (rom)
        romsim_error_hint(error, "the ROM %s has it, but no 'at': mount it at %s", name_of(rom),
                          QUOTE(at));
    else if (path && (other = right_case(self, path)))
        romsim_error_hint(error, "there is '%s'", QUOTE(other));
    else if (first && strchr(name, ' ') && first[0] &&
             (strchr(first, '/') ? find(self, first, &node, &stat)
                                 : search(self, first, &found, &node, &stat)) == FOUND)
        romsim_error_hint(error, "each argument is an entry of its own: args: [\"%s\", ...]",
                          QUOTE(first));
}

static void tell_missing(struct foresight *self, const char *name)
{
    CLEANUP_FREE char *path = NULL, *local = NULL, *other = NULL;
    struct romsim_error error;
    struct stat stat;
    uint64_t node;

    if (strchr(name, '/')) {
        path = absolute(self, name);
        romsim_error_set(&error, ENOENT, "the command '%s' is neither in the root nor in a ROM",
                         QUOTE(name));
        hint_missing(self, name, path, &error);
        tell(self, &error, false);
        return;
    }
    romsim_error_set(&error, ENOENT, "the command '%s' is in no directory of PATH (%s)",
                     QUOTE(name), QUOTE(search_path(self)));
    hint_missing(self, name, NULL, &error);
    local = absolute(self, name);
    if (!error.hint[0] && local && name[0] && find(self, local, &node, &stat) == FOUND)
        romsim_error_hint(&error, "what is in the working directory is './%s'", QUOTE(name));
    for (const char *rest = search_path(self); !error.hint[0] && rest; rest = strchr(rest, ':')) {
        CLEANUP_FREE char *candidate = NULL;
        size_t size;

        rest += *rest == ':';
        size = strcspn(rest, ":");
        if (rest[0] == '/' && asprintf(&candidate, "%.*s/%s", (int)size, rest, name) >= 0 &&
            (other = right_case(self, candidate)))
            romsim_error_hint(&error, "there is '%s'", QUOTE(other));
    }
    tell(self, &error, false);
}

static void tell_interpreter(struct foresight *self, const char *program, const char *kind,
                             const char *interpreter)
{
    CLEANUP_FREE char *other = NULL;
    struct romsim_error error;
    size_t size = strlen(interpreter);

    romsim_error_set(&error, ENOENT,
                     "'%s' cannot be run: its %s '%s' is neither in the root nor "
                     "in a ROM",
                     QUOTE(program), kind, QUOTE(interpreter));
    if (size > 0 && interpreter[size - 1] == '\r')
        romsim_error_hint(&error, "the file's lines end in CR LF: the name ends in a carriage "
                                  "return");
    else if (interpreter[0] == '/' && (other = right_case(self, interpreter)))
        romsim_error_hint(&error, "there is '%s'", QUOTE(other));
    tell(self, &error, false);
}

/* Finds the interpreter that an ELF program names (PT_INTERP); malloc'ed, NULL if none. */
static char *elf_interpreter(const struct foresight *self, uint64_t node, const Elf64_Ehdr *header)
{
    Elf64_Phdr segments[HEADERS_MAX];
    size_t count = header->e_phnum < HEADERS_MAX ? header->e_phnum : HEADERS_MAX;
    char name[HEAD_SIZE] = {0};

    if (header->e_phentsize != sizeof(segments[0]) ||
        read_at(self, node, header->e_phoff, segments, count * sizeof(segments[0])) !=
            count * sizeof(segments[0]))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (segments[i].p_type == PT_INTERP && segments[i].p_filesz < sizeof(name) &&
            read_at(self, node, segments[i].p_offset, name, segments[i].p_filesz) > 0)
            return strdup(name);
    return NULL;
}

static void look_at_elf(struct foresight *self, const char *path, uint64_t node)
{
    CLEANUP_FREE char *interpreter = NULL;
    struct romsim_error error;
    Elf64_Ehdr header;
    struct stat stat;

    if (read_at(self, node, 0, &header, sizeof(header)) != sizeof(header) ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
        return;
    if (header.e_machine != EM_X86_64 && header.e_machine != EM_386) {
        romsim_error_set(&error, ENOEXEC,
                         "'%s' cannot be run: it is a program for %s, and the "
                         "guest's processor is an x86-64",
                         QUOTE(path),
                         header.e_machine == EM_AARCH64 ? "arm64" : "another processor");
        tell(self, &error, false);
        return;
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
        !(interpreter = elf_interpreter(self, node, &header)))
        return;
    if (interpreter[0] == '/' && find(self, interpreter, &node, &stat) == MISSING)
        tell_interpreter(self, path, "dynamic linker", interpreter);
}

/* A program that is there and may be executed: will the kernel be able to?  One that is neither a
 * script nor an ELF file is given to /bin/sh, as execvp() does. */
static void look_at_program(struct foresight *self, const char *path, uint64_t node)
{
    CLEANUP_FREE char *current = strdup(path);

    for (int i = 0; current && i < SCRIPTS_MAX && !is_elf(self, node); i++) {
        CLEANUP(shebang_clear) struct shebang shebang = {0};
        bool is_script = read_shebang(self, node, &shebang);
        const char *interpreter = is_script ? shebang.interpreter : "/bin/sh";
        const char *name = is_script ? name_for_env(&shebang) : NULL;
        CLEANUP_FREE char *full = absolute(self, interpreter), *found = NULL;
        enum answer answer;
        struct stat stat;

        answer = full ? find(self, full, &node, &stat) : UNKNOWN;
        if (answer == MISSING)
            tell_interpreter(self, current, is_script ? "interpreter" : "shell", interpreter);
        else if (answer == FOUND && name && search(self, name, &found, &node, &stat) == MISSING)
            tell_interpreter(self, current, "interpreter", name);
        else if (answer == FOUND && !may_execute(&stat))
            tell_mode(self, found ? found : interpreter, node, &stat);
        if (answer != FOUND || !is_script || (name && !found) || !may_execute(&stat))
            return;
        free(current);
        current = strdup(found ? found : interpreter);
    }
    if (current && is_elf(self, node))
        look_at_elf(self, current, node);
}

static void look_at_command(struct foresight *self)
{
    const char *name = self->layout->argv.items[0];
    CLEANUP_FREE char *path = NULL;
    enum answer answer;
    struct stat stat;
    uint64_t node;

    if (strchr(name, '/')) {
        path = absolute(self, name);
        answer = path ? find(self, path, &node, &stat) : UNKNOWN;
    } else {
        answer = name[0] ? search(self, name, &path, &node, &stat) : MISSING;
    }
    if (answer == MISSING)
        tell_missing(self, name);
    else if (answer == FOUND && !may_execute(&stat))
        tell_mode(self, path, node, &stat);
    else if (answer == FOUND)
        look_at_program(self, path, node);
}

/* ---- what the arguments name -------------------------------------------------------------- */

/* A path that is not there may be one that the app makes; it is worth a warning only if something
 * says that it was meant to be there. */
static void look_at_named(struct foresight *self, const char *path)
{
    CLEANUP_FREE char *at = NULL, *other = NULL;
    const struct romsim_device *rom;
    struct romsim_error warning;
    struct stat stat;
    uint64_t node;

    if (find(self, path, &node, &stat) != MISSING)
        return;
    if ((rom = unmounted_rom(self, path, &at))) {
        romsim_error_set(&warning, ENOENT,
                         "the command names '%s', and the ROM that has it, %s, "
                         "has no 'at'",
                         QUOTE(path), name_of(rom));
        romsim_error_hint(&warning, "mount it at %s", QUOTE(at));
    } else if ((other = right_case(self, path))) {
        romsim_error_set(&warning, ENOENT, "the command names '%s', which is not there",
                         QUOTE(path));
        romsim_error_hint(&warning, "there is '%s'", QUOTE(other));
    } else {
        return;
    }
    tell(self, &warning, true);
}

static bool is_of_path(char c)
{
    static const char others[] = "._-+@/~%";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(others, c)) || (c & 0x80);
}

/* Each absolute path in the arguments: as one of its own, behind a '=', in a script. */
static void look_at_arguments(struct foresight *self)
{
    const struct romsim_strings *argv = &self->layout->argv;
    unsigned named = 0;

    for (size_t i = 1; i < argv->count; i++)
        for (const char *at = argv->items[i]; *at && named < NAMED_MAX;) {
            CLEANUP_FREE char *path = NULL;
            size_t size = 0;

            while (is_of_path(at[size]))
                size++;
            if (at[0] == '/' && at[1] != '/' && size > 1 && (path = strndup(at, size))) {
                look_at_named(self, path);
                named++;
            }
            at += size ? size : 1;
        }
}

/* ---- mount points ------------------------------------------------------------------------- */

/* An `at` that makes a new directory beside one that differs in its case is most likely a slip. */
static void look_at_mount(struct foresight *self, const struct romsim_mount *mount)
{
    CLEANUP_FREE char *copy = strdup(mount->target);
    const struct overlay *directory = self->view->overlays.items[ROMSIM_VIEW_ROOT];
    char *rest = copy ? copy + 1 : NULL, *name;

    while (rest && (name = strsep(&rest, "/"))) {
        const struct overlay_child *child = overlay_find(directory, name, strlen(name));
        CLEANUP_FREE char *other = NULL;
        struct romsim_error warning;

        if (child && !child->hides && (other = other_case(self->view, directory->node, name))) {
            romsim_error_set(&warning, EINVAL, "'%.*s' is made for the %s at '%s'",
                             (int)(name - copy) + (int)strlen(name), mount->target,
                             romsim_device_noun(&self->layout->devices[mount->device]),
                             QUOTE(mount->path));
            /* strsep() ended the name in the copy, not in the target. */
            romsim_error_hint(&warning, "there is '%.*s%s'", (int)(name - copy), mount->target,
                              QUOTE(other));
            warning.place = *at_place(self->instance, &self->layout->devices[mount->device]);
            tell(self, &warning, true);
        }
        if (!child || child->node >= self->view->overlays.count)
            return;
        directory = self->view->overlays.items[child->node];
    }
}

void romsim_layout_foresee(const struct romsim_layout *layout,
                           const struct romsim_instance *instance, bool as_warnings,
                           struct romsim_diagnostics *diagnostics)
{
    CLEANUP(cleanup_romsim_view_free) struct romsim_view *view = NULL;
    struct foresight self = {.layout = layout,
                             .instance = instance,
                             .are_warnings = as_warnings,
                             .diagnostics = diagnostics};

    if (!romsim_layout_root(layout) || layout->argv.count == 0)
        return;
    self.view = view = romsim_view_new(layout, false, NULL);
    if (!view) /* a mount that cannot be: that has been said */
        return;
    look_at_command(&self);
    look_at_arguments(&self);
    for (size_t i = 0; i < layout->mount_count; i++)
        if (layout->mounts[i].target)
            look_at_mount(&self, &layout->mounts[i]);
}
