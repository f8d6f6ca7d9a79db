/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c: `run --watch`, `edit --watch`: what instances are made of is watched, and they are
 * started again with what has changed.
 *
 * Theory of operation: inotify watches folders, since editors replace files by renaming others into
 * place: the folder of the instance file and of each file that an image or ROM is made from, and
 * all folders below a directory that becomes one.  A change starts a timer, so that what is written
 * in many steps is seen once.  Then the file is read again, as at the beginning, and what it makes
 * is compared with what runs: by the digests of the images, which are the same for the same
 * content, and by the bodies of requests for all else.  What differs becomes edits of the instance;
 * its keeper builds them while the old one goes on, and then starts it again.
 *
 * Nothing may fall between reading and watching: new folders are watched before the sources are
 * read, and if those that were read have led to new ones, all is read once more.
 *
 * What is wrong in the file, or cannot be built, is reported, and the old one goes on.
 */
#include "watch.h"

#include "make.h"

#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/reference.h>
#include <romsim/text.h>
#include <romsim/vector.h>

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    SETTLE_MS = 60, /* without a change, before the file is read again */
    SETTLE_MOST_MS = 1000,
    FOLDERS_MAX = 8192,
    WALK_DESCRIPTORS = 16,
    CHANGES = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |
              IN_ONLYDIR
};

/* A folder under watch; of one that is watched for some files only, their names. */
struct folder {
    int id;
    bool whole;
    char *path;
};

struct file {
    int id;
    char *name;
};

DEFINE_VECTOR(folders, struct folder);
DEFINE_VECTOR(files, struct file);

/* What is under way for an instance. */
struct restart {
    uint64_t since; /* stream_clock() of the change; 0: nothing */
    bool is_asked;  /* and its keeper has not begun yet */
    bool has_begun; /* the start with it: before that, an answer is the old one's */
    char what[256];
};

struct watch {
    const struct cli_args *args;
    struct romsim_making *set;
    size_t first, count; /* of the set, which are ours */
    struct run_console *console;
    struct restart *restarts; /* for each of ours */
    int inotify, timer, epoll;
    struct folders folders;
    struct files files;
    char changed[256]; /* the first name of a change; "" before it */
    unsigned more;     /* names that changed, too */
    uint64_t changed_at;
};

/* ---- what is watched ---------------------------------------------------------------------------
 */

static int add_folder(struct watch *watch, const char *path, bool whole)
{
    int id = inotify_add_watch(watch->inotify, path, CHANGES);

    for (size_t i = 0; id >= 0 && i < watch->folders.count; i++)
        if (watch->folders.items[i].id == id) {
            watch->folders.items[i].whole |= whole;
            return id;
        }
    if (id >= 0 && watch->folders.count < FOLDERS_MAX)
        folders_append(&watch->folders, (struct folder){id, whole, strdup(path)});
    return id;
}

/* nftw() has no context. */
static struct watch *walking;

static int add_visit(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat, (void)place;
    return type == FTW_D && walking->folders.count < FOLDERS_MAX &&
                   add_folder(walking, path, true) < 0 && errno == ENOSPC
               ? -1
               : 0;
}

static bool has_file(const struct watch *watch, int id, const char *name)
{
    for (size_t i = 0; i < watch->files.count; i++)
        if (watch->files.items[i].id == id && strcmp(watch->files.items[i].name, name) == 0)
            return true;
    return false;
}

static void add_file(struct watch *watch, const char *path)
{
    CLEANUP_FREE char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    int id;

    if (!folder)
        return;
    if (slash)
        *slash = '\0';
    id = add_folder(watch, !slash ? "." : *folder ? folder : "/", false);
    if (id >= 0 && !has_file(watch, id, slash ? slash + 1 : path))
        files_append(&watch->files, (struct file){id, strdup(slash ? slash + 1 : path)});
}

static void add_path(struct watch *watch, const char *path)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        walking = watch;
        if (nftw(path, add_visit, WALK_DESCRIPTORS, FTW_PHYS | FTW_MOUNT) < 0)
            cli_warn("the kernel watches no more folders (fs.inotify.max_user_watches): changes "
                     "in '%s' may not be seen",
                     QUOTE(path));
    } else {
        add_file(watch, path);
    }
}

/* What an image's reference leads to, if it is on this machine. */
static void add_reference(struct watch *watch, const char *directory, const char *reference)
{
    CLEANUP_FREE char *path = NULL;
    const char *rest;
    char *tag;

    if (!reference || !romsim_reference_is_local(reference))
        return;
    romsim_reference_form(reference, &rest);
    path = romsim_path_join(directory, rest);
    if (path && access(path, F_OK) < 0 && (tag = strrchr(path, ':')))
        *tag = '\0';
    if (path)
        add_path(watch, path);
}

