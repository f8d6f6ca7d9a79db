/* SPDX-License-Identifier: BSD-3-Clause */
/* channel.c: what an instance's keeper and its clients say to each other. */
#include "channel.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    KEPT_MAX = 64 << 20,    /* more is not kept for a client that takes nothing: it is lost */
    PACKET_MAX = 64 << 10,  /* a longer request comes in a file */
    REQUEST_MAX = 64 << 20, /* of a file */
};

struct header {
    uint32_t kind;
    int32_t status;
    uint64_t micros;
};

/* Before each packet that is kept. */
struct mark {
    size_t size; /* of the packet */
    uint64_t at; /* console bytes that go first */
    bool passes; /* the next descriptor goes with it */
};

/* Room for one descriptor beside a message. */
union passed {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

void channel_open(struct channel *channel, int fd)
{
    *channel = (struct channel){.fd = fd, .kept = ROMSIM_BUFFER_INIT(KEPT_MAX)};
}

void channel_close(struct channel *channel)
{
    cleanup_close_fd(&channel->fd);
    channel->fd = -1;
    romsim_buffer_reset(&channel->kept);
    channel->sent = 0;
    channel->log = NULL;
    while (channel->passing_count > 0)
        cleanup_close_fd(&channel->passing[--channel->passing_count]);
}

void channel_console(struct channel *channel, const struct console_log *log, uint64_t offset,
                     uint64_t end)
{
    channel->log = log;
    channel->offset = offset;
    channel->end = end;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Has a descriptor go with a message. */
static void pass(struct msghdr *message, union passed *control, int fd)
{
    *control = (union passed){.header = {.cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS,
                                         .cmsg_len = CMSG_LEN(sizeof(fd))}};
    memcpy(CMSG_DATA(&control->header), &fd, sizeof(fd));
    message->msg_control = control;
    message->msg_controllen = sizeof(*control);
}

/* Sends a packet, with a descriptor unless that is -1.  False if the socket is full; the channel is
 * closed if the client is gone. */
static bool send_packet(struct channel *channel, const struct iovec *parts, size_t count, int fd)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    union passed control;
    ssize_t sent;

    if (fd >= 0)
        pass(&message, &control, fd);
    do
        sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
        return false;
    if (sent < 0)
        channel_close(channel);
    return true;
}

/* Up to where the client wants what the console has said by now. */
static uint64_t console_end(const struct channel *channel)
{
    return channel->log ? min_u64(channel->end, channel->log->end) : channel->offset;
}

static void keep(struct channel *channel, const struct header *header, const char *text,
                 size_t size, bool passes)
{
    const struct mark mark = {sizeof(*header) + size, console_end(channel), passes};

    if (channel->fd < 0)
        return;
    romsim_buffer_append(&channel->kept, &mark, sizeof(mark));
    romsim_buffer_append(&channel->kept, header, sizeof(*header));
    romsim_buffer_append(&channel->kept, text, size);
    if (channel->kept.failed)
        channel_close(channel);
}

void channel_event(struct channel *channel, const struct romsim_vm_event *event)
{
    struct header header = {event->kind, event->status, event->micros};

    keep(channel, &header, event->text ? event->text : "",
         event->text ? min_u64(event->size, CHANNEL_TEXT_MAX) : 0, false);
}

/* `passes`: with the last of the descriptors. */
static void keep_answer(struct channel *channel, json_t *answer, bool passes)
{
    CLEANUP_FREE char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    size_t left = text ? strlen(text) : 0;
    const char *from = text ? text : "";

    json_decref(answer);
    while (left > CHANNEL_TEXT_MAX) {
        keep(channel, &(struct header){.kind = CHANNEL_ANSWER_PART}, from, CHANNEL_TEXT_MAX, false);
        from += CHANNEL_TEXT_MAX;
        left -= CHANNEL_TEXT_MAX;
    }
    keep(channel, &(struct header){.kind = CHANNEL_ANSWER}, from, left, passes);
}

void channel_answer(struct channel *channel, json_t *answer)
{
    keep_answer(channel, answer, false);
}

void channel_answer_fd(struct channel *channel, json_t *answer, int fd)
{
    bool is_open = channel->fd >= 0 && channel->passing_count < CHANNEL_PASSING_MAX;
    int copy = is_open ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (copy < 0) {
        json_decref(answer);
        channel_close(channel);
        return;
    }
    channel->passing[channel->passing_count++] = copy;
    keep_answer(channel, answer, true);
}

/* The next packet that is kept, or false. */
static bool next_mark(const struct channel *channel, struct mark *ret)
{
    if (channel->sent == channel->kept.size)
        return false;
    memcpy(ret, channel->kept.data + channel->sent, sizeof(*ret));
    return true;
}

/* Up to where the console's bytes are to be sent before anything else is. */
static uint64_t console_until(const struct channel *channel)
{
    struct mark mark;

    return next_mark(channel, &mark) ? mark.at : console_end(channel);
}

/* What the log has dropped is lost; as long as the client cannot be told, that grows. */
static bool tell_loss(struct channel *channel)
{
    const uint64_t start = channel->log->start;
    const struct header header = {.kind = ROMSIM_VM_NOTE};
    char text[128];
    int size = snprintf(text, sizeof(text), "%llu bytes of the console came too fast and are lost",
                        (unsigned long long)(start - channel->offset));
    const struct iovec parts[] = {{(void *)&header, sizeof(header)}, {text, (size_t)size}};

    if (!send_packet(channel, parts, 2, -1))
        return false;
    channel->offset = start;
    return true;
}

static bool send_console(struct channel *channel, uint64_t until)
{
    const struct header header = {.kind = ROMSIM_VM_CONSOLE};
    char bytes[CHANNEL_TEXT_MAX];
    struct iovec parts[] = {{(void *)&header, sizeof(header)}, {bytes, 0}};

    if (channel->offset < channel->log->start && !tell_loss(channel))
        return false;
    if (channel->fd < 0 || channel->offset >= until)
        return true;
    parts[1].iov_len = console_log_read(channel->log, channel->offset, bytes,
                                        min_u64(sizeof(bytes), until - channel->offset));
    if (!send_packet(channel, parts, 2, -1))
        return false;
    channel->offset += parts[1].iov_len;
    return true;
}

static bool send_kept(struct channel *channel, const struct mark *mark)
{
    struct iovec part = {channel->kept.data + channel->sent + sizeof(*mark), mark->size};

    if (!send_packet(channel, &part, 1, mark->passes ? channel->passing[0] : -1))
        return false;
    if (channel->fd < 0)
        return true;
    channel->sent += sizeof(*mark) + mark->size;
    if (mark->passes) {
        cleanup_close_fd(&channel->passing[0]);
        memmove(channel->passing, channel->passing + 1,
                --channel->passing_count * sizeof(channel->passing[0]));
    }
    return true;
}

/* Forgets what is sent, once that is worth a move. */
static void compact(struct channel *channel)
{
    struct romsim_buffer *kept = &channel->kept;

    if (channel->sent == kept->size) {
        romsim_buffer_reset(kept);
        channel->sent = 0;
    } else if (channel->sent > kept->size / 2) {
        kept->size -= channel->sent;
        memmove(kept->data, kept->data + channel->sent, kept->size + 1);
        channel->sent = 0;
    }
}

void channel_flush(struct channel *channel)
{
    bool goes = true;
    struct mark mark;

    while (goes && channel->fd >= 0) {
        uint64_t until = console_until(channel);

        if (channel->log && channel->offset < until)
            goes = send_console(channel, until);
        else if (next_mark(channel, &mark))
            goes = send_kept(channel, &mark);
        else
            break;
    }
    compact(channel);
}

size_t channel_kept(const struct channel *channel)
{
    uint64_t end = console_end(channel);

    return channel->kept.size - channel->sent + (end > channel->offset ? end - channel->offset : 0);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* The descriptor that came with a message, or -1. */
static int passed_fd(struct msghdr *message)
{
    const struct cmsghdr *part = CMSG_FIRSTHDR(message);
    int fd = -1;

    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
        part->cmsg_len == CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(part), sizeof(fd));
    return fd;
}

static json_t *read_file(int fd)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(REQUEST_MAX);

