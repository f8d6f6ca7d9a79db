/* SPDX-License-Identifier: BSD-3-Clause */
/* template.c: the store of templates and checkpoints (template.h has the theory). */
#include <romsim/template.h>

#include "json_file.h"

#include <romsim/lock.h>
#include <romsim/name.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD "template.json"

enum { RECORD_MAX = 16 << 20 };

/* ---- the store -------------------------------------------------------------------------- */

static const struct {
    const char *name, *folder, *ready, *fresh, *noun;
} kinds[] = {
    [ROMSIM_SAVED_TEMPLATE] = {"template", "templates", "templates/ready", "templates/new",
                               "template instance"},
    [ROMSIM_SAVED_CHECKPOINT] = {"checkpoint", "checkpoints", "checkpoints/ready",
                                 "checkpoints/new", "checkpoint"},
};

const char *romsim_saved_name(enum romsim_saved kind)
{
    return kinds[kind].name;
}

static char *ready_folder(enum romsim_saved kind, struct romsim_error *err)
{
    return romsim_path_data(kinds[kind].ready, err);
}

static int open_file(const char *directory, const char *file, int flags, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, file);
    CLEANUP_FD int fd = path ? open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    if (!path)
        return romsim_error_nomem(err);
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    return steal_fd(&fd);
}

/* Somebody's who lives still? */
static bool is_held(const char *directory)
{
    CLEANUP_FD int fd = open_file(directory, "lock", O_RDWR, NULL);

    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What killed processes left. */
static void sweep(const char *fresh)
{
    DIR *folder = opendir(fresh);
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        CLEANUP_FREE char *directory =
            is_dots(entry->d_name) ? NULL : romsim_path_join(fresh, entry->d_name);

        if (directory && !is_held(directory))
            romsim_path_remove_tree(directory, NULL);
    }
    if (folder)
        closedir(folder);
}

static int not_found(enum romsim_saved kind, const char *key, const char *value,
                     struct romsim_error *err)
{
    romsim_error_set(err, ENOENT, "No %s with %s '%s'", kinds[kind].noun, key, QUOTE(value));
    romsim_error_hint(err, "'romsim %s ls' lists the %ss", kinds[kind].name, kinds[kind].name);
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    return -1;
}

static int already_there(enum romsim_saved kind, const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EEXIST, "A %s with the name '%s' already exists", kinds[kind].noun,
                     QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    return -1;
}

/* ---- reading ---------------------------------------------------------------------------- */

void romsim_template_unref(struct romsim_template *template)
{
    if (!template || --template->references)
        return;
    cleanup_close_fd(&template->memory);
    cleanup_close_fd(&template->state);
    for (size_t i = 0; i < template->drive_count; i++)
        romsim_blob_unref(template->drives[i]);
    json_decref(template->record);
    free(template->name);
    free(template);
}

struct romsim_template *romsim_template_ref(struct romsim_template *template)
{
    template->references++;
    return template;
}

void romsim_templates_clear(struct romsim_templates *templates)
{
    for (size_t i = 0; i < templates->count; i++)
        romsim_template_unref(templates->items[i]);
    free(templates->items);
    *templates = (struct romsim_templates){0};
}

/* What the files of a folder take. */
static uint64_t measure(const char *directory)
{
    DIR *folder = opendir(directory);
    struct dirent *entry;
    uint64_t size = 0;
    struct stat st;

    while (folder && (entry = readdir(folder)))
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            size += (uint64_t)st.st_blocks * 512;
    if (folder)
        closedir(folder);
    return size;
}

/* Without its files. */
static struct romsim_template *load(enum romsim_saved kind, const char *directory, const char *name,
                                    struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = calloc(1, sizeof(*template));
    const char *uuid;

    if (!template) {
        romsim_error_nomem(err);
        return NULL;
    }
    template->references = 1;
    template->kind = kind;
    template->memory = template->state = -1;
    template->record = json_file_load(directory, RECORD, RECORD_MAX, err);
    /* A draft's folder has its UUID for a name. */
    template->is_ready = name;
    if (!name && template->record)
        name = json_string_value(json_object_get(template->record, "name"));
    template->name = strdup(name ?: "");
    if (!template->name)
        romsim_error_nomem(err);
    if (!template->name || !template->record)
        return NULL;
    uuid = json_string_value(json_object_get(template->record, "uuid"));
    if (!uuid || !romsim_uuid_is_valid(uuid)) {
        romsim_error_set(err, EUCLEAN, "the %s '%s' is damaged", kinds[kind].name,
                         QUOTE(template->name));
        return NULL;
    }
    snprintf(template->uuid, sizeof(template->uuid), "%s", uuid);
    template->created_at = json_integer_value(json_object_get(template->record, "created_at"));
    template->size = measure(directory);
    return STEAL_POINTER(&template);
}

