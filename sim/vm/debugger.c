/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debugger.c: how to get into the guest with a debugger.
 *
 * QEMU has a stub for gdb, which sees the whole virtual machine: its processors are gdb's threads.
 * The guest's kernel is not moved by chance (nokaslr), so that addresses in its file are those in
 * memory.  What Debian makes of its kernel's file has no symbols; a package beside it has them.
 */
#include "debugger.h"

#include <romsim/arch.h>
#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SECTIONS_MAX = 1000 };

static bool is_kernel_elf(const Elf64_Ehdr *header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_shentsize == sizeof(Elf64_Shdr);
}

static bool has_symbols(const char *kernel)
{
    CLEANUP_FD int fd = open(kernel, O_RDONLY | O_CLOEXEC);
    Elf64_Shdr section;
    Elf64_Ehdr header;

    if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        !is_kernel_elf(&header))
        return false;
    for (unsigned i = 0; i < header.e_shnum && i < SECTIONS_MAX; i++) {
        off_t position = (off_t)(header.e_shoff + i * sizeof(section));

        if (pread(fd, &section, sizeof(section), position) != sizeof(section))
            return false;
        if (section.sh_type == SHT_SYMTAB)
            return true;
    }
    return false;
}

int debugger_check(const struct romsim_vm_gdb *gdb, const struct romsim_layout *const *layouts,
                   size_t count, struct romsim_error *err)
{
    if (!gdb->port)
        return 0;
    if (count != 1)
        return romsim_error_set(err, EINVAL, "--gdb is for one instance, and these are %zu", count);
    if (!gdb->waits || !layouts[0]->template)
        return 0;
    romsim_error_set(err, EINVAL,
                     "a clone goes on where its template stopped, and has no beginning "
                     "to wait at");
    return romsim_error_hint(err, "--gdb %u, without ',wait'", gdb->port);
}

char *debugger_note(const struct romsim_vm_gdb *gdb, const char *kernel, const char *release)
{
    const char *state = gdb->waits ? "the guest waits for a debugger" : "a debugger gets in";
    char *note = NULL;
    int status;

    if (has_symbols(kernel))
        status = asprintf(&note, "%s: gdb -ex 'target remote 127.0.0.1:%u' '%s'", state, gdb->port,
                          QUOTE(kernel));
    else if (release)
        status = asprintf(&note,
                          "%s: gdb -ex 'set architecture %s' -ex 'target remote "
                          "127.0.0.1:%u' (this kernel has no symbols; those of Debian's are in "
                          "linux-image-%s-dbg)",
                          state, romsim_arch_facts()->gdb, gdb->port, QUOTE(release));
    else
        status = asprintf(&note,
                          "%s: gdb -ex 'set architecture %s' -ex 'target remote "
                          "127.0.0.1:%u' (this kernel has no symbols)",
                          state, romsim_arch_facts()->gdb, gdb->port);
    return status < 0 ? NULL : note;
}
