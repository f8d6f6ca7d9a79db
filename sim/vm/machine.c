/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c: one running VM: its drives, QEMU and the four lines to it. */
#include "machine.h"

#include "address.h"
#include "tail.h"

#include <romsim/cleanup.h>
#include <romsim/descriptors.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A small firmware that comes with QEMU, quicker than its SeaBIOS where the kernel is started
 * directly. */
static const char *const firmwares[] = {
    "/usr/share/qemu/qboot.rom",
    "/usr/share/qboot/bios.bin",
    "/usr/local/share/qemu/qboot.rom",
};

/* Files that an instance opens until QEMU runs: with fewer it would stop half-way. */
enum { DESCRIPTORS = 60 };

void machine_init(struct machine *machine, const struct romsim_layout *layout,
                  const struct volumes *volumes, struct romsim_state *state)
{
    *machine = (struct machine){.layout = layout,
                                .volumes = volumes,
                                .state = state,
                                .qemu = PROCESS_NONE,
                                .address = address_of(romsim_state_number(state))};
    for (int i = 0; i < LINES; i++)
        machine->lines[i] = -1;
}

/* Is it this process that has not enough of something?  Then it is no matter of FUSE. */
static bool is_shortage(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EAGAIN;
}

int machine_prepare(struct machine *machine, const struct vm_plan *plan, char **ret_note,
                    struct romsim_error *err)
{
    struct romsim_error why = {0};

    if (!machine->address)
        return romsim_error_set(err, EADDRNOTAVAIL,
                                "other instances have all private addresses that there are");
    if (romsim_descriptors_check(DESCRIPTORS, "an instance", err) < 0)
        return -1;
    if (!plan->no_fuse && drives_open_view(machine->layout, machine->volumes, machine->state,
                                           &machine->drives, &why) == 0)
        return 0;
    if (!plan->no_fuse && is_shortage(why.errnum)) {
        if (err)
            *err = why;
        return -1;
    }
    if (!plan->no_fuse &&
        asprintf(ret_note, "no FUSE here (%s): the VM reads the built ROM files directly",
                 why.message) < 0)
        *ret_note = NULL;
    return drives_open_files(machine->layout, machine->volumes, &machine->drives, err);
}

static const char *find_firmware(void)
{
    for (size_t i = 0; i < sizeof(firmwares) / sizeof(firmwares[0]); i++)
        if (access(firmwares[i], R_OK) == 0)
            return firmwares[i];
    return NULL;
}

/* Socket pairs, nothing in the file system: ours in machine->lines, QEMU's in `theirs`. */
static int open_lines(struct machine *machine, int theirs[LINES], struct romsim_error *err)
{
    for (int i = 0; i < LINES; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            return romsim_error_system(err, errno, "cannot make a socket");
        machine->lines[i] = pair[0];
        theirs[i] = pair[1];
    }
    return 0;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_close_fd(&fds[i]);
        fds[i] = -1;
    }
}

/* What QEMU inherits beside the drives: its ends of the lines and of the gate. */
struct ends {
    int lines[LINES];
    int gate[GATE_ENDS];
};

static int start_qemu(struct machine *machine, const struct vm_plan *plan,
                      const struct ends *theirs, struct romsim_error *err)
{
    const struct qemu_config config = {
        .accel = plan->processor.accel,
        .cpu = plan->processor.model,
        .name = machine->layout->name,
        .firmware = find_firmware(),
        .kernel = plan->kernel,
        .initrd = plan->initrd,
        .kernel_log = plan->kernel_log,
        .memory_mb = machine->layout->guest_memory_mb,
        .vcpus = machine->layout->vcpus ? machine->layout->vcpus : 1,
        .drives = machine->drives.items,
        .drive_count = machine->drives.count,
        .console_fd = theirs->lines[LINE_CONSOLE],
        .control_fd = theirs->lines[LINE_CONTROL],
        .log_fd = theirs->lines[LINE_LOG],
        .qmp_fd = theirs->lines[LINE_QMP],
        .address = machine->address,
        .gate_fds = machine->gate ? theirs->gate : NULL,
    };
    struct qemu_argv argv = {0};
    CLEANUP_FREE int *inherited =
        calloc(LINES + GATE_ENDS + machine->drives.count + 1, sizeof(int));
    size_t count = LINES;
    int status;

    if (!inherited)
        return romsim_error_nomem(err);
    memcpy(inherited, theirs->lines, sizeof(theirs->lines));
    for (size_t i = 0; machine->gate && i < GATE_ENDS; i++)
        inherited[count++] = theirs->gate[i];
    inherited[count] = -1;
    drives_inherit(&machine->drives, inherited);
    if (qemu_command(&config, &argv, err) < 0)
        return -1;
    status = process_start((const char *const *)argv.items, inherited, &machine->qemu, err);
    qemu_argv_free(&argv);
    if (status < 0 && err && err->errnum == ENOENT)
        romsim_error_hint(err, "install QEMU (Debian: qemu-system-x86)");
    if (status < 0)
        return -1;
    return romsim_state_add_process(machine->state, machine->qemu.pid, err);
}

