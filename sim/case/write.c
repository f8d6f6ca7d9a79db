/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write.c: a case as a file (docs/cases.md).
 *
 * The same draft gives the same bytes: nothing of the time or of this machine gets in but what the
 * draft says, JSON is sorted, and so are the parts.
 */
#include "format.h"

#include <romsim/case.h>
#include <romsim/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writing {
    const struct romsim_case_draft *draft;
    struct romsim_parts parts;
    struct romsim_masks masks; /* of the console */
    json_t *request;           /* redacted */
    json_t *redacted;          /* the names of the variables */
    struct romsim_diagnostics *diagnostics;
};

static void writing_release(struct writing *writing)
{
    romsim_parts_clear(&writing->parts);
    romsim_masks_clear(&writing->masks);
    json_decref(writing->request);
    json_decref(writing->redacted);
}

static void warn(struct writing *writing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void warn(struct writing *writing, const char *format, ...)
{
    struct romsim_error error;
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    romsim_error_set(&error, EINVAL, "%s", text ?: "out of memory");
    romsim_diagnostics_add(writing->diagnostics, &error, 1);
}

/* ---- what is left out --------------------------------------------------------------------- */

static int redact_env(struct writing *writing, struct romsim_error *err)
{
    json_t *env = json_object_get(writing->request, "env"), *value;
    const char *name;

    if (writing->draft->with_env)
        return 0;
    json_object_foreach(env, name, value)
    {
        CLEANUP_FREE char *shown = NULL;

        if (asprintf(&shown, "[redacted %s]", name) < 0) {
            shown = NULL;
            return romsim_error_nomem(err);
        }
        if (romsim_masks_add_variable(&writing->masks, name, json_string_value(value) ?: "") < 0 ||
            json_array_append_new(writing->redacted, json_string(name)) < 0)
            return romsim_error_nomem(err);
        json_string_set(value, shown);
    }
    return 0;
}

/* The names stay, so that who replays knows what is needed. */
static void empty_files(json_t *request)
{
    json_t *roms = json_object_get(request, "roms"), *rom, *file;
    size_t i, j;

    json_array_foreach(roms, i, rom)
    {
        json_array_foreach(json_object_get(rom, "files"), j, file)
        {
            json_object_set_new(file, "data", json_string(""));
        }
    }
}

static int redact(struct writing *writing, struct romsim_error *err)
{
    writing->request = json_deep_copy(writing->draft->request);
    writing->redacted = json_array();
    if (!writing->request || !writing->redacted)
        return romsim_error_nomem(err);
    if (redact_env(writing, err) < 0)
        return -1;
    if (writing->draft->without_inline)
        empty_files(writing->request);
    if (writing->draft->random_name &&
        romsim_masks_add(&writing->masks, writing->draft->random_name, "{name}") < 0)
        return romsim_error_nomem(err);
    return 0;
}

static bool has_value(const struct romsim_mask *mask, const void *bytes, uint64_t size)
{
    return mask->shown[0] == '[' && memmem(bytes, size, mask->text, strlen(mask->text));
}

/* "[redacted NAME]" */
static const char *variable_of(const struct romsim_mask *mask, char ret[200])
{
    static const char before[] = "[redacted ";

    snprintf(ret, 200, "%s", mask->shown + strlen(before));
    *strchrnul(ret, ']') = '\0';
    return ret;
}

/* What cannot be changed without being something else is at least told. */
static void warn_of_values(struct writing *writing)
{
    const json_t *args = json_object_get(writing->request, "args"), *arg;
    char name[200];
    size_t j;

    for (size_t i = 0; i < writing->masks.count; i++) {
        const struct romsim_mask *mask = &writing->masks.items[i];

        json_array_foreach(args, j, arg)
        {
            const char *text = json_string_value(arg) ?: "";

            if (has_value(mask, text, strlen(text)))
                warn(writing,
                     "the args have the value of the variable '%s', and are in the case as they "
                     "are",
                     QUOTE(variable_of(mask, name)));
        }
        for (size_t k = 0; k < writing->draft->rom_count; k++) {
            const struct romsim_case_rom *rom = &writing->draft->roms[k];

            if (!(rom->is_inline && writing->draft->without_inline) &&
                has_value(mask, romsim_blob_bytes(rom->blob), romsim_blob_size(rom->blob)))
                warn(writing,
                     "the ROM '%s' has the value of the variable '%s' in its bytes, which are in "
                     "the case as they are",
                     QUOTE(rom->name ?: rom->device), QUOTE(variable_of(mask, name)));
        }
    }
}

/* ---- parts -------------------------------------------------------------------------------- */

static int add_bytes(struct writing *writing, const char *name, const void *bytes, size_t size,
                     struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, err);

    return blob ? romsim_parts_add(&writing->parts, name, blob, err) : -1;
}

