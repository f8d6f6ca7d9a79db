/* SPDX-License-Identifier: BSD-3-Clause */
/* answer.c: what the guest's network answers by itself, as whole frames. */
#include "answer.h"

#include "address.h"

#include <netinet/in.h>
#include <string.h>

enum {
    PORT_DNS = 53,
    ICMP_SIZE = 8,
    ICMP_UNREACHABLE = 3,
    ARP_SIZE = 28,
    ARP_ASKS = 1,
    ARP_TELLS = 2
};

/* ARP for IPv4 on Ethernet, up to the operation (RFC 826). */
static const uint8_t arp_kind[] = {0, 1, 0x08, 0, 6, 4};

/* The headers of a packet that goes back the way that a frame came. */
static void put_headers(const uint8_t *frame, uint32_t from, uint8_t protocol, size_t size,
                        uint8_t *ret)
{
    uint8_t *ip = ret + ETHERNET_SIZE;

    memset(ret, 0, ETHERNET_SIZE + IPV4_SIZE);
    memcpy(ret, frame + 6, 6);
    memcpy(ret + 6, frame, 6);
    packet_put16(ret + 12, ETHERNET_IPV4);
    ip[0] = 0x45;
    packet_put16(ip + 2, (unsigned)(IPV4_SIZE + size));
    ip[8] = 64;
    ip[9] = protocol;
    packet_put32(ip + 12, from);
    memcpy(ip + 16, frame + ETHERNET_SIZE + 12, 4);
    packet_put16(ip + 10, packet_checksum(0, ip, IPV4_SIZE));
}

size_t answer_unreachable(const uint8_t *frame, size_t size, uint8_t code, uint8_t ret[ANSWER_MAX])
{
    uint8_t *icmp = ret + ETHERNET_SIZE + IPV4_SIZE;
    struct packet packet;
    size_t quoted;

    if (!packet_take(frame, size, &packet))
        return 0;
    /* It quotes the packet's header and 8 bytes more (RFC 792). */
    quoted = packet.header + 8 < packet.size ? packet.header + 8 : packet.size;
    put_headers(frame, ADDRESS_GATEWAY, IPPROTO_ICMP, ICMP_SIZE + quoted, ret);
    memset(icmp, 0, ICMP_SIZE);
    icmp[0] = ICMP_UNREACHABLE;
    icmp[1] = code;
    memcpy(icmp + ICMP_SIZE, packet.bytes, quoted);
    packet_put16(icmp + 2, packet_checksum(0, icmp, ICMP_SIZE + quoted));
    return ETHERNET_SIZE + IPV4_SIZE + ICMP_SIZE + quoted;
}

size_t answer_arp(const uint8_t *frame, size_t size, uint32_t own, uint8_t ret[ANSWER_MAX])
{
    const uint8_t *arp = frame + ETHERNET_SIZE;
    uint8_t *answer = ret + ETHERNET_SIZE;
    uint32_t wanted;

    if (size < ETHERNET_SIZE + ARP_SIZE || packet_get16(frame + 12) != ETHERNET_ARP ||
        memcmp(arp, arp_kind, sizeof(arp_kind)) != 0 || packet_get16(arp + 6) != ARP_ASKS)
        return 0;
    wanted = packet_get32(arp + 24);
    if (!address_is_private(wanted) || wanted == own || wanted == ADDRESS_GATEWAY ||
        wanted == ADDRESS_RESOLVER)
        return 0;
    memcpy(answer, arp_kind, sizeof(arp_kind));
    packet_put16(answer + 6, ARP_TELLS);
    address_mac(wanted, answer + 8);
    packet_put32(answer + 14, wanted);
    memcpy(answer + 18, arp + 8, 10); /* to who asked */
    memcpy(ret, arp + 8, 6);
    address_mac(wanted, ret + 6);
    packet_put16(ret + 12, ETHERNET_ARP);
    return ETHERNET_SIZE + ARP_SIZE;
}

/* With the pseudo-header's words (RFC 768). */
static unsigned datagram_checksum(const uint8_t *ip, const uint8_t *udp, size_t size)
{
    uint32_t sum = IPPROTO_UDP + (uint32_t)size;
    unsigned checksum;

    for (size_t i = 12; i < IPV4_SIZE; i += 2)
        sum += packet_get16(ip + i);
    checksum = packet_checksum(sum, udp, size);
    return checksum ? checksum : 0xffff;
}

size_t answer_name(const uint8_t *frame, size_t size, answer_finder *find, void *context,
                   uint8_t ret[ANSWER_MAX])
{
    uint8_t *ip = ret + ETHERNET_SIZE, *udp = ip + IPV4_SIZE;
    const uint8_t *message, *ports;
    struct dns_question question;
    struct packet packet;
    size_t data;

    if (!packet_take(frame, size, &packet) || packet.to != ADDRESS_RESOLVER ||
        packet_destination_port(&packet) != PORT_DNS ||
        !(message = packet_datagram(&packet, &data)) || !dns_take(message, data, &question))
        return 0;
    ports = packet.bytes + packet.header;
    data = dns_answer(message, &question, find(context, question.name), udp + UDP_SIZE);
    put_headers(frame, packet.to, IPPROTO_UDP, UDP_SIZE + data, ret);
    memcpy(udp, ports + 2, 2);
    memcpy(udp + 2, ports, 2);
    packet_put16(udp + 4, (unsigned)(UDP_SIZE + data));
    packet_put16(udp + 6, 0);
    packet_put16(udp + 6, datagram_checksum(ip, udp, UDP_SIZE + data));
    return ETHERNET_SIZE + IPV4_SIZE + UDP_SIZE + data;
}
