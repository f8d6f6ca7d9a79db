/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * buffer.h: a growable byte buffer with a maximum, given when it is made (curl's dynbuf).
 *
 * The bytes are always followed by a NUL that does not count.  Once an append has failed, by the
 * maximum or for want of memory, all later ones fail too, so a caller may check only the last.
 */
#ifndef ROMSIM_BUFFER_H
#define ROMSIM_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct romsim_buffer {
    char *data; /* NULL while empty */
    size_t size;
    size_t capacity;
    size_t maximum;
    int failed; /* 0, ENOMEM or EFBIG */
};

/* An empty buffer that never holds more than `maximum` bytes. */
#define ROMSIM_BUFFER_INIT(maximum_)                                                               \
    (struct romsim_buffer)                                                                         \
    {                                                                                              \
        .maximum = (maximum_)                                                                      \
    }

/* Appends `size` bytes.  Returns 0, or -1 with buffer->failed set. */
int romsim_buffer_append(struct romsim_buffer *buffer, const void *data, size_t size);

/* Appends a string without its NUL.  Returns as romsim_buffer_append(). */
int romsim_buffer_puts(struct romsim_buffer *buffer, const char *string);

/* Appends by printf's rules.  Returns as romsim_buffer_append(). */
int romsim_buffer_printf(struct romsim_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends all of the file behind `fd` from where it stands.  Returns as above; -1 with the errno
 * of read() in buffer->failed when reading fails. */
int romsim_buffer_read_fd(struct romsim_buffer *buffer, int fd);

/* Hands the bytes (malloc'ed, NUL-terminated, "" when empty) to the caller and empties the buffer;
 * NULL if an append had failed. */
char *romsim_buffer_steal(struct romsim_buffer *buffer);

/* Frees the bytes; the maximum stays. */
void romsim_buffer_reset(struct romsim_buffer *buffer);

#define CLEANUP_BUFFER __attribute__((cleanup(romsim_buffer_reset)))

#endif