static int open_drives(const char *directory, struct romsim_template *template,
                       struct romsim_error *err)
{
    json_int_t count = json_integer_value(json_object_get(template->record, "drives"));

    if (count < 1 || count > ROMSIM_TEMPLATE_DRIVES_MAX)
        return romsim_error_set(err, EUCLEAN, "the %s '%s' is damaged", kinds[template->kind].name,
                                QUOTE(template->name));
    while (template->drive_count < (size_t)count) {
        char file[32];
        int fd;

        snprintf(file, sizeof(file), "drive%zu", template->drive_count);
        fd = open_file(directory, file, O_RDONLY, err);
        if (fd < 0 || !(template->drives[template->drive_count] = romsim_blob_take_fd(fd, err)))
            return -1;
        template->drive_count++;
    }
    return 0;
}

/* The one with this UUID, or this name: its name, malloc'ed. */
static char *find_name(enum romsim_saved kind, const char *name, const char *uuid,
                       struct romsim_error *err)
{
    CLEANUP_TEMPLATES struct romsim_templates all = {0};

    if (romsim_template_list(kind, &all, NULL, NULL, err) < 0)
        return NULL;
    for (size_t i = 0; i < all.count; i++) {
        if (name ? strcmp(all.items[i]->name, name) != 0
                 : strcasecmp(all.items[i]->uuid, uuid) != 0)
            continue;
        if (all.items[i]->is_ready)
            return STEAL_POINTER(&all.items[i]->name);
        romsim_error_set(err, EBUSY, "the %s '%s' is being made", kinds[kind].name,
                         QUOTE(all.items[i]->name));
        if (err)
            err->cloud = ROMSIM_CLOUD_WRONG_VM_STATE;
        return NULL;
    }
    not_found(kind, name ? "name" : "uuid", name ?: uuid, err);
    return NULL;
}

static struct romsim_template *open_files(enum romsim_saved kind, const char *directory,
                                          const char *name, struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = load(kind, directory, name, err);
    bool has_memory, has_state;

    if (!template)
        return NULL;
    has_memory =
        kind == ROMSIM_SAVED_TEMPLATE || json_is_true(json_object_get(template->record, "memory"));
    has_state = !json_is_true(json_object_get(template->record, "cold"));
    if ((has_memory && (template->memory = open_file(directory, "memory", O_RDWR, err)) < 0) ||
        (has_state && (template->state = open_file(directory, "state", O_RDONLY, err)) < 0) ||
        open_drives(directory, template, err) < 0)
        return NULL;
    return STEAL_POINTER(&template);
}

struct romsim_template *romsim_template_open(enum romsim_saved kind, const char *name,
                                             const char *uuid, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(kind, err), *directory = NULL, *found = NULL;

    if (!folder || (!name && !(name = found = find_name(kind, NULL, uuid, err))))
        return NULL;
    directory = romsim_path_join(folder, name);
    if (!directory) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (romsim_name_is_valid(name) && access(directory, F_OK) == 0)
        return open_files(kind, directory, name, err);
    free(find_name(kind, name, NULL, err)); /* says why */
    return NULL;
}

struct romsim_template *romsim_template_open_draft(enum romsim_saved kind, const char *uuid,
                                                   struct romsim_error *err)
{
    CLEANUP_FREE char *fresh = romsim_path_data(kinds[kind].fresh, err);
    CLEANUP_FREE char *directory = fresh ? romsim_path_join(fresh, uuid) : NULL;

    if (directory && romsim_uuid_is_valid(uuid))
        return open_files(kind, directory, NULL, err);
    if (fresh)
        romsim_error_set(err, ENOENT, "there is no such draft");
    return NULL;
}

/* Adds what is in a folder to the list.  Returns 0 or -1. */
static int list_folder(enum romsim_saved kind, bool are_ready, struct romsim_templates *templates,
                       void (*complain)(void *context, const struct romsim_error *error),
                       void *context, struct romsim_error *err)
{
    CLEANUP_FREE char *folder =
        romsim_path_data(are_ready ? kinds[kind].ready : kinds[kind].fresh, err);
    struct dirent **names = NULL;
    struct romsim_template **items;
    int count = folder ? scandir(folder, &names, NULL, alphasort) : -1;

    if (!folder)
        return -1;
    if (count < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(folder));
    items = reallocarray(templates->items, templates->count + (size_t)count + 1,
                         sizeof(struct romsim_template *));
    templates->items = items ? items : templates->items;
    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *directory =
            is_dots(names[i]->d_name) ? NULL : romsim_path_join(folder, names[i]->d_name);
        struct romsim_error error = {0};
        struct romsim_template *template = NULL;

        /* What nobody makes any more is swept. */
        if (items && directory && (are_ready || is_held(directory)))
            template = load(kind, directory, are_ready ? names[i]->d_name : NULL, &error);
        if (template && json_is_true(json_object_get(template->record, "branch")))
            romsim_template_unref(template); /* of nobody but the branch */
        else if (template)
            templates->items[templates->count++] = template;
        else if (are_ready && directory && complain)
            complain(context, &error);
        free(names[i]);
    }
    free(names);
    return items ? 0 : romsim_error_nomem(err);
}

