/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shell.c: a root shell in the guest, beside the app.
 *
 * To the input this is the keeper of an app that reads: it gets a pipe, sizes, and an end.  They
 * pass as frames (sim/guest/manifest.h) on a line to the guest's init.  What comes from there is
 * the guest's, where the app is root as well: anything but frames ends the shell, and nothing else.
 */
#include "shell.h"

#include "cli.h"

#include "sim/guest/manifest.h"

#include <romsim/buffer.h>
#include <romsim/cleanup.h>
#include <romsim/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELD_MAX = 64 << 10, KIND_MAX = 64, READS_AT_ONCE = 128, STATUS_UNKNOWN = -1 };

struct shell {
    int line;                   /* borrowed; -1 when it is over */
    int pipe;                   /* from the input; -1: there is nothing more */
    bool has_begun, has_ended;  /* the shell */
    unsigned rows, columns;     /* of the terminal; 0: there is none */
    int status;                 /* once it has ended */
    struct romsim_buffer going; /* frames on their way */
    size_t gone;                /* of them */
    unsigned char in[MANIFEST_FRAME_HEAD + MANIFEST_FRAME_MAX];
    size_t in_size;
};

/* ---- to the guest ------------------------------------------------------------------------------
 */

static void write_line(struct shell *shell)
{
    size_t left = shell->going.size - shell->gone;
    ssize_t done = left && shell->line >= 0 ? send(shell->line, shell->going.data + shell->gone,
                                                   left, MSG_DONTWAIT | MSG_NOSIGNAL)
                                            : 0;

    if (done > 0)
        shell->gone += (size_t)done;
    if (shell->gone == shell->going.size) {
        romsim_buffer_reset(&shell->going);
        shell->gone = 0;
    }
}

static void add_frame(struct shell *shell, enum manifest_frame kind, const void *data, size_t size)
{
    const char head[MANIFEST_FRAME_HEAD] = {(char)kind, (char)(size & 0xff), (char)(size >> 8)};

    if (!shell->has_begun || shell->has_ended)
        return;
    romsim_buffer_append(&shell->going, head, sizeof(head));
    romsim_buffer_append(&shell->going, data, size);
    write_line(shell);
}

static void pack_size(const struct shell *shell, char ret[4])
{
    ret[0] = (char)(shell->rows & 0xff);
    ret[1] = (char)(shell->rows >> 8);
    ret[2] = (char)(shell->columns & 0xff);
    ret[3] = (char)(shell->columns >> 8);
}

int shell_ask(void *context, json_t *request, int passed, struct romsim_error *err)
{
    const char *word = json_string_value(json_object_get(request, "do"));
    struct shell *shell = context;
    char size[4];

    if (word && strcmp(word, "size") == 0) {
        shell->rows = (unsigned)json_integer_value(json_object_get(request, "rows"));
        shell->columns = (unsigned)json_integer_value(json_object_get(request, "columns"));
        pack_size(shell, size);
        add_frame(shell, MANIFEST_FRAME_SIZE, size, sizeof(size));
    } else if (passed >= 0) {
        shell->pipe = fcntl(passed, F_DUPFD_CLOEXEC, 0);
    }
    json_decref(request);
    if (shell->pipe < 0 && passed >= 0)
        return romsim_error_system(err, errno, "cannot copy a descriptor");
    return 0;
}

static void read_pipe(struct shell *shell)
{
    char bytes[MANIFEST_FRAME_MAX];
    ssize_t size = read(shell->pipe, bytes, sizeof(bytes));

    if (size > 0)
        add_frame(shell, MANIFEST_FRAME_DATA, bytes, (size_t)size);
    if (size != 0)
        return;
    cleanup_close_fd(&shell->pipe);
    shell->pipe = -1;
    /* The end of a terminal is typed. */
    if (!shell->rows)
        add_frame(shell, MANIFEST_FRAME_END, NULL, 0);
}

void shell_begin(struct shell *shell, bool has_terminal)
{
    const char *kind = has_terminal ? getenv("TERM") : NULL;
    char data[4 + KIND_MAX];
    size_t size = kind && strlen(kind) < KIND_MAX ? strlen(kind) : 0;

    if (shell->has_begun)
        return;
    shell->has_begun = true;
    if (has_terminal)
        input_terminal_size(&shell->rows, &shell->columns);
    pack_size(shell, data);
    memcpy(data + 4, size ? kind : "", size);
    add_frame(shell, MANIFEST_FRAME_OPEN, data, 4 + size);
}

