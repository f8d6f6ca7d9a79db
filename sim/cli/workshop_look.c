/* SPDX-License-Identifier: BSD-3-Clause */
/* workshop_look.c: what a step of an exercise looks at: see workshop.h. */
#include "sim/cli/workshop.h"

#include <romsim/case.h>
#include <romsim/link.h>
#include <romsim/paths.h>
#include <romsim/program.h>
#include <romsim/template.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { ANSWER_MAX = 1 << 20, ANSWER_TIMEOUT_MS = 10000 };

/* Sets what the step is about. */
__attribute__((format(printf, 2, 3))) static void about(struct workshop_look *look,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(look->subject, sizeof(look->subject), format, arguments);
    va_end(arguments);
}

/* Sets why it is not done.  Returns false. */
__attribute__((format(printf, 2, 3))) static bool because(struct workshop_look *look,
                                                          const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(look->reason, sizeof(look->reason), format, arguments);
    va_end(arguments);
    return false;
}

/* ---- the file ----------------------------------------------------------------------------- */

/* Prints the errors, and no warnings: what is warned of may be meant so.  Is an image missing? */
static bool report_errors(const struct romsim_diagnostics *diagnostics)
{
    bool is_missing = false;

    fflush(stdout);
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct romsim_diagnostic *entry = &diagnostics->entries[i];

        if (!entry->is_warning)
            cli_report(&entry->error);
        is_missing |= entry->error.rule == ROMSIM_RULE_NO_IMAGE;
    }
    return is_missing;
}

