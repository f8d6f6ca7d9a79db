/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maker_process.c: the process that makes instances of a request's body (maker.h).
 *
 * It reads an order, does what `romsim create` does, and prints what has come of it.  What it
 * leaves are keepers; all else goes with it.
 */
#include "api.h"
#include "maker_order.h"

#include <romsim/api.h>
#include <romsim/arch.h>
#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/cpu.h>
#include <romsim/layout.h>
#include <romsim/link.h>
#include <romsim/state.h>

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { INPUT_MAX = 512 << 20, TEXT_MAX = 64 << 10, STATUS_FAILED = 125 };

struct maker {
    const struct maker_order *order;
    char *body; /* NULL once it is read */
    struct romsim_vm_options options;
    struct romsim_instances instances; /* as they are asked for, */
    struct romsim_layout **layouts;    /* a layout each; NULL: it cannot be made, */
    json_t **refusals;                 /* and why */
    struct romsim_making making;       /* those that can, with their replicas, */
    json_t **made;                     /* and what is answered of each: borrowed from */
    json_t *answers;                   /* of all, in order */
    json_t *warnings;
    json_t *error; /* of the whole, or NULL */
};

/* ---- what is said ------------------------------------------------------------------------------
 */

static json_t *error_json(enum romsim_cloud_code code, int errnum, const char *message)
{
    return json_pack("{s:i, s:i, s:o}", "code", (int)code, "errno", errnum, "message",
                     api_text_json(message));
}

static json_t *one_error_json(const struct romsim_error *err)
{
    CLEANUP_FREE char *text = romsim_error_text(err);

    return error_json(err->cloud, err->errnum, text ? text : err->message);
}

/* All errors as one, which has the first one's code; NULL if there is none. */
static json_t *errors_json(const struct romsim_diagnostics *diagnostics)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(TEXT_MAX);
    const struct romsim_error *first = NULL;

    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct romsim_error *err = &diagnostics->entries[i].error;
        CLEANUP_FREE char *one = romsim_error_text(err);

        if (diagnostics->entries[i].is_warning)
            continue;
        romsim_buffer_printf(&text, "%s%s", first ? "; " : "", one ? one : err->message);
        first = first ? first : err;
    }
    return first ? error_json(first->cloud, first->errnum, text.data ? text.data : first->message)
                 : NULL;
}

/* What is true of several instances is said once. */
static void add_warning(struct maker *maker, const char *text)
{
    json_t *warning = api_text_json(text);

    for (size_t i = 0; i < json_array_size(maker->warnings); i++)
        if (json_equal(json_array_get(maker->warnings, i), warning)) {
            json_decref(warning);
            return;
        }
    json_array_append_new(maker->warnings, warning);
}

static void add_warnings(struct maker *maker, const struct romsim_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct romsim_error *err = &diagnostics->entries[i].error;
        CLEANUP_FREE char *text = romsim_error_text(err);

        if (diagnostics->entries[i].is_warning)
            add_warning(maker, text ? text : err->message);
    }
}

static void fail(struct maker *maker, const struct romsim_error *err)
{
    if (!maker->error)
        maker->error = one_error_json(err);
}

/* ---- from the body to layouts ------------------------------------------------------------------
 */

/* Returns 0 or -1, as the others below: why is in maker->error then. */
static int read_body(struct maker *maker)
{
    const struct romsim_input source = {.origin = ROMSIM_ORIGIN_NETWORK,
                                        .name = "request",
                                        .is_request = true,
                                        .allow_local = maker->order->allow_paths};
    struct romsim_diagnostics diagnostics = {0};
    int status = romsim_instances_parse(maker->body, maker->order->body_size, &source,
                                        &maker->order->limits, &maker->instances, &diagnostics);
    struct romsim_error err;

    free(maker->body);
    maker->body = NULL;
    add_warnings(maker, &diagnostics);
    if (status < 0)
        maker->error = errors_json(&diagnostics);
    else if ((status = romsim_replicas_check(&maker->instances, &err)) < 0)
        fail(maker, &err);
    romsim_diagnostics_clear(&diagnostics);
    return status;
}

/* The layout of one, whose ports are those of its service group; NULL: why is in *ret. */
static struct romsim_layout *make_layout(struct maker *maker, struct romsim_instance *instance,
                                         json_t **ret)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_layout *layout = NULL;
    struct romsim_error err;

    if (romsim_layout_join_group(instance, maker->order->metro, &err) < 0) {
        *ret = one_error_json(&err);
        return NULL;
    }
    layout = romsim_layout_new(instance, &diagnostics);
    add_warnings(maker, &diagnostics);
    if (!layout) {
        *ret = errors_json(&diagnostics);
        romsim_layout_leave_group(instance); /* or the others' keepers would use it */
    }
    romsim_diagnostics_clear(&diagnostics);
    return layout;
}

/* Before the layouts: those of clones are their templates', and what makes a template is to have no
 * part of the others. */
