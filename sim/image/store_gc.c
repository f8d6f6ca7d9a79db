/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_gc.c: removes the blobs that no name leads to.
 *
 * Theory of operation: with the store to ourselves, the digests that are reachable from index.json
 * are collected (an index's manifests, a manifest's config and layers), without recursion; what
 * else lies in the folder of blobs goes.  If one of the manifests cannot be read, nothing goes.
 */
#include "sim/image/oci.h"
#include "sim/image/store.h"

#include <romsim/text.h>
#include <romsim/vector.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>

DEFINE_VECTOR(descriptors, struct oci_descriptor)

struct marks {
    void *seen;              /* a tsearch() tree of digests */
    struct descriptors todo; /* JSON still to be read */
    size_t count;
};

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void marks_release(struct marks *marks)
{
    tdestroy(marks->seen, free);
    descriptors_reset(&marks->todo);
}

/* Returns 1 if the digest was not known. */
static int mark(struct marks *marks, const char *digest, struct romsim_error *err)
{
    char *copy;

    if (tfind(digest, &marks->seen, compare_text))
        return 0;
    if (++marks->count > romsim_bound(ROMSIM_BOUND_STORE_BLOBS))
        return romsim_bound_refuse(err, ROMSIM_BOUND_STORE_BLOBS,
                                   "the image store has more than %llu blobs",
                                   (unsigned long long)romsim_bound(ROMSIM_BOUND_STORE_BLOBS));
    copy = strdup(digest);
    if (!copy || !tsearch(copy, &marks->seen, compare_text)) {
        free(copy);
        return romsim_error_nomem(err);
    }
    return 1;
}

static int mark_json(struct marks *marks, const json_t *json, struct romsim_error *err)
{
    struct oci_descriptor descriptor;
    int fresh;

    if (oci_descriptor_parse(json, "an entry", &descriptor, err) < 0)
        return -1;
    fresh = mark(marks, descriptor.digest, err);
    if (fresh > 0 && descriptors_append(&marks->todo, descriptor) < 0)
        return romsim_error_nomem(err);
    return fresh < 0 ? -1 : 0;
}

static int mark_content(struct marks *marks, const json_t *json, struct romsim_error *err)
{
    const json_t *list = json_object_get(json, "layers"), *entry;
    struct oci_descriptor descriptor;
    size_t i;

    json_array_foreach(json_object_get(json, "manifests"), i, entry)
    {
        if (mark_json(marks, entry, err) < 0)
            return -1;
    }
    json_array_foreach(list, i, entry)
    {
        if (oci_descriptor_parse(entry, "a layer", &descriptor, err) < 0 ||
            mark(marks, descriptor.digest, err) < 0)
            return -1;
    }
    entry = json_object_get(json, "config");
    if (!entry)
        return 0;
    return oci_descriptor_parse(entry, "a config", &descriptor, err) < 0 ||
                   mark(marks, descriptor.digest, err) < 0
               ? -1
               : 0;
}

static int mark_all(struct romsim_store *store, struct marks *marks, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(store, err);
    CLEANUP_JSON json_t *index = NULL;

    if (!source)
        return -1;
    if (!oci_source_has(source, "index.json"))
        return 0;
    index = oci_source_json(source, "index.json", UINT64_MAX, NULL, err);
    if (!index || mark_content(marks, index, err) < 0)
        return -1;
    while (marks->todo.count > 0) {
        struct oci_descriptor next = marks->todo.items[--marks->todo.count];
        CLEANUP_JSON json_t *json = oci_json(source, &next, err);

        if (!json || mark_content(marks, json, err) < 0)
            return -1;
    }
    return 0;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

/* Removes what is not marked from the folder of an algorithm ("sha256:"). */
static int sweep(struct romsim_store *store, const struct marks *marks, const char *algorithm,
                 uint64_t *blobs, uint64_t *bytes, struct romsim_error *err)
{
    CLEANUP_FD int fd = store_open_blobs(store, algorithm, true, err);
    CLEANUP(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    char digest[ROMSIM_DIGEST_SIZE + NAME_MAX];
    const struct dirent *entry;
    struct stat st;

    if (fd < 0)
        return -1;
    if (!directory)
        return romsim_error_system(err, errno, "cannot read the image store");
    steal_fd(&fd);
    while ((entry = readdir(directory))) {
        snprintf(digest, sizeof(digest), "%s%s", algorithm, entry->d_name);
        if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || tfind(digest, &marks->seen, compare_text))
            continue;
        if (unlinkat(dirfd(directory), entry->d_name, 0) == 0) {
            *blobs += 1;
            *bytes += (uint64_t)st.st_blocks * 512;
        }
    }
    return 0;
}

int romsim_store_gc(struct romsim_store *store, uint64_t *ret_blobs, uint64_t *ret_bytes,
                    struct romsim_error *err)
{
    static const char *const algorithms[] = {"sha256:", "sha512:"};
    CLEANUP(marks_release) struct marks marks = {0};

    *ret_blobs = *ret_bytes = 0;
    if (mark_all(store, &marks, err) < 0)
        return romsim_error_context(err, "nothing was removed");
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (sweep(store, &marks, algorithms[i], ret_blobs, ret_bytes, err) < 0)
            return -1;
    return 0;
}
