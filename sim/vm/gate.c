/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.c: the one place that every packet from the guest to QEMU's user network passes.
 *
 * Theory of operation: filters of QEMU's on the network's side redirect what the guest sends into a
 * socket, and take in from two others what is to go on to the network and to the guest.  A thread
 * of the supervisor is between them.  QEMU's one loop writes frames and waits until they are taken,
 * so the gate never waits for it: a frame for which there is no room is dropped, as networks do.
 *
 * The filter would let all pass if its socket were closed.  So the gate keeps it open until QEMU
 * has ended, and if the socket fails (for lack of the host's memory, say) the VM is ended.
 *
 * Frames on the sockets have QEMU's form: a length of 32 bits, big-endian, and the bytes.
 */
#include "gate.h"

#include "qemu.h"

#include <romsim/cleanup.h>
#include <romsim/error.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ETHERNET_SIZE = 14,
    ETHERNET_IPV4 = 0x0800,
    ETHERNET_ARP = 0x0806,
    IPV4_SIZE = 20,
    IPV4_FRAGMENT = 0x3fff, /* an offset, or more to come */
    PORT_DNS = 53,
    PORT_DHCP_SERVER = 67,
    TCP_SYN = 0x02,
    TCP_ACK = 0x10,
    ICMP_UNREACHABLE = 3,
    ICMP_CODE_FILTERED = 13,
    FRAME_MAX = 4096 + 65536, /* QEMU's own */
    LANE_SIZE = 1 << 20,      /* more than QEMU takes from the guest at once */
    REMEMBERED = 64,          /* addresses */
    TOLD_MAX = 8 /* refused targets; an app that scans the network is no news after them */
};

/* ---- the rules ------------------------------------------------------------------------------ */

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static uint32_t dotted(const char *text)
{
    return ntohl(inet_addr(text));
}

/* An IPv4 packet whose headers are there as far as they are looked at. */
struct packet {
    const uint8_t *bytes;
    size_t header, size; /* of the IP header; of all */
    uint32_t from, to;
    uint8_t protocol;
    bool is_fragment;
};

static bool take_packet(const uint8_t *frame, size_t size, struct packet *ret)
{
    struct packet packet = {.bytes = frame + ETHERNET_SIZE};

    if (size < ETHERNET_SIZE + IPV4_SIZE || get16(frame + 12) != ETHERNET_IPV4)
        return false;
    packet.size = size - ETHERNET_SIZE;
    packet.header = (size_t)(packet.bytes[0] & 0xf) * 4;
    if (packet.bytes[0] >> 4 != 4 || packet.header < IPV4_SIZE || packet.header > packet.size)
        return false;
    packet.is_fragment = get16(packet.bytes + 6) & IPV4_FRAGMENT;
    packet.protocol = packet.bytes[9];
    packet.from = get32(packet.bytes + 12);
    packet.to = get32(packet.bytes + 16);
    *ret = packet;
    return true;
}

