/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c: one running VM: its drives, QEMU and the lines to it. */
#include "machine.h"

#include "address.h"
#include "tail.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
#include <romsim/descriptors.h>
#include <romsim/text.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
                  const struct volumes *volumes, struct romsim_state *state, int saved)
{
    *machine = (struct machine){.layout = layout,
                                .volumes = volumes,
                                .state = state,
                                .saved = saved,
                                .incoming = -1,
                                .qemu = PROCESS_NONE,
                                .ticks = ticks_now(),
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
                                           &plan->seam, &machine->drives, &why) == 0)
        return 0;
    if (!plan->no_fuse && (is_shortage(why.errnum) || !romsim_seam_options_are_none(&plan->seam))) {
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
static int open_lines(struct machine *machine, bool has_input, int theirs[LINES],
                      struct romsim_error *err)
{
    for (int i = 0; i < (has_input ? LINES : LINE_INPUT); i++) {
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

/* ---- drives ------------------------------------------------------------------------------
 *
 * A clone has the drives of the VM that was saved in the same places: the root, the ROMs that it
 * had of its own (of which files may still be open); and behind them its own, which are new to the
 * guest and found by it when it looks at its bus once more.
 */

static const char *const saved_names[ROMSIM_TEMPLATE_DRIVES_MAX] = {
    "saved0",  "saved1",  "saved2",  "saved3",  "saved4",  "saved5",  "saved6",  "saved7",
    "saved8",  "saved9",  "saved10", "saved11", "saved12", "saved13", "saved14", "saved15",
    "saved16", "saved17", "saved18", "saved19", "saved20", "saved21", "saved22", "saved23",
    "saved24", "saved25", "saved26", "saved27", "saved28", "saved29", "saved30", "saved31"};

/* All drives in QEMU's order, to be freed; their files belong to others. */
static struct qemu_drive *collect_drives(const struct machine *machine, size_t *ret_count,
                                         struct romsim_error *err)
{
    const struct drives *own = &machine->drives;
    const struct romsim_template *template = machine->layout->template;
    size_t most = own->count + ROMSIM_TEMPLATE_DRIVES_MAX + 1, most_drives = 0, count = 0;
    struct qemu_drive *drives = calloc(most, sizeof(*drives));
    CLEANUP_FREE struct romsim_layout_drive *order = calloc(most, sizeof(*order));

    if (!drives || !order) {
        free(drives);
        romsim_error_nomem(err);
        return NULL;
    }
    if (own->count > 0) {
        drives[count++] = own->items[0];
        most_drives = 1 + romsim_layout_drives(machine->layout, order);
    }
    for (size_t i = 1; i < most_drives; i++) {
        const struct romsim_layout_drive *drive = &order[i - 1];
        const struct qemu_drive *device = drive->is_device ? &own->items[drive->place] : NULL;
        uint64_t offset;

        if (device && (device->filename || device->fd >= 0)) /* else it is missing */
            drives[count++] = *device;
        else if (!device)
            drives[count++] =
                (struct qemu_drive){.name = saved_names[drive->place],
                                    .fd = romsim_blob_fd(template->drives[drive->place], &offset)};
    }
    *ret_count = count;
    return drives;
}

bool machine_is_resumed(const struct machine *machine)
{
    return machine->layout->template || machine->saved >= 0;
}

bool machine_is_shared(const struct machine *machine, const struct vm_plan *plan)
{
    return !machine->layout->template && (plan->saving || plan->memory);
}

/* That file, or the one that it begins with; or -1. */
static int memory_file(const struct machine *machine, const struct vm_plan *plan)
{
    if (machine->layout->template)
        return machine->layout->template->memory;
    return plan->saving ? plan->saving->memory : plan->memory ? *plan->memory : -1;
}

/* The file with the state to go on from, with a position of our own: replicas share the
 * descriptor. */
static int open_incoming(const struct machine *machine, struct romsim_error *err)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/self/fd/%d",
             machine->saved >= 0 ? machine->saved : machine->layout->template->state);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? romsim_error_system(err, errno, "cannot open the saved state") : fd;
}

/* In a recorded one it counts instructions, a billion a second. */
static uint64_t counter_khz(const struct machine *machine, const struct vm_plan *plan)
{
    enum { RECORDED_KHZ = 1000000 };

    if (plan->record)
        return RECORDED_KHZ;
    return plan->processor.accel == ROMSIM_ACCEL_TCG && !machine_is_resumed(machine)
               ? ticks_khz(&machine->ticks)
               : 0;
}

static int start_qemu(struct machine *machine, const struct vm_plan *plan,
                      const struct ends *theirs, struct romsim_error *err)
{
    int memory = memory_file(machine, plan);
    size_t drive_count = 0;
    CLEANUP_FREE struct qemu_drive *drives = collect_drives(machine, &drive_count, err);
    const struct drives all = {.items = drives, .count = drive_count};
    const struct qemu_config config = {
        .arch = romsim_arch(),
        .accel = plan->processor.accel,
        .cpu = plan->processor.model,
        .name = machine->layout->name,
        .firmware = find_firmware(),
        .kernel = plan->kernel,
        .initrd = plan->initrd,
        .kernel_log = plan->kernel_log,
        .tsc_khz = counter_khz(machine, plan),
        .memory_mb = machine->layout->guest_memory_mb,
        .vcpus = machine->layout->vcpus ? machine->layout->vcpus : 1,
        .memory_fd = memory,
        .is_shared = machine_is_shared(machine, plan),
        .is_incoming = machine_is_resumed(machine),
        .drives = drives,
        .drive_count = drive_count,
        .console_fd = theirs->lines[LINE_CONSOLE],
        .control_fd = theirs->lines[LINE_CONTROL],
        .log_fd = theirs->lines[LINE_LOG],
        .qmp_fd = theirs->lines[LINE_QMP],
        .input_fd = theirs->lines[LINE_INPUT],
        .shell_fd = plan->shell ? *plan->shell : -1,
        .address = plan->record ? address_of(1) : machine->address,
        .record = plan->record,
        .gdb = plan->gdb,
        .gate_fds = machine->gate ? theirs->gate : NULL,
    };
    struct qemu_argv argv = {0};
    CLEANUP_FREE int *inherited = calloc(LINES + GATE_ENDS + drive_count + 5, sizeof(int));
    size_t count = theirs->lines[LINE_INPUT] < 0 ? LINE_INPUT : LINES;
    int status;

    if (!drives)
        return -1;
    if (!inherited)
        return romsim_error_nomem(err);
    memcpy(inherited, theirs->lines, sizeof(theirs->lines));
    for (size_t i = 0; machine->gate && i < GATE_ENDS; i++)
        inherited[count++] = theirs->gate[i];
    if (memory >= 0)
        inherited[count++] = memory;
    if (machine->incoming >= 0)
        inherited[count++] = machine->incoming;
    if (plan->record)
        inherited[count++] = plan->record->fd;
    if (plan->shell)
        inherited[count++] = *plan->shell;
    inherited[count] = -1;
    drives_inherit(&all, inherited);
    if (qemu_command(&config, &argv, err) < 0)
        return -1;
    status = process_start((const char *const *)argv.items, inherited, &machine->qemu, err);
    qemu_argv_free(&argv);
    if (status < 0 && err && err->errnum == ENOENT)
        romsim_error_hint(err, "install QEMU (Debian: %s)", romsim_arch_facts()->qemu_package);
    if (status < 0)
        return -1;
    return romsim_state_add_process(machine->state, machine->qemu.pid, err);
}

int machine_open_ports(struct machine *machine, const struct vm_plan *plan,
                       struct romsim_error *err)
{
    const struct romsim_layout *layout = machine->layout;

    for (size_t i = 0; i < layout->port_count; i++)
        if (plan->forwards[i].host_port &&
            forward_open(&machine->qmp, &layout->ports[i], &plan->forwards[i], err) < 0)
            return -1;
    return 0;
}

/* Without both there is nothing for a gate to do. */
/* Are there ports of the guest at other addresses of this machine than 127.0.0.1? */
static bool has_other_ports(const struct machine *machine, const struct vm_plan *plan)
{
    return machine->layout->port_count > 0 && plan->forwards &&
           plan->forwards[0].address != INADDR_LOOPBACK;
}

static int open_gate(struct machine *machine, const struct vm_plan *plan, int ends[GATE_ENDS],
                     struct romsim_error *err)
{
    const struct gate_config config = {
        .name = machine->layout->name,
        .address = machine->address,
        .directory = plan->isolated ? NULL : romsim_state_directory(machine->state),
        .listener = plan->door ? door_lan(plan->door) : -1,
        .ports = machine->layout->ports,
        .port_count = plan->door ? machine->layout->port_count : 0,
        .allow_host = plan->allow_host,
        .answers_host = has_other_ports(machine, plan)};

    if (plan->record || (plan->allow_host && plan->isolated))
        return 0;
    machine->gate = gate_open(&config, ends, err);
    return machine->gate ? 0 : -1;
}

int machine_launch(struct machine *machine, const struct vm_plan *plan, struct romsim_error *err)
{
    struct ends theirs = {{-1, -1, -1, -1, -1}, {-1, -1, -1}};
    CLEANUP_FD int incoming = -1;
    int status = open_lines(machine, plan->input.is_open, theirs.lines, err);

    machine->is_recorded = plan->record && !plan->record->replays;

    if (status == 0)
        status = open_gate(machine, plan, theirs.gate, err);
    if (status == 0 && machine_is_resumed(machine)) {
        machine->incoming = incoming = open_incoming(machine, err);
        status = incoming < 0 ? -1 : 0;
    }
    if (status == 0)
        status = start_qemu(machine, plan, &theirs, err);
    close_all(theirs.lines, LINES);
    close_all(theirs.gate, GATE_ENDS);
    return status;
}

/* ---- saving and going on ------------------------------------------------------------------
 *
 * Where the guest's memory is a file that it has been in all the time, what is saved is the state
 * of the devices, half a megabyte ("x-ignore-shared": memory that is shared with a file is not a
 * part of the stream).  What goes on from it maps the file, a clone privately, and loads the state.
 *
 * QEMU reads what it is told byte by byte, each by a turn of its loop, so few words are a good
 * start.
 */

enum { STATUS_LOOK_MS = 2 };

#define BANDWIDTH ((json_int_t)1 << 40)

static int set_ignored(struct machine *machine, bool is_ignored, struct romsim_error *err)
{
    return qmp_execute(&machine->qmp, "migrate-set-capabilities",
                       json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability",
                                 "x-ignore-shared", "state", (int)is_ignored),
                       NULL, err);
}

