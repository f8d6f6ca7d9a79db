/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain.c: from lines of a guest's console to ROMs, paths and causes.
 *
 * A line is looked at twice: does it name a drive, as the kernel does, and does it name a path
 * together with what is wrong with it, as programs do?  Of a drive, a nid in the line leads to a
 * path, and its image is checked here: a message about an image that is sound here says that the
 * guest had other bytes.  A path is looked for in the view of the layout, and where it is not
 * there, in what the mounts hide, in ROMs that are mounted nowhere, and under names that nearly
 * fit.
 */
#include <romsim/explain.h>
#include <romsim/paths.h>

#include "overlay.h"
#include "seek.h"

#include <romsim/buffer.h>
#include <romsim/erofs_check.h>
#include <romsim/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    TEXT_SIZE = 512,
    LINE_SIZE = 4096, /* of a line; the rest of a longer one is not looked at */
    PATHS_MAX = 4,    /* that are looked for in a line */
    NAMES_MAX = 4096, /* of a directory, in which the nearest is sought */
    TOLD_MAX = 200
};

struct explain {
    struct seeker in;
    romsim_explained *tell;
    void *context;
    long count;
    char *told[TOLD_MAX];                /* what has been said: "device path cause" */
    const struct romsim_device *checked; /* the last one whose image was, or NULL */
    bool is_sound;
    const char *text; /* of the line at hand, for people */
    size_t line;
};

/* ---- telling ------------------------------------------------------------------------------ */

static bool is_told(struct explain *self, const struct romsim_explanation *explanation)
{
    char *key = NULL;

    if (asprintf(&key, "%s %s %s", explanation->device ?: "", explanation->path ?: "",
                 explanation->cause) < 0)
        return false;
    for (long i = 0; i < self->count && i < TOLD_MAX; i++)
        if (strcmp(self->told[i], key) == 0) {
            free(key);
            return true;
        }
    if (self->count < TOLD_MAX)
        self->told[self->count] = key;
    else
        free(key);
    return false;
}

static void tell(struct explain *self, const struct romsim_device *device, const char *path,
                 const char *cause, const char *advice)
{
    const struct romsim_explanation explanation = {.line = self->line,
                                                   .text = self->text,
                                                   .device = device ? seek_name(device) : NULL,
                                                   .path = path,
                                                   .cause = cause,
                                                   .advice = advice && *advice ? advice : NULL};

    if (is_told(self, &explanation))
        return;
    self->count++;
    self->tell(self->context, &explanation);
}

/* ---- drives ------------------------------------------------------------------------------- */

#define NOT_ATTACHED "its drive was not there: the ROM was not attached to the instance"

/* What the kernel says, what it means, what to try.  The first that is in the line counts. */
static const struct {
    const char *words, *cause, *advice;
    bool by_content; /* a damaged image says so, too */
} kernel_says[] = {
    {"cannot find valid erofs superblock",
     "there is no EROFS image on it: an automounted ROM (with 'at') has to be one",
     "'romsim rom info FILE' tells what it is; a cpio archive is read from its device, without "
     "'at'",
     false},
    {"unidentified incompatible feature",
     "the image uses a feature of EROFS that this kernel does not have",
     "make it without the newer options of mkfs.erofs, or with 'romsim rom pack'", false},
    {"blkszbits", "the image's blocks have a size that this kernel does not mount",
     "make it with blocks of 4096 bytes (mkfs.erofs -b 4096)", false},
    {"blksize", "the image's blocks have a size that this kernel does not mount",
     "make it with blocks of 4096 bytes (mkfs.erofs -b 4096)", false},
    {"No such device", NOT_ATTACHED,
     "compare what is attached: romsim verify FILE --against get.json", false},
    {"beyond end of device", "the image is longer than its device: it was cut short on its way",
     "compare sizes and digests: romsim verify FILE --against DIR", false},
    {"nr_sectors", "the image is longer than its device: it was cut short on its way",
     "compare sizes and digests: romsim verify FILE --against DIR", false},
    {"I/O error", "reading the device failed: it ends too early, or what is behind it is broken",
     "compare sizes and digests: romsim verify FILE --against DIR", false},
    {"invalid checksum", "the superblock is damaged: its checksum is wrong",
     "compare digests: romsim verify FILE --against DIR", true},
    {"failed to decompress", "compressed data of the image are damaged",
     "compare digests: romsim verify FILE --against DIR", true},
    {"dirent", "a directory of the image is damaged",
     "compare digests: romsim verify FILE --against DIR", true},
    {"nameoff", "a directory of the image is damaged",
     "compare digests: romsim verify FILE --against DIR", true},
    {"readdir", "a directory of the image is damaged",
     "compare digests: romsim verify FILE --against DIR", true},
    {"nid", "an inode of the image, or its data, are damaged",
     "compare digests: romsim verify FILE --against DIR", true},
};

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool is_name(const char *word, size_t size, const char *name)
{
    return *name && strlen(name) == size && memcmp(word, name, size) == 0;
}

