/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_processor.c: which processor an instance gets, by accelerator and level. */
#include "harness.h"

#include "sim/vm/accel.h"
#include "sim/vm/processor.h"

#include <romsim/arch.h>
#include <romsim/cleanup.h>
#include <romsim/cpu.h>
#include <romsim/program.h>

#include <errno.h>

static struct romsim_processor take(enum romsim_accel accel, int highest, int wanted)
{
    struct romsim_processor processor = {.accel = accel};

    ck_assert_int_eq(processor_take_level(&processor, highest, wanted, NULL), 0);
    return processor;
}

START_TEST(emulation_gives_the_level_that_is_wanted)
{
    struct romsim_processor v1 = take(ROMSIM_ACCEL_TCG, 3, 1), v2 = take(ROMSIM_ACCEL_TCG, 3, 2),
                            v3 = take(ROMSIM_ACCEL_TCG, 3, 3), none = take(ROMSIM_ACCEL_TCG, 3, 0);

    ck_assert_int_eq(v1.level, 1);
    ck_assert_ptr_null(strstr(v1.model, "sse4"));
    ck_assert_int_eq(v2.level, 2);
    ck_assert_ptr_nonnull(strstr(v2.model, "+sse4.2"));
    ck_assert_ptr_null(strstr(v2.model, "avx"));
    ck_assert_int_eq(v3.level, 3);
    ck_assert_ptr_nonnull(strstr(v3.model, "+avx2"));
    /* Without it the guest's kernel hangs. */
    ck_assert_ptr_nonnull(strstr(v3.model, "+xsave,+xsaveopt"));
    ck_assert_str_eq(none.model, v3.model);
    ck_assert_int_eq(none.level, 3);
    ck_assert(!v1.is_hosts && !v3.is_hosts && !none.is_hosts);
}
END_TEST

START_TEST(kvm_gives_the_hosts_unless_a_lower_level_is_wanted)
{
    /* The images are those of emulation, where the host has that much. */
    struct romsim_processor none = take(ROMSIM_ACCEL_KVM, 4, 0), old = take(ROMSIM_ACCEL_KVM, 2, 0),
                            v4 = take(ROMSIM_ACCEL_KVM, 4, 4), v3 = take(ROMSIM_ACCEL_KVM, 4, 3),
                            v2 = take(ROMSIM_ACCEL_KVM, 2, 2);

    ck_assert_str_eq(none.model, "host");
    ck_assert(none.is_hosts);
    ck_assert_int_eq(none.level, ROMSIM_CPU_LEVEL_DEFAULT);
    ck_assert_str_eq(old.model, "host");
    ck_assert_int_eq(old.level, 2);
    ck_assert_str_eq(v4.model, "host");
    ck_assert_int_eq(v4.level, 4);
    ck_assert_ptr_nonnull(strstr(v3.model, "+avx2"));
    ck_assert(!v3.is_hosts);
    ck_assert_int_eq(v3.level, 3);
    ck_assert_str_eq(v2.model, "host");
}
END_TEST

static void refused(enum romsim_accel accel, int highest, int wanted, const char *message,
                    const char *hint)
{
    struct romsim_processor processor = {.accel = accel};
    struct romsim_error err = {0};

    ck_assert_int_eq(processor_take_level(&processor, highest, wanted, &err), -1);
    ck_assert_int_eq(err.errnum, ENOTSUP);
    ck_assert_str_eq(err.message, message);
    ck_assert_str_eq(err.hint, hint);
    ck_assert_str_eq(processor.model, "");
}

START_TEST(a_level_that_is_not_there_is_refused_with_what_is)
{
    refused(ROMSIM_ACCEL_TCG, 3, 4, "x86-64-v4 is more than QEMU emulates: v3",
            "it needs KVM, and a processor that has it; or use v3");
    refused(ROMSIM_ACCEL_KVM, 3, 4, "x86-64-v4 is more than this machine's processor has: v3",
            "it needs a machine with a processor that has it; or use v3");
    refused(ROMSIM_ACCEL_KVM, 2, 3, "x86-64-v3 is more than this machine's processor has: v2",
            "--accel tcg emulates it; or use v2");
}
END_TEST

