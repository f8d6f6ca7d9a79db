/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_instance.c: any bytes as an instance file.  What is accepted becomes a request, and that
 * request is accepted too and becomes the same request.
 */
#include "fuzz.h"

#include <romsim/instance.h>

static const struct romsim_input source = {.name = "fuzz", .directory = "/nonexistent"};

/* The text's request, or NULL if it is refused. */
static char *request(const char *text, size_t size)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances instances = {0};
    int result = romsim_instances_parse(text, size, &source, NULL, &instances, &diagnostics);
    struct romsim_error error;
    char *body = NULL;

    FUZZ_CHECK((result == 0) == (diagnostics.errors == 0), "%d, %zu errors", result,
               diagnostics.errors);
    if (result == 0) {
        body = romsim_instances_request(&instances, &error);
        FUZZ_CHECK(body != NULL, "no request: %s", error.message);
    }
    romsim_instances_clear(&instances);
    romsim_diagnostics_clear(&diagnostics);
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *first = request((const char *)data, size);
    char *second = first ? request(first, strlen(first)) : NULL;

    if (first)
        FUZZ_CHECK(second && strcmp(first, second) == 0, "%s", "another request the second time");
    free(first);
    free(second);
    return 0;
}