/* The ports of TCP and UDP stand at the same place. */
static bool has_ports(const struct packet *packet)
{
    return !packet->is_fragment && packet->size >= packet->header + 4 &&
           (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
}

static uint16_t destination_port(const struct packet *packet)
{
    return has_ports(packet) ? get16(packet->bytes + packet->header + 2) : 0;
}

static bool opens_connection(const struct packet *packet)
{
    const uint8_t *tcp = packet->bytes + packet->header;

    return packet->size < packet->header + 14 || (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The network's own addresses.  It takes all else of 10.0.2.0/24 for the host's loopback, and what
 * goes to the resolver for any port of the host's resolver, which may be 127.0.0.1. */
static bool is_served(const struct packet *packet)
{
    bool to_gateway = packet->to == dotted(QEMU_NET_GATEWAY);
    bool to_resolver = packet->to == dotted(QEMU_NET_NAMESERVER);
    uint16_t port = destination_port(packet);

    if (packet->is_fragment)
        return false;
    switch (packet->protocol) {
    case IPPROTO_ICMP: /* answered by the network itself */
        return to_gateway || to_resolver;
    case IPPROTO_UDP:
        return (to_resolver && port == PORT_DNS) ||
               ((to_gateway || packet->to == INADDR_BROADCAST) && port == PORT_DHCP_SERVER);
    case IPPROTO_TCP: /* what opens no connection belongs to one: of a forwarded port, at most */
        return (to_resolver && port == PORT_DNS) ||
               ((to_gateway || to_resolver) && has_ports(packet) && !opens_connection(packet));
    default:
        return false;
    }
}

static bool is_in(uint32_t address, const char *network, unsigned bits)
{
    return (address ^ dotted(network)) >> (32 - bits) == 0;
}

/* What no address of another machine can be, whatever this machine's routes say. */
static bool is_special(uint32_t address)
{
    return is_in(address, "0.0.0.0", 8) || is_in(address, "127.0.0.0", 8) ||
           is_in(address, QEMU_NET_GATEWAY, 24) || address >= dotted("224.0.0.0");
}

/* Broadcasts and multicasts are announcements, and nobody's mistake. */
static bool is_for_many(const struct packet *packet)
{
    return packet->to >= dotted("224.0.0.0") || (packet->to & 0xff) == 0xff;
}

enum gate_verdict gate_judge(const uint8_t *frame, size_t size, gate_is_local *is_local,
                             void *context, struct gate_target *ret)
{
    struct packet packet;

    if (size >= ETHERNET_SIZE && get16(frame + 12) == ETHERNET_ARP)
        return GATE_PASS;
    if (!take_packet(frame, size, &packet))
        return GATE_DROP;
    if (is_served(&packet))
        return GATE_PASS;
    if (!is_special(packet.to) && !is_local(context, packet.to))
        return GATE_PASS;
    if (is_for_many(&packet) ||
        (packet.protocol == IPPROTO_TCP && (!has_ports(&packet) || !opens_connection(&packet))))
        return GATE_DROP;
    *ret = (struct gate_target){packet.to, destination_port(&packet)};
    return GATE_REFUSE;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void put16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* The internet checksum (RFC 1071). */
static unsigned checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

size_t gate_answer(const uint8_t *frame, size_t size, uint8_t ret[GATE_ANSWER_MAX])
{
    uint8_t *ip = ret + ETHERNET_SIZE, *icmp = ip + IPV4_SIZE;
    struct packet packet;
    size_t quoted;

    if (!take_packet(frame, size, &packet))
        return 0;
    /* It quotes the packet's header and 8 bytes more (RFC 792). */
    quoted = packet.header + 8 < packet.size ? packet.header + 8 : packet.size;
    memset(ret, 0, GATE_ANSWER_MAX);
    memcpy(ret, frame + 6, 6);
    memcpy(ret + 6, frame, 6);
    put16(ret + 12, ETHERNET_IPV4);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(IPV4_SIZE + 8 + quoted));
    ip[8] = 64;
    ip[9] = IPPROTO_ICMP;
    put16(ip + 12, dotted(QEMU_NET_GATEWAY) >> 16);
    put16(ip + 14, dotted(QEMU_NET_GATEWAY) & 0xffff);
    memcpy(ip + 16, packet.bytes + 12, 4);
    put16(ip + 10, checksum(ip, IPV4_SIZE));
    icmp[0] = ICMP_UNREACHABLE;
    icmp[1] = ICMP_CODE_FILTERED;
    memcpy(icmp + 8, packet.bytes, quoted);
    put16(icmp + 2, checksum(icmp, 8 + quoted));
    return ETHERNET_SIZE + IPV4_SIZE + 8 + quoted;
}

/* ---- this machine's addresses --------------------------------------------------------------- */

/* What the kernel said of an address; asked again after a second, as addresses come and go. */
struct memory {
    uint32_t address;
    bool is_local;
    time_t until; /* 0: empty */
};

struct gate {
    int sockets[GATE_ENDS];
    int routes;        /* a socket to ask the kernel with */
    int report[2];     /* a pipe: refused targets, each in one piece */
    uint32_t sequence; /* of questions to the kernel */
    struct memory memory[REMEMBERED];
    struct gate_target told[TOLD_MAX];
    size_t told_count;
    pthread_t thread;
    bool runs;
    size_t in_size, out_from, out_size;
    uint8_t in[LANE_SIZE];  /* as it was read */
    uint8_t out[LANE_SIZE]; /* whole frames for the network */
};

static time_t seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return time.tv_sec + 1;
}

struct question {
    struct nlmsghdr header;
    struct rtmsg route;
    struct rtattr attribute;
    uint32_t address;
};

static bool ask(struct gate *gate, uint32_t address)
{
    const struct question question = {
        .header = {.nlmsg_len = sizeof(question),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = ++gate->sequence},
        .route = {.rtm_family = AF_INET, .rtm_dst_len = 32},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = RTA_DST},
        .address = htonl(address),
    };

    return send(gate->routes, &question, sizeof(question), 0) == sizeof(question);
}

/* By the kernel's route to it: what goes to another machine is a unicast route, and what has no
 * route goes nowhere.  No answer at all counts as this machine's. */
static bool route_is_local(struct gate *gate, uint32_t address)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        char rest[2048];
    } answer;
    ssize_t size;

    if (!ask(gate, address))
        return true;
    do
        size = recv(gate->routes, &answer, sizeof(answer), 0);
    while ((size < 0 && errno == EINTR) ||
           (size >= (ssize_t)sizeof(answer.header) && answer.header.nlmsg_seq != gate->sequence));
    if (size < (ssize_t)sizeof(answer.header))
        return true;
    if (answer.header.nlmsg_type == NLMSG_ERROR)
        return false;
    return size < (ssize_t)(sizeof(answer.header) + sizeof(answer.route)) ||
           answer.route.rtm_type != RTN_UNICAST;
}

