/* SPDX-License-Identifier: BSD-3-Clause */
/* workers.c: the threads that handle what may block. */
#include "server.h"

#include <errno.h>

enum { STACK_SIZE = 1 << 20 };

static struct exchange *take(struct workers *workers)
{
    struct exchange *exchange;

    pthread_mutex_lock(&workers->lock);
    while (!workers->first && !workers->ends)
        pthread_cond_wait(&workers->wake, &workers->lock);
    exchange = workers->first;
    if (exchange) {
        workers->first = exchange->next;
        if (!workers->first)
            workers->last = &workers->first;
    }
    pthread_mutex_unlock(&workers->lock);
    return exchange;
}

static void *work(void *context)
{
    struct workers *workers = context;
    struct exchange *exchange;

    while ((exchange = take(workers))) {
        struct api_request *request = &exchange->request;

        if (api_is_ending(request->api))
            api_reply_fail(request, 503, ROMSIM_CLOUD_FAILED_OPERATION, "The server is ending");
        else
            request->route->handle(request);
    }
    return NULL;
}

int workers_start(struct workers *workers, struct romsim_error *err)
{
    pthread_attr_t attributes;
    int problem = 0;

    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->wake, NULL);
    workers->last = &workers->first;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    while (!problem && workers->count < SERVER_WORKERS) {
        problem = pthread_create(&workers->threads[workers->count], &attributes, work, workers);
        workers->count += !problem;
    }
    pthread_attr_destroy(&attributes);
    if (!problem)
        return 0;
    workers_stop(workers);
    return romsim_error_system(err, problem, "cannot start a thread");
}

void workers_add(struct workers *workers, struct exchange *exchange)
{
    pthread_mutex_lock(&workers->lock);
    exchange->next = NULL;
    *workers->last = exchange;
    workers->last = &exchange->next;
    pthread_cond_signal(&workers->wake);
    pthread_mutex_unlock(&workers->lock);
}

void workers_stop(struct workers *workers)
{
    if (workers->count == 0)
        return; /* they were never started, or have been stopped */
    pthread_mutex_lock(&workers->lock);
    workers->ends = true;
    pthread_cond_broadcast(&workers->wake);
    pthread_mutex_unlock(&workers->lock);
    while (workers->count > 0)
        pthread_join(workers->threads[--workers->count], NULL);
    pthread_cond_destroy(&workers->wake);
    pthread_mutex_destroy(&workers->lock);
}
