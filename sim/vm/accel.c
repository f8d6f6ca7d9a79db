/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * accel.c: does a VM really run on KVM here?
 *
 * That /dev/kvm opens proves nothing: inside some VMs and containers a guest hangs, QEMU aborts,
 * or every instruction is emulated, a hundred times slower than QEMU's own TCG.  So a tiny guest is
 * started, a firmware that enters protected mode, clears 8 MiB, counts to ten million and writes to
 * QEMU's debug-exit port, or on arm64 turns the machine off: some hundredths of a second on a real
 * KVM.  Only that is believed.
 *
 * KVM runs guests of the machine's own architecture; one of another is emulated.
 */
#include "accel.h"

#include "process.h"

#include <romsim/arch.h>
#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/paths.h>
#include <romsim/vm.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROBE_TIMEOUT_MS = 2500, /* with QEMU's start, less than 3 s */
    FIRMWARE_SIZE = 64 << 10,
    RESET_VECTOR = 0xfff0, /* where an x86 CPU begins, 16 bytes before the firmware's end */
    EXIT_PORT = 0xf4,
    EXIT_VALUE = 0x2a,
    EXIT_STATUS = EXIT_VALUE << 1 | 1 /* isa-debug-exit's rule */
};

#define SLOWER "QEMU emulates the CPU, which is slower"

/* Where the pieces of the guest lie in the firmware, which ends at the 4 GiB mark. */
enum { CODE16 = 0xff00, CODE32 = 0xff40, GDT = 0xff80, GDT_POINTER = 0xffa0 };

/* clang-format off */
static const uint8_t code16[] = {
    0xfa,                                           /* cli */
    0x2e, 0x66, 0x0f, 0x01, 0x16, 0xa0, 0xff,       /* lgdt cs:[GDT_POINTER] */
    0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, /* cr0 |= PE */
    0x66, 0xea, 0x40, 0xff, 0xff, 0xff, 0x08, 0x00, /* jmp 8:CODE32 */
};

static const uint8_t code32[] = {
    0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, /* ds = es = 16 */
    0xbf, 0x00, 0x00, 0x10, 0x00,                   /* edi = 1 MiB */
    0xb9, 0x00, 0x00, 0x80, 0x00,                   /* ecx = 8 MiB */
    0x31, 0xc0, 0xfc, 0xf3, 0xaa,                   /* clear it, byte by byte */
    0xb9, 0x80, 0x96, 0x98, 0x00,                   /* ecx = 10,000,000 */
    0x49, 0x75, 0xfd,                               /* count it down */
    0xb0, EXIT_VALUE, 0xe6, EXIT_PORT,              /* out EXIT_PORT, EXIT_VALUE */
    0xf4, 0xeb, 0xfd,                               /* hlt, for ever */
};

static const uint8_t gdt[] = {
    0,    0,    0, 0, 0, 0,    0,    0,
    0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0,             /* 8: code, flat, 32 bits */
    0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0,             /* 16: data */
};

static const uint8_t gdt_pointer[] = {sizeof(gdt) - 1, 0, 0x80, 0xff, 0xff, 0xff};
static const uint8_t reset[] = {0xe9, 0x0d, 0xff};  /* jmp CODE16 */

/* An arm64 CPU begins at 0, where the firmware is, in 64 bits; the memory begins at 1 GiB. */
static const uint8_t code_arm64[] = {
    0x00, 0x00, 0xa8, 0xd2,                         /* movz x0, #0x4000, lsl #16 */
    0x01, 0x10, 0xa0, 0xd2,                         /* movz x1, #0x80, lsl #16: 8 MiB */
    0x1f, 0x84, 0x00, 0xf8,                         /* str xzr, [x0], #8 */
    0x21, 0x20, 0x00, 0xf1,                         /* subs x1, x1, #8 */
    0xc1, 0xff, 0xff, 0x54,                         /* b.ne to the str */
    0x01, 0x13, 0xa0, 0xd2,                         /* movz x1, #0x98, lsl #16 */
    0x01, 0xd0, 0x92, 0xf2,                         /* movk x1, #0x9680: 10,000,000 */
    0x21, 0x04, 0x00, 0xf1,                         /* subs x1, x1, #1 */
    0xe1, 0xff, 0xff, 0x54,                         /* b.ne to the subs */
    0x00, 0x80, 0xb0, 0x52,                         /* movz w0, #0x8400, lsl #16 */
    0x00, 0x01, 0x80, 0x72,                         /* movk w0, #8: PSCI's SYSTEM_OFF */
    0x02, 0x00, 0x00, 0xd4,                         /* hvc #0 */
    0x7f, 0x20, 0x03, 0xd5,                         /* wfi, */
    0xff, 0xff, 0xff, 0x17,                         /* for ever */
};
/* clang-format on */

struct part {
    unsigned offset;
    const uint8_t *bytes;
    size_t size;
};

static const struct guest {
    const char *machine;
    const char *exit[2]; /* an option, by which it ends; or NULL: it turns itself off */
    int status;          /* QEMU's then */
    struct part parts[5];
} guests[ROMSIM_ARCH_COUNT] = {
    [ROMSIM_ARCH_AMD64] = {.machine = "pc",
                           .exit = {"-device", "isa-debug-exit,iobase=0xf4"},
                           .status = EXIT_STATUS,
                           .parts = {{CODE16, code16, sizeof(code16)},
                                     {CODE32, code32, sizeof(code32)},
                                     {GDT, gdt, sizeof(gdt)},
                                     {GDT_POINTER, gdt_pointer, sizeof(gdt_pointer)},
                                     {RESET_VECTOR, reset, sizeof(reset)}}},
    [ROMSIM_ARCH_ARM64] = {.machine = "virt,gic-version=max",
                           .parts = {{0, code_arm64, sizeof(code_arm64)}}},
};

