/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * openapi.h: shapes (romsim/schema.h) as JSON Schema, for the OpenAPI document.
 *
 * An object that has members becomes a component, which is named by where it was found first, and
 * referred to wherever its table is used again.
 */
#ifndef ROMSIM_API_OPENAPI_H
#define ROMSIM_API_OPENAPI_H

#include <romsim/schema.h>

#include <jansson.h>

#include <stdbool.h>

enum openapi_role {
    OPENAPI_SENT,     /* null stands for a member that is not there, too */
    OPENAPI_ANSWERED, /* no null, no word about what strings cannot have */
    OPENAPI_ITEM,     /* answered, with what each item has, and no member for sure if it failed */
    OPENAPI_BRIEF     /* the same, where details=false leaves the UUID and the name */
};

enum { OPENAPI_SHAPES_MAX = 256, OPENAPI_NAME_SIZE = 96 };

struct openapi_components {
    json_t *schemas; /* the components, by name */
    struct openapi_known {
        const struct romsim_shape *shape;
        enum openapi_role role;
        char name[OPENAPI_NAME_SIZE];
    } known[OPENAPI_SHAPES_MAX];
    size_t count;
    bool failed; /* something was too much, or there was no memory */
};

/* A schema of its own, or a reference to a component with this name (if the shape needs one and
 * has none yet).  Sets `failed` and returns NULL when it cannot. */
json_t *openapi_schema(struct openapi_components *components, const struct romsim_shape *shape,
                       enum openapi_role role, const char *name);

/* Of an item where nothing is simulated, so that each fails. */
json_t *openapi_failed_item(void);

/* The name of a component, malloc'ed, for what stands in member `member` of another: "Request" and
 * "service_groups" give "RequestServiceGroup".  NULL without memory. */
char *openapi_name(const char *outer, const char *member);

/* {"$ref": the component of that name}. */
json_t *openapi_reference(const char *name);

/* Sets a member of an object, taking the reference; sets `failed` when it cannot. */
void openapi_put(struct openapi_components *components, json_t *object, const char *key,
                 json_t *value);

#endif
