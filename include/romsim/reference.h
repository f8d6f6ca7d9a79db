/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reference.h: the forms of an image reference, told by the text alone.
 *
 *     oci:DIR[:TAG]              an OCI image layout
 *     oci-archive:FILE[:TAG]     the same in a tar
 *     docker-archive:FILE[:TAG]  what `docker save` writes
 *     files:PATH                 the files of a folder or archive, even if it looks like an image
 *     ./x  ../x  /x              a path, told by what is there; an image's may have a tag, PATH:TAG
 *     [registry/]org/name[:tag][@sha256:...]   a name in the local store; else a path, if there
 *                                              is such a file
 */
#ifndef ROMSIM_REFERENCE_H
#define ROMSIM_REFERENCE_H

#include <stdbool.h>

enum romsim_reference {
    ROMSIM_REFERENCE_PATH,
    ROMSIM_REFERENCE_FILES,
    ROMSIM_REFERENCE_OCI,
    ROMSIM_REFERENCE_OCI_ARCHIVE,
    ROMSIM_REFERENCE_DOCKER_ARCHIVE,
    ROMSIM_REFERENCE_NAME
};

/* The form of a reference; *ret_rest is what follows the transport, or all of it. */
enum romsim_reference romsim_reference_form(const char *text, const char **ret_rest);

/* A name without what other tools, and the cloud's API, put before it: docker://, oci://, ... */
const char *romsim_reference_name(const char *text);

/* Can this only be on this machine: is it a path, or has it one of our transports?  A name may be
 * in a registry. */
bool romsim_reference_is_local(const char *text);

#endif