/* The word of QEMU's answer to a question for its status, "completed" or "paused"; and back to it
 * as long as it is `busy`. */
static int await_status(struct machine *machine, const char *question, const char *const *busy,
                        char ret[32], struct romsim_error *err)
{
    uint64_t end = romsim_clock_us() + (uint64_t)machine->qmp.timeout_ms * 1000;

    for (;;) {
        json_t *answer = NULL;
        const char *status, *reason;
        bool is_busy = false;

        if (qmp_execute(&machine->qmp, question, NULL, &answer, err) < 0)
            return -1;
        status = json_string_value(json_object_get(answer, "status"));
        reason = json_string_value(json_object_get(answer, "error-desc"));
        snprintf(ret, 32, "%s", status ? status : "");
        if (reason)
            romsim_error_set(err, EIO, "QEMU: %s", QUOTE(reason));
        json_decref(answer);
        if (reason)
            return -1;
        for (size_t i = 0; busy[i]; i++)
            is_busy |= strcmp(busy[i], ret) == 0;
        if (!is_busy)
            return 0;
        if (romsim_clock_us() >= end)
            return romsim_error_set(err, ETIMEDOUT, "QEMU does not come to an end with it");
        qmp_pause(&machine->qmp, STATUS_LOOK_MS);
    }
}