static int make_firmware(const struct guest *guest)
{
    CLEANUP_FD int fd = memfd_create("romsim-probe", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, FIRMWARE_SIZE) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(guest->parts) / sizeof(guest->parts[0]); i++) {
        const struct part *part = &guest->parts[i];

        if (pwrite(fd, part->bytes, part->size, part->offset) != (ssize_t)part->size)
            return -1;
    }
    return steal_fd(&fd);
}

bool accel_try(const char *accel, const char *cpu, const char **ret_how)
{
    const struct guest *guest = &guests[romsim_arch()];
    CLEANUP_FD int firmware = make_firmware(guest);
    const int inherited[] = {firmware, -1};
    struct process qemu = PROCESS_NONE;
    char path[64];
    const char *argv[] = {romsim_arch_facts()->qemu,
                          "-nodefaults",
                          "-no-user-config",
                          "-no-reboot",
                          "-display",
                          "none",
                          "-sandbox",
                          "on",
                          "-machine",
                          guest->machine,
                          "-accel",
                          accel,
                          "-cpu",
                          cpu,
                          "-m",
                          "16",
                          "-bios",
                          path,
                          guest->exit[0],
                          guest->exit[1],
                          NULL};
    int status = 0, ended;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", firmware);
    *ret_how = "QEMU could not be started";
    if (firmware < 0 || process_start(argv, inherited, &qemu, NULL) < 0)
        return false;
    ended = process_wait(&qemu, PROBE_TIMEOUT_MS, &status);
    process_end(&qemu);
    *ret_how = !ended                ? "a guest on it hangs or crawls"
               : WIFSIGNALED(status) ? "QEMU aborts with it"
                                     : "QEMU fails with it";
    return ended && WIFEXITED(status) && WEXITSTATUS(status) == guest->status;
}

/* ---- which may be tried --------------------------------------------------------------------- */

bool accel_may_be_kvm(enum romsim_arch guest, enum romsim_arch host)
{
    return guest == host;
}

/* ---- what was found out before -------------------------------------------------------------- */

static char *read_text(const char *path)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct romsim_buffer text = ROMSIM_BUFFER_INIT(4096);

    if (fd < 0 || romsim_buffer_read_fd(&text, fd) < 0) {
        romsim_buffer_reset(&text);
        return NULL;
    }
    return romsim_buffer_steal(&text);
}

/* "BOOT-ID kvm\n" or "BOOT-ID why not\n", in the cache folder. */
static char *memory_path(void)
{
    CLEANUP_FREE char *cache = romsim_path_cache("", NULL);

    return cache ? romsim_path_join(cache, "accelerator") : NULL;
}

static char *boot_id(void)
{
    char *id = read_text("/proc/sys/kernel/random/boot_id");

    if (id)
        id[strcspn(id, "\n")] = '\0';
    return id;
}

/* What was found during this boot: "" for a KVM that runs, or how it fails; NULL: nothing. */
static char *recall(void)
{
    CLEANUP_FREE char *path = memory_path(), *id = boot_id();
    CLEANUP_FREE char *text = path && id ? read_text(path) : NULL;
    size_t size = id ? strlen(id) : 0;

    if (!text || strncmp(text, id, size) != 0 || text[size] != ' ')
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return strdup(strcmp(text + size + 1, "kvm") == 0 ? "" : text + size + 1);
}

/* Not remembering costs the next run a moment, no more. */
static void remember(const char *finding)
{
    CLEANUP_FREE char *path = memory_path(), *id = boot_id(), *text = NULL;

    if (path && id && asprintf(&text, "%s %s\n", id, *finding ? finding : "kvm") >= 0)
        romsim_file_replace(path, text, strlen(text), NULL);
}

/* "BEFORE DETAIL AFTER", malloc'ed, or NULL. */
static char *sentence(const char *before, const char *detail, const char *after)
{
    char *text = NULL;

    return asprintf(&text, "%s%s%s", before, detail, after) < 0 ? NULL : text;
}

enum romsim_accel romsim_accel_probe(bool use_memory, char **ret_reason, bool *ret_remembered)
{
    bool is_native = accel_may_be_kvm(romsim_arch(), romsim_arch_host());
    CLEANUP_FD int kvm = is_native ? open("/dev/kvm", O_RDWR | O_CLOEXEC) : -1;
    int problem = kvm < 0 ? errno : 0;
    CLEANUP_FREE char *finding = use_memory && kvm >= 0 ? recall() : NULL;
    const char *how = "";

    if (ret_remembered)
        *ret_remembered = finding || (kvm < 0 && use_memory);
    if (!is_native) {
        *ret_reason = sentence("this machine's processor runs no ", romsim_arch_facts()->name,
                               " guests: " SLOWER);
        return ROMSIM_ACCEL_TCG;
    }
    if (problem == ENOENT) {
        *ret_reason = strdup("this machine has no /dev/kvm: " SLOWER);
        return ROMSIM_ACCEL_TCG;
    }
    if (problem) {
        *ret_reason = sentence("/dev/kvm cannot be opened (", strerror(problem), "): " SLOWER);
        return ROMSIM_ACCEL_TCG;
    }
    if (!finding) {
        finding = strdup(accel_try("kvm", "host", &how) ? "" : how);
        remember(finding ? finding : "");
    }
    if (finding && *finding) {
        *ret_reason = sentence("/dev/kvm opens, but ", finding, ": " SLOWER);
        return ROMSIM_ACCEL_TCG;
    }
    *ret_reason = strdup("KVM runs guests here");
    return ROMSIM_ACCEL_KVM;
}
