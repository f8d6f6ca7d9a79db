/* SPDX-License-Identifier: BSD-3-Clause */
/* ledger.c: the folders and locks of ledgers (ledger.h has the theory). */
#include "json_file.h"

#include <romsim/cleanup.h>
#include <romsim/ledger.h>
#include <romsim/lock.h>
#include <romsim/name.h>
#include <romsim/paths.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD "record.json"

enum { RECORD_MAX = 8 << 20 };

static const struct {
    const char *folder, *entries;
    const char *noun; /* "No NOUN with name 'x'", "A NOUN with ..." */
} kinds[] = {
    [ROMSIM_LEDGER_GROUPS] = {"service-groups", "service-groups/entries", "service group"},
    [ROMSIM_LEDGER_CERTIFICATES] = {"certificates", "certificates/entries", "certificate"},
};

/* ---- a ledger, locked -------------------------------------------------------------------------
 */

struct book {
    enum romsim_ledger kind;
    char *entries; /* the folder */
    int lock;
    size_t count;
};

static void book_close(struct book *book)
{
    cleanup_close_fd(&book->lock);
    free(book->entries);
}

#define CLEANUP_BOOK CLEANUP(book_close)
#define NO_BOOK                                                                                    \
    (struct book)                                                                                  \
    {                                                                                              \
        .lock = -1                                                                                 \
    }

static int open_users(const char *directory, int flags, struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_join(directory, "users");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600) : -1;

    if (!path)
        return romsim_error_nomem(err);
    return fd < 0 ? romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path)) : fd;
}

/* Nobody begins to use an entry while the ledger is locked; a file system without locks has no
 * users. */
