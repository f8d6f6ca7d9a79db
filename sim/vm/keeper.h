/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.h: the process that owns an instance, from its creation to its deletion.
 *
 * It holds the instance's folder with the socket on which everybody asks for it, its blobs (an
 * inline ROM dies with the last of them), its volumes, its ports, its console's log, and QEMU while
 * it runs.
 *
 * Requests are objects with a member "do"; each gets one answer, an object, or {"error": {"code",
 * "message", "hint"}} with a code of enum romsim_cloud_code:
 *
 *     get                                     the item of the cloud's GET
 *     plan                                    its layout, as `romsim plan --json` has it, without
 *                                             the images' digests
 *     image   device                          {"device", "format", "inline", "offset",
 *                                             "size"}, and with it the file in which the image
 *                                             stands: "ukp_rom1", or its other name
 *     start   overcommit                      {"state", "previous_state"}; so many bytes of memory
 *                                             more than are free may be wanted
 *     stop    force, drain_ms, timeout_ms,    the same, at once, or with "wait" when it has stopped
 *             wait
 *     suspend wait                            the same; the next start goes on with the VM as it
 * is; one that scales to zero is in standby then template autokill, wait                 the same:
 * the instance starts anew, and becomes a template, or with "wait" when it is one wait    state
 * {"state"}, when it is in that state log     offset, limit, since_ms         the bytes as CONSOLE
 * events, then {"available", "range"} attach  offset, starts_often            {"state",
 * "restarts"}, then events; the console from `offset` on metrics what it uses, and what of its item
 * is about time edit    edits, network                  {"queued"}, once they are made or wait for
 * the stop; with "network" they may name nothing of this machine attach_volume as "edit": they are
 * edits of the property "volumes", name, uuid, at, readonly        which no other request may name
 *     detach_volume
 *             name, uuid
 *     restart edits, timeout_ms               the state, when what is needed for it is there
 *     checkpoint                              {"uuid", "name", "state"}: it is being made, or with
 *             name, tags, autokill, wait      "wait" when it is there
 *     branch                                  {"draft"}: the instance as it was when it was asked,
 *                                             for who has asked, as long as he is there
 *     delete                                  {"previous_state"}, when nothing is left
 *     input   end                             {"terminal"}: the app reads what is in the pipe that
 *                                             comes with the request; with "end" the same client
 *                                             says that the pipe's end is the input's (else it has
 *                                             just gone)
 *     size    rows, columns                   {}: of the app's terminal
 *     source                                  {"source", "position", "request", "roms"}: what it
 * was made from, if the client said so, the body of the request that makes it as it is now, and its
 * ROMs' digests release                                 {}: the instance is not bound any more
 *     case                                    what it takes to have the same happen again, and
 *                                             what happened (keeper_case.c), and with it the file
 *                                             of its trace, if it has one
 *     watch   number                          {"number", "item"}, the item of "get", now and
 *                                             whenever it has changed, with the number of the last
 *                                             such request; {"number", "deleted"} at last.  Who
 *                                             is answered that he changed it is answered after
 *                                             that
 *
 * A negative offset counts from the end of the log.
 */
#ifndef ROMSIM_VM_KEEPER_H
#define ROMSIM_VM_KEEPER_H

#include "machine.h"

#include <romsim/instance.h>

#include <time.h>

#define KEEPER_SOCKET "socket"

struct keeper_config {
    struct romsim_instance *instance; /* taken, as is its layout: an edit replaces them */
    struct romsim_layout *layout;
    struct romsim_limits limits; /* for edits */
    const struct vm_plan *plan;
    const json_t *source; /* what it was made from, or NULL; */
    size_t position;      /* which of what that makes, it is */
    const char *uuid;     /* the instance's */
    struct timespec made; /* when: of several instances the first has the earliest */
    int parent;     /* the end of a socket to the client that makes the instance: it is attached */
    bool is_bound;  /* the instance is deleted when that client goes, or the app has ended */
    bool stays;     /* if it is bound: not when the app has ended by itself */
    bool autostart; /* it is started at once */
    bool becomes_template; /* and saved as a template, or deleted if it cannot be */
};

/* Keeps an instance until it is deleted, in a process of its own, which should then exit.  Takes
 * `parent` and the plan's forwards. */
void keeper_run(const struct keeper_config *config);

#endif
