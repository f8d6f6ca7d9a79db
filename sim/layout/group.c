/* SPDX-License-Identifier: BSD-3-Clause */
/* group.c: the service group that an instance asks for. */
#include <romsim/group.h>
#include <romsim/layout.h>

#include <errno.h>
#include <unistd.h>

/* What an instance has of its group: what the cloud's GET shows, and the services. */
static json_t *make_reference(const json_t *group)
{
    return json_pack("{s:O, s:O, s:O, s:O}", "uuid", json_object_get(group, "uuid"), "name",
                     json_object_get(group, "name"), "domains", json_object_get(group, "domains"),
                     "services", json_object_get(group, "services"));
}

static int not_both(const char *one, struct romsim_error *err)
{
    romsim_error_set(err, EINVAL, "Cannot specify '%s' when 'uuid' is set", one);
    romsim_error_rule(err, ROMSIM_RULE_EXCLUSIVE);
    if (err)
        err->cloud = ROMSIM_CLOUD_NOT_BOTH;
    return -1;
}

/* The group that is meant, which is used from now on. */
static json_t *find_or_make(const struct romsim_instance *instance, const json_t *wanted,
                            const char *metro, int *ret_use, struct romsim_error *err)
{
    const char *name = json_string_value(json_object_get(wanted, "name"));
    const char *uuid = json_string_value(json_object_get(wanted, "uuid"));

    if (uuid && (name || instance->service_count)) {
        not_both(name ? "name" : "services", err);
        return NULL;
    }
    if (instance->service_count == 0)
        return romsim_ledger_use(ROMSIM_LEDGER_GROUPS, name, uuid, ret_use, err);
    return romsim_group_new(wanted, metro, false, ret_use, err);
}

static int join(struct romsim_instance *instance, const json_t *wanted, const char *metro,
                struct romsim_error *err)
{
    int use = -1, status;
    json_t *group = find_or_make(instance, wanted, metro, &use, err), *reference;

    if (!group)
        return -1;
    reference = make_reference(group);
    json_decref(group);
    status = reference ? romsim_instance_set_group(instance, reference, use, err)
                       : romsim_error_nomem(err);
    json_decref(reference);
    if (status < 0)
        close(use);
    return status;
}

int romsim_layout_join_group(struct romsim_instance *instance, const char *metro,
                             struct romsim_error *err)
{
    json_t *wanted = romsim_instance_service_group(instance);
    bool is_named = json_object_get(wanted, "name") || json_object_get(wanted, "uuid");
    struct romsim_error own = {0};
    int status = 0;

    if (is_named || instance->service_count > 0)
        status = join(instance, wanted, metro ?: ROMSIM_METRO_DEFAULT, &own);
    json_decref(wanted);
    /* A group that nobody named is for show: where it cannot be kept, the ports are what counts. */
    if (status < 0 && !is_named && own.cloud == ROMSIM_CLOUD_UNKNOWN_ERROR)
        return 0;
    if (status < 0 && err)
        *err = own;
    return status;
}

int romsim_layout_find_group(struct romsim_instance *instance, struct romsim_error *err)
{
    return instance->service_count ? 0 : romsim_layout_join_group(instance, NULL, err);
}

void romsim_layout_leave_group(struct romsim_instance *instance)
{
    if (!instance || instance->group_use < 0)
        return;
    close(instance->group_use);
    instance->group_use = -1;
    romsim_ledger_sweep(ROMSIM_LEDGER_GROUPS);
}
