/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reference.h: what `image:` may say.
 *
 *     oci:DIR[:TAG]              an OCI image layout
 *     oci-archive:FILE[:TAG]     the same in a tar
 *     docker-archive:FILE[:TAG]  what `docker save` writes
 *     files:PATH                 the files of a folder or archive, even if it looks like an image
 *     ./x  ../x  /x              a path, told by what is there; an image's may have a tag, PATH:TAG
 *     [registry/]org/name[:tag][@sha256:...]   a name in the local store; else a path, if there
 *                                              is such a file
 */
#ifndef ROMSIM_IMAGE_REFERENCE_H
#define ROMSIM_IMAGE_REFERENCE_H

#include <romsim/error.h>

#include <stdbool.h>

enum reference_kind {
    REFERENCE_PATH,
    REFERENCE_FILES,
    REFERENCE_OCI,
    REFERENCE_OCI_ARCHIVE,
    REFERENCE_DOCKER_ARCHIVE,
    REFERENCE_NAME
};

struct reference {
    enum reference_kind kind;
    char *text; /* as given */
    char *path; /* joined to the instance's directory; of a name: what it would be as a path */
    char *tag;  /* after the path of an image, or NULL */
};

/* A name without what other tools, and the cloud's API, put before it: docker://, oci://, ... */
const char *reference_without_scheme(const char *text);

/* `directory` is what relative paths are relative to; NULL: the working directory. */
int reference_parse(const char *text, const char *directory, struct reference *ret,
                    struct romsim_error *err);

/* A path to the folder of an OCI layout, with or without a tag, is taken as oci: would be; the
 * result says whether it was one. */
bool reference_becomes_layout(struct reference *reference);

/* A path that is not there, but for its tag that of a file, is cut. */
int reference_cut_tag(struct reference *reference, struct romsim_error *err);

/* Splits PATH:TAG of a reference by path, where there is no file of the whole name. */
int reference_split_tag(struct reference *reference, struct romsim_error *err);

void reference_release(struct reference *reference);

#define CLEANUP_REFERENCE __attribute__((cleanup(reference_release)))

#endif
