/* SPDX-License-Identifier: BSD-3-Clause */
/* remote.c: which server is meant, and the token for it. */
#include "remote.h"

#include "token.h"

#include <romsim/text.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *remote_host(const struct cli_args *args)
{
    const char *host = cli_value(args, "host") ?: getenv("ROMSIM_HOST");

    return host && *host ? host : NULL;
}

/* ---- the address ------------------------------------------------------------------------------
 */

/* Where the host's name begins, behind "http://" or "https://"; NULL for another beginning. */
static const char *host_of(const char *url)
{
    if (strncasecmp(url, "http://", 7) == 0)
        return url + 7;
    return strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

static bool ends_in(const char *text, size_t size, const char *end)
{
    size_t length = strlen(end);

    return size >= length && strncasecmp(text + size - length, end, length) == 0;
}

/* A name that leads to this machine, whatever resolves it. */
static bool is_loopback(const char *host)
{
    size_t size = strcspn(host, ":/");

    if (strncasecmp(host, "[::1]", 5) == 0)
        return true;
    if (strncmp(host, "127.", 4) == 0)
        return strspn(host, "0123456789.") == size;
    return (size == 9 && strncasecmp(host, "localhost", 9) == 0) ||
           ends_in(host, size, ".localhost");
}

/* What is wrong with an address, or NULL. */
static const char *complaint(const char *url)
{
    const char *host = host_of(url);

    if (!host)
        return "it has to begin with http:// or https://";
    if (*host == '\0' || strchr(":/", *host))
        return "it names no host";
    for (const char *place = url; *place; place++)
        if (!isgraph((unsigned char)*place) || strchr("\"\\<>^`{|}", *place))
            return "it has characters that no address has";
    if (strchr(host, '@'))
        return "a user or a token does not belong into it: ROMSIM_TOKEN has the token";
    return strpbrk(host, "?#") ? "it has more than a host and a path" : NULL;
}

/* Without what the clients of the cloud write behind the host: "/", "/v1", "/v1/". */
static void cut_path(char *url)
{
    char *path = url + (host_of(url) - url);
    size_t size;

    path += strcspn(path, "/");
    size = strlen(path);
    while (size > 0 && path[size - 1] == '/')
        size--;
    if (ends_in(path, size, "/v1"))
        size -= 3;
    while (size > 0 && path[size - 1] == '/')
        size--;
    path[size] = '\0';
}

/* ---- the token --------------------------------------------------------------------------------
 */

/* It becomes a line of a header. */
static bool is_token(const char *text)
{
    while (*text && isgraph((unsigned char)*text))
        text++;
    return *text == '\0';
}

/* That of a server of this account on this machine, if one was ever started. */
static int take_kept_token(struct remote *remote, struct romsim_error *err)
{
    struct romsim_error error;

    remote->token = token_kept(TOKEN_ORGANIZATION, &error);
    remote->token_of = "this account's servers";
    if (remote->token || error.errnum == ENOENT)
        return 0;
    if (err)
        *err = error;
    return -1;
}

static int find_token(struct remote *remote, struct romsim_error *err)
{
    static const char *const variables[] = {"ROMSIM_TOKEN", "UKC_TOKEN"};

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *token = getenv(variables[i]);

        if (!token || !*token)
            continue;
        if (!is_token(token))
            return romsim_error_set(err, EINVAL, "%s has characters that no token has",
                                    variables[i]);
        remote->token = strdup(token);
        remote->token_of = variables[i];
        return remote->token ? 0 : romsim_error_nomem(err);
    }
    return remote->is_loopback ? take_kept_token(remote, err) : 0;
}

/* ---- both -------------------------------------------------------------------------------------
 */

struct remote *remote_new(const char *host, struct romsim_error *err)
{
    const char *wrong = complaint(host);
    struct remote *remote;

    if (wrong) {
        romsim_error_set(err, EINVAL, "'%s' is no address of a server: %s", QUOTE(host), wrong);
        romsim_error_hint(err, "--host http://127.0.0.1:8080, or in ROMSIM_HOST; 'romsim serve' "
                               "says where it listens");
        return NULL;
    }
    remote = calloc(1, sizeof(*remote));
    if (!remote || !(remote->url = strdup(host))) {
        remote_free(remote);
        romsim_error_nomem(err);
        return NULL;
    }
    cut_path(remote->url);
    remote->is_loopback = is_loopback(host_of(host));
    if (find_token(remote, err) == 0)
        return remote;
    remote_free(remote);
    return NULL;
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    free(remote->url);
    free(remote->token);
    free(remote);
}
