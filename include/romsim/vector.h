/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vector.h: a growable array by macro, as nbdkit has.
 *
 *     DEFINE_VECTOR(names, char *);          struct names, names_append(), names_reset()
 *     struct names list = {0};
 *     if (names_append(&list, name) < 0) ... ENOMEM
 *     for (size_t i = 0; i < list.count; i++) use(list.items[i]);
 *     names_reset(&list);                    frees the array, not what the items point to
 */
#ifndef ROMSIM_VECTOR_H
#define ROMSIM_VECTOR_H

#include <stddef.h>
#include <stdlib.h>

/* Makes room for one more item of `size` bytes.  Returns 0, or -1 without memory. */
int romsim_vector_grow(void **items, size_t count, size_t *capacity, size_t size);

#define DEFINE_VECTOR(name, type)                                                                  \
    struct name {                                                                                  \
        type *items;                                                                               \
        size_t count;                                                                              \
        size_t capacity;                                                                           \
    };                                                                                             \
    static inline __attribute__((unused)) int name##_append(struct name *vector, type item)        \
    {                                                                                              \
        void *items = vector->items;                                                               \
        if (vector->count == vector->capacity &&                                                   \
            romsim_vector_grow(&items, vector->count, &vector->capacity, sizeof(type)) < 0)        \
            return -1;                                                                             \
        vector->items = items;                                                                     \
        vector->items[vector->count++] = item;                                                     \
        return 0;                                                                                  \
    }                                                                                              \
    static inline __attribute__((unused)) void name##_reset(struct name *vector)                   \
    {                                                                                              \
        free(vector->items);                                                                       \
        *vector = (struct name){0};                                                                \
    }

#endif
