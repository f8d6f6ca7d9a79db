/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_input.c: what the app reads, from the client whose it is to the run.
 *
 * The client has a pipe of its own for it, so that input which the app does not take holds up
 * nothing that the client wants of the keeper: to stop the app, say.  From the pipe is taken what
 * the run has room for.  Its end alone does not end the input: a client that is killed has closed
 * it as well, and the app is not to take what came until then for all there is.
 */
#include "keeper_parts.h"

#include "sim/guest/manifest.h"

#include <romsim/checked.h>
#include <romsim/cleanup.h>

#include <errno.h>

static bool has_input(const struct keeper *keeper)
{
    return keeper->config->plan->input.is_open;
}

/* Tells the app of the end once all before it is on its way. */
static void end_if_all_is_there(struct keeper *keeper)
{
    struct keeper_input *input = &keeper->input;

    if (!keeper->run || !input->is_drained || !input->is_ended || input->run_has_ended)
        return;
    run_end_input(keeper->run);
    input->run_has_ended = true;
}

static json_t *end_input(struct keeper *keeper, const struct keeper_client *client)
{
    if (keeper->input.client != client)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "the input of '%s' is not yours to end",
                             keeper->layout->name);
    keeper->input.is_ended = true;
    end_if_all_is_there(keeper);
    return json_object();
}

json_t *keeper_take_input(struct keeper *keeper, struct keeper_client *client,
                          const json_t *request)
{
    struct keeper_input *input = &keeper->input;
    const char *name = keeper->layout->name;

    if (!has_input(keeper))
        return keeper_refuse(ROMSIM_CLOUD_INVALID,
                             "the app of '%s' reads nothing: it was made without --stdin", name);
    if (json_is_true(json_object_get(request, "end")))
        return end_input(keeper, client);
    if (input->client)
        return keeper_refuse(ROMSIM_CLOUD_ATTACHED, "somebody else gives '%s' its input", name);
    if (keeper->run && input->run_has_ended)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "the input of '%s' has ended", name);
    if (client->passed < 0)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "there is no descriptor with it");
    cleanup_close_fd(&input->fd);
    input->client = client;
    input->fd = steal_fd(&client->passed);
    input->is_drained = input->is_ended = false;
    return json_pack("{s:b}", "terminal", keeper->config->plan->input.is_terminal);
}

json_t *keeper_take_size(struct keeper *keeper, struct keeper_client *client, const json_t *request)
{
    json_int_t rows = json_integer_value(json_object_get(request, "rows"));
    json_int_t columns = json_integer_value(json_object_get(request, "columns"));

    (void)client;
    if (!keeper->config->plan->input.is_terminal)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "the app of '%s' has no terminal: --tty",
                             keeper->layout->name);
    if (rows < 1 || rows > MANIFEST_TERMINAL_MOST || columns < 1 ||
        columns > MANIFEST_TERMINAL_MOST)
        return keeper_refuse(ROMSIM_CLOUD_INVALID, "a terminal has 1 to %d rows and columns",
                             MANIFEST_TERMINAL_MOST);
    keeper->input.rows = (unsigned)rows;
    keeper->input.columns = (unsigned)columns;
    if (keeper->run)
        run_resize(keeper->run, keeper->input.rows, keeper->input.columns);
    return json_object();
}

int keeper_input_fd(const struct keeper *keeper)
{
    return keeper->run && run_input_room(keeper->run) ? keeper->input.fd : -1;
}

void keeper_pass_input(struct keeper *keeper)
{
    struct keeper_input *input = &keeper->input;
    char bytes[16 << 10];
    ssize_t size;

    if (keeper_input_fd(keeper) < 0)
        return;
    size = read(input->fd, bytes, min_u64(sizeof(bytes), run_input_room(keeper->run)));
    if (size > 0)
        run_input(keeper->run, bytes, (size_t)size);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    cleanup_close_fd(&input->fd);
    input->fd = -1;
    input->is_drained = true;
    end_if_all_is_there(keeper);
}

void keeper_begin_input(struct keeper *keeper)
{
    struct keeper_input *input = &keeper->input;

    input->run_has_ended = false;
    if (!input->client)
        input->is_ended = false; /* of another run */
    end_if_all_is_there(keeper);
    if (input->rows)
        run_resize(keeper->run, input->rows, input->columns);
}

void keeper_lose_input(struct keeper *keeper, const struct keeper_client *client)
{
    if (keeper->input.client == client)
        keeper->input.client = NULL;
}
