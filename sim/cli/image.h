/* SPDX-License-Identifier: BSD-3-Clause */
/* image.h: the commands under `romsim image`. */
#ifndef ROMSIM_CLI_IMAGE_H
#define ROMSIM_CLI_IMAGE_H

#include "sim/cli/cli.h"

#include <romsim/store.h>

extern const struct cli_command cli_image_build, cli_image_ls, cli_image_inspect, cli_image_import,
    cli_image_push, cli_image_tag, cli_image_rm, cli_image_gc;

#define IMAGE_OPTION_SHARED                                                                        \
    {                                                                                              \
        "shared", 0, NULL, "the store that all users of this machine read"                         \
    }

/* The store that is to be changed: the user's own, or with --shared the machine's. */
struct romsim_store *image_store(const struct cli_args *args, bool alone,
                                 struct romsim_error *error);

#define CLEANUP_IMAGE_INFO CLEANUP(romsim_image_info_release)

#endif