/* The drive that a word names, or NULL. */
static const struct romsim_device *device_of(const struct romsim_layout *layout, const char *word,
                                             size_t size)
{
    for (size_t i = 0; i < layout->device_count; i++) {
        const struct romsim_device *device = &layout->devices[i];
        char disk[4] = {'v', 'd', (char)('a' + i), '\0'};

        if ((i < 26 && is_name(word, size, disk)) || is_name(word, size, device->indexed_name) ||
            is_name(word, size, device->named_name))
            return device;
    }
    return NULL;
}

static const struct romsim_device *find_device(const struct romsim_layout *layout, const char *line)
{
    for (const char *at = line; *at;) {
        const struct romsim_device *device;
        size_t size = 0;

        while (is_of_name(at[size]))
            size++;
        device = size ? device_of(layout, at, size) : NULL;
        if (device)
            return device;
        at += size ? size : 1;
    }
    return NULL;
}

struct nid_search {
    uint64_t nid;
    char *path; /* owned */
};

static int note_nid(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct nid_search *search = context;

    if (inode->nid != search->nid)
        return 0;
    search->path = strdup(path);
    return 1;
}

/* The first path behind the nid that a line names, malloc'ed; NULL without one. */
static char *path_of_nid(const struct romsim_device *device, const char *line)
{
    const char *at = strstr(line, "nid ");
    CLEANUP_EROFS struct romsim_erofs *erofs = NULL;
    struct nid_search search = {0};
    struct romsim_error err;
    char *end;

    if (!at || !device->blob || device->kind != ROMSIM_IMAGE_EROFS)
        return NULL;
    search.nid = strtoull(at + strlen("nid "), &end, 10);
    if (end == at + strlen("nid ") || !(erofs = romsim_erofs_open(device->blob, &err)))
        return NULL;
    romsim_erofs_walk(erofs, note_nid, &search, &err);
    return search.path;
}

/* Is all of the image that is here as it should be?  A console may ask for each of its lines. */
static bool is_sound(struct explain *self, const struct romsim_device *device)
{
    if (self->checked != device) {
        self->checked = device;
        self->is_sound = device->blob && device->kind == ROMSIM_IMAGE_EROFS &&
                         romsim_erofs_check(device->blob, NULL, NULL, NULL, NULL) == 0;
    }
    return self->is_sound;
}

static void explain_drive(struct explain *self, const char *line)
{
    const struct romsim_device *device = find_device(self->in.layout, line);

    if (strstr(line, "mounted with"))
        return;
    if (device && device->role == ROMSIM_DEVICE_ROM && strstr(line, "/dev/ukp_rom") &&
        strcasestr(line, "no such file or directory")) {
        tell(self, device, NULL, NOT_ATTACHED,
             "compare what is attached: romsim verify FILE --against get.json");
        return;
    }
    for (size_t i = 0; device && i < sizeof(kernel_says) / sizeof(kernel_says[0]); i++) {
        const char *advice = kernel_says[i].advice;
        CLEANUP_FREE char *path = NULL;

        if (!strstr(line, kernel_says[i].words))
            continue;
        path = path_of_nid(device, line);
        if (kernel_says[i].by_content && is_sound(self, device))
            advice = "the image is sound here, so the guest had other bytes: romsim verify FILE "
                     "--against DIR compares";
        tell(self, device, path ? QUOTE(path) : NULL, kernel_says[i].cause, advice);
        return;
    }
}

/* ---- paths -------------------------------------------------------------------------------- */

enum complaint { NO_COMPLAINT, NOT_THERE, NOT_ALLOWED, NOT_WRITABLE, NOT_RUNNABLE, NOT_READABLE };

