/* SPDX-License-Identifier: BSD-3-Clause */
/* lan.c: the private network of instances: addresses, names, and frames from gate to gate. */
#include "harness.h"

#include "sim/vm/address.h"
#include "sim/vm/answer.h"
#include "sim/vm/gate.h"
#include "sim/vm/meeting.h"

#include <romsim/cleanup.h>
#include <romsim/paths.h>
#include <romsim/state.h>

#include <netinet/in.h>
#include <sys/socket.h>

enum { ICMP = IPPROTO_ICMP, WEB = 0x0a000002, SHOP = 0x0a000003 };

struct frame {
    uint8_t bytes[1600];
    size_t size;
};

/* ---- addresses --------------------------------------------------------------------------------
 */

START_TEST(every_number_has_an_address_of_its_own)
{
    char text[ADDRESS_TEXT], mac[ADDRESS_MAC_TEXT];
    uint32_t last = ADDRESS_GATEWAY;

    for (unsigned number = 1; number <= 64512; number++) {
        uint32_t address = address_of(number);

        ck_assert_uint_gt(address, last);
        ck_assert(address_is_private(address) && address_is_near(address, address));
        ck_assert(address != ADDRESS_RESOLVER && (address & 0xff) >= 2 && (address & 0xff) < 254);
        ck_assert(address_is_near(address, ADDRESS_GATEWAY) &&
                  address_is_near(address, ADDRESS_RESOLVER));
        last = address;
    }
    ck_assert_uint_eq(address_of(0), 0);
    ck_assert_uint_eq(address_of(64513), 0);
    address_print(address_of(1), text);
    address_print_mac(address_of(1), mac);
    ck_assert_str_eq(text, "10.0.0.2");
    ck_assert_str_eq(mac, "12:b0:0a:00:00:02");
    address_print(address_of(253), text);
    ck_assert_str_eq(text, "10.0.1.2");
}
END_TEST

START_TEST(a_network_is_no_larger_than_it_must_be)
{
    ck_assert_uint_eq(address_prefix(0x0a000002), 24);
    ck_assert_uint_eq(address_prefix(0x0a000102), 23);
    ck_assert_uint_eq(address_prefix(0x0a0002fd), 22);
    ck_assert_uint_eq(address_prefix(0x0a00fffd), 16);
    ck_assert(!address_is_near(0x0a000002, 0x0a000102));
    ck_assert(!address_is_private(0x0a010002));
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------
 */

static void add(struct frame *frame, const void *bytes, size_t size)
{
    ck_assert_uint_le(frame->size + size, sizeof(frame->bytes));
    memcpy(frame->bytes + frame->size, bytes, size);
    frame->size += size;
}

static void add16(struct frame *frame, unsigned value)
{
    uint8_t bytes[2];

    packet_put16(bytes, value);
    add(frame, bytes, 2);
}

static void add32(struct frame *frame, uint32_t value)
{
    add16(frame, value >> 16);
    add16(frame, value & 0xffff);
}

/* An Ethernet frame with a packet of so many bytes. */
static struct frame packet(uint32_t from, uint32_t to, uint8_t protocol, const void *bytes,
                           size_t size)
{
    struct frame frame = {0};

    add(&frame, "\x52\x55\x0a\0\0\xfe\x12\xb0\x0a\0\0\2\x08\0\x45", 16);
    add16(&frame, (unsigned)(20 + size));
    add32(&frame, 0x00010000);
    add(&frame, (uint8_t[]){64, protocol, 0, 0}, 4);
    add32(&frame, from);
    add32(&frame, to);
    add(&frame, bytes, size);
    return frame;
}

/* A DNS message for a name whose labels end with dots: "web.internal.". */
static struct frame message(const char *name, unsigned type)
{
    struct frame message = {0};

    add(&message, "\x12\x34\x01\0\0\1\0\0\0\0\0\0", 12);
    for (; *name; name += strcspn(name, ".") + 1) {
        uint8_t size = (uint8_t)strcspn(name, ".");

        add(&message, &size, 1);
        add(&message, name, size);
    }
    add(&message, "", 1);
    add16(&message, type);
    add16(&message, 1);
    return message;
}

/* It goes from port 40000 to the resolver's 53. */
static struct frame query_of(const struct frame *message)
{
    struct frame udp = {0};

    add16(&udp, 40000);
    add16(&udp, 53);
    add16(&udp, (unsigned)(8 + message->size));
    add16(&udp, 0);
    add(&udp, message->bytes, message->size);
    return packet(WEB, ADDRESS_RESOLVER, IPPROTO_UDP, udp.bytes, udp.size);
}

static struct frame query(const char *name, unsigned type)
{
    struct frame question = message(name, type);

    return query_of(&question);
}

static uint32_t find_shop(void *context, const char *name)
{
    (void)context;
    return strcasecmp(name, "shop") == 0 || strcmp(name, "a.b-c_d") == 0 ? SHOP : 0;
}

/* The answer's size, 0 if there is none. */
static size_t answer(const struct frame *frame, uint8_t ret[ANSWER_MAX])
{
    /* Exactly as large as the frame, so that a sanitizer sees what is read behind it. */
    uint8_t *copy = malloc(frame->size + !frame->size);
    size_t size;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, frame->bytes, frame->size);
    size = answer_name(copy, frame->size, find_shop, NULL, ret);
    free(copy);
    return size;
}

