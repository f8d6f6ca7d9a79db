/* SPDX-License-Identifier: BSD-3-Clause */
/* case_versions.c: what of a case can be another one on another machine. */
#include "case_run.h"

#include <romsim/arch.h>
#include <romsim/program.h>
#include <romsim/text.h>

#include <stdlib.h>
#include <string.h>

/* The first line of what QEMU says; malloc'ed, NULL if it cannot be run. */
static char *qemu_version(void)
{
    const char *const argv[] = {romsim_arch_facts()->qemu, "--version", NULL};
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    const struct romsim_program program = {.argv = argv, .printed = &text};
    int status;

    if (romsim_program_run(&program, &status, NULL) < 0 || status != 0 || !text.data)
        return NULL;
    return strndup(text.data, strcspn(text.data, "\n"));
}

static json_t *file_digest(const char *path, struct romsim_error *err)
{
    CLEANUP_BLOB struct romsim_blob *kernel =
        romsim_blob_snapshot_within(path, ROMSIM_BOUND_KERNEL_BYTES, err);

    return kernel ? json_sprintf("sha256:%s", romsim_blob_sha256_hex(kernel)) : NULL;
}

json_t *case_versions(const char *kernel, const char *accelerator, const char *cpu,
                      bool is_recorded)
{
    struct romsim_bundle bundle = {0};
    struct romsim_error error = {0};
    CLEANUP_FREE char *qemu = qemu_version();
    json_t *versions = NULL, *digest = NULL, *init = NULL;

    if (romsim_bundle_find(&bundle, &error) == 0)
        digest = file_digest(kernel ?: bundle.kernel, &error);
    if (digest && kernel && strcmp(kernel, bundle.kernel) == 0)
        kernel = NULL;
    if (digest)
        init = file_digest(bundle.initrd, &error);
    if (digest && init)
        versions =
            json_pack("{s:s, s:s*, s:s*, s:o, s:o, s:s*, s:s, s:s, s:s, s:s, s:s*}", "romsim",
                      ROMSIM_VERSION, "kernel", kernel ? NULL : bundle.kernel_release,
                      "kernel package", kernel ? NULL : bundle.kernel_package, "kernel digest",
                      digest, "init digest", init, "QEMU", qemu, "accelerator", accelerator,
                      "processor", cpu, "architecture", romsim_arch_facts()->name, "machine",
                      romsim_vm_machine(), "clock", is_recorded ? romsim_vm_record_clock() : NULL);
    romsim_bundle_release(&bundle);
    if (!versions) {
        if (!error.errnum)
            romsim_error_nomem(&error);
        cli_report(&error);
    }
    return versions;
}
