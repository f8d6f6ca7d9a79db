/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * qemu.h: QEMU's command line, made by one function from one struct; no look at the machine, so
 * that it can be tested as it is, and so that a saved VM is started again with the same one.
 */
#ifndef ROMSIM_VM_QEMU_H
#define ROMSIM_VM_QEMU_H

#include <romsim/arch.h>
#include <romsim/error.h>
#include <romsim/vector.h>
#include <romsim/vm.h>

#include <stdbool.h>
#include <stdint.h>

/* Slots 4 to 30 of the root bus, eight functions each. */
enum { QEMU_DRIVES_MAX = 27 * 8 };

/* The guest's network: QEMU's user network, with the addresses of address.h. */
#define QEMU_NET_ID "net0"

/* A drive: a file by its name, or an open one. */
struct qemu_drive {
    const char *name; /* its virtio-blk serial, of at most 20 bytes: ukp_rom3 */
    bool is_writable;
    char *filename;  /* or NULL: */
    int fd;          /* open for what is done with it */
    uint64_t offset; /* of the drive in the file */
    uint64_t size;   /* 0: all of the file */
};

struct qemu_config {
    enum romsim_arch arch;
    enum romsim_accel accel; /* not AUTO */
    const char *cpu;         /* a model, as QEMU's -cpu takes it */
    const char *name;
    const char *firmware;        /* a file name, or NULL for QEMU's own choice */
    const char *kernel, *initrd; /* NULL for a clone, whose memory has them */
    bool kernel_log;  /* the kernel says all that it has to say, and not its errors only */
    uint64_t tsc_khz; /* how fast the processor's counter counts; 0: the kernel finds it out */
    uint64_t memory_mb;
    int memory_fd;    /* a file that is the guest's memory, inherited by QEMU; or -1 */
    bool is_shared;   /* the guest writes to it; else its changes are its own */
    bool is_incoming; /* it waits for the state of the devices */
    unsigned vcpus;
    const struct qemu_drive *drives;
    size_t drive_count;
    /* One end of a socket pair each, inherited by QEMU. */
    int console_fd; /* the app's console */
    int control_fd; /* the line to init */
    int input_fd;   /* what the app reads; -1: there is none */
    int shell_fd;   /* what a shell beside it reads and writes; -1: there is none */
    int log_fd;     /* the kernel's log: its first serial line */
    int qmp_fd;
    uint32_t address; /* the guest's */
    struct romsim_vm_gdb gdb;
    const struct romsim_vm_record *record; /* or NULL; then no gate */
    const int *gate_fds;                   /* GATE_ENDS of them, the gate's (gate.h); or NULL */
};

DEFINE_VECTOR(qemu_argv, char *);

/* The arguments, NULL-terminated, to be freed with qemu_argv_free(). */
int qemu_command(const struct qemu_config *config, struct qemu_argv *ret, struct romsim_error *err);
void qemu_argv_free(struct qemu_argv *argv);

/* The guest kernel's command line (a part of the above); malloc'ed, NULL without memory. */
char *qemu_kernel_arguments(const struct qemu_config *config);

#endif
