/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.c: the store of volumes: their folders, records and locks (volume.h has the theory). */
#include "volume.h"

#include "json_file.h"

#include <romsim/buffer.h>
#include <romsim/file.h>
#include <romsim/lock.h>
#include <romsim/name.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/volume.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD "volume.json"

enum { RECORD_MAX = 64 << 10 };

/* ---- names ------------------------------------------------------------------------------ */

static int check_name(const char *name, struct romsim_error *err)
{
    return romsim_name_check("volume name", name, err);
}

static int check_size(uint64_t size_mb, struct romsim_error *err)
{
    if (size_mb >= ROMSIM_VOLUME_MIN_MB && size_mb <= ROMSIM_VOLUME_MAX_MB)
        return 0;
    romsim_error_set(err, EINVAL, "Invalid size of a volume: %llu MB", (unsigned long long)size_mb);
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return romsim_error_hint(err, "from %d MB to %d", ROMSIM_VOLUME_MIN_MB, ROMSIM_VOLUME_MAX_MB);
}

/* ---- the store -------------------------------------------------------------------------- */

/* The store, locked. */
struct store {
    char *fresh, *ready; /* the folders new/ and ready/ */
    int lock;
};

static void store_close(struct store *store)
{
    cleanup_close_fd(&store->lock);
    free(store->fresh);
    free(store->ready);
}

/* Takes the lock off an image that is not one's own for a moment: is somebody using it?  A file
 * system without locks has no users. */
static bool is_used(int fd, int operation)
{
    bool is_free = flock(fd, operation | LOCK_NB) == 0 || errno != EWOULDBLOCK;

    if (is_free)
        flock(fd, LOCK_UN);
    return !is_free;
}

static int open_image(const char *directory, int flags, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "image");
    CLEANUP_FD int fd = path ? open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    if (!path)
        return romsim_error_nomem(err);
    if (fd < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    return steal_fd(&fd);
}

static json_t *load_record(const char *directory, struct romsim_error *err)
{
    json_t *record = json_file_load(directory, RECORD, RECORD_MAX, err);

    if (!record || json_is_object(record))
        return record;
    json_decref(record);
    romsim_error_set(err, EUCLEAN, "'%s/" RECORD "' is damaged", QUOTE(directory));
    return NULL;
}

/* Removes what a killed process left of the volume in this folder.  `is_ready`: it is one only if
 * it was made for an instance. */
static void sweep_one(const char *directory, bool is_ready)
{
    json_t *record = is_ready ? load_record(directory, NULL) : NULL;
    bool is_kept = is_ready && !json_is_false(json_object_get(record, "persistent"));
    CLEANUP_FD int fd = is_kept ? -1 : open_image(directory, O_RDONLY, NULL);

    json_decref(record);
    if (!is_kept && (fd < 0 || !is_used(fd, LOCK_EX)))
        romsim_path_remove_tree(directory, NULL);
}

/* The names in a folder, sorted; there may be none. */
static int list_folder(const char *folder, struct dirent ***ret, struct romsim_error *err)
{
    int count = scandir(folder, ret, NULL, alphasort);

    return count < 0 ? romsim_error_system(err, errno, "cannot read '%s'", QUOTE(folder)) : count;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void sweep_folder(const char *folder, bool is_ready)
{
    struct dirent **names = NULL;
    int count = list_folder(folder, &names, NULL);

    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *directory =
            is_dots(names[i]->d_name) ? NULL : romsim_path_join(folder, names[i]->d_name);

        if (directory)
            sweep_one(directory, is_ready);
        free(names[i]);
    }
    free(names);
}

static int store_open(struct store *ret, struct romsim_error *err)
{
    CLEANUP(store_close) struct store store = {.lock = -1};
    CLEANUP_FREE char *folder = romsim_path_data("volumes", err);
    CLEANUP_FREE char *lock = folder ? romsim_path_join(folder, "lock") : NULL;

    if (!folder)
        return -1;
    store.fresh = romsim_path_data("volumes/new", err);
    store.ready = store.fresh ? romsim_path_data("volumes/ready", err) : NULL;
    if (!store.fresh || !store.ready)
        return -1;
    store.lock = lock ? open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0600) : -1;
    if (store.lock < 0)
        return romsim_error_system(err, errno, "cannot open the lock of '%s'", QUOTE(folder));
    if (romsim_lock_take(store.lock, LOCK_EX, ROMSIM_LOCK_TIMEOUT_MS, lock, err) < 0)
        return -1;
    sweep_folder(store.fresh, false);
    sweep_folder(store.ready, true);
    *ret = store;
    store = (struct store){.lock = -1};
    return 0;
}

