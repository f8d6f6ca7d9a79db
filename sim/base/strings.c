/* SPDX-License-Identifier: BSD-3-Clause */
/* strings.c: a list of strings that it owns. */
#include <romsim/cleanup.h>
#include <romsim/strings.h>

#include <stdbool.h>
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

/* A variable in the list, for sorting. */
struct variable {
    char **item;
    size_t name_size;
};

static int compare_variables(const void *left, const void *right)
{
    const struct variable *a = left, *b = right;
    size_t size = a->name_size < b->name_size ? a->name_size : b->name_size;
    int difference = memcmp(*a->item, *b->item, size);

    if (difference != 0)
        return difference;
    if (a->name_size != b->name_size)
        return a->name_size < b->name_size ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

static bool same_name(const struct variable *a, const struct variable *b)
{
    return a->name_size == b->name_size && memcmp(*a->item, *b->item, a->name_size) == 0;
}

/* Sorted by name and place, those of one name stand together, the first and the last of them at
 * the ends.  Names are compared before any string is moved. */
int romsim_strings_last_of_each(struct romsim_strings *variables)
{
    CLEANUP_FREE struct variable *sorted = calloc(variables->count + 1, sizeof(*sorted));
    size_t kept = 0, next;

    if (!sorted)
        return -1;
    for (size_t i = 0; i < variables->count; i++)
        sorted[i] = (struct variable){&variables->items[i], strcspn(variables->items[i], "=")};
    qsort(sorted, variables->count, sizeof(*sorted), compare_variables);
    for (size_t i = 0; i < variables->count; i = next) {
        for (next = i + 1; next < variables->count && same_name(&sorted[i], &sorted[next]);)
            next++;
        for (size_t j = i; j + 1 < next; j++) {
            free(*sorted[j].item);
            *sorted[j].item = NULL;
        }
        if (next > i + 1) {
            *sorted[i].item = *sorted[next - 1].item;
            *sorted[next - 1].item = NULL;
        }
    }
    for (size_t i = 0; i < variables->count; i++)
        if (variables->items[i])
            variables->items[kept++] = variables->items[i];
    variables->count = kept;
    return 0;
}

void romsim_strings_clear(struct romsim_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct romsim_strings){0};
}
