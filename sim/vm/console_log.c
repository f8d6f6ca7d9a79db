/* SPDX-License-Identifier: BSD-3-Clause */
/* console_log.c: what an instance's console has said, over all its runs. */
#include "console_log.h"

#include <romsim/checked.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int console_log_open(struct console_log *log, struct romsim_error *err)
{
    void *bytes = mmap(NULL, CONSOLE_LOG_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        return romsim_error_system(err, errno, "cannot keep a console's log");
    *log = (struct console_log){.bytes = bytes};
    return 0;
}

void console_log_close(struct console_log *log)
{
    if (log->bytes)
        munmap(log->bytes, CONSOLE_LOG_BYTES);
    *log = (struct console_log){0};
}

void console_log_add(struct console_log *log, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size > 0) {
        size_t place = log->end % CONSOLE_LOG_BYTES;
        size_t piece = min_u64(size, CONSOLE_LOG_BYTES - place);

        memcpy(log->bytes + place, from, piece);
        log->end += piece;
        from += piece;
        size -= piece;
    }
    if (log->end - log->start > CONSOLE_LOG_BYTES)
        log->start = log->end - CONSOLE_LOG_BYTES;
}

size_t console_log_read(const struct console_log *log, uint64_t offset, void *ret, size_t size)
{
    size_t place = offset % CONSOLE_LOG_BYTES;
    size_t done = min_u64(size, log->end - offset);
    size_t piece = min_u64(done, CONSOLE_LOG_BYTES - place);

    memcpy(ret, log->bytes + place, piece);
    memcpy((uint8_t *)ret + piece, log->bytes, done - piece);
    return done;
}
