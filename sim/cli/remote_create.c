/* SPDX-License-Identifier: BSD-3-Clause */
/* remote_create.c: `romsim create` on a server: the request that `romsim request` shows, sent. */
#include "ask.h"
#include "make.h"
#include "remote.h"

#include <romsim/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CREATE_PATIENCE_S = 600 };

/* ---- what cannot be sent ----------------------------------------------------------------------
 */

/* How a VM is run is the server's own business.  CLI_OK or CLI_USAGE. */
static int refuse_options(const struct cli_args *args)
{
    static const char *const names[] = {"accel",        "arch",        "cpu",      "kernel",
                                        "image-kernel", "allow-host",  "ports-at", "isolated",
                                        "no-fuse",      "boot-timeout"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cli_has(args, names[i]))
            return cli_usage(args,
                             "--%s is for this machine: a server runs its instances in its "
                             "own way",
                             names[i]);
    return CLI_OK;
}

static void refuse_image(const char *what, const char *image, const struct romsim_place *place)
{
    struct romsim_error error;

    romsim_error_set(&error, EINVAL,
                     "the %s '%s' is on this machine, where the server does not see it", what,
                     QUOTE(image));
    error.place = *place;
    romsim_error_hint(&error, "'romsim image build' or 'romsim image import' gives it a name, and "
                              "'romsim image push NAME' sends it");
    cli_report(&error);
}

/* Are all images names, which the server may know?  A ROM's directory is sent with its files. */
static bool are_images_names(const struct romsim_instances *instances)
{
    bool good = true;

    for (size_t i = 0; i < instances->count; i++) {
        const struct romsim_instance *instance = instances->items[i];

        if (cli_is_local(instance->image)) {
            refuse_image("image", instance->image, &instance->image_place);
            good = false;
        }
        for (size_t j = 0; j < instance->rom_count; j++) {
            const struct romsim_rom *rom = &instance->roms[j];

            if (!cli_is_local(rom->image))
                continue;
            refuse_image("ROM image", rom->image, &rom->image_place);
            good = false;
        }
    }
    return good;
}

static void note_host_ports(const struct cli_args *args, const struct romsim_instances *instances)
{
    for (size_t i = 0; i < instances->count; i++)
        for (size_t j = 0; j < instances->items[i]->service_count; j++)
            if (instances->items[i]->services[j].host_port && !cli_has(args, "quiet")) {
                cli_note("the server chooses its own ports for -p: 'romsim ps' shows them");
                return;
            }
}

/* ---- what came of it --------------------------------------------------------------------------
 */

/* All but what romsim does not simulate: of that the file was told already. */
static void warn(const json_t *envelope)
{
    const json_t *warnings = json_object_get(envelope, "warnings");

    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const json_t *warning = json_array_get(warnings, i);
        const char *type = json_string_value(json_object_get(warning, "type")) ?: "";
        const char *message = json_string_value(json_object_get(warning, "message"));

        if (message && strcmp(type, "not_simulated") != 0)
            cli_warn("%s", message);
    }
}

/* Waits until it runs, if it was to be started and the request did not say how long to wait. */
static int wait_until_it_runs(const struct cli_args *args, const json_t *item)
{
    const char *state = json_string_value(json_object_get(item, "state")) ?: "";
    const char *uuid = json_string_value(json_object_get(item, "uuid")) ?: "";
    CLEANUP_TARGET struct target *target = NULL;

    if (strcmp(state, "starting") != 0)
        return CLI_OK;
    target = ask_open(args, uuid);
    return target ? ask_until_it_runs(args, target) : CLI_FAILED;
}

/* What this machine's store has the server need not have. */
static void hint_image(struct romsim_error *error)
{
    if (strncmp(error->message, "No image with name", 18) == 0 && !*error->hint)
        romsim_error_hint(error,
                          "'romsim image push NAME' sends what 'romsim image ls --host \"\"' "
                          "lists");
}

static bool has_timed_out(const json_t *envelope)
{
    const char *message = json_string_value(json_object_get(envelope, "message"));

    return message && strcasestr(message, "timed out");
}

static int tell(const struct cli_args *args, const json_t *envelope)
{
    const json_t *items = remote_list_of(envelope);
    bool timed_out = has_timed_out(envelope);
    int status = json_array_size(items) ? CLI_OK : CLI_FAILED;

    if (!cli_has(args, "quiet"))
        warn(envelope);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        struct romsim_error error;

        if (!timed_out && remote_item_failed(item, &error)) {
            hint_image(&error);
            cli_report(&error);
            status = CLI_FAILED;
            continue;
        }
        printf("%s\n", QUOTE(json_string_value(json_object_get(item, "name")) ?: ""));
        fflush(stdout);
    }
    for (size_t i = 0; i < json_array_size(items) && status == CLI_OK && !timed_out; i++)
        status = wait_until_it_runs(args, json_array_get(items, i));
    if (!timed_out)
        return status;
    cli_note("%s", json_string_value(json_object_get(envelope, "message")));
    return ROMSIM_VM_TIMED_OUT;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static int send_instances(const struct cli_args *args, const struct remote *remote,
                          const struct romsim_instances *instances)
{
    struct romsim_error error;
    CLEANUP_FREE char *body = romsim_instances_request(instances, &error);
    const struct remote_request request = {"POST", "/v1/instances", body};
    json_t *envelope = NULL;
    int status;

    if (!body || remote_exchange(remote, &request, 1, CREATE_PATIENCE_S, &envelope, &error) < 0) {
        hint_image(&error);
        return cli_report(&error);
    }
    status = tell(args, envelope);
    json_decref(envelope);
    return status;
}

int remote_create(const struct cli_args *args, const char *host)
{
    struct romsim_instances instances = {0};
    struct romsim_error error;
    CLEANUP_REMOTE struct remote *remote = NULL;
    int status = refuse_options(args);

    if (status == CLI_OK && !(remote = remote_new(host, &error)))
        return cli_report(&error);
    if (status == CLI_OK)
        status = make_instances(args, &instances);
    if (status != CLI_OK)
        return status;
    if (!are_images_names(&instances)) {
        status = CLI_FAILED;
    } else {
        note_host_ports(args, &instances);
        status = send_instances(args, remote, &instances);
    }
    romsim_instances_clear(&instances);
    return status;
}
