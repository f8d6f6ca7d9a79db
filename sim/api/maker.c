/* SPDX-License-Identifier: BSD-3-Clause */
/* maker.c: the server's side of making instances: who waits for a maker, and those that run. */
#include "maker.h"

#include "maker_order.h"

#include <romsim/cleanup.h>
#include <romsim/file.h>
#include <romsim/program.h>
#include <romsim/text.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* More at a time would not be faster: they share the disk's and the state folder's lock. */
enum { MAKERS = 4, ANSWER_MAX = 64 << 20, COMPLAINTS_MAX = 64 << 10 };

struct job {
    struct job *next;
    const char *body;
    size_t size;
    maker_told *told;
    void *context;
};

/* A thread that has one maker after the other. */
struct post {
    struct makers *makers;
    pthread_t thread;
    int pidfd; /* of the one that runs; -1 */
};

struct makers {
    const struct romsim_api_options *options;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct job *first, **last;
    bool ends;
    struct post posts[MAKERS];
    unsigned count;
};

/* ---- one maker ---------------------------------------------------------------------------------
 */

static struct maker_order order_of(const struct romsim_api_options *options, size_t body_size)
{
    const struct romsim_vm_options *vm = &options->vm;
    struct maker_order order = {
        .magic = MAKER_ORDER_MAGIC,
        .server = getpid(),
        .allow_paths = options->allow_paths,
        .limits = vm->limits,
        .processor = vm->processor,
        .use_image_kernel = vm->use_image_kernel,
        .allow_host = vm->allow_host,
        .isolated = vm->isolated,
        .no_fuse = vm->no_fuse,
        .boot_timeout_s = vm->boot_timeout_s,
        .kernel_size = vm->kernel ? (uint32_t)strlen(vm->kernel) + 1 : 0,
        .body_size = (uint32_t)body_size,
    };

    snprintf(order.ports_at, sizeof(order.ports_at), "%s", vm->ports_at ? vm->ports_at : "");
    snprintf(order.metro, sizeof(order.metro), "%s", options->metro);
    for (int i = 0; i < ROMSIM_BOUND_COUNT; i++)
        order.bounds[i] = romsim_bound((enum romsim_bound)i);
    return order;
}

/* What the maker reads, or -1. */
static int write_order(const struct makers *makers, const struct job *job, struct romsim_error *err)
{
    const struct maker_order order = order_of(makers->options, job->size);
    CLEANUP_FD int fd = memfd_create("romsim-order", MFD_CLOEXEC);
    int problem;

    if (fd < 0)
        return romsim_error_system(err, errno, "cannot hand a request on");
    problem = romsim_write_fully(fd, &order, sizeof(order), 0);
    if (!problem && order.kernel_size)
        problem =
            romsim_write_fully(fd, makers->options->vm.kernel, order.kernel_size, sizeof(order));
    if (!problem && job->size)
        problem = romsim_write_fully(fd, job->body, job->size, sizeof(order) + order.kernel_size);
    if (problem)
        return romsim_error_system(err, problem, "cannot hand a request on");
    return steal_fd(&fd);
}

static void on_start(void *context, pid_t pid)
{
    struct post *post = context;

    pthread_mutex_lock(&post->makers->lock);
    post->pidfd = pidfd_open(pid, 0);
    if (post->makers->ends && post->pidfd >= 0)
        pidfd_send_signal(post->pidfd, SIGKILL, NULL, 0);
    pthread_mutex_unlock(&post->makers->lock);
}

static void explain_end(int status, const struct romsim_buffer *complaints,
                        struct romsim_error *err)
{
    const char *words = complaints->data ? complaints->data : "";

    if (WIFSIGNALED(status))
        romsim_error_set(err, EIO, "what makes instances was ended by signal %d", WTERMSIG(status));
    else
        romsim_error_set(err, EIO, "what makes instances ended with status %d",
                         WEXITSTATUS(status));
    if (*words)
        romsim_error_hint(err, "%s", QUOTE(words));
    err->cloud = ROMSIM_CLOUD_FAILED_OPERATION;
}

/* The answer, a new reference, or NULL. */
static json_t *run(struct post *post, int input, struct romsim_error *err)
{
    static const char *const argv[] = {"romsim", ROMSIM_API_MAKER, NULL};
    CLEANUP_BUFFER struct romsim_buffer output = ROMSIM_BUFFER_INIT(ANSWER_MAX);
    CLEANUP_BUFFER struct romsim_buffer complaints = ROMSIM_BUFFER_INIT(COMPLAINTS_MAX);
    const struct romsim_program program = {.argv = argv,
                                           .file = "/proc/self/exe",
                                           .input = input,
                                           .printed = &output,
                                           .complaints = &complaints,
                                           .started = on_start,
                                           .context = post};
    json_t *answer = NULL;
    int status;

    if (romsim_program_run(&program, &status, err) < 0)
        return NULL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && output.data)
        answer = json_loadb(output.data, output.size, 0, NULL);
    if (!answer)
        explain_end(status, &complaints, err);
    return answer;
}

