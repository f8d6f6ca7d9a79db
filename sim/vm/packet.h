/* SPDX-License-Identifier: BSD-3-Clause */
/* packet.h: IPv4 packets in Ethernet frames, as a guest sends them: any bytes. */
#ifndef ROMSIM_VM_PACKET_H
#define ROMSIM_VM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ETHERNET_SIZE = 14,
    ETHERNET_IPV4 = 0x0800,
    ETHERNET_ARP = 0x0806,
    IPV4_SIZE = 20,
    UDP_SIZE = 8,
    FRAME_MAX = 4096 + 65536 /* QEMU's own */
};

/* A packet whose IP header is there as far as it is looked at. */
struct packet {
    const uint8_t *bytes; /* of the IP header */
    size_t header, size;  /* of the IP header; of all */
    uint32_t from, to;    /* all addresses are in the host's byte order */
    uint8_t protocol;
    bool is_fragment;
};

/* False if a frame has no such packet. */
bool packet_take(const uint8_t *frame, size_t size, struct packet *ret);

/* Are TCP's or UDP's ports there? */
bool packet_has_ports(const struct packet *packet);

/* 0 without ports. */
uint16_t packet_destination_port(const struct packet *packet);

/* The data of a UDP datagram that is there in full; NULL for anything else. */
const uint8_t *packet_datagram(const struct packet *packet, size_t *ret_size);

/* ---- numbers in network order ---- */

uint16_t packet_get16(const uint8_t *bytes);
uint32_t packet_get32(const uint8_t *bytes);
void packet_put16(uint8_t *bytes, unsigned value);
void packet_put32(uint8_t *bytes, uint32_t value);

/* The internet checksum (RFC 1071) of some bytes and what stands for those before them: 0, or the
 * sum of their 16-bit words. */
unsigned packet_checksum(uint32_t sum, const uint8_t *bytes, size_t size);

#endif
