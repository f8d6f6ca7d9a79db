/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_command.c: QEMU's command line, the manifest that goes with it, and the console's tail. */
#include "harness.h"

#include "sim/guest/manifest.h"
#include "sim/vm/outline.h"
#include "sim/vm/qemu.h"
#include "sim/vm/tail.h"
#include "sim/vm/ticks.h"

#include <romsim/blob.h>
#include <romsim/cleanup.h>

#include <errno.h>
#include <jansson.h>

static struct qemu_config config_new(const struct qemu_drive *drives, size_t count)
{
    return (struct qemu_config){.accel = ROMSIM_ACCEL_TCG,
                                .cpu = "qemu64,+avx",
                                .name = "test",
                                .kernel = "/k,ernel",
                                .initrd = "/i nitrd",
                                .shell_fd = -1,
                                .memory_mb = 512,
                                .vcpus = 1,
                                .drives = drives,
                                .drive_count = count,
                                .console_fd = 10,
                                .control_fd = 11,
                                .log_fd = 12,
                                .qmp_fd = 13,
                                .input_fd = -1,
                                .memory_fd = -1,
                                .address = 0x0a000007};
}

/* The value of the n-th use of an option, or NULL. */
static const char *value_of(const struct qemu_argv *argv, const char *option, unsigned n)
{
    for (size_t i = 0; argv->items[i]; i++)
        if (strcmp(argv->items[i], option) == 0 && n-- == 0)
            return argv->items[i + 1];
    return NULL;
}

static bool has(const struct qemu_argv *argv, const char *option)
{
    for (size_t i = 0; argv->items[i]; i++)
        if (strcmp(argv->items[i], option) == 0)
            return true;
    return false;
}

