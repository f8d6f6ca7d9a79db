/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address.h: the private addresses of instances (cloud-api §5), in the host's byte order.
 *
 *     10.0.0.1      the gateway
 *     10.0.0.254    the resolver
 *     10.0.x.2-253  an instance, by its number
 *
 * An instance's network is no larger than it must be: what else there is in 10.0.0.0/16 may be
 * other machines, in whose network the user is.
 */
#ifndef ROMSIM_VM_ADDRESS_H
#define ROMSIM_VM_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_NETWORK = 0x0a000000, ADDRESS_GATEWAY = 0x0a000001, ADDRESS_RESOLVER = 0x0a0000fe };
enum { ADDRESS_TEXT = 16, ADDRESS_MAC_TEXT = 18 };

/* The address of the instance with a number (romsim_state_number()); 0 if it has none. */
uint32_t address_of(unsigned number);

/* Is it in 10.0.0.0/16? */
bool address_is_private(uint32_t address);

/* The prefix of the network that has an instance and the gateway and resolver: 24 or less. */
unsigned address_prefix(uint32_t own);

/* Is it in that network? */
bool address_is_near(uint32_t own, uint32_t address);

/* 12:b0, and the address. */
void address_mac(uint32_t address, uint8_t ret[6]);

/* "10.0.0.2" and "12:b0:0a:00:00:02". */
void address_print(uint32_t address, char ret[ADDRESS_TEXT]);
void address_print_mac(uint32_t address, char ret[ADDRESS_MAC_TEXT]);

#endif