static int add_buffer(struct writing *writing, const char *name, const struct romsim_buffer *buffer,
                      struct romsim_error *err)
{
    if (buffer->failed == EFBIG)
        return romsim_error_set(err, EFBIG, "the case's %s would have more than %zu bytes", name,
                                buffer->maximum);
    if (buffer->failed)
        return romsim_error_nomem(err);
    return add_bytes(writing, name, buffer->data ?: "", buffer->size, err);
}

/* Takes the reference. */
static int add_json(struct writing *writing, const char *name, json_t *value,
                    struct romsim_error *err)
{
    CLEANUP_FREE char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
    size_t size = text ? strlen(text) : 0;

    json_decref(value);
    if (!text)
        return romsim_error_nomem(err);
    text[size] = '\n'; /* in place of its end */
    return add_bytes(writing, name, text, size + 1, err);
}

static int add_console(struct writing *writing, struct romsim_error *err)
{
    const struct romsim_buffer *console = &writing->draft->outcome->console;
    CLEANUP_BUFFER struct romsim_buffer masked = ROMSIM_BUFFER_INIT(4 * ROMSIM_CASE_CONSOLE_MAX);

    romsim_masks_apply(&writing->masks, console->data ?: "", console->size, &masked);
    return add_buffer(writing, CASE_CONSOLE, &masked, err);
}

/* A trace that is too long is left out, and the case is of use without it. */
static int add_trace(struct writing *writing, struct romsim_error *err)
{
    const struct romsim_reads *reads = writing->draft->outcome->reads;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(CASE_TRACE_MAX);

    if (!reads)
        return 0;
    romsim_reads_write(reads, &text);
    if (text.failed == EFBIG) {
        warn(writing, "the trace is too long, and not in the case");
        return 0;
    }
    return add_buffer(writing, CASE_TRACE, &text, err);
}

static const char *ending_of(struct romsim_blob *blob)
{
    static const char *const endings[] = {[ROMSIM_IMAGE_EROFS] = ".erofs",
                                          [ROMSIM_IMAGE_CPIO] = ".cpio",
                                          [ROMSIM_IMAGE_RAW] = ".rom"};

    return endings[romsim_image_probe(blob)];
}

static bool is_kept(const struct writing *writing, const struct romsim_case_rom *rom)
{
    return !rom->is_inline || !writing->draft->without_inline;
}

/* As `romsim build` names it; by its device if it has no name. */
static char *rom_part(const struct romsim_case_rom *rom)
{
    char *name;

    if (asprintf(&name, "roms/%s%s", rom->name ?: rom->device, ending_of(rom->blob)) < 0)
        return NULL;
    return name;
}

static int add_rom(struct writing *writing, const struct romsim_case_rom *rom,
                   struct romsim_error *err)
{
    CLEANUP_FREE char *name = NULL;

    if (!is_kept(writing, rom))
        return 0;
    name = rom_part(rom);
    return name ? romsim_parts_add(&writing->parts, name, rom->blob, err) : romsim_error_nomem(err);
}

static int add_parts(struct writing *writing, struct romsim_error *err)
{
    const struct romsim_case_draft *draft = writing->draft;

    if (add_json(writing, CASE_REQUEST, json_incref(writing->request), err) < 0 ||
        add_console(writing, err) < 0 || add_trace(writing, err) < 0)
        return -1;
    for (size_t i = 0; i < draft->rom_count; i++)
        if (add_rom(writing, &draft->roms[i], err) < 0)
            return -1;
    if (draft->record && romsim_parts_add(&writing->parts, CASE_RECORD, draft->record, err) < 0)
        return -1;
    return draft->with_root ? romsim_parts_add(&writing->parts, CASE_ROOT, draft->root, err) : 0;
}

/* ---- case.json ---------------------------------------------------------------------------- */

static json_t *digest_json(struct romsim_blob *blob)
{
    return json_sprintf("sha256:%s", romsim_blob_sha256_hex(blob));
}

/* Those that were changed. */
static json_t *bounds_json(void)
{
    json_t *bounds = json_object();

    for (int i = 0; i < ROMSIM_BOUND_COUNT; i++)
        if (romsim_bound((enum romsim_bound)i) != romsim_bound_default((enum romsim_bound)i))
            json_object_set_new(bounds, romsim_bound_name((enum romsim_bound)i),
                                json_integer((json_int_t)romsim_bound((enum romsim_bound)i)));
    return bounds;
}