void shell_leave(struct shell *shell)
{
    if (shell)
        add_frame(shell, MANIFEST_FRAME_HANG_UP, NULL, 0);
}

static void end(struct shell *shell)
{
    shell->has_ended = true;
    shell->line = -1;
    cleanup_close_fd(&shell->pipe);
    shell->pipe = -1;
}

/* ---- from the guest ----------------------------------------------------------------------------
 */

/* How many bytes of a frame there are to be, as far as that is known. */
static size_t frame_size(const struct shell *shell)
{
    size_t size = MANIFEST_FRAME_HEAD;

    if (shell->in_size >= MANIFEST_FRAME_HEAD)
        size += shell->in[1] | (size_t)shell->in[2] << 8;
    return size;
}

/* Takes what is whole.  False if it is no frame. */
static bool take_frame(struct shell *shell, struct stream *out)
{
    size_t size = shell->in_size - MANIFEST_FRAME_HEAD;
    const unsigned char *data = shell->in + MANIFEST_FRAME_HEAD;

    shell->in_size = 0;
    if (shell->in[0] == MANIFEST_FRAME_DATA) {
        stream_add(out, (const char *)data, size);
        return true;
    }
    if (shell->in[0] == MANIFEST_FRAME_END && size == 1) {
        add_frame(shell, MANIFEST_FRAME_HANG_UP, NULL, 0);
        return true;
    }
    if (shell->in[0] != MANIFEST_FRAME_EXIT || size != 1)
        return false;
    shell->status = data[0];
    end(shell);
    return true;
}

static void read_line(struct shell *shell, struct stream *out)
{
    bool is_sound = true;
    ssize_t got = 1;

    for (int i = 0; i < READS_AT_ONCE && is_sound && got > 0 && !shell->has_ended; i++) {
        size_t wanted = frame_size(shell);

        if (wanted > sizeof(shell->in)) {
            is_sound = false;
        } else if (shell->in_size == wanted && wanted > MANIFEST_FRAME_HEAD) {
            is_sound = take_frame(shell, out);
        } else {
            got = recv(shell->line, shell->in + shell->in_size, wanted - shell->in_size,
                       MSG_DONTWAIT);
            shell->in_size += got > 0 ? (size_t)got : 0;
            /* No frame from there is empty. */
            is_sound =
                !(shell->in_size == MANIFEST_FRAME_HEAD && frame_size(shell) == shell->in_size);
        }
    }
    if (!is_sound || got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        end(shell);
}

void shell_end(struct shell *shell, struct stream *out)
{
    if (!shell || shell->has_ended)
        return;
    if (shell->has_begun)
        read_line(shell, out);
    end(shell);
}

void shell_polls(const struct shell *shell, bool is_full, struct pollfd ret[SHELL_POLLS])
{
    bool is_there = shell && shell->has_begun && !shell->has_ended;
    bool is_going = is_there && shell->going.size > 0;
    short events = (short)((is_full ? 0 : POLLIN) | (is_going ? POLLOUT : 0));

    ret[0] = (struct pollfd){is_there && events ? shell->line : -1, events, 0};
    ret[1] = (struct pollfd){is_there && !is_going ? shell->pipe : -1, POLLIN, 0};
}

void shell_dispatch(struct shell *shell, const struct pollfd polls[SHELL_POLLS], struct stream *out)
{
    if (!shell)
        return;
    if (polls[0].revents & POLLOUT)
        write_line(shell);
    if (polls[1].revents && shell->pipe >= 0)
        read_pipe(shell);
    if (polls[0].revents & ~POLLOUT)
        read_line(shell, out);
}

bool shell_has_ended(const struct shell *shell, int *ret_status)
{
    if (shell && !shell->has_ended)
        return false;
    *ret_status = shell ? shell->status : STATUS_UNKNOWN;
    return true;
}

struct shell *shell_new(int line)
{
    struct shell *shell = calloc(1, sizeof(*shell));
    struct romsim_error error;

    if (!shell) {
        romsim_error_nomem(&error);
        cli_report(&error);
        return NULL;
    }
    shell->line = line;
    shell->pipe = -1;
    shell->status = STATUS_UNKNOWN;
    shell->going = ROMSIM_BUFFER_INIT(HELD_MAX);
    return shell;
}

void shell_free(struct shell *shell)
{
    if (!shell)
        return;
    cleanup_close_fd(&shell->pipe);
    romsim_buffer_reset(&shell->going);
    free(shell);
}
