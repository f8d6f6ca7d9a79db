/* SPDX-License-Identifier: BSD-3-Clause */
/* gate.c: which packets of a guest may leave this machine, and how the others are answered. */
#include "harness.h"

#include "sim/vm/gate.h"

#include <romsim/cleanup.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { ETHERNET = 14, FIN = 0x01, SYN = 0x02, ACK = 0x10, FRAME_ROOM = 128 };

struct frame {
    uint8_t bytes[FRAME_ROOM];
    size_t size;
};

static void put_address(uint8_t *bytes, const char *text)
{
    in_addr_t address = inet_addr(text);

    memcpy(bytes, &address, 4);
}

/* An IPv4 packet with a header of 20 bytes and 20 more. */
static struct frame packet(uint8_t protocol, const char *to)
{
    struct frame frame = {.size = ETHERNET + 40};
    uint8_t *ip = frame.bytes + ETHERNET;

    memcpy(frame.bytes, "\x52\x55\x0a\x00\x00\x01\x12\xb0\x0a\x00\x00\x02\x08\x00", ETHERNET);
    ip[0] = 0x45;
    ip[3] = 40;
    ip[8] = 64;
    ip[9] = protocol;
    put_address(ip + 12, "10.0.0.2");
    put_address(ip + 16, to);
    return frame;
}

static struct frame datagram(const char *to, uint16_t port)
{
    struct frame frame = packet(IPPROTO_UDP, to);

    frame.bytes[ETHERNET + 22] = (uint8_t)(port >> 8);
    frame.bytes[ETHERNET + 23] = (uint8_t)port;
    return frame;
}

static struct frame segment(const char *to, uint16_t port, uint8_t flags)
{
    struct frame frame = datagram(to, port);

    frame.bytes[ETHERNET + 9] = IPPROTO_TCP;
    frame.bytes[ETHERNET + 33] = flags;
    return frame;
}

/* This machine is 192.0.2.1, and 192.0.2.255 its network's broadcast. */
static bool is_local(void *context, uint32_t address)
{
    *(unsigned *)context += 1;
    return address == 0xc0000201 || address == 0xc00002ff;
}

static unsigned questions;

/* The guest is 10.0.0.2, and there are no other instances. */
static struct gate_rules alone(void)
{
    return (struct gate_rules){.own = 0x0a000002, .is_local = is_local, .context = &questions};
}

static enum gate_verdict judge_by(struct gate_rules rules, struct frame frame)
{
    struct gate_target target;

    return gate_judge(&rules, frame.bytes, frame.size, &target);
}

static enum gate_verdict judge(struct frame frame)
{
    return judge_by(alone(), frame);
}

START_TEST(other_machines_are_reached)
{
    static const char *const addresses[] = {"192.0.2.2",  "8.8.8.8",      "10.0.3.2", "1.0.0.1",
                                            "126.0.0.1",  "128.0.0.1",    "10.0.1.2", "172.17.0.2",
                                            "10.1.2.255", "223.255.255.1"};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        ck_assert_int_eq(judge(segment(addresses[i], 443, SYN)), GATE_PASS);
        ck_assert_int_eq(judge(segment(addresses[i], 443, ACK)), GATE_PASS);
        ck_assert_int_eq(judge(datagram(addresses[i], 53)), GATE_PASS);
        ck_assert_int_eq(judge(packet(IPPROTO_ICMP, addresses[i])), GATE_PASS);
    }
}
END_TEST

START_TEST(this_machine_is_not)
{
    static const char *const addresses[] = {"10.0.0.1",  "10.0.0.254",      "127.0.0.1",
                                            "127.9.9.9", "127.255.255.254", "0.0.0.0",
                                            "0.1.2.3",   "192.0.2.1"};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        ck_assert_int_eq(judge(segment(addresses[i], 80, SYN)), GATE_REFUSE);
        ck_assert_int_eq(judge(segment(addresses[i], 80, SYN | 0xc0)), GATE_REFUSE);
        ck_assert_int_eq(judge(datagram(addresses[i], 80)), GATE_REFUSE);
        ck_assert_int_eq(judge(datagram(addresses[i], 69)), GATE_REFUSE);
    }
    ck_assert_int_eq(judge(packet(IPPROTO_ICMP, "192.0.2.1")), GATE_REFUSE);
}
END_TEST

