/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.h: a layout as a virtual machine: the guest bundle, and the making of instances.
 *
 * An instance has a keeper, a process that owns all that it has on this machine from its creation
 * to its deletion: its folder, its blobs and ports, the log of its console, and, while it runs,
 * QEMU and the FUSE mount of its drives.  Who makes instances follows them here: the console, the
 * phases, the exit status; anybody can ask for them by name (link.h).  If a keeper dies, QEMU dies
 * with it (PR_SET_PDEATHSIG) and the next romsim command removes what is left
 * (romsim_state_sweep()).
 *
 * Nothing here waits: the client polls romsim_vm_fd() beside whatever else it has, and dispatches.
 */
#ifndef ROMSIM_VM_H
#define ROMSIM_VM_H

#include <romsim/arch.h>
#include <romsim/error.h>
#include <romsim/instance.h>
#include <romsim/layout.h>
#include <romsim/seam.h>
#include <romsim/template.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum romsim_accel { ROMSIM_ACCEL_AUTO, ROMSIM_ACCEL_KVM, ROMSIM_ACCEL_TCG };

/* What becomes of instances without the client that made them. */
enum romsim_vm_fate {
    ROMSIM_VM_BOUND,  /* they end with it, and are deleted when their app has ended */
    ROMSIM_VM_DETACH, /* they are started, and go on */
    ROMSIM_VM_CREATE  /* they are there, and started only if they say "autostart" */
};

/* What runs the instances' programs. */
struct romsim_processor {
    enum romsim_arch arch;   /* the process's (romsim/arch.h) */
    enum romsim_accel accel; /* not AUTO */
    char model[256];         /* QEMU's -cpu */
    int level;               /* of x86-64 that images are chosen for (romsim/cpu.h) */
    bool is_hosts;           /* all that this machine's has, which may be more than the level */
    char note[256];          /* a sentence for the user: why it is emulated; or "" */
};

/*
 * Chooses it for an accelerator and a --cpu: NULL, "v1" to "v4", or a model of QEMU's with what it
 * calls features ("Haswell,-avx2"), which is asked of QEMU itself and may take a second.  Without a
 * --cpu images are chosen for the same level with each accelerator (ROMSIM_CPU_LEVEL_DEFAULT), so
 * that they do not depend on the machine, unless it has less.
 *
 * EINVAL for what can be no model; ENOTSUP for a level that the accelerator does not have.
 */
int romsim_processor_choose(enum romsim_accel wanted, const char *cpu, struct romsim_processor *ret,
                            struct romsim_error *err);

/* The template that is to be made of an instance: when it is where one can be, it is saved and
 * ends, with a PHASE "saved" and status 0. */
struct romsim_vm_saving {
    int memory, state; /* files, open for reading and writing, empty */
    bool at_init;      /* before the app starts; else when the app says so, or a second after its
                          first port accepts connections */
};

/* Could a template of that name be made of an instance?  0, or -1 and why not, as
 * romsim_vm_template_begin(). */
int romsim_vm_template_check(const char *name, const struct romsim_layout *layout,
                             struct romsim_error *err);

/*
 * Prepares the making of a template: a draft of that name, with the images of the layout's drives,
 * and in *ret its files for romsim_vm_options.saving.  EINVAL for what no template can have:
 * volumes, more than one instance's memory, a template of its own; EEXIST.  It gets this UUID, or
 * with NULL one of its own.  NULL on failure; the files are to be closed by
 * romsim_vm_template_end().
 */
struct romsim_template_draft *romsim_vm_template_begin(const char *name, const char *uuid,
                                                       const struct romsim_layout *layout,
                                                       struct romsim_vm_saving *ret,
                                                       struct romsim_error *err);

/* Ends it, and frees the draft: with `is_saved` the template is there afterwards, with what of the
 * instance is the template's own business: `tags`, `delete_lock`, `autokill`, `annotations`.
 * Returns 0 or -1. */
int romsim_vm_template_end(struct romsim_template_draft *draft, struct romsim_vm_saving *saving,
                           const struct romsim_layout *layout,
                           const struct romsim_instance *instance,
                           const struct romsim_processor *processor, bool is_saved,
                           struct romsim_error *err);

/* What an app reads, and where. */
struct romsim_vm_input {
    bool is_open;           /* --stdin: it is what clients send (else it is empty) */
    bool is_terminal;       /* --tty: it is typed on a terminal, on which the app also writes, */
    unsigned rows, columns; /* of this size at first */
};

/* A debugger's way in: QEMU's gdb stub, on 127.0.0.1. */
struct romsim_vm_gdb {
    uint16_t port; /* 0: none */
    bool waits;    /* the guest stands still until the debugger lets it go */
};

/*
 * QEMU's record and replay, of one instance that is emulated: when anything reaches the VM from
 * without (bytes, packets, ends of reads, the clock) is counted in instructions and written down,
 * and comes again after as many.  It needs a processor of its own clock, so only one; the guest has
 * a network in which nobody is, and no ports.
 */
