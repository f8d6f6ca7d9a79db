/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_kraftfile.c: any bytes as a Kraftfile; what is accepted must be whole. */
#include "fuzz.h"

#include <romsim/kraftfile.h>

#include <string.h>

static void check_sources(const struct romsim_kraftfile *kraftfile)
{
    for (size_t i = 0; i < kraftfile->rom_count; i++)
        FUZZ_CHECK(kraftfile->roms[i].path && *kraftfile->roms[i].path, "ROM %zu has no path", i);
}

static void check_targets(const struct romsim_kraftfile *kraftfile)
{
    for (size_t i = 0; i < kraftfile->target_count; i++)
        FUZZ_CHECK(kraftfile->targets[i].platform && kraftfile->targets[i].architecture,
                   "target %zu is not whole", i);
}

/* Each name once: who comes later has overwritten who came before. */
static void check_pairs(const struct romsim_env *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i && count <= 100; j++)
            FUZZ_CHECK(strcmp(pairs[i].name, pairs[j].name) != 0, "'%s' twice", pairs[i].name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_kraftfile kraftfile = {0};
    int result = romsim_kraftfile_parse((const char *)data, size, "fuzz", "/nonexistent",
                                        &kraftfile, &diagnostics);

    FUZZ_CHECK((result == 0) == (diagnostics.errors == 0), "%d, %zu errors", result,
               diagnostics.errors);
    check_sources(&kraftfile);
    check_targets(&kraftfile);
    check_pairs(kraftfile.env, kraftfile.env_count);
    check_pairs(kraftfile.labels, kraftfile.label_count);
    FUZZ_CHECK(kraftfile.has_cmd || kraftfile.cmd.count == 0, "words of a command that is none");
    romsim_kraftfile_clear(&kraftfile);
    romsim_diagnostics_clear(&diagnostics);
    return 0;
}