START_TEST(a_debugger_is_let_in_where_it_is_wanted)
{
    struct qemu_config config = config_new(NULL, 0);
    struct qemu_argv argv;

    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert(!has(&argv, "-gdb") && !has(&argv, "-S"));
    qemu_argv_free(&argv);
    config.gdb.port = 1234;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(value_of(&argv, "-gdb", 0), "tcp:127.0.0.1:1234,server=on,wait=off");
    ck_assert(!has(&argv, "-S"));
    qemu_argv_free(&argv);
    config.gdb.waits = true;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert(has(&argv, "-S"));
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(emulation_takes_the_hpet)
{
    struct qemu_config config = config_new(NULL, 0);
    struct qemu_argv argv;

    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(argv.items[0], "qemu-system-x86_64");
    ck_assert_str_eq(value_of(&argv, "-accel", 0), "tcg");
    ck_assert_str_eq(value_of(&argv, "-cpu", 0), "qemu64,+avx");
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-append", 0), "nolapic_timer"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-append", 0), "noreplace-smp"));
    ck_assert_str_eq(value_of(&argv, "-m", 0), "512");
    ck_assert_str_eq(value_of(&argv, "-kernel", 0), "/k,ernel");
    ck_assert_str_eq(value_of(&argv, "-initrd", 0), "/i nitrd");
    ck_assert_ptr_null(value_of(&argv, "-bios", 0));
    qemu_argv_free(&argv);

    config.vcpus = 2;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(value_of(&argv, "-smp", 0), "2");
    ck_assert_ptr_null(strstr(value_of(&argv, "-append", 0), "nolapic_timer"));
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(an_arm64_has_the_same_devices_on_another_machine)
{
    const struct qemu_drive drive = {.name = "ukp_rom0", .fd = 20};
    struct qemu_config config = config_new(&drive, 1);
    struct qemu_argv argv;

    config.arch = ROMSIM_ARCH_ARM64;
    config.cpu = "neoverse-n1";
    config.firmware = "/x86/firmware";
    config.tsc_khz = 1000000;
    config.memory_fd = 30;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(argv.items[0], "qemu-system-aarch64");
    ck_assert_str_eq(value_of(&argv, "-machine", 0),
                     "virt,gic-version=max,memory-backend=mach-virt.ram");
    ck_assert_str_eq(value_of(&argv, "-cpu", 0), "neoverse-n1");
    ck_assert(!has(&argv, "-bios"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-append", 0), "console=ttyAMA0 "));
    ck_assert_ptr_null(strstr(value_of(&argv, "-append", 0), "tsc"));
    ck_assert_ptr_null(strstr(value_of(&argv, "-append", 0), "apic"));
    ck_assert_str_eq(value_of(&argv, "-device", 0), "virtio-serial-pci,addr=1");
    ck_assert_str_eq(value_of(&argv, "-device", 4),
                     "virtio-blk-pci,drive=ukp_rom0,serial=ukp_rom0,addr=4.0,multifunction=on");
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(the_kernel_is_quiet_unless_its_log_is_wanted)
{
    struct qemu_config config = config_new(NULL, 0);
    CLEANUP_FREE char *quiet = qemu_kernel_arguments(&config), *loud = NULL;

    ck_assert_ptr_nonnull(strstr(quiet, " quiet"));
    ck_assert_ptr_null(strstr(quiet, "loglevel"));
    config.kernel_log = true;
    loud = qemu_kernel_arguments(&config);
    ck_assert_ptr_null(strstr(loud, "quiet"));
    ck_assert_ptr_nonnull(strstr(loud, " loglevel=8"));
    ck_assert_ptr_nonnull(strstr(loud, " nolapic_timer"));
}
END_TEST

START_TEST(the_kernel_is_told_how_fast_an_emulated_counter_counts)
{
    struct qemu_config config = config_new(NULL, 0);
    struct ticks ticks = ticks_now();
    struct qemu_argv argv;

    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_ptr_null(strstr(value_of(&argv, "-append", 0), "tsc_early_khz"));
    qemu_argv_free(&argv);

    config.tsc_khz = 2445424;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-append", 0), " tsc_early_khz=2445424"));
    qemu_argv_free(&argv);

    /* Whatever this processor is, it is slower than 100 GHz. */
    ck_assert_uint_lt(ticks_khz(&ticks), 100000000);
    ck_assert(!ticks.count == !ticks_khz(&ticks));
}
END_TEST

START_TEST(an_input_is_one_port_more)
{
    struct qemu_config config = config_new(NULL, 0);
    struct qemu_argv without, with;

    ck_assert_int_eq(qemu_command(&config, &without, NULL), 0);
    config.input_fd = 14;
    ck_assert_int_eq(qemu_command(&config, &with, NULL), 0);
    ck_assert_uint_eq(with.count, without.count + 4);
    qemu_argv_free(&without);
    qemu_argv_free(&with);
}
END_TEST

START_TEST(what_reaches_a_recorded_vm_goes_through_the_log)
{
    const struct qemu_drive drive = {.name = "ukp_rom1", .filename = (char *)"/r", .fd = -1};
    struct qemu_config config = config_new(&drive, 1);
    const struct romsim_vm_record record = {.fd = 9, .replays = true};
    json_t *node;
    struct qemu_argv argv;

    config.record = &record;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(value_of(&argv, "-accel", 0), "tcg,thread=single");
    ck_assert_str_eq(value_of(&argv, "-icount", 0), "shift=3,rr=replay,rrfile=/proc/self/fd/9");
    /* QEMU records no -chardev: the log's line, three of the PC's that are none, and ours. */
    ck_assert_str_eq(value_of(&argv, "-serial", 0), "unix:fd=12");
    ck_assert_str_eq(value_of(&argv, "-serial", 3), "none");
    ck_assert_str_eq(value_of(&argv, "-serial", 4), "unix:fd=10");
    ck_assert_str_eq(value_of(&argv, "-serial", 5), "unix:fd=11");
    ck_assert_ptr_null(value_of(&argv, "-serial", 6));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", 1), "chardev=serial4,"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", 2), "chardev=serial5,"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-netdev", 0), ",restrict=on"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-object", 0), "filter-replay"));
    node = json_loads(value_of(&argv, "-blockdev", 1), 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(node, "driver")), "blkreplay");
    ck_assert_str_eq(json_string_value(json_object_get(node, "image")), "ukp_rom1");
    ck_assert_ptr_nonnull(
        strstr(value_of(&argv, "-device", 4), "drive=rr-ukp_rom1,serial=ukp_rom1,"));
    /* Nothing is left to a thread whose turn comes when it comes. */
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", 0), "virtio-serial-pci,"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", 0), ",ioeventfd=off"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", 3), ",ioeventfd=off,tx=timer"));
    ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", 4), ",ioeventfd=off"));
    json_decref(node);
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(kvm_takes_the_hosts_timer)
{
    struct qemu_config config = config_new(NULL, 0);
    struct qemu_argv argv;

    config.accel = ROMSIM_ACCEL_KVM;
    config.firmware = "/fw";
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(value_of(&argv, "-accel", 0), "kvm");
    ck_assert_str_eq(value_of(&argv, "-bios", 0), "/fw");
    ck_assert_ptr_null(strstr(value_of(&argv, "-append", 0), "nolapic_timer"));
    ck_assert_ptr_null(strstr(value_of(&argv, "-append", 0), "noreplace-smp"));
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(what_the_guest_sends_passes_the_gate)
{
    static const int fds[] = {20, 21, 22};
    struct qemu_config config = config_new(NULL, 0);
    struct qemu_argv argv;

    config.gate_fds = fds;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert_str_eq(value_of(&argv, "-netdev", 0),
                     "user,id=net0,ipv6=off,net=10.0.0.0/24,host=10.0.0.1,dns=10.0.0.254,"
                     "dhcpstart=10.0.0.7");
    ck_assert_str_eq(value_of(&argv, "-object", 0),
                     "filter-redirector,netdev=net0,id=filter0,queue=rx,outdev=gate0,indev=gate1");
    ck_assert_str_eq(value_of(&argv, "-object", 1),
                     "filter-redirector,netdev=net0,id=filter1,queue=tx,indev=gate2");
    qemu_argv_free(&argv);

    config.gate_fds = NULL;
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert(!has(&argv, "-object"));
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(a_vm_has_nothing_that_was_not_asked_for)
{
    struct qemu_config config = config_new(NULL, 0);
    struct qemu_argv argv;

    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    ck_assert(has(&argv, "-nodefaults") && has(&argv, "-no-user-config") &&
              has(&argv, "-no-reboot"));
    ck_assert_str_eq(value_of(&argv, "-sandbox", 0), "on,obsolete=deny,elevateprivileges=deny,"
                                                     "spawn=deny,resourcecontrol=deny");
    ck_assert_str_eq(value_of(&argv, "-display", 0), "none");
    for (unsigned i = 0; value_of(&argv, "-device", i); i++)
        if (strstr(value_of(&argv, "-device", i), "virtio-net"))
            ck_assert_ptr_nonnull(strstr(value_of(&argv, "-device", i),
                                         "mac=12:b0:0a:00:00:07,addr=2,romfile=,rombar=0"));
    /* No port is open before romsim asks for it. */
    for (size_t i = 0; argv.items[i]; i++)
        ck_assert_ptr_null(strstr(argv.items[i], "hostfwd"));
    qemu_argv_free(&argv);
}
END_TEST

/* The block node of the n-th drive, as JSON. */
static json_t *node_of(const struct qemu_argv *argv, unsigned n)
{
    json_t *node = json_loads(value_of(argv, "-blockdev", n), 0, NULL);

    ck_assert_ptr_nonnull(node);
    return node;
}

static const char *member(const json_t *object, const char *inner, const char *name)
{
    return json_string_value(
        json_object_get(inner ? json_object_get(object, inner) : object, name));
}

START_TEST(drives_are_read_only_and_their_names_are_not_parsed)
{
    char odd[] = "/tmp/a,b \"c\"\\d/dev/ukp_rom1";
    const struct qemu_drive drives[] = {
        {.name = "ukp_rom0", .fd = 20, .offset = 4096, .size = 8192},
        {.name = "ukp_rom1", .filename = odd, .fd = -1},
    };
    struct qemu_config config = config_new(drives, 2);
    struct qemu_argv argv;
    json_t *node;

    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    node = node_of(&argv, 0);
    ck_assert_str_eq(value_of(&argv, "-add-fd", 0), "fd=20,set=0");
    ck_assert_str_eq(member(node, "file", "filename"), "/dev/fdset/0");
    ck_assert_int_eq(json_integer_value(json_object_get(node, "offset")), 4096);
    ck_assert_int_eq(json_integer_value(json_object_get(node, "size")), 8192);
    ck_assert(json_is_true(json_object_get(node, "read-only")));
    json_decref(node);

    node = node_of(&argv, 1);
    ck_assert_str_eq(member(node, "file", "filename"), odd);
    ck_assert(json_is_true(json_object_get(json_object_get(node, "file"), "read-only")));
    ck_assert_ptr_null(json_object_get(node, "size"));
    json_decref(node);
    ck_assert_ptr_null(value_of(&argv, "-add-fd", 1));
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(a_drive_that_may_be_written_gives_back_what_is_discarded)
{
    const struct qemu_drive drives[] = {{.name = "ukp_rom0", .fd = 20},
                                        {.name = "ukp_vol0", .fd = 21, .is_writable = true}};
    struct qemu_config config = config_new(drives, 2);
    struct qemu_argv argv;
    json_t *node;

    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    node = node_of(&argv, 0);
    ck_assert(json_is_true(json_object_get(json_object_get(node, "file"), "read-only")));
    ck_assert_ptr_null(member(node, NULL, "discard"));
    json_decref(node);
    node = node_of(&argv, 1);
    ck_assert(json_is_false(json_object_get(node, "read-only")));
    ck_assert(json_is_false(json_object_get(json_object_get(node, "file"), "read-only")));
    ck_assert_str_eq(member(node, "file", "filename"), "/dev/fdset/1");
    ck_assert_str_eq(member(node, "file", "discard"), "unmap");
    ck_assert_str_eq(member(node, NULL, "discard"), "unmap");
    json_decref(node);
    qemu_argv_free(&argv);
}
END_TEST

START_TEST(many_drives_share_slots_and_too_many_are_refused)
{
    static struct qemu_drive drives[QEMU_DRIVES_MAX + 1];
    static char names[QEMU_DRIVES_MAX + 1][16];
    struct qemu_config config = config_new(drives, QEMU_DRIVES_MAX);
    struct romsim_error err = {0};
    struct qemu_argv argv;
    unsigned devices = 0;
    const char *last = NULL, *value;

    for (unsigned i = 0; i <= QEMU_DRIVES_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "ukp_rom%u", i);
        drives[i] = (struct qemu_drive){.name = names[i], .fd = 30};
    }
    ck_assert_int_eq(qemu_command(&config, &argv, NULL), 0);
    for (unsigned i = 0; (value = value_of(&argv, "-device", i)); i++)
        if (strstr(value, "virtio-blk-pci")) {
            last = value;
            devices++;
        }
    ck_assert_uint_eq(devices, QEMU_DRIVES_MAX);
    ck_assert_str_eq(last, "virtio-blk-pci,drive=ukp_rom215,serial=ukp_rom215,addr=1e.7");
    qemu_argv_free(&argv);

    config.drive_count++;
    ck_assert_int_eq(qemu_command(&config, &argv, &err), -1);
    ck_assert_int_eq(err.errnum, E2BIG);
}
END_TEST

/* ---- the manifest ------------------------------------------------------------------------- */

/* A layout with odd texts, as a manifest and back. */
START_TEST(a_layout_arrives_in_the_guest_as_it_is)
{
    char shell[] = "/bin/sh", empty[] = "", lines[] = "two\nlines", space[] = "sp ace";
    char variable[] = "A=1\n2", own_path[] = "PATH=/own";
    char name[] = "web", host[] = "host", directory[] = "/w";
    char *args[] = {shell, empty, lines, space}, *env[] = {variable, own_path};
    char path[] = "/mnt/with space", data[] = "/data";
    static const uint8_t content[4096];
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(content, sizeof(content), NULL);
    struct romsim_device devices[] = {
        {.role = ROMSIM_DEVICE_ROOT, .indexed_name = "ukp_rom0", .blob = blob},
        {.role = ROMSIM_DEVICE_ROM, .indexed_name = "ukp_rom1", .named_name = "ukp_rom_x"},
        {.role = ROMSIM_DEVICE_VOLUME, .access = ROMSIM_READ_WRITE, .indexed_name = "ukp_vol0"}};
    struct romsim_mount mounts[] = {
        {.device = 1, .type = "erofs", .path = path},
        {.device = 2, .type = "ext4", .access = ROMSIM_READ_WRITE, .path = data}};
    struct romsim_port port = {.port = 443, .destination_port = 8080};
    struct romsim_layout layout = {.name = name,
                                   .hostname = host,
                                   .devices = devices,
                                   .device_count = 3,
                                   .mounts = mounts,
                                   .mount_count = 2,
                                   .argv = {args, 4},
                                   .env = {env, 2},
                                   .working_dir = directory,
                                   .ports = &port,
                                   .port_count = 1};
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);
    const struct romsim_vm_input none = {.rows = 24, .columns = 80};
    struct manifest manifest;
    const char *problem = NULL;
    char *body;

    ck_assert_int_eq(outline_write(&layout, NULL, 0x0a000102, false, true, &none, &text, NULL), 0);
    ck_assert_int_eq(strncmp(text.data, MANIFEST_GREETING, strlen(MANIFEST_GREETING)), 0);
    body = strchr(text.data, '\n') + 1;
    ck_assert_int_eq(atoi(text.data + strlen(MANIFEST_GREETING)),
                     (int)(text.size - (size_t)(body - text.data)));
    ck_assert_int_eq(
        manifest_parse(body, text.size - (size_t)(body - text.data), &manifest, &problem), 0);
    ck_assert_ptr_nonnull(manifest.trace);
    ck_assert_str_eq(manifest.hostname, "host");
    ck_assert_str_eq(manifest.address, "10.0.1.2/23");
    ck_assert_str_eq(manifest.gateway, "10.0.0.1");
    ck_assert_str_eq(manifest.nameserver, "10.0.0.254");
    ck_assert_str_eq(manifest.working_dir, "/w");
    ck_assert_uint_eq(manifest.devices.count, 3);
    ck_assert_str_eq(manifest.root, "ukp_rom0");
    ck_assert_str_eq(manifest.devices.items[0].name, "ukp_rom0");
    ck_assert_str_eq(manifest.devices.items[0].second_name, "");
    ck_assert_str_eq(manifest.devices.items[1].second_name, "ukp_rom_x");
    ck_assert(!manifest.devices.items[1].writable);
    ck_assert_str_eq(manifest.devices.items[2].name, "ukp_vol0");
    ck_assert_str_eq(manifest.devices.items[2].second_name, "");
    ck_assert(manifest.devices.items[2].writable);
    ck_assert(!manifest.devices.items[1].is_missing);
    ck_assert_uint_eq(manifest.mounts.count, 2);
    ck_assert_str_eq(manifest.mounts.items[1].device, "ukp_vol0");
    ck_assert_str_eq(manifest.mounts.items[1].type, "ext4");
    ck_assert(manifest.mounts.items[1].writable);
    ck_assert_str_eq(manifest.mounts.items[1].path, "/data");
    ck_assert_str_eq(manifest.mounts.items[0].device, "ukp_rom1");
    ck_assert_str_eq(manifest.mounts.items[0].type, "erofs");
    ck_assert(!manifest.mounts.items[0].writable);
    ck_assert_str_eq(manifest.mounts.items[0].path, "/mnt/with space");
    ck_assert_uint_eq(manifest.ports.items[0].number, 8080);
    ck_assert_uint_eq(manifest.argv.count, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(manifest.argv.items[i], args[i]);
    ck_assert_ptr_null(manifest.argv.items[4]);
    /* What the layout has, and no more: it has the defaults, too. */
    ck_assert_uint_eq(manifest.env.count, 2);
    ck_assert_str_eq(manifest.env.items[0], "A=1\n2");
    ck_assert_str_eq(manifest.env.items[1], "PATH=/own");
    ck_assert_ptr_null(manifest.input);
    ck_assert_uint_eq(manifest.terminal.rows, 0);
    manifest_release(&manifest);
}
END_TEST

/* The manifest of an app that has some input and these variables. */
static void outline_with(struct romsim_vm_input input, char **env, size_t count,
                         struct romsim_buffer *text, struct manifest *ret)
{
    static char name[] = "n", arg[] = "sh", *args[] = {arg};
    static const uint8_t content[] = "x";
    CLEANUP_BLOB struct romsim_blob *blob = romsim_blob_from_bytes(content, sizeof(content), NULL);
    struct romsim_device root = {
        .role = ROMSIM_DEVICE_ROOT, .indexed_name = "ukp_rom0", .blob = blob};
    const struct romsim_layout layout = {
        .name = name, .devices = &root, .device_count = 1, .argv = {args, 1}, .env = {env, count}};
    const char *problem = "";
    char *body;

    ck_assert_int_eq(outline_write(&layout, NULL, 0x0a000102, false, false, &input, text, NULL), 0);
    body = strchr(text->data, '\n') + 1;
    ck_assert_msg(manifest_parse(body, text->size - (size_t)(body - text->data), ret, &problem) ==
                      0,
                  "%s", problem);
}

START_TEST(an_app_has_a_terminal_or_an_input_or_both)
{
    static char own_kind[] = "TERM=vt100", *env[] = {own_kind};
    CLEANUP_BUFFER struct romsim_buffer one = ROMSIM_BUFFER_INIT(1 << 20),
                                        two = ROMSIM_BUFFER_INIT(1 << 20);
    struct manifest manifest;

    outline_with((struct romsim_vm_input){.is_open = true, .rows = 1, .columns = 2}, env, 1, &one,
                 &manifest);
    ck_assert_ptr_nonnull(manifest.input);
    ck_assert_uint_eq(manifest.terminal.rows, 0);
    manifest_release(&manifest);
    outline_with((struct romsim_vm_input){.is_terminal = true, .rows = 24, .columns = 80}, env, 1,
                 &two, &manifest);
    ck_assert_ptr_null(manifest.input);
    ck_assert_uint_eq(manifest.terminal.rows, 24);
    ck_assert_uint_eq(manifest.terminal.columns, 80);
    ck_assert_uint_eq(manifest.env.count, 1);
    manifest_release(&manifest);
}
END_TEST

START_TEST(a_terminal_has_a_kind)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(1 << 20);
    struct manifest manifest;

    outline_with(
        (struct romsim_vm_input){.is_open = true, .is_terminal = true, .rows = 9999, .columns = 1},
        NULL, 0, &text, &manifest);
    ck_assert_uint_eq(manifest.env.count, 1);
    ck_assert_str_eq(manifest.env.items[0], "TERM=xterm");
    ck_assert_uint_eq(manifest.terminal.rows, 9999);
    manifest_release(&manifest);
}
END_TEST

START_TEST(a_size_is_two_numbers)
{
    static const char *const wrong[] = {"",        "1",       "1 ",    " 1",   "0 1", "1 0",
                                        "10000 1", "1 10000", "1 2 3", "-1 2", "a b"};
    struct manifest_terminal size = {7, 7};
    char text[32];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "%s", wrong[i]);
        ck_assert_msg(manifest_terminal(text, &size) == -1, "'%s'", wrong[i]);
    }
    ck_assert_uint_eq(size.rows, 7);
    snprintf(text, sizeof(text), "30 100");
    ck_assert_int_eq(manifest_terminal(text, &size), 0);
    ck_assert_uint_eq(size.rows, 30);
    ck_assert_uint_eq(size.columns, 100);
}
END_TEST

