/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.h: the shape that a text must have to be an instance, as tables (shapes.c), and the one
 * function that compares (schema.c).
 *
 * The shape is about members, types and fixed words.  What depends on limits or on several values
 * together is in rules.c, on the finished model.
 */
#ifndef ROMSIM_INSTANCE_SCHEMA_H
#define ROMSIM_INSTANCE_SCHEMA_H

#include "document.h"

#include <romsim/buffer.h>

#include <jansson.h>

enum shape_kind {
    SHAPE_ANY,
    SHAPE_STRING, /* without NULs, unless `binary` */
    SHAPE_BOOLEAN,
    SHAPE_INTEGER, /* from minimum to maximum */
    SHAPE_WORD,    /* one of `words` */
    SHAPE_LIST,    /* of `item`, from minimum to maximum of them (maximum 0: any number) */
    SHAPE_MAP,     /* any names, each with an `item` */
    SHAPE_OBJECT,  /* of `members`, and others too if it is `open` */
    SHAPE_EITHER,  /* a string, or an object of `members` */
};

struct shape {
    enum shape_kind kind;
    bool open, binary;
    uint64_t minimum, maximum;
    const char *const *words;
    const struct shape *item;
    const struct member *members;
    const char *hint; /* said when something of another kind stands there */
};

enum member_flags {
    MEMBER_REQUIRED = 1,
    MEMBER_IDLE = 2, /* romsim accepts it and does nothing with it */
};

struct member {
    const char *name;
    const struct shape *shape;
    unsigned flags;
    const char *usual; /* of an idle member: with this value there is nothing to say */
};

/* For the tables: a list of words, and the end of a list of members. */
#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define END                                                                                        \
    {                                                                                              \
        0                                                                                          \
    }

/* An object of POST /v1/instances (cloud-rules §1). */
extern const struct shape schema_instance;

struct schema {
    const struct document *document;
    struct romsim_diagnostics *diagnostics;
    struct romsim_buffer idle; /* the paths of idle members, divided by ", " */
    size_t idle_offset;        /* of the first of them */
    bool is_forgiving; /* unknown members are warned of, those named x-... are passed over */
};

/* Compares; what does not fit goes to the diagnostics.  Names of idle members are collected. */
void schema_check(struct schema *schema, const struct node *node, const struct shape *shape);

/* A node as JSON, with the types that the shape wants (a plain 8080 where a string is wanted is
 * "8080").  `shape` NULL: as it stands.  NULL without memory. */
json_t *schema_json(const struct node *node, const struct shape *shape);

/* The shape of a member of an object's shape, NULL if it has none of that name. */
const struct member *schema_member(const struct shape *shape, const char *name);

#endif