static const struct {
    const char *words;
    enum complaint complaint;
} programs_say[] = {
    {"no such file", NOT_THERE},
    {"enoent", NOT_THERE},
    {"cannot find module", NOT_THERE},
    {"not found", NOT_THERE},
    {"does not exist", NOT_THERE},
    {"permission denied", NOT_ALLOWED},
    {"eacces", NOT_ALLOWED},
    {"read-only file system", NOT_WRITABLE},
    {"erofs: read-only", NOT_WRITABLE},
    {"exec format error", NOT_RUNNABLE},
    {"enoexec", NOT_RUNNABLE},
    {"input/output error", NOT_READABLE},
    {"structure needs cleaning", NOT_READABLE},
    {"can't open", NOT_THERE}, /* if nothing is said of the reason */
    {"cannot open", NOT_THERE},
};

static enum complaint find_complaint(const char *line)
{
    for (size_t i = 0; i < sizeof(programs_say) / sizeof(programs_say[0]); i++)
        if (strcasestr(line, programs_say[i].words))
            return programs_say[i].complaint;
    return NO_COMPLAINT;
}

/* The mount that a path is in: of several the innermost, of one place the last. */
static const struct romsim_mount *mount_of(const struct romsim_layout *layout, const char *path)
{
    const struct romsim_mount *found = NULL;

    for (size_t i = 0; i < layout->mount_count; i++)
        if (romsim_path_is_within(path, layout->mounts[i].path) &&
            (!found || strlen(layout->mounts[i].path) >= strlen(found->path)))
            found = &layout->mounts[i];
    return found;
}

static const struct romsim_device *device_at(const struct romsim_layout *layout, const char *path)
{
    const struct romsim_mount *mount = mount_of(layout, path);

    return mount ? &layout->devices[mount->device] : romsim_layout_root(layout);
}

static bool image_has(const struct romsim_device *device, const char *path)
{
    struct romsim_error err;
    CLEANUP_EROFS struct romsim_erofs *erofs = device->blob && device->kind == ROMSIM_IMAGE_EROFS
                                                   ? romsim_erofs_open(device->blob, &err)
                                                   : NULL;
    struct romsim_erofs_inode inode;

    return erofs && romsim_erofs_lookup_path(erofs, *path ? path : "/", &inode, &err) == 1;
}

/* The image under other mounts that has the path; NULL if there is none. */
static const struct romsim_device *hidden_in(const struct romsim_layout *layout, const char *path)
{
    const struct romsim_device *top = device_at(layout, path), *root = romsim_layout_root(layout);

    for (size_t i = layout->mount_count; i-- > 0;) {
        const struct romsim_mount *mount = &layout->mounts[i];
        const struct romsim_device *device = &layout->devices[mount->device];

        if (device != top && romsim_path_is_within(path, mount->path) &&
            image_has(device, path + strlen(mount->path)))
            return device;
    }
    return root && root != top && image_has(root, path) ? root : NULL;
}

/* The name in the directory of `path` that is nearest to its last one: the whole path, malloc'ed,
 * or NULL. */
static char *nearest_path(const struct seeker *in, const char *path)
{
    CLEANUP_FREE char *directory = strdup(path), *scratch = malloc(ROMSIM_EROFS_BLOCK_MAX);
    char *slash = directory ? strrchr(directory, '/') : NULL, *found = NULL;
    CLEANUP_FREE const char **names = calloc(NAMES_MAX + 1, sizeof(*names));
    struct romsim_view_entry entry;
    const char *nearest;
    uint64_t node, cursor = 0;
    struct stat st;
    size_t count = 0;

    if (!scratch || !names || !slash || slash == directory)
        return NULL;
    *slash = '\0';
    if (seek(in, directory, &node, &st) != SEEK_FOUND || !S_ISDIR(st.st_mode))
        return NULL;
    while (count < NAMES_MAX &&
           romsim_view_readdir(in->view, node, cursor, &cursor, &entry, scratch, NULL) == 1)
        if (!entry.is_dot && (names[count] = strndup(entry.name, entry.name_size)))
            count++;
    nearest = romsim_text_nearest(slash + 1, names);
    if (nearest && asprintf(&found, "%s/%s", directory, nearest) < 0)
        found = NULL;
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)names[i]);
    return found;
}

