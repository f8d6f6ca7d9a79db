/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outcomes.c: how instances and cases have ended, as JUnit's XML and as TAP.
 *
 * Of each there is kept the end of what its console and romsim have said, since that is where the
 * reason stands.  It is foreign text: what XML cannot have (controls, invalid UTF-8) becomes
 * U+FFFD, and in TAP a line of it is a comment, whatever it begins with.
 *
 * JUnit's XML has no standard; this is what the readers of Jenkins, GitLab and GitHub's actions
 * have in common: testsuites > testsuite > testcase > failure|error, system-out.
 */
#include "outcomes.h"

#include "output.h"

#include <romsim/clock.h>
#include <romsim/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL_SIZE = 64 << 10, REASON_SIZE = 4096, SIZE_MOST = 256 << 20 };

/* The last TAIL_SIZE bytes of a text. */
struct tail {
    char bytes[2 * TAIL_SIZE];
    size_t size;
    bool is_cut;
};

struct outcome {
    struct tail console;
    char reason[REASON_SIZE]; /* why it is none that has passed: a headline, and more behind it */
    uint64_t micros;
    enum outcomes_verdict verdict;
};

struct outcomes {
    const char *suite;
    const char *const *names;
    struct outcome *items;
    size_t count;
    uint64_t begin;
};

bool outcomes_are_wanted(const struct cli_args *args)
{
    return cli_has(args, "junit") || cli_has(args, "tap");
}

struct outcomes *outcomes_new(const char *suite, const char *const *names, size_t count)
{
    struct outcomes *outcomes = calloc(1, sizeof(*outcomes));

    if (!outcomes)
        return NULL;
    *outcomes = (struct outcomes){.suite = suite[0] ? suite : "romsim",
                                  .names = names,
                                  .items = calloc(count + 1, sizeof(*outcomes->items)),
                                  .count = count,
                                  .begin = romsim_clock_us()};
    if (outcomes->items)
        return outcomes;
    free(outcomes);
    return NULL;
}

void outcomes_free(struct outcomes *outcomes)
{
    if (outcomes)
        free(outcomes->items);
    free(outcomes);
}

static void tail_add(struct tail *tail, const char *text, size_t size)
{
    if (size > TAIL_SIZE) {
        text += size - TAIL_SIZE;
        size = TAIL_SIZE;
        tail->is_cut = true;
    }
    if (tail->size + size > sizeof(tail->bytes)) {
        size_t kept = tail->size < TAIL_SIZE ? tail->size : TAIL_SIZE;

        memmove(tail->bytes, tail->bytes + tail->size - kept, kept);
        tail->size = kept;
        tail->is_cut = true;
    }
    memcpy(tail->bytes + tail->size, text, size);
    tail->size += size;
}

/* The app's own status, unless romsim or the boot failed before or after. */
static void take_exit(struct outcome *outcome, int status)
{
    if (outcome->verdict == OUTCOMES_ERROR)
        return;
    outcome->verdict = status == 0 ? OUTCOMES_PASSED : OUTCOMES_FAILED;
    if (status != 0)
        snprintf(outcome->reason, sizeof(outcome->reason), "the app ended with status %d", status);
}

void outcomes_take(struct outcomes *outcomes, size_t instance, const struct romsim_vm_event *event)
{
    struct outcome *outcome =
        outcomes && instance < outcomes->count ? &outcomes->items[instance] : NULL;

    if (!outcome)
        return;
    switch (event->kind) {
    case ROMSIM_VM_CONSOLE:
        tail_add(&outcome->console, event->text, event->size);
        break;
    case ROMSIM_VM_ERROR:
    case ROMSIM_VM_FAILED:
        snprintf(outcome->reason, sizeof(outcome->reason), "%s", event->text);
        outcome->verdict = OUTCOMES_ERROR;
        outcome->micros = event->micros;
        break;
    case ROMSIM_VM_EXIT:
        take_exit(outcome, event->status);
        outcome->micros = event->micros;
        break;
    default:
        break;
    }
}

void outcomes_set(struct outcomes *outcomes, size_t test, enum outcomes_verdict verdict,
                  const char *reason, uint64_t micros)
{
    struct outcome *outcome = outcomes && test < outcomes->count ? &outcomes->items[test] : NULL;

    if (!outcome)
        return;
    snprintf(outcome->reason, sizeof(outcome->reason), "%s", reason ?: "");
    outcome->verdict = verdict;
    outcome->micros = micros;
}

void outcomes_console(struct outcomes *outcomes, size_t test, const char *text, size_t size)
{
    if (outcomes && test < outcomes->count)
        tail_add(&outcomes->items[test].console, text, size);
}

/* Of what did not end nobody has said why. */
static const char *reason_of(const struct outcome *outcome)
{
    return outcome->reason[0] ? outcome->reason : "it did not end";
}

/* ---- XML -------------------------------------------------------------------------------- */

static void put_escaped(struct romsim_buffer *out, const char *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        unsigned char first = (unsigned char)text[i];

        length = romsim_utf8_length(text + i, size - i);
        if (length == 1 && first == '&')
            romsim_buffer_puts(out, "&amp;");
        else if (length == 1 && first == '<')
            romsim_buffer_puts(out, "&lt;");
        else if (length == 1 && first == '>')
            romsim_buffer_puts(out, "&gt;");
        else if (length == 1 && first == '"')
            romsim_buffer_puts(out, "&quot;");
        else if (length == 1 && first == '\r') /* of a terminal's line end; a bare one is as much */
            ;
        else if (length == 0 || (length == 1 && first < ' ' && first != '\n' && first != '\t') ||
                 (length == 3 && memcmp(text + i, "\xef\xbf\xbe", 3) >= 0 && first == 0xef))
            romsim_buffer_puts(out, "\xef\xbf\xbd");
        else
            romsim_buffer_append(out, text + i, length);
        length = length ?: 1;
    }
}

