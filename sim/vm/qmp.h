/* SPDX-License-Identifier: BSD-3-Clause */
/* qmp.h: a client of QEMU's machine protocol, as much of it as is needed. */
#ifndef ROMSIM_VM_QMP_H
#define ROMSIM_VM_QMP_H

#include <romsim/buffer.h>
#include <romsim/error.h>

#include <jansson.h>

/* How long to wait for QEMU, which may be mute. */
struct qmp_patience {
    int timeout_ms; /* for each of its words */
    int wakers[2];  /* descriptors (or -1): when one of them is readable, waiting is over */
};

struct qmp {
    int fd; /* borrowed */
    struct qmp_patience patience;
    struct romsim_buffer in;
};

/* Reads the greeting and leaves the negotiation mode.  Fails as qmp_execute() does. */
int qmp_open(struct qmp *qmp, int fd, const struct qmp_patience *patience,
             struct romsim_error *err);

/* Runs a command; takes the reference of `arguments` (NULL: none).  What it returns is in *ret
 * (a reference; NULL if nobody wants it).  EPIPE when QEMU has ended, ETIMEDOUT, ECANCELED if a
 * waker was readable. */
int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, json_t **ret,
                struct romsim_error *err);

/* Throws away what QEMU says unasked (events).  -1 when it has ended. */
int qmp_drain(struct qmp *qmp);

void qmp_close(struct qmp *qmp);

#endif