#define CLEANUP_STORE CLEANUP(store_close)

/* ---- records ---------------------------------------------------------------------------- */

void romsim_volume_info_clear(struct romsim_volume_info *info)
{
    free(info->name);
    free(info->holder);
    romsim_strings_clear(&info->traits.tags);
    *info = (struct romsim_volume_info){0};
}

void romsim_volume_infos_clear(struct romsim_volume_infos *infos)
{
    for (size_t i = 0; i < infos->count; i++)
        romsim_volume_info_clear(&infos->items[i]);
    free(infos->items);
    *infos = (struct romsim_volume_infos){0};
}

/* The instance that has it, or had it at last; "" if that was no instance. */
static char *load_holder(const char *directory)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "holder");
    CLEANUP_FD int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(RECORD_MAX);

    if (fd < 0 || romsim_buffer_read_fd(&text, fd) < 0 || text.size == 0)
        return strdup("");
    return romsim_buffer_steal(&text);
}

/* ---- traits, which are in the record if they are not as usual ---------------------------------
 */

static int put_traits(json_t *record, const struct romsim_volume_traits *traits)
{
    json_t *tags = json_array();
    int failed = 0;

    for (size_t i = 0; i < traits->tags.count; i++)
        failed |= json_array_append_new(tags, json_string(traits->tags.items[i]));
    failed |= json_object_set_new(record, "tags", tags);
    failed |= json_object_set_new(record, "access_mode",
                                  json_string(traits->is_for_reading ? "rox" : "rwo"));
    failed |= json_object_set_new(record, "quota_policy",
                                  json_string(traits->is_dynamic ? "dynamic" : "static"));
    failed |= json_object_set_new(record, "delete_lock", json_boolean(traits->has_delete_lock));
    return failed ? -1 : 0;
}

static bool is_word(const json_t *record, const char *key, const char *word)
{
    const char *value = json_string_value(json_object_get(record, key));

    return value && strcmp(value, word) == 0;
}

static int get_traits(const json_t *record, struct romsim_volume_traits *ret)
{
    const json_t *tags = json_object_get(record, "tags");
    struct romsim_volume_traits traits = {
        .is_for_reading = is_word(record, "access_mode", "rox"),
        .is_dynamic = is_word(record, "quota_policy", "dynamic"),
        .has_delete_lock = json_is_true(json_object_get(record, "delete_lock")),
    };

    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));

        if (tag && romsim_strings_append(&traits.tags, tag) < 0) {
            romsim_strings_clear(&traits.tags);
            return -1;
        }
    }
    *ret = traits;
    return 0;
}

static int save_record(const char *directory, const char *uuid, bool is_persistent,
                       const struct romsim_volume_traits *traits, struct romsim_error *err)
{
    json_t *record =
        json_pack("{s:s, s:I, s:b, s:s}", "uuid", uuid, "created_at", (json_int_t)time(NULL),
                  "persistent", is_persistent, "filesystem", "ext4");

    if (record && traits && put_traits(record, traits) < 0) {
        json_decref(record);
        record = NULL;
    }
    return json_file_save(directory, RECORD, record, err);
}

/* Reads what is known of a volume. */
static int load_info(const struct store *store, const char *name, struct romsim_volume_info *ret,
                     struct romsim_error *err)
{
    CLEANUP_FREE char *directory = romsim_path_join(store->ready, name);
    json_t *record = directory ? load_record(directory, err) : NULL;
    const char *uuid = json_string_value(json_object_get(record, "uuid"));
    CLEANUP_VOLUME struct romsim_volume_info info = {
        .created_at = json_integer_value(json_object_get(record, "created_at")),
        .is_persistent = !json_is_false(json_object_get(record, "persistent")),
    };
    CLEANUP_FD int fd = -1;
    int status = record ? get_traits(record, &info.traits) : 0;
    struct stat st;

