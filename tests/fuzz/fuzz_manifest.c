/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_manifest.c: any bytes as the manifest that the guest's init gets. */
#include "fuzz.h"

#include "sim/guest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    const char *problem = NULL;
    struct manifest manifest;

    if (!bytes)
        return -1;
    memcpy(bytes, data, size);
    if (manifest_parse(bytes, size, &manifest, &problem) == 0) {
        for (size_t i = 0; i < manifest.argv.count; i++)
            FUZZ_CHECK(strlen(manifest.argv.items[i]) <= size, "an argument without an end");
        manifest_release(&manifest);
    } else {
        FUZZ_CHECK(problem && *problem, "refused without a reason");
    }
    free(bytes);
    return 0;
}