static void make(struct post *post, const struct job *job)
{
    struct romsim_error err = {0};
    CLEANUP_FD int input = write_order(post->makers, job, &err);
    json_t *answer = input < 0 ? NULL : run(post, input, &err);

    pthread_mutex_lock(&post->makers->lock);
    cleanup_close_fd(&post->pidfd);
    post->pidfd = -1;
    pthread_mutex_unlock(&post->makers->lock);
    job->told(job->context, answer, &err);
    json_decref(answer);
}

/* ---- who waits for one -------------------------------------------------------------------------
 */

/* The next job, or NULL: there will be none. */
static struct job *take_job(struct makers *makers)
{
    struct job *job;

    pthread_mutex_lock(&makers->lock);
    while (!makers->first && !makers->ends)
        pthread_cond_wait(&makers->wake, &makers->lock);
    job = makers->ends ? NULL : makers->first;
    if (job && !(makers->first = job->next))
        makers->last = &makers->first;
    pthread_mutex_unlock(&makers->lock);
    return job;
}

static void *work(void *context)
{
    struct post *post = context;
    struct job *job;

    while ((job = take_job(post->makers))) {
        make(post, job);
        free(job);
    }
    return NULL;
}

static void refuse(const struct job *job, int errnum)
{
    struct romsim_error err;

    if (errnum == ENOMEM)
        romsim_error_nomem(&err);
    else
        romsim_error_set(&err, errnum, "the server ends");
    err.cloud = ROMSIM_CLOUD_FAILED_OPERATION;
    job->told(job->context, NULL, &err);
}

void makers_make(struct makers *makers, const char *body, size_t size, maker_told *told,
                 void *context)
{
    const struct job given = {NULL, body, size, told, context};
    struct job *job = malloc(sizeof(*job));
    bool ends;

    if (!job) {
        refuse(&given, ENOMEM);
        return;
    }
    *job = given;
    pthread_mutex_lock(&makers->lock);
    ends = makers->ends;
    if (!ends) {
        *makers->last = job;
        makers->last = &job->next;
        pthread_cond_signal(&makers->wake);
    }
    pthread_mutex_unlock(&makers->lock);
    if (ends) {
        free(job);
        refuse(&given, ECANCELED);
    }
}

/* ---- all of them -------------------------------------------------------------------------------
 */

static int start_posts(struct makers *makers)
{
    for (; makers->count < MAKERS; makers->count++) {
        struct post *post = &makers->posts[makers->count];
        int problem;

        *post = (struct post){.makers = makers, .pidfd = -1};
        problem = pthread_create(&post->thread, NULL, work, post);
        if (problem)
            return problem;
    }
    return 0;
}

struct makers *makers_new(const struct romsim_api_options *options, struct romsim_error *err)
{
    struct makers *makers = calloc(1, sizeof(*makers));
    int problem;

    if (!makers) {
        romsim_error_nomem(err);
        return NULL;
    }
    makers->options = options;
    makers->last = &makers->first;
    pthread_mutex_init(&makers->lock, NULL);
    pthread_cond_init(&makers->wake, NULL);
    problem = start_posts(makers);
    if (!problem)
        return makers;
    makers_free(makers);
    romsim_error_system(err, problem, "cannot start a thread");
    return NULL;
}

/* Those that run are killed: their instances are there or are not, and a client that is told
 * nothing looks. */
static struct job *end_posts(struct makers *makers)
{
    struct job *left;

    pthread_mutex_lock(&makers->lock);
    makers->ends = true;
    for (unsigned i = 0; i < makers->count; i++)
        if (makers->posts[i].pidfd >= 0)
            pidfd_send_signal(makers->posts[i].pidfd, SIGKILL, NULL, 0);
    left = makers->first;
    makers->first = NULL;
    makers->last = &makers->first;
    pthread_cond_broadcast(&makers->wake);
    pthread_mutex_unlock(&makers->lock);
    return left;
}

void makers_free(struct makers *makers)
{
    struct job *left;

    if (!makers)
        return;
    left = end_posts(makers);
    for (unsigned i = 0; i < makers->count; i++)
        pthread_join(makers->posts[i].thread, NULL);
    while (left) {
        struct job *job = left;

        left = job->next;
        refuse(job, ECANCELED);
        free(job);
    }
    pthread_cond_destroy(&makers->wake);
    pthread_mutex_destroy(&makers->lock);
    free(makers);
}