static bool is_local(void *context, uint32_t address)
{
    struct gate *gate = context;
    struct memory *memory = &gate->memory[address * 0x9e3779b1U >> 26];

    if (memory->address != address || memory->until < seconds())
        *memory = (struct memory){address, route_is_local(gate, address), seconds() + 1};
    return memory->is_local;
}

/* ---- carrying ------------------------------------------------------------------------------- */

static void put_length(uint8_t bytes[4], size_t size)
{
    put16(bytes, (unsigned)(size >> 16));
    put16(bytes + 2, size & 0xffff);
}

static void pass(struct gate *gate, const uint8_t *frame, size_t size)
{
    if (gate->out_from > 0) {
        gate->out_size -= gate->out_from;
        memmove(gate->out, gate->out + gate->out_from, gate->out_size);
        gate->out_from = 0;
    }
    if (gate->out_size + 4 + size > LANE_SIZE)
        return;
    put_length(gate->out + gate->out_size, size);
    memcpy(gate->out + gate->out_size + 4, frame, size);
    gate->out_size += 4 + size;
}

static void tell(struct gate *gate, const struct gate_target *target)
{
    for (size_t i = 0; i < gate->told_count; i++)
        if (gate->told[i].address == target->address && gate->told[i].port == target->port)
            return;
    if (gate->told_count == TOLD_MAX)
        return;
    gate->told[gate->told_count++] = *target;
    if (write(gate->report[1], target, sizeof(*target)) < 0)
        return;
}

