/* SPDX-License-Identifier: BSD-3-Clause */
/* target.c: an instance that a command asks: its keeper, or a server that has it. */
#include "target.h"

#include "remote.h"

#include <errno.h>
#include <stdlib.h>

struct target {
    struct romsim_link *link; /* one of both */
    struct remote_instance *remote;
};

struct target *target_open(const struct cli_args *args, const char *name, struct romsim_error *err)
{
    const char *host = remote_host(args);
    struct target *target = calloc(1, sizeof(*target));

    if (!target) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (host)
        target->remote = remote_instance_open(host, name, err);
    else
        target->link = romsim_link_open(name, err);
    if (target->link || target->remote)
        return target;
    free(target);
    return NULL;
}

void target_free(struct target *target)
{
    if (!target)
        return;
    romsim_link_free(target->link);
    remote_instance_free(target->remote);
    free(target);
}

const char *target_name(const struct target *target)
{
    return target->link ? romsim_link_name(target->link) : remote_instance_name(target->remote);
}

bool target_is_remote(const struct target *target)
{
    return target->remote;
}

json_t *target_call(struct target *target, json_t *request, int timeout_ms,
                    romsim_vm_observer *observer, void *context, struct romsim_error *err)
{
    if (target->link)
        return romsim_link_call(target->link, request, timeout_ms, observer, context, err);
    return remote_instance_call(target->remote, request, timeout_ms, observer, context, err);
}

int target_fd(const struct target *target)
{
    return target->link ? romsim_link_fd(target->link) : remote_instance_fd(target->remote);
}

enum romsim_link_news target_take(struct target *target, struct romsim_vm_event *ret_event,
                                  json_t **ret_answer)
{
    if (target->link)
        return romsim_link_take(target->link, ret_event, ret_answer);
    return remote_instance_take(target->remote, ret_event, ret_answer);
}

int target_send_with(struct target *target, json_t *request, int passed, struct romsim_error *err)
{
    if (target->link)
        return romsim_link_send_with(target->link, request, passed, err);
    json_decref(request);
    return romsim_error_set(err, ENOTSUP, "a server passes nothing on to an app");
}

int target_kill(struct target *target, struct romsim_error *err)
{
    if (!target->link)
        return romsim_error_set(err, ENOTSUP, "the server's own are out of reach");
    return romsim_link_kill(target->link, err);
}

json_t *target_list(const struct cli_args *args, struct romsim_error *err)
{
    const char *host = remote_host(args);
    json_t *list;

    if (host)
        return remote_list(host, err);
    list = romsim_link_list();
    if (!list)
        romsim_error_nomem(err);
    return list;
}
