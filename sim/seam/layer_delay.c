/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layer_delay.c: the layer by which reads take longer.
 *
 * Who waits here is a thread of the server, so it is woken when the server is to end.
 */
#include "fault.h"

#include <romsim/checked.h>
#include <romsim/clock.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

enum { READ_MOST_US = 30000000 };

struct delay_layer {
    struct layer layer;
    const struct fault *fault;
    int stop;
    pthread_mutex_t lock;
    uint64_t attached; /* when reads begin to be answered; 0: nobody has asked yet */
    uint64_t free_at;  /* when the bandwidth is free for the next read */
    uint64_t chance;   /* xorshift64* */
};

static uint64_t next_chance(struct delay_layer *delay, uint64_t most)
{
    delay->chance ^= delay->chance >> 12;
    delay->chance ^= delay->chance << 25;
    delay->chance ^= delay->chance >> 27;
    return (delay->chance * UINT64_C(0x2545F4914F6CDD1D) >> 11) % (most + 1);
}

/* When a read of that size that is made now has its answer; who reads cannot be ended before, so
 * that it is no time that anybody would call a hang. */
static uint64_t answer_time(struct delay_layer *delay, uint64_t size)
{
    const struct fault *fault = delay->fault;
    uint64_t now = romsim_clock_us(), end = now;

    pthread_mutex_lock(&delay->lock);
    if (!delay->attached)
        delay->attached = now + fault->attach;
    if (end < delay->attached)
        end = delay->attached;
    end += fault->latency + (fault->jitter ? next_chance(delay, fault->jitter) : 0);
    if (fault->bandwidth) {
        if (delay->free_at < end)
            delay->free_at = end;
        end = delay->free_at += (uint64_t)((double)size * 1e6 / (double)fault->bandwidth);
    }
    pthread_mutex_unlock(&delay->lock);
    return min_u64(end, now + READ_MOST_US);
}

static void wait_until(const struct delay_layer *delay, uint64_t end)
{
    struct pollfd stop = {.fd = delay->stop, .events = POLLIN};
    uint64_t now;

    while ((now = romsim_clock_us()) < end) {
        const struct timespec left = {.tv_sec = (time_t)((end - now) / 1000000),
                                      .tv_nsec = (long)((end - now) % 1000000 * 1000)};

        if (ppoll(&stop, 1, &left, NULL) > 0)
            return;
    }
}

static int delay_read(struct layer *layer, uint64_t node, uint64_t offset, size_t size,
                      struct romsim_view_data *ret, struct romsim_error *err)
{
    struct delay_layer *delay = (struct delay_layer *)layer;

    wait_until(delay, answer_time(delay, size));
    return next_read(layer, node, offset, size, ret, err);
}

static void delay_free(struct layer *layer)
{
    pthread_mutex_destroy(&((struct delay_layer *)layer)->lock);
    free(layer);
}

static const struct layer_ops delay_ops = {.name = "delay", .read = delay_read, .free = delay_free};

struct layer *delay_layer(const struct fault *fault, int stop)
{
    struct delay_layer *delay = calloc(1, sizeof(*delay));

    if (!delay)
        return NULL;
    delay->layer.ops = &delay_ops;
    delay->fault = fault;
    delay->stop = stop;
    delay->chance = fault->seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    pthread_mutex_init(&delay->lock, NULL);
    return &delay->layer;
}
