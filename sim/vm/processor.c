/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * processor.c: which processor an instance gets.
 *
 * An arm64 guest has a model of QEMU's, which its servers know, or under KVM the machine's own; it
 * has no levels.  A level of x86-64 is a plain model of QEMU's with the features that the level
 * asks for, and no more than is useful; the highest that this machine has is, under KVM, the
 * machine's own.  What another model of QEMU's can do is told by QEMU: it is started with it,
 * stopped before its first instruction, and asked for each feature that a level consists of, after
 * it has taken away what the accelerator does not have.
 */
#include "processor.h"

#include "accel.h"
#include "process.h"
#include "qmp.h"

#include <romsim/arch.h>
#include <romsim/cleanup.h>
#include <romsim/cpu.h>
#include <romsim/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LEVEL_TCG = 3 /* QEMU emulates no AVX-512 */, PATIENCE_MS = 20000 };

/*
 * rdrand is for the kernel's seed.  No part of v3 are aes and pclmulqdq, which all that have v3
 * have and which compilers take for granted with it (-march=haswell), and xsaveopt: with xsave and
 * without it Debian's 6.1 hangs under TCG, in the midst of choosing its alternatives.
 *
 * A boot on v3 takes the time of one on v2.  Of 84 boots with one and two CPUs and a program that
 * computes with AVX2 in several threads (tests/vm/vectors.c) none hung.
 */
#define MODEL_V1 "qemu64,+rdrand"
#define MODEL_V2 MODEL_V1 ",+ssse3,+sse4.1,+sse4.2,+popcnt"
#define MODEL_V3                                                                                   \
    MODEL_V2 ",+xsave,+xsaveopt,+avx,+avx2,+bmi1,+bmi2,+f16c,+fma,+abm,+movbe,+aes,+pclmulqdq"

static const char *const models[] = {[1] = MODEL_V1, [2] = MODEL_V2, [3] = MODEL_V3};

/* What the clouds' arm64 servers have; without pointer authentication, which is slow to emulate. */
#define MODEL_ARM64 "neoverse-n1"

/* What each level adds, as QEMU names it; the first level is what every x86-64 has.  Their
 * osxsave is the kernel's matter. */
static const char *const added[ROMSIM_CPU_LEVEL_MAX + 1][10] = {
    [2] = {"cx16", "lahf-lm", "popcnt", "pni", "ssse3", "sse4.1", "sse4.2"},
    [3] = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
    [4] = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
};

/* ---- levels --------------------------------------------------------------------------------- */

/* This machine's, which is what KVM's guests can have; by those of a level's features that both
 * gcc and clang 14 ask for, and that no processor has without the others. */
static int level_of_machine(void)
{
#ifdef __x86_64__
    bool has_v2, has_v3, has_v4;

    __builtin_cpu_init();
    has_v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
             __builtin_cpu_supports("fma");
    has_v4 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (has_v3)
        return has_v4 ? 4 : 3;
    return has_v2 ? 2 : 1;
#else
    return ROMSIM_CPU_LEVEL_MIN;
#endif
}

static int refuse_level(bool is_kvm, int highest, int wanted, struct romsim_error *err)
{
    if (is_kvm)
        romsim_error_set(err, ENOTSUP, "x86-64-v%d is more than this machine's processor has: v%d",
                         wanted, highest);
    else
        romsim_error_set(err, ENOTSUP, "x86-64-v%d is more than QEMU emulates: v%d", wanted,
                         highest);
    if (is_kvm && wanted <= LEVEL_TCG)
        return romsim_error_hint(err, "--accel tcg emulates it; or use v%d", highest);
    return romsim_error_hint(err, "it needs %s a processor that has it; or use v%d",
                             is_kvm ? "a machine with" : "KVM, and", highest);
}

int processor_take_level(struct romsim_processor *ret, int highest, int wanted,
                         struct romsim_error *err)
{
    bool is_kvm = ret->accel == ROMSIM_ACCEL_KVM;
    int level = wanted;

    if (wanted > highest)
        return refuse_level(is_kvm, highest, wanted, err);
    if (wanted == 0)
        level = highest < ROMSIM_CPU_LEVEL_DEFAULT ? highest : ROMSIM_CPU_LEVEL_DEFAULT;
    ret->level = level;
    ret->is_hosts = is_kvm && (wanted == 0 || wanted == highest);
    snprintf(ret->model, sizeof(ret->model), "%s", ret->is_hosts ? "host" : models[level]);
    return 0;
}

