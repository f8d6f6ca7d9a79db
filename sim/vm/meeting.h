/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meeting.h: sockets by their names in an instance's folder, for packets in their order.
 *
 * The folder's path may be longer than an address has room for, so it goes by its descriptor.
 */
#ifndef ROMSIM_VM_MEETING_H
#define ROMSIM_VM_MEETING_H

/* Listens; replaces what a killed process left under the name.  A socket that waits for nothing, or
 * -1 with errno. */
int meeting_listen(const char *directory, const char *name);

/* Connects to who listens there.  The same. */
int meeting_connect(const char *directory, const char *name);

#endif