static void prepare_templates(struct maker *maker)
{
    struct romsim_error err;

    for (size_t i = 0; i < maker->instances.count; i++)
        if (romsim_vm_template_prepare(maker->instances.items[i], ROMSIM_ORIGIN_NETWORK,
                                       maker->order->allow_paths, &maker->options, &err) < 0)
            maker->refusals[i] = one_error_json(&err);
}

/* The same for what may be a branch of an instance, which is saved for it. */
static struct romsim_layout *branch_layout(struct maker *maker, struct romsim_instance *instance,
                                           json_t **ret)
{
    CLEANUP_LINK struct romsim_link *source = NULL;
    struct romsim_error err;

    if (romsim_vm_branch(instance, &source, &err) == 0)
        return make_layout(maker, instance, ret);
    *ret = one_error_json(&err);
    return NULL;
}

static int make_layouts(struct maker *maker)
{
    size_t count = maker->instances.count;

    maker->layouts = calloc(count + 1, sizeof(*maker->layouts));
    maker->refusals = calloc(count + 1, sizeof(*maker->refusals));
    if (!maker->layouts || !maker->refusals)
        return -1;
    prepare_templates(maker);
    for (size_t i = 0; i < count; i++)
        if (!maker->refusals[i])
            maker->layouts[i] =
                branch_layout(maker, maker->instances.items[i], &maker->refusals[i]);
    return 0;
}

/* ---- from layouts to instances -----------------------------------------------------------------
 */

static json_t *add_answer(struct maker *maker, const char *name)
{
    json_t *answer = json_pack("{s:s*}", "name", name);

    json_array_append_new(maker->answers, answer);
    return answer;
}

/* How long its client waits for it is not for us to wait: the time-out goes into the answer. */
static json_t *answer_made(struct maker *maker, size_t index)
{
    struct romsim_instance *instance = maker->making.instances[index];
    json_t *answer = add_answer(maker, maker->making.layouts[index]->name);

    if (instance->given & ROMSIM_GIVEN_TIMEOUT)
        json_object_set_new(answer, "timeout_s", json_integer(instance->timeout_s));
    instance->given |= ROMSIM_GIVEN_TIMEOUT;
    instance->timeout_s = 0;
    return answer;
}

static int answer_all(struct maker *maker)
{
    size_t next = 0;

    maker->made = calloc(maker->making.count + 1, sizeof(*maker->made));
    for (size_t i = 0; maker->made && i < maker->instances.count; i++) {
        const struct romsim_instance *refused = maker->instances.items[i];
        uint32_t replicas;

        if (refused) {
            json_object_set(add_answer(maker, refused->name), "error", maker->refusals[i]);
            continue;
        }
        replicas = maker->making.instances[next]->replicas;
        for (uint32_t j = 0; j <= replicas; j++, next++)
            maker->made[next] = answer_made(maker, next);
    }
    return maker->made ? 0 : -1;
}

/* A romsim_vm_observer.  What becomes of an instance that is there is its own affair. */
static void on_event(void *context, size_t index, const struct romsim_vm_event *event)
{
    struct maker *maker = context;
    json_t *answer = maker->made[index];

    if (event->kind == ROMSIM_VM_NOTE) {
        add_warning(maker, event->text);
    } else if (event->kind == ROMSIM_VM_CREATED) {
        json_object_set_new(answer, "is_made", json_true());
    } else if (event->kind == ROMSIM_VM_FAILED && !json_object_get(answer, "is_made")) {
        json_object_set_new(answer, "error",
                            error_json((enum romsim_cloud_code)event->status,
                                       event->status == ROMSIM_CLOUD_UNKNOWN_ERROR ? EIO : EINVAL,
                                       event->text));
    }
}

static void follow(struct romsim_vm *vm)
{
    while (romsim_vm_is_running(vm)) {
        struct pollfd poll_fd = {.fd = romsim_vm_fd(vm), .events = POLLIN};

        if (poll(&poll_fd, 1, -1) >= 0 || errno == EINTR)
            romsim_vm_dispatch(vm);
    }
}

static void make(struct maker *maker)
{
    const struct romsim_making *making = &maker->making;
    struct romsim_vm *vm;

    if (making->count == 0)
        return;
    vm = romsim_vm_new((const struct romsim_layout *const *)making->layouts,
                       (const struct romsim_instance *const *)making->instances, making->count,
                       &maker->options, on_event, maker);
    if (!vm) { /* none was made: the one that failed has said why, and it is why for all */
        for (size_t i = 0; i < making->count && !maker->error; i++)
            maker->error = json_incref(json_object_get(maker->made[i], "error"));
        return;
    }
    romsim_vm_start(vm);
    for (size_t i = 0; i < making->count; i++)
        json_object_set_new(maker->made[i], "uuid", json_string(romsim_vm_uuid(vm, i)));
    follow(vm);
    romsim_vm_free(vm);
}