/* An answer is so small that the socket takes all of it or nothing. */
static void refuse(struct gate *gate, const uint8_t *frame, size_t size)
{
    uint8_t answer[4 + GATE_ANSWER_MAX];
    size_t answer_size = gate_answer(frame, size, answer + 4);

    put_length(answer, answer_size);
    send(gate->sockets[GATE_TO_GUEST], answer, 4 + answer_size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_frame(struct gate *gate, const uint8_t *frame, size_t size)
{
    struct gate_target target;

    switch (gate_judge(frame, size, is_local, gate, &target)) {
    case GATE_PASS:
        pass(gate, frame, size);
        break;
    case GATE_REFUSE:
        tell(gate, &target);
        refuse(gate, frame, size);
        break;
    case GATE_DROP:
        break;
    }
}

/* Takes the whole frames that were read.  False when what was read is no frame. */
static bool take_frames(struct gate *gate)
{
    size_t at = 0;

    while (gate->in_size - at >= 4) {
        size_t size = get32(gate->in + at);

        if (size > FRAME_MAX)
            return false;
        if (gate->in_size - at < 4 + size)
            break;
        take_frame(gate, gate->in + at + 4, size);
        at += 4 + size;
    }
    gate->in_size -= at;
    memmove(gate->in, gate->in + at, gate->in_size);
    return true;
}

static bool is_over(ssize_t size)
{
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

/* Reads once, judges, and writes once.  False at an end. */
static bool carry(struct gate *gate)
{
    ssize_t size = recv(gate->sockets[GATE_FROM_GUEST], gate->in + gate->in_size,
                        LANE_SIZE - gate->in_size, MSG_DONTWAIT);

    if (is_over(size))
        return false;
    gate->in_size += size > 0 ? (size_t)size : 0;
    if (!take_frames(gate))
        return false;
    if (gate->out_from == gate->out_size)
        return true;
    size = send(gate->sockets[GATE_TO_NETWORK], gate->out + gate->out_from,
                gate->out_size - gate->out_from, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (is_over(size))
        return false;
    gate->out_from += size > 0 ? (size_t)size : 0;
    return true;
}

static void *run(void *argument)
{
    struct gate *gate = argument;

    do {
        bool waits = gate->out_from < gate->out_size;
        struct pollfd polls[] = {{gate->sockets[GATE_FROM_GUEST], POLLIN, 0},
                                 {gate->sockets[GATE_TO_NETWORK], waits ? POLLOUT : 0, 0}};

        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        if (polls[1].revents & (POLLERR | POLLHUP))
            break;
    } while (carry(gate));
    /* The supervisor sees this end, and ends QEMU if it is still there. */
    close(gate->report[1]);
    return NULL;
}

/* ---- from beginning to end ------------------------------------------------------------------ */

/* All signals are for the main thread. */
static int start_thread(struct gate *gate, struct romsim_error *err)
{
    sigset_t all, before;
    int problem;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    problem = pthread_create(&gate->thread, NULL, run, gate);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    gate->runs = problem == 0;
    return problem ? romsim_error_system(err, problem, "cannot start a thread") : 0;
}

static int open_sockets(struct gate *gate, int ends[GATE_ENDS], struct romsim_error *err)
{
    for (int i = 0; i < GATE_ENDS; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            return romsim_error_system(err, errno, "cannot make a socket");
        gate->sockets[i] = pair[0];
        ends[i] = pair[1];
    }
    if (pipe2(gate->report, O_CLOEXEC | O_NONBLOCK) < 0)
        return romsim_error_system(err, errno, "cannot make a pipe");
    gate->routes = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (gate->routes >= 0)
        return 0;
    romsim_error_system(err, errno, "cannot ask the kernel which addresses are this machine's");
    return romsim_error_hint(err, "with --allow-host the guest may reach them all");
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cleanup_close_fd(&fds[i]);
}

struct gate *gate_open(int ret_ends[GATE_ENDS], struct romsim_error *err)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    int ends[GATE_ENDS];

    if (!gate) {
        romsim_error_nomem(err);
        return NULL;
    }
    gate->routes = gate->report[0] = gate->report[1] = -1;
    for (int i = 0; i < GATE_ENDS; i++)
        gate->sockets[i] = ends[i] = -1;
    if (open_sockets(gate, ends, err) == 0 && start_thread(gate, err) == 0) {
        memcpy(ret_ends, ends, sizeof(ends));
        return gate;
    }
    close_all(ends, GATE_ENDS);
    gate_close(gate);
    return NULL;
}

void gate_close(struct gate *gate)
{
    if (!gate)
        return;
    if (gate->runs) {
        shutdown(gate->sockets[GATE_FROM_GUEST], SHUT_RDWR);
        pthread_join(gate->thread, NULL);
    } else {
        cleanup_close_fd(&gate->report[1]);
    }
    close_all(gate->sockets, GATE_ENDS);
    cleanup_close_fd(&gate->routes);
    cleanup_close_fd(&gate->report[0]);
    free(gate);
}

int gate_next_refused(struct gate *gate, struct gate_target *ret)
{
    ssize_t size = read(gate->report[0], ret, sizeof(*ret));

    if (size == sizeof(*ret))
        return 1;
    return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int gate_fd(const struct gate *gate)
{
    return gate ? gate->report[0] : -1;
}
