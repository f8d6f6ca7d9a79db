/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c: when does the app accept connections?
 *
 * QEMU's user network accepts a connection on the host whether anybody listens in the guest or
 * not, so only the guest knows.  The kernel has no event for a new listener; its table of
 * listeners comes first in /proc/net/tcp and is short, so reading it a few times a second until
 * all ports are there costs nothing that one could measure.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_LISTEN = 0x0a };

enum listener { LISTENER_NONE, LISTENER_LOOPBACK, LISTENER_REACHABLE };

static bool is_loopback(const char *address)
{
    /* As the kernel prints them: 32-bit words in the machine's own order. */
    static const char v6[] = "00000000000000000000000001000000";
    static const char mapped[] = "0000000000000000FFFF00000100007F";

    return strcmp(address, v6) == 0 || strcmp(address, mapped) == 0 ||
           (strlen(address) == 8 && strcmp(address + 6, "7F") == 0);
}

/* Looks for a listener in one of the kernel's tables: header line, then listeners first. */
static enum listener find_in(const char *path, unsigned wanted)
{
    FILE *table = fopen(path, "re");
    enum listener best = LISTENER_NONE;
    char line[256], address[64];
    unsigned port, state;

    if (!table || !fgets(line, sizeof(line), table))
        line[0] = '\0';
    while (table && best < LISTENER_REACHABLE && fgets(line, sizeof(line), table)) {
        if (sscanf(line, " %*[^:]: %63[0-9A-F]:%x %*s %x", address, &port, &state) != 3 ||
            state != STATE_LISTEN)
            break;
        if (port == wanted)
            best = is_loopback(address) ? LISTENER_LOOPBACK : LISTENER_REACHABLE;
    }
    if (table)
        fclose(table);
    return best;
}

static enum listener find(unsigned port)
{
    enum listener v4 = find_in("/proc/net/tcp", port);
    enum listener v6 = v4 < LISTENER_REACHABLE ? find_in("/proc/net/tcp6", port) : LISTENER_NONE;

    return v4 > v6 ? v4 : v6;
}

/* A port is struck from the list (0) when it is reachable; `text` marks one that was reported as
 * listening on the loopback only. */
bool ports_watch(struct manifest *manifest)
{
    bool waiting = false;

    for (size_t i = 0; i < manifest->ports.count; i++) {
        struct manifest_entry *port = &manifest->ports.items[i];
        enum listener found = port->number ? find(port->number) : LISTENER_NONE;

        if (found == LISTENER_REACHABLE) {
            control_send("port %u", port->number);
            port->number = 0;
        } else if (found == LISTENER_LOOPBACK && !*port->text) {
            control_send("loopback %u", port->number);
            port->text = "reported";
        }
        waiting |= port->number != 0;
    }
    return waiting;
}
