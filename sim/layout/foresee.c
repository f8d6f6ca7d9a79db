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
#include "seek.h"
#include "targets.h"

#include <romsim/arch.h>
#include <romsim/erofs.h>
#include <romsim/paths.h>
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
    struct seeker in;
    const struct romsim_instance *instance;
    bool are_warnings;
    struct romsim_diagnostics *diagnostics;
};

static void tell(struct foresight *self, struct romsim_error *error, bool is_warning)
{
    bool has_args = self->instance->has_args && self->instance->args_place.line > 0;

    if (error->place.line == 0)
        error->place = has_args ? self->instance->args_place : self->instance->image_place;
    romsim_diagnostics_add(self->diagnostics, error, is_warning || self->are_warnings);
}

static const char *search_path(const struct foresight *self)
{
    const struct romsim_strings *env = &self->in.layout->env;

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
static enum seek_answer search(const struct foresight *self, const char *name, char **ret_path,
                               uint64_t *ret_node, struct stat *ret_stat)
{
    CLEANUP_FREE char *folders = strdup(search_path(self));
    char *rest = folders, *folder;

    while (rest && (folder = strsep(&rest, ":"))) {
        CLEANUP_FREE char *relative = NULL, *path = NULL;
        enum seek_answer answer;
        struct stat stat;
        uint64_t node;

        if (asprintf(&relative, "%s%s%s", folder, folder[0] ? "/" : "", name) < 0 ||
            !(path = seek_absolute(&self->in, relative)))
            return SEEK_UNKNOWN;
        answer = seek(&self->in, path, &node, &stat);
        if (answer == SEEK_UNKNOWN)
            return SEEK_UNKNOWN;
        if (answer == SEEK_MISSING || (*ret_path && !may_execute(&stat)))
            continue;
        free(*ret_path);
        *ret_path = STEAL_POINTER(&path);
        *ret_node = node;
        *ret_stat = stat;
        if (may_execute(&stat))
            return SEEK_FOUND;
    }
    return *ret_path ? SEEK_FOUND : SEEK_MISSING;
}

/* ---- a program --------------------------------------------------------------------------- */

static size_t read_at(const struct foresight *self, uint64_t node, uint64_t offset, void *bytes,
                      size_t size)
{
    struct romsim_view_data data;
    uint8_t *at = bytes;
    size_t done;

    if (romsim_view_read(self->in.view, node, offset, size, &data, NULL) < 0)
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
    size_t place = romsim_view_device(self->in.view, node);
    bool is_inline = place != ROMSIM_VIEW_NO_DEVICE && self->in.layout->devices[place].is_inline;
    CLEANUP(shebang_clear) struct shebang shebang = {0};
    struct romsim_error error;

    if (!S_ISREG(stat->st_mode)) {
        romsim_error_set(&error, EACCES, "the command '%s' is %s", QUOTE(path),
                         S_ISDIR(stat->st_mode) ? "a directory" : "no regular file");
        error.rule = ROMSIM_RULE_NOT_EXECUTABLE;
        tell(self, &error, false);
        return;
    }
    romsim_error_set(&error, EACCES, "the command '%s' is not executable: %s 0%o", QUOTE(path),
                     is_inline ? "all files of an inline ROM have the mode" : "its mode is",
                     (unsigned)stat->st_mode & 07777);
    error.rule = ROMSIM_RULE_NOT_EXECUTABLE;
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
    const struct romsim_device *rom = path ? seek_unmounted(&self->in, path, &at) : NULL;
    struct stat stat;
    uint64_t node;

    if (rom)
        romsim_error_hint(error, "the ROM %s has it, but no 'at': mount it at %s", seek_name(rom),
                          QUOTE(at));
    else if (path && (other = seek_right_case(&self->in, path)))
        romsim_error_hint(error, "there is '%s'", QUOTE(other));
    else if (first && strchr(name, ' ') && first[0] &&
             (strchr(first, '/') ? seek(&self->in, first, &node, &stat)
                                 : search(self, first, &found, &node, &stat)) == SEEK_FOUND)
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
        path = seek_absolute(&self->in, name);
        romsim_error_set(&error, ENOENT, "the command '%s' is neither in the root nor in a ROM",
                         QUOTE(name));
        error.rule = ROMSIM_RULE_COMMAND;
        hint_missing(self, name, path, &error);
        tell(self, &error, false);
        return;
    }
    romsim_error_set(&error, ENOENT, "the command '%s' is in no directory of PATH (%s)",
                     QUOTE(name), QUOTE(search_path(self)));
    error.rule = ROMSIM_RULE_COMMAND;
    hint_missing(self, name, NULL, &error);
    local = seek_absolute(&self->in, name);
    if (!error.hint[0] && local && name[0] && seek(&self->in, local, &node, &stat) == SEEK_FOUND)
        romsim_error_hint(&error, "what is in the working directory is './%s'", QUOTE(name));
    for (const char *rest = search_path(self); !error.hint[0] && rest; rest = strchr(rest, ':')) {
        CLEANUP_FREE char *candidate = NULL;
        size_t size;

        rest += *rest == ':';
        size = strcspn(rest, ":");
        if (rest[0] == '/' && asprintf(&candidate, "%.*s/%s", (int)size, rest, name) >= 0 &&
            (other = seek_right_case(&self->in, candidate)))
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
    error.rule = ROMSIM_RULE_INTERPRETER;
    if (size > 0 && interpreter[size - 1] == '\r')
        romsim_error_hint(&error, "the file's lines end in CR LF: the name ends in a carriage "
                                  "return");
    else if (interpreter[0] == '/' && (other = seek_right_case(&self->in, interpreter)))
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

/* Whose own programs are of that kind? */
static enum romsim_arch arch_of(uint16_t machine)
{
    enum romsim_arch arch = ROMSIM_ARCH_AMD64;

    while (arch < ROMSIM_ARCH_COUNT && romsim_arch_facts_of(arch)->machines[0] != machine)
        arch++;
    return arch;
}

static void look_at_elf(struct foresight *self, const char *path, uint64_t node)
{
    CLEANUP_FREE char *interpreter = NULL;
    enum romsim_arch other;
    struct romsim_error error;
    Elf64_Ehdr header;
    struct stat stat;

    if (read_at(self, node, 0, &header, sizeof(header)) != sizeof(header) ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
        return;
    other = arch_of(header.e_machine);
    if (header.e_machine != romsim_arch_facts()->machines[0] &&
        header.e_machine != romsim_arch_facts()->machines[1]) {
        romsim_error_set(&error, ENOEXEC,
                         "'%s' cannot be run: it is a program for %s, and the "
                         "guest's processor is an %s",
                         QUOTE(path),
                         other < ROMSIM_ARCH_COUNT ? romsim_arch_facts_of(other)->spoken
                                                   : "another processor",
                         romsim_arch_facts()->spoken);
        if (other < ROMSIM_ARCH_COUNT)
            romsim_error_hint(&error,
                              "--arch %s gives it one, emulated where this machine is another",
                              romsim_arch_facts_of(other)->name);
        error.rule = ROMSIM_RULE_PROCESSOR;
        tell(self, &error, false);
        return;
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
        !(interpreter = elf_interpreter(self, node, &header)))
        return;
    if (interpreter[0] == '/' && seek(&self->in, interpreter, &node, &stat) == SEEK_MISSING)
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
        CLEANUP_FREE char *full = seek_absolute(&self->in, interpreter), *found = NULL;
        enum seek_answer answer;
        struct stat stat;

        answer = full ? seek(&self->in, full, &node, &stat) : SEEK_UNKNOWN;
        if (answer == SEEK_MISSING)
            tell_interpreter(self, current, is_script ? "interpreter" : "shell", interpreter);
        else if (answer == SEEK_FOUND && name &&
                 search(self, name, &found, &node, &stat) == SEEK_MISSING)
            tell_interpreter(self, current, "interpreter", name);
        else if (answer == SEEK_FOUND && !may_execute(&stat))
            tell_mode(self, found ? found : interpreter, node, &stat);
        if (answer != SEEK_FOUND || !is_script || (name && !found) || !may_execute(&stat))
            return;
        free(current);
        current = strdup(found ? found : interpreter);
    }
    if (current && is_elf(self, node))
        look_at_elf(self, current, node);
}

static void look_at_command(struct foresight *self)
{
    const char *name = self->in.layout->argv.items[0];
    CLEANUP_FREE char *path = NULL;
    enum seek_answer answer;
    struct stat stat;
    uint64_t node;

    if (strchr(name, '/')) {
        path = seek_absolute(&self->in, name);
        answer = path ? seek(&self->in, path, &node, &stat) : SEEK_UNKNOWN;
    } else {
        answer = name[0] ? search(self, name, &path, &node, &stat) : SEEK_MISSING;
    }
    if (answer == SEEK_MISSING)
        tell_missing(self, name);
    else if (answer == SEEK_FOUND && !may_execute(&stat))
        tell_mode(self, path, node, &stat);
    else if (answer == SEEK_FOUND)
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

    if (seek(&self->in, path, &node, &stat) != SEEK_MISSING)
        return;
    if ((rom = seek_unmounted(&self->in, path, &at))) {
        romsim_error_set(&warning, ENOENT,
                         "the command names '%s', and the ROM that has it, %s, "
                         "has no 'at'",
                         QUOTE(path), seek_name(rom));
        warning.rule = ROMSIM_RULE_ARGUMENT_PATH;
        romsim_error_hint(&warning, "mount it at %s", QUOTE(at));
    } else if ((other = seek_right_case(&self->in, path))) {
        romsim_error_set(&warning, ENOENT, "the command names '%s', which is not there",
                         QUOTE(path));
        warning.rule = ROMSIM_RULE_ARGUMENT_PATH;
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
    const struct romsim_strings *argv = &self->in.layout->argv;
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
    const struct overlay *directory = self->in.view->overlays.items[ROMSIM_VIEW_ROOT];
    char *rest = copy ? copy + 1 : NULL, *name;

    while (rest && (name = strsep(&rest, "/"))) {
        const struct overlay_child *child = overlay_find(directory, name, strlen(name));
        CLEANUP_FREE char *other = NULL;
        struct romsim_error warning;

        if (child && !child->hides &&
            (other = seek_other_case(self->in.view, directory->node, name))) {
            romsim_error_set(&warning, EINVAL, "'%.*s' is made for the %s at '%s'",
                             (int)(name - copy) + (int)strlen(name), mount->target,
                             romsim_device_noun(&self->in.layout->devices[mount->device]),
                             QUOTE(mount->path));
            warning.rule = ROMSIM_RULE_OTHER_CASE;
            /* strsep() ended the name in the copy, not in the target. */
            romsim_error_hint(&warning, "there is '%.*s%s'", (int)(name - copy), mount->target,
                              QUOTE(other));
            warning.place = *at_place(self->instance, &self->in.layout->devices[mount->device]);
            tell(self, &warning, true);
        }
        if (!child || child->node >= self->in.view->overlays.count)
            return;
        directory = self->in.view->overlays.items[child->node];
    }
}

/* A name that a directory of one image has, and that of another does not; malloc'ed, or NULL. */
static char *find_hidden(const struct romsim_device *below, const char *path,
                         const struct romsim_device *above)
{
    CLEANUP_EROFS struct romsim_erofs *lower = romsim_erofs_open(below->blob, NULL);
    CLEANUP_EROFS struct romsim_erofs *upper = romsim_erofs_open(above->blob, NULL);
    struct romsim_erofs_inode directory, root;
    CLEANUP_FREE char *scratch = malloc(ROMSIM_EROFS_BLOCK_MAX);
    struct romsim_erofs_dirent entry;
    uint64_t cursor = 0, nid;

    if (!lower || !upper || !scratch ||
        romsim_erofs_lookup_path(lower, path, &directory, NULL) != 1 || !S_ISDIR(directory.mode) ||
        romsim_erofs_inode(upper, romsim_erofs_root(upper), &root, NULL) < 0)
        return NULL;
    while (romsim_erofs_readdir(lower, &directory, cursor, &cursor, &entry, scratch, NULL) == 1)
        if (romsim_erofs_lookup(upper, &root, entry.name, entry.name_size, &nid, NULL) == 0)
            return strndup(entry.name, entry.name_size);
    return NULL;
}

static bool is_erofs_rom(const struct romsim_device *device)
{
    return device->role == ROMSIM_DEVICE_ROM && device->blob && device->kind == ROMSIM_IMAGE_EROFS;
}

/* A ROM within another one that stands behind it in the request: who wrote them in that order may
 * expect the outer one to lie over the inner one.  So what is hidden there is worth a warning. */
static void look_at_order(struct foresight *self, const struct romsim_mount *inner)
{
    const struct romsim_layout *layout = self->in.layout;
    const struct romsim_device *device = &layout->devices[inner->device];

    for (size_t i = 0; i < layout->mount_count && is_erofs_rom(device); i++) {
        const struct romsim_mount *outer = &layout->mounts[i];
        const struct romsim_device *other = &layout->devices[outer->device];
        CLEANUP_FREE char *name = NULL;
        struct romsim_error warning;

        if (outer == inner || outer->device < inner->device || !is_erofs_rom(other) ||
            !outer->target || !romsim_path_is_within(inner->target, outer->target))
            continue;
        name = find_hidden(other, inner->target + strlen(outer->target), device);
        if (!name)
            continue;
        romsim_error_set(&warning, 0, "the ROM at '%s' hides '%s/%s' of the ROM at '%s'",
                         QUOTE(inner->path), QUOTE(inner->path), QUOTE(name), QUOTE(outer->path));
        warning.rule = ROMSIM_RULE_ORDER;
        romsim_error_hint(&warning, "a ROM within another one is mounted after it, whatever their "
                                    "order in the request: put these files into one ROM");
        warning.place = *at_place(self->instance, device);
        tell(self, &warning, true);
    }
}

void romsim_layout_foresee(const struct romsim_layout *layout,
                           const struct romsim_instance *instance, bool as_warnings,
                           struct romsim_diagnostics *diagnostics)
{
    CLEANUP(cleanup_romsim_view_free) struct romsim_view *view = NULL;
    struct foresight self = {.in = {.layout = layout},
                             .instance = instance,
                             .are_warnings = as_warnings,
                             .diagnostics = diagnostics};

    if (!romsim_layout_root(layout) || layout->argv.count == 0)
        return;
    self.in.view = view = romsim_view_new(layout, false, NULL);
    if (!view) /* a mount that cannot be: that has been said */
        return;
    look_at_command(&self);
    look_at_arguments(&self);
    for (size_t i = 0; i < layout->mount_count; i++)
        if (layout->mounts[i].target) {
            look_at_mount(&self, &layout->mounts[i]);
            look_at_order(&self, &layout->mounts[i]);
        }
}