static bool is_used(const char *directory)
{
    CLEANUP_FD int fd = open_users(directory, 0, NULL);

    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* An entry's object, with its name; NULL if there is none, or it is damaged (EUCLEAN). */
static json_t *load(const char *directory, const char *name, struct romsim_error *err)
{
    json_t *entry = json_file_load(directory, RECORD, RECORD_MAX, err);
    const char *uuid = json_string_value(json_object_get(entry, "uuid"));

    if (!entry)
        return NULL;
    if (uuid && romsim_uuid_is_valid(uuid) &&
        json_is_integer(json_object_get(entry, "created_at")) &&
        json_object_set_new(entry, "name", json_string(name)) == 0)
        return entry;
    json_decref(entry);
    romsim_error_set(err, EUCLEAN, "'%s/" RECORD "' is damaged", QUOTE(directory));
    return NULL;
}

/* Removes what is not persistent and not used, and what a killed process had begun to make.
 * Returns whether the entry is still there. */
static bool sweep_one(const char *directory)
{
    struct romsim_error err = {0};
    json_t *entry = json_file_load(directory, RECORD, RECORD_MAX, &err);
    bool is_stale = entry
                        ? json_is_false(json_object_get(entry, "persistent")) && !is_used(directory)
                        : err.errnum == ENOENT;

    json_decref(entry);
    if (is_stale)
        romsim_path_remove_tree(directory, NULL);
    return !is_stale;
}

/* Calls `visit` with the folder of each entry, until it returns false. */
static int each(const struct book *book,
                bool (*visit)(void *context, const char *directory, const char *name),
                void *context, struct romsim_error *err)
{
    struct dirent **names = NULL;
    int count = scandir(book->entries, &names, NULL, alphasort);
    bool goes_on = true;

    if (count < 0)
        return romsim_error_system(err, errno, "cannot read '%s'", QUOTE(book->entries));
    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *directory = goes_on && romsim_name_is_valid(names[i]->d_name)
                                           ? romsim_path_join(book->entries, names[i]->d_name)
                                           : NULL;

        if (directory)
            goes_on = visit(context, directory, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return 0;
}

static bool sweep_and_count(void *context, const char *directory, const char *name)
{
    struct book *book = context;

    (void)name;
    book->count += sweep_one(directory);
    return true;
}

static int book_open(enum romsim_ledger kind, struct book *ret, struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = {.kind = kind, .lock = -1};
    CLEANUP_FREE char *folder = romsim_path_data(kinds[kind].folder, err);
    CLEANUP_FREE char *lock = folder ? romsim_path_join(folder, "lock") : NULL;

    book.entries = folder ? romsim_path_data(kinds[kind].entries, err) : NULL;
    if (!book.entries)
        return -1;
    book.lock = lock ? open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0600) : -1;
    if (book.lock < 0)
        return romsim_error_system(err, errno, "cannot open the lock of '%s'", QUOTE(folder));
    if (romsim_lock_take(book.lock, LOCK_EX, ROMSIM_LOCK_TIMEOUT_MS, lock, err) < 0 ||
        each(&book, sweep_and_count, &book, err) < 0)
        return -1;
    *ret = book;
    book = NO_BOOK;
    return 0;
}

/* ---- finding ----------------------------------------------------------------------------------
 */

static int not_found(enum romsim_ledger kind, const char *name, const char *uuid,
                     struct romsim_error *err)
{
    romsim_error_set(err, ENOENT, "No %s with %s '%s'", kinds[kind].noun, name ? "name" : "uuid",
                     QUOTE(name ?: uuid));
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_FOUND;
    return -1;
}

struct search {
    const char *uuid;
    char *directory;
    json_t *entry;
};

static bool has_uuid(void *context, const char *directory, const char *name)
{
    struct search *search = context;
    json_t *entry = load(directory, name, NULL);

    if (entry && strcasecmp(json_string_value(json_object_get(entry, "uuid")), search->uuid) == 0) {
        search->entry = json_incref(entry);
        search->directory = strdup(directory);
    }
    json_decref(entry);
    return !search->entry;
}

/* The entry, and its folder, malloc'ed. */
static json_t *find(const struct book *book, const char *name, const char *uuid,
                    char **ret_directory, struct romsim_error *err)
{
    struct search search = {.uuid = uuid};

    if (!name && each(book, has_uuid, &search, err) < 0)
        return NULL;
    if (name && romsim_name_is_valid(name)) {
        search.directory = romsim_path_join(book->entries, name);
        if (search.directory && access(search.directory, F_OK) == 0 &&
            !(search.entry = load(search.directory, name, err))) {
            free(search.directory);
            return NULL;
        }
    }
    if (search.entry && search.directory) {
        *ret_directory = search.directory;
        return search.entry;
    }
    if (search.entry)
        romsim_error_nomem(err);
    else
        not_found(book->kind, name, uuid, err);
    json_decref(search.entry);
    free(search.directory);
    return NULL;
}

json_t *romsim_ledger_find(enum romsim_ledger ledger, const char *name, const char *uuid,
                           struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = NO_BOOK;
    CLEANUP_FREE char *directory = NULL;

    return book_open(ledger, &book, err) < 0 ? NULL : find(&book, name, uuid, &directory, err);
}

static bool collect(void *context, const char *directory, const char *name)
{
    json_t *entry = load(directory, name, NULL);

    if (entry)
        json_array_append_new(context, entry);
    return true;
}

static int compare_entries(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    json_int_t first = json_integer_value(json_object_get(a, "created_at"));
    json_int_t second = json_integer_value(json_object_get(b, "created_at"));

    if (first != second)
        return first < second ? -1 : 1;
    return strcmp(json_string_value(json_object_get(a, "uuid")),
                  json_string_value(json_object_get(b, "uuid")));
}

/* A new array with the items of one, which it takes. */
static json_t *sort(json_t *array)
{
    size_t count = json_array_size(array);
    json_t **items = calloc(count + 1, sizeof(json_t *)), *sorted = json_array();

    for (size_t i = 0; items && i < count; i++)
        items[i] = json_array_get(array, i);
    if (items)
        qsort(items, count, sizeof(json_t *), compare_entries);
    for (size_t i = 0; items && i < count; i++)
        json_array_append(sorted, items[i]);
    if (json_array_size(sorted) != count) {
        json_decref(sorted);
        sorted = NULL;
    }
    free(items);
    json_decref(array);
    return sorted;
}

json_t *romsim_ledger_list(enum romsim_ledger ledger, struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = NO_BOOK;
    json_t *array;

    if (book_open(ledger, &book, err) < 0)
        return NULL;
    array = json_array();
    if (array && each(&book, collect, array, err) < 0) {
        json_decref(array);
        return NULL;
    }
    array = array ? sort(array) : NULL;
    if (!array)
        romsim_error_nomem(err);
    return array;
}

/* ---- making, using, changing ------------------------------------------------------------------
 */

/* A descriptor with the shared lock: while the ledger is locked nobody has another. */
static int use(const char *directory, struct romsim_error *err)
{
    int fd = open_users(directory, O_CREAT, err);

    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(fd);
        return romsim_error_set(err, EBUSY, "'%s' is locked by another program", QUOTE(directory));
    }
    return fd;
}

json_t *romsim_ledger_use(enum romsim_ledger ledger, const char *name, const char *uuid,
                          int *ret_use, struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = NO_BOOK;
    CLEANUP_FREE char *directory = NULL;
    json_t *entry = NULL;
    int fd = -1;

    if (book_open(ledger, &book, err) < 0 || !(entry = find(&book, name, uuid, &directory, err)))
        return NULL;
    fd = use(directory, err);
    if (fd < 0) {
        json_decref(entry);
        return NULL;
    }
    *ret_use = fd;
    return entry;
}