bool workshop_file_is_right(struct workshop_look *look, const struct workshop_step *step)
{
    CLEANUP_FREE char *path = romsim_path_join(look->folder, step->name);
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_input input = {0};
    bool is_right, is_missing;

    about(look, "the cloud would take %s", step->name);
    romsim_instances_clear(&look->instances);
    if (path && romsim_instances_load(path, &input, &romsim_limits_default, &look->instances,
                                      &diagnostics) == 0)
        for (size_t i = 0; i < look->instances.count; i++)
            cli_judge(look->instances.items[i], true, &diagnostics);
    is_right = path && !diagnostics.errors;
    is_missing = report_errors(&diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    if (is_missing)
        return because(look,
                       "an image is missing; the lesson's base images come with the kit, or by "
                       "'make workshop' in a checkout");
    return is_right || because(look, "it would refuse it, or it would not start: see above");
}

static const struct romsim_instance *find_instance(const struct workshop_look *look,
                                                   const char *name)
{
    for (size_t i = 0; i < look->instances.count; i++)
        if (strcmp(look->instances.items[i]->name ?: "", name) == 0)
            return look->instances.items[i];
    return NULL;
}

/* The ROM of the file's instance that is mounted there, or NULL, and the reason is set. */
static const struct romsim_rom *find_rom(struct workshop_look *look,
                                         const struct workshop_step *step)
{
    const struct romsim_instance *instance = find_instance(look, step->name);

    if (!instance) {
        because(look, "there is no instance '%s' in the file", step->name);
        return NULL;
    }
    for (size_t i = 0; i < instance->rom_count; i++)
        if (instance->roms[i].at && strcmp(instance->roms[i].at, step->path) == 0)
            return &instance->roms[i];
    because(look, instance->rom_count ? "it has ROMs, and none of them there" : "it has no ROM");
    return NULL;
}

bool workshop_file_has_rom(struct workshop_look *look, const struct workshop_step *step)
{
    about(look, "in the file '%s' has a ROM at '%s'", step->name, step->path);
    return find_rom(look, step);
}

bool workshop_file_has_image(struct workshop_look *look, const struct workshop_step *step)
{
    const struct romsim_rom *rom = find_rom(look, step);

    about(look, "in the file the ROM at '%s' is an image", step->path);
    return rom && (rom->image || because(look, "it is inline: its files go along in the request"));
}

bool workshop_is_case(struct workshop_look *look, const struct workshop_step *step)
{
    CLEANUP_FREE char *path = romsim_path_join(look->folder, step->name);
    struct romsim_error error = {.message = "out of memory"};
    CLEANUP_BLOB struct romsim_blob *archive =
        path ? romsim_blob_snapshot_within(path, ROMSIM_BOUND_FILE_BYTES, &error) : NULL;
    CLEANUP_CASE struct romsim_case *opened =
        archive ? romsim_case_read(archive, path, &error) : NULL;

    about(look, "%s is a case of a shop that failed", step->name);
    if (!opened)
        return because(look, "%s", error.message);
    return opened->outcome.status != 0 ||
           because(look, "in this one nothing failed: it has to be of the shop as it was");
}

/* ---- the instance ------------------------------------------------------------------------- */

/* What it says of itself, a new reference; NULL, and the reason is set. */
static json_t *ask_instance(struct workshop_look *look, const char *name)
{
    struct romsim_error error = {.message = "out of memory"};
    CLEANUP_LINK struct romsim_link *link = romsim_link_open_name(name, &error);
    json_t *answer = link ? romsim_link_call(link, json_pack("{s:s}", "do", "get"),
                                             ANSWER_TIMEOUT_MS, NULL, NULL, &error)
                          : NULL;

    if (!answer && error.cloud == ROMSIM_CLOUD_NOT_FOUND)
        because(look, "there is no instance '%s'", name);
    else if (!answer)
        because(look, "%s", error.message);
    return answer;
}

static const char *text_of(const json_t *item, const char *key)
{
    return json_string_value(json_object_get(item, key)) ?: "";
}

bool workshop_runs(struct workshop_look *look, const struct workshop_step *step)
{
    json_t *item = ask_instance(look, step->name);
    const char *state = text_of(item, "state");
    bool runs = strcmp(state, "running") == 0;

    about(look, "'%s' runs", step->name);
    if (item && !runs)
        because(look, "it is %s: 'romsim logs %s' has what it said", state, step->name);
    json_decref(item);
    return runs;
}

bool workshop_was_restarted(struct workshop_look *look, const struct workshop_step *step)
{
    json_t *item = ask_instance(look, step->name);
    json_int_t starts = json_integer_value(json_object_get(item, "start_count"));

    about(look, "'%s' was started again", step->name);
    if (item && starts < 2)
        because(look, "it was started once");
    json_decref(item);
    return starts >= 2;
}

bool workshop_has_rom(struct workshop_look *look, const struct workshop_step *step)
{
    const struct romsim_instance *instance = find_instance(look, step->name);
    json_t *item = ask_instance(look, step->name);
    const json_t *roms = json_object_get(item, "roms");
    bool is_there = false, is_old;

    about(look, "'%s' runs with a ROM at '%s'", step->name, step->path);
    for (size_t i = 0; i < json_array_size(roms); i++)
        is_there |= strcmp(text_of(json_array_get(roms, i), "at"), step->path) == 0;
    is_old = !instance || instance->rom_count != json_array_size(roms);
    if (item && (!is_there || is_old))
        because(look, "it was made before the file had its ROMs");
    json_decref(item);
    return item && is_there && !is_old;
}

bool workshop_is_gone(struct workshop_look *look, const struct workshop_step *step)
{
    json_t *item = ask_instance(look, step->name);

    about(look, "there is no '%s' any more", step->name);
    if (item)
        because(look, "it is %s", text_of(item, "state"));
    json_decref(item);
    return !item;
}

bool workshop_is_clone(struct workshop_look *look, const struct workshop_step *step)
{
    json_t *item = ask_instance(look, step->name);
    bool is_clone = strcmp(text_of(json_object_get(item, "template"), "name"), step->text) == 0;

    about(look, "'%s' is a clone of '%s'", step->name, step->text);
    if (item && !is_clone)
        because(look, "it is not");
    json_decref(item);
    return is_clone;
}

bool workshop_has_template(struct workshop_look *look, const struct workshop_step *step)
{
    struct romsim_error error;
    CLEANUP_TEMPLATE struct romsim_template *template =
        romsim_template_open(ROMSIM_SAVED_TEMPLATE, step->name, NULL, &error);

    about(look, "there is a template '%s'", step->name);
    return template || because(look, "%s", error.message);
}

/* ---- the app ------------------------------------------------------------------------------ */

/* curl's exit statuses while nothing behind the port answers yet: refused, an empty answer, a
 * connection that was reset. */
static bool may_come(int status)
{
    return status == 7 || status == 52 || status == 56;
}

/* Asks once.  Returns curl's exit status, or -1 with the error. */
static int get_once(const char *url, struct romsim_buffer *body, struct romsim_error *err)
{
    const char *const argv[] = {
        "curl",  "-q",         "-s", "--globoff", "--path-as-is",   "--noproxy", "*", "--proto",
        "=http", "--max-time", "20", "-w",        "\n%{http_code}", url,         NULL};
    const struct romsim_program program = {.argv = argv, .printed = body};
    int status;

    romsim_buffer_reset(body);
    if (romsim_program_run(&program, &status, err) < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool is_running(struct workshop_look *look, const char *name)
{
    json_t *item = ask_instance(look, name);
    bool ret = strcmp(text_of(item, "state"), "running") == 0;

    json_decref(item);
    return ret;
}

/* GET: returns the status of HTTP, with the body; 0, and the reason is set.  The app of the
 * instance `name` may have begun and not listen yet: it is given a minute while it runs, since
 * nothing tells when it does, and a busy machine takes long. */
static int get(struct workshop_look *look, const char *name, const char *url,
               struct romsim_buffer *body)
{
    enum { TRIES = 300 };
    const struct timespec pause = {.tv_nsec = 200000000};
    struct romsim_error error;
    char *code;
    int status = -1;

    for (int i = 0; i < TRIES; i++) {
        status = get_once(url, body, &error);
        if (!may_come(status) || !is_running(look, name))
            break;
        nanosleep(&pause, NULL);
    }
    if (status != 0 || !body->data || !(code = strrchr(body->data, '\n'))) {
        because(look, "%s", status < 0 ? error.message : "nobody answers there");
        return 0;
    }
    *code = '\0';
    return (int)strtol(code + 1, NULL, 10);
}

/* The address of its first port with the step's path, malloc'ed; NULL, and the reason is set. */
static char *address_of(struct workshop_look *look, const char *name, const char *path)
{
    json_t *item = ask_instance(look, name);
    const json_t *ports = json_object_get(json_object_get(item, "romsim"), "ports");
    const char *url = text_of(json_array_get(ports, 0), "url");
    char *ret = NULL;

    if (item && !*url)
        because(look, "it has no port");
    else if (item && asprintf(&ret, "%s%s", url, path) < 0)
        ret = NULL;
    json_decref(item);
    return ret;
}

/* Asks the step's instance.  Is there an answer of status 200?  The subject is the address and
 * `what`. */
static bool ask_app(struct workshop_look *look, const char *name, const struct workshop_step *step,
                    const char *what, struct romsim_buffer *body)
{
    CLEANUP_FREE char *url = address_of(look, name, step->path);
    int status;

    about(look, "%s %s '%s'", url ?: name, what, step->text);
    status = url ? get(look, name, url, body) : 0;
    if (status && status != 200)
        because(look, "it answers with the status %d", status);
    return status == 200;
}

bool workshop_says(struct workshop_look *look, const struct workshop_step *step)
{
    CLEANUP_BUFFER struct romsim_buffer body = ROMSIM_BUFFER_INIT(ANSWER_MAX);

    if (!ask_app(look, step->name, step, "says", &body))
        return false;
    return strstr(body.data, step->text) || because(look, "it says something else");
}

bool workshop_says_no(struct workshop_look *look, const struct workshop_step *step)
{
    CLEANUP_BUFFER struct romsim_buffer body = ROMSIM_BUFFER_INIT(ANSWER_MAX);

    if (!ask_app(look, step->name, step, "has no", &body))
        return false;
    return !strstr(body.data, step->text) || because(look, "it is still there");
}

bool workshop_differs(struct workshop_look *look, const struct workshop_step *step)
{
    CLEANUP_BUFFER struct romsim_buffer one = ROMSIM_BUFFER_INIT(ANSWER_MAX);
    CLEANUP_BUFFER struct romsim_buffer other = ROMSIM_BUFFER_INIT(ANSWER_MAX);
    bool both = ask_app(look, step->name, step, "does not say the same as", &one) &&
                ask_app(look, step->text, step, "does not say the same as", &other);

    about(look, "'%s' and '%s' do not say the same", step->name, step->text);
    if (!both)
        return false;
    return strcmp(one.data, other.data) != 0 || because(look, "both say the same");
}
