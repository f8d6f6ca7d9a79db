/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci_platform.c: which machines an image is for.
 *
 * An image for linux/amd64 may be there several times, for the levels of x86-64 (variant v2, v3,
 * ...).  As containerd ranks them, the highest that the processor has goes first, then the lower
 * ones, then the one without; a higher one is for another machine.  For linux/arm64 it is there
 * once, as a rule without a variant or with v8, which is the first of them: later ones are for
 * others.
 */
#include "sim/image/oci.h"

#include <romsim/arch.h>
#include <romsim/cpu.h>

#include <string.h>
#include <strings.h>

/* A rank is that of the system and, within it, the level. */
enum { RANK_LINUX = 10, RANK_KRAFTCLOUD = 20 };

static void copy_word(const json_t *object, const char *name, char *ret, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));

    snprintf(ret, size, "%s", value ? value : "");
}

struct oci_platform oci_platform_parse(const json_t *json)
{
    struct oci_platform platform = {{0}, {0}, {0}};

    copy_word(json, "os", platform.os, sizeof(platform.os));
    copy_word(json, "architecture", platform.architecture, sizeof(platform.architecture));
    copy_word(json, "variant", platform.variant, sizeof(platform.variant));
    return platform;
}

/* The level that a variant asks for: of x86-64 "v3" is 3, none is the first; 0: none that is. */
static int level_of(const char *variant)
{
    if (romsim_arch() == ROMSIM_ARCH_ARM64)
        return !*variant || strcasecmp(variant, "v8") == 0 || strcmp(variant, "8") == 0
                   ? ROMSIM_CPU_LEVEL_MIN
                   : 0;
    return *variant ? romsim_cpu_parse_level(variant) : ROMSIM_CPU_LEVEL_MIN;
}

int oci_platform_rank(const struct oci_platform *platform)
{
    int level = level_of(platform->variant);
    bool is_kraftcloud = strcmp(platform->os, "kraftcloud") == 0;

    if (*platform->os && !is_kraftcloud && strcmp(platform->os, "linux") != 0)
        return OCI_RANK_NONE;
    if (*platform->architecture && romsim_arch_find(platform->architecture) != romsim_arch())
        return OCI_RANK_NONE;
    if (!*platform->os || !*platform->architecture)
        return OCI_RANK_PARTIAL;
    if (level == 0 || level > romsim_cpu_level())
        return OCI_RANK_NONE;
    return (is_kraftcloud ? RANK_KRAFTCLOUD : RANK_LINUX) + level;
}

void oci_platform_text(const struct oci_platform *platform, char ret[96])
{
    snprintf(ret, 96, "%s/%s%s%s", platform->os, platform->architecture,
             *platform->variant ? "/" : "", platform->variant);
}

enum romsim_arch oci_platform_other(const struct oci_platform *platform)
{
    enum romsim_arch arch = romsim_arch_find(platform->architecture);
    bool is_ours = strcmp(platform->os, "linux") == 0 || strcmp(platform->os, "kraftcloud") == 0;

    return is_ours && arch != romsim_arch() ? arch : ROMSIM_ARCH_COUNT;
}

int oci_platform_hint(enum romsim_arch other, struct romsim_error *err)
{
    const struct romsim_arch_facts *facts = romsim_arch_facts();

    if (other < ROMSIM_ARCH_COUNT)
        return romsim_error_hint(err,
                                 "this guest runs kraftcloud/%s and linux/%s: '--arch %s' gives "
                                 "one for it, or get the image for %s",
                                 facts->cloud, facts->name, romsim_arch_facts_of(other)->name,
                                 facts->name);
    if (romsim_arch() != ROMSIM_ARCH_AMD64)
        return romsim_error_hint(err, "this guest runs kraftcloud/%s and linux/%s", facts->cloud,
                                 facts->name);
    return romsim_error_hint(err,
                             "romsim runs kraftcloud/x86_64 and linux/amd64, up to the variant "
                             "v%d, the level of the instance's processor (--cpu)",
                             romsim_cpu_level());
}
