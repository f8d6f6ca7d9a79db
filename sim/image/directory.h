/* SPDX-License-Identifier: BSD-3-Clause */
/* directory.h: a tree from a directory, and what identifies the state the directory was in. */
#ifndef ROMSIM_IMAGE_DIRECTORY_H
#define ROMSIM_IMAGE_DIRECTORY_H

#include <romsim/digest.h>
#include <romsim/image.h>

#include <sys/stat.h>

struct directory_identity {
    struct romsim_sha256 *sha256; /* over every entry's stat() */
    int64_t newest;               /* latest change of any entry, seconds */
};

/* Adds what stat() says of an entry: any change of its content or metadata changes one of these
 * fields (the change time at the latest). */
void directory_identity_add(struct directory_identity *identity, const struct stat *st);

/* As romsim_tree_from_directory(), and adds each entry to `identity` (may be NULL). */
struct romsim_tree *directory_tree(const char *path, enum romsim_owners owners,
                                   struct directory_identity *identity, struct romsim_error *err);

#endif
