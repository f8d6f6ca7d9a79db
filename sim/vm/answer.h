/* SPDX-License-Identifier: BSD-3-Clause */
/* answer.h: what the guest's network answers by itself, as whole frames. */
#ifndef ROMSIM_VM_ANSWER_H
#define ROMSIM_VM_ANSWER_H

#include "dns.h"
#include "packet.h"

enum {
    ANSWER_MAX = ETHERNET_SIZE + IPV4_SIZE + UDP_SIZE + DNS_ANSWER_MAX,
    ANSWER_NO_HOST = 1,   /* codes of "destination unreachable" (RFC 1812): there is none */
    ANSWER_FORBIDDEN = 13 /* by the administrator's will */
};

/* All return the answer's size, 0 if there is none. */

/* To a packet that does not arrive: "destination unreachable". */
size_t answer_unreachable(const uint8_t *frame, size_t size, uint8_t code, uint8_t ret[ANSWER_MAX]);

/* To the question which hardware has one of the network's addresses, but the guest's own and those
 * that are QEMU's to answer for. */
size_t answer_arp(const uint8_t *frame, size_t size, uint32_t own, uint8_t ret[ANSWER_MAX]);

/* The address of an instance, or 0. */
typedef uint32_t answer_finder(void *context, const char *name);

/* To a question for the address of NAME.internal that is put to the network's resolver. */
size_t answer_name(const uint8_t *frame, size_t size, answer_finder *find, void *context,
                   uint8_t ret[ANSWER_MAX]);

#endif
