/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.c: who may ask.
 *
 * The token keeps other users of this machine out.  A page in the user's browser could not read it,
 * but the browser would send what that page likes: so the Host has to be one of this machine's
 * names, since a page's own name may resolve to 127.0.0.1, and an Origin has to be ours.
 */
#include "server.h"

#include <romsim/cleanup.h>
#include <romsim/text.h>

#include <string.h>
#include <strings.h>

/* In a time that depends on what was presented, and not on the secret. */
static bool is_equal(const char *presented, const char *secret)
{
    size_t size = strlen(presented), wanted = strlen(secret);
    unsigned difference = size != wanted;

    for (size_t i = 0; i < size; i++)
        difference |= (unsigned char)presented[i] ^ (unsigned char)secret[wanted ? i % wanted : 0];
    return wanted && difference == 0;
}

/* Base64 of a text, malloc'ed; NULL if it is none. */
static char *decode(const char *text)
{
    size_t size;
    CLEANUP_FREE uint8_t *bytes = romsim_base64_decode(text, strlen(text), &size);

    return bytes && !memchr(bytes, 0, size) ? strndup((const char *)bytes, size) : NULL;
}

/* docker's and others' login: the user is any, the password the token, or the part of it that is
 * secret; or who has the token took it for the encoded pair. */
static bool is_password(const char *encoded, const char *token)
{
    CLEANUP_FREE char *pair = decode(encoded), *decoded = decode(token);
    const char *password = pair ? strchr(pair, ':') : NULL;
    const char *secret = decoded ? strchr(decoded, ':') : NULL;

    if (is_equal(encoded, token))
        return true;
    return password &&
           (is_equal(password + 1, token) || (secret && is_equal(password + 1, secret + 1)));
}

/* What follows a scheme's name, or NULL. */
static const char *after_scheme(const char *authorization, const char *scheme)
{
    size_t size = strlen(scheme);

    if (strncasecmp(authorization, scheme, size) != 0 || authorization[size] != ' ')
        return NULL;
    return authorization + size + strspn(authorization + size, " ");
}

bool guard_is_authorized(const char *authorization, const char *token, bool takes_basic)
{
    const char *bearer = after_scheme(authorization, "Bearer");
    const char *basic = takes_basic ? after_scheme(authorization, "Basic") : NULL;

    return (bearer && is_equal(bearer, token)) || (basic && is_password(basic, token));
}

/* The host of "host", "host:port", "[v6]" or "[v6]:port". */
static size_t host_size(const char *text)
{
    return text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
}

static bool is_host(const char *text, size_t size, const char *name)
{
    return strlen(name) == size && strncasecmp(text, name, size) == 0;
}

bool guard_knows_host(const char *host, const char *address)
{
    static const char local[] = ".localhost";
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t size = host_size(host);

    if (size > strlen(host) || (host[size] && host[size] != ':'))
        return false; /* a bracket that nothing closes, or something behind it */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_host(host, size, names[i]))
            return true;
    return is_host(host, size, address) ||
           (size > strlen(local) &&
            strncasecmp(host + size - strlen(local), local, strlen(local)) == 0);
}

/* Is the request one that a page of another site had the browser send? */
static bool is_foreign(const struct api_request *request, const char *host)
{
    const char *origin = api_request_header(request, "Origin");
    const char *site = api_request_header(request, "Sec-Fetch-Site");
    const char *mode = api_request_header(request, "Sec-Fetch-Mode");
    const char *name = origin ? strstr(origin, "://") : NULL;

    if (origin && !(name && host && strcasecmp(name + 3, host) == 0))
        return true;
    /* A link to here may be followed. */
    return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0 &&
           !(mode && strcmp(mode, "navigate") == 0 && request->method == API_GET);
}

/* The root answers who has no token by a page, if he reads pages; others look at the status to know
 * that an API is there (cloud-api §1.1). */
static bool wants_page(const struct api_request *request)
{
    const char *accept = api_request_header(request, "Accept");

    return strcmp(request->path, "/") != 0 || (accept && strstr(accept, "text/html"));
}

bool guard_admits(struct exchange *exchange, bool is_open)
{
    struct api_request *request = &exchange->request;
    const struct api *api = request->api;
    const char *host = api_request_header(request, "Host");
    const char *authorization = api_request_header(request, "Authorization");
    const char *token = api->options->token;
    bool is_registry = strncmp(request->path, "/v2/", 4) == 0 || strcmp(request->path, "/v2") == 0;

    /* Without one it is no browser's. */
    if (host && api->is_loopback && !guard_knows_host(host, api->address)) {
        api_reply_fail(request, 403, ROMSIM_CLOUD_NOT_ALLOWED,
                       "The host '%s' is none of this server's names", QUOTE(host));
        return false;
    }
    if (is_foreign(request, host)) {
        api_reply_fail(request, 403, ROMSIM_CLOUD_NOT_ALLOWED,
                       "A page of another site may not ask here");
        return false;
    }
    if (!token || (authorization && guard_is_authorized(authorization, token, is_registry)) ||
        (is_open && wants_page(request)))
        return true;
    api_reply_header(request, "WWW-Authenticate",
                     is_registry ? "Basic realm=\"romsim\"" : "Bearer realm=\"romsim\"");
    api_reply_fail(request, 401, ROMSIM_CLOUD_NOT_ALLOWED, "%s",
                   authorization ? "The token is not this server's"
                                 : "A token is needed: 'romsim serve --print-env' shows it");
    return false;
}
