/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_case.c: any bytes as a captured case; what is read of one must have an instance that can be
 * restored or is refused, and an outcome that is the same as itself.
 *
 * The bytes are a tar archive, plain or compressed, or, since digests would keep most of them out,
 * case.json, a trace and a request behind each other, with two NULs between, of which a case is
 * made.
 */
#include "fuzz.h"

#include <romsim/case.h>

#include <jansson.h>
#include <string.h>

enum { INPUT_MAX = 256 << 10 };

FUZZ_REFUSE_LARGE

static void use(struct romsim_case *opened)
{
    const struct romsim_strings none = {0};
    const struct romsim_case_choice choice = {.roms = &none, .env = &none, .keeps_name = true};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_comparison comparison = {0};
    struct romsim_instance *instance = NULL;
    struct romsim_layout *layout;

    FUZZ_CHECK(
        romsim_outcome_compare(&opened->outcome, &opened->outcome, true, &comparison, NULL) == 0 &&
            !comparison.difference,
        "it differs from itself: %s", comparison.difference ?: "");
    romsim_comparison_clear(&comparison);
    layout = romsim_case_restore(opened, &choice, &instance, &diagnostics);
    FUZZ_CHECK(layout || diagnostics.errors, "no layout, and no error");
    romsim_layout_free(layout);
    romsim_instance_free(instance);
    romsim_diagnostics_clear(&diagnostics);
}

/* The piece up to two NULs or the end. */
static size_t cut(const uint8_t **data, size_t *size)
{
    const uint8_t *end = memmem(*data, *size, "\0", 2);
    size_t piece = end ? (size_t)(end - *data) : *size, step = end ? piece + 2 : piece;

    *data += step;
    *size -= step;
    return piece;
}

static int add(struct romsim_parts *parts, const char *name, const void *bytes, size_t size)
{
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(bytes, size, NULL);

    return blob ? romsim_parts_add(parts, name, blob, NULL) : -1;
}

/* A case of these parts, with the digests that they have; NULL if case.json is no object. */
static struct romsim_blob *make(const uint8_t *data, size_t size)
{
    static const char root[4096];
    const uint8_t *head_text = data;
    size_t head_size = cut(&data, &size);
    json_t *head = json_loadb((const char *)head_text, head_size, 0, NULL), *digests;
    const uint8_t *trace = data;
    size_t trace_size = cut(&data, &size);
    CLEANUP_PARTS struct romsim_parts parts = {0};
    struct romsim_error err = {0};
    char *text;
    int fd;

    if (!json_is_object(head) || add(&parts, "trace.jsonl", trace, trace_size) < 0 ||
        add(&parts, "request.json", data, size) < 0 ||
        add(&parts, "root.erofs", root, sizeof(root)) < 0 ||
        add(&parts, "console.log", "a\nb\n", 4) < 0) {
        json_decref(head);
        return NULL;
    }
    digests = json_object();
    for (size_t i = 0; i < parts.count; i++)
        json_object_set_new(digests, parts.items[i].name,
                            json_sprintf("sha256:%s", romsim_blob_sha256_hex(parts.items[i].blob)));
    json_object_set_new(head, "parts", digests);
    text = json_dumps(head, 0);
    json_decref(head);
    fd = romsim_blob_scratch_memfd(&err);
    FUZZ_CHECK(text && fd >= 0 && add(&parts, "case.json", text, strlen(text)) == 0 &&
                   romsim_parts_write(&parts, fd, &err) == 0,
               "%s", err.message);
    free(text);
    return romsim_blob_take_fd(fd, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_BLOB struct romsim_blob *archive = NULL;
    CLEANUP_CASE struct romsim_case *opened = NULL;
    struct romsim_error err = {0};

    if (size > INPUT_MAX)
        return -1;
    archive =
        size > 0 && data[0] == '{' ? make(data, size) : romsim_blob_from_bytes(data, size, NULL);
    opened = archive ? romsim_case_read(archive, "fuzz", &err) : NULL;
    if (opened)
        use(opened);
    else
        FUZZ_CHECK(!archive || err.message[0], "no case, and no error");
    return 0;
}