__attribute__((format(printf, 2, 3))) static const char *print(char ret[TEXT_SIZE],
                                                               const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(ret, TEXT_SIZE, format, arguments);
    va_end(arguments);
    return ret;
}

static void explain_missing(struct explain *self, const char *path)
{
    const struct romsim_layout *layout = self->in.layout;
    const struct romsim_device *top = device_at(layout, path), *other;
    const struct romsim_mount *mount = mount_of(layout, path);
    CLEANUP_FREE char *right = NULL, *at = NULL;
    char cause[TEXT_SIZE], advice[TEXT_SIZE] = "";
    const char *where = top ? seek_name(top) : "the root";

    if ((other = hidden_in(layout, path)))
        tell(self, other, QUOTE(path),
             print(cause, "%s has it, but %s is mounted over it at %s",
                   other->role == ROMSIM_DEVICE_ROOT ? "the root" : seek_name(other), where,
                   QUOTE(mount->path)),
             "mount it elsewhere: a ROM hides what is below its 'at'");
    else if ((right = seek_right_case(&self->in, path)))
        tell(self, top, QUOTE(path), "the name is there in another case",
             print(advice, "there is '%s'", QUOTE(right)));
    else if ((other = seek_unmounted(&self->in, path, &at)))
        tell(self, other, QUOTE(path), "the ROM that has it has no 'at', so it is not mounted",
             print(advice, "at: %s", QUOTE(at)));
    else if (mount) {
        if ((right = nearest_path(&self->in, path)))
            print(advice, "there is '%s'", QUOTE(right));
        tell(
            self, top, QUOTE(path),
            print(cause, "%s, which is mounted at %s, does not have it", where, QUOTE(mount->path)),
            advice);
    }
}

/* The device that a node is in, or NULL. */
static const struct romsim_device *device_of_node(const struct explain *self, uint64_t node)
{
    size_t place = romsim_view_device(self->in.view, node);

    return place == ROMSIM_VIEW_NO_DEVICE ? NULL : &self->in.layout->devices[place];
}

/* What the guest did not find is in the ROM here.  Of a program it says nothing: it may be its
 * interpreter that was not there. */
static void explain_other_version(struct explain *self, const char *path, uint64_t node,
                                  const struct stat *st)
{
    const struct romsim_device *device = device_of_node(self, node);
    char cause[TEXT_SIZE];

    if (!device || device->role != ROMSIM_DEVICE_ROM ||
        (S_ISREG(st->st_mode) && st->st_mode & 0111))
        return;
    tell(self, device, QUOTE(path),
         print(cause, "%s has it here, so the guest had another version of this ROM",
               seek_name(device)),
         "compare digests: romsim verify FILE --against DIR|get.json");
}

static void explain_refused(struct explain *self, const char *path, uint64_t node,
                            const struct stat *st)
{
    const struct romsim_device *device = device_of_node(self, node);
    char cause[TEXT_SIZE];

    if (!device || !S_ISREG(st->st_mode) || st->st_mode & 0111)
        return;
    tell(self, device, QUOTE(path),
         print(cause, "it is not executable: %s 0%o",
               device->is_inline ? "all files of an inline ROM have the mode" : "its mode is",
               (unsigned)st->st_mode & 07777),
         device->is_inline
             ? "run it by its interpreter, or use an image ROM ('image: ./DIR'), which keeps modes"
             : "chmod +x it where the image is made");
}

static void explain_unreadable(struct explain *self, const char *path, uint64_t node)
{
    const struct romsim_device *device = device_of_node(self, node);

    if (device && device->role == ROMSIM_DEVICE_ROM)
        tell(self, device, QUOTE(path),
             "reading it failed: the ROM ends too early, or is damaged, where the guest had it",
             "compare sizes and digests: romsim verify FILE --against DIR");
}

