/* SPDX-License-Identifier: BSD-3-Clause */
/* input.c: what is typed or piped here is what an app reads there. */
#include "input.h"

#include "sim/cli/cli.h"

#include <romsim/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum {
    PIECE = 16 << 10,
    USUAL_ROWS = 24,
    USUAL_COLUMNS = 80,
    KEY_EOF = 'D' & 0x1f,
    KEY_LEAVE = 'P' & 0x1f, /* and then */
    KEY_LEFT = 'Q' & 0x1f
};

struct input {
    input_asker *ask;
    void *context;
    int signals; /* SIGWINCH, SIGCONT */
    int pipe;    /* to the keeper; -1 when it takes no more */
    bool has_begun;
    bool has_terminal; /* the app */
    bool is_raw, is_detached;
    bool leaves;    /* the first of the two keys was the last */
    bool has_ended; /* there is no more here */
    struct termios saved;
    char held[PIECE + 2]; /* read, and not yet written */
    size_t from, to;
    char last; /* byte that was read */
};

/* ---- the terminal ------------------------------------------------------------------------------
 */

void input_terminal_size(unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size = {0};

    if ((ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 &&
         ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) ||
        !size.ws_row || !size.ws_col)
        size = (struct winsize){.ws_row = USUAL_ROWS, .ws_col = USUAL_COLUMNS};
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
}

static void send_size(struct input *input)
{
    unsigned rows, columns;

    input_terminal_size(&rows, &columns);
    input->ask(
        input->context,
        json_pack("{s:s, s:i, s:i}", "do", "size", "rows", (int)rows, "columns", (int)columns), -1,
        NULL);
}

static void make_raw(struct input *input)
{
    struct termios mode = input->saved;

    if (!input->is_raw)
        return;
    cfmakeraw(&mode);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

bool input_is_raw(const struct input *input)
{
    return input && input->is_raw;
}

/* ---- keys and bytes ----------------------------------------------------------------------------
 */

/* Takes the two keys by which one leaves out of what was typed. */
static void take_keys(struct input *input, const char *typed, size_t size)
{
    for (size_t i = 0; i < size && !input->is_detached; i++) {
        if (input->leaves && typed[i] == KEY_LEFT) {
            input->is_detached = true;
            continue;
        }
        if (input->leaves)
            input->held[input->to++] = KEY_LEAVE;
        input->leaves = typed[i] == KEY_LEAVE;
        if (!input->leaves)
            input->held[input->to++] = typed[i];
    }
}

static void close_pipe(struct input *input)
{
    cleanup_close_fd(&input->pipe);
    input->pipe = -1;
    input->from = input->to = 0;
}

/* What was read is written, and there is no more. */
static void end(struct input *input)
{
    close_pipe(input);
    if (!input->has_terminal)
        input->ask(input->context, json_pack("{s:s, s:b}", "do", "input", "end", 1), -1, NULL);
}

/* Behind a line that is not complete the key sends that, and is pressed once more for the end. */
static void type_end(struct input *input)
{
    if (!input->has_terminal)
        return;
    if (input->last && input->last != '\n')
        input->held[input->to++] = KEY_EOF;
    input->held[input->to++] = KEY_EOF;
}

static void read_some(struct input *input)
{
    char typed[PIECE / 2];
    ssize_t size = read(STDIN_FILENO, typed, sizeof(typed));

    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    input->from = input->to = 0;
    if (input->is_raw && size > 0) {
        take_keys(input, typed, (size_t)size);
    } else if (size > 0) {
        memcpy(input->held, typed, (size_t)size);
        input->to = (size_t)size;
    } else {
        input->has_ended = true;
        type_end(input);
    }
    if (input->to > 0)
        input->last = input->held[input->to - 1];
}

static void write_some(struct input *input)
{
    ssize_t size = write(input->pipe, input->held + input->from, input->to - input->from);

    if (size > 0)
        input->from += (size_t)size;
    else if (size < 0 && errno != EINTR && errno != EAGAIN)
        close_pipe(input); /* the app has ended, or may not read */
}

/* ---- from beginning to end ---------------------------------------------------------------------
 */

void input_polls(const struct input *input, struct pollfd ret[INPUT_POLLS])
{
    bool is_open = input && input->pipe >= 0, is_held = is_open && input->from < input->to;

    ret[0] = (struct pollfd){is_open && input->has_begun && !is_held && !input->has_ended &&
                                     !input->is_detached
                                 ? STDIN_FILENO
                                 : -1,
                             POLLIN, 0};
    /* That the keeper takes no more is seen without anything to write. */
    ret[1] = (struct pollfd){is_open ? input->pipe : -1, is_held ? POLLOUT : 0, 0};
    ret[2] = (struct pollfd){input ? input->signals : -1, POLLIN, 0};
}

void input_dispatch(struct input *input, const struct pollfd polls[INPUT_POLLS])
{
    struct signalfd_siginfo info;

    if (!input)
        return;
    if (polls[2].revents && read(input->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCONT)
            make_raw(input); /* the shell had its own modes meanwhile */
        if (input->has_terminal)
            send_size(input);
    }
    if (polls[0].revents)
        read_some(input);
    if (input->pipe >= 0 && input->from < input->to)
        write_some(input);
    else if (polls[1].revents)
        close_pipe(input);
    if (input->pipe >= 0 && input->has_ended && input->from == input->to)
        end(input);
}

bool input_is_detached(const struct input *input)
{
    return input && input->is_detached;
}

void input_begin(struct input *input, bool has_terminal)
{
    if (input->has_begun)
        return;
    input->has_begun = true;
    input->has_terminal = has_terminal;
    if (!has_terminal)
        return;
    send_size(input);
    if (input->pipe < 0 || tcgetattr(STDIN_FILENO, &input->saved) < 0)
        return;
    input->is_raw = true;
    make_raw(input);
}

int input_offer(struct input *input)
{
    struct romsim_error error = {0};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        romsim_error_system(&error, errno, "cannot make a pipe");
    } else {
        int status = input->ask(input->context, json_pack("{s:s}", "do", "input"), ends[0], &error);

        close(ends[0]);
        input->pipe = ends[1];
        if (status == 0)
            return 0;
    }
    romsim_error_context(&error, "--stdin");
    cli_report(&error);
    return -1;
}

struct input *input_new(input_asker *ask, void *context)
{
    struct input *input = calloc(1, sizeof(*input));
    struct romsim_error error = {0};
    sigset_t set;

    if (!input) {
        romsim_error_nomem(&error);
        cli_report(&error);
        return NULL;
    }
    input->ask = ask;
    input->context = context;
    input->pipe = -1;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    input->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return input;
}

void input_finish(struct input *input)
{
    if (!input)
        return;
    if (input->is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &input->saved);
    input->is_raw = false;
    close_pipe(input);
}

void input_free(struct input *input)
{
    if (!input)
        return;
    input_finish(input);
    cleanup_close_fd(&input->signals);
    free(input);
}
