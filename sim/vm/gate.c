/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.c: the one place that every packet from the guest to QEMU's user network passes.
 *
 * Theory of operation: filters of QEMU's on the network's side redirect what the guest sends into a
 * socket, and take in from two others what is to go on to the network and to the guest.  A thread
 * of the keeper is between them.  QEMU's one loop writes frames and waits until they are taken,
 * so the gate never waits for it: a frame for which there is no room is dropped, as networks do.
 *
 * Frames to other instances never get to QEMU's network, which would take them for the host's.
 * Whoever sends has its source looked at by its own gate, and its destination by the other's.
 *
 * The filter would let all pass if its socket were closed.  So the gate keeps it open until QEMU
 * has ended, and if the socket fails (for lack of the host's memory, say) the VM is ended.
 *
 * Frames on the sockets have QEMU's form: a length of 32 bits, big-endian, and the bytes.
 */
#include "gate.h"

#include "address.h"
#include "answer.h"
#include "lan.h"

#include <romsim/cleanup.h>
#include <romsim/clock.h>
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
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT_DNS = 53,
    PORT_DHCP_SERVER = 67,
    TCP_SYN = 0x02,
    TCP_ACK = 0x10,
    LANE_SIZE = 1 << 20, /* more than QEMU takes from the guest at once */
    REMEMBERED = 64,     /* addresses */
    TOLD_MAX = 8         /* refused targets; an app that scans the network is no news after them */
};

/* ---- the rules ------------------------------------------------------------------------------ */

