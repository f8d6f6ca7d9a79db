/* SPDX-License-Identifier: BSD-3-Clause */
/* channel.c: what a supervisor and its client say to each other. */
#include "channel.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* More than this is not kept for a client that takes nothing: the instance is then lost to it. */
enum { KEPT_MAX = 64 << 20 };

struct header {
    uint32_t kind;
    int32_t status;
    uint64_t micros;
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
}

/* Sends a packet.  1; 0 if the socket is full; the channel is closed if the client is gone. */
static int send_packet(struct channel *channel, const struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    ssize_t sent;

    do
        sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
        return 0;
    if (sent < 0)
        channel_close(channel);
    return 1;
}

static void keep(struct channel *channel, const struct iovec *parts, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].iov_len;
    romsim_buffer_append(&channel->kept, &size, sizeof(size));
    for (size_t i = 0; i < count; i++)
        romsim_buffer_append(&channel->kept, parts[i].iov_base, parts[i].iov_len);
    if (channel->kept.failed)
        channel_close(channel);
}

static void send_piece(struct channel *channel, const struct romsim_vm_event *event,
                       const char *text, size_t size)
{
    struct header header = {event->kind, event->status, event->micros};
    const struct iovec parts[] = {{&header, sizeof(header)}, {(char *)text, size}};

    if (channel_kept(channel) > 0 || send_packet(channel, parts, 2) == 0)
        keep(channel, parts, 2);
}

void channel_send(struct channel *channel, const struct romsim_vm_event *event)
{
    const char *text = event->text ? event->text : "";
    size_t left = event->text ? event->size : 0;

    channel_flush(channel);
    do {
        size_t size = min_u64(left, CHANNEL_TEXT_MAX);

        if (channel->fd >= 0)
            send_piece(channel, event, text, size);
        text += size;
        left -= size;
    } while (left > 0 && event->kind == ROMSIM_VM_CONSOLE);
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
    while (channel->fd >= 0 && channel_kept(channel) > 0) {
        const char *packet = channel->kept.data + channel->sent;
        struct iovec part;
        size_t size;

        memcpy(&size, packet, sizeof(size));
        part = (struct iovec){(char *)packet + sizeof(size), size};
        if (send_packet(channel, &part, 1) == 0)
            break;
        if (channel->fd >= 0)
            channel->sent += sizeof(size) + size;
    }
    compact(channel);
}

size_t channel_kept(const struct channel *channel)
{
    return channel->kept.size - channel->sent;
}

int channel_receive(int fd, char text[CHANNEL_TEXT_MAX + 1], struct romsim_vm_event *ret)
{
    struct header header;
    struct iovec parts[] = {{&header, sizeof(header)}, {text, CHANNEL_TEXT_MAX}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t size;

    /* ECONNRESET is said once when the supervisor ended without reading our last wish: what it said
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
