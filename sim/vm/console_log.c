/* SPDX-License-Identifier: BSD-3-Clause */
/* console_log.c: what an instance's console has said, over all its runs. */
#include "console_log.h"

#include <romsim/checked.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int console_log_open(struct console_log *log, struct romsim_error *err)
{
    void *bytes = mmap(NULL, CONSOLE_LOG_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED)
        return romsim_error_system(err, errno, "cannot keep a console's log");
    *log = (struct console_log){.bytes = bytes,
                                .marks = calloc(CONSOLE_LOG_MARKS, sizeof(struct console_mark))};
    if (log->marks)
        return 0;
    console_log_close(log);
    return romsim_error_nomem(err);
}

void console_log_close(struct console_log *log)
{
    if (log->bytes)
        munmap(log->bytes, CONSOLE_LOG_BYTES);
    free(log->marks);
    *log = (struct console_log){0};
}

static struct console_mark *mark_at(const struct console_log *log, uint64_t index)
{
    return &log->marks[index % CONSOLE_LOG_MARKS];
}

static void mark(struct console_log *log, time_t time)
{
    if (log->mark_count && mark_at(log, log->mark_count - 1)->time >= time)
        return;
    *mark_at(log, log->mark_count++) = (struct console_mark){log->end, time};
}

uint64_t console_log_since(const struct console_log *log, time_t time)
{
    uint64_t index = log->mark_count, oldest = 0;

    if (index > CONSOLE_LOG_MARKS)
        oldest = index - CONSOLE_LOG_MARKS;
    while (index > oldest && mark_at(log, index - 1)->time >= time)
        index--;
    if (index == log->mark_count)
        return log->end;
    /* Of what is older than the oldest mark nothing is known. */
    if (index == oldest && oldest > 0)
        return log->start;
    return max_u64(mark_at(log, index)->offset, log->start);
}

void console_log_add(struct console_log *log, const void *bytes, size_t size, time_t time)
{
    const uint8_t *from = bytes;

    mark(log, time);
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
