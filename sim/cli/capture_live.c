/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_live.c: `romsim capture NAME`: of an instance that runs, or has.
 *
 * Its keeper tells all but the images, whose files it hands out; it goes on as if nothing were.
 */
#include "capture_live.h"

#include "case_run.h"

#include <romsim/link.h>
#include <romsim/store.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { KEEPER_MS = 10000 };

struct live {
    struct romsim_link *link;
    json_t *told; /* the answer to "case" */
    int trace;    /* the file of its trace, or -1 */
    struct romsim_strings args, env, faults;
    struct romsim_limits limits;
    struct romsim_case_rom *roms;
    struct romsim_blob **blobs; /* theirs, */
    size_t rom_count;
    struct romsim_blob *root; /* and the root's */
    struct romsim_outcome outcome;
};

static void live_release(struct live *live)
{
    romsim_link_free(live->link);
    json_decref(live->told);
    cleanup_close_fd(&live->trace);
    romsim_strings_clear(&live->args);
    romsim_strings_clear(&live->env);
    romsim_strings_clear(&live->faults);
    for (size_t i = 0; live->blobs && i < live->rom_count; i++)
        romsim_blob_unref(live->blobs[i]);
    free(live->blobs);
    free(live->roms);
    romsim_blob_unref(live->root);
    romsim_outcome_clear(&live->outcome);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int take_texts(const json_t *list, struct romsim_strings *ret, struct romsim_error *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (romsim_strings_append(ret, json_string_value(item) ?: "") < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}

/* ---- its images --------------------------------------------------------------------------- */

static struct romsim_blob *take_image(struct romsim_link *link, const char *device,
                                      struct romsim_error *err)
{
    json_t *about = romsim_link_call(link, json_pack("{s:s, s:s}", "do", "image", "device", device),
                                     KEEPER_MS, NULL, NULL, err);
    CLEANUP_FD int fd = about ? romsim_link_take_fd(link) : -1;
    CLEANUP_BLOB struct romsim_blob *whole = NULL;
    struct romsim_blob *image = NULL;

    if (about && fd < 0)
        romsim_error_set(err, EMFILE, "the image's file did not come");
    if (fd >= 0)
        whole = romsim_blob_take_fd(steal_fd(&fd), err);
    if (whole)
        image =
            romsim_blob_slice(whole, (uint64_t)json_integer_value(json_object_get(about, "offset")),
                              (uint64_t)json_integer_value(json_object_get(about, "size")), err);
    json_decref(about);
    return image;
}

static int take_images(struct live *live, struct romsim_error *err)
{
    const json_t *roms = json_object_get(live->told, "roms"), *rom;
    size_t i;

    live->roms = calloc(json_array_size(roms) + 1, sizeof(*live->roms));
    live->blobs = calloc(json_array_size(roms) + 1, sizeof(struct romsim_blob *));
    if (!live->roms || !live->blobs)
        return romsim_error_nomem(err);
    live->root = take_image(live->link, "ukp_rom0", err);
    if (!live->root)
        return -1;
    json_array_foreach(roms, i, rom)
    {
        bool is_inline = json_is_true(json_object_get(rom, "inline"));

        live->blobs[i] = take_image(live->link, text_of(rom, "device"), err);
        if (!live->blobs[i])
            return -1;
        live->rom_count = i + 1;
        live->roms[i] =
            (struct romsim_case_rom){.device = text_of(rom, "device"),
                                     .name = text_of(rom, "name"),
                                     .at = text_of(rom, "at"),
                                     .source = is_inline ? "inline" : text_of(rom, "source"),
                                     .is_inline = is_inline,
                                     .blob = live->blobs[i]};
    }
    return 0;
}

/* ---- what it has done --------------------------------------------------------------------- */

/* A romsim_vm_observer. */
static void collect(void *context, size_t instance, const struct romsim_vm_event *event)
{
    (void)instance;
    if (event->kind == ROMSIM_VM_CONSOLE)
        romsim_buffer_append(context, event->text, event->size);
}

static int take_console(struct live *live, struct romsim_error *err)
{
    json_t *answer = romsim_link_call(
        live->link,
        json_pack("{s:s, s:i, s:i}", "do", "log", "offset", 0, "limit", ROMSIM_CASE_CONSOLE_MAX),
        -1, collect, &live->outcome.console, err);
    const json_t *range = json_object_get(answer, "range");

    live->outcome.is_tail = json_integer_value(json_object_get(range, "start")) > 0;
    json_decref(answer);
    if (answer && live->outcome.console.failed)
        return romsim_error_nomem(err);
    return answer ? 0 : -1;
}

/* A copy of what is there by now. */
static int take_trace(struct live *live, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *blob = NULL;
    char path[64];

    if (live->trace < 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", live->trace);
    {
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

        blob = fd < 0 ? NULL : romsim_blob_snapshot_fd(fd, "trace", err);
    }
    if (!blob) {
        cli_warn("the instance's trace cannot be read, and is not in the case");
        return 0;
    }
    live->outcome.reads =
        romsim_reads_parse((const char *)romsim_blob_bytes(blob), romsim_blob_size(blob), SIZE_MAX,
                           text_of(live->told, "name"), err);
    return live->outcome.reads ? 0 : -1;
}

static int take_outcome(struct live *live, struct romsim_error *err)
{
    const char *end = text_of(live->told, "end") ?: "none";

    live->outcome.console = ROMSIM_BUFFER_INIT(ROMSIM_CASE_CONSOLE_MAX);
    if (strcmp(end, "none") == 0)
        return romsim_error_set(err, ENOENT, "the instance '%s' was not started yet",
                                QUOTE(romsim_link_name(live->link)));
    live->outcome.end = strcmp(end, "exit") == 0     ? ROMSIM_OUTCOME_EXIT
                        : strcmp(end, "failed") == 0 ? ROMSIM_OUTCOME_FAILED
                                                     : ROMSIM_OUTCOME_CUT;
    live->outcome.status = (int)json_integer_value(json_object_get(live->told, "exit_code"));
    if (json_integer_value(json_object_get(live->told, "starts")) > 1)
        cli_warn("the instance was started %d times, and a replay starts it once: its console is "
                 "that of all",
                 (int)json_integer_value(json_object_get(live->told, "starts")));
    if (take_console(live, err) < 0)
        return -1;
    return take_trace(live, err);
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int take_limits(struct live *live, struct romsim_error *err)
{
    json_t *limits = json_object_get(live->told, "limits"), *value;
    const char *name;

    live->limits = romsim_limits_default;
    json_object_foreach(limits, name, value)
    {
        CLEANUP_FREE char *text = NULL;

        if (asprintf(&text, "%s=%lld", name, (long long)json_integer_value(value)) < 0) {
            text = NULL;
            return romsim_error_nomem(err);
        }
        if (romsim_limits_set(&live->limits, text, err) < 0)
            return -1;
    }
    return 0;
}

static int take_all(struct live *live, const char *name, struct romsim_error *err)
{
    const json_t *app;

    live->link = romsim_link_open(name, err);
    if (!live->link) {
        if (err->errnum == ENOENT)
            romsim_error_hint(err, "'romsim ps' lists them; a file has a '.' or '/' in its name");
        return -1;
    }
    live->told =
        romsim_link_call(live->link, json_pack("{s:s}", "do", "case"), KEEPER_MS, NULL, NULL, err);
    if (!live->told)
        return -1;
    live->trace = romsim_link_take_fd(live->link);
    if (!text_of(live->told, "image"))
        return romsim_error_set(err, ENOTSUP,
                                "the instance '%s' is a clone of a template, whose memory no case "
                                "can have",
                                QUOTE(name));
    app = json_object_get(live->told, "app");
    if (take_texts(json_object_get(app, "args"), &live->args, err) < 0 ||
        take_texts(json_object_get(app, "env"), &live->env, err) < 0 ||
        take_texts(json_object_get(live->told, "faults"), &live->faults, err) < 0 ||
        take_limits(live, err) < 0)
        return -1;
    return take_images(live, err) < 0 || take_outcome(live, err) < 0 ? -1 : 0;
}

static int check_faults(const struct live *live, struct romsim_error *err)
{
    struct romsim_faults *faults = romsim_faults_new();
    int status = faults
                     ? romsim_case_faults(&live->faults, live->roms, live->rom_count, faults, err)
                     : romsim_error_nomem(err);

    romsim_faults_free(faults);
    return status;
}

static int write_live(const struct cli_args *args, struct live *live)
{
    const char *image = text_of(live->told, "image"), *name = text_of(live->told, "name");
    bool is_random = json_is_true(json_object_get(live->told, "random_name"));
    char manifest[ROMSIM_DIGEST_SIZE];
    struct romsim_case_draft draft = {
        .request = json_object_get(live->told, "request"),
        .image = image,
        .root = live->root,
        .args = &live->args,
        .env = &live->env,
        .working_dir = text_of(json_object_get(live->told, "app"), "working_dir"),
        .roms = live->roms,
        .rom_count = live->rom_count,
        .limits = &live->limits,
        .faults = &live->faults,
        .random_name = is_random ? name : NULL,
        .outcome = &live->outcome};
    int status;

    romsim_stores_digest(image, manifest);
    draft.manifest = *manifest ? manifest : NULL;
    draft.versions =
        case_versions(text_of(live->told, "kernel"), text_of(live->told, "accelerator"),
                      text_of(live->told, "cpu"), false);
    if (!draft.versions)
        return CLI_FAILED;
    status = capture_write(args, &draft);
    json_decref(draft.versions);
    return status;
}

int capture_live(const struct cli_args *args)
{
    CLEANUP(live_release) struct live live = {.trace = -1};
    struct romsim_error error = {0};

    if (take_all(&live, args->operands[0], &error) < 0 || check_faults(&live, &error) < 0)
        return cli_report(&error);
    return write_live(args, &live);
}
