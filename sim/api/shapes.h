/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shapes.h: for the tables of what endpoints take and give; a file has its own copies of the small
 * shapes, which the document knows by their tables.
 */
#ifndef ROMSIM_API_SHAPES_H
#define ROMSIM_API_SHAPES_H

#include "api.h"

#define SHAPE_UNUSED __attribute__((unused))

static const struct romsim_shape any_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_ANY};
static const struct romsim_shape string_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_STRING};
static const struct romsim_shape strings_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_LIST,
                                                               .item = &string_shape};
static const struct romsim_shape boolean_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_BOOLEAN};
static const struct romsim_shape count_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_INTEGER,
                                                             .maximum = UINT32_MAX};
static const struct romsim_shape size_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_INTEGER,
                                                            .maximum = INT64_MAX};
static const struct romsim_shape op_shape SHAPE_UNUSED = {
    .kind = ROMSIM_SHAPE_WORD, .words = ROMSIM_WORDS("set", "add", "del")};

/* A member that may be there, one that has to be, and one that has no effect here. */
#define MAY(name, shape)                                                                           \
    {                                                                                              \
        name, shape, 0, NULL                                                                       \
    }
#define HAS(name, shape)                                                                           \
    {                                                                                              \
        name, shape, ROMSIM_MEMBER_REQUIRED, NULL                                                  \
    }
#define IDLE(name, shape, usual)                                                                   \
    {                                                                                              \
        name, shape, ROMSIM_MEMBER_IDLE, usual                                                     \
    }

/* NAME_shape and NAME_list_shape. */
#define OBJECT(name, ...)                                                                          \
    static const struct romsim_member name##_members[] = {__VA_ARGS__, ROMSIM_END};                \
    static const struct romsim_shape name##_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_OBJECT,     \
                                                                  .members = name##_members};      \
    static const struct romsim_shape name##_list_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_LIST,  \
                                                                       .item = &name##_shape}

/* Who is meant: in a list, and in another object. */
OBJECT(reference, MAY("uuid", &string_shape), MAY("name", &string_shape));

/* NAME_one_shape has these members, NAME_shape those of a reference as well. */
#define BODY(name, ...)                                                                            \
    OBJECT(name, MAY("uuid", &string_shape), MAY("name", &string_shape), __VA_ARGS__);             \
    OBJECT(name##_one, __VA_ARGS__)

/* What most answers to a change are. */
OBJECT(changed, HAS("uuid", &string_shape), HAS("name", &string_shape));

BODY(patch, MAY("id", &string_shape), HAS("prop", &string_shape), HAS("op", &op_shape),
     MAY("value", &any_shape));
OBJECT(patched, HAS("uuid", &string_shape), HAS("name", &string_shape), MAY("id", &string_shape));

/* The query of a list, and of one. */
static const struct romsim_shape order_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_WORD,
                                                             .words = ROMSIM_WORDS("asc", "desc")};
static const struct romsim_shape sortby_shape SHAPE_UNUSED = {.kind = ROMSIM_SHAPE_WORD,
                                                              .words = ROMSIM_WORDS("create_time")};
#define QUERY_REFERENCE                                                                            \
    {"uuid", &string_shape, "of those that are meant", true},                                      \
    {                                                                                              \
        "name", &string_shape, "of those that are meant", true                                     \
    }
#define QUERY_DETAILS                                                                              \
    {                                                                                              \
        "details", &boolean_shape, "false: the names and UUIDs alone", false                       \
    }
#define QUERY_LIST                                                                                 \
    QUERY_REFERENCE, QUERY_DETAILS, {"count", &count_shape, "how many at most; 0: all", false},    \
        {"from", &string_shape, "the first one: its UUID, or a time of creation", false},          \
        {"tags", &string_shape, "tags that all have; several are divided by commas", true},        \
        {"order", &order_shape, "by creation: asc, desc", false},                                  \
    {                                                                                              \
        "sortby", &sortby_shape, "what the order is by", false                                     \
    }
#define QUERY_END                                                                                  \
    {                                                                                              \
        0                                                                                          \
    }
static const struct api_query list_query[] SHAPE_UNUSED = {QUERY_LIST, QUERY_END};
static const struct api_query one_query[] SHAPE_UNUSED = {QUERY_DETAILS, QUERY_END};
static const struct api_query reference_query[] SHAPE_UNUSED = {QUERY_REFERENCE, QUERY_END};

#endif