/* Who connects to a forwarded port at this machine's own address comes from there. */
START_TEST(answers_to_this_machine_pass_where_it_may_have_asked)
{
    struct gate_rules rules = alone();
    struct frame fragment = segment("192.0.2.1", 40000, ACK);

    ck_assert_int_eq(judge(segment("192.0.2.1", 40000, ACK)), GATE_DROP);
    rules.answers_host = true;
    ck_assert_int_eq(judge_by(rules, segment("192.0.2.1", 40000, ACK)), GATE_PASS);
    ck_assert_int_eq(judge_by(rules, segment("192.0.2.1", 40000, SYN | ACK)), GATE_PASS);
    ck_assert_int_eq(judge_by(rules, segment("192.0.2.1", 40000, SYN)), GATE_REFUSE);
    ck_assert_int_eq(judge_by(rules, segment("192.0.2.1", 40000, SYN | FIN)), GATE_REFUSE);
    ck_assert_int_eq(judge_by(rules, datagram("192.0.2.1", 40000)), GATE_REFUSE);
    ck_assert_int_eq(judge_by(rules, segment("127.0.0.1", 40000, ACK)), GATE_DROP);
    ck_assert_int_eq(judge_by(rules, segment("192.0.2.255", 40000, SYN)), GATE_DROP);
    fragment.bytes[ETHERNET + 6] = 0x20;
    ck_assert_int_eq(judge_by(rules, fragment), GATE_DROP);
}
END_TEST

START_TEST(a_refusal_names_the_target)
{
    struct frame frame = segment("10.0.0.1", 5432, SYN);
    struct gate_rules rules = alone();
    struct gate_target target = {0};

    questions = 0;
    ck_assert_int_eq(gate_judge(&rules, frame.bytes, frame.size, &target), GATE_REFUSE);
    ck_assert_uint_eq(target.address, 0x0a000001);
    ck_assert_uint_eq(target.port, 5432);
    /* What is never another machine's needs no question. */
    ck_assert_uint_eq(questions, 0);
}
END_TEST

/* QEMU would take them for this machine's loopback. */
START_TEST(nobody_is_at_the_other_near_addresses)
{
    static const char *const addresses[] = {"10.0.0.0", "10.0.0.2", "10.0.0.3", "10.0.0.253"};
    struct gate_rules far = alone(), open = alone();

    far.own = 0x0a000302; /* 10.0.3.2/22 */
    open.allow_host = true;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        ck_assert_int_eq(judge(segment(addresses[i], 80, SYN)), GATE_UNREACHABLE);
        ck_assert_int_eq(judge(segment(addresses[i], 80, ACK)), GATE_UNREACHABLE);
        ck_assert_int_eq(judge(datagram(addresses[i], 53)), GATE_UNREACHABLE);
        ck_assert_int_eq(judge(packet(IPPROTO_ICMP, addresses[i])), GATE_UNREACHABLE);
        ck_assert_int_eq(judge_by(open, datagram(addresses[i], 53)), GATE_UNREACHABLE);
    }
    ck_assert_int_eq(judge_by(far, datagram("10.0.2.2", 53)), GATE_UNREACHABLE);
    ck_assert_int_eq(judge_by(far, datagram("10.0.4.2", 53)), GATE_PASS);
}
END_TEST

START_TEST(other_instances_are_reached_by_ones_own_address_only)
{
    static const char *const addresses[] = {"10.0.0.3", "10.0.0.253", "10.0.7.2", "10.0.255.253"};
    struct gate_rules rules = alone(), isolated = alone();
    struct gate_target target = {0};

    rules.has_neighbours = true;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct frame frame = segment(addresses[i], 80, SYN);

        ck_assert_int_eq(gate_judge(&rules, frame.bytes, frame.size, &target), GATE_NEIGHBOUR);
        ck_assert_uint_eq(target.address, ntohl(inet_addr(addresses[i])));
        ck_assert_int_ne(judge_by(isolated, frame), GATE_NEIGHBOUR);
        frame.bytes[ETHERNET + 6] = 0x20; /* a fragment */
        ck_assert_int_eq(judge_by(rules, frame), GATE_NEIGHBOUR);
        put_address(frame.bytes + ETHERNET + 12, "10.0.0.4");
        ck_assert_int_eq(judge_by(rules, frame), GATE_DROP);
        put_address(frame.bytes + ETHERNET + 12, "10.0.0.1");
        ck_assert_int_eq(judge_by(rules, frame), GATE_DROP);
    }
    ck_assert_int_eq(judge_by(rules, segment("10.0.0.1", 80, SYN)), GATE_REFUSE);
    ck_assert_int_eq(judge_by(rules, segment("10.0.0.2", 80, SYN)), GATE_UNREACHABLE);
    ck_assert_int_eq(judge_by(rules, segment("10.1.0.3", 80, SYN)), GATE_PASS);
}
END_TEST