static void put_attribute(struct romsim_buffer *out, const char *name, const char *value)
{
    romsim_buffer_printf(out, " %s=\"", name);
    put_escaped(out, value, strcspn(value, "\n"));
    romsim_buffer_puts(out, "\"");
}

/* The end of the console, from a line's beginning where it was cut. */
static void console_end(const struct tail *tail, const char **ret_text, size_t *ret_size)
{
    const char *text = tail->bytes + (tail->size > TAIL_SIZE ? tail->size - TAIL_SIZE : 0);
    size_t size = tail->size < TAIL_SIZE ? tail->size : TAIL_SIZE;
    const char *newline = tail->is_cut || tail->size > TAIL_SIZE ? memchr(text, '\n', size) : NULL;

    if (newline) {
        size -= (size_t)(newline + 1 - text);
        text = newline + 1;
    }
    *ret_text = text;
    *ret_size = size;
}

static void print_case(const struct outcomes *outcomes, size_t index, struct romsim_buffer *out)
{
    const struct outcome *outcome = &outcomes->items[index];
    const char *kind = outcome->verdict == OUTCOMES_FAILED ? "failure" : "error", *text;
    size_t size;

    romsim_buffer_puts(out, "    <testcase");
    put_attribute(out, "name", outcomes->names[index]);
    put_attribute(out, "classname", "romsim");
    romsim_buffer_printf(out, " time=\"%.3f\">\n", (double)outcome->micros / 1e6);
    if (outcome->verdict != OUTCOMES_PASSED) {
        romsim_buffer_printf(out, "      <%s", kind);
        put_attribute(out, "message", reason_of(outcome));
        romsim_buffer_puts(out, ">");
        put_escaped(out, outcome->reason, strlen(outcome->reason));
        romsim_buffer_printf(out, "</%s>\n", kind);
    }
    console_end(&outcome->console, &text, &size);
    romsim_buffer_puts(out, "      <system-out>");
    put_escaped(out, text, size);
    romsim_buffer_puts(out, "</system-out>\n    </testcase>\n");
}

static void print_junit(const struct outcomes *outcomes, struct romsim_buffer *out)
{
    size_t failures = 0, errors = 0;

    for (size_t i = 0; i < outcomes->count; i++) {
        enum outcomes_verdict verdict = outcomes->items[i].verdict;

        failures += verdict == OUTCOMES_FAILED;
        errors += verdict == OUTCOMES_NONE || verdict == OUTCOMES_ERROR;
    }
    romsim_buffer_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                            "  <testsuite");
    put_attribute(out, "name", outcomes->suite);
    romsim_buffer_printf(
        out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" time=\"%.3f\">\n",
        outcomes->count, failures, errors, (double)(romsim_clock_us() - outcomes->begin) / 1e6);
    for (size_t i = 0; i < outcomes->count; i++)
        print_case(outcomes, i, out);
    romsim_buffer_puts(out, "  </testsuite>\n</testsuites>\n");
}

/* ---- TAP -------------------------------------------------------------------------------- */

static void print_comment(struct romsim_buffer *out, const char *text, size_t size)
{
    char line[1024];

    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;
        size_t shown = length > 0 && text[length - 1] == '\r' ? length - 1 : length;

        romsim_buffer_printf(out, "# %s\n", romsim_text_quote(text, shown, line, sizeof(line)));
        text += length + (newline != NULL);
        size -= length + (newline != NULL);
    }
}

static void print_tap(const struct outcomes *outcomes, struct romsim_buffer *out)
{
    romsim_buffer_printf(out, "TAP version 13\n1..%zu\n", outcomes->count);
    for (size_t i = 0; i < outcomes->count; i++) {
        const struct outcome *outcome = &outcomes->items[i];
        bool has_passed = outcome->verdict == OUTCOMES_PASSED;
        const char *text;
        size_t size;

        romsim_buffer_printf(out, "%sok %zu - %s\n", has_passed ? "" : "not ", i + 1,
                             QUOTE(outcomes->names[i]));
        if (has_passed)
            continue;
        print_comment(out, reason_of(outcome), strlen(reason_of(outcome)));
        console_end(&outcome->console, &text, &size);
        print_comment(out, text, size);
    }
}

/* ---- files ------------------------------------------------------------------------------ */

static int write_one(const struct cli_args *args, const char *option,
                     const struct outcomes *outcomes,
                     void (*print)(const struct outcomes *outcomes, struct romsim_buffer *out))
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(SIZE_MOST);
    struct romsim_error error = {0};
    const char *path = cli_value(args, option);

    if (!path)
        return 0;
    if (outcomes)
        print(outcomes, &text);
    if (!outcomes || text.failed)
        romsim_error_nomem(&error);
    else if (output_save(path, text.data, text.size, &error) == 0)
        return 0;
    romsim_error_context(&error, "--%s", option);
    cli_report(&error);
    return -1;
}

int outcomes_write(const struct cli_args *args, const struct outcomes *outcomes)
{
    return write_one(args, "junit", outcomes, print_junit) < 0 ||
                   write_one(args, "tap", outcomes, print_tap) < 0
               ? -1
               : 0;
}

void outcomes_write_refusal(const struct cli_args *args)
{
    const char *name = args->operand_count ? args->operands[0] : "romsim";
    CLEANUP_OUTCOMES struct outcomes *outcomes = NULL;

    if (!outcomes_are_wanted(args))
        return;
    outcomes = outcomes_new(name, &name, 1);
    outcomes_set(outcomes, 0, OUTCOMES_ERROR, cli_first_error(), 0);
    outcomes_write(args, outcomes);
}