    snprintf(info.uuid, sizeof(info.uuid), "%s", uuid ? uuid : "");
    json_decref(record);
    if (!directory || status < 0 || !(info.name = strdup(name)))
        return romsim_error_nomem(err);
    if (!record)
        return -1;
    fd = open_image(directory, O_RDONLY, err);
    if (fd < 0)
        return -1;
    if (!romsim_uuid_is_valid(info.uuid) || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return romsim_error_set(err, EUCLEAN, "the volume '%s' is damaged", QUOTE(name));
    info.size = (uint64_t)st.st_size;
    info.used = (uint64_t)st.st_blocks * 512;
    info.is_written = is_used(fd, LOCK_SH);
    if (is_used(fd, LOCK_EX) && !(info.holder = load_holder(directory)))
        return romsim_error_nomem(err);
    *ret = info;
    info = (struct romsim_volume_info){0};
    return 0;
}

int romsim_volume_list(struct romsim_volume_infos *ret,
                       void (*complain)(void *context, const struct romsim_error *error),
                       void *context, struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    struct romsim_volume_infos infos = {0};
    struct dirent **names = NULL;
    struct romsim_error error;
    int count;

    if (store_open(&store, err) < 0 || (count = list_folder(store.ready, &names, err)) < 0)
        return -1;
    infos.items = calloc((size_t)count + 1, sizeof(*infos.items));
    for (int i = 0; i < count; i++) {
        if (!infos.items || is_dots(names[i]->d_name))
            continue;
        if (load_info(&store, names[i]->d_name, &infos.items[infos.count], &error) == 0)
            infos.count++;
        else if (complain)
            complain(context, &error);
    }
    while (count > 0)
        free(names[--count]);
    free(names);
    if (!infos.items)
        return romsim_error_nomem(err);
    *ret = infos;
    return 0;
}

int romsim_volume_find(const char *name, const char *uuid, struct romsim_volume_info *ret,
                       struct romsim_error *err)
{
    CLEANUP_VOLUMES struct romsim_volume_infos infos = {0};
    struct romsim_error error;

