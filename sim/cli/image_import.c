/* SPDX-License-Identifier: BSD-3-Clause */
/* image_import.c: `romsim image import`, with its progress on a terminal. */
#include "sim/cli/image.h"

#include <romsim/text.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_NSEC = 200 * 1000 * 1000 };

struct meter {
    bool shown;          /* something stands in the terminal's line */
    int64_t start, last; /* nanoseconds */
};

static int64_t now_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* "120.0 MiB of 600.0 MiB, 300.0 MiB/s, 1 s left" */
static void show_progress(void *context, uint64_t done, uint64_t total)
{
    struct meter *meter = context;
    int64_t now = now_nsec();
    double seconds = (double)(now - meter->start) / 1e9;
    double rate = seconds > 0 ? (double)done / seconds : 0;

    if (now - meter->last < PROGRESS_NSEC || done >= total)
        return;
    meter->last = now;
    meter->shown = true;
    fprintf(stderr, "\r\033[K%s of %s, %s/s, %.0f s left", SIZE_TEXT(done), SIZE_TEXT(total),
            SIZE_TEXT((uint64_t)rate), rate > 0 ? (double)(total - done) / rate : 0);
    fflush(stderr);
}

static void end_progress(const struct meter *meter)
{
    if (meter->shown)
        fputs("\r\033[K", stderr);
}

static int say_imported(struct romsim_store *store, const char *imported, bool is_shared)
{
    CLEANUP_IMAGE_INFO struct romsim_image_info info = {0};
    struct romsim_store_name name;
    struct romsim_error error;
    int status = romsim_store_find(store, imported, &name, &error);

    if (status <= 0)
        return status < 0 ? cli_report(&error) : CLI_FAILED;
    status = romsim_store_info(&name, &info, &error);
    if (status == 0 && is_shared)
        status = romsim_store_keep_root(store, &name, &error);
    romsim_store_name_release(&name);
    if (status < 0)
        return cli_report(&error);
    cli_note("imported %s, %s of %zu layer%s, %.19s", QUOTE(imported), SIZE_TEXT(info.size),
             info.layer_count, info.layer_count == 1 ? "" : "s", info.digest);
    return CLI_OK;
}

static int import(struct romsim_store *store, const struct cli_args *args)
{
    bool tty = isatty(STDERR_FILENO) == 1;
    struct meter meter = {.start = now_nsec()};
    CLEANUP_STORE_NAMES struct romsim_store_names names = {0};
    struct romsim_error error;
    int status =
        romsim_store_import(store, cli_input(args->operands[0]), NULL, cli_value(args, "tag"),
                            tty ? show_progress : NULL, &meter, &names, &error);

    end_progress(&meter);
    if (status < 0)
        return cli_report(&error);
    status = CLI_OK;
    for (size_t i = 0; i < names.count; i++)
        if (say_imported(store, names.items[i].name, cli_has(args, "shared")) != CLI_OK)
            status = CLI_FAILED;
    return status;
}

static int run_import(const struct cli_args *args)
{
    CLEANUP_STORE struct romsim_store *store = NULL;
    struct romsim_error error;
    int status = cli_processor(args);

    if (status != CLI_OK)
        return status;
    store = image_store(args, false, &error);
    return store ? import(store, args) : cli_report(&error);
}

static const struct cli_option options[] = {
    {"tag", 't', "NAME", "the image's name in the store"},
    IMAGE_OPTION_SHARED,
    CLI_OPTION_PROCESSOR,
    CLI_OPTION_END,
};

const struct cli_command cli_image_import = {
    .name = "import",
    .operands = "IMAGE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "copy an image into the store",
    .description = "IMAGE is oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG] or\n"
                   "the path of one of these.  Without --tag the images keep the names that they\n"
                   "have there, all of them.  Every digest is verified.\n",
    .options = options,
    .run = run_import,
};
