/* SPDX-License-Identifier: BSD-3-Clause */
/* arch.c: the architectures of guests. */
#include <romsim/arch.h>

#include <elf.h>
#include <stddef.h>
#include <strings.h>

static const struct romsim_arch_facts facts[ROMSIM_ARCH_COUNT] = {
    [ROMSIM_ARCH_AMD64] = {.name = "amd64",
                           .cloud = "x86_64",
                           .spoken = "x86-64",
                           .qemu = "qemu-system-x86_64",
                           .qemu_package = "qemu-system-x86",
                           .tty = "ttyS0",
                           .gdb = "i386:x86-64",
                           .machines = {EM_X86_64, EM_386}},
    [ROMSIM_ARCH_ARM64] = {.name = "arm64",
                           .cloud = "arm64",
                           .spoken = "arm64",
                           .qemu = "qemu-system-aarch64",
                           .qemu_package = "qemu-system-arm",
                           .tty = "ttyAMA0",
                           .gdb = "aarch64",
                           .machines = {EM_AARCH64, EM_ARM}},
};

#ifdef __aarch64__
#define HOST ROMSIM_ARCH_ARM64
#else
#define HOST ROMSIM_ARCH_AMD64
#endif

static enum romsim_arch current = HOST;

const struct romsim_arch_facts *romsim_arch_facts_of(enum romsim_arch arch)
{
    return &facts[arch];
}

enum romsim_arch romsim_arch(void)
{
    return current;
}

void romsim_arch_set(enum romsim_arch arch)
{
    current = arch;
}

const struct romsim_arch_facts *romsim_arch_facts(void)
{
    return &facts[current];
}

enum romsim_arch romsim_arch_host(void)
{
    return HOST;
}

enum romsim_arch romsim_arch_find(const char *word)
{
    static const struct {
        const char *word;
        enum romsim_arch arch;
    } words[] = {
        {"amd64", ROMSIM_ARCH_AMD64}, {"x86_64", ROMSIM_ARCH_AMD64},  {"x86-64", ROMSIM_ARCH_AMD64},
        {"arm64", ROMSIM_ARCH_ARM64}, {"aarch64", ROMSIM_ARCH_ARM64},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(word, words[i].word) == 0)
            return words[i].arch;
    return ROMSIM_ARCH_COUNT;
}