static bool opens_connection(const struct packet *packet)
{
    const uint8_t *tcp = packet->bytes + packet->header;

    return packet->size < packet->header + 14 || (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The network's own addresses.  It takes all else that is near for the host's loopback, and what
 * goes to the resolver for any port of the host's resolver, which may be 127.0.0.1. */
static bool is_served(const struct packet *packet)
{
    bool to_gateway = packet->to == ADDRESS_GATEWAY;
    bool to_resolver = packet->to == ADDRESS_RESOLVER;
    uint16_t port = packet_destination_port(packet);

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
               ((to_gateway || to_resolver) && packet_has_ports(packet) &&
                !opens_connection(packet));
    default:
        return false;
    }
}

static bool is_in(uint32_t address, const char *network, unsigned bits)
{
    return (address ^ ntohl(inet_addr(network))) >> (32 - bits) == 0;
}

/* What no address of another machine can be, whatever this machine's routes say. */
static bool is_special(const struct gate_rules *rules, uint32_t address)
{
    return is_in(address, "0.0.0.0", 8) || is_in(address, "127.0.0.0", 8) ||
           address_is_near(rules->own, address) || address >= INADDR_UNSPEC_GROUP;
}

/* Broadcasts and multicasts are announcements, and nobody's mistake. */
static bool is_for_many(const struct packet *packet)
{
    return packet->to >= INADDR_UNSPEC_GROUP || (packet->to & 0xff) == 0xff;
}

/* Other instances may be there. */
static bool is_neighbour(const struct gate_rules *rules, uint32_t address)
{
    return address_is_private(address) && address != rules->own && address != ADDRESS_GATEWAY &&
           address != ADDRESS_RESOLVER;
}

/* What opens no connection belongs to one: of a forwarded port, at most. */
static bool is_answer(const struct gate_rules *rules, const struct packet *packet)
{
    return rules->answers_host && packet->protocol == IPPROTO_TCP && packet_has_ports(packet) &&
           !packet->is_fragment && !opens_connection(packet);
}

enum gate_verdict gate_judge(const struct gate_rules *rules, const uint8_t *frame, size_t size,
                             struct gate_target *ret)
{
    struct packet packet;

    if (size >= ETHERNET_SIZE && packet_get16(frame + 12) == ETHERNET_ARP)
        return GATE_PASS;
    if (!packet_take(frame, size, &packet))
        return GATE_DROP;
    *ret = (struct gate_target){packet.to, packet_destination_port(&packet)};
    if (is_served(&packet))
        return GATE_PASS;
    /* What says that it is another's is for nobody. */
    if (rules->has_neighbours && is_neighbour(rules, packet.to))
        return packet.from == rules->own ? GATE_NEIGHBOUR : GATE_DROP;
    if (address_is_near(rules->own, packet.to) && packet.to != ADDRESS_GATEWAY &&
        packet.to != ADDRESS_RESOLVER)
        return is_for_many(&packet) ? GATE_DROP : GATE_UNREACHABLE;
    if (rules->allow_host)
        return GATE_PASS;
    if (!is_special(rules, packet.to) &&
        (!rules->is_local(rules->context, packet.to) || is_answer(rules, &packet)))
        return GATE_PASS;
    if (is_for_many(&packet) || (packet.protocol == IPPROTO_TCP &&
                                 (!packet_has_ports(&packet) || !opens_connection(&packet))))
        return GATE_DROP;
    return GATE_REFUSE;
}

bool gate_welcomes(const struct gate_rules *rules, const uint8_t *frame, size_t size)
{
    struct packet packet;

    return packet_take(frame, size, &packet) && packet.to == rules->own &&
           is_neighbour(rules, packet.from);
}

/* ---- this machine's addresses --------------------------------------------------------------- */

/* What the kernel said of an address; asked again after a second, as addresses come and go. */
struct memory {
    uint32_t address;
    bool is_local;
    time_t until; /* 0: empty */
};

/* Whole frames that QEMU is to read. */
struct lane {
    size_t from, size;
    uint8_t bytes[LANE_SIZE];
};

struct gate {
    struct gate_config config;
    struct gate_rules rules;
    struct lan *lan; /* NULL: none */
    int sockets[GATE_ENDS];
    int routes;        /* a socket to ask the kernel with */
    int report[2];     /* a pipe: refused targets, each in one piece */
    uint32_t sequence; /* of questions to the kernel */
    struct memory memory[REMEMBERED];
    struct gate_target told[TOLD_MAX];
    size_t told_count;
    pthread_t thread;
    bool runs;
    atomic_bool *accepts;   /* does the guest accept connections, for each port */
    int bell;               /* an eventfd, when more of them do */
    bool is_barred;         /* who connects from the private network may have to wait, until: */
    uint64_t end_us;        /* 0: nobody has been let in yet */
    atomic_uint neighbours; /* frames from there */
    size_t in_size;
    uint8_t in[LANE_SIZE]; /* as it was read */
    struct lane to_network, to_guest, held;
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

/* A frame for which there is no room is dropped. */
static void add(struct lane *lane, const uint8_t *frame, size_t size)
{
    if (lane->from > 0) {
        lane->size -= lane->from;
        memmove(lane->bytes, lane->bytes + lane->from, lane->size);
        lane->from = 0;
    }
    if (size == 0 || lane->size + 4 + size > LANE_SIZE)
        return;
    packet_put32(lane->bytes + lane->size, (uint32_t)size);
    memcpy(lane->bytes + lane->size + 4, frame, size);
    lane->size += 4 + size;
}

static bool waits(const struct lane *lane)
{
    return lane->from < lane->size;
}

static bool is_over(ssize_t size)
{
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

/* False at an end. */
static bool flush(struct lane *lane, int fd)
{
    ssize_t size;

    if (!waits(lane))
        return true;
    size = send(fd, lane->bytes + lane->from, lane->size - lane->from, MSG_DONTWAIT | MSG_NOSIGNAL);
    lane->from += size > 0 ? (size_t)size : 0;
    return !is_over(size);
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

static void answer(struct gate *gate, const uint8_t *frame, size_t size, uint8_t code)
{
    uint8_t bytes[ANSWER_MAX];
    size_t answered = answer_unreachable(frame, size, code, bytes);

    add(&gate->to_guest, bytes, answered);
}

/* An answer_finder. */
static uint32_t find_name(void *context, const char *name)
{
    struct gate *gate = context;

    if (strcasecmp(name, gate->config.name) == 0)
        return gate->config.address;
    return gate->lan ? lan_find(gate->lan, name) : 0;
}

/* What needs nobody else. */
static bool serve(struct gate *gate, const uint8_t *frame, size_t size)
{
    uint8_t bytes[ANSWER_MAX];
    size_t answered = answer_arp(frame, size, gate->config.address, bytes);

    if (!answered)
        answered = answer_name(frame, size, find_name, gate, bytes);
    add(&gate->to_guest, bytes, answered);
    return answered;
}

static void take_verdict(struct gate *gate, enum gate_verdict verdict, const uint8_t *frame,
                         size_t size, const struct gate_target *target)
{
    switch (verdict) {
    case GATE_PASS:
        add(&gate->to_network, frame, size);
        break;
    case GATE_REFUSE:
        tell(gate, target);
        answer(gate, frame, size, ANSWER_FORBIDDEN);
        break;
    case GATE_UNREACHABLE:
        answer(gate, frame, size, ANSWER_NO_HOST);
        break;
    case GATE_NEIGHBOUR: /* it is on its way */
    case GATE_DROP:
        break;
    }
}

/* The hardware's addresses are those of the private ones, whatever the guest thinks.  The frame is
 * the gate's own copy. */
static bool send_to_neighbour(struct gate *gate, uint32_t address, uint8_t *frame, size_t size)
{
    uint8_t header[12];

    memcpy(header, frame, sizeof(header));
    address_mac(address, frame);
    address_mac(gate->config.address, frame + 6);
    if (lan_send(gate->lan, address, frame, size))
        return true;
    memcpy(frame, header, sizeof(header));
    return false;
}

static void take_frame(struct gate *gate, uint8_t *frame, size_t size)
{
    struct gate_rules alone = gate->rules;
    enum gate_verdict verdict;
    struct gate_target target;

    if (serve(gate, frame, size))
        return;
    verdict = gate_judge(&gate->rules, frame, size, &target);
    alone.has_neighbours = false;
    if (verdict == GATE_NEIGHBOUR && !send_to_neighbour(gate, target.address, frame, size))
        verdict = gate_judge(&alone, frame, size, &target);
    take_verdict(gate, verdict, frame, size, &target);
}

/* Does a frame open a connection? */
static bool knocks(const uint8_t *frame, size_t size, struct packet *ret)
{
    return packet_take(frame, size, ret) && ret->protocol == IPPROTO_TCP && packet_has_ports(ret) &&
           opens_connection(ret);
}

/* Has it to wait until the guest accepts it? */
static bool has_to_wait(const struct gate *gate, const uint8_t *frame, size_t size)
{
    struct packet packet;

    if (!gate->is_barred || !knocks(frame, size, &packet))
        return false;
    for (size_t i = 0; i < gate->config.port_count; i++)
        if (gate->config.ports[i].destination_port == packet_destination_port(&packet))
            return !gate->accepts[i];
    return !gate->end_us;
}

/* A lan_taker. */
static void take_from_lan(void *context, const uint8_t *frame, size_t size)
{
    struct gate *gate = context;

    if (!gate_welcomes(&gate->rules, frame, size))
        return;
    gate->neighbours++;
    add(has_to_wait(gate, frame, size) ? &gate->held : &gate->to_guest, frame, size);
}

/* Lets in those that need not wait any more. */
static void look_at_held(struct gate *gate)
{
    struct lane *held = &gate->held;
    size_t kept = 0, next;

    for (size_t at = 0; at < held->size; at = next) {
        size_t size = packet_get32(held->bytes + at);

        next = at + 4 + size;
        if (!has_to_wait(gate, held->bytes + at + 4, size)) {
            add(&gate->to_guest, held->bytes + at + 4, size);
            continue;
        }
        memmove(held->bytes + kept, held->bytes + at, 4 + size);
        kept += 4 + size;
    }
    held->size = kept;
}

static void take_bell(struct gate *gate)
{
    eventfd_t times;

    eventfd_read(gate->bell, &times);
    if (!gate->end_us)
        gate->end_us = romsim_clock_us() + GATE_PATIENCE_S * 1000000ULL;
    look_at_held(gate);
}

/* How long it may take until somebody need not wait any more, as poll() has it; ends the waiting
 * when it is time. */
static int wait_ms(struct gate *gate)
{
    uint64_t now = romsim_clock_us();

    if (!gate->is_barred || !gate->end_us)
        return -1;
    if (now < gate->end_us)
        return (int)((gate->end_us - now) / 1000) + 1;
    gate->is_barred = false;
    look_at_held(gate);
    return -1;
}

/* Takes the whole frames that were read.  False when what was read is no frame. */
static bool take_frames(struct gate *gate)
{
    size_t at = 0;

    while (gate->in_size - at >= 4) {
        size_t size = packet_get32(gate->in + at);

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

/* Reads once and judges.  False at an end. */
static bool take_from_guest(struct gate *gate)
{
    ssize_t size = recv(gate->sockets[GATE_FROM_GUEST], gate->in + gate->in_size,
                        LANE_SIZE - gate->in_size, MSG_DONTWAIT);

    if (is_over(size))
        return false;
    gate->in_size += size > 0 ? (size_t)size : 0;
    return take_frames(gate);
}

static struct pollfd poll_lane(const struct lane *lane, int fd)
{
    return (struct pollfd){fd, waits(lane) ? POLLOUT : 0, 0};
}

/* What is polled for beside the ends of QEMU's. */
enum { GATE_BELL = GATE_ENDS, GATE_POLLS };

/* Waits once, and carries what there is.  False at an end. */
static bool turn(struct gate *gate)
{
    const int *sockets = gate->sockets;
    int patience = wait_ms(gate);
    struct pollfd polls[GATE_POLLS + LAN_POLLS] = {
        [GATE_FROM_GUEST] = {sockets[GATE_FROM_GUEST], POLLIN, 0},
        [GATE_TO_NETWORK] = poll_lane(&gate->to_network, sockets[GATE_TO_NETWORK]),
        [GATE_TO_GUEST] = poll_lane(&gate->to_guest, sockets[GATE_TO_GUEST]),
        [GATE_BELL] = {gate->is_barred ? gate->bell : -1, POLLIN, 0},
    };
    size_t count = GATE_POLLS;

    if (gate->lan) {
        lan_polls(gate->lan, polls + GATE_POLLS);
        count += LAN_POLLS;
    }
    if (poll(polls, count, patience) < 0)
        return errno == EINTR;
    if ((polls[GATE_TO_NETWORK].revents | polls[GATE_TO_GUEST].revents) & (POLLERR | POLLHUP))
        return false;
    if (gate->lan)
        lan_dispatch(gate->lan, polls + GATE_POLLS, take_from_lan, gate);
    if (polls[GATE_BELL].revents)
        take_bell(gate);
    return take_from_guest(gate) && flush(&gate->to_network, sockets[GATE_TO_NETWORK]) &&
           flush(&gate->to_guest, sockets[GATE_TO_GUEST]);
}

static void *run(void *argument)
{
    struct gate *gate = argument;

    while (turn(gate))
        ;
    /* The keeper sees this end, and ends QEMU if it is still there. */
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
    gate->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (gate->bell < 0)
        return romsim_error_system(err, errno, "cannot make an eventfd");
    if (gate->config.allow_host)
        return 0;
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

static int join_lan(struct gate *gate, struct romsim_error *err)
{
    if (!gate->config.directory)
        return 0;
    gate->lan = lan_open(gate->config.directory, gate->config.listener, err);
    return gate->lan ? 0 : -1;
}

struct gate *gate_open(const struct gate_config *config, int ret_ends[GATE_ENDS],
                       struct romsim_error *err)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    int ends[GATE_ENDS];

    if (gate)
        gate->accepts = calloc(config->port_count + 1, sizeof(*gate->accepts));
    if (!gate || !gate->accepts) {
        free(gate);
        romsim_error_nomem(err);
        return NULL;
    }
    gate->config = *config;
    gate->rules = (struct gate_rules){.own = config->address,
                                      .has_neighbours = config->directory,
                                      .allow_host = config->allow_host,
                                      .answers_host = config->answers_host,
                                      .is_local = is_local,
                                      .context = gate};
    gate->is_barred = config->port_count > 0;
    gate->routes = gate->bell = gate->report[0] = gate->report[1] = -1;
    for (int i = 0; i < GATE_ENDS; i++)
        gate->sockets[i] = ends[i] = -1;
    if (open_sockets(gate, ends, err) == 0 && join_lan(gate, err) == 0 &&
        start_thread(gate, err) == 0) {
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
    lan_close(gate->lan);
    cleanup_close_fd(&gate->routes);
    cleanup_close_fd(&gate->bell);
    cleanup_close_fd(&gate->report[0]);
    free(gate->accepts);
    free(gate);
}

void gate_let_in(struct gate *gate, size_t port)
{
    if (port < gate->config.port_count && !atomic_exchange(&gate->accepts[port], true))
        eventfd_write(gate->bell, 1);
}

unsigned gate_neighbours(const struct gate *gate)
{
    return gate ? gate->neighbours : 0;
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