static int open_ports(struct machine *machine, const struct vm_plan *plan, struct romsim_error *err)
{
    const struct romsim_layout *layout = machine->layout;

    for (size_t i = 0; i < layout->port_count; i++)
        if (plan->forwards[i].host_port &&
            forward_open(&machine->qmp, &layout->ports[i], &plan->forwards[i], err) < 0)
            return -1;
    return 0;
}

/* Without both there is nothing for a gate to do. */
static int open_gate(struct machine *machine, const struct vm_plan *plan, int ends[GATE_ENDS],
                     struct romsim_error *err)
{
    const struct gate_config config = {
        .name = machine->layout->name,
        .address = machine->address,
        .directory = plan->isolated ? NULL : romsim_state_directory(machine->state),
        .allow_host = plan->allow_host};

    if (plan->allow_host && plan->isolated)
        return 0;
    machine->gate = gate_open(&config, ends, err);
    return machine->gate ? 0 : -1;
}

int machine_launch(struct machine *machine, const struct vm_plan *plan, struct romsim_error *err)
{
    struct ends theirs = {{-1, -1, -1, -1}, {-1, -1, -1}};
    int status = open_lines(machine, theirs.lines, err);

    if (status == 0)
        status = open_gate(machine, plan, theirs.gate, err);
    if (status == 0)
        status = start_qemu(machine, plan, &theirs, err);
    close_all(theirs.lines, LINES);
    close_all(theirs.gate, GATE_ENDS);
    return status;
}

int machine_converse(struct machine *machine, const struct vm_plan *plan, int timeout_ms,
                     struct romsim_error *err)
{
    if (qmp_open(&machine->qmp, machine->lines[LINE_QMP], timeout_ms, err) < 0)
        return -1;
    return open_ports(machine, plan, err);
}

/* QEMU's words, on its standard error, say more than the closed line. */
void machine_explain(struct machine *machine, const struct romsim_error *why,
                     struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(64 << 10);
    const struct romsim_error *reason;
    struct tail tail = {0};

    *err = *why;
    if (why->errnum != EPIPE)
        return;
    process_last_words(&machine->qemu, &tail);
    if ((reason = drives_failure(&machine->drives))) {
        *err = *reason;
        romsim_error_context(err, "the ROMs' server ended");
        return;
    }
    tail_print(&tail, 5, &text);
    romsim_error_set(err, EPIPE, "QEMU ended before the guest began%s%s",
                     text.size ? "; its last words:" : "", text.size ? text.data : "");
    if (tail_contains(&tail, "filter-redirector"))
        romsim_error_hint(err, "with --allow-host --isolated it starts, and the guest reaches this "
                               "machine and no other instance");
}

void machine_stop(struct machine *machine)
{
    pid_t pid = machine->qemu.pid;

    process_end(&machine->qemu);
    gate_close(machine->gate);
    machine->gate = NULL;
    drives_close(&machine->drives);
    if (pid > 0)
        romsim_state_drop_process(machine->state, pid, NULL);
    romsim_state_set_mount(machine->state, NULL, NULL);
}

void machine_close(struct machine *machine)
{
    close_all(machine->lines, LINES);
    qmp_close(&machine->qmp);
}