static void add_instance(struct watch *watch, const struct romsim_instance *instance)
{
    add_reference(watch, instance->directory, instance->image);
    for (size_t i = 0; i < instance->rom_count; i++) {
        const struct romsim_rom *rom = &instance->roms[i];
        CLEANUP_FREE char *dir = rom->dir ? romsim_path_join(instance->directory, rom->dir) : NULL;

        add_reference(watch, instance->directory, rom->image);
        if (dir)
            add_path(watch, dir);
    }
}

/* Adds what is not watched yet. */
static void add_all(struct watch *watch)
{
    const struct cli_args *args = watch->args;
    const char *path;
    size_t index = 0;

    if (args->operand_count && strcmp(args->operands[0], "-") != 0)
        add_file(watch, args->operands[0]);
    while ((path = cli_each(args, "env-file", &index)))
        add_file(watch, path);
    for (size_t i = 0; i < watch->set->count; i++)
        add_instance(watch, watch->set->instances[i]);
}

/* ---- changes -----------------------------------------------------------------------------------
 */

static bool is_watched(const struct watch *watch, const struct inotify_event *event)
{
    for (size_t i = 0; i < watch->folders.count; i++)
        if (watch->folders.items[i].id == event->wd && watch->folders.items[i].whole)
            return true;
    return event->len && has_file(watch, event->wd, event->name);
}

static void note_change(struct watch *watch, const struct inotify_event *event)
{
    const char *name = event->len ? event->name : "a folder";

    if (!is_watched(watch, event))
        return;
    if (!*watch->changed) {
        romsim_text_quote(name, strlen(name), watch->changed, sizeof(watch->changed));
        watch->changed_at = stream_clock();
        watch->more = 0;
    } else if (strcmp(watch->changed, name) != 0) {
        watch->more++;
    }
}

/* Is a keeper still building what was asked of it?  It takes one thing after the other. */
static bool is_busy(const struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->restarts[i].is_asked)
            return true;
    return false;
}

static void set_timer(struct watch *watch)
{
    uint64_t age = stream_clock() - watch->changed_at;
    long wait_ms = age + SETTLE_MS > SETTLE_MOST_MS && !is_busy(watch) ? 1 : SETTLE_MS;
    const struct itimerspec time = {.it_value = {.tv_nsec = wait_ms * 1000000}};

    timerfd_settime(watch->timer, 0, &time, NULL);
}