int machine_go_on(struct machine *machine, struct romsim_error *err)
{
    return qmp_execute(&machine->qmp, "cont", NULL, NULL, err);
}

int machine_count_instructions(struct machine *machine, uint64_t *ret, struct romsim_error *err)
{
    json_t *answer = NULL;
    json_t *count;
    int status = qmp_execute(&machine->qmp, "query-replay", NULL, &answer, err);

    if (status < 0)
        return -1;
    count = json_object_get(answer, "icount");
    *ret = (uint64_t)json_integer_value(count);
    if (!json_is_integer(count))
        status = romsim_error_set(err, EPROTO, "QEMU does not say how far its replay is");
    json_decref(answer);
    return status;
}

/* What is saved goes to a file, and not over a network. */
int machine_save(struct machine *machine, int state, bool memory, struct romsim_error *err)
{
    static const char *const busy[] = {"", "none", "setup", "active", "device", NULL};
    char status[32];

    if (qmp_execute(&machine->qmp, "stop", NULL, NULL, err) < 0 ||
        qmp_execute(&machine->qmp, "migrate-set-parameters",
                    json_pack("{s:I}", "max-bandwidth", BANDWIDTH), NULL, err) < 0 ||
        /* A clone's QEMU has it set from its own start. */
        set_ignored(machine, !memory, err) < 0 ||
        qmp_pass_fd(&machine->qmp, state, "state", err) < 0 ||
        qmp_execute(&machine->qmp, "migrate", json_pack("{s:s}", "uri", "fd:state"), NULL, err) <
            0 ||
        await_status(machine, "query-migrate", busy, status, err) < 0)
        return romsim_error_context(err, "the VM cannot be saved");
    if (strcmp(status, "completed") == 0)
        return 0;
    return romsim_error_set(err, EIO, "the VM cannot be saved: QEMU says '%s'", QUOTE(status));
}

