/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c: what every command does that takes an instance file. */
#include "sim/cli/cli.h"

#include <romsim/arch.h>
#include <romsim/cpu.h>
#include <romsim/paths.h>
#include <romsim/reference.h>
#include <romsim/text.h>
#include <romsim/vm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_limits(const struct cli_args *args, struct romsim_limits *ret)
{
    struct romsim_limits limits = romsim_limits_default;
    const char *assignment;
    size_t index = 0;

    while ((assignment = cli_each(args, "limit", &index))) {
        struct romsim_error error;

        if (romsim_limits_set(&limits, assignment, &error) < 0) {
            romsim_error_context(&error, "--limit");
            cli_report(&error);
            return -1;
        }
    }
    *ret = limits;
    return 0;
}

int cli_load_from(const struct cli_args *args, const char *file, const struct romsim_input *source,
                  struct romsim_instances *ret)
{
    struct romsim_input input = source ? *source : (struct romsim_input){0};
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_limits limits;
    int status;

    if (cli_limits(args, &limits) < 0)
        return CLI_USAGE;
    input.is_answer = cli_has(args, "from-get");
    status = file ? romsim_instances_load(file, &input, &limits, ret, &diagnostics)
                  : romsim_instances_parse(NULL, 0, &input, &limits, ret, &diagnostics);
    cli_report_for(args, &diagnostics);
    romsim_diagnostics_clear(&diagnostics);
    return status < 0 ? CLI_FAILED : CLI_OK;
}

int cli_refuse_cpu(const struct romsim_error *error, int failed)
{
    cli_report(error);
    return error->errnum == EINVAL ? CLI_USAGE : failed;
}

int cli_arch(const struct cli_args *args)
{
    const char *word = cli_value(args, "arch");
    enum romsim_arch arch = word ? romsim_arch_find(word) : romsim_arch();

    if (arch == ROMSIM_ARCH_COUNT)
        return cli_usage(args, "--arch is '%s', but has to be amd64 or arm64", QUOTE(word));
    romsim_arch_set(arch);
    return CLI_OK;
}

int cli_processor(const struct cli_args *args)
{
    const char *cpu = cli_value(args, "cpu");
    int level = cpu ? romsim_cpu_parse_level(cpu) : 0;
    struct romsim_processor processor;
    struct romsim_error error;

    if (cli_arch(args) != CLI_OK)
        return CLI_USAGE;
    if (!cpu)
        return CLI_OK;
    if (!level || romsim_arch() == ROMSIM_ARCH_ARM64) {
        if (romsim_processor_choose(ROMSIM_ACCEL_AUTO, cpu, &processor, &error) < 0)
            return cli_refuse_cpu(&error, CLI_FAILED);
        level = processor.level;
    }
    romsim_cpu_set_level(level);
    return CLI_OK;
}

int cli_load(const struct cli_args *args, const char *file, struct romsim_instances *ret)
{
    return cli_load_from(args, file, NULL, ret);
}

void cli_judge(const struct romsim_instance *instance, bool local,
               struct romsim_diagnostics *diagnostics)
{
    CLEANUP_LAYOUT struct romsim_layout *layout = romsim_layout_here(instance, local, diagnostics);

    if (layout)
        romsim_layout_foresee(layout, instance, false, diagnostics);
}

static const struct romsim_instance *pick(const struct romsim_instances *instances,
                                          const char *wanted)
{
    char *end;
    unsigned long number = strtoul(wanted, &end, 10);

    for (size_t i = 0; i < instances->count; i++)
        if (instances->items[i]->name && strcmp(instances->items[i]->name, wanted) == 0)
            return instances->items[i];
    if (*wanted == '\0' || *end != '\0' || number < 1 || number > instances->count)
        return NULL;
    return instances->items[number - 1];
}

const struct romsim_instance *cli_pick(const struct cli_args *args,
                                       const struct romsim_instances *instances)
{
    const char *wanted = cli_value(args, "instance");
    const struct romsim_instance *instance = NULL;
    struct romsim_error error;

    if (wanted)
        instance = pick(instances, wanted);
    else if (instances->count == 1)
        instance = instances->items[0];
    if (instance)
        return instance;
    if (wanted)
        romsim_error_set(&error, ENOENT, "no instance '%s' in the file", QUOTE(wanted));
    else
        romsim_error_set(&error, EINVAL, "the file has %zu instances", instances->count);
    romsim_error_hint(&error, "pick one with --instance, by its name or a number from 1 to %zu",
                      instances->count);
    cli_report(&error);
    return NULL;
}

bool cli_is_local(const char *image)
{
    return image && romsim_reference_is_local(image);
}

const char *cli_input(const char *operand)
{
    return strcmp(operand, "-") == 0 ? "/dev/stdin" : operand;
}

void cli_note_cache(const struct cli_args *args)
{
    struct romsim_error error = {0};
    CLEANUP_FREE char *folder = romsim_path_cache("roots", &error);

    if (cli_has(args, "quiet") || (folder && access(folder, W_OK) == 0))
        return;
    if (folder)
        romsim_error_system(&error, errno, "cannot write to '%s'", QUOTE(folder));
    cli_note("built images are not kept: %s (XDG_CACHE_HOME chooses another folder)",
             error.message);
}
