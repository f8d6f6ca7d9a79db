/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qemu.c: QEMU's command line.
 *
 * What stands here was measured (tests/bench/boot.sh), two cores, TCG, from QEMU's start to a file
 * read from a ROM:
 *
 *     Debian's bzImage, -cpu max, pc                          2.0 s
 *     the kernel unpacked on the host, started by PVH          1.6
 *     q35 instead of pc (whose PCI interrupt links are slow)   1.4
 *     -cpu qemu64 (max: 5-level tables, many alternatives)     1.3
 *     no SATA, USB, SMBus, SMM; qboot                          1.2
 *     no timer calibration (nolapic_timer), init_on_alloc=0    1.1
 *
 * A second CPU costs 0.6 s.  microvm hung in half of the tries under TCG with this kernel.
 *
 * An arm64 guest's machine is QEMU's virt, which has the same devices in the same slots of its PCI
 * bus; the kernel, an Image, is started without a firmware and gets a device tree.
 */
#include "qemu.h"

#include "address.h"
#include "gate.h"
#include "sim/guest/manifest.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_SERIAL = 1, SLOT_NETWORK = 2, SLOT_DRIVES = 4, FUNCTIONS = 8 };

/* The kernel says nothing but errors if it is not asked for more, runs no self-tests, believes the
 * host's clock, and a panic ends the VM (with -no-reboot).  The guest is the developer's own: what
 * guards against foreign programs in it is left out where it costs time.  Under TCG with one CPU
 * the HPET is the timer: the local APIC's takes 0.1 s to calibrate. */
#define KERNEL_ARGUMENTS                                                                           \
    " panic=-1 rdinit=/init printk.devkmsg=on nokaslr cryptomgr.notests random.trust_cpu=on "      \
    "init_on_alloc=0 mitigations=off audit=0 apparmor=0 selinux=0"

#define LOG_ERRORS " quiet"
#define LOG_ALL    " loglevel=8"
#define COUNTER    " tsc_early_khz=%llu"

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

/* What the architectures' machines differ in. */
struct machine {
    const char *name; /* and how it is: QEMU's -machine */
    /* The memory's name, as QEMU calls it where it is no file, so that what was saved of one goes
     * on as the other. */
    const char *memory;
    const char *arguments; /* of its kernel */
    /* Of one emulated CPU: see above, and the kernel is not patched into one for a single CPU, a
     * page table switched for each of its thousands of locks. */
    const char *one_emulated;
    bool has_firmware; /* it needs one, small as it may be */
    bool has_counter;  /* one whose speed the kernel has to be told or finds out, x86's */
    unsigned serials;  /* that are its own, the first of QEMU's -serial */
};

static const struct machine machines[ROMSIM_ARCH_COUNT] = {
    [ROMSIM_ARCH_AMD64] = {.name = "q35,sata=off,usb=off,smbus=off,smm=off,vmport=off,graphics=off",
                           .memory = "pc.ram",
                           .arguments = "tsc=reliable no_timer_check",
                           .one_emulated = " nolapic_timer noreplace-smp",
                           .has_firmware = true,
                           .has_counter = true,
                           .serials = 4},
    [ROMSIM_ARCH_ARM64] = {.name = "virt,gic-version=max",
                           .memory = "mach-virt.ram",
                           .arguments = "",
                           .one_emulated = "",
                           .serials = 1},
};

const char *romsim_vm_machine(void)
{
    return machines[romsim_arch()].name;
}

char *qemu_kernel_arguments(const struct qemu_config *config)
{
    const struct machine *machine = &machines[config->arch];
    bool is_one = config->accel == ROMSIM_ACCEL_TCG && config->vcpus == 1;
    char counter[48] = "", *text = NULL;

    if (config->tsc_khz && machine->has_counter)
        snprintf(counter, sizeof(counter), COUNTER, (unsigned long long)config->tsc_khz);
    return asprintf(&text, "console=%s %s%s%s%s%s", romsim_arch_facts_of(config->arch)->tty,
                    machine->arguments, KERNEL_ARGUMENTS, config->kernel_log ? LOG_ALL : LOG_ERRORS,
                    is_one ? machine->one_emulated : "", counter) < 0
               ? NULL
               : text;
}

/* Appends a string that the vector is to own; NULL (no memory) is an error. */
static int add_owned(struct qemu_argv *argv, char *text)
{
    if (text && qemu_argv_append(argv, text) == 0)
        return 0;
    free(text);
    return -1;
}

