/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.h: what a document must look like, as tables, and what is done by them: comparing, and
 * rendering as JSON.
 *
 * The shape is about members, types and fixed words.  What depends on limits or on several values
 * together is checked by those who know, on the model that they made of it.  A table is constant,
 * so it lives for ever and is shared by all threads; the rest is not thread-safe.
 */
#ifndef ROMSIM_SCHEMA_H
#define ROMSIM_SCHEMA_H

#include <romsim/buffer.h>
#include <romsim/document.h>

struct json_t; /* jansson's */

enum romsim_shape_kind {
    ROMSIM_SHAPE_ANY,
    ROMSIM_SHAPE_STRING, /* without NULs, unless `binary` */
    ROMSIM_SHAPE_BOOLEAN,
    ROMSIM_SHAPE_INTEGER, /* from minimum to maximum */
    ROMSIM_SHAPE_WORD,    /* one of `words` */
    ROMSIM_SHAPE_LIST,    /* of `item`, from minimum to maximum of them (maximum 0: any number) */
    ROMSIM_SHAPE_MAP,     /* any names, each with an `item` */
    ROMSIM_SHAPE_OBJECT,  /* of `members`, and others too if it is `open` */
    ROMSIM_SHAPE_EITHER,  /* a string, or an object of `members` */
};

struct romsim_shape {
    enum romsim_shape_kind kind;
    bool open, binary;
    bool or_forever; /* an INTEGER may be -1, too */
    bool is_signed;  /* the same, -maximum and more */
    uint64_t minimum, maximum;
    const char *const *words;
    const struct romsim_shape *item;
    const struct romsim_member *members;
    const char *hint; /* said when something of another kind stands there */
};

enum romsim_member_flags {
    ROMSIM_MEMBER_REQUIRED = 1,
    ROMSIM_MEMBER_IDLE = 2, /* romsim accepts it and does nothing with it */
    ROMSIM_MEMBER_AS_IS = 4 /* who reads the document keeps it as it is written */
};

struct romsim_member {
    const char *name;
    const struct romsim_shape *shape;
    unsigned flags;
    const char *usual; /* of an idle member: with this, or a list of it, there is nothing to say */
};

/* For the tables: a list of words, and the end of a list of members. */
#define ROMSIM_WORDS(...)                                                                          \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define ROMSIM_END                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }

/* What other tools call a member, and what it is called here. */
struct romsim_synonym {
    const char *theirs, *ours;
};

/* One comparison: what it is about, and what it finds. */
struct romsim_schema {
    const struct romsim_document *document;
    struct romsim_diagnostics *diagnostics;
    const char *subject;                   /* the root in messages: "An instance" */
    const struct romsim_synonym *synonyms; /* up to one without a name; or NULL */
    bool is_request; /* to the API: an unknown member is told in both of the cloud's wordings, since
                        clients look for either (cloud-rules §1) */
    bool is_forgiving; /* unknown members are warned of, those named x-... are passed over */
    struct romsim_buffer idle; /* the paths of idle members, divided by ", "; to be freed */
    size_t idle_offset;        /* of the first of them */
};

/* Compares; what does not fit goes to the diagnostics.  Names of idle members are collected. */
void romsim_schema_check(struct romsim_schema *schema, const struct romsim_node *node,
                         const struct romsim_shape *shape);

/* A node as JSON, with the types that the shape wants (a plain 8080 where a string is wanted is
 * "8080").  `shape` NULL: as it stands.  A new reference; NULL without memory. */
struct json_t *romsim_schema_json(const struct romsim_node *node, const struct romsim_shape *shape);

/* The member of an object's shape with this name, NULL if it has none. */
const struct romsim_member *romsim_shape_member(const struct romsim_shape *shape, const char *name);

#endif
