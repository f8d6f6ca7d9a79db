/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.c: a case's file, of which nothing is expected.
 *
 * What is taken of it was looked at: the version, each part's digest, each member that is used.
 * The instance's request is read by who restores it, with the rules that any request meets.
 */
#include "format.h"

#include <romsim/case.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXTS_MAX = 10000, STATUS_MAX = 255 };

static void image_clear(struct romsim_case_image *image)
{
    free(image->device);
    free(image->name);
    free(image->source);
    romsim_blob_unref(image->blob);
}

void romsim_case_free(struct romsim_case *opened)
{
    if (!opened)
        return;
    json_decref(opened->head);
    romsim_blob_unref(opened->request);
    romsim_blob_unref(opened->record);
    romsim_strings_clear(&opened->faults);
    romsim_strings_clear(&opened->redacted);
    romsim_strings_clear(&opened->args);
    romsim_strings_clear(&opened->env);
    image_clear(&opened->root);
    for (size_t i = 0; i < opened->rom_count; i++)
        image_clear(&opened->roms[i]);
    free(opened->roms);
    free(opened->supplied);
    free(opened->working_dir);
    romsim_outcome_clear(&opened->outcome);
    free(opened);
}

/* ---- members ------------------------------------------------------------------------------ */

struct reading {
    struct romsim_case *opened;
    struct romsim_parts parts;
    const char *name;
};

