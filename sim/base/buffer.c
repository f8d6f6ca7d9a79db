/* SPDX-License-Identifier: BSD-3-Clause */
/* buffer.c: a growable byte buffer with a maximum. */
#include <romsim/buffer.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(struct romsim_buffer *buffer, int errnum)
{
    buffer->failed = errnum;
    return -1;
}

/* Makes room for `more` bytes and the NUL. */
static int reserve(struct romsim_buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity;
    char *data;

    if (buffer->failed)
        return -1;
    if (more > buffer->maximum - buffer->size)
        return fail(buffer, EFBIG);
    if (buffer->data && more < capacity - buffer->size)
        return 0;
    if (__builtin_add_overflow(buffer->size, more, &capacity) ||
        __builtin_add_overflow(capacity, capacity / 2 + 64, &capacity))
        return fail(buffer, ENOMEM);
    data = realloc(buffer->data, capacity);
    if (!data)
        return fail(buffer, ENOMEM);
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int romsim_buffer_append(struct romsim_buffer *buffer, const void *data, size_t size)
{
    if (reserve(buffer, size) < 0)
        return -1;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return 0;
}

int romsim_buffer_puts(struct romsim_buffer *buffer, const char *string)
{
    return romsim_buffer_append(buffer, string, strlen(string));
}

int romsim_buffer_printf(struct romsim_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return fail(buffer, EINVAL);
    if (reserve(buffer, (size_t)length) < 0)
        return -1;
    va_start(arguments, format);
    vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return 0;
}

int romsim_buffer_read_fd(struct romsim_buffer *buffer, int fd)
{
    char chunk[65536];
    ssize_t got;

    while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(buffer, errno);
        if (romsim_buffer_append(buffer, chunk, (size_t)got) < 0)
            return -1;
    }
    return 0;
}

char *romsim_buffer_steal(struct romsim_buffer *buffer)
{
    char *data;

    if (romsim_buffer_append(buffer, "", 0) < 0)
        return NULL;
    data = buffer->data;
    *buffer = ROMSIM_BUFFER_INIT(buffer->maximum);
    return data;
}

void romsim_buffer_reset(struct romsim_buffer *buffer)
{
    free(buffer->data);
    *buffer = ROMSIM_BUFFER_INIT(buffer->maximum);
}
