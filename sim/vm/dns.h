/* SPDX-License-Identifier: BSD-3-Clause */
/* dns.h: questions for the names of instances, NAME.internal, and their answers (RFC 1035). */
#ifndef ROMSIM_VM_DNS_H
#define ROMSIM_VM_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_DOMAIN "internal"

enum { DNS_NAME_MAX = 255, DNS_ANSWER_MAX = 12 + DNS_NAME_MAX + 4 + 16 };

struct dns_question {
    char name[DNS_NAME_MAX + 1]; /* without the domain; with a '/' it is no instance's */
    uint16_t type, class;
    size_t end; /* of the question in the message */
};

/* Is a message a question for a name of the domain?  False for any others, which are somebody
 * else's. */
bool dns_take(const uint8_t *message, size_t size, struct dns_question *ret);

/* The answer: the name has that address (0: there is no such name).  Returns its size. */
size_t dns_answer(const uint8_t *message, const struct dns_question *question, uint32_t address,
                  uint8_t ret[DNS_ANSWER_MAX]);

#endif
