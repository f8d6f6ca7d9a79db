/* SPDX-License-Identifier: BSD-3-Clause */
/* output.h: files that appear whole or not at all. */
#ifndef ROMSIM_CLI_OUTPUT_H
#define ROMSIM_CLI_OUTPUT_H

#include <romsim/blob.h>
#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <stdbool.h>

/*
 * Theory of operation: the file is made without a name (O_TMPFILE) in the folder where it will be,
 * so that nothing is left behind when romsim is killed; when it is complete it gets a temporary
 * name and is renamed over the wanted one in the same breath.  A file system without O_TMPFILE has
 * a temporary name from the start.
 */
struct output {
    char *path;
    char *temporary; /* the name beside it */
    int fd;
    bool is_named; /* the temporary name exists */
};

/* Makes the file.  A `path` that exists and is no regular file is refused.  Returns 0 or -1. */
int output_open(struct output *output, const char *path, struct romsim_error *err);

/* Writes a blob's bytes into it. */
int output_write_blob(struct output *output, const struct romsim_blob *blob,
                      struct romsim_error *err);

/* Gives the file, with mode 0666 less the umask, its name. */
int output_commit(struct output *output, struct romsim_error *err);

/* Removes what is left of a file that was not committed. */
void output_release(struct output *output);

/* All of it for a file of `size` bytes.  Returns 0 or -1, when there is no file, or the old one. */
int output_save(const char *path, const void *bytes, size_t size, struct romsim_error *err);

#define CLEANUP_OUTPUT CLEANUP(output_release)

#endif
