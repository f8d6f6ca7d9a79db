/* SPDX-License-Identifier: BSD-3-Clause */
/* services.c: published ports, of an instance or of a service group that it joins. */
#include "model.h"

#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* ---- rules ------------------------------------------------------------------------------------
 */

/* What the cloud says of a port's handlers (cloud-api §1.3), where there are any: NULL if they are
 * as they should be. */
static const char *wrong_handlers(const struct romsim_service *service)
{
    unsigned handlers = service->handlers;
    bool has_tls = handlers & ROMSIM_HANDLER_TLS, has_http = handlers & ROMSIM_HANDLER_HTTP;

    if (!handlers)
        return NULL;
    if (service->port == 80)
        return has_http && !has_tls ? NULL : "port 80 has http, and no tls";
    if (handlers & ROMSIM_HANDLER_REDIRECT)
        return "redirect is for port 80 only";
    if (service->port == 443)
        return has_http && has_tls ? NULL : "port 443 has both http and tls";
    return has_tls && !has_http ? NULL : "a port other than 80 and 443 has tls, and no http";
}

int service_check(const struct romsim_service *service, uint8_t *seen, struct romsim_error *err)
{
    const char *wrong = wrong_handlers(service);
    enum romsim_cloud_code code = ROMSIM_CLOUD_ALREADY_EXISTS;

    if (seen[service->port]) {
        romsim_error_set(err, EINVAL, "Duplicate service port %u", service->port);
        romsim_error_rule(err, ROMSIM_RULE_PORT);
    } else if (wrong) {
        code = ROMSIM_CLOUD_INVALID;
        romsim_error_set(err, EINVAL, "Invalid handlers for port %u", service->port);
        romsim_error_rule(err, ROMSIM_RULE_HANDLERS);
        romsim_error_hint(err, "%s", wrong);
    } else {
        seen[service->port] = 1;
        return 0;
    }
    if (err)
        err->cloud = code;
    return -1;
}

/* ---- as the cloud's API has them --------------------------------------------------------------
 */

static unsigned handler_bit(const char *name)
{
    for (unsigned bit = 0; name && bit < ROMSIM_HANDLER_COUNT; bit++)
        if (strcmp(name, romsim_handler_name(bit)) == 0)
            return 1U << bit;
    return 0;
}

/* Of an object whose shape is right. */
static struct romsim_service from_json(const json_t *object)
{
    const json_t *handlers = json_object_get(object, "handlers");
    const json_t *destination = json_object_get(object, "destination_port");
    struct romsim_service service = {
        .port = (uint16_t)json_integer_value(json_object_get(object, "port")),
        .destination_given = destination != NULL};

    service.destination_port =
        destination ? (uint16_t)json_integer_value(destination) : service.port;
    for (size_t i = 0; i < json_array_size(handlers); i++)
        service.handlers |= handler_bit(json_string_value(json_array_get(handlers, i)));
    return service;
}

int romsim_services_check(const json_t *services, struct romsim_error *err)
{
    CLEANUP_FREE uint8_t *seen = calloc(1, UINT16_MAX + 1);
    size_t count = json_array_size(services);

    if (!seen)
        return romsim_error_nomem(err);
    if (count == 0) {
        romsim_error_set(err, EINVAL, "Missing member services");
        romsim_error_rule(err, ROMSIM_RULE_MISSING_MEMBER);
        if (err)
            err->cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
        return romsim_error_hint(err, "a service group has one service at least");
    }
    for (size_t i = 0; i < count; i++) {
        struct romsim_service service = from_json(json_array_get(services, i));

        if (service_check(&service, seen, err) < 0)
            return -1;
    }
    return 0;
}

static int add_services(struct romsim_instance *instance, const json_t *services)
{
    for (size_t i = 0; i < json_array_size(services); i++) {
        struct romsim_service *service = instance_append_service(instance);

        if (!service)
            return -1;
        *service = from_json(json_array_get(services, i));
        service->place = instance->place;
    }
    return 0;
}

int romsim_instance_set_group(struct romsim_instance *instance, const json_t *group, int use,
                              struct romsim_error *err)
{
    char *text = json_dumps(group, JSON_COMPACT);
    bool has_own = instance->service_count > 0;

    if (!text || (!has_own && add_services(instance, json_object_get(group, "services")) < 0)) {
        free(text);
        return romsim_error_nomem(err);
    }
    free(instance->group_json);
    cleanup_close_fd(&instance->group_use);
    instance->group_json = text;
    instance->has_group_services = !has_own;
    instance->group_use = use;
    return 0;
}

int instance_keep_group(const struct romsim_instance *from, struct romsim_instance *to)
{
    json_t *group;
    int use, status;

    if (!from->group_json || from->group_use < 0)
        return 0;
    group = json_loads(from->group_json, 0, NULL);
    use = fcntl(from->group_use, F_DUPFD_CLOEXEC, 3);
    status = group && use >= 0 ? romsim_instance_set_group(to, group, use, NULL) : -1;
    json_decref(group);
    if (status < 0)
        cleanup_close_fd(&use);
    return status;
}