void processor_take_arm64(struct romsim_processor *ret)
{
    ret->level = ROMSIM_CPU_LEVEL_MIN;
    ret->is_hosts = ret->accel == ROMSIM_ACCEL_KVM;
    snprintf(ret->model, sizeof(ret->model), "%s", ret->is_hosts ? "host" : MODEL_ARM64);
}

/* ---- QEMU's models -------------------------------------------------------------------------- */

static int hint_models(struct romsim_error *err)
{
    bool has_levels = romsim_arch() == ROMSIM_ARCH_AMD64;

    return romsim_error_hint(err, "%swhat '%s -cpu help' lists", has_levels ? "v1 to v4, or " : "",
                             romsim_arch_facts()->qemu);
}

bool processor_may_be_model(const char *text)
{
    size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               ".,_=+-");

    return size > 0 && text[size] == '\0' && !strchr(",=+-", text[0]) &&
           size < sizeof(((struct romsim_processor *)NULL)->model);
}

/* QEMU with the model, which does not run.  *ret_line is our end of its QMP. */
static int start_qemu(const struct romsim_processor *processor, struct process *ret, int *ret_line,
                      struct romsim_error *err)
{
    char chardev[64];
    const char *const argv[] = {romsim_arch_facts()->qemu,
                                "-nodefaults",
                                "-no-user-config",
                                "-display",
                                "none",
                                "-sandbox",
                                "on",
                                "-S",
                                "-machine",
                                romsim_vm_machine(),
                                "-accel",
                                processor->accel == ROMSIM_ACCEL_KVM ? "kvm" : "tcg",
                                "-cpu",
                                processor->model,
                                "-m",
                                "16",
                                "-chardev",
                                chardev,
                                "-mon",
                                "chardev=qmp,mode=control",
                                NULL};
    int pair[2], status;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return romsim_error_system(err, errno, "cannot make a socket");
    snprintf(chardev, sizeof(chardev), "socket,id=qmp,fd=%d", pair[1]);
    status = process_start(argv, (const int[]){pair[1], -1}, ret, err);
    cleanup_close_fd(&pair[1]);
    if (status == 0) {
        *ret_line = pair[0];
        return 0;
    }
    cleanup_close_fd(&pair[0]);
    return err && err->errnum == ENOENT ? romsim_error_hint(err, "install QEMU (Debian: %s)",
                                                            romsim_arch_facts()->qemu_package)
                                        : -1;
}

/* Where the first processor stands in QEMU's tree of objects; malloc'ed. */
static char *find_cpu(struct qmp *qmp, struct romsim_error *err)
{
    json_t *cpus = NULL;
    const char *path;
    char *found;

    if (qmp_execute(qmp, "query-cpus-fast", NULL, &cpus, err) < 0)
        return NULL;
    path = json_string_value(json_object_get(json_array_get(cpus, 0), "qom-path"));
    found = path ? strdup(path) : NULL;
    if (!found)
        romsim_error_set(err, EPROTO, "QEMU does not say where its processor is");
    json_decref(cpus);
    return found;
}

/* 1 if the processor has the feature, 0 if it has not, -1 on failure. */
static int has_feature(struct qmp *qmp, const char *path, const char *feature,
                       struct romsim_error *err)
{
    json_t *value = NULL;
    int is_there;

    if (qmp_execute(qmp, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", feature),
                    &value, err) < 0)
        return -1;
    is_there = json_is_true(value);
    json_decref(value);
    return is_there;
}

/* The level that QEMU's processor has, or -1. */
static int ask_level(struct qmp *qmp, struct romsim_error *err)
{
    CLEANUP_FREE char *path = find_cpu(qmp, err);

    if (!path)
        return -1;
    if (romsim_arch() == ROMSIM_ARCH_ARM64)
        return ROMSIM_CPU_LEVEL_MIN;
    for (int level = ROMSIM_CPU_LEVEL_MIN; level < ROMSIM_CPU_LEVEL_MAX; level++)
        for (const char *const *feature = added[level + 1]; *feature; feature++) {
            int is_there = has_feature(qmp, path, *feature, err);

            if (is_there <= 0)
                return is_there < 0 ? -1 : level;
        }
    return ROMSIM_CPU_LEVEL_MAX;
}