static int refuse(struct romsim_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(struct romsim_error *err, const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return romsim_error_set(err, EUCLEAN, "it is no case: %s", text);
}

static int take_text(const json_t *object, const char *member, bool is_needed, char **ret,
                     struct romsim_error *err)
{
    const json_t *value = json_object_get(object, member);

    if (!value && !is_needed)
        return 0;
    if (!json_is_string(value))
        return refuse(err, "'%s' is no text", member);
    *ret = strdup(json_string_value(value));
    return *ret ? 0 : romsim_error_nomem(err);
}

static int take_texts(const json_t *object, const char *member, struct romsim_strings *ret,
                      struct romsim_error *err)
{
    const json_t *list = json_object_get(object, member), *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > TEXTS_MAX)
        return refuse(err, "'%s' is no list of texts", member);
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return refuse(err, "'%s' is no list of texts", member);
        if (romsim_strings_append(ret, json_string_value(item)) < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}

static int take_digest(const json_t *object, const char *member, char ret[ROMSIM_DIGEST_SIZE],
                       struct romsim_error *err)
{
    const char *text = json_string_value(json_object_get(object, member)) ?: "";

    if (!romsim_digest_is_valid(text))
        return refuse(err, "'%s' is no digest", member);
    snprintf(ret, ROMSIM_DIGEST_SIZE, "%s", text);
    return 0;
}

static int take_limits(const json_t *limits, struct romsim_limits *ret, struct romsim_error *err)
{
    json_t *list = (json_t *)(uintptr_t)limits; /* jansson's iterator wants no const */
    const char *name;
    json_t *value;

    *ret = romsim_limits_default;
    json_object_foreach(list, name, value)
    {
        CLEANUP_FREE char *assignment = NULL;

        if (!json_is_integer(value))
            return refuse(err, "a limit is no number");
        if (asprintf(&assignment, "%s=%" JSON_INTEGER_FORMAT, name, json_integer_value(value)) <
            0) {
            assignment = NULL;
            return romsim_error_nomem(err);
        }
        if (romsim_limits_set(ret, assignment, err) < 0)
            return romsim_error_context(err, "its limits");
    }
    return 0;
}

/* ---- parts -------------------------------------------------------------------------------- */

/* Every part has a digest, and every digest its part. */
static int check_parts(const struct reading *reading, struct romsim_error *err)
{
    const json_t *digests = json_object_get(reading->opened->head, "parts");

    if (!json_is_object(digests))
        return refuse(err, "case.json has no 'parts'");
    if (json_object_size(digests) != reading->parts.count - 1)
        return refuse(err, "case.json tells of %zu parts, and there are %zu",
                      json_object_size(digests), reading->parts.count - 1);
    for (size_t i = 0; i < reading->parts.count; i++) {
        const struct romsim_part *part = &reading->parts.items[i];
        const char *told = json_string_value(json_object_get(digests, part->name));
        char found[ROMSIM_DIGEST_SIZE];

        if (strcmp(part->name, CASE_HEAD) == 0)
            continue;
        if (!told || !romsim_digest_is_valid(told))
            return refuse(err, "case.json has no digest of '%s'", QUOTE(part->name));
        romsim_blob_digest(part->blob, told, found);
        if (strcmp(found, told) != 0)
            return refuse(err, "'%s' has not the digest that case.json has", QUOTE(part->name));
    }
    return 0;
}

static struct romsim_blob *find_part(const struct reading *reading, const char *part, uint64_t most,
                                     struct romsim_error *err)
{
    struct romsim_blob *blob = romsim_parts_find(&reading->parts, part);

    if (!blob)
        refuse(err, "it has no '%s'", QUOTE(part));
    else if (romsim_blob_size(blob) > most)
        romsim_error_set(err, EFBIG, "its '%s' is larger than %s", QUOTE(part), SIZE_TEXT(most));
    else
        return blob;
    return NULL;
}

/* ---- images ------------------------------------------------------------------------------- */

/* Its bytes, if they are there, which have the digest that is told. */
static int take_bytes(const struct reading *reading, const json_t *object,
                      struct romsim_case_image *ret, struct romsim_error *err)
{
    const json_t *part = json_object_get(object, "part");
    const json_t *size = json_object_get(object, "size");
    char found[ROMSIM_DIGEST_SIZE];
    struct romsim_blob *blob;

    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return refuse(err, "an image has no size");
    ret->size = (uint64_t)json_integer_value(size);
    if (take_digest(object, "digest", ret->digest, err) < 0)
        return -1;
    if (!part)
        return 0;
    if (!json_is_string(part))
        return refuse(err, "an image's part has no name");
    blob = find_part(reading, json_string_value(part), UINT64_MAX, err);
    if (!blob)
        return -1;
    romsim_blob_digest(blob, ret->digest, found);
    if (strcmp(found, ret->digest) != 0 || romsim_blob_size(blob) != ret->size)
        return refuse(err, "'%s' is another image than case.json says",
                      QUOTE(json_string_value(part)));
    ret->blob = romsim_blob_ref(blob);
    return 0;
}

static int take_rom(const struct reading *reading, const json_t *object,
                    struct romsim_case_image *ret, struct romsim_error *err)
{
    ret->is_inline = json_is_true(json_object_get(object, "inline"));
    if (take_text(object, "device", true, &ret->device, err) < 0 ||
        take_text(object, "name", false, &ret->name, err) < 0 ||
        take_text(object, "source", true, &ret->source, err) < 0)
        return -1;
    return take_bytes(reading, object, ret, err);
}

static int take_images(struct reading *reading, struct romsim_error *err)
{
    struct romsim_case *opened = reading->opened;
    const json_t *root = json_object_get(opened->head, "root"), *rom;
    const json_t *roms = json_object_get(opened->head, "roms");
    const json_t *app = json_object_get(opened->head, "app");
    size_t i;

    if (take_text(root, "image", true, &opened->root.source, err) < 0 ||
        take_bytes(reading, root, &opened->root, err) < 0 ||
        (json_object_get(root, "manifest") &&
         take_digest(root, "manifest", opened->manifest, err) < 0) ||
        take_texts(app, "args", &opened->args, err) < 0 ||
        take_texts(app, "env", &opened->env, err) < 0 ||
        take_text(app, "working_dir", true, &opened->working_dir, err) < 0)
        return -1;
    opened->root.device = strdup("ukp_rom0");
    if (!json_is_array(roms) || json_array_size(roms) > ROMSIM_PARTS_MAX)
        return refuse(err, "'roms' is no list of ROMs");
    opened->roms = calloc(json_array_size(roms) + 1, sizeof(*opened->roms));
    if (!opened->roms || !opened->root.device)
        return romsim_error_nomem(err);
    json_array_foreach(roms, i, rom)
    {
        opened->rom_count = i + 1;
        if (take_rom(reading, rom, &opened->roms[i], err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what happened ------------------------------------------------------------------------ */

static int take_end(const json_t *object, struct romsim_outcome *ret, struct romsim_error *err)
{
    const char *end = json_string_value(json_object_get(object, "end")) ?: "";
    const json_t *status = json_object_get(object, "exit_code");

    for (int i = ROMSIM_OUTCOME_EXIT; i <= ROMSIM_OUTCOME_CUT; i++)
        if (strcmp(end, romsim_outcome_end_name((enum romsim_outcome_end)i)) == 0) {
            ret->end = (enum romsim_outcome_end)i;
            ret->is_tail = json_is_true(json_object_get(object, "console_is_tail"));
            if (ret->end != ROMSIM_OUTCOME_EXIT)
                return take_text(object, "reason", false, &ret->reason, err);
            if (!json_is_integer(status) || json_integer_value(status) < 0 ||
                json_integer_value(status) > STATUS_MAX)
                return refuse(err, "'exit_code' is no exit status");
            ret->status = (int)json_integer_value(status);
            return 0;
        }
    return refuse(err, "there is no end '%s'", QUOTE(end));
}

static int take_outcome(struct reading *reading, struct romsim_error *err)
{
    struct romsim_outcome *outcome = &reading->opened->outcome;
    struct romsim_blob *console, *trace = romsim_parts_find(&reading->parts, CASE_TRACE);

    if (take_end(json_object_get(reading->opened->head, "outcome"), outcome, err) < 0)
        return -1;
    outcome->console = ROMSIM_BUFFER_INIT(4 * ROMSIM_CASE_CONSOLE_MAX);
    console = find_part(reading, CASE_CONSOLE, outcome->console.maximum, err);
    if (!console)
        return -1;
    if (romsim_buffer_append(&outcome->console, romsim_blob_bytes(console),
                             romsim_blob_size(console)) < 0)
        return romsim_error_nomem(err);
    if (!trace)
        return 0;
    if (!find_part(reading, CASE_TRACE, CASE_TRACE_MAX, err))
        return -1;
    outcome->reads = romsim_reads_parse((const char *)romsim_blob_bytes(trace),
                                        romsim_blob_size(trace), CASE_LINE_MAX, NULL, err);
    return outcome->reads ? 0 : -1;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int take_head(struct reading *reading, struct romsim_error *err)
{
    struct romsim_blob *blob = find_part(reading, CASE_HEAD, CASE_HEAD_MAX, err);
    const json_t *version;

    if (!blob)
        return -1;
    reading->opened->head =
        json_loadb((const char *)romsim_blob_bytes(blob), romsim_blob_size(blob), 0, NULL);
    version = json_object_get(reading->opened->head, "romsim_case");
    if (!json_is_integer(version))
        return refuse(err, "case.json is none of a case");
    if (json_integer_value(version) == CASE_VERSION)
        return 0;
    romsim_error_set(err, ENOTSUP, "it is a case of version %" JSON_INTEGER_FORMAT,
                     json_integer_value(version));
    return romsim_error_hint(err, "this romsim reads version %d: a later one may read it",
                             CASE_VERSION);
}

static int take_all(struct reading *reading, struct romsim_error *err)
{
    struct romsim_case *opened = reading->opened;
    struct romsim_blob *request, *record = romsim_parts_find(&reading->parts, CASE_RECORD);

    if (take_head(reading, err) < 0 || check_parts(reading, err) < 0 ||
        take_limits(json_object_get(opened->head, "limits"), &opened->limits, err) < 0 ||
        take_texts(opened->head, "faults", &opened->faults, err) < 0 ||
        take_texts(opened->head, "redacted", &opened->redacted, err) < 0 ||
        take_images(reading, err) < 0 || take_outcome(reading, err) < 0)
        return -1;
    request = find_part(reading, CASE_REQUEST, CASE_REQUEST_MAX, err);
    if (!request)
        return -1;
    opened->request = romsim_blob_ref(request);
    opened->record = record ? romsim_blob_ref(record) : NULL;
    return 0;
}

struct romsim_case *romsim_case_read(struct romsim_blob *archive, const char *name,
                                     struct romsim_error *err)
{
    CLEANUP_CASE struct romsim_case *opened = calloc(1, sizeof(*opened));
    struct reading reading = {.opened = opened, .name = name};
    int status;

    if (!opened) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (romsim_parts_read(archive, name, &reading.parts, err) < 0)
        return NULL;
    status = take_all(&reading, err);
    romsim_parts_clear(&reading.parts);
    if (status == 0)
        return STEAL_POINTER(&opened);
    romsim_error_context(err, "'%s'", QUOTE(name));
    return NULL;
}

/* A frame of zstd, or a tar archive. */
bool romsim_case_is_one(const char *path)
{
    static const unsigned char frame[] = {0x28, 0xB5, 0x2F, 0xFD};
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char head[264] = {0};
    ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

    if (size < (ssize_t)sizeof(frame))
        return false;
    return memcmp(head, frame, sizeof(frame)) == 0 || memcmp(head + 257, "ustar", 5) == 0;
}