static const char *parse_problem(const char *text)
{
    char bytes[256];
    struct manifest manifest;
    const char *problem = NULL;

    snprintf(bytes, sizeof(bytes), "%s", text);
    if (manifest_parse(bytes, strlen(text), &manifest, &problem) == 0)
        manifest_release(&manifest);
    return problem;
}

START_TEST(a_damaged_manifest_is_refused)
{
    static const char good[] = "arg 2\nls\nroot 1\na\ndevice 5\na ro \n";

    ck_assert_ptr_null(parse_problem(good));
    ck_assert_str_eq(parse_problem("device 5\na ro \n"), "no command");
    ck_assert_str_eq(parse_problem("arg 2\nls\n"), "no root device");
    ck_assert_str_eq(parse_problem("arg 2\nls\nroot 1\nb\ndevice 5\na ro \n"), "no root device");
    ck_assert_str_eq(parse_problem("arg 2\nls\nroot 1\na\ndevice 5\na ro \nmount 13\nb "
                                   "erofs ro /x\n"),
                     "a mount without its device");
    ck_assert_str_eq(parse_problem("what 2\nls\n"), "an unknown record");
    ck_assert_str_eq(parse_problem("arg"), "an unknown record");
    ck_assert_str_eq(parse_problem("arg 3\nls\n"), "a record with a wrong length");
    ck_assert_str_eq(parse_problem("arg 1\nls\n"), "a record with a wrong length");
    ck_assert_str_eq(parse_problem("arg -1\nls\n"), "a record with a wrong length");
    ck_assert_str_eq(parse_problem("arg 99999999999999999999\nls\n"),
                     "a record with a wrong length");
    ck_assert_str_eq(parse_problem("port 5\n70000\n"), "a bad value, or too many");
    ck_assert_str_eq(parse_problem("device 1\nx\n"), "a bad value, or too many");
    ck_assert_str_eq(parse_problem("device 4\nx no\n"), "a bad value, or too many");
    ck_assert_str_eq(parse_problem("mount 12\na erofs ro x\n"), "a bad value, or too many");
    ck_assert_str_eq(parse_problem("mount 10\na erofs  /\n"), "a bad value, or too many");
    /* Cut anywhere, it is refused and not read beyond. */
    for (size_t size = 0; size < sizeof(good) - 1; size++) {
        char *piece = malloc(size ? size : 1);
        struct manifest manifest;
        const char *problem = NULL;

        memcpy(piece, good, size);
        ck_assert_int_eq(manifest_parse(piece, size, &manifest, &problem), -1);
        free(piece);
    }
}
END_TEST

