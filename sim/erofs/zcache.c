/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zcache.c: the decoded bytes of the last pclusters, so that reading a file in small pieces, in
 * order or not, decodes a pcluster once.
 *
 * The cache holds 8 MiB at most, or one larger pcluster.  What is read is copied while a reference
 * keeps it; nothing is decoded under the lock, but pclusters over 1 MiB are decoded one at a time,
 * which bounds the memory that many threads can make an image take.  A pcluster that is being
 * decoded is in the cache already, so that who else wants it waits instead of decoding it, too: the
 * kernel's readahead asks for one pcluster with many requests at once.  A read of a whole extent
 * that is not there decodes it to where it is wanted and passes the cache by.
 *
 * Waiting has a fixed depth: decoding what stands in the metabox reads pclusters of the image, and
 * those read nothing else.
 */
#include "reader.h"

#include <errno.h>
#include <pthread.h>

enum { CACHE_SIZE_MAX = 8 << 20, LARGE = 1 << 20, BUCKETS = 256 };

struct key {
    uint64_t position;
    uint64_t length;
    uint32_t encoded;
    uint8_t algorithm;
    bool in_metabox;
    bool partial; /* it decodes to more than `length` */
};

struct entry {
    struct key key;
    unsigned references; /* of readers, and one of the cache */
    struct entry *bucket_next;
    struct entry *newer, *older;
    bool is_ready;                /* it is decoded, or that failed */
    struct romsim_error *failure; /* why not all of it could be decoded */
    uint64_t decoded;             /* bytes of `data` that are there */
    uint8_t data[];
};

struct erofs_zcache {
    pthread_mutex_t lock;
    pthread_cond_t ready; /* an entry is */
    pthread_mutex_t large;
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    uint64_t size;
    uint64_t decodes;                                   /* atomic */
    uint64_t record_nid, record_index, record_position; /* erofs_zcache_remember() */
};

struct erofs_zcache *erofs_zcache_new(void)
{
    struct erofs_zcache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->ready, NULL);
    pthread_mutex_init(&cache->large, NULL);
    cache->record_nid = UINT64_MAX;
    return cache;
}

static struct entry **find_slot(struct erofs_zcache *cache, const struct key *key)
{
    uint64_t hash =
        (key->position >> 6 ^ key->length ^ key->in_metabox) * UINT64_C(0x9E3779B97F4A7C15);
    struct entry **slot = &cache->buckets[hash >> 56];

    while (*slot &&
           ((*slot)->key.position != key->position || (*slot)->key.length != key->length ||
            (*slot)->key.encoded != key->encoded || (*slot)->key.algorithm != key->algorithm ||
            (*slot)->key.in_metabox != key->in_metabox || (*slot)->key.partial != key->partial))
        slot = &(*slot)->bucket_next;
    return slot;
}

