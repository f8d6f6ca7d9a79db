/* SPDX-License-Identifier: BSD-3-Clause */
/* qmp.h: a client of QEMU's machine protocol, as much of it as is needed. */
#ifndef ROMSIM_VM_QMP_H
#define ROMSIM_VM_QMP_H

#include <romsim/buffer.h>
#include <romsim/error.h>

#include <jansson.h>

enum { QMP_VERSION_SIZE = 128 };

struct qmp {
    int fd;         /* borrowed */
    int timeout_ms; /* for each of QEMU's words: it may be mute */
    struct romsim_buffer in;
    char version[QMP_VERSION_SIZE]; /* which QEMU it is: "7.2.22 (Debian 1:7.2+dfsg-7)" */
};

/* Reads the greeting and leaves the negotiation mode.  Fails as qmp_execute() does. */
int qmp_open(struct qmp *qmp, int fd, int timeout_ms, struct romsim_error *err);

/* Runs a command; takes the reference of `arguments` (NULL: none).  What it returns is in *ret
 * (a reference; NULL if nobody wants it).  EPIPE when QEMU has ended, ETIMEDOUT. */
int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, json_t **ret,
                struct romsim_error *err);

/* The same, and hands a descriptor to QEMU, which the command gives a name ("getfd"). */
int qmp_pass_fd(struct qmp *qmp, int fd, const char *name, struct romsim_error *err);

/* Waits until QEMU says something unasked (an event), or for so long. */
void qmp_pause(const struct qmp *qmp, int milliseconds);

/* Throws away what QEMU says unasked (events).  -1 when it has ended. */
int qmp_drain(struct qmp *qmp);

void qmp_close(struct qmp *qmp);

#endif
