/* SPDX-License-Identifier: BSD-3-Clause */
/* nidset.c: a set of 64-bit numbers, by open addressing. */
#include "reader.h"

/* The hash's distribution is not for an adversary to spoil: all bits are mixed in (splitmix64). */
static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* A slot holds nid + 1, 0 is a free one. */
static uint64_t *find_slot(uint64_t *slots, size_t capacity, uint64_t nid)
{
    size_t at = mix(nid) & (capacity - 1);

    while (slots[at] && slots[at] != nid + 1)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static int grow(struct erofs_nid_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 64;
    uint64_t *slots = calloc(capacity, sizeof(*slots));

    if (!slots)
        return -1;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i])
            *find_slot(slots, capacity, set->slots[i] - 1) = set->slots[i];
    free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    return 0;
}

bool erofs_nid_set_has(const struct erofs_nid_set *set, uint64_t nid)
{
    return set->capacity && *find_slot(set->slots, set->capacity, nid);
}

int erofs_nid_set_add(struct erofs_nid_set *set, uint64_t nid)
{
    uint64_t *slot;

    if (set->count >= set->capacity / 2 && grow(set) < 0)
        return -1;
    slot = find_slot(set->slots, set->capacity, nid);
    if (*slot)
        return 0;
    *slot = nid + 1;
    set->count++;
    return 1;
}

void erofs_nid_set_reset(struct erofs_nid_set *set)
{
    free(set->slots);
    *set = (struct erofs_nid_set){0};
}
