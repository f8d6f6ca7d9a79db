/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reference.h: what `image:` may say (romsim/reference.h), and where that is.
 */
#ifndef ROMSIM_IMAGE_REFERENCE_H
#define ROMSIM_IMAGE_REFERENCE_H

#include <romsim/error.h>
#include <romsim/reference.h>

#include <stdbool.h>

struct reference {
    enum romsim_reference kind;
    bool is_name_only; /* a name is not tried as a path: who gave it may not look at this machine */
    char *text;        /* as given */
    char *path; /* joined to the instance's directory; of a name: what it would be as a path */
    char *tag;  /* after the path of an image, or NULL */
};

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