enum { DNS = ETHERNET_SIZE + IPV4_SIZE + UDP_SIZE };

START_TEST(a_name_has_an_address)
{
    static const char *const names[] = {"shop.internal.", "SHOP.Internal.", "a.b-c_d.internal."};
    uint8_t bytes[ANSWER_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct frame frame = query(names[i], 1);
        size_t size = answer(&frame, bytes);

        ck_assert_uint_eq(size, frame.size + 16);
        ck_assert_mem_eq(bytes, frame.bytes + 6, 6);
        ck_assert_mem_eq(bytes + 6, frame.bytes, 6);
        ck_assert_uint_eq(packet_get32(bytes + ETHERNET_SIZE + 12), ADDRESS_RESOLVER);
        ck_assert_uint_eq(packet_get32(bytes + ETHERNET_SIZE + 16), WEB);
        ck_assert_uint_eq(packet_get16(bytes + ETHERNET_SIZE + 2), size - ETHERNET_SIZE);
        ck_assert_uint_eq(packet_checksum(0, bytes + ETHERNET_SIZE, IPV4_SIZE), 0);
        ck_assert_uint_eq(packet_get16(bytes + DNS - 8), 53);
        ck_assert_uint_eq(packet_get16(bytes + DNS - 6), 40000);
        ck_assert_uint_eq(packet_get16(bytes + DNS - 4), size - DNS + 8);
        ck_assert_mem_eq(bytes + DNS, "\x12\x34\x85\x80\0\1\0\1\0\0\0\0", 12);
        ck_assert_mem_eq(bytes + DNS + 12, frame.bytes + DNS + 12, frame.size - DNS - 12);
        ck_assert_mem_eq(bytes + frame.size, "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\0\0\3", 16);
    }
}
END_TEST

/* The sum over the pseudo-header and all of the datagram, its checksum among it, is none. */
START_TEST(an_answers_checksum_is_right)
{
    struct frame frame = query("shop.internal.", 1);
    uint8_t bytes[ANSWER_MAX];
    size_t size = answer(&frame, bytes) - ETHERNET_SIZE - IPV4_SIZE;
    uint32_t sum = IPPROTO_UDP + (uint32_t)size;

    for (size_t i = 12; i < 20; i += 2)
        sum += packet_get16(bytes + ETHERNET_SIZE + i);
    ck_assert_uint_eq(packet_checksum(sum, bytes + ETHERNET_SIZE + IPV4_SIZE, size), 0);
}
END_TEST

START_TEST(other_kinds_of_records_there_are_none)
{
    static const unsigned types[] = {28 /* AAAA */, 15, 16, 33, 65};
    uint8_t bytes[ANSWER_MAX];

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct frame frame = query("shop.internal.", types[i]);

        ck_assert_uint_eq(answer(&frame, bytes), frame.size);
        ck_assert_mem_eq(bytes + DNS + 2, "\x85\x80\0\1\0\0\0\0\0\0", 10);
    }
}
END_TEST

