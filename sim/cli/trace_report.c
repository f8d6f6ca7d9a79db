/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_report.c: a trace as one page, with all that it needs in it.
 *
 * The lines of the trace are in the page as they are, as data, and the page's script shows them.
 * Their names are foreign: in the data no character is left that HTML knows, the script makes text
 * of them and never markup, and the page's policy has the browser run that one script, and ask
 * nobody for anything.
 */
#include "trace_report.h"

#include <romsim/cleanup.h>
#include <romsim/digest.h>
#include <romsim/embed.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

ROMSIM_EMBED(report_body, "sim/cli/report/report.html");
ROMSIM_EMBED(report_style, "sim/cli/report/report.css");
ROMSIM_EMBED(report_script, "sim/cli/report/report.js");

enum { ACCESSES_MAX = 200000, DATA_MAX = 1 << 30, DIGEST_BYTES = 32 };

void trace_report_begin(struct trace_report *report)
{
    *report = (struct trace_report){.data = ROMSIM_BUFFER_INIT(DATA_MAX)};
}

void trace_report_clear(struct trace_report *report)
{
    romsim_buffer_reset(&report->data);
}

static bool is_access(const json_t *line)
{
    const char *kind = json_string_value(json_object_get(line, "kind")) ?: "";

    return strcmp(kind, "read") == 0 || strcmp(kind, "file") == 0 || strcmp(kind, "lookup") == 0 ||
           strcmp(kind, "open") == 0;
}

/* In JSON these stand in strings only, where they may be written by their numbers. */
static void append_disarmed(struct romsim_buffer *out, const char *json)
{
    while (*json) {
        size_t plain = strcspn(json, "<>&");

        romsim_buffer_append(out, json, plain);
        json += plain;
        if (*json)
            romsim_buffer_printf(out, "\\u%04x", (unsigned char)*json++);
    }
}

int trace_report_add(struct trace_report *report, const json_t *line, struct romsim_error *err)
{
    CLEANUP_FREE char *text = NULL;

    if (is_access(line) && report->accesses++ >= ACCESSES_MAX) {
        report->left_out++;
        return 0;
    }
    text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (!text)
        return romsim_error_nomem(err);
    romsim_buffer_puts(&report->data, report->lines++ ? ",\n" : "\n");
    append_disarmed(&report->data, text);
    if (!report->data.failed)
        return 0;
    return romsim_error_system(err, report->data.failed, "the page would be too large");
}

/* "'sha256-BASE64'", as a policy names what may run; malloc'ed, or NULL. */
static char *policy_hash(const char *bytes, const char *end)
{
    struct romsim_digest *digest = romsim_digest_new("sha256:");
    char text[ROMSIM_DIGEST_SIZE];
    uint8_t raw[DIGEST_BYTES];
    CLEANUP_FREE char *base64 = NULL;
    char *hash = NULL;

    if (!digest)
        return NULL;
    romsim_digest_update(digest, bytes, (size_t)(end - bytes));
    romsim_digest_final(digest, text);
    romsim_digest_free(digest);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        const char pair[3] = {romsim_digest_hex(text)[2 * i], romsim_digest_hex(text)[2 * i + 1]};

        raw[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    base64 = romsim_base64_encode(raw, sizeof(raw));
    return base64 && asprintf(&hash, "'sha256-%s'", base64) >= 0 ? hash : NULL;
}

static void append_part(struct romsim_buffer *out, const char *before, const char *bytes,
                        const char *end, const char *after)
{
    romsim_buffer_puts(out, before);
    romsim_buffer_append(out, bytes, (size_t)(end - bytes));
    romsim_buffer_puts(out, after);
}

int trace_report_finish(const struct trace_report *report, struct romsim_buffer *ret,
                        struct romsim_error *err)
{
    CLEANUP_FREE char *style = policy_hash(report_style, report_style_end);
    CLEANUP_FREE char *script = policy_hash(report_script, report_script_end);

    if (!style || !script)
        return romsim_error_nomem(err);
    romsim_buffer_printf(ret,
                         "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                         "'none'; style-src %s; script-src %s; base-uri 'none'; form-action "
                         "'none'; require-trusted-types-for 'script'\">\n"
                         "<meta name=\"referrer\" content=\"no-referrer\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width, "
                         "initial-scale=1\">\n<title>What was read of the ROMs</title>\n",
                         style, script);
    append_part(ret, "<style>", report_style, report_style_end, "</style>\n</head>\n");
    append_part(ret, "", report_body, report_body_end, "");
    append_part(ret, "<script id=\"data\" type=\"application/json\">{\"lines\": [",
                report->data.data ?: "", (report->data.data ?: "") + report->data.size, "]");
    romsim_buffer_printf(ret, ", \"left_out\": %zu}</script>\n", report->left_out);
    append_part(ret, "<script>", report_script, report_script_end, "</script>\n</body>\n</html>\n");
    return ret->failed ? romsim_error_system(err, ret->failed, "the page would be too large") : 0;
}
