/* SPDX-License-Identifier: BSD-3-Clause */
/* vector.c: the growth of DEFINE_VECTOR's arrays. */
#include <romsim/vector.h>

int romsim_vector_grow(void **items, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = count < 8 ? 8 : count + count / 2;
    void *grown;

    if (wanted < count)
        return -1;
    grown = reallocarray(*items, wanted, size);
    if (!grown)
        return -1;
    *items = grown;
    *capacity = wanted;
    return 0;
}