static void unlink_age(struct erofs_zcache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct erofs_zcache *cache, struct entry *entry)
{
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

/* With the lock held. */
static void drop_reference(struct entry *entry)
{
    if (--entry->references > 0)
        return;
    free(entry->failure);
    free(entry);
}

static void evict_oldest(struct erofs_zcache *cache)
{
    struct entry *entry = cache->oldest;

    *find_slot(cache, &entry->key) = entry->bucket_next;
    unlink_age(cache, entry);
    cache->size -= entry->key.length;
    drop_reference(entry);
}

void erofs_zcache_free(struct erofs_zcache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        evict_oldest(cache);
    pthread_mutex_destroy(&cache->lock);
    pthread_cond_destroy(&cache->ready);
    pthread_mutex_destroy(&cache->large);
    free(cache);
}

/* Makes room for what was decoded, and lets it grow old among the others.  With the lock held. */
static void keep(struct erofs_zcache *cache, struct entry *entry)
{
    while (cache->oldest && cache->size + entry->key.length > CACHE_SIZE_MAX)
        evict_oldest(cache);
    link_newest(cache, entry);
    cache->size += entry->key.length;
}

/* Drops an entry that says nothing about the image.  With the lock held. */
static void forget(struct erofs_zcache *cache, struct entry *entry)
{
    *find_slot(cache, &entry->key) = entry->bucket_next;
    drop_reference(entry);
}

/* The entry that others decoded, or are decoding: then waits.  With the lock held. */
static void use(struct erofs_zcache *cache, struct entry *entry)
{
    entry->references++;
    while (!entry->is_ready)
        pthread_cond_wait(&cache->ready, &cache->lock);
    if (entry->newer || cache->newest == entry) { /* else it was dropped meanwhile */
        unlink_age(cache, entry);
        link_newest(cache, entry);
    }
}

/* The entry of a key with a reference for the caller, or NULL. */
static struct entry *get(struct erofs_zcache *cache, const struct key *key)
{
    struct entry *entry;

    pthread_mutex_lock(&cache->lock);
    entry = *find_slot(cache, key);
    if (entry)
        use(cache, entry);
    pthread_mutex_unlock(&cache->lock);
    return entry;
}

/* The same, but if there is none it becomes one that the caller has to fill(): *ret_is_new.  NULL
 * without memory. */
static struct entry *get_or_add(struct erofs_zcache *cache, const struct key *key, bool *ret_is_new)
{
    struct entry *fresh = malloc(sizeof(*fresh) + key->length);
    struct entry **slot, *entry;

    if (!fresh)
        return NULL;
    *fresh = (struct entry){.key = *key, .references = 2}; /* the cache's and the caller's */
    pthread_mutex_lock(&cache->lock);
    slot = find_slot(cache, key);
    entry = *slot;
    *ret_is_new = !entry;
    if (entry)
        use(cache, entry);
    else
        *slot = entry = STEAL_POINTER(&fresh);
    pthread_mutex_unlock(&cache->lock);
    free(fresh);
    return entry;
}

static void release(struct erofs_zcache *cache, struct entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    drop_reference(entry);
    pthread_mutex_unlock(&cache->lock);
}

/* Its encoded bytes stand in the image, or are copied from the metabox to *ret_copy. */
static const uint8_t *find_encoded(struct romsim_erofs *erofs, const struct key *key,
                                   uint8_t **ret_copy, struct romsim_error *err)
{
    if (!key->in_metabox)
        return erofs_image_bytes(erofs, key->position, key->encoded, "pcluster", err);
    *ret_copy = malloc(key->encoded + 1);
    if (!*ret_copy)
        romsim_error_nomem(err);
    else if (erofs_meta_read(erofs, true, key->position, *ret_copy, key->encoded, "pcluster",
                             err) == 0)
        return *ret_copy;
    return NULL;
}

/* Decodes the first `size` bytes of a pcluster. */
static int decode(struct romsim_erofs *erofs, const struct key *key, uint8_t *out, uint64_t size,
                  struct romsim_error *err)
{
    uint64_t margin = erofs_block_size(erofs) - erofs_in_block(erofs, key->position);
    CLEANUP_FREE uint8_t *copy = NULL;
    const uint8_t *in = find_encoded(erofs, key, &copy, err);
    bool is_large = size > LARGE;
    int result;

    if (!in)
        return -1;
    __atomic_add_fetch(&erofs->cache->decodes, 1, __ATOMIC_RELAXED);
    if (is_large)
        pthread_mutex_lock(&erofs->cache->large);
    result =
        erofs_decompress(erofs, key->algorithm, in, key->encoded, min_u64(margin, key->encoded),
                         out, size, size == key->length && !key->partial, err);
    if (is_large)
        pthread_mutex_unlock(&erofs->cache->large);
    if (result < 0)
        return romsim_error_context(err, "pcluster at offset %llu%s",
                                    (unsigned long long)key->position,
                                    key->in_metabox ? " of the metabox" : "");
    return 0;
}

/*
 * How much of a damaged pcluster can be had, at the front of entry->data.  The kernel decodes no
 * more than is asked for, so one who reads page by page gets all that stands before the damage.
 * Found by halving, once, so that damage costs a dozen decodes and not one a page.
 */
static void salvage(struct romsim_erofs *erofs, struct entry *entry)
{
    uint64_t good = 0, bad = entry->key.length, precision = max_u64(bad >> 12, 1);

    while (bad - good > precision) {
        uint64_t middle = good + (bad - good) / 2;

        if (decode(erofs, &entry->key, entry->data, middle, NULL) == 0)
            good = middle;
        else
            bad = middle;
    }
    if (good && decode(erofs, &entry->key, entry->data, good, NULL) == 0)
        entry->decoded = good;
}

/* Fills a new entry and wakes those who wait for it. */
static void fill(struct romsim_erofs *erofs, struct entry *entry)
{
    struct erofs_zcache *cache = erofs->cache;
    struct romsim_error failure = {0};

    if (decode(erofs, &entry->key, entry->data, entry->key.length, &failure) == 0) {
        entry->decoded = entry->key.length;
    } else {
        entry->failure = malloc(sizeof(failure));
        if (entry->failure)
            *entry->failure = failure;
        if (failure.errnum == EUCLEAN)
            salvage(erofs, entry);
    }
    pthread_mutex_lock(&cache->lock);
    entry->is_ready = true;
    if (failure.errnum == ENOMEM || (failure.errnum && !entry->failure))
        forget(cache, entry);
    else
        keep(cache, entry);
    pthread_cond_broadcast(&cache->ready);
    pthread_mutex_unlock(&cache->lock);
}

static int copy(const struct entry *entry, uint64_t from, void *buffer, size_t size,
                struct romsim_error *err)
{
    if (from + size <= entry->decoded) {
        memcpy(buffer, entry->data + from, size);
        return 0;
    }
    if (!entry->failure)
        return romsim_error_nomem(err); /* for the reason, even */
    if (err)
        *err = *entry->failure;
    return -1;
}

int erofs_zcache_read(struct romsim_erofs *erofs, const struct erofs_extent *extent,
                      uint64_t offset, void *buffer, size_t size, struct romsim_error *err)
{
    const struct key key = {
        .position = extent->position,
        .length = extent->length,
        .encoded = extent->encoded,
        .algorithm = extent->algorithm,
        .in_metabox = extent->in_metabox,
        .partial = extent->partial,
    };
    struct entry *entry = get(erofs->cache, &key);
    bool is_new = false;
    int result;

    if (!entry && size == extent->length)
        return decode(erofs, &key, buffer, size, err);
    if (!entry)
        entry = get_or_add(erofs->cache, &key, &is_new);
    if (!entry)
        return romsim_error_nomem(err);
    if (is_new)
        fill(erofs, entry);
    result = copy(entry, offset - extent->start, buffer, size, err);
    release(erofs->cache, entry);
    return result;
}

uint64_t erofs_zcache_decodes(const struct erofs_zcache *cache)
{
    return __atomic_load_n(&cache->decodes, __ATOMIC_RELAXED);
}

bool erofs_zcache_recall(struct erofs_zcache *cache, uint64_t nid, uint64_t wanted,
                         uint64_t *ret_index, uint64_t *ret_position)
{
    bool known;

    pthread_mutex_lock(&cache->lock);
    known = cache->record_nid == nid && cache->record_index <= wanted;
    if (known) {
        *ret_index = cache->record_index;
        *ret_position = cache->record_position;
    }
    pthread_mutex_unlock(&cache->lock);
    return known;
}

void erofs_zcache_remember(struct erofs_zcache *cache, uint64_t nid, uint64_t index,
                           uint64_t position)
{
    pthread_mutex_lock(&cache->lock);
    cache->record_nid = nid;
    cache->record_index = index;
    cache->record_position = position;
    pthread_mutex_unlock(&cache->lock);
}