__attribute__((format(printf, 3, 4))) static int add(struct qemu_argv *argv, const char *option,
                                                     const char *format, ...)
{
    va_list arguments;
    char *value = NULL;
    int status;

    va_start(arguments, format);
    status = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (status < 0)
        return -1;
    if (add_owned(argv, strdup(option)) < 0) {
        free(value);
        return -1;
    }
    return add_owned(argv, value);
}

/* Adds an option whose value is JSON; takes the reference. */
static int add_json(struct qemu_argv *argv, const char *option, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

    json_decref(value);
    if (!text)
        return -1;
    if (add_owned(argv, strdup(option)) < 0) {
        free(text);
        return -1;
    }
    return add_owned(argv, text);
}

/* The guest's memory as a file: one that is to be saved writes to it, a clone has its own copy of
 * each page that it changes. */
static int add_memory(const struct qemu_config *config, struct qemu_argv *argv)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", config->memory_fd);
    return add_json(argv, "-object",
                    json_pack("{s:s, s:s, s:I, s:s, s:b}", "qom-type", "memory-backend-file", "id",
                              machines[config->arch].memory, "size",
                              (json_int_t)(config->memory_mb << 20), "mem-path", path, "share",
                              (int)config->is_shared));
}

/* Eight nanoseconds an instruction, about what emulation needs, whatever the host's clock says.  A
 * log for which that was looked at ("auto") cannot always be replayed (docs/cases.md). */
const char *romsim_vm_record_clock(void)
{
    return "shift=3";
}

/* QEMU opens the log by a name. */
static int add_record(const struct romsim_vm_record *record, struct qemu_argv *argv)
{
    return add(argv, "-icount", "%s,rr=%s,rrfile=/proc/self/fd/%d", romsim_vm_record_clock(),
               record->replays ? "replay" : "record", record->fd);
}

static int add_machine(const struct qemu_config *config, struct qemu_argv *argv)
{
    const struct machine *machine = &machines[config->arch];
    bool kvm = config->accel == ROMSIM_ACCEL_KVM;

    if (add_owned(argv, strdup(romsim_arch_facts_of(config->arch)->qemu)) < 0 ||
        add_owned(argv, strdup("-nodefaults")) < 0 ||
        add_owned(argv, strdup("-no-user-config")) < 0 ||
        add_owned(argv, strdup("-no-reboot")) < 0 ||
        add(argv, "-name", "romsim,process=romsim-qemu") < 0 ||
        add(argv, "-sandbox", SANDBOX) < 0 || add(argv, "-display", "none") < 0 ||
        add(argv, "-machine", "%s%s%s", machine->name,
            config->memory_fd >= 0 ? ",memory-backend=" : "",
            config->memory_fd >= 0 ? machine->memory : "") < 0 ||
        add(argv, "-accel",
            kvm              ? "kvm"
            : config->record ? "tcg,thread=single"
                             : "tcg") < 0 ||
        (config->record && add_record(config->record, argv) < 0) ||
        add(argv, "-cpu", "%s", config->cpu) < 0 ||
        add(argv, "-m", "%llu", (unsigned long long)config->memory_mb) < 0 ||
        add(argv, "-smp", "%u", config->vcpus) < 0)
        return -1;
    if (config->firmware && machine->has_firmware && add(argv, "-bios", "%s", config->firmware) < 0)
        return -1;
    return config->memory_fd >= 0 ? add_memory(config, argv) : 0;
}

static int add_kernel(const struct qemu_config *config, struct qemu_argv *argv)
{
    if (config->is_incoming)
        return add(argv, "-incoming", "defer");
    if (add(argv, "-kernel", "%s", config->kernel) < 0 || add_owned(argv, strdup("-append")) < 0 ||
        add_owned(argv, qemu_kernel_arguments(config)) < 0)
        return -1;
    return config->initrd ? add(argv, "-initrd", "%s", config->initrd) : 0;
}

/*
 * The lines to the guest.  Of character devices QEMU records only those that its short options
 * make: -serial, of which the first are the machine's own ports.  What is made by more of them is
 * nobody's, until a device names it ("serial4").
 */
static int add_recorded_lines(const struct qemu_config *config, struct qemu_argv *argv)
{
    if (add(argv, "-serial", "unix:fd=%d", config->log_fd) < 0)
        return -1;
    for (unsigned i = 1; i < machines[config->arch].serials; i++)
        if (add(argv, "-serial", "none") < 0)
            return -1;
    return add(argv, "-serial", "unix:fd=%d", config->console_fd) < 0
               ? -1
               : add(argv, "-serial", "unix:fd=%d", config->control_fd);
}