static int check_room(const struct book *book, struct romsim_error *err)
{
    if (book->count < ROMSIM_LEDGER_MAX)
        return 0;
    romsim_error_set(err, EDQUOT, "Too many %ss: at most %d", kinds[book->kind].noun,
                     ROMSIM_LEDGER_MAX);
    if (err)
        err->cloud = ROMSIM_CLOUD_QUOTA;
    return -1;
}

static int make_folder(const struct book *book, const char *name, const char *directory,
                       struct romsim_error *err)
{
    if (mkdir(directory, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return romsim_error_system(err, errno, "cannot make '%s'", QUOTE(directory));
    romsim_error_set(err, EEXIST, "A %s with the name '%s' already exists", kinds[book->kind].noun,
                     QUOTE(name));
    if (err)
        err->cloud = ROMSIM_CLOUD_ALREADY_EXISTS;
    return -1;
}

static int stamp(json_t *entry, const char *name, bool is_persistent, struct romsim_error *err)
{
    char uuid[ROMSIM_UUID_SIZE];

    if (!romsim_uuid_new(uuid))
        return romsim_error_system(err, errno, "the kernel has no random bytes");
    return json_object_set_new(entry, "name", json_string(name)) < 0 ||
                   json_object_set_new(entry, "uuid", json_string(uuid)) < 0 ||
                   json_object_set_new(entry, "created_at", json_integer(time(NULL))) < 0 ||
                   json_object_set_new(entry, "persistent", json_boolean(is_persistent)) < 0
               ? romsim_error_nomem(err)
               : 0;
}

/* Fills the folder of an entry. */
static int write_entry(const char *directory, json_t *entry, int *ret_use, struct romsim_error *err)
{
    CLEANUP_FD int fd = -1;

    if (ret_use && (fd = use(directory, err)) < 0)
        return -1;
    if (json_file_save(directory, RECORD, json_incref(entry), err) < 0)
        return -1;
    if (ret_use)
        *ret_use = steal_fd(&fd);
    return 0;
}

static int add(enum romsim_ledger ledger, const char *name, json_t *entry, bool is_persistent,
               int *ret_use, struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = NO_BOOK;
    CLEANUP_FREE char *directory = NULL;

    if (romsim_name_check_new(ledger == ROMSIM_LEDGER_GROUPS ? "service group name"
                                                             : "certificate name",
                              name, err) < 0 ||
        book_open(ledger, &book, err) < 0 || check_room(&book, err) < 0 ||
        stamp(entry, name, is_persistent, err) < 0)
        return -1;
    directory = romsim_path_join(book.entries, name);
    if (!directory)
        return romsim_error_nomem(err);
    if (make_folder(&book, name, directory, err) < 0)
        return -1;
    if (write_entry(directory, entry, ret_use, err) == 0)
        return 0;
    romsim_path_remove_tree(directory, NULL);
    return -1;
}

json_t *romsim_ledger_add(enum romsim_ledger ledger, const char *name, json_t *entry,
                          bool is_persistent, int *ret_use, struct romsim_error *err)
{
    if (entry && add(ledger, name, entry, is_persistent, ret_use, err) == 0)
        return entry;
    if (!entry)
        romsim_error_nomem(err);
    json_decref(entry);
    return NULL;
}

json_t *romsim_ledger_change(enum romsim_ledger ledger, const char *name, const char *uuid,
                             romsim_ledger_changer *change, void *context, struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = NO_BOOK;
    CLEANUP_FREE char *directory = NULL;
    json_t *entry;

    if (book_open(ledger, &book, err) < 0 || !(entry = find(&book, name, uuid, &directory, err)))
        return NULL;
    if (change(context, entry, err) == 0 &&
        json_file_save(directory, RECORD, json_incref(entry), err) == 0)
        return entry;
    json_decref(entry);
    return NULL;
}

json_t *romsim_ledger_remove(enum romsim_ledger ledger, const char *name, const char *uuid,
                             struct romsim_error *err)
{
    CLEANUP_BOOK struct book book = NO_BOOK;
    CLEANUP_FREE char *directory = NULL;
    json_t *entry;
    int status = 0;

    if (book_open(ledger, &book, err) < 0 || !(entry = find(&book, name, uuid, &directory, err)))
        return NULL;
    if (is_used(directory)) {
        status = romsim_error_set(err, EBUSY, "The %s '%s' is in use", kinds[ledger].noun,
                                  QUOTE(json_string_value(json_object_get(entry, "name"))));
        if (err)
            err->cloud = ROMSIM_CLOUD_ATTACHED;
    }
    if (status == 0)
        status = romsim_path_remove_tree(directory, err);
    if (status == 0)
        return entry;
    json_decref(entry);
    return NULL;
}

void romsim_ledger_sweep(enum romsim_ledger ledger)
{
    CLEANUP_BOOK struct book book = NO_BOOK;

    book_open(ledger, &book, NULL);
}
