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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWERS_MOST = 128 << 20, CONFIG_MOST = 1 << 20, CONNECT_S = 10 };

/* ---- what curl is told ------------------------------------------------------------------------
 */

/* A line `name = "value"`, by the rules of curl's config files.  What would be more than a line, of
 * a foreign image's manifest, say, is refused: the config then has failed. */
static void put(struct romsim_buffer *config, const char *name, const char *value)
{
    romsim_buffer_printf(config, "%s = \"", name);
    for (; *value; value++) {
        if (iscntrl((unsigned char)*value))
            config->failed = EINVAL;
        if (*value == '"' || *value == '\\')
            romsim_buffer_puts(config, "\\");
        romsim_buffer_append(config, value, 1);
    }
    romsim_buffer_puts(config, "\"\n");
}

/* The same, by printf()'s rules. */
__attribute__((format(printf, 3, 4))) static void
put_format(struct romsim_buffer *config, const char *name, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (text)
        put(config, name, text);
    else
        config->failed = ENOMEM;
}

/* What every request has; the options are each one's own. */
static void put_common(struct romsim_buffer *config, const struct remote *remote, const char *path,
                       const char *method, const char *word)
{
    put_format(config, "url", "%s%s", remote->url, path);
    put(config, "request", method);
    put(config, "user-agent", "romsim/" ROMSIM_VERSION);
    if (remote->token)
        put_format(config, "header", "Authorization: Bearer %s", remote->token);
    put(config, "header", "Expect:"); /* it would wait for a second */
    put(config, "proto", "=http,https");
    romsim_buffer_printf(config, "globoff\npath-as-is\nconnect-timeout = %d\n", CONNECT_S);
    if (remote->is_loopback)
        put(config, "noproxy", "*");
    romsim_buffer_printf(
        config, "write-out = \"\\n%s %%{http_code} <%%header{location}> %%{content_type}\\n\"\n",
        word);
}

static void put_request(struct romsim_buffer *config, const struct remote *remote,
                        const struct remote_request *request, int body, unsigned patience_s,
                        const char *word)
{
    put_common(config, remote, request->path, request->method, word);
    put(config, "header", "Accept: application/json");
    romsim_buffer_printf(config, "max-time = %u\n", patience_s);
    if (body < 0)
        return;
    put_format(config, "data-binary", "@/dev/fd/%d", body);
    put(config, "header", "Content-Type: application/json");
}

/* One that stands still for a minute is given up. */
static void put_upload(struct romsim_buffer *config, const struct remote *remote,
                       const struct remote_upload *upload, const char *word)
{
    put_common(config, remote, upload->path, upload->method, word);
    romsim_buffer_printf(config, "speed-limit = 1\nspeed-time = %d\n", REMOTE_PATIENCE_S);
    if (strcmp(upload->method, "HEAD") == 0)
        romsim_buffer_puts(config, "head\noutput = \"/dev/null\"\n");
    if (upload->body < 0)
        return;
    put_format(config, "upload-file", "/dev/fd/%d", upload->body);
    put_format(config, "header", "Content-Type: %s", upload->type);
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

struct answer {
    const char *bytes;
    size_t size;
    unsigned http;
    char location[1024];
    char type[80];
};

/* Reads ` STATUS <LOCATION> TYPE`.  The location is empty if there is none, or none of that length.
 */
static bool read_line(const char *line, struct answer *ret)
{
    size_t size = strcspn(line, "\n");
    const char *start = memchr(line, '<', size);
    const char *end = start ? memchr(start, '>', size - (size_t)(start - line)) : NULL;

    ret->http = (unsigned)strtoul(line, NULL, 10);
    if (!end || ret->http == 0)
        return false;
    if ((size_t)(end - start) <= sizeof(ret->location))
        snprintf(ret->location, sizeof(ret->location), "%.*s", (int)(end - start - 1), start + 1);
    line += size;
    end += strspn(end, "> ");
    snprintf(ret->type, sizeof(ret->type), "%.*s", (int)(line - end), end);
    return true;
}

/* The next answer of curl's output, from *place on; false if there is none. */
static bool take_answer(const struct romsim_buffer *output, const char *word, size_t *place,
                        struct answer *ret)
{
    const char *start = output->data ? output->data + *place : "";
    const char *mark = memmem(start, output->size - *place, word, strlen(word)), *line, *end;

    if (!mark || mark == start)
        return false;
    line = mark + strlen(word);
    end = strchr(line, '\n');
    *ret = (struct answer){.bytes = start, .size = (size_t)(mark - 1 - start)};
    if (!end || !read_line(line, ret))
        return false;
    *place = (size_t)(end + 1 - output->data);
    return true;
}

/* The envelope of an answer. */
static json_t *read_envelope(const struct remote *remote, const struct answer *answer,
                             struct romsim_error *err)
{
    json_t *envelope = json_loadb(answer->bytes, answer->size, 0, NULL);
    bool is_envelope = json_is_string(json_object_get(envelope, "status"));

    if (answer->http == 401)
        not_let_in(remote, err);
    else if (!is_envelope)
        not_an_api(remote, answer->http, answer->type, err);
    else if (answer->http >= 300)
        refuse(envelope, answer->http, err);
    else
        return envelope;
    json_decref(envelope);
    return NULL;
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
        .argv = argv, .inherited = bodies, .input = input, .printed = output, .complaints = errors};

    if (config->failed == EINVAL)
        return romsim_error_set(err, EINVAL, "there are control characters in what is to be sent");
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
        struct answer answer;
        bool came = take_answer(output, word, &place, &answer);

        ret[i] = came ? read_envelope(remote, &answer, err) : NULL;
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

/* ---- the registry -----------------------------------------------------------------------------
 */

/* Its errors are in a form of their own. */
static int refuse_upload(const struct remote *remote, const struct answer *answer,
                         struct romsim_error *err)
{
    json_t *body = json_loadb(answer->bytes, answer->size, 0, NULL);
    const char *message = json_string_value(
        json_object_get(json_array_get(json_object_get(body, "errors"), 0), "message"));

    if (answer->http == 401)
        not_let_in(remote, err);
    else if (message)
        romsim_error_set(err, EPROTO, "%s", message);
    else
        romsim_error_set(err, EPROTO, "'%s' takes no images: it answered with HTTP status %u",
                         QUOTE(remote->url), answer->http);
    json_decref(body);
    return -1;
}

int remote_upload(const struct remote *remote, const struct remote_upload *upload,
                  char **ret_location, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer config = ROMSIM_BUFFER_INIT(CONFIG_MOST);
    CLEANUP_BUFFER struct romsim_buffer output = ROMSIM_BUFFER_INIT(1 << 20);
    CLEANUP_BUFFER struct romsim_buffer errors = ROMSIM_BUFFER_INIT(64 << 10);
    const int bodies[] = {upload->body, -1};
    char word[ROMSIM_UUID_SIZE];
    struct answer answer;
    size_t place = 0;
    int status;

    if (!romsim_uuid_new(word))
        return romsim_error_set(err, EIO, "there are no random numbers");
    put_upload(&config, remote, upload, word);
    if (run_curl(&config, bodies, &output, &errors, &status, err) < 0)
        return -1;
    if (!take_answer(&output, word, &place, &answer))
        return curl_failed(remote, status, &errors, err);
    if (answer.http >= 300 && (answer.http != 404 || strcmp(upload->method, "HEAD") != 0))
        return refuse_upload(remote, &answer, err);
    if (ret_location && !(*ret_location = strdup(answer.location)))
        return romsim_error_nomem(err);
    return (int)answer.http;
}
