/* SPDX-License-Identifier: BSD-3-Clause */
/* address.c: the private addresses of instances. */
#include "address.h"

#include <stdio.h>

enum { FIRST = 2, HOSTS = 252, NETS = 256 };

uint32_t address_of(unsigned number)
{
    if (number == 0 || number > NETS * HOSTS)
        return 0;
    number--;
    return (uint32_t)ADDRESS_NETWORK | number / HOSTS << 8 | (FIRST + number % HOSTS);
}

bool address_is_private(uint32_t address)
{
    return (address ^ (uint32_t)ADDRESS_NETWORK) >> 16 == 0;
}

unsigned address_prefix(uint32_t own)
{
    unsigned prefix = 24;

    while (prefix > 16 && (own ^ (uint32_t)ADDRESS_NETWORK) >> (32 - prefix))
        prefix--;
    return prefix;
}

bool address_is_near(uint32_t own, uint32_t address)
{
    return (address ^ (uint32_t)ADDRESS_NETWORK) >> (32 - address_prefix(own)) == 0;
}

void address_mac(uint32_t address, uint8_t ret[6])
{
    ret[0] = 0x12;
    ret[1] = 0xb0;
    for (int i = 0; i < 4; i++)
        ret[2 + i] = (uint8_t)(address >> (24 - 8 * i));
}

void address_print(uint32_t address, char ret[ADDRESS_TEXT])
{
    snprintf(ret, ADDRESS_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 0xff,
             address >> 8 & 0xff, address & 0xff);
}

void address_print_mac(uint32_t address, char ret[ADDRESS_MAC_TEXT])
{
    uint8_t mac[6];

    address_mac(address, mac);
    snprintf(ret, ADDRESS_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}
