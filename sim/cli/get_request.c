/* SPDX-License-Identifier: BSD-3-Clause */
/* get_request.c: the request that makes an instance like one that there is: to have here what runs
 * there. */
#include "get_request.h"

#include "sim/cli/cli.h"

#include <romsim/instance.h>
#include <romsim/text.h>

#include <stdlib.h>
#include <string.h>

/* The item is one line that nobody has seen: what is told of it needs no place. */
static void report(struct romsim_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        diagnostics->entries[i].error.place = (struct romsim_place){0};
    cli_report_all(diagnostics);
    romsim_diagnostics_clear(diagnostics);
}

static void warn_of_files(const struct romsim_instance *instance)
{
    for (size_t i = 0; i < instance->rom_count; i++) {
        const struct romsim_rom *rom = &instance->roms[i];

        if (rom->is_inline && rom->file_count == 0)
            cli_warn("the ROM '%s' is inline, and its files are not told: they go into 'files', or "
                     "'dir' in its place",
                     QUOTE(rom->name ?: rom->at ?: ""));
    }
}

json_t *get_request(const json_t *item)
{
    const struct romsim_input source = {
        .name = "answer", .is_answer = true, .is_only_compared = true};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances instances = {0};
    CLEANUP_FREE char *text = json_dumps(item, 0), *body = NULL;
    struct romsim_error error;
    json_t *request = NULL;

    if (!text)
        romsim_error_nomem(&error);
    else if (romsim_instances_parse(text, strlen(text), &source, NULL, &instances, &diagnostics) ==
             0)
        body = romsim_instance_request(instances.items[0], &error);
    if (body) {
        warn_of_files(instances.items[0]);
        request = json_loads(body, 0, NULL);
    } else if (!diagnostics.errors) {
        cli_report(&error);
    }
    report(&diagnostics);
    romsim_instances_clear(&instances);
    return request;
}