START_TEST(unknown_names_are_known_to_be)
{
    static const char *const names[] = {"nobody.internal.", "internal.", "sh/op.internal.",
                                        "shop.shop.internal."};
    uint8_t bytes[ANSWER_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct frame frame = query(names[i], 1);

        ck_assert_uint_eq(answer(&frame, bytes), frame.size);
        ck_assert_mem_eq(bytes + DNS + 2, "\x85\x83\0\1\0\0\0\0\0\0", 10);
    }
}
END_TEST

/* A label may have any bytes, and a dot in it is none between two. */
START_TEST(odd_labels_are_no_names)
{
    static const char *const labels[] = {"a.b-c_d", "shop\0x", "shop\xff", " shop"};
    static const uint8_t sizes[] = {7, 6, 5, 5};

    for (size_t i = 0; i < sizeof(sizes); i++) {
        struct frame question = message("internal.", 1), all = {0};
        uint8_t bytes[ANSWER_MAX];

        add(&all, question.bytes, 12);
        add(&all, &sizes[i], 1);
        add(&all, labels[i], sizes[i]);
        add(&all, question.bytes + 12, question.size - 12);
        all = query_of(&all);
        ck_assert_uint_eq(answer(&all, bytes), all.size);
        ck_assert_uint_eq(bytes[DNS + 3] & 0xf, 3);
    }
}
END_TEST

START_TEST(other_questions_are_the_resolvers)
{
    static const char *const names[] = {"shop.example.", "internal.shop.", "xinternal.", ".",
                                        "shop.internal.example."};
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{2, 0x81}, {2, 0x09}, {4, 1},  {5, 0},     {5, 2},
                   {7, 1},    {9, 1},    {12, 0}, {12, 0xc0}, {12, 64}};
    uint8_t bytes[ANSWER_MAX];
    struct frame frame;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        frame = query(names[i], 1);
        ck_assert_uint_eq(answer(&frame, bytes), 0);
    }
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        frame = query("shop.internal.", 1);
        frame.bytes[DNS + changes[i].at] = changes[i].value;
        ck_assert_uint_eq(answer(&frame, bytes), 0);
    }
    frame = query("shop.internal.", 1);
    packet_put32(frame.bytes + ETHERNET_SIZE + 16, ADDRESS_GATEWAY);
    ck_assert_uint_eq(answer(&frame, bytes), 0);
    frame = query("shop.internal.", 1);
    frame.bytes[DNS - 5]++; /* port 54 */
    ck_assert_uint_eq(answer(&frame, bytes), 0);
}
END_TEST

START_TEST(no_cut_or_changed_question_is_read_beyond_its_end)
{
    const struct frame whole = query("shop.internal.", 1);
    uint8_t bytes[ANSWER_MAX];

    for (size_t size = 0; size < whole.size; size++) {
        struct frame frame = whole;

        frame.size = size;
        ck_assert_uint_eq(answer(&frame, bytes), 0);
        /* Nor if the datagram says that it is so short. */
        if (size >= DNS) {
            packet_put16(frame.bytes + DNS - 4, (unsigned)(size - DNS + 8));
            ck_assert_uint_eq(answer(&frame, bytes), 0);
        }
    }
    for (size_t at = 0; at < whole.size; at++)
        for (unsigned value = 0; value < 256; value++) {
            struct frame frame = whole;

            frame.bytes[at] = (uint8_t)value;
            ck_assert_uint_le(answer(&frame, bytes), frame.size + 16);
        }
}
END_TEST

START_TEST(the_longest_name_has_room)
{
    char name[300];
    uint8_t bytes[ANSWER_MAX];
    struct frame frame;

    /* 3 labels of 63 bytes, one of 52, and "internal": 254 bytes on the wire, then 255, 256. */
    for (unsigned last = 51; last < 56; last++) {
        char *end = name;

        for (int i = 0; i < 4; i++) {
            unsigned size = i < 3 ? 63 : last;

            memset(end, 'x', size);
            end += size;
            *end++ = '.';
        }
        strcpy(end, "internal.");
        frame = query(name, 1);
        ck_assert_uint_eq(answer(&frame, bytes), last <= 52 ? frame.size : 0);
    }
}
END_TEST

/* ---- ARP and refusals -------------------------------------------------------------------------
 */