/* ---- from beginning to end ---------------------------------------------------------------------
 */

static struct romsim_vm_options options_of(const struct maker_order *order, const char *kernel)
{
    struct romsim_vm_options options = {.fate = ROMSIM_VM_CREATE,
                                        .limits = order->limits,
                                        .processor = order->processor,
                                        .kernel = order->kernel_size ? kernel : NULL,
                                        .use_image_kernel = order->use_image_kernel,
                                        .allow_host = order->allow_host,
                                        .isolated = order->isolated,
                                        .no_fuse = order->no_fuse,
                                        .boot_timeout_s = order->boot_timeout_s,
                                        .ports_at = *order->ports_at ? order->ports_at : NULL};

    /* The server's user has been told why it is emulated; the clients need not know. */
    options.processor.note[0] = '\0';
    return options;
}

static int set_bounds(const struct maker_order *order)
{
    char text[128];

    for (int i = 0; i < ROMSIM_BOUND_COUNT; i++) {
        snprintf(text, sizeof(text), "%s=%llu", romsim_bound_name((enum romsim_bound)i),
                 (unsigned long long)order->bounds[i]);
        if (romsim_bounds_set(text, NULL) < 0)
            return -1;
    }
    return 0;
}

static void run(struct maker *maker)
{
    struct romsim_error err;

    maker->answers = json_array();
    maker->warnings = json_array();
    if (read_body(maker) < 0)
        return;
    romsim_state_sweep();
    if (make_layouts(maker) == 0 &&
        romsim_making_fill(&maker->making, &maker->instances, maker->layouts, &maker->order->limits,
                           &err) == 0 &&
        answer_all(maker) == 0) {
        make(maker);
        return;
    }
    romsim_error_nomem(&err);
    fail(maker, &err);
}

static int print(const struct maker *maker)
{
    json_t *answer = json_pack("{s:O*, s:O*, s:O*}", "instances", maker->answers, "warnings",
                               maker->warnings, "error", maker->error);
    int status = json_dumpf(answer, stdout, JSON_COMPACT) < 0 || fflush(stdout) < 0;

    json_decref(answer);
    return status;
}

static void release(struct maker *maker)
{
    for (size_t i = 0; i < maker->instances.count; i++) {
        if (maker->layouts)
            romsim_layout_free(maker->layouts[i]);
        if (maker->refusals)
            json_decref(maker->refusals[i]);
    }
    free(maker->body);
    free(maker->layouts);
    free(maker->refusals);
    romsim_making_clear(&maker->making);
    romsim_instances_clear(&maker->instances);
    free(maker->made);
    json_decref(maker->answers);
    json_decref(maker->warnings);
    json_decref(maker->error);
}

/* The order at the beginning of the input, or NULL. */
static const struct maker_order *find_order(const struct romsim_buffer *input)
{
    const struct maker_order *order = (const void *)input->data;
    uint64_t size = sizeof(*order);

    if (input->failed || input->size < size ||
        memcmp(order->magic, MAKER_ORDER_MAGIC, sizeof(order->magic)) != 0)
        return NULL;
    size += (uint64_t)order->kernel_size + order->body_size;
    return size == input->size ? order : NULL;
}

/* What was read goes, or each keeper would have a copy of it. */
static int take_order(struct maker_order *ret_order, char **ret_kernel, char **ret_body)
{
    CLEANUP_BUFFER struct romsim_buffer input = ROMSIM_BUFFER_INIT(INPUT_MAX);
    const struct maker_order *order;
    const char *rest;

    romsim_buffer_read_fd(&input, STDIN_FILENO);
    order = find_order(&input);
    if (!order)
        return -1;
    rest = input.data + sizeof(*order);
    *ret_order = *order;
    *ret_kernel = strndup(rest, order->kernel_size);
    *ret_body = malloc((size_t)order->body_size + 1);
    if (!*ret_kernel || !*ret_body)
        return -1;
    memcpy(*ret_body, rest + order->kernel_size, order->body_size);
    (*ret_body)[order->body_size] = '\0';
    return 0;
}

int romsim_api_maker(void)
{
    CLEANUP_FREE char *kernel = NULL;
    struct maker_order order;
    struct maker maker = {.order = &order};
    int status;

    if (take_order(&order, &kernel, &maker.body) < 0)
        return STATUS_FAILED;
    prctl(PR_SET_NAME, "romsim"); /* and not "exe", which it was started by */
    /* The server may have ended before this was said. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != order.server || set_bounds(&order) < 0) {
        free(maker.body);
        return STATUS_FAILED;
    }
    alarm(MAKER_MOST_S);
    romsim_arch_set(order.processor.arch);
    romsim_cpu_set_level(order.processor.level);
    maker.options = options_of(&order, kernel);
    run(&maker);
    status = print(&maker) == 0 ? 0 : STATUS_FAILED;
    release(&maker);
    return status;
}
