/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_gc.c: removes the blobs that no name leads to.
 *
 * Theory of operation: with the store to ourselves, the digests that are reachable from index.json
 * are collected (reach.h), and what is about these (store_referrers.c); what else lies in the
 * folder of blobs goes.  If one of the manifests cannot be read, nothing goes.
 */
#include "sim/image/reach.h"
#include "sim/image/store.h"

#include <romsim/text.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { REFERRALS_MOST = 64 }; /* what is about what is about ... an image */

/* Adds what is kept for a subject that has been reached.  Returns 1 if something was added. */
static int mark_referrers(struct reach *marks, const json_t *manifests, struct romsim_error *err)
{
    const json_t *entry;
    size_t before = marks->count, i;

    json_array_foreach(manifests, i, entry)
    {
        const char *subject = store_entry_subject(entry);
        struct oci_descriptor descriptor;

        if (!subject || !reach_has(marks, subject))
            continue;
        if (oci_descriptor_parse(entry, "an entry of the image store", &descriptor, err) < 0 ||
            reach_add(marks, &descriptor, err) < 0)
            return -1;
    }
    return marks->count > before;
}

/* All that the store's names lead to, what stands in its index without one, and what is about these
 * and so on. */
static int mark_all(struct romsim_store *store, const json_t *index, struct reach *marks,
                    struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(store, err);
    const json_t *manifests = json_object_get(index, "manifests"), *entry;
    struct oci_descriptor descriptor;
    int more = 1;
    size_t i;

    if (!source)
        return -1;
    json_array_foreach(manifests, i, entry)
    {
        if (!store_entry_subject(entry) &&
            (oci_descriptor_parse(entry, "an entry of the image store", &descriptor, err) < 0 ||
             reach_add(marks, &descriptor, err) < 0))
            return -1;
    }
    for (unsigned round = 0; more > 0 && round < REFERRALS_MOST; round++) {
        if (reach_walk(marks, source, err) < 0)
            return -1;
        more = mark_referrers(marks, manifests, err);
    }
    return more < 0 || reach_walk(marks, source, err) < 0 ? -1 : 0;
}

/* Strikes out what was kept for a subject that is gone. */
static int forget_referrers(struct romsim_store *store, json_t *index, const struct reach *marks,
                            struct romsim_error *err)
{
    json_t *manifests = json_object_get(index, "manifests");
    bool is_changed = false;

    for (size_t i = json_array_size(manifests); i-- > 0;) {
        const json_t *entry = json_array_get(manifests, i);
        const char *digest = json_string_value(json_object_get(entry, "digest"));

        if (!store_entry_subject(entry) || (digest && reach_has(marks, digest)))
            continue;
        json_array_remove(manifests, i);
        is_changed = true;
    }
    return is_changed ? store_write_index(store, index, err) : 0;
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

/* Removes what is not marked from the folder of an algorithm ("sha256:"). */
static int sweep(struct romsim_store *store, const struct reach *marks, const char *algorithm,
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
            !S_ISREG(st.st_mode) || reach_has(marks, digest))
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
    CLEANUP_REACH struct reach marks = {0};
    CLEANUP_FD int lock = store_lock_index(store, err);
    CLEANUP_JSON json_t *index = lock < 0 ? NULL : store_read_index(store, err);

    *ret_blobs = *ret_bytes = 0;
    if (!index || mark_all(store, index, &marks, err) < 0 ||
        forget_referrers(store, index, &marks, err) < 0)
        return romsim_error_context(err, "nothing was removed");
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (sweep(store, &marks, algorithms[i], ret_blobs, ret_bytes, err) < 0)
            return -1;
    return 0;
}