struct romsim_vm_record {
    int fd;       /* the log: an empty file, or what a run has written */
    bool replays; /* what is in it happens again */
};

struct romsim_vm_options {
    enum romsim_vm_fate fate;
    const struct romsim_vm_record *record; /* or NULL */
    struct romsim_limits limits;           /* for edits */
    bool stays; /* instances that are bound are not deleted when their app has ended by itself: it
                   may be started again by romsim_vm_restart() */
    struct romsim_processor processor;
    const char *kernel;    /* --kernel FILE: bzImage or ELF; NULL: the bundle's */
    bool use_image_kernel; /* --image-kernel */
    bool allow_host;       /* --allow-host: the guest reaches this machine, too */
    const char *ports_at;  /* --ports-at: the IPv4 address of this machine that has the ports of
                              services; NULL: 127.0.0.1 */
    bool isolated;         /* --isolated: other instances neither reach it nor are reached */
    bool no_fuse;          /* drives straight from the built files */
    struct romsim_seam_options seam; /* what stands in the way of its ROMs: then not without FUSE */
    bool kernel_log;                 /* all that the guest's kernel says, as KERNEL_LOG events */
    const struct romsim_vm_saving *saving; /* of one bound instance; or NULL */
    bool becomes_template;   /* each instance is to become a template, and is gone if it does not */
    unsigned boot_timeout_s; /* for the guest to report its app's start; 0: the default (60) */
    struct romsim_vm_input input;
    struct romsim_vm_gdb gdb; /* of one instance */
    bool has_shell; /* of one instance: a root shell beside the app, see romsim_vm_shell_fd() */
    const json_t *source; /* what instances are made from, for who asks their keepers; or NULL */
};

/*
 * Makes the template that an instance wants to be a clone of, if it says what of (`create_args`)
 * and the template is not there: an instance of that name is started with `options`, from `origin`,
 * and waited for until it is saved.  0 if the template is there, or the instance does not say;
 * ETIMEDOUT after its `prepare_timeout_s`, when it goes on.  Returns 0 or -1.
 */
int romsim_vm_template_prepare(const struct romsim_instance *instance, enum romsim_origin origin,
                               bool allow_local, const struct romsim_vm_options *options,
                               struct romsim_error *err);

/*
 * Has the instance that a branch goes off saved, whose layout can be made then; until it is,
 * *ret has to be kept, and freed (link.h).  It stays as it is for what is no branch.  Returns 0, or
 * -1: there is no such instance, or it cannot be saved now.
 */
struct romsim_link;
int romsim_vm_branch(struct romsim_instance *instance, struct romsim_link **ret,
                     struct romsim_error *err);

/* What happens to a running instance, in order of appearance. */
enum romsim_vm_event_kind {
    ROMSIM_VM_NOTE,       /* a sentence for the user: accelerator chosen, no FUSE, ... */
    ROMSIM_VM_ERROR,      /* the same, why the app could not be started */
    ROMSIM_VM_PHASE,      /* reached: "drives", "qemu", then init's "hello", "devices", "root",
                             "mounts", "app", and "output", the app's first byte */
    ROMSIM_VM_CREATED,    /* the instance has its name and can be found by it */
    ROMSIM_VM_STATE,      /* it is in another state: "starting", "running", ... */
    ROMSIM_VM_CONSOLE,    /* bytes of the app's console */
    ROMSIM_VM_KERNEL_LOG, /* bytes of the kernel's log, if it is wanted */
    ROMSIM_VM_PORT,       /* a service accepts connections: text is its URL */
    ROMSIM_VM_EXIT,       /* the app ended: status 0-255 (128 + N for a signal) */
    ROMSIM_VM_FAILED,     /* romsim or the boot failed: text says why, with the console's tail;
                             status: the cloud's code for why it could not be made, else 0 */
    ROMSIM_VM_TIMING      /* a step of the start was done, at `micros` of romsim_clock_us(): "begin"
                             (from which the phases' times count), and what init says of its own:
                             "firmware", "kernel", "modules", "lines", "devices", "root",
                             "network", "mounts" */
};

struct romsim_vm_event {
    enum romsim_vm_event_kind kind;
    const char *text; /* valid during the call */
    size_t size;      /* of a CONSOLE or KERNEL_LOG event's bytes; else strlen(text) */
    uint64_t micros;  /* since the start of the instance; of a TIMING see there */
    int status;
};

typedef void romsim_vm_observer(void *context, size_t instance,
                                const struct romsim_vm_event *event);

/* What romsim_vm_status() says of an instance that did not run within its `timeout_s`. */
enum { ROMSIM_VM_TIMED_OUT = 124 };

/* How long an app has to obey romsim_vm_stop(), as docker stop has it. */
enum { ROMSIM_VM_STOP_SECONDS = 10 };

/* How the text of a ROMSIM_VM_FAILED begins if the guest stood still before its app ran, or QEMU
 * did. */
#define ROMSIM_VM_NO_PROGRESS "the guest made no progress"
#define ROMSIM_VM_NO_ANSWER   "QEMU said nothing"

/* Instances that run together. */
struct romsim_vm;

