/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prepare.c: templates that are made on demand (cloud-api §4): an instance says what its template
 * is made of, if it is not there yet.
 *
 * What is to become the template is an instance with the template's name, which nobody waits for
 * but us: if several want it at the same time only one can make the instance, and all wait for what
 * comes of it.
 */
#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/link.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 20, LOOK_MS = 100, TIMEOUT_S = 60 };

struct preparation {
    const char *name;
    json_t *create_args; /* borrowed from the member "template" */
    const struct romsim_vm_options *options;
    enum romsim_origin origin;
    bool allow_local;
    const char *directory;
    uint64_t end; /* of waiting; 0: none */
    struct romsim_error failure;
};

/* ---- the instance that becomes it --------------------------------------------------------- */

static int first_error(struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    int status = romsim_error_nomem(err);

    for (size_t i = diagnostics->count; i-- > 0;)
        if (!diagnostics->entries[i].is_warning && err)
            *err = diagnostics->entries[i].error;
    romsim_diagnostics_clear(diagnostics);
    return status;
}

static struct romsim_instance *parse(const struct preparation *preparation,
                                     struct romsim_error *err)
{
    const struct romsim_input source = {.origin = preparation->origin,
                                        .name = "create_args",
                                        .directory = preparation->directory,
                                        .is_request = preparation->origin == ROMSIM_ORIGIN_NETWORK,
                                        .allow_local = preparation->allow_local};
    CLEANUP_FREE char *text = NULL;
    struct romsim_instances instances = {0};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instance *instance;

    json_object_set_new(preparation->create_args, "name", json_string(preparation->name));
    text = json_dumps(preparation->create_args, JSON_COMPACT);
    if (!text ||
        romsim_instances_parse(text, strlen(text), &source, &preparation->options->limits,
                               &instances, &diagnostics) < 0 ||
        instances.count != 1) {
        first_error(&diagnostics, err);
        romsim_instances_clear(&instances);
        return NULL;
    }
    romsim_diagnostics_clear(&diagnostics);
    instance = STEAL_POINTER(&instances.items[0]);
    romsim_instances_clear(&instances);
    /* It is there as soon as it has its name. */
    instance->autostart = true;
    instance->replicas = 0;
    instance->given |= ROMSIM_GIVEN_TIMEOUT;
    instance->timeout_s = 0;
    return instance;
}

/* A romsim_vm_observer. */
static void on_event(void *context, size_t index, const struct romsim_vm_event *event)
{
    struct preparation *preparation = context;

    (void)index;
    if (event->kind != ROMSIM_VM_FAILED)
        return;
    romsim_error_set(&preparation->failure, EIO, "%s", event->text);
    preparation->failure.cloud = (enum romsim_cloud_code)event->status;
}

static int start(struct preparation *preparation, const struct romsim_instance *instance,
                 const struct romsim_layout *layout, struct romsim_error *err)
{
    struct romsim_vm_options options = *preparation->options;
    struct romsim_vm *vm;

    options.fate = ROMSIM_VM_CREATE;
    options.becomes_template = true;
    options.stays = false;
    options.source = NULL;
    options.input = (struct romsim_vm_input){0};
    vm = romsim_vm_new(&layout, &instance, 1, &options, on_event, preparation);
    if (vm)
        romsim_vm_start(vm);
    while (vm && romsim_vm_is_running(vm)) {
        struct pollfd poll_fd = {.fd = romsim_vm_fd(vm), .events = POLLIN};

        if (poll(&poll_fd, 1, -1) >= 0 || errno == EINTR)
            romsim_vm_dispatch(vm);
    }
    romsim_vm_free(vm);
    if (!preparation->failure.errnum)
        return 0;
    if (err)
        *err = preparation->failure;
    preparation->failure = (struct romsim_error){0};
    return -1;
}

