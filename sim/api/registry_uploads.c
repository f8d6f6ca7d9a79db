/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry_uploads.c: what is under way: bodies, uploads, and blobs that no name leads to yet.
 *
 * All of it is in lists that are short, under one lock.  What is under way in a repository keeps
 * the blobs that were pushed there before: a layer that takes an hour comes after others.
 */
#include "registry.h"

#include <romsim/bounds.h>
#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/text.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { UPLOADS_MAX = 128, BODIES_MAX = 128, HELD_MAX = 8192 };

struct registry_body {
    struct registry *registry;
    struct registry_body *next;
    char name[REGISTRY_NAME_SIZE];
};

struct held {
    struct held *next;
    char name[REGISTRY_NAME_SIZE];
    char digest[ROMSIM_DIGEST_SIZE];
    char media_type[128];
    uint64_t touched_us;
};

struct registry {
    pthread_mutex_t lock;
    struct romsim_store *store; /* whose lock is held; NULL while nothing is under way */
    struct registry_upload *uploads;
    struct registry_body *bodies;
    struct held *held;
    size_t upload_count, body_count, held_count;
    uint64_t bytes; /* of all uploads */
};

struct registry *registry_new(struct romsim_error *err)
{
    struct registry *registry = calloc(1, sizeof(*registry));

