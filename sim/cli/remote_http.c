/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote_http.c: requests to a server, made by curl.
 *
 * All that curl is to do stands in a config file on its standard input, so that the token is on no
 * command line; bodies are files in memory, which it has by their descriptors.  Its ~/.curlrc does
 * not count.  Behind each answer curl writes a line that begins with a random word, which no answer
 * can have in it: so answers of several requests can be told apart.
 */
#include "remote.h"

#include <romsim/program.h>
#include <romsim/text.h>
#include <romsim/uuid.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWERS_MOST = 128 << 20, CONFIG_MOST = 1 << 20, CONNECT_S = 10 };

/* ---- what curl is told ------------------------------------------------------------------------
 */

/* A line `name = "value"`, by the rules of curl's config files. */
static void put(struct romsim_buffer *config, const char *name, const char *value)
{
    romsim_buffer_printf(config, "%s = \"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            romsim_buffer_puts(config, "\\");
        romsim_buffer_append(config, value, 1);
    }
    romsim_buffer_puts(config, "\"\n");
}

/* The options are each request's own, but for those of main(). */
static void put_request(struct romsim_buffer *config, const struct remote *remote,
                        const struct remote_request *request, int body, unsigned patience_s,
                        const char *word)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(CONFIG_MOST);

    romsim_buffer_printf(&text, "%s%s", remote->url, request->path);
    put(config, "url", text.data ?: "");
    put(config, "request", request->method);
    put(config, "header", "Accept: application/json");
    put(config, "user-agent", "romsim/" ROMSIM_VERSION);
    if (remote->token) {
        romsim_buffer_reset(&text);
        romsim_buffer_printf(&text, "Authorization: Bearer %s", remote->token);
        put(config, "header", text.data ?: "");
    }
    if (body >= 0) {
        romsim_buffer_reset(&text);
        romsim_buffer_printf(&text, "@/dev/fd/%d", body);
        put(config, "data-binary", text.data ?: "");
        put(config, "header", "Content-Type: application/json");
        put(config, "header", "Expect:"); /* it would wait for a second */
    }
    put(config, "proto", "=http,https");
    romsim_buffer_puts(config, "globoff\npath-as-is\n");
    if (remote->is_loopback)
        put(config, "noproxy", "*");
    romsim_buffer_printf(config, "connect-timeout = %d\nmax-time = %u\n", CONNECT_S, patience_s);
    romsim_buffer_printf(config, "write-out = \"\\n%s %%{http_code} %%{content_type}\\n\"\n", word);
}

