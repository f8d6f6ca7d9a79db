/* SPDX-License-Identifier: BSD-3-Clause */
/* node.c: what can be asked of a node of a document. */
#include "document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct node *node_member(const struct node *node, const char *name)
{
    if (!node || node->kind != NODE_OBJECT)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->items[i].key->text, name) == 0)
            return node->items[i].value;
    return NULL;
}

const char *node_kind_name(const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        return "null";
    case NODE_BOOLEAN:
        return "a boolean";
    case NODE_NUMBER:
        return "a number";
    case NODE_STRING:
        return "a string";
    case NODE_LIST:
        return "a list";
    case NODE_OBJECT:
        break;
    }
    return "an object";
}

int node_integer(const struct node *node, bool *ret_negative, uint64_t *ret_magnitude)
{
    const char *text = node->text;
    bool negative;
    int radix = 10;
    char *end;
    unsigned long long value;

    if (node->kind != NODE_NUMBER)
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

bool node_is_text(const struct node *node)
{
    if (node->kind == NODE_STRING)
        return true;
    return node->plain && (node->kind == NODE_NUMBER || node->kind == NODE_BOOLEAN);
}
