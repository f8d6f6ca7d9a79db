/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libukp.c: /uk/libukp, the files by which an app speaks with the platform (cloud-rules §4):
 *
 *     template_instance          "1" is written where the instance may become a template; the write
 *                                returns once it is to go on
 *     scale_to_zero_disable      a count: while it is not 0, the instance is never put to standby.
 *                                "+" and "-", "+N" and "-N" change it, "=N" sets it; read, it is
 *                                "=N"
 *
 * A write that waits, and one that fails with the right errno, are no plain file's: init answers
 * for the directory itself, in the kernel's FUSE protocol (include/uapi/linux/fuse.h,
 * version 7.31), which it speaks as far as two files need it.  A kernel without FUSE has no such
 * directory.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "/uk/libukp"

enum { VERSION_MAJOR = 7, VERSION_MINOR = 31, WRITE_MAX = 4096, REQUEST_MAX = 16 << 10 };

/* Operations of the protocol. */
enum {
    OP_LOOKUP = 1,
    OP_FORGET = 2,
    OP_GETATTR = 3,
    OP_SETATTR = 4,
    OP_OPEN = 14,
    OP_READ = 15,
    OP_WRITE = 16,
    OP_STATFS = 17,
    OP_RELEASE = 18,
    OP_INIT = 26,
    OP_OPENDIR = 27,
    OP_READDIR = 28,
    OP_RELEASEDIR = 29,
    OP_INTERRUPT = 36,
    OP_BATCH_FORGET = 42
};

enum { OPEN_DIRECT_IO = 1 }; /* what is read and written is never cached */

struct request {
    uint32_t size, operation;
    uint64_t unique, node;
    uint32_t uid, gid, pid, padding;
};

struct reply {
    uint32_t size;
    int32_t error; /* negative */
    uint64_t unique;
};

struct attributes {
    uint64_t inode, size, blocks, times[3];
    uint32_t nanoseconds[3], mode, links, uid, gid, device, block_size, padding;
};

struct attributes_reply {
    uint64_t valid;
    uint32_t valid_nanoseconds, padding;
    struct attributes attributes;
};

struct entry_reply {
    uint64_t node, generation, valid, attributes_valid;
    uint32_t valid_nanoseconds, attributes_valid_nanoseconds;
    struct attributes attributes;
};

struct init_reply {
    uint32_t major, minor, readahead, flags;
    uint16_t background, congestion;
    uint32_t write_max, granularity;
    uint16_t pages_max, alignment;
    uint32_t more_flags, padding[7];
};

struct transfer { /* of a read or a write */
    uint64_t handle, offset;
    uint32_t size, flags;
    uint64_t owner;
    uint32_t file_flags, padding;
};

struct entry { /* of a directory; the name follows */
    uint64_t inode, next;
    uint32_t name_size, type;
};

_Static_assert(sizeof(struct request) == 40 && sizeof(struct reply) == 16 &&
                   sizeof(struct attributes_reply) == 104 && sizeof(struct entry_reply) == 128 &&
                   sizeof(struct init_reply) == 64 && sizeof(struct transfer) == 40 &&
                   sizeof(struct entry) == 24,
               "the protocol's sizes");

/* The nodes; the root is 1 by the protocol. */
enum { NODE_ROOT = 1, NODE_TEMPLATE, NODE_AWAKE, NODES };

static const struct {
    const char *name;
    mode_t mode;
} nodes[NODES] = {
    [NODE_ROOT] = {"", S_IFDIR | 0755},
    [NODE_TEMPLATE] = {"template_instance", S_IFREG | 0200},
    [NODE_AWAKE] = {"scale_to_zero_disable", S_IFREG | 0644},
};

static int device = -1;
static uint64_t waiting;  /* the write to template_instance that has no answer yet; 0: none */
static uint32_t awaiting; /* how many bytes it wrote */
static long long awake;

/* ---- replies ------------------------------------------------------------------------------- */

