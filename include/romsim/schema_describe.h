/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_describe.h: shapes (romsim/schema.h) as JSON Schema 2020-12, for the OpenAPI document and
 * for editors.
 *
 * An object that has members becomes a schema of its own, which is named by where it was found
 * first, and referred to wherever its table is used again.  Not thread-safe.
 */
#ifndef ROMSIM_SCHEMA_DESCRIBE_H
#define ROMSIM_SCHEMA_DESCRIBE_H

#include <romsim/error.h>
#include <romsim/schema.h>

#include <jansson.h>

#include <stdbool.h>

enum romsim_shape_role {
    ROMSIM_SHAPE_SENT,     /* null stands for a member that is not there, too */
    ROMSIM_SHAPE_WRITTEN,  /* the same in YAML, where a plain 8080 may stand for a string */
    ROMSIM_SHAPE_ANSWERED, /* no null, no word about what strings cannot have */
    ROMSIM_SHAPE_ITEM,     /* answered, with what each item has, and no member for sure if it failed
                            */
    ROMSIM_SHAPE_BRIEF     /* the same, where details=false leaves the UUID and the name */
};

enum { ROMSIM_SCHEMAS_MAX = 256, ROMSIM_SCHEMA_NAME_SIZE = 96 };

/* What is described together. */
struct romsim_schemas {
    json_t *schemas;        /* those with a name; the caller's reference */
    const char *prefix;     /* what stands before a name that is referred to: "#/$defs/" */
    const char *item_frame; /* JSON text: what each item has, with its conditions; or NULL, if there
                               is no shape in such a role */
    bool is_forgiving;      /* members named x-... may stand in any object (romsim_schema) */
    struct romsim_schemas_known {
        const struct romsim_shape *shape;
        enum romsim_shape_role role;
        char name[ROMSIM_SCHEMA_NAME_SIZE];
    } known[ROMSIM_SCHEMAS_MAX];
    size_t count;
    bool failed; /* something was too much, or there was no memory */
};

/* A schema of its own, or a reference to the one that has this name (if the shape needs one and has
 * none yet).  A new reference; sets `failed` and returns NULL when it cannot. */
json_t *romsim_shape_describe(struct romsim_schemas *schemas, const struct romsim_shape *shape,
                              enum romsim_shape_role role, const char *name);

/* The name for what stands in member `member` of another, malloc'ed: "Request" and "service_groups"
 * give "RequestServiceGroup".  NULL without memory. */
char *romsim_schema_name(const char *outer, const char *member);

/* {"$ref": the schema of that name}, behind the prefix of all.  A new reference, NULL without
 * memory. */
json_t *romsim_schema_reference(const char *prefix, const char *name);

/* Sets a member of an object, taking the reference; sets `failed` when it cannot. */
void romsim_schemas_put(struct romsim_schemas *schemas, json_t *object, const char *key,
                        json_t *value);

/* What a text is to be described as, for those who check it elsewhere. */
struct romsim_described {
    const struct romsim_shape *shape; /* an object */
    enum romsim_shape_role role;      /* SENT or WRITTEN */
    const char *name, *title;         /* "Instance", "An instance of ..." */
    bool is_forgiving;                /* as of romsim_schema */
    bool is_list;                     /* it may be a list of them, too */
};

/* A document that describes it, as JSON text with a newline at its end, malloc'ed: the same for the
 * same tables.  NULL on failure. */
char *romsim_schema_document(const struct romsim_described *described, struct romsim_error *err);

#endif
