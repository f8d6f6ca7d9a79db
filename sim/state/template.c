/* SPDX-License-Identifier: BSD-3-Clause */
/* template.c: the store of templates (template.h has the theory). */
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

static char *ready_folder(struct romsim_error *err)
{
    return romsim_path_data("templates/ready", err);
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

static int not_found(const char *key, const char *value, struct romsim_error *err)
{
    romsim_error_set(err, ENOENT, "No template instance with %s '%s'", key, QUOTE(value));
    romsim_error_hint(err, "'romsim template ls' lists the templates");
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    return -1;
}

static int already_there(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EEXIST, "A template instance with the name '%s' already exists",
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
static struct romsim_template *load(const char *directory, const char *name,
                                    struct romsim_error *err)
{
    CLEANUP_TEMPLATE struct romsim_template *template = calloc(1, sizeof(*template));
    const char *uuid;

    if (!template) {
        romsim_error_nomem(err);
        return NULL;
    }
    template->references = 1;
    template->memory = template->state = -1;
    template->name = strdup(name);
    template->record = json_file_load(directory, RECORD, RECORD_MAX, err);
    if (!template->name)
        romsim_error_nomem(err);
    if (!template->name || !template->record)
        return NULL;
    uuid = json_string_value(json_object_get(template->record, "uuid"));
    if (!uuid || !romsim_uuid_is_valid(uuid)) {
        romsim_error_set(err, EUCLEAN, "the template '%s' is damaged", QUOTE(name));
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
        return romsim_error_set(err, EUCLEAN, "the template '%s' is damaged",
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

/* The name of the one with this UUID, malloc'ed. */
static char *find_name(const char *uuid, struct romsim_error *err)
{
    CLEANUP_TEMPLATES struct romsim_templates all = {0};

    if (romsim_template_list(&all, NULL, NULL, err) < 0)
        return NULL;
    for (size_t i = 0; i < all.count; i++)
        if (strcasecmp(all.items[i]->uuid, uuid) == 0)
            return STEAL_POINTER(&all.items[i]->name);
    not_found("uuid", uuid, err);
    return NULL;
}

struct romsim_template *romsim_template_open(const char *name, const char *uuid,
                                             struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(err), *directory = NULL, *found = NULL;
    CLEANUP_TEMPLATE struct romsim_template *template = NULL;

    if (!folder || (!name && !(name = found = find_name(uuid, err))))
        return NULL;
    directory = romsim_path_join(folder, name);
    if (!romsim_name_is_valid(name) || (directory && access(directory, F_OK) < 0)) {
        not_found("name", name, err);
        return NULL;
    }
    template = directory ? load(directory, name, err) : NULL;
    if (!template)
        return NULL;
    template->memory = open_file(directory, "memory", O_RDWR, err);
    template->state = template->memory < 0 ? -1 : open_file(directory, "state", O_RDONLY, err);
    if (template->state < 0 || open_drives(directory, template, err) < 0)
        return NULL;
    return STEAL_POINTER(&template);
}

int romsim_template_list(struct romsim_templates *ret,
                         void (*complain)(void *context, const struct romsim_error *error),
                         void *context, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(err);
    CLEANUP_TEMPLATES struct romsim_templates templates = {0};
    struct dirent **names = NULL;
    int count = folder ? scandir(folder, &names, NULL, alphasort) : -1;

    if (!folder)
        return -1;
    if (count < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(folder));
    templates.items = calloc((size_t)count + 1, sizeof(struct romsim_template *));
    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *directory =
            is_dots(names[i]->d_name) ? NULL : romsim_path_join(folder, names[i]->d_name);
        struct romsim_error error = {0};
        struct romsim_template *template =
            directory && templates.items ? load(directory, names[i]->d_name, &error) : NULL;

        if (template)
            templates.items[templates.count++] = template;
        else if (directory && complain)
            complain(context, &error);
        free(names[i]);
    }
    free(names);
    if (!templates.items)
        return romsim_error_nomem(err);
    *ret = templates;
    templates = (struct romsim_templates){0};
    return 0;
}

/* Its record, if there is one of that name and it can be read. */
static json_t *load_record(const char *directory, const char *name, struct romsim_error *err)
{
    if (access(directory, F_OK) < 0) {
        not_found("name", name, err);
        return NULL;
    }
    return json_file_load(directory, RECORD, RECORD_MAX, err);
}

int romsim_template_set_properties(const char *name, json_t *properties, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(err);
    CLEANUP_FREE char *directory = folder ? romsim_path_join(folder, name) : NULL;
    json_t *record = NULL;

    if (!romsim_name_is_valid(name))
        not_found("name", name, err);
    else if (folder && !directory)
        romsim_error_nomem(err);
    else if (folder)
        record = load_record(directory, name, err);
    if (!record) {
        json_decref(properties);
        return -1;
    }
    json_object_set_new(record, "properties", properties);
    return json_file_save(directory, RECORD, record, err);
}

int romsim_template_remove(const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(err), *fresh = NULL, *from = NULL, *to = NULL;
    char uuid[ROMSIM_UUID_SIZE];

    fresh = folder ? romsim_path_data("templates/new", err) : NULL;
    if (!fresh)
        return -1;
    if (!romsim_name_is_valid(name))
        return not_found("name", name, err);
    if (!romsim_uuid_new(uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    from = romsim_path_join(folder, name);
    to = romsim_path_join(fresh, uuid);
    if (!from || !to)
        return romsim_error_nomem(err);
    if (rename(from, to) < 0)
        return errno == ENOENT ? not_found("name", name, err)
                               : romsim_error_system(err, errno, "cannot remove '%s'", QUOTE(from));
    return romsim_path_remove_tree(to, err);
}

/* ---- making ----------------------------------------------------------------------------- */

struct romsim_template_draft {
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

static bool is_there(const char *name)
{
    CLEANUP_FREE char *folder = ready_folder(NULL);
    CLEANUP_FREE char *path = folder ? romsim_path_join(folder, name) : NULL;

    return path && access(path, F_OK) == 0;
}

static int make_folder(struct romsim_template_draft *draft, struct romsim_error *err)
{
    CLEANUP_FREE char *fresh = romsim_path_data("templates/new", err);
    CLEANUP_FREE char *guard = fresh ? romsim_path_data("templates", err) : NULL;
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

struct romsim_template_draft *romsim_template_draft(const char *name, const char *uuid,
                                                    struct romsim_error *err)
{
    CLEANUP(cleanup_romsim_template_draft_free)
    struct romsim_template_draft *draft = NULL;

    if (romsim_name_check_new("template name", name, err) < 0)
        return NULL;
    if (is_there(name)) {
        already_there(name, err);
        return NULL;
    }
    draft = calloc(1, sizeof(*draft));
    if (!draft) {
        romsim_error_nomem(err);
        return NULL;
    }
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

int romsim_template_draft_finish(struct romsim_template_draft *draft, json_t *record,
                                 struct romsim_error *err)
{
    CLEANUP_FREE char *folder = ready_folder(err);
    CLEANUP_FREE char *ready = folder ? romsim_path_join(folder, draft->name) : NULL;

    if (!ready || json_object_set_new(record, "name", json_string(draft->name)) < 0 ||
        json_object_set_new(record, "uuid", json_string(draft->uuid)) < 0 ||
        json_object_set_new(record, "created_at", json_integer(time(NULL))) < 0 ||
        json_object_set_new(record, "drives", json_integer((json_int_t)draft->drives)) < 0) {
        json_decref(record);
        return folder ? romsim_error_nomem(err) : -1;
    }
    if (json_file_save(draft->directory, RECORD, record, err) < 0)
        return -1;
    /* A folder takes the place of an empty one only. */
    if (rename(draft->directory, ready) < 0)
        return errno == ENOTEMPTY || errno == EEXIST
                   ? already_there(draft->name, err)
                   : romsim_error_system(err, errno, "cannot make '%s'", QUOTE(ready));
    draft->is_finished = true;
    return 0;
}
