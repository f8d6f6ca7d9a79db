/* SPDX-License-Identifier: BSD-3-Clause */
/* seam.c: the options that put something in the way of reads. */
#include "seam.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What writes the trace is a process of its own, and not for standard error alone. */
static int open_trace(const char *path, struct romsim_trace *ret, struct romsim_error *err)
{
    if (!path || !*path) {
        ret->text = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return ret->text < 0 ? romsim_error_system(err, errno, "there is no standard error") : 0;
    }
    ret->json = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOCTTY | O_CLOEXEC, 0666);
    return ret->json < 0 ? romsim_error_system(err, errno, "cannot write '%s'", QUOTE(path)) : 0;
}

static int read_trace(const struct cli_args *args, bool stays, struct romsim_trace *ret)
{
    const char *path = cli_value(args, "trace");
    struct romsim_error error;

    if (!stays && (!path || !*path))
        return cli_usage(args, "--trace needs somebody who reads it, or a file: --trace=FILE");
    if (open_trace(path, ret, &error) == 0)
        return CLI_OK;
    romsim_error_context(&error, "--trace");
    return cli_report(&error);
}

/* NULL after a report. */
static struct romsim_faults *read_faults(const struct cli_args *args)
{
    struct romsim_faults *faults = romsim_faults_new();
    struct romsim_error error;
    const char *text;
    size_t index = 0;

    if (!faults)
        romsim_error_nomem(&error);
    while (faults && (text = cli_each(args, "fault", &index)))
        if (romsim_faults_add(faults, text, &error) < 0) {
            romsim_faults_free(faults);
            faults = NULL;
            romsim_error_context(&error, "--fault");
        }
    if (!faults)
        cli_report(&error);
    return faults;
}

int cli_seam_options(const struct cli_args *args, bool stays, struct cli_seam *ret,
                     struct romsim_seam_options *ret_options)
{
    const char *name = cli_has(args, "trace") ? "trace" : "fault";
    int status = CLI_OK;

    *ret = (struct cli_seam){.trace = {.json = -1, .text = -1}};
    *ret_options = (struct romsim_seam_options){.stop = -1};
    if (!cli_has(args, name))
        return CLI_OK;
    if (cli_has(args, "no-fuse"))
        return cli_usage(args, "--%s is about what is read through FUSE, so not with --no-fuse",
                         name);
    if (cli_has(args, "fault") && !(ret_options->faults = ret->faults = read_faults(args)))
        return CLI_USAGE;
    if (cli_has(args, "trace")) {
        status = read_trace(args, stays, &ret->trace);
        ret_options->trace = &ret->trace;
    }
    return status;
}

void cli_seam_clear(struct cli_seam *seam)
{
    cleanup_close_fd(&seam->trace.json);
    cleanup_close_fd(&seam->trace.text);
    romsim_faults_free(seam->faults);
}