static int add_plain_lines(const struct qemu_config *config, struct qemu_argv *argv)
{
    if (add(argv, "-chardev", "socket,id=log,fd=%d", config->log_fd) < 0 ||
        add(argv, "-serial", "chardev:log") < 0 ||
        add(argv, "-chardev", "socket,id=console,fd=%d", config->console_fd) < 0)
        return -1;
    return add(argv, "-chardev", "socket,id=control,fd=%d", config->control_fd);
}

/* What the guest asks of a device may be done by another thread than the processor's, at a time
 * that is in no log: an interrupt that is in the log then has no cause in a replay, which waits for
 * it for ever.  In a recorded VM the processor does it. */
static const char *device_timing(const struct qemu_config *config)
{
    return config->record ? ",ioeventfd=off" : "";
}

/* One that not every guest has. */
static int add_port(struct qemu_argv *argv, const char *id, const char *name, int fd)
{
    if (add(argv, "-chardev", "socket,id=%s,fd=%d", id, fd) < 0)
        return -1;
    return add(argv, "-device", "virtserialport,chardev=%s,name=%s", id, name);
}

static int add_lines(const struct qemu_config *config, struct qemu_argv *argv)
{
    unsigned serials = machines[config->arch].serials;
    char console[32] = "console", control[32] = "control";

    if (config->record) {
        snprintf(console, sizeof(console), "serial%u", serials);
        snprintf(control, sizeof(control), "serial%u", serials + 1);
    }
    if ((config->record ? add_recorded_lines : add_plain_lines)(config, argv) < 0 ||
        add(argv, "-chardev", "socket,id=qmp,fd=%d", config->qmp_fd) < 0 ||
        add(argv, "-mon", "chardev=qmp,mode=control") < 0 ||
        add(argv, "-device", "virtio-serial-pci,addr=%d%s", SLOT_SERIAL, device_timing(config)) <
            0 ||
        add(argv, "-device", "virtserialport,chardev=%s,name=" MANIFEST_CONSOLE_PORT, console) <
            0 ||
        add(argv, "-device", "virtserialport,chardev=%s,name=" MANIFEST_PORT, control) < 0)
        return -1;
    if (config->input_fd >= 0 && add_port(argv, "input", MANIFEST_INPUT_PORT, config->input_fd) < 0)
        return -1;
    return config->shell_fd < 0 ? 0
                                : add_port(argv, "shell", MANIFEST_SHELL_PORT, config->shell_fd);
}

/* The filters are the network's: it receives (rx) what the guest sends. */
static int add_gate(const int *fds, struct qemu_argv *argv)
{
    static const char filter[] = "filter-redirector,netdev=" QEMU_NET_ID;

    for (int i = 0; i < GATE_ENDS; i++)
        if (add(argv, "-chardev", "socket,id=gate%d,fd=%d", i, fds[i]) < 0)
            return -1;
    if (add(argv, "-object", "%s,id=filter0,queue=rx,outdev=gate%d,indev=gate%d", filter,
            GATE_FROM_GUEST, GATE_TO_NETWORK) < 0)
        return -1;
    return add(argv, "-object", "%s,id=filter1,queue=tx,indev=gate%d", filter, GATE_TO_GUEST);
}

/* The guest is told its address and needs no DHCP; what asks for it all the same is told the same
 * address, which is also the one that forwarded ports lead to. */
static int add_network(const struct qemu_config *config, struct qemu_argv *argv)
{
    char network[ADDRESS_TEXT], gateway[ADDRESS_TEXT], resolver[ADDRESS_TEXT], own[ADDRESS_TEXT],
        mac[ADDRESS_MAC_TEXT];

    address_print(ADDRESS_NETWORK, network);
    address_print(ADDRESS_GATEWAY, gateway);
    address_print(ADDRESS_RESOLVER, resolver);
    address_print(config->address, own);
    address_print_mac(config->address, mac);
    if (add(argv, "-netdev",
            "user,id=" QEMU_NET_ID ",ipv6=off,net=%s/%u,host=%s,dns=%s,dhcpstart=%s%s", network,
            address_prefix(config->address), gateway, resolver, own,
            config->record ? ",restrict=on" : "") < 0 ||
        (config->record &&
         add(argv, "-object", "filter-replay,id=replay,netdev=" QEMU_NET_ID) < 0) ||
        (config->gate_fds && add_gate(config->gate_fds, argv) < 0))
        return -1;
    return add(argv, "-device",
               "virtio-net-pci,netdev=" QEMU_NET_ID ",mac=%s,addr=%d,romfile=,rombar=0%s%s", mac,
               SLOT_NETWORK, device_timing(config), config->record ? ",tx=timer" : "");
}

