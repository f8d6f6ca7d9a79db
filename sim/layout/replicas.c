/* SPDX-License-Identifier: BSD-3-Clause */
/* replicas.c: an instance with N replicas is N + 1 instances (cloud-rules §1). */
#include <romsim/layout.h>

#include <romsim/bounds.h>

#include <stdlib.h>

static int add(struct romsim_making *making, struct romsim_instance *instance,
               struct romsim_layout *layout)
{
    if (!instance || !layout) {
        romsim_instance_free(instance);
        romsim_layout_free(layout);
        return -1;
    }
    making->instances[making->count] = instance;
    making->layouts[making->count++] = layout;
    return 0;
}

/* An instance is copied by an edit of nothing. */
static struct romsim_instance *copy(const struct romsim_instance *instance,
                                    const struct romsim_limits *limits)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instance *copied = NULL;
    json_t *no_edits = json_array();

    romsim_instance_edit(instance, no_edits, ROMSIM_ORIGIN_FILE, limits, &copied, &diagnostics);
    json_decref(no_edits);
    romsim_diagnostics_clear(&diagnostics);
    return copied;
}

static int add_all(struct romsim_making *making, struct romsim_instances *instances,
                   struct romsim_layout **layouts, const struct romsim_limits *limits)
{
    for (size_t i = 0; i < instances->count; i++) {
        const struct romsim_instance *first = instances->items[i];
        const struct romsim_layout *layout = layouts[i];

        if (!layout)
            continue;
        add(making, STEAL_POINTER(&instances->items[i]), STEAL_POINTER(&layouts[i]));
        for (uint32_t j = 0; j < first->replicas; j++)
            if (add(making, copy(first, limits), romsim_layout_replica(layout, first)) < 0)
                return -1;
    }
    return 0;
}

int romsim_replicas_check(const struct romsim_instances *instances, struct romsim_error *err)
{
    uint64_t count = 0;

    for (size_t i = 0; i < instances->count; i++)
        count += 1 + (uint64_t)instances->items[i]->replicas;
    if (count <= romsim_bound(ROMSIM_BOUND_INSTANCES))
        return 0;
    romsim_bound_refuse(
        err, ROMSIM_BOUND_INSTANCES, "Too many instances: %llu with all replicas, of at most %llu",
        (unsigned long long)count, (unsigned long long)romsim_bound(ROMSIM_BOUND_INSTANCES));
    romsim_error_rule(err, ROMSIM_RULE_BOUND);
    if (err)
        err->cloud = ROMSIM_CLOUD_TOO_MANY;
    return -1;
}

int romsim_making_fill(struct romsim_making *making, struct romsim_instances *instances,
                       struct romsim_layout **layouts, const struct romsim_limits *limits,
                       struct romsim_error *err)
{
    size_t count = 0;

    if (romsim_replicas_check(instances, err) < 0)
        return -1;
    for (size_t i = 0; i < instances->count; i++)
        count += 1 + (size_t)instances->items[i]->replicas;
    making->instances = calloc(count + 1, sizeof(struct romsim_instance *));
    making->layouts = calloc(count + 1, sizeof(struct romsim_layout *));
    if (!making->instances || !making->layouts || add_all(making, instances, layouts, limits) < 0)
        return romsim_error_nomem(err);
    return 0;
}

void romsim_making_clear(struct romsim_making *making)
{
    for (size_t i = 0; i < making->count; i++) {
        romsim_instance_free(making->instances[i]);
        romsim_layout_free(making->layouts[i]);
    }
    free(making->instances);
    free(making->layouts);
    *making = (struct romsim_making){0};
}
