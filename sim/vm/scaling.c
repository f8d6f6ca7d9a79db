/* SPDX-License-Identifier: BSD-3-Clause */
/* scaling.c: an instance's `scale_to_zero`, what it asks for and what the cloud shows of it. */
#include "scaling.h"

#include <romsim/checked.h>

#include <string.h>

enum { COOLDOWN_DEFAULT_MS = 1000, COOLDOWN_MOST_MS = 86400000 };

static void set_absent(json_t *scale, const char *key, json_t *value)
{
    if (json_object_get(scale, key))
        json_decref(value);
    else
        json_object_set_new(scale, key, value);
}

void scaling_complete(json_t *scale)
{
    set_absent(scale, "policy", json_string("off"));
    set_absent(scale, "cooldown_time_ms", json_integer(COOLDOWN_DEFAULT_MS));
    set_absent(scale, "notify_time_ms", json_integer(0));
    set_absent(scale, "stateful", json_false());
    json_object_set_new(
        scale, "enabled",
        json_boolean(strcmp(json_string_value(json_object_get(scale, "policy")), "off") != 0));
}

struct scaling scaling_of(const struct romsim_instance *instance)
{
    json_t *other = instance->other_json ? json_loads(instance->other_json, 0, NULL) : NULL;
    json_t *scale = json_object_get(other, "scale_to_zero");
    struct scaling scaling = {0};

    if (scale) {
        const char *policy;

        scaling_complete(scale);
        policy = json_string_value(json_object_get(scale, "policy"));
        scaling.is_on = json_is_true(json_object_get(scale, "enabled"));
        scaling.ends_idle = strcmp(policy, "idle") == 0;
        scaling.is_stateful = json_is_true(json_object_get(scale, "stateful"));
        scaling.cooldown_us =
            min_u64((uint64_t)json_integer_value(json_object_get(scale, "cooldown_time_ms")),
                    COOLDOWN_MOST_MS) *
            1000;
    }
    json_decref(other);
    return scaling;
}