/* An error of the device is no matter: who asked may be gone. */
static void answer(uint64_t unique, int error, const void *bytes, size_t size)
{
    char text[REQUEST_MAX];
    struct reply reply = {(uint32_t)(sizeof(reply) + size), -error, unique};

    memcpy(text, &reply, sizeof(reply));
    if (size)
        memcpy(text + sizeof(reply), bytes, size);
    if (write(device, text, sizeof(reply) + size) < 0)
        return;
}

/* What is to be read of a file: only the count has something to say. */
enum { CONTENT_MAX = 32 };
static size_t content_of(uint64_t node, char ret[CONTENT_MAX])
{
    return node == NODE_AWAKE ? (size_t)snprintf(ret, CONTENT_MAX, "=%lld\n", awake) : 0;
}

/* The size is true: Linux 6.5 and newer splice (sendfile()) no more than that, even of a file that
 * is never cached. */
static struct attributes attributes_of(uint64_t node)
{
    char content[CONTENT_MAX];

    return (struct attributes){.inode = node,
                               .size = content_of(node, content),
                               .mode = nodes[node].mode,
                               .links = node == NODE_ROOT ? 2 : 1,
                               .block_size = WRITE_MAX};
}

static void answer_attributes(const struct request *request)
{
    const struct attributes_reply reply = {.attributes = attributes_of(request->node)};

    answer(request->unique, 0, &reply, sizeof(reply));
}

static void answer_entry(const struct request *request, const char *name)
{
    for (uint64_t node = NODE_ROOT + 1; node < NODES; node++)
        if (request->node == NODE_ROOT && strcmp(nodes[node].name, name) == 0) {
            const struct entry_reply reply = {.node = node, .attributes = attributes_of(node)};

            answer(request->unique, 0, &reply, sizeof(reply));
            return;
        }
    answer(request->unique, ENOENT, NULL, 0);
}

static void answer_directory(const struct request *request, const struct transfer *transfer)
{
    char list[512];
    size_t size = 0;

    for (uint64_t node = NODE_ROOT + 1 + transfer->offset; node < NODES; node++) {
        const size_t length = strlen(nodes[node].name);
        const struct entry entry = {node, node - NODE_ROOT, (uint32_t)length,
                                    nodes[node].mode >> 12};
        const size_t whole = (sizeof(entry) + length + 7) / 8 * 8;

        if (size + whole > sizeof(list) || size + whole > transfer->size)
            break;
        memset(list + size, 0, whole);
        memcpy(list + size, &entry, sizeof(entry));
        memcpy(list + size + sizeof(entry), nodes[node].name, length);
        size += whole;
    }
    answer(request->unique, 0, list, size);
}

static void answer_written(uint64_t unique, uint32_t size)
{
    const uint32_t written[2] = {size, 0};

    answer(unique, 0, written, sizeof(written));
}

/* ---- the files ----------------------------------------------------------------------------- */

static void take_read(const struct request *request, const struct transfer *transfer)
{
    char text[CONTENT_MAX];
    size_t size = content_of(request->node, text);
    size_t from = transfer->offset < size ? (size_t)transfer->offset : size;

    size -= from;
    answer(request->unique, 0, text + from, size < transfer->size ? size : transfer->size);
}

/* 0, or the errno. */
static int change_awake(const char *text)
{
    char sign = *text, *end;
    long long number, next;

    if (sign != '+' && sign != '-' && sign != '=')
        return EINVAL;
    text++;
    if (*text == '\0' && sign == '=')
        return EINVAL;
    if (*text && (*text < '0' || *text > '9'))
        return EINVAL;
    errno = 0;
    number = *text ? strtoll(text, &end, 10) : 1;
    if (*text && *end)
        return EINVAL;
    if (errno || number > INT32_MAX)
        return ERANGE;
    next = sign == '+' ? awake + number : sign == '-' ? awake - number : number;
    if (next < 0 || next > INT32_MAX)
        return ERANGE;
    awake = next;
    return 0;
}

