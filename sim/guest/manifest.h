/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manifest.h: what romsim and the guest's init say to each other, on the virtio-serial port
 * MANIFEST_PORT (MANIFEST_CONSOLE_PORT has the app's output, and nothing else, and
 * MANIFEST_INPUT_PORT its input; MANIFEST_SHELL_PORT has a shell's both ways).  The one header that
 * both worlds share; it needs libc and nothing else.
 *
 * The host begins, with the manifest:
 *
 *     romsim 4 BYTES\n              the version, and how many bytes follow
 *     KEY LENGTH\nVALUE\n           records; VALUE has LENGTH bytes of any kind but NUL
 *
 * and sends `wake SECONDS.NANOSECONDS` to one that was suspended and goes on, and at any later time
 * one of the lines `stop` (SIGTERM for the app), `kill` (SIGKILL), `go on` (what was told by
 * `template` has been dealt with), `traffic` (asking for that line),
 * `hold` (the VM is to be saved: the app stands still until it goes on, as a clone, by `wake`, or
 * by `release SECONDS.NANOSECONDS` where it was saved), `size ROWS COLUMNS` (of the
 * terminal) and `end BYTES` (the input ends there).
 * The keys are those of the table in manifest.c.  Numbers are decimal.  What has several parts has
 * a blank between them; the last one may have blanks, too, or be missing:
 *
 *     device NAME ro|rw|missing [SECOND-NAME]
 *                                         NAME is its serial as well; missing: it is not there
 *     mount DEVICE TYPE ro|rw PATH        of a device that has been named before
 *     terminal ROWS COLUMNS
 *
 * In a VM that was saved and goes on as a clone the host sends one more manifest, which says
 * `clone` and has the clone's own devices, or `keep` and none: those of the VM stay; of the app it
 * says nothing.
 *
 * The guest answers with lines of at most MANIFEST_LINE_MAX bytes, each with a newline before it as
 * well (the app is root, and may write on the port what it wants):
 *
 *     phase NAME                    hello, devices, root, mounts, app: reached, in this order
 *     disk DISK NAME                the kernel calls the disk of a device so: "vdb ukp_rom1"
 *     error TEXT                    the app could not be started
 *     port NUMBER                   the app accepts connections there
 *     loopback NUMBER               it does, but on 127.0.0.1 only, where nobody can reach it
 *     template                      the VM may be saved now: the app waits (libukp.c), or init
 *     held                          it stands still
 *     unheld TEXT                   it cannot
 *     open PID ERROR DEVICE PROCESS PATH
 *                                   a process has opened or looked up a path of that device's mount
 *                                   (ERROR 0), or could not
 *     opens TEXT                    why no more of these come
 *     traffic RX-BYTES RX-PACKETS TX-BYTES TX-PACKETS
 *                                   what has come and gone over the network
 *     exit STATUS BYTES             the app ended: 0-255, 128 + N for signal N; nothing else runs
 *                                   any more; the console has BYTES in all, which may arrive later
 *     said BYTES                    so much has the console before the next line, as with `exit`
 *     failed TEXT                   the boot stopped
 *
 * After `exit` or `failed` nothing of worth is left in the guest; the host ends it.
 *
 * On MANIFEST_SHELL_PORT pass frames: a byte that says the kind, two with how many bytes follow,
 * the lower one first, and those.  The host begins, with OPEN; a size is two numbers of two bytes,
 * rows and columns.  The app may write there, too: the host has to bear anything.
 */
#ifndef ROMSIM_GUEST_MANIFEST_H
#define ROMSIM_GUEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#define MANIFEST_PORT         "romsim.control"
#define MANIFEST_CONSOLE_PORT "romsim.console"
#define MANIFEST_INPUT_PORT   "romsim.input"
#define MANIFEST_SHELL_PORT   "romsim.shell"
#define MANIFEST_WAKE         "wake "
#define MANIFEST_GREETING     "romsim 4 "

enum {
    MANIFEST_MAX = 8 << 20,     /* bytes of records */
    MANIFEST_ITEMS_MAX = 65536, /* of one kind */
    MANIFEST_LINE_MAX = 1024,
    MANIFEST_TERMINAL_MOST = 9999 /* rows, columns */
};

enum { MANIFEST_FRAME_HEAD = 3, MANIFEST_FRAME_MAX = 4096 };

enum manifest_frame {
    MANIFEST_FRAME_OPEN = 'O', /* start a shell: a size (no rows: no terminal), its kind (TERM) */
    MANIFEST_FRAME_DATA = 'D', /* what it reads; from the guest, what it writes */
    MANIFEST_FRAME_SIZE = 'S', /* its terminal has another */
    MANIFEST_FRAME_END = 'E',  /* there is no more for it to read; from the guest, whose app has
                                  ended: no more of what it wrote, in a byte */
    MANIFEST_FRAME_HANG_UP = 'H', /* nobody wants it any more; the answer to the guest's END */
    MANIFEST_FRAME_EXIT = 'X'     /* from the guest: it has ended; a byte with its status */
};

struct manifest_device {
    const char *name; /* "ukp_rom3" */
    bool writable, is_missing;
    const char *second_name; /* "ukp_rom_config", or "" */
};

struct manifest_devices {
    struct manifest_device *items;
    size_t count, capacity;
};

struct manifest_mount {
    const char *device; /* the name of one of the devices */
    const char *type;   /* "erofs" */
    bool writable;
    const char *path; /* absolute, no links */
};

struct manifest_mounts {
    struct manifest_mount *items;
    size_t count, capacity;
};

struct manifest_port {
    unsigned number;
    bool is_reported, is_reached; /* for who watches it */
};

struct manifest_ports {
    struct manifest_port *items;
    size_t count, capacity;
};

/* A terminal's size in characters; 0 rows: none. */
struct manifest_terminal {
    unsigned rows, columns;
};

/* NULL-terminated once the manifest is parsed. */
struct manifest_strings {
    const char **items;
    size_t count, capacity;
};

struct manifest {
    const char *hostname;
    const char *address;    /* "10.0.0.2/24" */
    const char *gateway;    /* "10.0.0.1" */
    const char *nameserver; /* "10.0.0.254" */
    const char *working_dir;
    const char *root;       /* the device with the root's image: EROFS, the lower layer of / */
    const char *hold;       /* the VM is to be saved before the app starts, or NULL */
    const char *clone_time; /* SECONDS.NANOSECONDS since 1970: it is a clone's manifest; or NULL */
    const char *keep;       /* not NULL: of a clone, which has the devices that the VM had */
    const char *seed;       /* of a clone: 32 random bytes in hexadecimal */
    struct manifest_devices devices;
    struct manifest_mounts mounts;     /* in the order in which they are made */
    struct manifest_ports ports;       /* to watch: "8080" */
    struct manifest_terminal terminal; /* the app's own: what it reads is edited there, and ^C is a
                                          signal; without it the app has a console to write to */
    const char *trace; /* not NULL: what is opened beneath the mounts is reported (opens.c) */
    const char *input; /* not NULL: what the app reads comes on MANIFEST_INPUT_PORT */
    struct manifest_strings argv;
    struct manifest_strings env;
};

/*
 * Parses `size` bytes of records in place: the manifest's strings point into `bytes`, which must
 * outlive it, and whose records' final newlines become NULs.  Returns 0, or -1 with what is wrong
 * in *ret_problem (a constant text); *ret is then empty.
 */
int manifest_parse(char *bytes, size_t size, struct manifest *ret, const char **ret_problem);

/* Frees the lists. */
void manifest_release(struct manifest *manifest);

/* Parses "ROWS COLUMNS", neither 0; changes the text.  0 or -1. */
int manifest_terminal(char *text, struct manifest_terminal *ret);

/* A decimal number of at most `most` that takes all of `text`, or -1. */
long manifest_number(const char *text, long most);

#endif