    if (lseek(fd, 0, SEEK_SET) < 0 || romsim_buffer_read_fd(&text, fd) < 0)
        return NULL;
    return json_loadb(text.data ? text.data : "", text.size, 0, NULL);
}

int channel_take_request(struct channel *channel, json_t **ret, int *ret_passed)
{
    CLEANUP_FREE char *bytes = malloc(PACKET_MAX);
    union passed control;
    struct iovec part = {bytes, bytes ? PACKET_MAX : 0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             /* Of one: the padding has room for a second. */
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t size = recvmsg(channel->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    CLEANUP_FD int fd = size >= 0 ? passed_fd(&message) : -1;

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return -1;
    if (size < 0 || (size == 0 && fd < 0))
        return 0;
    *ret = size == 0 ? read_file(fd) : json_loadb(bytes, (size_t)size, 0, NULL);
    *ret_passed = size == 0 ? -1 : steal_fd(&fd);
    return 1;
}

/* ---- the client's side ---------------------------------------------------------------------- */

static int write_file(const char *text, size_t size, struct romsim_error *err)
{
    CLEANUP_FD int fd = memfd_create("romsim-request", MFD_CLOEXEC);
    int problem;

    if (fd < 0)
        return romsim_error_system(err, errno, "cannot make a file in memory");
    problem = romsim_write_fully(fd, text, size, 0);
    if (problem)
        return romsim_error_system(err, problem, "cannot fill a file in memory");
    return steal_fd(&fd);
}

int channel_request(int fd, json_t *request, int passed, struct romsim_error *err)
{
    CLEANUP_FREE char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    size_t size = text ? strlen(text) : 0;
    bool is_long = size > PACKET_MAX;
    CLEANUP_FD int file = is_long ? write_file(text, size, err) : -1;
    union passed control;
    struct iovec part = {is_long ? NULL : text, is_long ? 0 : size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    json_decref(request);
    if (!text)
        return romsim_error_nomem(err);
    if (is_long && file < 0)
        return -1;
    if (is_long && passed >= 0)
        return romsim_error_set(err, E2BIG, "a request with a descriptor is too long");
    if (is_long || passed >= 0)
        pass(&message, &control, is_long ? file : passed);
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? romsim_error_system(err, errno, "cannot ask the instance's keeper") : 0;
}

int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret,
                    int *ret_fd)
{
    struct header header;
    union passed control;
    struct iovec parts[] = {{&header, sizeof(header)}, {text, CHANNEL_TEXT_MAX}};
    struct msghdr message;
    ssize_t size;

    /* ECONNRESET is said once when the keeper ended without reading our last wish: what it said
     * before its end comes behind that. */
    do {
        message = (struct msghdr){.msg_iov = parts,
                                  .msg_iovlen = 2,
                                  .msg_control = ret_fd ? &control : NULL,
                                  .msg_controllen = ret_fd ? CMSG_LEN(sizeof(int)) : 0};
        size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
    if (size < 0 && errno == EAGAIN)
        return -1;
    if (size < (ssize_t)sizeof(header))
        return 0;
    if (ret_fd)
        *ret_fd = passed_fd(&message);
    size -= (ssize_t)sizeof(header);
    text[size] = '\0';
    *ret = (struct romsim_vm_event){.kind = header.kind,
                                    .text = text,
                                    .size = (size_t)size,
                                    .micros = header.micros,
                                    .status = header.status};
    return 1;
}
