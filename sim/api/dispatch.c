/* SPDX-License-Identifier: BSD-3-Clause */
/* dispatch.c: which route a path means. */
#include "server.h"

#include <stdlib.h>
#include <string.h>

/* The part of a path or pattern up to the next slash. */
static size_t part_size(const char *text)
{
    return strcspn(text, "/");
}

static bool is_capture(const char *part)
{
    return part[0] == '{';
}

/* "{name...}": all that follows. */
static bool is_tail(const char *part)
{
    size_t size = part_size(part);

    return is_capture(part) && size > 5 && strncmp(part + size - 4, "...}", 4) == 0;
}

static void drop_captures(char *captures[API_CAPTURES_MAX])
{
    for (size_t i = 0; i < API_CAPTURES_MAX; i++) {
        free(captures[i]);
        captures[i] = NULL;
    }
}

/* Does the path fit?  The captures are as they were sent, without memory they are NULL. */
static bool fits(const char *pattern, const char *path, char *captures[API_CAPTURES_MAX])
{
    size_t count = 0;

    while (*pattern == '/' && *path == '/') {
        size_t wanted = part_size(++pattern), found = part_size(++path);

        if (is_tail(pattern)) {
            captures[count] = strdup(path);
            return true;
        }
        if (is_capture(pattern) && found > 0 && count < API_CAPTURES_MAX)
            captures[count++] = strndup(path, found);
        else if (wanted != found || strncmp(pattern, path, found) != 0)
            return false;
        pattern += wanted;
        path += found;
    }
    return !*pattern && !*path;
}

/* Of two patterns that a path fits: has `one` words where the other takes anything? */
static bool is_nearer(const char *one, const char *other)
{
    while (*one == '/' && *other == '/') {
        one++;
        other++;
        if (is_tail(one) != is_tail(other))
            return is_tail(other);
        if (is_capture(one) != is_capture(other))
            return is_capture(other);
        one += part_size(one);
        other += part_size(other);
    }
    return false;
}

static bool is_same(const char *one, const char *other)
{
    return !is_nearer(one, other) && !is_nearer(other, one);
}

const struct api_route *dispatch_find(const struct api_route *const *tables, enum api_method method,
                                      const char *path, unsigned *ret_methods,
                                      char *ret_captures[API_CAPTURES_MAX])
{
    const struct api_route *found = NULL, *nearest = NULL;

    *ret_methods = 0;
    memset(ret_captures, 0, API_CAPTURES_MAX * sizeof(*ret_captures));
    for (; *tables; tables++)
        for (const struct api_route *route = *tables; route->path; route++) {
            char *captures[API_CAPTURES_MAX] = {0};

            if (!fits(route->path, path, captures) ||
                (nearest && is_nearer(nearest->path, route->path))) {
                drop_captures(captures);
                continue;
            }
            if (nearest && !is_same(nearest->path, route->path)) {
                found = NULL;
                *ret_methods = 0;
            }
            nearest = route;
            *ret_methods |= route->method;
            if (found || !(route->method & method)) {
                drop_captures(captures);
                continue;
            }
            found = route;
            drop_captures(ret_captures);
            memcpy(ret_captures, captures, sizeof(captures));
        }
    if (!found)
        drop_captures(ret_captures);
    return found;
}