/*
 * Gets one instance per layout, each with what it was made from, ready to start: finds the guest
 * bundle, claims the host ports.  Has started nothing when it returns, and needs the layouts and
 * instances until romsim_vm_free().  Events are handed to `observer` by this and all functions
 * below.  NULL after a FAILED event.
 */
struct romsim_vm *romsim_vm_new(const struct romsim_layout *const *layouts,
                                const struct romsim_instance *const *instances, size_t count,
                                const struct romsim_vm_options *options,
                                romsim_vm_observer *observer, void *context);

/* Makes all of them, and starts those that are to be. */
void romsim_vm_start(struct romsim_vm *vm);

/* A descriptor that is readable when there is something to dispatch. */
int romsim_vm_fd(const struct romsim_vm *vm);
void romsim_vm_dispatch(struct romsim_vm *vm);

/* Is there one that has not ended yet, or, if they are not bound, is not yet what it should be?  It
 * is not waited for beyond its `timeout_s`. */
bool romsim_vm_is_running(const struct romsim_vm *vm);

/* Asks all apps to end (SIGTERM); those that do not within ROMSIM_VM_STOP_SECONDS are killed. */
void romsim_vm_stop(struct romsim_vm *vm);

/* Ends all instances by force, within two seconds whatever hangs. */
void romsim_vm_kill(struct romsim_vm *vm);

/* Starts an instance again with some properties changed (romsim_instance_edit(); takes the
 * reference of `edits`), once all that is needed for it is there; what is wrong with it is an ERROR
 * event, and the old one goes on. */
void romsim_vm_restart(struct romsim_vm *vm, size_t index, json_t *edits);

/* The UUID that it has got, whatever has become of it; "" before romsim_vm_start(). */
const char *romsim_vm_uuid(const struct romsim_vm *vm, size_t index);

/* Sends the keeper of an instance a request (sim/vm/keeper.h), and a descriptor with it (-1: none);
 * takes the reference.  An answer that is an error becomes an ERROR event.  Returns 0 or -1. */
int romsim_vm_ask(struct romsim_vm *vm, size_t index, json_t *request, int passed,
                  struct romsim_error *err);

/* With `has_shell`: our end of a line to the guest, on which pass the frames that
 * sim/guest/manifest.h tells of; a socket, borrowed.  It is open as long as there is a VM or none,
 * whose end is told by events; what comes there may be anything. */
int romsim_vm_shell_fd(const struct romsim_vm *vm);

/* Instances that are bound are not any more, and go on without us. */
void romsim_vm_release(struct romsim_vm *vm);

/* Has each got its name, so that it can be found? */
bool romsim_vm_are_created(const struct romsim_vm *vm);

/* Deletes those that are there already, of instances that are not bound, since others could not be
 * made: to be followed until none is running. */
void romsim_vm_undo(struct romsim_vm *vm);

/* What the program should end with: the first status of the apps that is not 0, 125 for a failure
 * of romsim's own. */
int romsim_vm_status(const struct romsim_vm *vm);

/* Accepts NULL.  What still runs and is bound is ended. */
void romsim_vm_free(struct romsim_vm *vm);

/* What QEMU is told to be for the instance's architecture: the same text, the same machine. */
const char *romsim_vm_machine(void);

/* How the clock of a recorded VM follows from the number of its instructions, as QEMU's -icount has
 * it: a log is replayed in the same way. */
const char *romsim_vm_record_clock(void);

/* The guest bundle: kernel and initramfs, made by `make guest`. */
struct romsim_bundle {
    char *directory;
    char *kernel; /* an ELF vmlinux with a PVH note, or a bzImage; of arm64 an Image */
    char *initrd;
    char *shell_initrd;              /* the same with a shell; not of every bundle */
    char *kernel_release;            /* "6.1.0-18-cloud-amd64" */
    char *kernel_package;            /* what it was made from: a package's name and version */
    const char *kernel_origin, *why; /* for people: what kernel that is, and why this bundle is the
                                        one that is taken */
    enum romsim_arch arch;           /* whose guests it is for */
};

/* Finds the bundle for the instance's architecture: $ROMSIM_GUEST, then guest/ beside the program
 * (a checkout's build/), then guest-host/ there, then ../lib/romsim/guest/ from it; then the same
 * with -ARCH behind their names.  ENOENT with 'make guest' as the hint; EINVAL if $ROMSIM_GUEST is
 * for another architecture. */
int romsim_bundle_find(struct romsim_bundle *ret, struct romsim_error *err);
void romsim_bundle_release(struct romsim_bundle *bundle);

/*
 * Finds out which accelerator really runs a guest here: tries KVM with a tiny guest within 3 s,
 * or remembers it (the cache folder, by boot of the machine).  Sets *ret_reason (malloc'ed, may be
 * NULL without memory) to one plain sentence, and *ret_remembered (may be NULL).  Never fails: TCG
 * is what is left.
 */
enum romsim_accel romsim_accel_probe(bool use_memory, char **ret_reason, bool *ret_remembered);

#endif