static struct frame who_has(uint32_t address)
{
    struct frame frame = {0};

    add(&frame, "\xff\xff\xff\xff\xff\xff\x12\xb0\x0a\0\0\2\x08\6", 14);
    add(&frame, "\0\1\x08\0\6\4\0\1\x12\xb0\x0a\0\0\2", 14);
    add32(&frame, WEB);
    add(&frame, "\0\0\0\0\0\0", 6);
    add32(&frame, address);
    return frame;
}

START_TEST(every_near_address_has_its_hardware)
{
    struct frame frame = who_has(SHOP);
    uint8_t bytes[ANSWER_MAX];

    ck_assert_uint_eq(answer_arp(frame.bytes, frame.size, WEB, bytes), 42);
    ck_assert_mem_eq(bytes,
                     "\x12\xb0\x0a\0\0\2\x12\xb0\x0a\0\0\3\x08\6\0\1\x08\0\6\4\0\2"
                     "\x12\xb0\x0a\0\0\3\x0a\0\0\3\x12\xb0\x0a\0\0\2\x0a\0\0\2",
                     42);
    for (size_t size = 0; size < frame.size; size++)
        ck_assert_uint_eq(answer_arp(frame.bytes, size, WEB, bytes), 0);
    /* Up to the operation every byte counts. */
    for (size_t at = 12; at < 22; at++) {
        frame = who_has(SHOP);
        frame.bytes[at] ^= 2;
        ck_assert_uint_eq(answer_arp(frame.bytes, frame.size, WEB, bytes), 0);
    }
}
END_TEST

START_TEST(others_answer_for_themselves)
{
    static const uint32_t addresses[] = {WEB, ADDRESS_GATEWAY, ADDRESS_RESOLVER, 0x0a010002,
                                         0xc0000201};
    uint8_t bytes[ANSWER_MAX];

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct frame frame = who_has(addresses[i]);

        ck_assert_uint_eq(answer_arp(frame.bytes, frame.size, WEB, bytes), 0);
    }
}
END_TEST

START_TEST(a_refusal_is_an_unreachable_destination)
{
    struct frame frame = packet(WEB, 0x7f000001, IPPROTO_TCP, "\1\2\3\4\5\6\7\x08\x09", 9);
    uint8_t bytes[ANSWER_MAX];
    const uint8_t *ip = bytes + ETHERNET_SIZE;
    size_t size = answer_unreachable(frame.bytes, frame.size, ANSWER_FORBIDDEN, bytes);

    ck_assert_uint_eq(size, ETHERNET_SIZE + 20 + 8 + 28);
    ck_assert_mem_eq(bytes, frame.bytes + 6, 6);
    ck_assert_mem_eq(bytes + 6, frame.bytes, 6);
    ck_assert_uint_eq(packet_get32(ip + 12), ADDRESS_GATEWAY);
    ck_assert_uint_eq(packet_get32(ip + 16), WEB);
    ck_assert_uint_eq(packet_checksum(0, ip, 20), 0);
    ck_assert_uint_eq(packet_checksum(0, ip + 20, 36), 0);
    ck_assert_mem_eq(ip + 20, "\3\x0d", 2);
    ck_assert_mem_eq(ip + 28, frame.bytes + ETHERNET_SIZE, 28);

    /* The longest header there is, and nothing behind it. */
    frame.bytes[ETHERNET_SIZE] = 0x4f;
    frame.size = ETHERNET_SIZE + 60;
    ck_assert_uint_eq(answer_unreachable(frame.bytes, frame.size, 1, bytes),
                      ETHERNET_SIZE + 20 + 8 + 60);
    frame.size--;
    ck_assert_uint_eq(answer_unreachable(frame.bytes, frame.size, 1, bytes), 0);
}
END_TEST

/* ---- gates that meet --------------------------------------------------------------------------
 */

static char runtime[] = "/tmp/romsim-unit-lan.XXXXXX";

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(runtime));
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(romsim_path_remove_tree(runtime, NULL), 0);
}

struct instance {
    const char *name;
    struct romsim_state *state;
    uint32_t address;
    struct gate *gate;
    int ends[GATE_ENDS];
};

