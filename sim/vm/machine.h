/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.h: one running VM: its drives, QEMU and the lines to it. */
#ifndef ROMSIM_VM_MACHINE_H
#define ROMSIM_VM_MACHINE_H

#include "door.h"
#include "drives.h"
#include "forward.h"
#include "gate.h"
#include "process.h"
#include "qmp.h"
#include "ticks.h"

#include <romsim/layout.h>
#include <romsim/seam.h>
#include <romsim/state.h>
#include <romsim/vm.h>

/* What was decided before the instances were started, the same for all of them but the
 * kernel and the ports. */
struct vm_plan {
    struct romsim_processor processor;
    const char *kernel, *initrd;
    bool no_fuse, allow_host, isolated, kernel_log;
    struct romsim_seam_options seam;
    unsigned boot_timeout_s;
    struct romsim_vm_input input;
    struct romsim_vm_gdb gdb;
    const struct romsim_vm_saving *saving; /* NULL: no template is made of it */
    const struct romsim_vm_record *record; /* or NULL */
    const int *memory; /* a file for the guest's memory, so that what is suspended needs no copy of
                          it; NULL: none.  A clone's is its template's */
    const int *shell;  /* QEMU's end of the line to a shell; NULL: none */
    struct forward *forwards; /* one for each port of the layout */
    const struct door *door;  /* NULL: QEMU serves the ports; who calls from the private network
                                 while it starts waits for run_let_in() */
};

/* That of the input is the last one: there is none if the app has none. */
enum machine_line { LINE_CONSOLE, LINE_CONTROL, LINE_LOG, LINE_QMP, LINE_INPUT, LINES };

struct machine {
    const struct romsim_layout *layout;
    const struct volumes *volumes; /* borrowed, too */
    bool is_recorded;              /* QEMU has a log to end */
    int saved; /* the state that it goes on from, if it is no template's: a file; borrowed; or -1 */
    int incoming; /* the descriptor by which QEMU has inherited that, or the template's; or -1 */
    struct romsim_state *state; /* borrowed: records what must not outlive its owner */
    struct drives drives;
    struct process qemu;
    struct ticks ticks; /* when all began */
    uint32_t address;   /* its private one */
    struct gate *gate;  /* NULL with allow_host and isolated */
    int lines[LINES];   /* our ends; -1 when closed */
    struct qmp qmp;
};

/* A machine with nothing open yet: machine_stop() may be called at any time after. */
void machine_init(struct machine *machine, const struct romsim_layout *layout,
                  const struct volumes *volumes, struct romsim_state *state, int saved);

/* Opens the drives.  If FUSE was to be used and cannot be, *ret_note
 * (malloc'ed) says why, and the drives are the built files. */
int machine_prepare(struct machine *machine, const struct vm_plan *plan, char **ret_note,
                    struct romsim_error *err);

/* Starts QEMU. */
int machine_launch(struct machine *machine, const struct vm_plan *plan, struct romsim_error *err);

/* Does it go on from a state that was saved? */
bool machine_is_resumed(const struct machine *machine);

/* Both talk with QEMU; by another thread than the others, if need be, which then leave the
 * protocol's line alone.  When the first returns 0, QEMU runs; after the second the ports are
 * bound, for which the guest of one that is resumed does not wait. */
int machine_converse(struct machine *machine, const struct vm_plan *plan, int timeout_ms,
                     struct romsim_error *err);
int machine_open_ports(struct machine *machine, const struct vm_plan *plan,
                       struct romsim_error *err);

/* Stops the VM and saves it, with its memory or all of it but that; whether that went well or not,
 * it stands still until machine_go_on().  As machine_converse(). */
int machine_save(struct machine *machine, int state, bool memory, struct romsim_error *err);
int machine_go_on(struct machine *machine, struct romsim_error *err);

/* How many instructions of the guest a recorded VM has behind it.  As machine_converse(). */
int machine_count_instructions(struct machine *machine, uint64_t *ret, struct romsim_error *err);

/* Is the guest's memory in a file that it writes to? */
bool machine_is_shared(const struct machine *machine, const struct vm_plan *plan);

/* Why that failed, in QEMU's own words where it had some. */
void machine_explain(struct machine *machine, const struct romsim_error *why,
                     struct romsim_error *err);

/* Ends QEMU and unmounts.  What QEMU wrote before its end can still be read from
 * the lines, which machine_close() closes. */
void machine_stop(struct machine *machine);
void machine_close(struct machine *machine);

#endif
