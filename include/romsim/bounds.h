/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bounds.h: how much foreign input may cost before it is refused.
 *
 * The cloud's limits (struct romsim_limits) say what the cloud takes; bounds say what this program
 * is willing to spend on an archive, an image or a file of a few bytes that turns into a disk full.
 * Each has a name, a default and one row in romsim(1), section BOUNDS, and can be changed for a
 * command: --bound NAME=VALUE, or ROMSIM_BOUNDS=NAME=VALUE,... in the environment.
 *
 * They are the process's, as resource limits are: romsim_bounds_set() is called at the start of
 * the program, before there are threads; from then on they are only read, from any thread.
 */
#ifndef ROMSIM_BOUNDS_H
#define ROMSIM_BOUNDS_H

#include <romsim/error.h>

#include <stdint.h>

/* One enumerator a row of the table in sim/base/bounds.c, in the same order. */
enum romsim_bound {
    ROMSIM_BOUND_FILE_BYTES,    /* a file that is packed or run, its holes, too */
    ROMSIM_BOUND_HOLE_BYTES,    /* holes of an archive's sparse files, beyond 64 times its size */
    ROMSIM_BOUND_KERNEL_BYTES,  /* a kernel's file */
    ROMSIM_BOUND_UNPACK_BYTES,  /* what a compressed stream becomes, beyond 64 times its size */
    ROMSIM_BOUND_FILES,         /* files and directories of a tree */
    ROMSIM_BOUND_DATA_BYTES,    /* of all files of a tree together */
    ROMSIM_BOUND_NODE_BYTES,    /* memory for the names of an archive, beyond 3 times its size */
    ROMSIM_BOUND_IMAGE_BYTES,   /* of an image made of an archive, beyond its files' and 64 times */
    ROMSIM_BOUND_UNPACK_MEMORY, /* what a stream's window may take, beyond 4 times its size */
    ROMSIM_BOUND_WALK_BYTES,    /* names, paths, xattrs of an EROFS image, beyond 16 times it */
    ROMSIM_BOUND_JSON_FILE,     /* a file that is shown as JSON */
    ROMSIM_BOUND_LAYERS,        /* of an image */
    ROMSIM_BOUND_MANIFESTS,     /* of an index */
    ROMSIM_BOUND_INDEX_DEPTH,   /* indexes in each other */
    ROMSIM_BOUND_IMAGE_JSON,    /* bytes of an index, manifest or config */
    ROMSIM_BOUND_IMAGE_VALUES,  /* in one of these */
    ROMSIM_BOUND_IMAGE_STRINGS, /* of a command or environment in a config */
    ROMSIM_BOUND_IMAGE_NAMES,   /* that an import takes */
    ROMSIM_BOUND_XATTRS,        /* of an inode */
    ROMSIM_BOUND_ACL_STEPS,     /* squares of the entries of ACLs, beyond 64 times the archive */
    ROMSIM_BOUND_LINK_BYTES,    /* targets on the way to a file */
    ROMSIM_BOUND_DIR_ENTRIES,   /* of an inline ROM's `dir` */
    ROMSIM_BOUND_VALUES,        /* of a document */
    ROMSIM_BOUND_INSTANCES,     /* of a document */
    ROMSIM_BOUND_TAG_LINES,     /* of a document: libyaml looks through all for each tag */
    ROMSIM_BOUND_KRAFTFILE_BYTES, /* a Kraftfile's text */
    ROMSIM_BOUND_KRAFTFILE_PAIRS, /* of one of its lists or maps */
    ROMSIM_BOUND_TARGETS,         /* of a Kraftfile */
    ROMSIM_BOUND_KERNEL_UNPACKED, /* what a bzImage becomes */
    ROMSIM_BOUND_STORE_INDEX,     /* the image store's list of names */
    ROMSIM_BOUND_STORE_BLOBS,     /* of the image store */
    ROMSIM_BOUND_OVERCOMMIT,      /* memory that is not free, and may be given all the same */
    ROMSIM_BOUND_COUNT
};

/* The bound's value, in the unit that its description names. */
uint64_t romsim_bound(enum romsim_bound bound);

/* A bound on what grows with the input: the bound's value, or so many times the input's size if
 * that is more. */
enum { ROMSIM_BOUND_RATIO = 64 };
uint64_t romsim_bound_for(enum romsim_bound bound, uint64_t input);

/* For the manual's test: the name, the default, and half a sentence.  Constant strings. */
const char *romsim_bound_name(enum romsim_bound bound);
uint64_t romsim_bound_default(enum romsim_bound bound);
const char *romsim_bound_description(enum romsim_bound bound);

/* Changes bounds: "NAME=VALUE", several separated by commas; a size as romsim_parse_size() reads
 * it.  Nothing is changed on failure, EINVAL.  Returns 0 or -1. */
int romsim_bounds_set(const char *assignments, struct romsim_error *err);

/* Fails with EFBIG, a message that is made with printf's rules, and the hint how to raise the
 * bound.  Returns -1. */
int romsim_bound_refuse(struct romsim_error *err, enum romsim_bound bound, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