    if (name) {
        CLEANUP_STORE struct store store = {.lock = -1};
        CLEANUP_FREE char *directory = NULL;

        if (store_open(&store, err) < 0)
            return -1;
        if (check_name(name, NULL) < 0)
            return 0;
        directory = romsim_path_join(store.ready, name);
        if (!directory)
            return romsim_error_nomem(err);
        if (access(directory, F_OK) < 0)
            return 0;
        return load_info(&store, name, ret, err) < 0 ? -1 : 1;
    }
    if (romsim_volume_list(&infos, NULL, NULL, &error) < 0) {
        if (err)
            *err = error;
        return -1;
    }
    for (size_t i = 0; i < infos.count; i++)
        if (strcasecmp(infos.items[i].uuid, uuid) == 0) {
            *ret = infos.items[i];
            infos.items[i] = (struct romsim_volume_info){0};
            return 1;
        }
    return 0;
}

/* ---- making ----------------------------------------------------------------------------- */

/* One that is being made: its folder, and its image with the lock. */
struct draft {
    char uuid[ROMSIM_UUID_SIZE];
    char *directory, *image;
    int fd;
};

static void draft_clear(struct draft *draft)
{
    if (draft->directory)
        romsim_path_remove_tree(draft->directory, NULL);
    cleanup_close_fd(&draft->fd);
    free(draft->directory);
    free(draft->image);
}

static int already_there(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EEXIST, "A volume with the name '%s' already exists", QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    return -1;
}

static bool is_there(const struct store *store, const char *name)
{
    CLEANUP_FREE char *directory = romsim_path_join(store->ready, name);

    return directory && access(directory, F_OK) == 0;
}

/* An empty folder in new/ with an empty, locked image. */
static int draft_open(const char *name, struct draft *ret, struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP(draft_clear) struct draft draft = {.fd = -1};

    if (romsim_name_check_new("volume name", name, err) < 0 || store_open(&store, err) < 0)
        return -1;
    if (!romsim_uuid_new(draft.uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    if (is_there(&store, name))
        return already_there(name, err);
    draft.directory = romsim_path_join(store.fresh, draft.uuid);
    draft.image = draft.directory ? romsim_path_join(draft.directory, "image") : NULL;
    if (!draft.image)
        return romsim_error_nomem(err);
    if (mkdir(draft.directory, 0700) < 0)
        return romsim_error_system(err, errno, "cannot make '%s'", QUOTE(draft.directory));
    draft.fd = open_image(draft.directory, O_RDWR | O_CREAT | O_EXCL, err);
    if (draft.fd < 0)
        return -1;
    if (flock(draft.fd, LOCK_EX | LOCK_NB) < 0)
        return romsim_error_system(err, errno, "cannot lock '%s'", QUOTE(draft.image));
    *ret = draft;
    draft = (struct draft){.fd = -1};
    return 0;
}

/* Gives a finished draft its name; it goes from new/ to ready/ at once, with its lock. */
static int draft_commit(struct draft *draft, const char *name, bool is_persistent,
                        const struct romsim_volume_traits *traits, struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_FREE char *directory = NULL;

    if (fsync(draft->fd) < 0)
        return romsim_error_write(err, errno, draft->fd, "write the volume");
    if (save_record(draft->directory, draft->uuid, is_persistent, traits, err) < 0 ||
        store_open(&store, err) < 0)
        return -1;
    directory = romsim_path_join(store.ready, name);
    if (!directory)
        return romsim_error_nomem(err);
    if (rename(draft->directory, directory) < 0)
        return errno == EEXIST || errno == ENOTEMPTY
                   ? already_there(name, err)
                   : romsim_error_system(err, errno, "cannot make '%s'", QUOTE(directory));
    free(draft->directory);
    draft->directory = NULL;
    return 0;
}

/* Makes an empty volume; its locked image is *ret_fd's. */
static int create(const char *name, uint64_t size_mb, bool is_persistent,
                  const struct romsim_volume_traits *traits, int *ret_fd, struct romsim_error *err)
{
    CLEANUP(draft_clear) struct draft draft = {.fd = -1};

    if (check_size(size_mb, err) < 0 || draft_open(name, &draft, err) < 0 ||
        volume_image_set_size(draft.fd, size_mb << 20, err) < 0 ||
        volume_image_make(draft.image, draft.uuid, NULL, 0, err) < 0 ||
        draft_commit(&draft, name, is_persistent, traits, err) < 0)
        return -1;
    *ret_fd = steal_fd(&draft.fd);
    return 0;
}

int romsim_volume_create(const char *name, uint64_t size_mb,
                         const struct romsim_volume_traits *traits, struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;

    return create(name, size_mb, true, traits, &fd, err);
}

static int import_directory(const char *path, uint64_t size_mb, struct draft *draft,
                            struct romsim_error *err)
{
    uint64_t needed_mb, inodes;

    if (volume_image_measure(path, &needed_mb, &inodes, err) < 0)
        return -1;
    if (size_mb == 0)
        size_mb = needed_mb < ROMSIM_VOLUME_MIN_MB ? ROMSIM_VOLUME_MIN_MB : needed_mb;
    if (check_size(size_mb, err) < 0 || volume_image_set_size(draft->fd, size_mb << 20, err) < 0)
        return -1;
    return volume_image_make(draft->image, draft->uuid, path, inodes, err);
}

int romsim_volume_import(const char *path, const char *name, uint64_t size_mb,
                         struct romsim_error *err)
{
    CLEANUP(draft_clear) struct draft draft = {.fd = -1};
    CLEANUP_FD int source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int status;

    if (source < 0 || fstat(source, &st) < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    if (size_mb > 0 && !S_ISDIR(st.st_mode)) {
        romsim_error_set(err, EINVAL, "an image keeps its size, --size is for a directory");
        return -1;
    }
    if (draft_open(name, &draft, err) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        status = import_directory(path, size_mb, &draft, err);
    else
        status = volume_image_copy(source, path, draft.fd, err);
    return status < 0 ? -1 : draft_commit(&draft, name, true, NULL, err);
}

/* ---- attaching -------------------------------------------------------------------------- */

static int attached(const char *name, const char *directory, struct romsim_error *err)
{
    CLEANUP_FREE char *holder = load_holder(directory);

    if (holder && *holder)
        romsim_error_set(err, EBUSY, "the volume '%s' is attached to the instance '%s'",
                         QUOTE(name), QUOTE(holder));
    else
        romsim_error_set(err, EBUSY, "the volume '%s' is in use", QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_ATTACHED;
    return -1;
}

static int not_there(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, ENOENT, "No volume with name '%s'", QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    return romsim_error_hint(err, "'romsim volume ls' lists what there is");
}

static int save_holder(const char *directory, const char *instance, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "holder");

    return path ? romsim_file_replace(path, instance, strlen(instance), err)
                : romsim_error_nomem(err);
}

/* Opens and locks an image of the store for reading, or for writing.  Returns the descriptor. */
static int take_image(const char *name, const char *directory, bool is_written,
                      struct romsim_error *err)
{
    CLEANUP_FD int fd = open_image(directory, is_written ? O_RDWR : O_RDONLY, err);

    if (fd < 0)
        return -1;
    if (flock(fd, (is_written ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? attached(name, directory, err)
                   : romsim_error_system(err, errno, "cannot lock the volume '%s'", QUOTE(name));
    return steal_fd(&fd);
}

/* The folder of a volume of the store, malloc'ed. */
static char *locate(const struct store *store, const char *name, struct romsim_error *err)
{
    CLEANUP_FREE char *directory = romsim_path_join(store->ready, name);

    if (!directory)
        romsim_error_nomem(err);
    else if (access(directory, F_OK) == 0)
        return STEAL_POINTER(&directory);
    else
        not_there(name, err);
    return NULL;
}

static int refuse_writer(const char *name, struct romsim_error *err)
{
    romsim_error_set(err, EPERM, "the volume '%s' is for reading only (rox)", QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_ALLOWED;
    return romsim_error_hint(err, "attach it with readonly: true");
}

int romsim_volume_attach(const char *name, uint64_t size_mb, bool is_written, const char *instance,
                         struct romsim_volume_hold *ret, struct romsim_error *err)
{
    CLEANUP_FREE char *copy = strdup(name), *directory = NULL;
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    CLEANUP_FD int fd = -1;
    bool is_made = size_mb > 0;

    if (!copy)
        return romsim_error_nomem(err);
    if (is_made && create(name, size_mb, false, NULL, &fd, err) < 0)
        return -1;
    if (check_name(name, err) < 0 || store_open(&store, err) < 0)
        return -1;
    directory = locate(&store, name, err);
    if (!directory || load_info(&store, name, &info, err) < 0)
        return -1;
    if (is_written && info.traits.is_for_reading)
        return refuse_writer(name, err);
    if (!is_made && (fd = take_image(name, directory, is_written, err)) < 0)
        return -1;
    if (!is_written && volume_image_needs_replay(fd)) {
        cleanup_close_fd(&fd);
        fd = take_image(name, directory, true, err);
        if (fd < 0)
            return -1;
        is_written = true;
    }
    if (save_holder(directory, instance, err) < 0)
        return -1;
    *ret = (struct romsim_volume_hold){.name = STEAL_POINTER(&copy),
                                       .fd = steal_fd(&fd),
                                       .is_writable = is_written || is_made,
                                       .is_made = is_made};
    memcpy(ret->uuid, info.uuid, sizeof(ret->uuid));
    return 0;
}

/* Under the store's lock nobody takes what is given back for a moment. */
int romsim_volume_reattach(struct romsim_volume_hold *hold, bool is_written, const char *instance,
                           struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    CLEANUP_FREE char *directory = NULL;
    int fd;

    if (store_open(&store, err) < 0 || !(directory = locate(&store, hold->name, err)) ||
        load_info(&store, hold->name, &info, err) < 0)
        return -1;
    if (is_written && info.traits.is_for_reading)
        return refuse_writer(hold->name, err);
    is_written |= volume_image_needs_replay(hold->fd);
    if (is_written == hold->is_writable)
        return 0;
    flock(hold->fd, LOCK_UN);
    fd = take_image(hold->name, directory, is_written, err);
    if (fd < 0) {
        flock(hold->fd, (hold->is_writable ? LOCK_EX : LOCK_SH) | LOCK_NB);
        return -1;
    }
    close(hold->fd);
    hold->fd = fd;
    hold->is_writable = is_written;
    return save_holder(directory, instance, err);
}

void romsim_volume_detach(struct romsim_volume_hold *hold)
{
    CLEANUP_STORE struct store store = {.lock = -1};

    cleanup_close_fd(&hold->fd);
    if (hold->is_made) /* what nobody holds any more is swept */
        store_open(&store, NULL);
    free(hold->name);
    *hold = ROMSIM_VOLUME_HOLD_NONE;
}

static void make_persistent(const char *directory)
{
    json_t *record = load_record(directory, NULL);

    if (record && json_object_set_new(record, "persistent", json_true()) == 0)
        json_file_save(directory, RECORD, json_incref(record), NULL);
    json_decref(record);
}

void romsim_volume_leave(struct romsim_volume_hold *hold)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_FREE char *directory = NULL;

    if (hold->is_made && store_open(&store, NULL) == 0 &&
        (directory = locate(&store, hold->name, NULL))) {
        make_persistent(directory);
        hold->is_made = false;
    }
    cleanup_close_fd(&hold->fd);
    free(hold->name);
    *hold = ROMSIM_VOLUME_HOLD_NONE;
}

/* ---- changing --------------------------------------------------------------------------- */

int romsim_volume_clone(const char *source, const char *name,
                        const struct romsim_volume_traits *traits, struct romsim_error *err)
{
    CLEANUP(draft_clear) struct draft draft = {.fd = -1};
    CLEANUP_VOLUME struct romsim_volume_info info = {0};
    CLEANUP_FD int fd = -1;
    int errnum;

    {
        CLEANUP_STORE struct store store = {.lock = -1};
        CLEANUP_FREE char *directory = NULL;

        if (check_name(source, err) < 0 || store_open(&store, err) < 0 ||
            !(directory = locate(&store, source, err)) ||
            load_info(&store, source, &info, err) < 0 ||
            (fd = take_image(source, directory, false, err)) < 0)
            return -1;
        if (!info.holder && save_holder(directory, "", err) < 0)
            return -1;
    }
    if (draft_open(name, &draft, err) < 0 || volume_image_set_size(draft.fd, info.size, err) < 0)
        return -1;
    errnum = romsim_copy_data(fd, 0, draft.fd, 0, info.size);
    if (errnum != 0)
        return romsim_error_write(err, errnum, draft.fd, "copy the volume");
    return draft_commit(&draft, name, true, traits ?: &info.traits, err);
}

int romsim_volume_change(const char *name, romsim_volume_changer *change, void *context,
                         struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_FREE char *directory = NULL;
    struct romsim_volume_traits traits = {0};
    json_t *record;
    int status = -1;

    if (check_name(name, err) < 0 || store_open(&store, err) < 0 ||
        !(directory = locate(&store, name, err)) || !(record = load_record(directory, err)))
        return -1;
    if (get_traits(record, &traits) < 0)
        romsim_error_nomem(err);
    else if (change(context, &traits, err) == 0)
        status = put_traits(record, &traits) < 0 ? romsim_error_nomem(err) : 0;
    romsim_strings_clear(&traits.tags);
    if (status == 0)
        status = json_file_save(directory, RECORD, json_incref(record), err);
    json_decref(record);
    return status;
}

int romsim_volume_grow(const char *name, uint64_t size_mb, struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_FREE char *directory = NULL;
    CLEANUP_FD int fd = -1;
    struct stat st;

    if (check_name(name, err) < 0 || store_open(&store, err) < 0 ||
        !(directory = locate(&store, name, err)) || check_size(size_mb, err) < 0)
        return -1;
    fd = take_image(name, directory, true, err);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return romsim_error_system(err, errno, "cannot look at the volume '%s'", QUOTE(name));
    if (size_mb << 20 >= (uint64_t)st.st_size)
        return volume_image_set_size(fd, size_mb << 20, err);
    romsim_error_set(err, EINVAL, "Invalid size_mb %llu", (unsigned long long)size_mb);
    if (err)
        err->cloud = ROMSIM_CLOUD_INVALID;
    return romsim_error_hint(err, "a volume can only become larger than its %llu MB",
                             (unsigned long long)st.st_size >> 20);
}

/* A record that cannot be read has no lock, so that its volume can be removed. */
static bool has_delete_lock(const char *directory)
{
    json_t *record = load_record(directory, NULL);
    bool is_locked = json_is_true(json_object_get(record, "delete_lock"));

    json_decref(record);
    return is_locked;
}

int romsim_volume_remove(const char *name, struct romsim_error *err)
{
    CLEANUP_STORE struct store store = {.lock = -1};
    CLEANUP_FREE char *directory = NULL;
    CLEANUP_FD int fd = -1;

    if (check_name(name, err) < 0 || store_open(&store, err) < 0 ||
        !(directory = locate(&store, name, err)))
        return -1;
    if (has_delete_lock(directory)) {
        romsim_error_set(err, EPERM,
                         "Deletion protection enabled: the volume '%s' has a delete "
                         "lock",
                         QUOTE(name));
        if (err)
            err->cloud = ROMSIM_CLOUD_NOT_ALLOWED;
        return -1;
    }
    fd = open_image(directory, O_RDONLY, NULL); /* a damaged one can be removed, too */
    if (fd >= 0 && is_used(fd, LOCK_EX))
        return attached(name, directory, err);
    return romsim_path_remove_tree(directory, err);
}
