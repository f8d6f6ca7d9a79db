/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_gc.c: removes the blobs that no name leads to.
 *
 * Theory of operation: with the store to ourselves, the digests that are reachable from index.json
 * are collected (reach.h); what else lies in the folder of blobs goes.  If one of the manifests
 * cannot be read, nothing goes.
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

/* All that the store's names lead to, and what stands in its index without one. */
static int mark_all(struct romsim_store *store, struct reach *marks, struct romsim_error *err)
{
    CLEANUP_OCI_SOURCE struct oci_source *source = oci_source_store(store, err);
    CLEANUP_JSON json_t *index = source ? store_read_index(store, err) : NULL;

    return !index || reach_add_content(marks, index, err) < 0 ? -1 : reach_walk(marks, source, err);
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

    *ret_blobs = *ret_bytes = 0;
    if (mark_all(store, &marks, err) < 0)
        return romsim_error_context(err, "nothing was removed");
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (sweep(store, &marks, algorithms[i], ret_blobs, ret_bytes, err) < 0)
            return -1;
    return 0;
}
