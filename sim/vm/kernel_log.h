/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_log.h: what in the log of the guest's kernel is of interest to the user: lines about the
 * disk of a ROM, by the ROM's name, and processes that were killed for want of memory.
 *
 * Bytes go in, sentences come out; nothing else is touched.  The guest is foreign, and its root may
 * write what it wants on the log's line: only what looks as the kernel's own is taken, it is quoted
 * for a terminal, and there are at most KERNEL_LOG_NOTES_MAX sentences, whatever comes.
 */
#ifndef ROMSIM_VM_KERNEL_LOG_H
#define ROMSIM_VM_KERNEL_LOG_H

#include <romsim/buffer.h>
#include <romsim/vector.h>

#include <stdbool.h>
#include <stddef.h>

enum {
    KERNEL_LOG_NOTES_MAX = 8,
    KERNEL_LOG_LINE_MAX = 512, /* what is longer is cut */
    KERNEL_LOG_DISK_SIZE = 8   /* "vdhh" */
};

/* Takes a sentence for the user. */
typedef void kernel_log_teller(void *context, const char *note);

struct kernel_log_disk {
    char disk[KERNEL_LOG_DISK_SIZE]; /* the kernel's name for it: "vdb" */
    const char *name;                /* the user's */
};

DEFINE_VECTOR(kernel_log_disks, struct kernel_log_disk);

struct kernel_log_line {
    char text[KERNEL_LOG_LINE_MAX]; /* without the time */
    size_t size;
};

struct kernel_log {
    kernel_log_teller *tell;
    void *context;
    struct kernel_log_disks disks;
    struct kernel_log_line line;                       /* not complete yet; with the time */
    struct kernel_log_line kept[KERNEL_LOG_NOTES_MAX]; /* of interest, none twice */
    size_t kept_count;
    size_t passed_on;    /* of those kept */
    unsigned long more;  /* that were like one of those, or too many */
    bool is_held;        /* nothing is told yet */
    bool told_of_memory; /* a process was killed for want of it, and that is told */
};

/* An empty log, held: what is of interest waits for kernel_log_release(), which a boot that fails
 * never comes to: its error has the log's last lines. */
void kernel_log_init(struct kernel_log *log, kernel_log_teller *tell, void *context);
void kernel_log_free(struct kernel_log *log);

/* The kernel calls a disk `disk` that the user knows as `name`, which must outlive the log.  False
 * if the kernel has no such names, or has said another one's. */
bool kernel_log_name(struct kernel_log *log, const char *disk, const char *name);

/* Takes the next bytes of the log. */
void kernel_log_take(struct kernel_log *log, const char *bytes, size_t size);

/* Tells what was held, and from now on what comes. */
void kernel_log_release(struct kernel_log *log);

/* Copies a text with the users' names in place of the kernel's. */
void kernel_log_rename(const struct kernel_log *log, const char *text, size_t size,
                       struct romsim_buffer *out);

#endif
