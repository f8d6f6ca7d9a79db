/* SPDX-License-Identifier: BSD-3-Clause */
/* store_scratch.c: blobs that come piece by piece, and those that go out as they are. */
#include "sim/image/newfile.h"
#include "sim/image/oci.h"
#include "sim/image/store.h"

#include <romsim/checked.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 20 };

int romsim_store_scratch(struct romsim_error *err)
{
    CLEANUP_FREE char *path = romsim_path_data("oci/blobs/sha256", err);
    CLEANUP_FD int folder = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct newfile file;

    if (!path)
        return -1;
    if (folder < 0)
        return romsim_error_system(err, errno, "cannot open '%s'", QUOTE(path));
    if (newfile_open(folder, path, &file, err) < 0)
        return -1;
    /* Where it has to have a name it keeps none: what is cut leaves nothing. */
    if (file.temporary[0])
        unlinkat(folder, file.temporary, 0);
    return file.fd;
}

static int hash_file(int fd, uint64_t size, const char *like, char ret[ROMSIM_DIGEST_SIZE],
                     struct romsim_error *err)
{
    CLEANUP_FREE uint8_t *piece = malloc(PIECE);
    struct romsim_digest *running = piece ? romsim_digest_new(like) : NULL;
    int errnum = 0;

    if (!running)
        return romsim_error_nomem(err);
    for (uint64_t done = 0; done < size && errnum == 0; done += PIECE) {
        size_t step = (size_t)min_u64(PIECE, size - done);

        errnum = romsim_read_fully(fd, piece, step, done);
        if (errnum == 0)
            romsim_digest_update(running, piece, step);
    }
    if (errnum == 0)
        romsim_digest_final(running, ret);
    romsim_digest_free(running);
    return errnum == 0 ? 0 : romsim_error_system(err, errnum, "cannot read what was written");
}

static void ignore_progress(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
}

int romsim_store_add_scratch(struct romsim_store *store, int fd, const char *digest,
                             struct romsim_error *err)
{
    CLEANUP_FD int folder = store_open_blobs(store, digest, true, err);
    struct newfile file = {.folder = folder, .folder_name = store->path, .fd = fd};
    char found[ROMSIM_DIGEST_SIZE];
    struct stat st;

    if (folder < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return romsim_error_system(err, errno, "cannot look at what was written");
    if (hash_file(fd, (uint64_t)st.st_size, digest, found, err) < 0)
        return -1;
    if (strcmp(found, digest) != 0)
        return romsim_error_set(err, EUCLEAN, "the content's digest is %s, not %s", found, digest);
    /* Takes the place of one that is there: what is damaged is repaired. */
    if (newfile_keep(&file, romsim_digest_hex(digest), NULL) == 0)
        return 0;
    return romsim_store_add_file(store, fd, 0, (uint64_t)st.st_size, digest, ignore_progress, NULL,
                                 err);
}

int romsim_stores_open_blob(const struct romsim_stores *stores, const char *digest, int *ret_fd,
                            uint64_t *ret_size, struct romsim_error *err)
{
    struct oci_descriptor descriptor = {{0}, {0}, 0};
    char path[OCI_BLOB_PATH_SIZE];
    struct stat st;

    if (oci_digest_parse(digest, descriptor.digest, err) < 0)
        return -1;
    oci_blob_path(&descriptor, path);
    for (size_t i = 0; i < stores->count; i++) {
        int folder = stores->items[i]->folder;
        CLEANUP_FD int fd =
            folder < 0 ? -1 : openat(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        *ret_fd = steal_fd(&fd);
        *ret_size = (uint64_t)st.st_size;
        return 1;
    }
    return 0;
}