static void explain_path(struct explain *self, const char *path, enum complaint complaint,
                         bool is_missed)
{
    const struct romsim_mount *mount = mount_of(self->in.layout, path);
    enum seek_answer answer;
    uint64_t node;
    struct stat st;

    if (complaint == NOT_WRITABLE) {
        if (mount && mount->access == ROMSIM_READ_ONLY)
            tell(self, &self->in.layout->devices[mount->device], QUOTE(path),
                 "a ROM is read-only: nothing can be written below its 'at'",
                 "write to a directory of the root, or attach a volume");
        return;
    }
    answer = seek(&self->in, path, &node, &st);
    if (answer == SEEK_FOUND && complaint == NOT_READABLE)
        explain_unreadable(self, path, node);
    else if (answer == SEEK_MISSING && complaint == NOT_THERE)
        explain_missing(self, path);
    else if (answer == SEEK_FOUND && complaint == NOT_THERE && is_missed)
        explain_other_version(self, path, node, &st);
    else if (answer == SEEK_FOUND && complaint == NOT_ALLOWED)
        explain_refused(self, path, node, &st);
    else if (answer == SEEK_FOUND && complaint == NOT_RUNNABLE)
        tell(self, device_at(self->in.layout, path), QUOTE(path),
             "it is no program for the guest's processor, and no script with '#!' in its first "
             "line",
             "'romsim check' looks at the command");
}

static bool ends_path(char c)
{
    return c == '\0' || (unsigned char)c <= ' ' || strchr("'\"`:;,()<>[]{}|", c);
}

/* Is the path of a line, `size` bytes at `at`, surely the one that was not found?  "cat: can't open
 * 'PATH': No such file or directory", "ENOENT: no such file or directory, open 'PATH'"; a script
 * that complains has its own path further in front. */
static bool is_missed(const char *line, const char *at, size_t size)
{
    static const char words[] = "no such file or directory";
    const char *said = strcasestr(line, words), *from;

    if (!said)
        return false;
    from = at > said ? said + strlen(words) : at + size;
    from += strspn(from, at > said ? " '\":,;()abcdefghijklmnopqrstuvwxyz" : " '\":,;()");
    return from >= (at > said ? at : said);
}

static void explain_paths(struct explain *self, const char *line)
{
    enum complaint complaint = find_complaint(line);
    unsigned looked = 0;

    for (const char *at = line; complaint && *at && looked < PATHS_MAX;) {
        CLEANUP_FREE char *path = NULL;
        size_t size = 0;

        while (!ends_path(at[size]))
            size++;
        while (size > 1 && strchr("./", at[size - 1]))
            size--;
        if (at[0] == '/' && size > 1 && (path = strndup(at, size))) {
            explain_path(self, path, complaint, is_missed(line, at, size));
            looked++;
        }
        at += size ? size : 1;
    }
}

/* ---- lines -------------------------------------------------------------------------------- */

static void explain_memory(struct explain *self, const char *line)
{
    char advice[TEXT_SIZE];

    if (strstr(line, "Out of memory") || strstr(line, "oom-kill"))
        tell(self, NULL, NULL, "the guest's memory was not enough, and its kernel killed a program",
             print(advice, "more than memory_mb: %llu",
                   (unsigned long long)self->in.layout->memory_mb));
}

/* Takes a line, which may have colours and other controls in it. */
static void explain_line(struct explain *self, const char *bytes, size_t size)
{
    char line[LINE_SIZE], shown[TEXT_SIZE];
    size_t used = 0;

    for (size_t i = 0; i < size && used < sizeof(line) - 1; i++) {
        if (bytes[i] == '\x1b' && i + 1 < size && bytes[i + 1] == '[') {
            for (i += 2; i < size && (bytes[i] < '@' || bytes[i] > '~');)
                i++;
        } else if (bytes[i] != '\0' && bytes[i] != '\r') {
            line[used++] = bytes[i];
        }
    }
    line[used] = '\0';
    self->text = romsim_text_quote(line, used, shown, sizeof(shown));
    explain_drive(self, line);
    if (self->in.view)
        explain_paths(self, line);
    explain_memory(self, line);
}

long romsim_explain_console(const struct romsim_layout *layout, const char *console, size_t size,
                            romsim_explained *tell_one, void *context)
{
    /* An image that is too damaged for a view still has its drive explained. */
    CLEANUP(cleanup_romsim_view_free)
    struct romsim_view *view = romsim_view_new(layout, false, NULL);
    struct explain self = {
        .in = {.layout = layout, .view = view}, .tell = tell_one, .context = context};

    for (const char *at = console, *end = console + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)) ?: end;

        self.line++;
        explain_line(&self, at, (size_t)(newline - at));
        at = newline + (newline < end);
    }
    for (long i = 0; i < self.count && i < TOLD_MAX; i++)
        free(self.told[i]);
    return self.count;
}