static int by_name(const void *one, const void *other)
{
    const struct romsim_template *const *a = one, *const *b = other;

    return strcmp((*a)->name, (*b)->name);
}

int romsim_template_list(enum romsim_saved kind, struct romsim_templates *ret,
                         void (*complain)(void *context, const struct romsim_error *error),
                         void *context, struct romsim_error *err)
{
    CLEANUP_TEMPLATES struct romsim_templates templates = {0};

    /* In this order one that becomes ready meanwhile is there once or twice, but never not. */
    if (list_folder(kind, false, &templates, complain, context, err) < 0 ||
        list_folder(kind, true, &templates, complain, context, err) < 0)
        return -1;
    if (templates.count)
        qsort(templates.items, templates.count, sizeof(struct romsim_template *), by_name);
    *ret = templates;
    templates = (struct romsim_templates){0};
    return 0;
}

/* Its record, if there is one of that name and it can be read. */
static json_t *load_record(enum romsim_saved kind, const char *directory, const char *name,
                           struct romsim_error *err)
{
    if (access(directory, F_OK) < 0) {
        not_found(kind, "name", name, err);
        return NULL;
    }
    return json_file_load(directory, RECORD, RECORD_MAX, err);
}

int romsim_template_set_properties(enum romsim_saved kind, const char *name, json_t *properties,
                                   struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(kind, err);
    CLEANUP_FREE char *directory = folder ? romsim_path_join(folder, name) : NULL;
    json_t *record = NULL;

    if (!romsim_name_is_valid(name))
        not_found(kind, "name", name, err);
    else if (folder && !directory)
        romsim_error_nomem(err);
    else if (folder)
        record = load_record(kind, directory, name, err);
    if (!record) {
        json_decref(properties);
        return -1;
    }
    json_object_set_new(record, "properties", properties);
    return json_file_save(directory, RECORD, record, err);
}