/* Another version may read the state in another way. */
static int check_version(const struct machine *machine, const struct romsim_template *template,
                         struct romsim_error *err)
{
    const char *saved = json_string_value(json_object_get(template->record, "qemu"));

    if (saved && strcmp(saved, machine->qmp.version) == 0)
        return 0;
    romsim_error_set(err, EINVAL, "the %s '%s' was saved by QEMU %s, and this is %s",
                     romsim_saved_name(template->kind), template->name,
                     saved ? QUOTE(saved) : "of another version", machine->qmp.version);
    return romsim_error_hint(err, "make it anew: 'romsim %s rm %s', and create it",
                             romsim_saved_name(template->kind), template->name);
}

static int go_on(struct machine *machine, const struct vm_plan *plan, struct romsim_error *err)
{
    static const char *const busy[] = {"inmigrate", "", NULL};
    bool is_own = machine->saved >= 0;
    bool is_ignored =
        is_own ? machine_is_shared(machine, plan) : machine->layout->template->memory >= 0;
    char status[32], from[32];

    snprintf(from, sizeof(from), "fd:%d", machine->incoming);
    if ((!is_own && check_version(machine, machine->layout->template, err) < 0) ||
        (is_ignored && set_ignored(machine, true, err) < 0) ||
        qmp_execute(&machine->qmp, "migrate-incoming", json_pack("{s:s}", "uri", from), NULL, err) <
            0 ||
        await_status(machine, "query-status", busy, status, err) < 0)
        return -1;
    return machine_go_on(machine, err);
}

int machine_converse(struct machine *machine, const struct vm_plan *plan, int timeout_ms,
                     struct romsim_error *err)
{
    if (qmp_open(&machine->qmp, machine->lines[LINE_QMP], timeout_ms, err) < 0)
        return -1;
    return machine_is_resumed(machine) ? go_on(machine, plan, err) : 0;
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

/* A log that is not ended is of no use: QEMU writes its head at last. */
static void end_record(struct machine *machine)
{
    enum { RECORD_END_MS = 5000 };
    int status;

    if (qmp_execute(&machine->qmp, "quit", NULL, NULL, NULL) == 0)
        process_wait(&machine->qemu, RECORD_END_MS, &status);
}

void machine_stop(struct machine *machine)
{
    pid_t pid = machine->qemu.pid;

    drives_let_go(&machine->drives);
    if (machine->is_recorded)
        end_record(machine);
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