static json_t *strings_json(const struct romsim_strings *strings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < strings->count; i++)
        if (json_array_append_new(list, json_string(strings->items[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* What the image sets; the instance's own are in the request. */
static json_t *env_json(const struct writing *writing)
{
    const struct romsim_strings *env = writing->draft->env;
    const json_t *own = json_object_get(writing->request, "env");
    json_t *list = json_array();

    for (size_t i = 0; i < env->count; i++) {
        CLEANUP_FREE char *name = strndup(env->items[i], strcspn(env->items[i], "="));

        if (name && json_object_get(own, name))
            continue;
        if (!name || json_array_append_new(list, json_string(env->items[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *root_json(const struct writing *writing)
{
    const struct romsim_case_draft *draft = writing->draft;

    return json_pack("{s:s, s:s*, s:o, s:I, s:s*}", "image", draft->image, "manifest",
                     draft->manifest, "digest", digest_json(draft->root), "size",
                     (json_int_t)romsim_blob_size(draft->root), "part",
                     draft->with_root ? CASE_ROOT : NULL);
}

static json_t *app_json(const struct writing *writing)
{
    return json_pack("{s:o, s:o, s:s}", "args", strings_json(writing->draft->args), "env",
                     env_json(writing), "working_dir", writing->draft->working_dir);
}

static json_t *rom_json(const struct writing *writing, const struct romsim_case_rom *rom)
{
    CLEANUP_FREE char *part = rom_part(rom);

    return json_pack("{s:s, s:s*, s:s*, s:s, s:b, s:s, s:o, s:I, s:s*}", "device", rom->device,
                     "name", rom->name, "at", rom->at, "source", rom->source, "inline",
                     rom->is_inline, "format",
                     romsim_image_kind_name(romsim_image_probe(rom->blob)), "digest",
                     digest_json(rom->blob), "size", (json_int_t)romsim_blob_size(rom->blob),
                     "part", is_kept(writing, rom) ? part : NULL);
}

static json_t *roms_json(const struct writing *writing)
{
    json_t *list = json_array();

    for (size_t i = 0; i < writing->draft->rom_count; i++)
        if (json_array_append_new(list, rom_json(writing, &writing->draft->roms[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *outcome_json(const struct writing *writing)
{
    const struct romsim_outcome *outcome = writing->draft->outcome;
    CLEANUP_BUFFER struct romsim_buffer reason = ROMSIM_BUFFER_INIT(1 << 20);
    json_t *object = json_pack("{s:s, s:b}", "end", romsim_outcome_end_name(outcome->end),
                               "console_is_tail", outcome->is_tail);

    if (outcome->end == ROMSIM_OUTCOME_EXIT)
        json_object_set_new(object, "exit_code", json_integer(outcome->status));
    if (outcome->reason) {
        romsim_masks_apply(&writing->masks, outcome->reason, strlen(outcome->reason), &reason);
        json_object_set_new(object, "reason",
                            json_string(QUOTE(reason.data ?: ""))); /* it may be no UTF-8 */
    }
    return object;
}

static json_t *parts_json(const struct writing *writing)
{
    json_t *object = json_object();

    for (size_t i = 0; i < writing->parts.count; i++)
        json_object_set_new(object, writing->parts.items[i].name,
                            digest_json(writing->parts.items[i].blob));
    return object;
}

static int add_head(struct writing *writing, struct romsim_error *err)
{
    const struct romsim_case_draft *draft = writing->draft;
    json_t *head = json_pack(
        "{s:i, s:O, s:o, s:o, s:o, s:O, s:o, s:o, s:o, s:o, s:o}", "romsim_case", CASE_VERSION,
        "versions", draft->versions, "limits", romsim_limits_json(draft->limits), "bounds",
        bounds_json(), "faults", strings_json(draft->faults), "redacted", writing->redacted, "root",
        root_json(writing), "app", app_json(writing), "roms", roms_json(writing), "outcome",
        outcome_json(writing), "parts", parts_json(writing));

    if (!head)
        return romsim_error_set(err, EINVAL,
                                "the instance has a text that is no UTF-8, which no case can have");
    return add_json(writing, CASE_HEAD, head, err);
}

static int compare_parts(const void *a, const void *b)
{
    const struct romsim_part *left = a, *right = b;

    return strcmp(left->name, right->name);
}

int romsim_case_write(const struct romsim_case_draft *draft, int fd,
                      struct romsim_diagnostics *diagnostics, struct romsim_error *err)
{
    CLEANUP(writing_release)
    struct writing writing = {.draft = draft, .diagnostics = diagnostics};

    if (redact(&writing, err) < 0 || add_parts(&writing, err) < 0 || add_head(&writing, err) < 0)
        return -1;
    warn_of_values(&writing);
    qsort(writing.parts.items, writing.parts.count, sizeof(*writing.parts.items), compare_parts);
    return romsim_parts_write(&writing.parts, fd, err);
}
