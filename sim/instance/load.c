/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.c: from a file, a text or nothing to checked instances.
 *
 * Every source goes the same way, once: shape, amendments, directories, rules.  So a rule sees what
 * will be run, not what a flag is about to replace.
 */
#include "model.h"

#include <romsim/bounds.h>
#include <romsim/buffer.h>
#include <romsim/paths.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body has its limit, and YAML takes more room than the JSON that it becomes. */
enum { TEXT_BODIES_MAX = 2 };

struct load {
    const struct romsim_document *document;
    const struct romsim_input *source;
    const struct romsim_limits *limits;
    struct romsim_diagnostics *diagnostics;
    struct romsim_instances instances;
};

static int complain_nomem(struct romsim_diagnostics *diagnostics)
{
    struct romsim_error error;

    romsim_error_nomem(&error);
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

static int complain_size(struct romsim_diagnostics *diagnostics, const char *name,
                         const struct romsim_limits *limits)
{
    struct romsim_error error;

    romsim_error_set(&error, EFBIG, "the text is larger than %llu bytes",
                     (unsigned long long)limits->body_bytes * TEXT_BODIES_MAX);
    error.rule = ROMSIM_RULE_BODY_BYTES;
    romsim_error_hint(&error, "a request can have %llu; large content goes into an image ROM",
                      (unsigned long long)limits->body_bytes);
    snprintf(error.place.file, sizeof(error.place.file), "%s", name);
    error.cloud = ROMSIM_CLOUD_TOO_LONG;
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

/* ---- the instances of a document --------------------------------------------------------- */

static int append(struct load *load, struct romsim_instance *instance)
{
    struct romsim_instances *list = &load->instances;
    struct romsim_instance **items =
        instance ? reallocarray(list->items, list->count + 1, sizeof(*items)) : NULL;

    if (!items) {
        romsim_instance_free(instance);
        return complain_nomem(load->diagnostics);
    }
    list->items = items;
    items[list->count++] = instance;
    return 0;
}

static void set_origin(const struct romsim_input *source, struct romsim_instance *instance)
{
    instance->allow_local = source->allow_local;
    instance->image_origin = source->origin;
    for (size_t i = 0; i < instance->rom_count; i++)
        instance->roms[i].origin = source->origin;
    for (size_t i = 0; i < instance->volume_count; i++)
        instance->volumes[i].origin = source->origin;
}

/* The answer to a GET is easily taken for a request, and each of its members would be an error. */
static bool refuse_answer(struct load *load, const struct romsim_node *node)
{
    struct romsim_error error;

    if (load->source->is_answer || load->source->is_request || answer_instances(node) == node)
        return false;
    romsim_error_set(&error, EINVAL, "This is what a GET answers, and no request");
    error.rule = ROMSIM_RULE_ANSWER;
    romsim_error_hint(&error, "--from-get takes it as far as it goes");
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    romsim_document_complain(load->document, node->offset, &error, load->diagnostics);
    return true;
}

static int load_instance(struct load *load, const struct romsim_node *node)
{
    struct romsim_error error;
    struct romsim_instance *instance;

    if (refuse_answer(load, node))
        return 0;
    if (node->kind != ROMSIM_NODE_OBJECT) {
        romsim_error_set(&error, EINVAL, "An instance must be an object, not %s",
                         romsim_node_kind_name(node));
        error.rule = ROMSIM_RULE_KIND;
        romsim_error_hint(&error, "it has at least image: REFERENCE");
        error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
        romsim_document_complain(load->document, node->offset, &error, load->diagnostics);
        return 0;
    }
    if (load->instances.count >= romsim_bound(ROMSIM_BOUND_INSTANCES)) {
        romsim_bound_refuse(&error, ROMSIM_BOUND_INSTANCES,
                            "Too many instances: at most %llu in a file",
                            (unsigned long long)romsim_bound(ROMSIM_BOUND_INSTANCES));
        error.rule = ROMSIM_RULE_BOUND;
        error.cloud = ROMSIM_CLOUD_TOO_MANY;
        romsim_document_complain(load->document, node->offset, &error, load->diagnostics);
        return -1;
    }
    instance = instance_build(load->document, node, load->source, load->limits, load->diagnostics);
    if (instance)
        set_origin(load->source, instance);
    return append(load, instance);
}

static int load_root(struct load *load, const struct romsim_node *node)
{
    if (load->source->is_answer)
        node = answer_instances(node);
    if (node->kind == ROMSIM_NODE_NULL) /* an empty document between two lines of --- */
        return 0;
    if (node->kind != ROMSIM_NODE_LIST)
        return load_instance(load, node);
    for (size_t i = 0; i < node->count; i++)
        if (load_instance(load, node->items[i].value) < 0)
            return -1;
    return 0;
}

static void load_roots(struct load *load)
{
    size_t errors = load->diagnostics->errors;
    struct romsim_error error;

    for (size_t i = 0; i < romsim_document_root_count(load->document); i++)
        if (load_root(load, romsim_document_root(load->document, i)) < 0)
            return;
    if (load->instances.count > 0 || load->diagnostics->errors > errors)
        return;
    romsim_error_set(&error, EINVAL, "there is no instance in the %s",
                     load->source->is_request ? "request" : "file");
    error.rule = ROMSIM_RULE_NO_INSTANCE;
    romsim_error_hint(&error, "it has at least image: REFERENCE");
    error.cloud = ROMSIM_CLOUD_MALFORMED_REQUEST;
    romsim_document_complain(load->document, 0, &error, load->diagnostics);
}

/* ---- what concerns all of them ----------------------------------------------------------- */

static int compare_names(const void *left, const void *right)
{
    const struct romsim_instance *a = *(struct romsim_instance *const *)left;
    const struct romsim_instance *b = *(struct romsim_instance *const *)right;
    int difference = strcmp(a->name, b->name);

    if (difference != 0)
        return difference;
    return a->name_place.line < b->name_place.line ? -1 : a->name_place.line > b->name_place.line;
}

static void check_names(struct load *load)
{
    CLEANUP_FREE const struct romsim_instance **named =
        calloc(load->instances.count + 1, sizeof(const struct romsim_instance *));
    struct romsim_error error;
    size_t count = 0;

    if (!named) {
        complain_nomem(load->diagnostics);
        return;
    }
    for (size_t i = 0; i < load->instances.count; i++)
        if (load->instances.items[i]->name)
            named[count++] = load->instances.items[i];
    qsort(named, count, sizeof(*named), compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(named[i]->name, named[i - 1]->name) != 0)
            continue;
        romsim_error_set(&error, EINVAL, "Duplicate instance name '%s'", QUOTE(named[i]->name));
        error.rule = ROMSIM_RULE_DUPLICATE;
        romsim_error_hint(&error, "the first one is in line %u", named[i - 1]->name_place.line);
        complain_at(load->diagnostics, &named[i]->name_place, ROMSIM_CLOUD_ALREADY_EXISTS, &error);
    }
}

/* Who writes a { first means JSON, which he may send to the API next. */
static void warn_of_flow(struct load *load)
{
    size_t offset;
    const struct romsim_error *mistake = romsim_document_json_mistake(load->document, &offset);
    struct romsim_error warning;

    if (!mistake)
        return;
    romsim_error_set(&warning, EINVAL,
                     "the text begins as JSON does, but it is YAML: the API would "
                     "refuse it here");
    warning.rule = ROMSIM_RULE_JSON_AS_YAML;
    romsim_error_hint(&warning, "in JSON: %s", mistake->message);
    romsim_document_warn(load->document, offset, &warning, load->diagnostics);
}

/* ---- the way of every source ------------------------------------------------------------- */

static int parse_text(struct load *load, const char *text, size_t size)
{
    size_t errors = load->diagnostics->errors;
    CLEANUP_DOCUMENT struct romsim_document *document = NULL;

    if (size / TEXT_BODIES_MAX > load->limits->body_bytes || size >= UINT32_MAX)
        return complain_size(load->diagnostics, load->source->name, load->limits);
    document = romsim_document_new(load->source->name, text, size);
    if (!document)
        return complain_nomem(load->diagnostics);
    load->document = document;
    if (load->source->is_request)
        romsim_document_demand_json(document);
    romsim_document_read(document, load->diagnostics);
    warn_of_flow(load);
    if (load->diagnostics->errors == errors || romsim_document_root_count(document) > 0)
        load_roots(load);
    load->document = NULL;
    return 0;
}

/* The one instance that is to be made of amendments alone. */
static int make_empty(struct load *load)
{
    struct romsim_instance *instance = romsim_instance_new();

    if (instance && string_set(&instance->directory, load->source->directory ?: "") < 0) {
        romsim_instance_free(instance);
        instance = NULL;
    }
    if (instance)
        set_origin(load->source, instance);
    return append(load, instance);
}

/* Without its amendments an instance is not judged: what it lacks may be what they were to add. */
static int amend(struct load *load)
{
    const struct romsim_input *source = load->source;

    if (!source->amend || load->instances.count == 0)
        return 0;
    return source->amend(&load->instances, source->context, load->diagnostics);
}

static void complete(struct load *load, size_t errors_before)
{
    struct romsim_diagnostics *diagnostics = load->diagnostics;

    for (size_t i = 0; i < load->instances.count; i++) {
        romsim_instance_load_dirs(load->instances.items[i], load->limits, diagnostics);
        check_rules(load->instances.items[i], load->limits, diagnostics);
    }
    check_names(load);
    if (diagnostics->errors == errors_before)
        check_body(&load->instances, load->limits, diagnostics);
    if (diagnostics->errors == errors_before)
        check_growth(&load->instances, diagnostics);
}

int romsim_instances_parse(const char *text, size_t size, const struct romsim_input *source,
                           const struct romsim_limits *limits, struct romsim_instances *ret,
                           struct romsim_diagnostics *diagnostics)
{
    size_t first = diagnostics->count;
    size_t errors = diagnostics->errors;
    struct load load = {.source = source,
                        .limits = limits ? limits : &romsim_limits_default,
                        .diagnostics = diagnostics};
    int status = text ? parse_text(&load, text, size) : make_empty(&load);

    *ret = (struct romsim_instances){0};
    if (status == 0)
        status = amend(&load);
    if (status == 0 && !source->is_only_compared)
        complete(&load, errors);
    if (diagnostics->errors != errors)
        status = -1;
    /* Shape, rules and limits are looked at in turn; the user reads from top to bottom. */
    romsim_diagnostics_sort(diagnostics, first);
    if (status < 0)
        romsim_instances_clear(&load.instances);
    *ret = load.instances;
    return status;
}

/* ---- files ------------------------------------------------------------------------------- */

static int complain_file(struct romsim_diagnostics *diagnostics, const char *name, int errnum)
{
    struct romsim_error error;

    romsim_error_system(&error, errnum, "'%s' cannot be read", QUOTE(name));
    romsim_diagnostics_add(diagnostics, &error, 0);
    return -1;
}

/* The directory of a path, malloc'ed; "" for the working directory, also of what has none. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || romsim_path_descriptor(path) >= 0)
        return strdup("");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int romsim_instances_load(const char *path, const struct romsim_input *source,
                          const struct romsim_limits *limits, struct romsim_instances *ret,
                          struct romsim_diagnostics *diagnostics)
{
    struct romsim_input named = source ? *source : (struct romsim_input){0};
    const struct romsim_limits *bounds = limits ? limits : &romsim_limits_default;
    CLEANUP_BUFFER struct romsim_buffer text =
        ROMSIM_BUFFER_INIT(bounds->body_bytes * TEXT_BODIES_MAX);
    bool is_stdin = strcmp(path, "-") == 0;
    CLEANUP_FREE char *directory = is_stdin ? strdup("") : directory_of(path);
    CLEANUP_FD int fd =
        is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);

    *ret = (struct romsim_instances){0};
    if (!directory)
        return complain_nomem(diagnostics);
    if (fd < 0)
        return complain_file(diagnostics, path, errno);
    if (romsim_buffer_read_fd(&text, fd) < 0)
        return text.failed == EFBIG ? complain_size(diagnostics, path, bounds)
                                    : complain_file(diagnostics, path, text.failed);
    named.name = is_stdin ? "stdin" : path;
    named.directory = directory;
    return romsim_instances_parse(text.data ? text.data : "", text.size, &named, bounds, ret,
                                  diagnostics);
}
