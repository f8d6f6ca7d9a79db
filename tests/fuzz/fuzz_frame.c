/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_frame.c: any bytes as a frame that a guest sends, or another instance's keeper. */
#include "fuzz.h"

#include "sim/vm/address.h"
#include "sim/vm/answer.h"
#include "sim/vm/gate.h"

enum { OWN = 0x0a000102, OTHER = 0x0a000103 };

static bool is_local(void *context, uint32_t address)
{
    (void)context;
    return address & 1;
}

static uint32_t find(void *context, const char *name)
{
    (void)context;
    FUZZ_CHECK(strlen(name) <= DNS_NAME_MAX, "a name of %zu bytes", strlen(name));
    return strcmp(name, "web") == 0 ? OTHER : 0;
}

static void judge(struct gate_rules rules, const uint8_t *frame, size_t size)
{
    struct gate_target target = {0};
    enum gate_verdict verdict = gate_judge(&rules, frame, size, &target);
    struct packet packet;

    if (!packet_take(frame, size, &packet))
        return;
    if (verdict == GATE_NEIGHBOUR)
        FUZZ_CHECK(rules.has_neighbours && packet.from == OWN && packet.to != OWN &&
                       address_is_private(packet.to),
                   "a neighbour is none");
    if (verdict == GATE_PASS && !rules.allow_host && address_is_near(OWN, packet.to))
        FUZZ_CHECK(packet.to == ADDRESS_GATEWAY || packet.to == ADDRESS_RESOLVER,
                   "the loopback is reached");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gate_rules rules = {.own = OWN, .is_local = is_local};
    uint8_t answer[ANSWER_MAX];
    size_t sizes[] = {answer_arp(data, size, OWN, answer),
                      answer_name(data, size, find, NULL, answer),
                      answer_unreachable(data, size, ANSWER_NO_HOST, answer)};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        FUZZ_CHECK(sizes[i] <= ANSWER_MAX, "an answer of %zu bytes", sizes[i]);
    for (unsigned i = 0; i < 4; i++) {
        rules.has_neighbours = i & 1;
        rules.allow_host = i & 2;
        judge(rules, data, size);
    }
    gate_welcomes(&rules, data, size);
    return 0;
}