/* The file of a drive as a block node's JSON. */
static json_t *drive_file(const struct qemu_drive *drive, unsigned position)
{
    char set[32];

    snprintf(set, sizeof(set), "/dev/fdset/%u", position);
    return json_pack("{s:s, s:s, s:b, s:s}", "driver", "file", "filename",
                     drive->filename ? drive->filename : set, "read-only", !drive->is_writable,
                     "locking", "off");
}

/* What the guest discards in a drive that it may write is a hole in the file again. */
static int add_drive_node(const struct qemu_drive *drive, unsigned position, struct qemu_argv *argv)
{
    json_t *file, *raw;

    if (!drive->filename && add(argv, "-add-fd", "fd=%d,set=%u", drive->fd, position) < 0)
        return -1;
    file = drive_file(drive, position);
    if (file && drive->is_writable)
        json_object_set_new(file, "discard", json_string("unmap"));
    raw = json_pack("{s:s, s:s, s:b, s:o}", "driver", "raw", "node-name", drive->name, "read-only",
                    !drive->is_writable, "file", file);
    if (raw && drive->is_writable)
        json_object_set_new(raw, "discard", json_string("unmap"));
    if (raw && drive->size) {
        json_object_set_new(raw, "offset", json_integer((json_int_t)drive->offset));
        json_object_set_new(raw, "size", json_integer((json_int_t)drive->size));
    }
    return add_json(argv, "-blockdev", raw);
}

#define RECORDED "rr-"

/* The node over a drive's own which has a read end when it ended in the log. */
static int add_recorded_node(const struct qemu_drive *drive, struct qemu_argv *argv)
{
    char name[64];

    snprintf(name, sizeof(name), RECORDED "%s", drive->name);
    return add_json(argv, "-blockdev",
                    json_pack("{s:s, s:s, s:s, s:b}", "driver", "blkreplay", "node-name", name,
                              "image", drive->name, "read-only", !drive->is_writable));
}

static int add_drive(const struct qemu_config *config, unsigned position, struct qemu_argv *argv)
{
    const struct qemu_drive *drive = &config->drives[position];
    unsigned slot = SLOT_DRIVES + position / FUNCTIONS, function = position % FUNCTIONS;
    const char *before = config->record ? RECORDED : "";

    if (add_drive_node(drive, position, argv) < 0 ||
        (config->record && add_recorded_node(drive, argv) < 0))
        return -1;
    return add(argv, "-device", "virtio-blk-pci,drive=%s%s,serial=%s,addr=%x.%x%s%s", before,
               drive->name, drive->name, slot, function, function == 0 ? ",multifunction=on" : "",
               device_timing(config));
}

/* Who reaches the port has the guest, and QEMU's monitor: it is this machine's users. */
static int add_debugger(const struct romsim_vm_gdb *gdb, struct qemu_argv *argv)
{
    if (!gdb->port)
        return 0;
    if (gdb->waits && add_owned(argv, strdup("-S")) < 0)
        return -1;
    return add(argv, "-gdb", "tcp:127.0.0.1:%u,server=on,wait=off", gdb->port);
}

static int add_all(const struct qemu_config *config, struct qemu_argv *argv)
{
    if (add_machine(config, argv) < 0 || add_kernel(config, argv) < 0 ||
        add_lines(config, argv) < 0 || add_network(config, argv) < 0 ||
        add_debugger(&config->gdb, argv) < 0)
        return -1;
    for (size_t i = 0; i < config->drive_count; i++)
        if (add_drive(config, (unsigned)i, argv) < 0)
            return -1;
    return qemu_argv_append(argv, NULL);
}

int qemu_command(const struct qemu_config *config, struct qemu_argv *ret, struct romsim_error *err)
{
    struct qemu_argv argv = {0};

    if (config->drive_count > QEMU_DRIVES_MAX)
        return romsim_error_set(err, E2BIG, "%zu drives; a VM has room for %d", config->drive_count,
                                QEMU_DRIVES_MAX);
    if (add_all(config, &argv) < 0) {
        qemu_argv_free(&argv);
        return romsim_error_nomem(err);
    }
    *ret = argv;
    return 0;
}

void qemu_argv_free(struct qemu_argv *argv)
{
    for (size_t i = 0; i < argv->count; i++)
        free(argv->items[i]);
    qemu_argv_reset(argv);
}
