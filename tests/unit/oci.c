/* SPDX-License-Identifier: BSD-3-Clause */
/* oci.c: parts of container images that a whole program cannot show. */
#include "sim/image/oci.h"

#include <romsim/arch.h>
#include <romsim/cpu.h>

#include "harness.h"

static int rank(const char *os, const char *architecture, const char *variant)
{
    struct oci_platform platform;

    snprintf(platform.os, sizeof(platform.os), "%s", os);
    snprintf(platform.architecture, sizeof(platform.architecture), "%s", architecture);
    snprintf(platform.variant, sizeof(platform.variant), "%s", variant);
    return oci_platform_rank(&platform);
}

START_TEST(the_highest_level_that_the_processor_has_goes_first)
{
    static const char *const variants[] = {"", "v1", "v2", "v3", "v4"};

    romsim_arch_set(ROMSIM_ARCH_AMD64);
    for (int level = ROMSIM_CPU_LEVEL_MIN; level <= ROMSIM_CPU_LEVEL_MAX; level++) {
        romsim_cpu_set_level(level);
        for (int i = 1; i <= ROMSIM_CPU_LEVEL_MAX; i++) {
            if (i > level)
                ck_assert_int_eq(rank("linux", "amd64", variants[i]), OCI_RANK_NONE);
            else
                ck_assert_int_ge(rank("linux", "amd64", variants[i]),
                                 rank("linux", "amd64", variants[i - 1]));
        }
        ck_assert_int_gt(rank("linux", "amd64", ""), OCI_RANK_PARTIAL);
        ck_assert_int_gt(rank("kraftcloud", "x86_64", ""), rank("linux", "amd64", variants[level]));
    }
}
END_TEST

START_TEST(other_machines_have_no_rank)
{
    romsim_arch_set(ROMSIM_ARCH_AMD64);
    ck_assert_int_eq(rank("linux", "arm64", ""), OCI_RANK_NONE);
    ck_assert_int_eq(rank("windows", "amd64", ""), OCI_RANK_NONE);
    ck_assert_int_eq(rank("windows", "", ""), OCI_RANK_NONE);
    ck_assert_int_eq(rank("linux", "amd64", "v5"), OCI_RANK_NONE);
    ck_assert_int_eq(rank("linux", "amd64", "v33"), OCI_RANK_NONE);
    ck_assert_int_eq(rank("", "", ""), OCI_RANK_PARTIAL);
}
END_TEST

START_TEST(an_arm64_guest_takes_images_for_it)
{
    struct oci_platform platform = {.os = "linux", .architecture = "amd64"};
    struct romsim_error err = {0};

    romsim_arch_set(ROMSIM_ARCH_ARM64);
    ck_assert_int_gt(rank("linux", "arm64", ""), OCI_RANK_PARTIAL);
    ck_assert_int_eq(rank("linux", "arm64", "v8"), rank("linux", "aarch64", ""));
    ck_assert_int_gt(rank("kraftcloud", "arm64", ""), rank("linux", "arm64", "v8"));
    ck_assert_int_eq(rank("linux", "arm64", "v9"), OCI_RANK_NONE);
    ck_assert_int_eq(rank("linux", "arm64", "v3"), OCI_RANK_NONE);
    ck_assert_int_eq(rank("linux", "amd64", ""), OCI_RANK_NONE);
    ck_assert_int_eq(rank("kraftcloud", "x86_64", ""), OCI_RANK_NONE);
    ck_assert_int_eq(oci_platform_other(&platform), ROMSIM_ARCH_AMD64);
    ck_assert_int_eq(oci_platform_hint(ROMSIM_ARCH_AMD64, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.hint, "'--arch amd64'"));
    snprintf(platform.os, sizeof(platform.os), "windows");
    ck_assert_int_eq(oci_platform_other(&platform), ROMSIM_ARCH_COUNT);
}
END_TEST

UNIT_MAIN("oci", the_highest_level_that_the_processor_has_goes_first, other_machines_have_no_rank,
          an_arm64_guest_takes_images_for_it)
