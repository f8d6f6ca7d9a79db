/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c: when does the app accept connections?
 *
 * QEMU's user network accepts a connection on the host whether anybody listens in the guest or
 * not, so only the guest knows.  The kernel has no event for a new listener; its table of
 * listeners comes first in /proc/net/tcp and is short, so reading it a few times a second until
 * all ports are there costs nothing that one could measure.  One look serves all ports.
 */
#include "guest.h"

#include <stdint.h>
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

/* How each port was found at the last look. */
static enum listener listeners[UINT16_MAX + 1];

/* Enters what a line of the table says, "  sl: ADDRESS:PORT REMOTE:PORT STATE ...".  False if it is
 * no listener: those come first. */
static bool read_listener(char *line)
{
    char *rest, *number = strtok_r(line, " ", &rest), *local = strtok_r(NULL, " ", &rest);
    char *remote = strtok_r(NULL, " ", &rest), *state = strtok_r(NULL, " ", &rest);
    char *colon = number && local ? strchr(local, ':') : NULL;
    enum listener found;
    unsigned long port;

    if (!colon || !remote || !state || strtoul(state, NULL, 16) != STATE_LISTEN)
        return false;
    *colon = '\0';
    port = strtoul(colon + 1, NULL, 16);
    found = is_loopback(local) ? LISTENER_LOOPBACK : LISTENER_REACHABLE;
    if (port <= UINT16_MAX && found > listeners[port])
        listeners[port] = found;
    return true;
}

/* Reads one of the kernel's tables; its first line is a heading. */
static void read_table(const char *path)
{
    static char buffer[64 << 10];
    FILE *table = fopen(path, "re");
    char line[256];

    if (!table)
        return;
    setvbuf(table, buffer, _IOFBF, sizeof(buffer));
    if (fgets(line, sizeof(line), table))
        while (fgets(line, sizeof(line), table) && read_listener(line))
            ;
    fclose(table);
}

/* One that is reported, and not reached, listens on the loopback only. */
bool ports_watch(struct manifest *manifest)
{
    bool waiting = false;

    if (manifest->ports.count == 0)
        return false;
    memset(listeners, 0, sizeof(listeners));
    read_table("/proc/net/tcp");
    read_table("/proc/net/tcp6");
    for (size_t i = 0; i < manifest->ports.count; i++) {
        struct manifest_port *port = &manifest->ports.items[i];
        enum listener found = listeners[port->number];

        if (port->is_reached)
            continue;
        if (found == LISTENER_REACHABLE) {
            control_send("port %u", port->number);
            port->is_reached = true;
        } else if (found == LISTENER_LOOPBACK && !port->is_reported) {
            control_send("loopback %u", port->number);
            port->is_reported = true;
        }
        waiting |= !port->is_reached;
    }
    return waiting;
}

void ports_forget(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->ports.count; i++)
        manifest->ports.items[i].is_reported = manifest->ports.items[i].is_reached = false;
}