static void read_changes(struct watch *watch)
{
    char bytes[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size = read(watch->inotify, bytes, sizeof(bytes));

    for (ssize_t place = 0; place < size;) {
        const struct inotify_event *event = (const void *)(bytes + place);

        note_change(watch, event);
        place += (ssize_t)(sizeof(*event) + event->len);
    }
    if (*watch->changed)
        set_timer(watch);
}

/* ---- what differs ------------------------------------------------------------------------------
 */

static json_t *request_of(const struct romsim_instance *instance)
{
    CLEANUP_FREE char *text = romsim_instance_request(instance, NULL);

    return text ? json_loads(text, 0, NULL) : NULL;
}

/* The digests of the images of a role, a new array. */
static json_t *digests_of(const struct romsim_layout *layout, enum romsim_device_role role)
{
    json_t *digests = json_array();

    for (size_t i = 0; i < layout->device_count; i++)
        if (layout->devices[i].role == role)
            json_array_append_new(digests,
                                  json_string(layout->devices[i].blob
                                                  ? romsim_blob_sha256_hex(layout->devices[i].blob)
                                                  : ""));
    return digests;
}

static void add_edit(json_t *edits, const char *property, const char *absent, json_t *value)
{
    json_t *none = !value && absent ? json_loads(absent, 0, NULL) : NULL;

    json_array_append_new(edits,
                          json_pack("{s:s, s:s, s:O*}", "prop", property, "op",
                                    value || none ? "set" : "del", "value", value ? value : none));
    json_decref(none);
}

/* What an instance is, as far as it can be changed: new references. */
struct shape {
    json_t *request, *roots, *roms;
};

static struct shape shape_of(const struct romsim_instance *instance,
                             const struct romsim_layout *layout)
{
    return (struct shape){request_of(instance), digests_of(layout, ROMSIM_DEVICE_ROOT),
                          digests_of(layout, ROMSIM_DEVICE_ROM)};
}

static void shape_clear(struct shape *shape)
{
    json_decref(shape->request);
    json_decref(shape->roots);
    json_decref(shape->roms);
}

/* The edits that make the new of the old, a new array; empty if nothing has changed.  The requests
 * are left with what no edit changes. */
static json_t *difference(struct shape *old, struct shape *new)
{
    json_t *edits = json_array(), *from = old->request, *to = new->request;
    const char *name, *absent;

    for (size_t i = 0; romsim_instance_property(i, &name, &absent); i++) {
        json_t *before = json_object_get(from, name), *after = json_object_get(to, name);
        bool differs = before && after ? !json_equal(before, after) : before != after;

        if (strcmp(name, "roms") == 0)
            differs |= !json_equal(old->roms, new->roms);
        if (strcmp(name, "image") == 0)
            differs |= !json_equal(old->roots, new->roots);
        if (differs)
            add_edit(edits, name, absent, after);
        json_object_del(from, name);
        json_object_del(to, name);
    }
    return edits;
}

/* ---- reading again -----------------------------------------------------------------------------
 */

static struct romsim_layout *make_layout(const struct romsim_instance *instance)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_layout *layout = romsim_layout_new(instance, &diagnostics);

    cli_report_all(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return layout;
}

/* Where the next instance of the file stands in the set, behind replicas. */
static size_t skip(const struct romsim_making *set, size_t index)
{
    return index + 1 + set->instances[index]->replicas;
}

/* Has one of ours changed, by the reason that was noted. */
static void change_one(struct watch *watch, size_t instance, const json_t *edits,
                       watch_changer *change, void *context)
{
    struct restart *restart = &watch->restarts[instance];

    restart->since = watch->changed_at;
    restart->is_asked = true;
    restart->has_begun = false;
    snprintf(restart->what, sizeof(restart->what), "%s", watch->changed);
    if (watch->more)
        snprintf(restart->what + strlen(restart->what),
                 sizeof(restart->what) - strlen(restart->what), " and %u more", watch->more);
    change(context, instance, json_deep_copy(edits));
}

/* The instance and its layout are taken; `index` is the first of its replicas. */
static void compare(struct watch *watch, size_t index, struct romsim_instance *instance,
                    struct romsim_layout *layout, watch_changer *change, void *context)
{
    struct romsim_making *set = watch->set;
    struct shape old = shape_of(set->instances[index], set->layouts[index]);
    struct shape new = shape_of(instance, layout);
    json_t *edits = difference(&old, &new);

    if (!json_equal(old.request, new.request))
        cli_warn("what else has changed in the file takes effect with the next 'romsim run'");
    for (size_t i = index; json_array_size(edits) && i < skip(set, index); i++)
        if (i >= watch->first && i - watch->first < watch->count)
            change_one(watch, i - watch->first, edits, change, context);
    json_decref(edits);
    shape_clear(&old);
    shape_clear(&new);
    /* Replicas keep their own, which are compared with nothing.  The name stays, and where it
     * stands: the console has it, too. */
    free(layout->name);
    layout->name = STEAL_POINTER(&set->layouts[index]->name);
    romsim_instance_free(set->instances[index]);
    romsim_layout_free(set->layouts[index]);
    set->instances[index] = instance;
    set->layouts[index] = layout;
}

void watch_catch_up(struct watch *watch, size_t instance, const json_t *request, const json_t *roms,
                    watch_changer *change, void *context)
{
    const struct romsim_making *set = watch->set;
    size_t index = 0;
    struct shape old, new;
    json_t *edits;

    while (skip(set, index) <= watch->first + instance)
        index = skip(set, index);
    new = shape_of(set->instances[index], set->layouts[index]);
    old = (struct shape){json_deep_copy(request), json_incref(new.roots), json_deep_copy(roms)};
    edits = difference(&old, &new);
    snprintf(watch->changed, sizeof(watch->changed), "what it is made of");
    watch->more = 0;
    watch->changed_at = stream_clock();
    if (json_array_size(edits))
        change_one(watch, instance, edits, change, context);
    watch->changed[0] = '\0';
    json_decref(edits);
    shape_clear(&old);
    shape_clear(&new);
}

/* Are these as many instances as before? */
static bool fits(const struct romsim_making *set, const struct romsim_instances *instances)
{
    size_t index = 0;

    for (size_t i = 0; i < instances->count; i++) {
        if (index >= set->count || instances->items[i]->replicas != set->instances[index]->replicas)
            return false;
        index = skip(set, index);
    }
    return index == set->count;
}

/* Returns whether that has led to places that are watched from now on only. */
static bool read_again(struct watch *watch, watch_changer *change, void *context)
{
    struct romsim_instances instances = {0};
    size_t index = 0, watched;

    add_all(watch);
    watched = watch->folders.count + watch->files.count;
    if (make_instances(watch->args, &instances) != CLI_OK) {
        cli_note("what runs goes on as it was");
        return false;
    }
    if (!fits(watch->set, &instances)) {
        cli_warn("the file has more or fewer instances now: 'romsim run' it anew for those");
        romsim_instances_clear(&instances);
        return false;
    }
    for (size_t i = 0; i < instances.count; i++) {
        struct romsim_layout *layout = make_layout(instances.items[i]);

        if (layout)
            compare(watch, index, STEAL_POINTER(&instances.items[i]), layout, change, context);
        else
            cli_note("what runs goes on as it was");
        index = skip(watch->set, index);
    }
    romsim_instances_clear(&instances);
    add_all(watch);
    return watch->folders.count + watch->files.count > watched;
}

void watch_dispatch(struct watch *watch, watch_changer *change, void *context)
{
    struct epoll_event events[2];
    int count = epoll_wait(watch->epoll, events, 2, 0);
    uint64_t times;

    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == watch->inotify) {
            read_changes(watch);
        } else if (read(watch->timer, &times, sizeof(times)) == sizeof(times)) {
            if (is_busy(watch)) {
                set_timer(watch);
                continue;
            }
            if (read_again(watch, change, context))
                set_timer(watch);
            else
                watch->changed[0] = '\0';
        }
    }
}

