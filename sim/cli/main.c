/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c: the program. */
#include "sim/cli/cli.h"

#include <errno.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int status;

    /* Names are bytes, and the output must not depend on where it is made: no setlocale(). */
    status = cli_main(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_OK) {
        struct romsim_error error;

        romsim_error_system(&error, errno, "cannot write the output");
        status = cli_report(&error);
    }
    return status;
}
