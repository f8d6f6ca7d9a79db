/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_instance.c: any bytes as an instance file; what is accepted must become a request. */
#include "fuzz.h"

#include <romsim/instance.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct romsim_diagnostics diagnostics = {0};
    struct romsim_instances instances = {0};
    int result = romsim_instances_parse((const char *)data, size, "fuzz", "/nonexistent", NULL,
                                        &instances, &diagnostics);

    FUZZ_CHECK((result == 0) == (diagnostics.errors == 0), "%d, %zu errors", result,
               diagnostics.errors);
    romsim_instances_clear(&instances);
    romsim_diagnostics_clear(&diagnostics);
    return 0;
}