/* ---- what came of it ---------------------------------------------------------------------------
 */

static void say_restarted(struct watch *watch, size_t instance, const char *how)
{
    struct restart *restart = &watch->restarts[instance];

    if (!watch->console->quiet)
        run_console_say(watch->console, "%s: %s changed, %s after %.1f s",
                        watch->console->names[instance], restart->what, how,
                        (double)(stream_clock() - restart->since) / 1000);
    restart->since = 0;
}

void watch_edited(struct watch *watch, size_t instance)
{
    watch->restarts[instance].is_asked = false;
    say_restarted(watch, instance, "edited");
}

void watch_event(void *context, size_t instance, const struct romsim_vm_event *event)
{
    struct watch *watch = context;
    struct restart *restart = &watch->restarts[instance];
    bool is_pending = restart->since != 0;
    bool is_up;
    char how[128];

    if (event->kind == ROMSIM_VM_STATE || event->kind == ROMSIM_VM_ERROR ||
        event->kind == ROMSIM_VM_FAILED)
        restart->is_asked = false;
    if (event->kind == ROMSIM_VM_STATE && strcmp(event->text, "starting") == 0)
        restart->has_begun = true;
    is_up = is_pending && restart->has_begun;
    if (is_up && event->kind == ROMSIM_VM_PORT) {
        snprintf(how, sizeof(how), "answers at %s", event->text);
        say_restarted(watch, instance, how);
        return;
    }
    run_console_event(watch->console, instance, event);
    if (is_up && event->kind == ROMSIM_VM_PHASE && strcmp(event->text, "app") == 0 &&
        watch->set->layouts[watch->first + instance]->port_count == 0)
        say_restarted(watch, instance, "runs again");
    if (is_pending && event->kind == ROMSIM_VM_ERROR)
        restart->since = 0;
    if (event->kind == ROMSIM_VM_EXIT && !watch->console->is_ending && !watch->console->quiet)
        run_console_say(watch->console,
                        "%s: the app ended with status %d; a change starts it again, ctrl-C ends",
                        watch->console->names[instance], event->status);
}

/* ---- from beginning to end ---------------------------------------------------------------------
 */

static int watch_descriptor(const struct watch *watch, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return fd < 0 ? -1 : epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event);
}

struct watch *watch_new(const struct cli_args *args, struct romsim_making *set, size_t first,
                        size_t count, struct run_console *console)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    struct romsim_error error;

    if (!watch)
        return NULL;
    watch->args = args;
    watch->set = set;
    watch->first = first;
    watch->count = count;
    watch->console = console;
    watch->restarts = calloc(count + 1, sizeof(*watch->restarts));
    watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (watch->restarts && watch_descriptor(watch, watch->inotify) == 0 &&
        watch_descriptor(watch, watch->timer) == 0) {
        add_all(watch);
        return watch;
    }
    romsim_error_system(&error, errno, "cannot watch files (--watch)");
    cli_report(&error);
    watch_free(watch);
    return NULL;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    for (size_t i = 0; i < watch->folders.count; i++)
        free(watch->folders.items[i].path);
    for (size_t i = 0; i < watch->files.count; i++)
        free(watch->files.items[i].name);
    folders_reset(&watch->folders);
    files_reset(&watch->files);
    cleanup_close_fd(&watch->inotify);
    cleanup_close_fd(&watch->timer);
    cleanup_close_fd(&watch->epoll);
    free(watch->restarts);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch ? watch->epoll : -1;
}