/* QEMU ended: it does not know the model, or the accelerator does not run here.  Its last line says
 * which; warnings stand before it. */
static int explain_end(struct process *qemu, struct romsim_error *err)
{
    static const char begin[] = "\n  | ";
    const char *own_name = romsim_arch_facts()->qemu;
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    struct tail tail = {0};
    const char *line = "";

    process_last_words(qemu, &tail);
    tail_print(&tail, 1, &text);
    if (text.size)
        line = text.data + strlen(begin);
    if (strncmp(line, own_name, strlen(own_name)) == 0 && line[strlen(own_name)] == ':')
        line += strlen(own_name) + strspn(line + strlen(own_name), ": ");
    romsim_error_set(err, EPIPE, "QEMU does not start with it%s%s", *line ? ": " : "", line);
    return hint_models(err);
}

static int take_model(struct romsim_processor *ret, const char *model, struct romsim_error *err)
{
    struct process qemu = PROCESS_NONE;
    CLEANUP_FD int line = -1;
    struct qmp qmp = {0};

    snprintf(ret->model, sizeof(ret->model), "%s", model);
    ret->is_hosts = ret->accel == ROMSIM_ACCEL_KVM && strcmp(model, "host") == 0;
    if (start_qemu(ret, &qemu, &line, err) < 0)
        return -1;
    ret->level = qmp_open(&qmp, line, PATIENCE_MS, err) < 0 ? -1 : ask_level(&qmp, err);
    qmp_close(&qmp);
    if (ret->level < 0 && err && err->errnum == EPIPE)
        explain_end(&qemu, err);
    process_end(&qemu);
    return ret->level < 0 ? -1 : 0;
}

/* ---- the choice ----------------------------------------------------------------------------- */

static void choose_accelerator(enum romsim_accel wanted, struct romsim_processor *ret)
{
    CLEANUP_FREE char *reason = NULL;
    bool remembered = true;

    ret->accel = wanted;
    if (wanted != ROMSIM_ACCEL_AUTO)
        return;
    ret->accel = romsim_accel_probe(true, &reason, &remembered);
    if (ret->accel == ROMSIM_ACCEL_TCG && !remembered && reason)
        snprintf(ret->note, sizeof(ret->note), "%s", reason);
}

static int refuse_kvm(enum romsim_arch guest, struct romsim_error *err)
{
    romsim_error_set(err, ENOTSUP, "KVM runs guests of this machine's own architecture, and not %s",
                     romsim_arch_facts_of(guest)->name);
    return romsim_error_hint(err, "without --accel QEMU emulates it, which is slower");
}

int romsim_processor_choose(enum romsim_accel wanted, const char *cpu, struct romsim_processor *ret,
                            struct romsim_error *err)
{
    struct romsim_processor processor = {.arch = romsim_arch()};
    bool is_arm64 = processor.arch == ROMSIM_ARCH_ARM64;
    int level = cpu ? romsim_cpu_parse_level(cpu) : 0, status;

    if (cpu && !processor_may_be_model(cpu)) {
        romsim_error_set(err, EINVAL, "'%s' can be no processor", QUOTE(cpu));
        hint_models(err);
        return romsim_error_context(err, "--cpu");
    }
    if (is_arm64 && level) {
        romsim_error_set(err, EINVAL, "the levels are of x86-64, and this guest is an arm64");
        hint_models(err);
        return romsim_error_context(err, "--cpu %s", QUOTE(cpu));
    }
    if (wanted == ROMSIM_ACCEL_KVM && !accel_may_be_kvm(processor.arch, romsim_arch_host()))
        return refuse_kvm(processor.arch, err);
    choose_accelerator(wanted, &processor);
    if (is_arm64 && !cpu) {
        processor_take_arm64(&processor);
        status = 0;
    } else if (cpu && !level)
        status = take_model(&processor, cpu, err);
    else
        status = processor_take_level(
            &processor, processor.accel == ROMSIM_ACCEL_KVM ? level_of_machine() : LEVEL_TCG, level,
            err);
    if (status < 0)
        return cpu ? romsim_error_context(err, "--cpu %s", QUOTE(cpu)) : -1;
    *ret = processor;
    return 0;
}