/* A file in memory, to be read from its beginning; -1 with errno. */
static int file_of(const char *bytes, size_t size)
{
    int fd = memfd_create("romsim", MFD_CLOEXEC);

    for (size_t done = 0; fd >= 0 && done < size;) {
        ssize_t written = write(fd, bytes + done, size - done);

        if (written < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        done += written < 0 ? 0 : (size_t)written;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* ---- how it failed ----------------------------------------------------------------------------
 */

/* curl's last line without what it begins with: "curl: (7) ". */
static const char *curl_words(struct romsim_buffer *errors)
{
    char *text = errors->data, *end;

    if (!text)
        return "";
    while (errors->size > 0 && isspace((unsigned char)text[errors->size - 1]))
        text[--errors->size] = '\0';
    end = strrchr(text, '\n');
    text = end ? end + 1 : text;
    if (strncmp(text, "curl: (", 7) == 0 && (end = strchr(text, ')')))
        text = end + 1 + (end[1] == ' ');
    return text;
}

static const struct {
    int code; /* of curl(1), EXIT CODES */
    int errnum;
    const char *hint;
} curl_codes[] = {
    {6, EHOSTUNREACH, "is the host's name right?"},
    {7, ECONNREFUSED, "does 'romsim serve' run there, and '--listen' where it can be reached?"},
    {28, ETIMEDOUT, NULL},
    {35, EPROTO, "is it a server of https? That of 'romsim serve' is http"},
    {52, EPROTO, "is it a server of https?"},
    {60, EPROTO, "CURL_CA_BUNDLE=FILE names the certificates that are to be trusted"},
};

static int curl_failed(const struct remote *remote, int status, struct romsim_buffer *errors,
                       struct romsim_error *err)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    const char *words = curl_words(errors);

    romsim_error_set(err, EIO, "cannot ask '%s': %s", QUOTE(remote->url),
                     code < 0 ? "curl was ended by a signal"
                     : *words ? QUOTE(words)
                              : "curl failed");
    if (code < 0 && err)
        err->errnum = EINTR;
    for (size_t i = 0; i < sizeof(curl_codes) / sizeof(curl_codes[0]); i++) {
        if (curl_codes[i].code != code)
            continue;
        if (err)
            err->errnum = curl_codes[i].errnum;
        if (curl_codes[i].hint)
            romsim_error_hint(err, "%s", curl_codes[i].hint);
    }
    return -1;
}

static int not_an_api(const struct remote *remote, unsigned http, const char *type,
                      struct romsim_error *err)
{
    romsim_error_set(err, EPROTO, "'%s' is no romsim: it answered with HTTP status %u%s%s",
                     QUOTE(remote->url), http, *type ? " and " : "", QUOTE(type));
    return romsim_error_hint(err, "the address is what 'romsim serve' says, as "
                                  "http://127.0.0.1:8080");
}

static int not_let_in(const struct remote *remote, struct romsim_error *err)
{
    if (remote->token)
        romsim_error_set(err, EACCES, "'%s' does not take the token of %s", QUOTE(remote->url),
                         remote->token_of);
    else
        romsim_error_set(err, EACCES, "'%s' asks for a token", QUOTE(remote->url));
    return romsim_error_hint(err, "'romsim serve --print-env' says it on its machine; ROMSIM_TOKEN "
                                  "has it here");
}

/* ---- what was answered ------------------------------------------------------------------------
 */

static int errno_of(json_int_t code)
{
    switch (code) {
    case ROMSIM_CLOUD_NOT_FOUND:
        return ENOENT;
    case ROMSIM_CLOUD_ALREADY_EXISTS:
        return EEXIST;
    case ROMSIM_CLOUD_TIMED_OUT:
        return ETIMEDOUT;
    default:
        return EINVAL;
    }
}

/* The words of an envelope or of an item. */
static int refuse(const json_t *answer, unsigned http, struct romsim_error *err)
{
    const char *message = json_string_value(json_object_get(answer, "message"));
    json_int_t code = json_integer_value(json_object_get(answer, "error"));

    if (message)
        romsim_error_set(err, errno_of(code), "%s", message);
    else if (http >= 300)
        romsim_error_set(err, EPROTO, "the server answered with HTTP status %u", http);
    else
        romsim_error_set(err, EPROTO, "the server refused it, and does not say why");
    if (err && code > 0 && code <= ROMSIM_CLOUD_CANNOT_BE_USED)
        err->cloud = (enum romsim_cloud_code)code;
    return -1;
}

const json_t *remote_list_of(const json_t *envelope)
{
    json_t *data = json_object_get(envelope, "data");
    const char *key;
    json_t *list;

    json_object_foreach(data, key, list)
    {
        if (json_is_array(list))
            return list;
    }
    return NULL;
}

bool remote_item_failed(const json_t *item, struct romsim_error *err)
{
    const char *status = json_string_value(json_object_get(item, "status"));

    return status && strcmp(status, "error") == 0 && refuse(item, 200, err) < 0;
}

/* The envelope of an answer. */
static json_t *read_answer(const struct remote *remote, const char *bytes, size_t size,
                           unsigned http, const char *type, struct romsim_error *err)
{
    json_t *envelope = json_loadb(bytes, size, 0, NULL);
    bool is_envelope = json_is_string(json_object_get(envelope, "status"));

    if (http == 401)
        not_let_in(remote, err);
    else if (!is_envelope)
        not_an_api(remote, http, type, err);
    else if (http >= 300)
        refuse(envelope, http, err);
    else
        return envelope;
    json_decref(envelope);
    return NULL;
}

/* The next answer of curl's output, from *place on.  NULL with *ret_came false: there is none. */
static json_t *take_answer(const struct remote *remote, const struct romsim_buffer *output,
                           const char *word, size_t *place, bool *ret_came,
                           struct romsim_error *err)
{
    const char *start = output->data ? output->data + *place : "";
    const char *mark = memmem(start, output->size - *place, word, strlen(word)), *line, *end;
    unsigned http = 0;
    char type[80] = "";

    *ret_came = false;
    if (!mark || mark == start)
        return NULL;
    line = mark + strlen(word);
    end = strchr(line, '\n');
    if (!end || sscanf(line, " %u %79[^\n]", &http, type) < 1 || http == 0)
        return NULL;
    *place = (size_t)(end + 1 - output->data);
    *ret_came = true;
    return read_answer(remote, start, (size_t)(mark - 1 - start), http, type, err);
}

/* ---- requests ---------------------------------------------------------------------------------
 */

/* Runs curl with a config. */
static int run_curl(const struct romsim_buffer *config, const int *bodies,
                    struct romsim_buffer *output, struct romsim_buffer *errors, int *ret_status,
                    struct romsim_error *err)
{
    static const char *const argv[] = {"curl", "-q", "-sS", "-K", "-", NULL};
    CLEANUP_FD int input = config->failed ? -1 : file_of(config->data, config->size);
    const struct romsim_program program = {
        .argv = argv, .inherited = bodies, .input = input, .output = output, .errors = errors};

    if (input < 0)
        return romsim_error_nomem(err);
    if (romsim_program_run(&program, ret_status, err) == 0)
        return 0;
    if (err && err->errnum == ENOENT)
        romsim_error_hint(err, "other machines are asked by curl: install it");
    return -1;
}

static int take_answers(const struct remote *remote, const struct romsim_buffer *output,
                        const char *word, size_t count, int status, struct romsim_buffer *errors,
                        json_t **ret, struct romsim_error *err)
{
    size_t place = 0;

    for (size_t i = 0; i < count; i++) {
        bool came;

        ret[i] = take_answer(remote, output, word, &place, &came, err);
        if (ret[i])
            continue;
        if (!came)
            curl_failed(remote, status, errors, err);
        while (i-- > 0)
            json_decref(ret[i]);
        return -1;
    }
    return 0;
}

int remote_exchange(const struct remote *remote, const struct remote_request *requests,
                    size_t count, unsigned patience_s, json_t **ret, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer config = ROMSIM_BUFFER_INIT(CONFIG_MOST);
    CLEANUP_BUFFER struct romsim_buffer output = ROMSIM_BUFFER_INIT(ANSWERS_MOST);
    CLEANUP_BUFFER struct romsim_buffer errors = ROMSIM_BUFFER_INIT(64 << 10);
    int bodies[REMOTE_REQUESTS_MAX + 1], status = 0, result = 0;
    char word[ROMSIM_UUID_SIZE];
    size_t body_count = 0;

    if (!romsim_uuid_new(word))
        return romsim_error_set(err, EIO, "there are no random numbers");
    for (size_t i = 0; i < count && result == 0; i++) {
        const char *body = requests[i].body;

        if (body && (bodies[body_count] = file_of(body, strlen(body))) < 0)
            result = romsim_error_nomem(err);
        else
            put_request(&config, remote, &requests[i], body ? bodies[body_count++] : -1, patience_s,
                        word);
        romsim_buffer_puts(&config, i + 1 < count ? "next\n" : "");
    }
    bodies[body_count] = -1;
    if (result == 0)
        result = run_curl(&config, bodies, &output, &errors, &status, err);
    for (size_t i = 0; i < body_count; i++)
        close(bodies[i]);
    if (result == 0 && output.failed)
        result = romsim_error_set(err, EFBIG, "the answer of '%s' is too long", QUOTE(remote->url));
    return result < 0 ? -1 : take_answers(remote, &output, word, count, status, &errors, ret, err);
}

json_t *remote_items(const struct remote *remote, const char *method, const char *path,
                     json_t *body, unsigned patience_s, struct romsim_error *err)
{
    CLEANUP_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const struct remote_request request = {method, path, text};
    bool is_lost = body && !text;
    json_t *envelope = NULL, *items;

    json_decref(body);
    if (is_lost) {
        romsim_error_nomem(err);
        return NULL;
    }
    if (remote_exchange(remote, &request, 1, patience_s, &envelope, err) < 0)
        return NULL;
    items = json_incref((json_t *)remote_list_of(envelope));
    if (!items)
        refuse(envelope, 200, err);
    json_decref(envelope);
    return items;
}

json_t *remote_item(const struct remote *remote, const char *method, const char *path, json_t *body,
                    unsigned patience_s, struct romsim_error *err)
{
    json_t *items = remote_items(remote, method, path, body, patience_s, err);
    json_t *item = json_incref(json_array_get(items, 0));

    if (items && !item)
        romsim_error_set(err, EPROTO, "the server does not say what became of it");
    json_decref(items);
    if (!item || !remote_item_failed(item, err))
        return item;
    json_decref(item);
    return NULL;
}
