/* SPDX-License-Identifier: BSD-3-Clause */
/* node.c: what can be asked of a node of a document. */
#include <romsim/document.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct romsim_node *romsim_node_member(const struct romsim_node *node, const char *name)
{
    if (!node || node->kind != ROMSIM_NODE_OBJECT)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->items[i].key->text, name) == 0)
            return node->items[i].value;
    return NULL;
}

const struct romsim_node *romsim_node_present(const struct romsim_node *node, const char *name)
{
    const struct romsim_node *value = romsim_node_member(node, name);

    return value && value->kind != ROMSIM_NODE_NULL ? value : NULL;
}

const char *romsim_node_kind_name(const struct romsim_node *node)
{
    switch (node->kind) {
    case ROMSIM_NODE_NULL:
        return "null";
    case ROMSIM_NODE_BOOLEAN:
        return "a boolean";
    case ROMSIM_NODE_NUMBER:
        return "a number";
    case ROMSIM_NODE_STRING:
        return "a string";
    case ROMSIM_NODE_LIST:
        return "a list";
    case ROMSIM_NODE_OBJECT:
        break;
    }
    return "an object";
}

int romsim_node_integer(const struct romsim_node *node, bool *ret_negative, uint64_t *ret_magnitude)
{
    const char *text = node->text;
    bool negative;
    int radix = 10;
    char *end;
    unsigned long long value;

    if (node->kind != ROMSIM_NODE_NUMBER)
        return 0;
    negative = *text == '-';
    text += negative || *text == '+';
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        radix = text[1] == 'x' ? 16 : 8;
        text += 2;
    }
    errno = 0;
    value = strtoull(text, &end, radix);
    if (end == text || *end != '\0')
        return 0;
    if (errno == ERANGE)
        return -1;
    *ret_negative = negative && value != 0;
    *ret_magnitude = value;
    return 1;
}

bool romsim_node_is_text(const struct romsim_node *node)
{
    if (node->kind == ROMSIM_NODE_STRING)
        return true;
    return node->plain && (node->kind == ROMSIM_NODE_NUMBER || node->kind == ROMSIM_NODE_BOOLEAN);
}

const char *romsim_node_text(const struct romsim_node *node)
{
    return node && romsim_node_is_text(node) && strlen(node->text) == node->size ? node->text
                                                                                 : NULL;
}

bool romsim_node_is_true(const struct romsim_node *node)
{
    return node && node->kind == ROMSIM_NODE_BOOLEAN && strchr("tT", node->text[0]);
}
