/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * newfile.h: files that are there as a whole or not at all.
 *
 * A new file has no name until it is finished (O_TMPFILE), so nothing is left of a command that
 * is killed.  Where the file system cannot do that, it has a name that begins with ".new-".
 */
#ifndef ROMSIM_IMAGE_NEWFILE_H
#define ROMSIM_IMAGE_NEWFILE_H

#include <romsim/blob.h>

#include <stdbool.h>

struct newfile {
    int folder;              /* borrowed */
    const char *folder_name; /* borrowed, for messages */
    int fd;
    char temporary[40]; /* its name until it is kept; "" without one */
};

#define NEWFILE_NONE                                                                               \
    (struct newfile)                                                                               \
    {                                                                                              \
        .folder = -1, .fd = -1                                                                     \
    }

/* Is there a regular file of the name, with the size and the digest (romsim/digest.h)?  All of it
 * is read, so that what is damaged is written again. */
bool newfile_is_there(int folder, const char *name, uint64_t size, const char *digest);

/* Opens a new file in a folder.  `folder_name` is for messages. */
int newfile_open(int folder, const char *folder_name, struct newfile *ret,
                 struct romsim_error *err);

/* Gives it its name, in place of what has the name now. */
int newfile_keep(struct newfile *file, const char *name, struct romsim_error *err);

/* Closes it; if it was not kept, nothing is left of it. */
void newfile_close(struct newfile *file);

#define CLEANUP_NEWFILE __attribute__((cleanup(newfile_close)))

/* Writes at an offset. */
int newfile_write(const struct newfile *file, const void *bytes, size_t size, uint64_t offset,
                  struct romsim_error *err);
int newfile_write_blob(const struct newfile *file, const struct romsim_blob *blob, uint64_t offset,
                       struct romsim_error *err);

#endif