static int make(struct preparation *preparation, struct romsim_error *err)
{
    CLEANUP_INSTANCE struct romsim_instance *instance = parse(preparation, err);
    struct romsim_diagnostics diagnostics = {0};
    CLEANUP_LAYOUT struct romsim_layout *layout = NULL;

    if (!instance || romsim_layout_join_group(instance, NULL, err) < 0)
        return -1;
    layout = romsim_layout_new(instance, &diagnostics);
    if (!layout)
        first_error(&diagnostics, err);
    romsim_diagnostics_clear(&diagnostics);
    if (layout && romsim_vm_template_check(preparation->name, layout, err) == 0 &&
        start(preparation, instance, layout, err) == 0)
        return 0;
    romsim_layout_leave_group(instance);
    return -1;
}

/* ---- waiting for it ----------------------------------------------------------------------- */

static int time_left(const struct preparation *preparation)
{
    uint64_t now = romsim_clock_us();

    if (!preparation->end)
        return -1;
    return now >= preparation->end ? 0 : (int)((preparation->end - now) / 1000 + 1);
}

static bool is_there(const struct preparation *preparation)
{
    CLEANUP_TEMPLATE struct romsim_template *template =
        romsim_template_open(ROMSIM_SAVED_TEMPLATE, preparation->name, NULL, NULL);

    return template != NULL;
}

/* 1: it is there; 0: look again; -1: it will not be. */
static int await(const struct preparation *preparation, struct romsim_error *err)
{
    struct romsim_error why = {0};
    CLEANUP_LINK struct romsim_link *link = romsim_link_open_name(preparation->name, &why);
    json_t *answer;

    if (!link)
        return is_there(preparation);
    answer = romsim_link_call(link, json_pack("{s:s, s:s}", "do", "wait", "state", "template"),
                              time_left(preparation), NULL, NULL, &why);
    json_decref(answer);
    if (answer || is_there(preparation))
        return 1;
    if (why.errnum == EPIPE || why.cloud == ROMSIM_CLOUD_NOT_FOUND)
        return 0;
    if (why.errnum == ETIMEDOUT) {
        romsim_error_set(err, ETIMEDOUT, "timed out: the template '%s' is not there yet",
                         QUOTE(preparation->name));
        if (err)
            err->cloud = ROMSIM_CLOUD_TIMED_OUT;
    } else if (err) {
        *err = why;
    }
    return -1;
}

static int prepare(struct preparation *preparation, struct romsim_error *err)
{
    for (int i = 0; i < LOOKS; i++) {
        struct romsim_error why = {0};
        int found = is_there(preparation) ? 1 : await(preparation, &why);

        if (found > 0)
            return 0;
        if (found == 0)
            found = make(preparation, &why);
        /* Somebody else has made it at the same time. */
        if (found < 0 && why.cloud == ROMSIM_CLOUD_ALREADY_EXISTS)
            poll(NULL, 0, LOOK_MS);
        else if (found < 0 && err)
            *err = why;
        if (found < 0 && why.cloud != ROMSIM_CLOUD_ALREADY_EXISTS)
            return romsim_error_context(err, "the template '%s'", preparation->name);
    }
    romsim_error_set(err, EIO, "the template '%s' comes and goes", preparation->name);
    if (err)
        err->cloud = ROMSIM_CLOUD_FAILED_OPERATION;
    return -1;
}

int romsim_vm_template_prepare(const struct romsim_instance *instance, enum romsim_origin origin,
                               bool allow_local, const struct romsim_vm_options *options,
                               struct romsim_error *err)
{
    json_t *other = instance->other_json ? json_loads(instance->other_json, 0, NULL) : NULL;
    const json_t *said = json_object_get(other, "template");
    const json_t *timeout = json_object_get(said, "prepare_timeout_s");
    json_int_t seconds = json_is_integer(timeout) ? json_integer_value(timeout) : TIMEOUT_S;
    struct preparation preparation = {.name = instance->template_name,
                                      .create_args = json_object_get(said, "create_args"),
                                      .options = options,
                                      .origin = origin,
                                      .allow_local = allow_local,
                                      .directory = instance->directory};
    int status = 0;

    if (seconds > 0)
        preparation.end = romsim_clock_us() + (uint64_t)seconds * 1000000;
    if (preparation.create_args && preparation.name) {
        if (json_object_get(said, "autokill"))
            json_object_set(preparation.create_args, "autokill", json_object_get(said, "autokill"));
        status = prepare(&preparation, err);
    }
    json_decref(other);
    return status;
}