    if (!registry)
        romsim_error_nomem(err);
    else
        pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

static void free_upload(struct registry_upload *upload)
{
    cleanup_close_fd(&upload->fd);
    free(upload);
}

void registry_free(struct registry *registry)
{
    if (!registry)
        return;
    while (registry->uploads) {
        struct registry_upload *upload = registry->uploads;

        registry->uploads = upload->next;
        free_upload(upload);
    }
    while (registry->held) {
        struct held *held = registry->held;

        registry->held = held->next;
        free(held);
    }
    romsim_store_close(registry->store);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

/* The store's lock is held from the first thing that is under way ... */
static void take_store(struct registry *registry, struct romsim_store **store)
{
    if (!registry->store)
        registry->store = STEAL_POINTER(store);
}

/* ... to the last.  A body alone has put nothing there. */
static void give_store_up(struct registry *registry)
{
    if (!registry->uploads && !registry->held)
        romsim_store_close(STEAL_POINTER(&registry->store));
}

static bool is_repository(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

/* Something goes on in a repository: what was pushed there before is kept. */
static void touch(struct registry *registry, const char *name, uint64_t now_us)
{
    for (struct held *held = registry->held; held; held = held->next)
        if (is_repository(held->name, name))
            held->touched_us = now_us;
}

/* ---- bodies ------------------------------------------------------------------------------------
 */

struct registry_body *registry_body_begin(struct registry *registry, const char *name,
                                          struct romsim_error *err)
{
    struct registry_body *body = calloc(1, sizeof(*body));
    bool is_admitted;

    if (!body) {
        romsim_error_nomem(err);
        return NULL;
    }
    body->registry = registry;
    snprintf(body->name, sizeof(body->name), "%s", name);
    pthread_mutex_lock(&registry->lock);
    is_admitted = registry->body_count < BODIES_MAX;
    if (is_admitted) {
        body->next = registry->bodies;
        registry->bodies = body;
        registry->body_count++;
    }
    pthread_mutex_unlock(&registry->lock);
    if (is_admitted)
        return body;
    free(body);
    romsim_error_set(err, EBUSY, "too many uploads at once");
    return NULL;
}

void registry_body_end(void *context)
{
    struct registry_body *body = context;
    struct registry *registry;

    if (!body)
        return;
    registry = body->registry;
    pthread_mutex_lock(&registry->lock);
    for (struct registry_body **at = &registry->bodies; *at; at = &(*at)->next)
        if (*at == body) {
            *at = body->next;
            registry->body_count--;
            break;
        }
    touch(registry, body->name, romsim_clock_us());
    pthread_mutex_unlock(&registry->lock);
    free(body);
}

/* ---- uploads -----------------------------------------------------------------------------------
 */

static void remove_upload(struct registry *registry, struct registry_upload *upload)
{
    for (struct registry_upload **at = &registry->uploads; *at; at = &(*at)->next)
        if (*at == upload) {
            *at = upload->next;
            registry->upload_count--;
            registry->bytes -= upload->size;
            break;
        }
    free_upload(upload);
}

/* Where all places are taken, the one goes that nobody has gone on with for the longest time. */
static bool make_room(struct registry *registry, uint64_t now_us)
{
    enum { STALE_US = 30000000 };
    struct registry_upload *oldest = NULL;

    if (registry->upload_count < UPLOADS_MAX)
        return true;
    for (struct registry_upload *upload = registry->uploads; upload; upload = upload->next)
        if (!upload->is_busy && (!oldest || upload->touched_us < oldest->touched_us))
            oldest = upload;
    if (!oldest || now_us - oldest->touched_us < STALE_US)
        return false;
    remove_upload(registry, oldest);
    return true;
}

static struct registry_upload *new_upload(const char *name, uint64_t now_us)
{
    struct registry_upload *upload = calloc(1, sizeof(*upload));

    if (!upload || !romsim_uuid_new(upload->id)) {
        free(upload);
        return NULL;
    }
    snprintf(upload->name, sizeof(upload->name), "%s", name);
    upload->fd = -1;
    upload->is_busy = true;
    upload->touched_us = now_us;
    return upload;
}

struct registry_upload *registry_begin(struct registry *registry, const char *name,
                                       struct romsim_store **store, struct romsim_error *err)
{
    uint64_t now_us = romsim_clock_us();
    struct registry_upload *upload = new_upload(name, now_us);
    bool has_room;

    if (!upload) {
        romsim_error_nomem(err);
        return NULL;
    }
    pthread_mutex_lock(&registry->lock);
    has_room = make_room(registry, now_us);
    if (has_room) {
        upload->next = registry->uploads;
        registry->uploads = upload;
        registry->upload_count++;
        touch(registry, name, now_us);
        take_store(registry, store);
    }
    pthread_mutex_unlock(&registry->lock);
    if (has_room)
        return upload;
    free_upload(upload);
    romsim_error_set(err, EBUSY, "there are %d uploads already", UPLOADS_MAX);
    return NULL;
}

static struct registry_upload *find_upload(struct registry *registry, const char *name,
                                           const char *id)
{
    for (struct registry_upload *upload = registry->uploads; upload; upload = upload->next)
        if (strcmp(upload->id, id) == 0 && is_repository(upload->name, name))
            return upload;
    return NULL;
}

struct registry_upload *registry_get(struct registry *registry, const char *name, const char *id,
                                     struct romsim_error *err)
{
    struct registry_upload *upload;

    pthread_mutex_lock(&registry->lock);
    upload = find_upload(registry, name, id);
    if (!upload)
        romsim_error_set(err, ENOENT, "there is no upload '%s'", QUOTE(id));
    else if (upload->is_busy)
        romsim_error_set(err, EBUSY, "somebody else is going on with the upload '%s'", id);
    if (upload && upload->is_busy)
        upload = NULL;
    else if (upload)
        upload->is_busy = true;
    pthread_mutex_unlock(&registry->lock);
    return upload;
}

void registry_give_back(struct registry *registry, struct registry_upload *upload)
{
    pthread_mutex_lock(&registry->lock);
    upload->is_busy = false;
    upload->touched_us = romsim_clock_us();
    pthread_mutex_unlock(&registry->lock);
}

void registry_end(struct registry *registry, struct registry_upload *upload)
{
    pthread_mutex_lock(&registry->lock);
    remove_upload(registry, upload);
    give_store_up(registry);
    pthread_mutex_unlock(&registry->lock);
}

int registry_resize(struct registry *registry, struct registry_upload *upload, uint64_t size,
                    struct romsim_error *err)
{
    uint64_t limit = romsim_bound(ROMSIM_BOUND_FILE_BYTES), all;
    bool fits;

    pthread_mutex_lock(&registry->lock);
    fits = size <= upload->size ||
           (checked_add(registry->bytes, size - upload->size, &all) && all <= limit);
    if (fits) {
        registry->bytes = registry->bytes - upload->size + size;
        upload->size = size;
    }
    pthread_mutex_unlock(&registry->lock);
    if (fits)
        return 0;
    return romsim_bound_refuse(err, ROMSIM_BOUND_FILE_BYTES, "the uploads have more than %s",
                               SIZE_TEXT(limit));
}

/* ---- blobs without a name ----------------------------------------------------------------------
 */

static struct held **find_held(struct registry *registry, const char *name, const char *digest)
{
    struct held **at = &registry->held;

    while (*at && !(strcmp((*at)->digest, digest) == 0 && is_repository((*at)->name, name)))
        at = &(*at)->next;
    return at;
}

static void remove_held(struct registry *registry, struct held **at)
{
    struct held *held = *at;

    *at = held->next;
    registry->held_count--;
    free(held);
}

int registry_hold(struct registry *registry, const char *name, const char *digest,
                  const char *media_type, struct romsim_store **store, struct romsim_error *err)
{
    struct held *fresh = calloc(1, sizeof(*fresh)), *held;
    bool has_room;

    if (!fresh)
        return romsim_error_nomem(err);
    snprintf(fresh->name, sizeof(fresh->name), "%s", name);
    snprintf(fresh->digest, sizeof(fresh->digest), "%s", digest);
    pthread_mutex_lock(&registry->lock);
    held = *find_held(registry, name, digest);
    has_room = held || registry->held_count < HELD_MAX;
    if (!held && has_room) {
        held = STEAL_POINTER(&fresh);
        held->next = registry->held;
        registry->held = held;
        registry->held_count++;
    }
    if (held && *media_type)
        snprintf(held->media_type, sizeof(held->media_type), "%s", media_type);
    if (held) {
        touch(registry, name, romsim_clock_us());
        take_store(registry, store);
    }
    pthread_mutex_unlock(&registry->lock);
    free(fresh);
    return has_room
               ? 0
               : romsim_error_set(err, EBUSY, "%d blobs wait for a manifest already", HELD_MAX);
}

bool registry_holds(struct registry *registry, const char *name, const char *digest, char *ret_type,
                    size_t ret_size)
{
    const struct held *held;

    pthread_mutex_lock(&registry->lock);
    held = *find_held(registry, name, digest);
    if (held)
        snprintf(ret_type, ret_size, "%s", held->media_type);
    pthread_mutex_unlock(&registry->lock);
    return held;
}

void registry_let_go(struct registry *registry, const char *name, const char *digest)
{
    pthread_mutex_lock(&registry->lock);
    /* A blob is safe now wherever it was pushed; a manifest is still looked for where it was. */
    for (struct held **at = &registry->held; *at;)
        if (strcmp((*at)->digest, digest) == 0 &&
            (!*(*at)->media_type || is_repository((*at)->name, name)))
            remove_held(registry, at);
        else
            at = &(*at)->next;
    give_store_up(registry);
    pthread_mutex_unlock(&registry->lock);
}

/* ---- time --------------------------------------------------------------------------------------
 */

static bool is_idle(uint64_t touched_us, uint64_t now_us)
{
    return now_us > touched_us && now_us - touched_us > REGISTRY_IDLE_S * UINT64_C(1000000);
}

/* Keeps what belongs to a repository where something goes on. */
static void touch_busy(struct registry *registry, uint64_t now_us)
{
    for (const struct registry_body *body = registry->bodies; body; body = body->next) {
        touch(registry, body->name, now_us);
        for (struct registry_upload *upload = registry->uploads; upload; upload = upload->next)
            if (is_repository(upload->name, body->name))
                upload->touched_us = now_us;
    }
    for (struct registry_upload *upload = registry->uploads; upload; upload = upload->next)
        if (upload->is_busy)
            touch(registry, upload->name, now_us);
}

void registry_tick(struct registry *registry, uint64_t now_us)
{
    pthread_mutex_lock(&registry->lock);
    touch_busy(registry, now_us);
    for (struct registry_upload *upload = registry->uploads, *next; upload; upload = next) {
        next = upload->next;
        if (!upload->is_busy && is_idle(upload->touched_us, now_us))
            remove_upload(registry, upload);
    }
    for (struct held **at = &registry->held; *at;)
        if (is_idle((*at)->touched_us, now_us))
            remove_held(registry, at);
        else
            at = &(*at)->next;
    give_store_up(registry);
    pthread_mutex_unlock(&registry->lock);
}

void registry_count(struct registry *registry, size_t *ret_uploads, size_t *ret_held,
                    bool *ret_is_locked)
{
    pthread_mutex_lock(&registry->lock);
    *ret_uploads = registry->upload_count;
    *ret_held = registry->held_count;
    *ret_is_locked = registry->store != NULL;
    pthread_mutex_unlock(&registry->lock);
}
