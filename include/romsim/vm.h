/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.h: a layout as a virtual machine: the guest bundle, QEMU, its supervision.
 *
 * romsim_vm_run() forks a supervisor process that owns all that an instance has on this machine
 * (QEMU, the FUSE mount of its drives, its state folder) and the caller is its client: it follows
 * the console, the phases and the exit status through the supervisor's socket.  If the client
 * dies, the supervisor ends the instance; if the supervisor dies, QEMU dies with it
 * (PR_SET_PDEATHSIG) and the next romsim command removes what is left (romsim_state_sweep()).
 */
#ifndef ROMSIM_VM_H
#define ROMSIM_VM_H

#include <romsim/error.h>
#include <romsim/layout.h>

#include <stdbool.h>
#include <stdint.h>

enum romsim_accel { ROMSIM_ACCEL_AUTO, ROMSIM_ACCEL_KVM, ROMSIM_ACCEL_TCG };

struct romsim_vm_options {
    enum romsim_accel accel;
    const char *kernel;      /* --kernel FILE: bzImage or ELF; NULL: the bundle's */
    bool use_image_kernel;   /* --image-kernel */
    bool no_fuse;            /* drives straight from the built files */
    unsigned boot_timeout_s; /* for the guest to report its app's start; 0: the default (60) */
};

/* What happens to a running instance, in order of appearance. */
enum romsim_vm_event_kind {
    ROMSIM_VM_NOTE,    /* a sentence for the user: accelerator chosen, no FUSE, ... */
    ROMSIM_VM_PHASE,   /* reached: "drives", "qemu", then init's "hello", "devices", "root",
                          "mounts", "app", and "output", the app's first byte */
    ROMSIM_VM_CONSOLE, /* bytes of the app's console */
    ROMSIM_VM_PORT,    /* a service accepts connections: text is its URL */
    ROMSIM_VM_EXIT,    /* the app ended: status 0-255 (128 + N for a signal) */
    ROMSIM_VM_FAILED   /* romsim or the boot failed: text says why, with the console's tail */
};

struct romsim_vm_event {
    enum romsim_vm_event_kind kind;
    const char *text; /* valid during the call */
    size_t size;      /* of a CONSOLE event's bytes; else strlen(text) */
    uint64_t micros;  /* since the start of the instance */
    int status;
};

typedef void romsim_vm_observer(void *context, size_t instance,
                                const struct romsim_vm_event *event);

/*
 * Runs one instance per layout, all at once, until all have ended or SIGINT, SIGTERM or SIGHUP
 * came (a second one ends them by force).  Events are handed to `observer` from the calling
 * thread.  Returns the exit status: the first non-zero one of the apps, 125 for a failure of
 * romsim's own.
 */
int romsim_vm_run(const struct romsim_layout *const *layouts, size_t count,
                  const struct romsim_vm_options *options, romsim_vm_observer *observer,
                  void *context);

/* The guest bundle: kernel and initramfs, made by `make guest`. */
struct romsim_bundle {
    char *directory;
    char *kernel; /* an ELF vmlinux with a PVH note, or a bzImage */
    char *initrd;
    char *kernel_release; /* "6.1.0-18-cloud-amd64" */
};

/* Finds the bundle: $ROMSIM_GUEST, then guest/ beside the program (a checkout's build/), then
 * ../lib/romsim/guest/ from it.  ENOENT with 'make guest' as the hint. */
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
