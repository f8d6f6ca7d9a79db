/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_kraftfile.c: any bytes as a Kraftfile; what is accepted must be whole. */
#include "fuzz.h"

#include <romsim/kraftfile.h>

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
    romsim_kraftfile_clear(&kraftfile);
    romsim_diagnostics_clear(&diagnostics);
    return 0;
}