static void take_write(const struct request *request, const struct transfer *transfer,
                       const char *bytes)
{
    char text[32];
    int error;

    if (transfer->size >= sizeof(text)) {
        answer(request->unique, EINVAL, NULL, 0);
        return;
    }
    memcpy(text, bytes, transfer->size);
    text[transfer->size] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (request->node == NODE_AWAKE) {
        error = change_awake(text);
        if (!error)
            libukp_report();
    } else if (strcmp(text, "1") != 0) {
        error = EINVAL;
    } else if (waiting) {
        error = EBUSY;
    } else {
        waiting = request->unique;
        awaiting = transfer->size;
        control_send("template");
        return;
    }
    if (error)
        answer(request->unique, error, NULL, 0);
    else
        answer_written(request->unique, transfer->size);
}

void libukp_report(void)
{
    control_send("awake %lld", awake);
}

void libukp_go_on(void)
{
    if (waiting)
        answer_written(waiting, awaiting);
    waiting = 0;
}

/* ---- requests ------------------------------------------------------------------------------ */

static void answer_init(const struct request *request)
{
    const struct init_reply reply = {
        .major = VERSION_MAJOR, .minor = VERSION_MINOR, .write_max = WRITE_MAX, .granularity = 1};

    answer(request->unique, 0, &reply, sizeof(reply));
}

/* Whoever waits in a write has got a signal. */
static void interrupt(const void *body)
{
    uint64_t unique;

    memcpy(&unique, body, sizeof(unique));
    if (!waiting || unique != waiting)
        return;
    answer(waiting, EINTR, NULL, 0);
    waiting = 0;
}

static void take(const struct request *request, const char *body)
{
    static const uint64_t statistics[10] = {[5] = WRITE_MAX | (uint64_t)255 << 32, [6] = WRITE_MAX};
    static const struct {
        uint64_t handle;
        uint32_t flags, padding;
    } opened = {.flags = OPEN_DIRECT_IO};
    struct transfer transfer = {0};

    if (request->operation == OP_READ || request->operation == OP_WRITE ||
        request->operation == OP_READDIR)
        memcpy(&transfer, body, sizeof(transfer));
    switch (request->operation) {
    case OP_INIT:
        answer_init(request);
        break;
    case OP_LOOKUP:
        answer_entry(request, body);
        break;
    case OP_GETATTR:
    case OP_SETATTR: /* a file is cut when it is opened for writing */
        answer_attributes(request);
        break;
    case OP_OPEN:
    case OP_OPENDIR:
        answer(request->unique, 0, &opened, sizeof(opened));
        break;
    case OP_READDIR:
        answer_directory(request, &transfer);
        break;
    case OP_READ:
        take_read(request, &transfer);
        break;
    case OP_WRITE:
        take_write(request, &transfer, body + sizeof(transfer));
        break;
    case OP_STATFS:
        answer(request->unique, 0, statistics, sizeof(statistics));
        break;
    case OP_RELEASE:
    case OP_RELEASEDIR:
        answer(request->unique, 0, NULL, 0);
        break;
    case OP_INTERRUPT:
        interrupt(body);
        break;
    case OP_FORGET:
    case OP_BATCH_FORGET:
        break; /* they want no answer */
    default:
        answer(request->unique, ENOSYS, NULL, 0);
    }
}

void libukp_receive(void)
{
    static char bytes[REQUEST_MAX + 1];
    ssize_t size = read(device, bytes, REQUEST_MAX);
    struct request request;

    if (size < (ssize_t)sizeof(request))
        return;
    bytes[size] = '\0';
    memcpy(&request, bytes, sizeof(request));
    if (request.node < NODES || request.operation == OP_INIT)
        take(&request, bytes + sizeof(request));
    else
        answer(request.unique, ENOENT, NULL, 0);
}

int libukp_fd(void)
{
    return device;
}

void libukp_close(void)
{
    if (device >= 0)
        close(device);
    device = -1;
    waiting = 0;
}

/* An image that has something else there keeps it. */
void libukp_mount(void)
{
    char options[128];

    device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0)
        return;
    snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other",
             device);
    if (make_directories(DIRECTORY) == 0 &&
        mount("libukp", DIRECTORY, "fuse", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == 0)
        return;
    libukp_close();
}
