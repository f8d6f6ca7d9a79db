/* SPDX-License-Identifier: BSD-3-Clause */
/* channel.c: what an instance's keeper and its clients say to each other. */
#include "channel.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>

#include <errno.h>
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
}

void channel_console(struct channel *channel, const struct console_log *log, uint64_t offset,
                     uint64_t end)
{
    channel->log = log;
    channel->offset = offset;
    channel->end = end;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Sends a packet.  False if the socket is full; the channel is closed if the client is gone. */
static bool send_packet(struct channel *channel, const struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    ssize_t sent;

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
                 size_t size)
{
    const struct mark mark = {sizeof(*header) + size, console_end(channel)};

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
         event->text ? min_u64(event->size, CHANNEL_TEXT_MAX) : 0);
}

void channel_answer(struct channel *channel, json_t *answer)
{
    CLEANUP_FREE char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    size_t left = text ? strlen(text) : 0;
    const char *from = text ? text : "";

    json_decref(answer);
    while (left > CHANNEL_TEXT_MAX) {
        keep(channel, &(struct header){.kind = CHANNEL_ANSWER_PART}, from, CHANNEL_TEXT_MAX);
        from += CHANNEL_TEXT_MAX;
        left -= CHANNEL_TEXT_MAX;
    }
    keep(channel, &(struct header){.kind = CHANNEL_ANSWER}, from, left);
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

/* What the log has dropped is lost. */
static bool tell_loss(struct channel *channel)
{
    const struct header header = {.kind = ROMSIM_VM_NOTE};
    char text[128];
    int size = snprintf(text, sizeof(text), "%llu bytes of the console came too fast and are lost",
                        (unsigned long long)(channel->log->start - channel->offset));
    const struct iovec parts[] = {{(void *)&header, sizeof(header)}, {text, (size_t)size}};

    channel->offset = channel->log->start;
    return send_packet(channel, parts, 2);
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
    if (!send_packet(channel, parts, 2))
        return false;
    channel->offset += parts[1].iov_len;
    return true;
}

static bool send_kept(struct channel *channel, const struct mark *mark)
{
    struct iovec part = {channel->kept.data + channel->sent + sizeof(*mark), mark->size};

    if (!send_packet(channel, &part, 1))
        return false;
    if (channel->fd >= 0)
        channel->sent += sizeof(*mark) + mark->size;
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

int channel_take_request(struct channel *channel, json_t **ret)
{
    CLEANUP_FREE char *bytes = malloc(PACKET_MAX);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
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
    *ret = fd >= 0 ? read_file(fd) : json_loadb(bytes, (size_t)size, 0, NULL);
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

int channel_request(int fd, json_t *request, struct romsim_error *err)
{
    CLEANUP_FREE char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    size_t size = text ? strlen(text) : 0;
    bool is_long = size > PACKET_MAX;
    CLEANUP_FD int file = is_long ? write_file(text, size, err) : -1;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec part = {is_long ? NULL : text, is_long ? 0 : size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = is_long ? &control : NULL,
                             .msg_controllen = is_long ? sizeof(control) : 0};
    ssize_t sent;

    json_decref(request);
    if (!text)
        return romsim_error_nomem(err);
    if (is_long && file < 0)
        return -1;
    memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? romsim_error_system(err, errno, "cannot ask the instance's keeper") : 0;
}

int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret)
{
    struct header header;
    struct iovec parts[] = {{&header, sizeof(header)}, {text, CHANNEL_TEXT_MAX}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t size;

    /* ECONNRESET is said once when the keeper ended without reading our last wish: what it said
     * before its end comes behind that. */
    do
        size = recvmsg(fd, &message, MSG_DONTWAIT);
    while (size < 0 && (errno == EINTR || errno == ECONNRESET));
    if (size < 0 && errno == EAGAIN)
        return -1;
    if (size < (ssize_t)sizeof(header))
        return 0;
    size -= (ssize_t)sizeof(header);
    text[size] = '\0';
    *ret = (struct romsim_vm_event){.kind = header.kind,
                                    .text = text,
                                    .size = (size_t)size,
                                    .micros = header.micros,
                                    .status = header.status};
    return 1;
}
