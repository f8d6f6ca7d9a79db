/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zcache.c: the decoded bytes of the last pclusters, so that reading a file in small pieces, in
 * order or not, decodes a pcluster once.
 *
 * The cache holds 8 MiB at most, or one larger pcluster.  What is read is copied while a reference
 * keeps it; nothing is decoded under the lock, but pclusters over 1 MiB are decoded one at a time,
 * which bounds the memory that many threads can make an image take.  A read of a whole extent
 * decodes it to where it is wanted and passes the cache by.
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
};

struct entry {
    struct key key;
    unsigned references; /* of readers, and one of the cache */
    struct entry *bucket_next;
    struct entry *newer, *older;
    uint8_t data[];
};

struct erofs_zcache {
    pthread_mutex_t lock;
    pthread_mutex_t large;
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    uint64_t size;
    uint64_t record_nid, record_index, record_position; /* erofs_zcache_remember() */
};

struct erofs_zcache *erofs_zcache_new(void)
{
    struct erofs_zcache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
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
            (*slot)->key.in_metabox != key->in_metabox))
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
    if (--entry->references == 0)
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
    pthread_mutex_destroy(&cache->large);
    free(cache);
}

/* The entry of a key with a reference for the caller, or NULL. */
static struct entry *get(struct erofs_zcache *cache, const struct key *key)
{
    struct entry *entry;

    pthread_mutex_lock(&cache->lock);
    entry = *find_slot(cache, key);
    if (entry) {
        entry->references++;
        unlink_age(cache, entry);
        link_newest(cache, entry);
    }
    pthread_mutex_unlock(&cache->lock);
    return entry;
}

/* Enters what was decoded; the caller keeps a reference.  If another thread was quicker, its entry
 * stays, too, and this one lives for the caller only. */
static void put(struct erofs_zcache *cache, struct entry *entry)
{
    struct entry **slot;

    pthread_mutex_lock(&cache->lock);
    while (cache->oldest && cache->size + entry->key.length > CACHE_SIZE_MAX)
        evict_oldest(cache);
    slot = find_slot(cache, &entry->key);
    entry->references = 1;
    if (!*slot) {
        *slot = entry;
        entry->references++;
        link_newest(cache, entry);
        cache->size += entry->key.length;
    }
    pthread_mutex_unlock(&cache->lock);
}

static void release(struct erofs_zcache *cache, struct entry *entry)
{
    pthread_mutex_lock(&cache->lock);
    drop_reference(entry);
    pthread_mutex_unlock(&cache->lock);
}

/* Decodes a pcluster; its encoded bytes stand in the image, or are copied from the metabox. */
static int decode(struct romsim_erofs *erofs, const struct key *key, uint8_t *out,
                  struct romsim_error *err)
{
    uint64_t margin = erofs_block_size(erofs) - erofs_in_block(erofs, key->position);
    CLEANUP_FREE uint8_t *copy = NULL;
    const uint8_t *in;
    bool is_large = key->length > LARGE;
    int result;

    if (key->in_metabox) {
        in = copy = malloc(key->encoded + 1);
        if (!copy)
            return romsim_error_nomem(err);
        if (erofs_meta_read(erofs, true, key->position, copy, key->encoded, "pcluster", err) < 0)
            return -1;
    } else {
        in = erofs_image_bytes(erofs, key->position, key->encoded, "pcluster", err);
        if (!in)
            return -1;
    }
    if (is_large)
        pthread_mutex_lock(&erofs->cache->large);
    result = erofs_decompress(erofs, key->algorithm, in, key->encoded,
                              min_u64(margin, key->encoded), out, key->length, err);
    if (is_large)
        pthread_mutex_unlock(&erofs->cache->large);
    if (result < 0)
        return romsim_error_context(err, "pcluster at offset %llu%s",
                                    (unsigned long long)key->position,
                                    key->in_metabox ? " of the metabox" : "");
    return 0;
}

int erofs_zcache_read(struct romsim_erofs *erofs, const struct erofs_extent *extent,
                      uint64_t offset, void *buffer, size_t size, struct romsim_error *err)
{
    struct key key = {
        .position = extent->position,
        .length = extent->length,
        .encoded = extent->encoded,
        .algorithm = extent->algorithm,
        .in_metabox = extent->in_metabox,
    };
    struct entry *entry = get(erofs->cache, &key);

    if (!entry) {
        if (size == extent->length)
            return decode(erofs, &key, buffer, err);
        entry = malloc(sizeof(*entry) + key.length);
        if (!entry)
            return romsim_error_nomem(err);
        *entry = (struct entry){.key = key};
        if (decode(erofs, &key, entry->data, err) < 0) {
            free(entry);
            return -1;
        }
        put(erofs->cache, entry);
    }
    memcpy(buffer, entry->data + (offset - extent->start), size);
    release(erofs->cache, entry);
    return 0;
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