int romsim_template_remove(enum romsim_saved kind, const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(kind, err), *fresh = NULL, *from = NULL, *to = NULL;
    char uuid[ROMSIM_UUID_SIZE];

    fresh = folder ? romsim_path_data(kinds[kind].fresh, err) : NULL;
    if (!fresh)
        return -1;
    if (!romsim_name_is_valid(name))
        return not_found(kind, "name", name, err);
    if (!romsim_uuid_new(uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    from = romsim_path_join(folder, name);
    to = romsim_path_join(fresh, uuid);
    if (!from || !to)
        return romsim_error_nomem(err);
    if (rename(from, to) < 0)
        return errno == ENOENT ? not_found(kind, "name", name, err)
                               : romsim_error_system(err, errno, "cannot remove '%s'", QUOTE(from));
    return romsim_path_remove_tree(to, err);
}

/* ---- making ----------------------------------------------------------------------------- */

struct romsim_template_draft {
    enum romsim_saved kind;
    char *name, *directory;
    char uuid[ROMSIM_UUID_SIZE];
    int lock;
    size_t drives;
    bool is_finished;
};

void romsim_template_draft_free(struct romsim_template_draft *draft)
{
    if (!draft)
        return;
    if (draft->directory && !draft->is_finished)
        romsim_path_remove_tree(draft->directory, NULL);
    cleanup_close_fd(&draft->lock);
    free(draft->directory);
    free(draft->name);
    free(draft);
}

DEFINE_CLEANUP(struct romsim_template_draft, romsim_template_draft_free)

static bool is_there(enum romsim_saved kind, const char *name)
{
    struct romsim_error why = {0};
    CLEANUP_FREE char *found = find_name(kind, name, NULL, &why);

    return found || why.errnum == EBUSY;
}

static int make_folder(struct romsim_template_draft *draft, struct romsim_error *err)
{
    CLEANUP_FREE char *fresh = romsim_path_data(kinds[draft->kind].fresh, err);
    CLEANUP_FREE char *guard = fresh ? romsim_path_data(kinds[draft->kind].folder, err) : NULL;
    CLEANUP_FD int whole = guard ? open_file(guard, "lock", O_RDWR | O_CREAT, err) : -1;

    /* So that no sweep meets the folder before it has its lock. */
    if (whole < 0 || romsim_lock_take(whole, LOCK_EX, ROMSIM_LOCK_TIMEOUT_MS, guard, err) < 0)
        return -1;
    sweep(fresh);
    draft->directory = romsim_path_join(fresh, draft->uuid);
    if (!draft->directory)
        return romsim_error_nomem(err);
    if (romsim_path_make(draft->directory, 0700, err) < 0)
        return -1;
    draft->lock = open_file(draft->directory, "lock", O_RDWR | O_CREAT, err);
    if (draft->lock < 0)
        return -1;
    return romsim_lock_take(draft->lock, LOCK_EX, ROMSIM_LOCK_TIMEOUT_MS, draft->directory, err);
}

struct romsim_template_draft *romsim_template_draft(enum romsim_saved kind, const char *name,
                                                    const char *uuid, struct romsim_error *err)
{
    char noun[32];

    CLEANUP(cleanup_romsim_template_draft_free)
    struct romsim_template_draft *draft = NULL;

    snprintf(noun, sizeof(noun), "%s name", kinds[kind].name);
    if (romsim_name_check_new(noun, name, err) < 0)
        return NULL;
    if (is_there(kind, name)) {
        already_there(kind, name, err);
        return NULL;
    }
    draft = calloc(1, sizeof(*draft));
    if (!draft) {
        romsim_error_nomem(err);
        return NULL;
    }
    draft->kind = kind;
    draft->lock = -1;
    draft->name = strdup(name);
    if (!draft->name)
        romsim_error_nomem(err);
    else if (uuid)
        snprintf(draft->uuid, sizeof(draft->uuid), "%s", uuid);
    else if (!romsim_uuid_new(draft->uuid))
        romsim_error_system(err, errno, "the kernel has no random bytes");
    if (!draft->name || !*draft->uuid)
        return NULL;
    return make_folder(draft, err) == 0 ? STEAL_POINTER(&draft) : NULL;
}

int romsim_template_draft_file(const struct romsim_template_draft *draft, const char *file,
                               struct romsim_error *err)
{
    return open_file(draft->directory, file, O_RDWR | O_CREAT | O_TRUNC, err);
}

int romsim_template_draft_drive(struct romsim_template_draft *draft, const struct romsim_blob *blob,
                                struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;
    char file[32];
    int problem;

    if (draft->drives == ROMSIM_TEMPLATE_DRIVES_MAX)
        return romsim_error_set(err, E2BIG, "a template has %d drives at most",
                                ROMSIM_TEMPLATE_DRIVES_MAX);
    snprintf(file, sizeof(file), "drive%zu", draft->drives);
    fd = romsim_template_draft_file(draft, file, err);
    if (fd < 0)
        return -1;
    problem = romsim_blob_copy(blob, fd, 0);
    if (problem)
        return romsim_error_system(err, problem, "cannot keep the image of a drive");
    draft->drives++;
    return 0;
}

const char *romsim_template_draft_uuid(const struct romsim_template_draft *draft)
{
    return draft->uuid;
}

/* Adds who it is to its record. */
static int complete(const struct romsim_template_draft *draft, json_t *record,
                    struct romsim_error *err)
{
    if (json_object_set_new(record, "name", json_string(draft->name)) == 0 &&
        json_object_set_new(record, "uuid", json_string(draft->uuid)) == 0 &&
        json_object_set_new(record, "created_at", json_integer(time(NULL))) == 0 &&
        json_object_set_new(record, "drives", json_integer((json_int_t)draft->drives)) == 0)
        return 0;
    json_decref(record);
    return romsim_error_nomem(err);
}

int romsim_template_draft_announce(struct romsim_template_draft *draft, json_t *record,
                                   struct romsim_error *err)
{
    if (complete(draft, record, err) < 0)
        return -1;
    return json_file_save(draft->directory, RECORD, record, err);
}

int romsim_template_draft_finish(struct romsim_template_draft *draft, json_t *record,
                                 struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(draft->kind, err);
    CLEANUP_FREE char *ready = folder ? romsim_path_join(folder, draft->name) : NULL;

    if (!ready) {
        json_decref(record);
        return folder ? romsim_error_nomem(err) : -1;
    }
    if (romsim_template_draft_announce(draft, record, err) < 0)
        return -1;
    /* A folder takes the place of an empty one only. */
    if (rename(draft->directory, ready) < 0)
        return errno == ENOTEMPTY || errno == EEXIST
                   ? already_there(draft->kind, draft->name, err)
                   : romsim_error_system(err, errno, "cannot make '%s'", QUOTE(ready));
    draft->is_finished = true;
    return 0;
}
