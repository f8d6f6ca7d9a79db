/* SPDX-License-Identifier: BSD-3-Clause */
/* strings.c: a list of strings that it owns. */
#include <romsim/strings.h>

#include <stdlib.h>
#include <string.h>

/* The array has room for the next power of two of strings, so that a long list is not copied for
 * each of them. */
int romsim_strings_take(struct romsim_strings *strings, char *string)
{
    size_t count = strings->count;
    char **items = string ? strings->items : NULL;

    if (string && (!items || (count & (count - 1)) == 0))
        items = reallocarray(items, count ? 2 * count : 1, sizeof(*items));
    if (!items) {
        free(string);
        return -1;
    }
    strings->items = items;
    items[strings->count++] = string;
    return 0;
}

int romsim_strings_append(struct romsim_strings *strings, const char *string)
{
    return romsim_strings_take(strings, strdup(string));
}

int romsim_strings_append_all(struct romsim_strings *strings, const struct romsim_strings *more)
{
    for (size_t i = 0; i < more->count; i++)
        if (romsim_strings_append(strings, more->items[i]) < 0)
            return -1;
    return 0;
}

void romsim_strings_clear(struct romsim_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct romsim_strings){0};
}