START_TEST(with_allow_host_nothing_is_refused)
{
    struct gate_rules rules = alone();

    rules.allow_host = rules.has_neighbours = true;
    questions = 0;
    ck_assert_int_eq(judge_by(rules, segment("10.0.0.1", 80, SYN)), GATE_PASS);
    ck_assert_int_eq(judge_by(rules, segment("10.0.0.254", 80, SYN)), GATE_PASS);
    ck_assert_int_eq(judge_by(rules, segment("127.0.0.1", 80, SYN)), GATE_PASS);
    ck_assert_int_eq(judge_by(rules, datagram("192.0.2.1", 80)), GATE_PASS);
    ck_assert_int_eq(judge_by(rules, datagram("10.0.0.9", 80)), GATE_NEIGHBOUR);
    ck_assert_uint_eq(questions, 0);
}
END_TEST

START_TEST(an_instance_takes_what_is_for_it)
{
    struct gate_rules rules = alone();
    struct frame frame = segment("10.0.0.2", 80, SYN);

    put_address(frame.bytes + ETHERNET + 12, "10.0.0.3");
    ck_assert(gate_welcomes(&rules, frame.bytes, frame.size));
    for (size_t size = 0; size < ETHERNET + 20; size++)
        ck_assert(!gate_welcomes(&rules, frame.bytes, size));
    put_address(frame.bytes + ETHERNET + 12, "10.0.0.1");
    ck_assert(!gate_welcomes(&rules, frame.bytes, frame.size));
    put_address(frame.bytes + ETHERNET + 12, "10.0.0.2");
    ck_assert(!gate_welcomes(&rules, frame.bytes, frame.size));
    put_address(frame.bytes + ETHERNET + 12, "192.0.2.2");
    ck_assert(!gate_welcomes(&rules, frame.bytes, frame.size));
    put_address(frame.bytes + ETHERNET + 12, "10.0.0.3");
    put_address(frame.bytes + ETHERNET + 16, "10.0.0.4");
    ck_assert(!gate_welcomes(&rules, frame.bytes, frame.size));
}
END_TEST

START_TEST(the_networks_own_services_are_reached)
{
    struct frame arp = packet(0, "10.0.0.1");

    ck_assert_int_eq(judge(datagram("10.0.0.254", 53)), GATE_PASS);
    ck_assert_int_eq(judge(segment("10.0.0.254", 53, SYN)), GATE_PASS);
    ck_assert_int_eq(judge(datagram("255.255.255.255", 67)), GATE_PASS);
    ck_assert_int_eq(judge(datagram("10.0.0.1", 67)), GATE_PASS);
    ck_assert_int_eq(judge(packet(IPPROTO_ICMP, "10.0.0.1")), GATE_PASS);
    arp.bytes[13] = 6;
    ck_assert_int_eq(judge(arp), GATE_PASS);
}
END_TEST

/* A forwarded port's connections come from the gateway. */
START_TEST(answers_of_forwarded_ports_pass)
{
    ck_assert_int_eq(judge(segment("10.0.0.1", 40000, SYN | ACK)), GATE_PASS);
    ck_assert_int_eq(judge(segment("10.0.0.1", 40000, ACK)), GATE_PASS);
    ck_assert_int_eq(judge(segment("10.0.0.1", 40000, 0x04)), GATE_PASS);
    ck_assert_int_eq(judge(segment("127.0.0.1", 40000, ACK)), GATE_DROP);
    ck_assert_int_eq(judge(segment("192.0.2.1", 40000, ACK)), GATE_DROP);
}
END_TEST

/* The network puts fragments together: what flags such a segment has shows too late. */
START_TEST(no_fragment_hides_a_request_to_this_machine)
{
    static const uint8_t fields[][2] = {{0x20, 0}, {0, 1}, {0x20, 8}, {0x1f, 0xff}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct frame frame = segment("10.0.0.1", 40000, ACK);

        memcpy(frame.bytes + ETHERNET + 6, fields[i], 2);
        ck_assert_int_ne(judge(frame), GATE_PASS);
        put_address(frame.bytes + ETHERNET + 16, "192.0.2.2");
        ck_assert_int_eq(judge(frame), GATE_PASS);
    }
}
END_TEST

START_TEST(what_is_cut_short_or_no_ipv4_is_dropped)
{
    struct frame whole = segment("192.0.2.2", 80, SYN), frame;

    for (size_t size = 0; size < ETHERNET + 20; size++) {
        frame = whole;
        frame.size = size;
        ck_assert_int_eq(judge(frame), GATE_DROP);
    }
    for (unsigned first = 0; first < 256; first++) {
        frame = whole;
        frame.bytes[ETHERNET] = (uint8_t)first;
        ck_assert_int_eq(judge(frame), first >= 0x45 && first <= 0x4a ? GATE_PASS : GATE_DROP);
    }
    frame = whole;
    memcpy(frame.bytes + 12, "\x86\xdd", 2); /* IPv6 */
    ck_assert_int_eq(judge(frame), GATE_DROP);
    memcpy(frame.bytes + 12, "\x81\x00", 2); /* a VLAN's */
    ck_assert_int_eq(judge(frame), GATE_DROP);
    frame = segment("10.0.0.1", 80, ACK);
    frame.size = ETHERNET + 20 + 13; /* without the flags */
    ck_assert_int_eq(judge(frame), GATE_REFUSE);
}
END_TEST

