/* SPDX-License-Identifier: BSD-3-Clause */
/* schema_json.c: a node as JSON, with the types that its shape wants. */
#include <romsim/schema.h>

#include <jansson.h>
#include <stdlib.h>

static json_t *number_json(const struct romsim_node *node)
{
    bool negative;
    uint64_t magnitude;

    if (romsim_node_integer(node, &negative, &magnitude) > 0 && magnitude <= INT64_MAX)
        return json_integer(negative ? -(json_int_t)magnitude : (json_int_t)magnitude);
    return json_real(strtod(node->text, NULL));
}

static bool wants_text(const struct romsim_shape *shape)
{
    return shape && (shape->kind == ROMSIM_SHAPE_STRING || shape->kind == ROMSIM_SHAPE_WORD ||
                     shape->kind == ROMSIM_SHAPE_EITHER);
}

static const struct romsim_shape *inner_shape(const struct romsim_shape *shape,
                                              const struct romsim_node *key)
{
    const struct romsim_member *member;

    if (!shape || !key || shape->kind == ROMSIM_SHAPE_MAP)
        return shape ? shape->item : NULL;
    member = romsim_shape_member(shape, key->text);
    return member ? member->shape : NULL;
}

static json_t *object_json(const struct romsim_node *node, const struct romsim_shape *shape)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < node->count; i++) {
        const struct romsim_item *item = &node->items[i];

        if (item->value->kind == ROMSIM_NODE_NULL && shape && shape->members)
            continue;
        if (json_object_set_new(object, item->key->text,
                                romsim_schema_json(item->value, inner_shape(shape, item->key))) <
            0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *list_json(const struct romsim_node *node, const struct romsim_shape *shape)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < node->count; i++) {
        if (json_array_append_new(
                list, romsim_schema_json(node->items[i].value, inner_shape(shape, NULL))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *romsim_schema_json(const struct romsim_node *node, const struct romsim_shape *shape)
{
    if (wants_text(shape) && romsim_node_is_text(node))
        return json_stringn(node->text, node->size);
    switch (node->kind) {
    case ROMSIM_NODE_NULL:
        return json_null();
    case ROMSIM_NODE_BOOLEAN:
        return json_boolean(romsim_node_is_true(node));
    case ROMSIM_NODE_NUMBER:
        return number_json(node);
    case ROMSIM_NODE_STRING:
        return json_stringn(node->text, node->size);
    case ROMSIM_NODE_LIST:
        return list_json(node, shape);
    case ROMSIM_NODE_OBJECT:
        break;
    }
    return object_json(node, shape);
}