/* ---- the tail ----------------------------------------------------------------------------- */

START_TEST(the_tail_keeps_the_last_lines_and_quotes_them)
{
    struct tail tail = {0};
    CLEANUP_BUFFER struct romsim_buffer out = ROMSIM_BUFFER_INIT(4096);

    tail_add(&tail, "first\r\n\n\033[31mred\n", strlen("first\r\n\n\033[31mred\n"));
    tail_add(&tail, "last", 4);
    tail_print(&tail, 2, &out);
    ck_assert_str_eq(out.data, "\n  | \\x1b[31mred\n  | last");
    romsim_buffer_reset(&out);
    tail_print(&tail, 10, &out);
    ck_assert_str_eq(out.data, "\n  | first\n  | \\x1b[31mred\n  | last");
}
END_TEST

START_TEST(the_tail_forgets_what_is_long_past)
{
    static char many[3 * TAIL_BYTES];
    struct tail tail = {0};
    char line[64];

    memset(many, 'x', sizeof(many));
    tail_add(&tail, "early", 5);
    tail_add(&tail, many, TAIL_BYTES - 1);
    ck_assert(!tail_contains(&tail, "early"));
    ck_assert(tail_contains(&tail, "yx"));
    tail_add(&tail, many, sizeof(many));
    tail_add(&tail, "Kernel panic", 12);
    ck_assert(tail_contains(&tail, "Kernel panic"));
    tail_add(&tail, " - why\r\nmore", 12);
    ck_assert(tail_find(&tail, "Kernel panic", line, sizeof(line)));
    ck_assert_str_eq(line, "Kernel panic - why");
    ck_assert(!tail_find(&tail, "early", line, sizeof(line)));
    ck_assert_uint_eq(tail.size, TAIL_BYTES);
}
END_TEST

UNIT_MAIN("vm_command", a_debugger_is_let_in_where_it_is_wanted, emulation_takes_the_hpet,
          an_arm64_has_the_same_devices_on_another_machine,
          the_kernel_is_quiet_unless_its_log_is_wanted, kvm_takes_the_hosts_timer,
          what_reaches_a_recorded_vm_goes_through_the_log, what_the_guest_sends_passes_the_gate,
          a_vm_has_nothing_that_was_not_asked_for,
          drives_are_read_only_and_their_names_are_not_parsed,
          a_drive_that_may_be_written_gives_back_what_is_discarded,
          many_drives_share_slots_and_too_many_are_refused, a_layout_arrives_in_the_guest_as_it_is,
          an_app_has_a_terminal_or_an_input_or_both, a_terminal_has_a_kind, a_size_is_two_numbers,
          an_input_is_one_port_more, the_kernel_is_told_how_fast_an_emulated_counter_counts,
          a_damaged_manifest_is_refused, the_tail_keeps_the_last_lines_and_quotes_them,
          the_tail_forgets_what_is_long_past)