START_TEST(announcements_are_dropped_in_silence)
{
    ck_assert_int_eq(judge(datagram("224.0.0.251", 5353)), GATE_DROP);
    ck_assert_int_eq(judge(datagram("255.255.255.255", 9)), GATE_DROP);
    ck_assert_int_eq(judge(datagram("192.0.2.255", 137)), GATE_DROP);
    ck_assert_int_eq(judge(datagram("10.0.0.255", 137)), GATE_DROP);
}
END_TEST

static void send_frame(int fd, const struct frame *frame)
{
    uint8_t length[4] = {0, 0, 0, (uint8_t)frame->size};

    ck_assert_int_eq(send(fd, length, 4, 0), 4);
    ck_assert_int_eq(send(fd, frame->bytes, frame->size, 0), (int)frame->size);
}

/* Reads one frame, whose coming is waited for. */
static struct frame receive_frame(int fd)
{
    struct frame frame = {0};
    uint8_t length[4];

    ck_assert_int_eq(recv(fd, length, 4, MSG_WAITALL), 4);
    frame.size = length[3];
    ck_assert_uint_le(frame.size, FRAME_ROOM);
    ck_assert_int_eq(recv(fd, frame.bytes, frame.size, MSG_WAITALL), (int)frame.size);
    return frame;
}

static struct gate *open_gate(int ends[GATE_ENDS])
{
    const struct gate_config config = {.name = "test", .address = 0x0a000002, .listener = -1};
    struct gate *gate = gate_open(&config, ends, NULL);

    ck_assert_ptr_nonnull(gate);
    return gate;
}

START_TEST(a_gate_carries_and_answers)
{
    int ends[GATE_ENDS];
    struct gate *gate = open_gate(ends);
    struct frame away = segment("10.0.0.254", 53, SYN), here = segment("127.0.0.1", 22, SYN);
    struct pollfd news;
    struct gate_target target;

    for (int i = 0; i < 1000; i++) {
        send_frame(ends[GATE_FROM_GUEST], &here);
        send_frame(ends[GATE_FROM_GUEST], &away);
        ck_assert_mem_eq(receive_frame(ends[GATE_TO_NETWORK]).bytes, away.bytes, away.size);
        ck_assert_uint_eq(receive_frame(ends[GATE_TO_GUEST]).bytes[ETHERNET + 9], IPPROTO_ICMP);
    }
    news = (struct pollfd){gate_fd(gate), POLLIN, 0};
    ck_assert_int_eq(poll(&news, 1, -1), 1);
    ck_assert_int_eq(gate_next_refused(gate, &target), 1);
    ck_assert_uint_eq(target.address, INADDR_LOOPBACK);
    ck_assert_uint_eq(target.port, 22);
    /* The same is told once. */
    ck_assert_int_eq(gate_next_refused(gate, &target), 0);

    cleanup_close_fd(&ends[GATE_FROM_GUEST]);
    ck_assert_int_eq(poll(&news, 1, -1), 1);
    ck_assert_int_eq(gate_next_refused(gate, &target), -1);
    cleanup_close_fd(&ends[GATE_TO_NETWORK]);
    cleanup_close_fd(&ends[GATE_TO_GUEST]);
    gate_close(gate);
}
END_TEST

/* QEMU writes from the one thread that reads as well: a gate that waited for it would hang both. */
START_TEST(a_network_that_takes_nothing_holds_nothing_up)
{
    int ends[GATE_ENDS];
    struct gate *gate = open_gate(ends);
    struct frame away = segment("10.0.0.254", 53, SYN);

    for (int i = 0; i < 60000; i++)
        send_frame(ends[GATE_FROM_GUEST], &away);
    ck_assert_mem_eq(receive_frame(ends[GATE_TO_NETWORK]).bytes, away.bytes, away.size);
    for (int i = 0; i < GATE_ENDS; i++)
        cleanup_close_fd(&ends[i]);
    gate_close(gate);
}
END_TEST

UNIT_MAIN("gate", other_machines_are_reached, this_machine_is_not,
          answers_to_this_machine_pass_where_it_may_have_asked, a_refusal_names_the_target,
          nobody_is_at_the_other_near_addresses,
          other_instances_are_reached_by_ones_own_address_only, with_allow_host_nothing_is_refused,
          an_instance_takes_what_is_for_it, the_networks_own_services_are_reached,
          answers_of_forwarded_ports_pass, no_fragment_hides_a_request_to_this_machine,
          what_is_cut_short_or_no_ipv4_is_dropped, announcements_are_dropped_in_silence,
          a_gate_carries_and_answers, a_network_that_takes_nothing_holds_nothing_up)
