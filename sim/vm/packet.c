/* SPDX-License-Identifier: BSD-3-Clause */
/* packet.c: IPv4 packets in Ethernet frames, as a guest sends them: any bytes. */
#include "packet.h"

#include <netinet/in.h>

enum { IPV4_FRAGMENT = 0x3fff /* an offset, or more to come */ };

uint16_t packet_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

uint32_t packet_get32(const uint8_t *bytes)
{
    return (uint32_t)packet_get16(bytes) << 16 | packet_get16(bytes + 2);
}

void packet_put16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

void packet_put32(uint8_t *bytes, uint32_t value)
{
    packet_put16(bytes, value >> 16);
    packet_put16(bytes + 2, value & 0xffff);
}

unsigned packet_checksum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

bool packet_take(const uint8_t *frame, size_t size, struct packet *ret)
{
    struct packet packet = {.bytes = frame + ETHERNET_SIZE};

    if (size < ETHERNET_SIZE + IPV4_SIZE || packet_get16(frame + 12) != ETHERNET_IPV4)
        return false;
    packet.size = size - ETHERNET_SIZE;
    packet.header = (size_t)(packet.bytes[0] & 0xf) * 4;
    if (packet.bytes[0] >> 4 != 4 || packet.header < IPV4_SIZE || packet.header > packet.size)
        return false;
    packet.is_fragment = packet_get16(packet.bytes + 6) & IPV4_FRAGMENT;
    packet.protocol = packet.bytes[9];
    packet.from = packet_get32(packet.bytes + 12);
    packet.to = packet_get32(packet.bytes + 16);
    *ret = packet;
    return true;
}

/* The ports of TCP and UDP stand at the same place. */
bool packet_has_ports(const struct packet *packet)
{
    return !packet->is_fragment && packet->size >= packet->header + 4 &&
           (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
}

uint16_t packet_destination_port(const struct packet *packet)
{
    return packet_has_ports(packet) ? packet_get16(packet->bytes + packet->header + 2) : 0;
}

const uint8_t *packet_datagram(const struct packet *packet, size_t *ret_size)
{
    const uint8_t *udp = packet->bytes + packet->header;
    size_t room = packet->size - packet->header, size;

    if (packet->protocol != IPPROTO_UDP || packet->is_fragment || room < UDP_SIZE)
        return NULL;
    size = packet_get16(udp + 4);
    if (size < UDP_SIZE || size > room)
        return NULL;
    *ret_size = size - UDP_SIZE;
    return udp + UDP_SIZE;
}