static void start_gate(struct instance *instance, const char *directory,
                       const struct romsim_port *ports, size_t count)
{
    const struct gate_config config = {.name = instance->name,
                                       .address = instance->address,
                                       .listener = -1,
                                       .directory = directory,
                                       .ports = ports,
                                       .port_count = count};

    instance->gate = gate_open(&config, instance->ends, NULL);
    ck_assert_ptr_nonnull(instance->gate);
}

static void start(struct instance *instance, bool isolated)
{
    start_gate(instance, isolated ? NULL : romsim_state_directory(instance->state), NULL, 0);
}

static void stop(struct instance *instance)
{
    for (int i = 0; i < GATE_ENDS; i++)
        cleanup_close_fd(&instance->ends[i]);
    gate_close(instance->gate);
}

/* "web" is the first, "shop" the second. */
static struct instance create(const char *name)
{
    struct instance instance = {.name = name,
                                .state = romsim_state_new(ROMSIM_STATE_INSTANCE, name, NULL)};

    ck_assert_ptr_nonnull(instance.state);
    instance.address = address_of(romsim_state_number(instance.state));
    return instance;
}

static void send_frame(const struct instance *from, const struct frame *frame)
{
    uint8_t length[4];

    packet_put32(length, (uint32_t)frame->size);
    ck_assert_int_eq(send(from->ends[GATE_FROM_GUEST], length, 4, 0), 4);
    ck_assert_int_eq(send(from->ends[GATE_FROM_GUEST], frame->bytes, frame->size, 0),
                     (int)frame->size);
}

/* What the gate has for its guest, which is waited for. */
static struct frame receive_frame(const struct instance *to)
{
    struct frame frame = {0};
    uint8_t length[4];
    int fd = to->ends[GATE_TO_GUEST];

    ck_assert_int_eq(recv(fd, length, 4, MSG_WAITALL), 4);
    frame.size = packet_get32(length);
    ck_assert_uint_le(frame.size, sizeof(frame.bytes));
    ck_assert_int_eq(recv(fd, frame.bytes, frame.size, MSG_WAITALL), (int)frame.size);
    return frame;
}

static uint8_t protocol_of(struct frame frame)
{
    return frame.bytes[ETHERNET_SIZE + 9];
}

static struct frame hello(const struct instance *from, const struct instance *to)
{
    return packet(from->address, to->address, IPPROTO_TCP, "what is not looked at", 21);
}