START_TEST(a_model_is_a_name_with_features)
{
    static const char *const good[] = {"host", "Haswell", "Haswell-noTSX,-pcid,+aes",
                                       "EPYC-v2,sse4.1=off", "486"};
    static const char *const bad[] = {"",     ",",    "-x",  "+avx",        "a b",
                                      "a\nb", "a/b",  "a;b", "Haswell\xff", "$x",
                                      "a\"b", "a\\b", "a:b", "=",           "x86 Haswell"};
    char huge[sizeof(((struct romsim_processor *)NULL)->model) + 1];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(processor_may_be_model(good[i]), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!processor_may_be_model(bad[i]), "'%s'", bad[i]);
    memset(huge, 'a', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    ck_assert(!processor_may_be_model(huge));
    ck_assert(processor_may_be_model(huge + 1));
}
END_TEST

START_TEST(levels_are_v1_to_v4)
{
    ck_assert_int_eq(romsim_cpu_parse_level("v1"), 1);
    ck_assert_int_eq(romsim_cpu_parse_level("V4"), 4);
    ck_assert_int_eq(romsim_cpu_parse_level("v0"), 0);
    ck_assert_int_eq(romsim_cpu_parse_level("v5"), 0);
    ck_assert_int_eq(romsim_cpu_parse_level("v"), 0);
    ck_assert_int_eq(romsim_cpu_parse_level(""), 0);
    ck_assert_int_eq(romsim_cpu_parse_level("v33"), 0);
    ck_assert_int_eq(romsim_cpu_parse_level("3"), 0);
}
END_TEST

START_TEST(kvm_is_for_guests_of_the_machines_own_architecture)
{
    ck_assert(accel_may_be_kvm(ROMSIM_ARCH_AMD64, ROMSIM_ARCH_AMD64));
    ck_assert(accel_may_be_kvm(ROMSIM_ARCH_ARM64, ROMSIM_ARCH_ARM64));
    ck_assert(!accel_may_be_kvm(ROMSIM_ARCH_ARM64, ROMSIM_ARCH_AMD64));
    ck_assert(!accel_may_be_kvm(ROMSIM_ARCH_AMD64, ROMSIM_ARCH_ARM64));
}
END_TEST

static enum romsim_arch other_arch(void)
{
    return romsim_arch_host() == ROMSIM_ARCH_AMD64 ? ROMSIM_ARCH_ARM64 : ROMSIM_ARCH_AMD64;
}

START_TEST(a_guest_of_another_architecture_is_emulated)
{
    struct romsim_processor processor;
    struct romsim_error err = {0};
    char *reason = NULL;
    bool remembered;

    romsim_arch_set(other_arch());
    ck_assert_int_eq(romsim_accel_probe(false, &reason, &remembered), ROMSIM_ACCEL_TCG);
    ck_assert_ptr_nonnull(strstr(reason, "this machine's processor runs no "));
    free(reason);
    ck_assert_int_eq(romsim_processor_choose(ROMSIM_ACCEL_AUTO, NULL, &processor, NULL), 0);
    ck_assert_int_eq(processor.accel, ROMSIM_ACCEL_TCG);
    ck_assert_int_eq(processor.arch, other_arch());
    ck_assert(!processor.is_hosts);
    ck_assert_int_eq(romsim_processor_choose(ROMSIM_ACCEL_KVM, NULL, &processor, &err), -1);
    ck_assert_int_eq(err.errnum, ENOTSUP);
    ck_assert_ptr_nonnull(strstr(err.message, "KVM runs guests of this machine's own"));
}
END_TEST

START_TEST(an_arm64_has_a_model_and_no_levels)
{
    struct romsim_processor emulated = {.accel = ROMSIM_ACCEL_TCG},
                            own = {.accel = ROMSIM_ACCEL_KVM};
    struct romsim_error err = {0};

    processor_take_arm64(&emulated);
    ck_assert_str_eq(emulated.model, "neoverse-n1");
    ck_assert(!emulated.is_hosts);
    processor_take_arm64(&own);
    ck_assert_str_eq(own.model, "host");
    ck_assert(own.is_hosts);
    romsim_arch_set(ROMSIM_ARCH_ARM64);
    ck_assert_int_eq(romsim_processor_choose(ROMSIM_ACCEL_TCG, "v3", &emulated, &err), -1);
    ck_assert_str_eq(err.message, "--cpu v3: the levels are of x86-64, and this guest is an arm64");
    ck_assert_str_eq(err.hint, "what 'qemu-system-aarch64 -cpu help' lists");
}
END_TEST

START_TEST(an_architecture_has_several_words)
{
    static const char *const amd64[] = {"amd64", "x86_64", "x86-64", "AMD64"};
    static const char *const arm64[] = {"arm64", "aarch64", "ARM64"};
    static const char *const none[] = {"", "arm", "x86", "amd6", "amd64 ", "riscv64"};

    for (size_t i = 0; i < sizeof(amd64) / sizeof(amd64[0]); i++)
        ck_assert_int_eq(romsim_arch_find(amd64[i]), ROMSIM_ARCH_AMD64);
    for (size_t i = 0; i < sizeof(arm64) / sizeof(arm64[0]); i++)
        ck_assert_int_eq(romsim_arch_find(arm64[i]), ROMSIM_ARCH_ARM64);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        ck_assert_int_eq(romsim_arch_find(none[i]), ROMSIM_ARCH_COUNT);
    ck_assert_int_eq(romsim_arch(), romsim_arch_host());
}
END_TEST

/* Emulated, since what an accelerator is asked is what is shown here; each takes under a second,
 * but the probe is not patient, and a busy machine needs more than one try. */
enum { TRIES = 60 };

static bool try_often(const char **ret_how)
{
    for (int i = 0; i < TRIES; i++)
        if (accel_try("tcg", "max", ret_how))
            return true;
    return false;
}

START_TEST(the_tiny_guest_comes_to_its_end)
{
    const char *how = "";

    for (int arch = 0; arch < ROMSIM_ARCH_COUNT; arch++) {
        CLEANUP_FREE char *qemu = NULL;

        romsim_arch_set((enum romsim_arch)arch);
        qemu = romsim_program_find(romsim_arch_facts()->qemu);
        if (!qemu) {
            ck_assert_msg(arch != (int)romsim_arch_host() || !getenv("MUST_RUN"), "no QEMU");
            printf("# no %s here: its tiny guest is not tried\n", romsim_arch_facts()->qemu);
            continue;
        }
        ck_assert_msg(try_often(&how), "%s: %s", romsim_arch_facts()->name, how);
        ck_assert(!accel_try("tcg", "no-such-model", &how));
    }
}
END_TEST

UNIT_MAIN("vm_processor", emulation_gives_the_level_that_is_wanted,
          kvm_gives_the_hosts_unless_a_lower_level_is_wanted,
          a_level_that_is_not_there_is_refused_with_what_is, a_model_is_a_name_with_features,
          levels_are_v1_to_v4, kvm_is_for_guests_of_the_machines_own_architecture,
          a_guest_of_another_architecture_is_emulated, an_arm64_has_a_model_and_no_levels,
          an_architecture_has_several_words, the_tiny_guest_comes_to_its_end)