START_TEST(instances_reach_each_other)
{
    struct instance web = create("web"), shop = create("shop");
    struct frame there = hello(&web, &shop), back = hello(&shop, &web), frame;

    ck_assert_uint_eq(web.address, WEB);
    ck_assert_uint_eq(shop.address, SHOP);
    start(&web, false);
    start(&shop, false);
    for (int i = 0; i < 500; i++) {
        send_frame(&web, &there);
        frame = receive_frame(&shop);
        ck_assert_uint_eq(frame.size, there.size);
        ck_assert_mem_eq(frame.bytes, "\x12\xb0\x0a\0\0\3\x12\xb0\x0a\0\0\2", 12);
        ck_assert_mem_eq(frame.bytes + 12, there.bytes + 12, there.size - 12);
        send_frame(&shop, &back);
        frame = receive_frame(&web);
        ck_assert_mem_eq(frame.bytes + 12, back.bytes + 12, back.size - 12);
    }
    stop(&web);
    stop(&shop);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

START_TEST(names_are_those_of_the_instances_that_there_are)
{
    struct instance web = create("web"), shop = create("Shop.2");
    static const struct {
        const char *name;
        uint32_t address;
    } names[] = {{"web.internal.", WEB},
                 {"Shop.2.internal.", SHOP},
                 {"shop.2.internal.", SHOP},
                 {"other.internal.", 0}};

    start(&web, false); /* and the other one does not run */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct frame question = query(names[i].name, 1), frame;

        send_frame(&web, &question);
        frame = receive_frame(&web);
        ck_assert_uint_eq(frame.size, question.size + (names[i].address ? 16 : 0));
        ck_assert_uint_eq(frame.bytes[DNS + 3] & 0xf, names[i].address ? 0 : 3);
        if (names[i].address)
            ck_assert_uint_eq(packet_get32(frame.bytes + frame.size - 4), names[i].address);
    }
    stop(&web);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

START_TEST(who_is_not_there_is_unreachable_until_it_is)
{
    struct instance web = create("web"), shop = create("shop");
    struct frame there = hello(&web, &shop);

    start(&web, false);
    send_frame(&web, &there);
    ck_assert_uint_eq(protocol_of(receive_frame(&web)), ICMP);
    for (int i = 0; i < 20; i++) {
        start(&shop, false);
        send_frame(&web, &there);
        ck_assert_uint_eq(protocol_of(receive_frame(&shop)), IPPROTO_TCP);
        stop(&shop);
        send_frame(&web, &there);
        ck_assert_uint_eq(protocol_of(receive_frame(&web)), ICMP);
    }
    stop(&web);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

START_TEST(an_isolated_instance_reaches_nobody_and_is_not_reached)
{
    struct instance web = create("web"), shop = create("shop");
    struct frame there = hello(&web, &shop), back = hello(&shop, &web), question, frame;

    start(&web, false);
    start(&shop, true);
    send_frame(&web, &there);
    ck_assert_uint_eq(protocol_of(receive_frame(&web)), ICMP);
    send_frame(&shop, &back);
    ck_assert_uint_eq(protocol_of(receive_frame(&shop)), ICMP);
    question = query("web.internal.", 1);
    send_frame(&shop, &question);
    ck_assert_uint_eq(receive_frame(&shop).bytes[DNS + 3] & 0xf, 3);
    question = query("shop.internal.", 1);
    send_frame(&shop, &question);
    frame = receive_frame(&shop);
    ck_assert_uint_eq(packet_get32(frame.bytes + frame.size - 4), SHOP);
    stop(&web);
    stop(&shop);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

/* A TCP packet that opens a connection to a port. */
static struct frame knock(const struct instance *from, const struct instance *to, uint16_t port)
{
    uint8_t tcp[20] = {0};

    packet_put16(tcp, 1234);
    packet_put16(tcp + 2, port);
    tcp[12] = 5 << 4;
    tcp[13] = 2; /* SYN */
    return packet(from->address, to->address, IPPROTO_TCP, tcp, sizeof(tcp));
}

static unsigned port_of(struct frame frame)
{
    return packet_get16(frame.bytes + ETHERNET_SIZE + IPV4_SIZE + 2);
}

/* What waits does not come, so what comes first is what may. */
START_TEST(who_knocks_waits_until_that_port_accepts)
{
    static const struct romsim_port ports[] = {{.destination_port = 8080},
                                               {.destination_port = 9000}};
    static const uint16_t knocks[] = {8080, 22, 9000, 8080, 9000};
    struct instance web = create("web"), shop = create("shop");
    struct frame frame, other = packet(web.address, shop.address, 17, "a datagram", 10);

    start(&web, false);
    start_gate(&shop, romsim_state_directory(shop.state), ports, 2);
    for (size_t i = 0; i < sizeof(knocks) / sizeof(knocks[0]); i++) {
        frame = knock(&web, &shop, knocks[i]);
        send_frame(&web, &frame);
    }
    send_frame(&web, &other); /* opens nothing, and so comes at once */
    frame = receive_frame(&shop);
    ck_assert_mem_eq(frame.bytes + 12, other.bytes + 12, other.size - 12);
    gate_let_in(shop.gate, 1);
    ck_assert_uint_eq(port_of(receive_frame(&shop)), 22);
    ck_assert_uint_eq(port_of(receive_frame(&shop)), 9000);
    ck_assert_uint_eq(port_of(receive_frame(&shop)), 9000);
    frame = knock(&web, &shop, 8080);
    send_frame(&web, &frame);
    frame = knock(&web, &shop, 9000);
    send_frame(&web, &frame);
    ck_assert_uint_eq(port_of(receive_frame(&shop)), 9000);
    gate_let_in(shop.gate, 0);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(port_of(receive_frame(&shop)), 8080);
    frame = knock(&web, &shop, 8080);
    send_frame(&web, &frame);
    ck_assert_uint_eq(port_of(receive_frame(&shop)), 8080);
    stop(&web);
    stop(&shop);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

/* What is forged is dropped, so what comes first is what was sent last. */
START_TEST(nothing_forged_arrives)
{
    struct instance web = create("web"), shop = create("shop");
    struct frame there = hello(&web, &shop), forged = there;
    int fd;

    start(&web, false);
    start(&shop, false);
    packet_put32(forged.bytes + ETHERNET_SIZE + 12, 0x0a000009);
    send_frame(&web, &forged);
    send_frame(&web, &there);
    ck_assert_mem_eq(receive_frame(&shop).bytes + 12, there.bytes + 12, there.size - 12);

    /* Nor from who gets to the socket. */
    fd = meeting_connect(romsim_state_directory(shop.state), "network");
    ck_assert_int_ge(fd, 0);
    packet_put32(forged.bytes + ETHERNET_SIZE + 12, ADDRESS_GATEWAY);
    ck_assert_int_eq(send(fd, forged.bytes, forged.size, 0), (int)forged.size);
    for (size_t size = 1; size < ETHERNET_SIZE + IPV4_SIZE; size++)
        ck_assert_int_eq(send(fd, there.bytes, size, 0), (int)size);
    ck_assert_int_eq(send(fd, there.bytes, there.size, 0), (int)there.size);
    ck_assert_mem_eq(receive_frame(&shop).bytes, there.bytes, there.size);
    close(fd);
    stop(&web);
    stop(&shop);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

/* A guest that takes nothing, then a keeper that does not. */
START_TEST(a_flood_holds_nobody_up)
{
    struct instance web = create("web"), shop = create("shop");
    struct frame there = hello(&web, &shop), question = query("web.internal.", 1);
    int listener;

    start(&web, false);
    start(&shop, false);
    for (int i = 0; i < 40000; i++)
        send_frame(&web, &there);
    ck_assert_uint_eq(protocol_of(receive_frame(&shop)), IPPROTO_TCP);
    stop(&shop);

    listener = meeting_listen(romsim_state_directory(shop.state), "network");
    ck_assert_int_ge(listener, 0);
    for (int i = 0; i < 40000; i++)
        send_frame(&web, &there);
    send_frame(&web, &question);
    while (protocol_of(receive_frame(&web)) != IPPROTO_UDP)
        ; /* some were told that the first one was gone */
    close(listener);
    stop(&web);
    romsim_state_free(web.state);
    romsim_state_free(shop.state);
}
END_TEST

/* More than a gate keeps connections for. */
START_TEST(many_instances_reach_one)
{
    enum { MANY = 150 };
    struct instance web = create("web");
    int peers[MANY];

    start(&web, false);
    for (unsigned i = 0; i < MANY; i++) {
        struct frame frame = packet(address_of(2 + i), web.address, IPPROTO_UDP, "one of many", 11);

        peers[i] = meeting_connect(romsim_state_directory(web.state), "network");
        ck_assert_int_ge(peers[i], 0);
        ck_assert_int_eq(send(peers[i], frame.bytes, frame.size, 0), (int)frame.size);
        ck_assert_mem_eq(receive_frame(&web).bytes, frame.bytes, frame.size);
    }
    for (unsigned i = 0; i < MANY; i++)
        close(peers[i]);
    stop(&web);
    romsim_state_free(web.state);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_number_has_an_address_of_its_own,
                                  a_network_is_no_larger_than_it_must_be,
                                  a_name_has_an_address,
                                  an_answers_checksum_is_right,
                                  other_kinds_of_records_there_are_none,
                                  unknown_names_are_known_to_be,
                                  odd_labels_are_no_names,
                                  other_questions_are_the_resolvers,
                                  no_cut_or_changed_question_is_read_beyond_its_end,
                                  the_longest_name_has_room,
                                  every_near_address_has_its_hardware,
                                  others_answer_for_themselves,
                                  a_refusal_is_an_unreachable_destination,
                                  instances_reach_each_other,
                                  names_are_those_of_the_instances_that_there_are,
                                  who_is_not_there_is_unreachable_until_it_is,
                                  an_isolated_instance_reaches_nobody_and_is_not_reached,
                                  who_knocks_waits_until_that_port_accepts,
                                  nothing_forged_arrives,
                                  a_flood_holds_nobody_up,
                                  many_instances_reach_one};
    TCase *tcase = tcase_create("lan");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case("lan", tcase);
}
