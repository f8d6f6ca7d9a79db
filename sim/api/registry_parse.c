/* SPDX-License-Identifier: BSD-3-Clause */
/* registry_parse.c: what stands in the registry's requests; nothing here looks anywhere else. */
#include "registry.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- names ------------------------------------------------------------------------------------
 */

static bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The size of what may stand between two words: ".", "_", "__" or any number of "-". */
static size_t separator_size(const char *text)
{
    if (text[0] == '-')
        return strspn(text, "-");
    if (text[0] == '_')
        return text[1] == '_' ? 2 : 1;
    return text[0] == '.';
}

/* Words of [a-z0-9]+ with separators between them, in parts with slashes between them. */
bool registry_name_is_valid(const char *name)
{
    if (strlen(name) >= REGISTRY_NAME_SIZE)
        return false;
    for (;;) {
        if (!is_word_character(*name))
            return false;
        while (is_word_character(*name))
            name++;
        if (!*name)
            return true;
        name += *name == '/' ? 1 : separator_size(name);
    }
}

bool registry_tag_is_valid(const char *tag)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    size_t size = strlen(tag);

    return size > 0 && size < REGISTRY_TAG_SIZE && tag[0] != '.' && tag[0] != '-' &&
           strspn(tag, allowed) == size;
}

/* ---- paths ------------------------------------------------------------------------------------
 */

/* What the path of each kind has behind the name; the longer ones first.  A name may have such
 * parts, too, so they are looked for from the end. */
static const struct {
    const char *part;
    enum registry_kind kind;
    bool has_reference;
} forms[] = {
    {"/tags/list", REGISTRY_TAGS, false},        {"/blobs/uploads/", REGISTRY_UPLOADS, false},
    {"/blobs/uploads", REGISTRY_UPLOADS, false}, {"/blobs/uploads/", REGISTRY_UPLOAD, true},
    {"/manifests/", REGISTRY_MANIFEST, true},    {"/blobs/", REGISTRY_BLOB, true},
    {"/referrers/", REGISTRY_REFERRERS, true},
};

/* Does `part` end at `end`?  Its beginning, or NULL. */
static const char *find_before(const char *text, const char *end, const char *part)
{
    size_t size = strlen(part);

    return (size_t)(end - text) > size && memcmp(end - size, part, size) == 0 ? end - size : NULL;
}

static void copy(const char *from, const char *end, char *ret, size_t ret_size)
{
    size_t size = (size_t)(end - from);

    if (size < ret_size) {
        memcpy(ret, from, size);
        ret[size] = '\0';
    }
}

void registry_path_parse(const char *text, struct registry_path *ret)
{
    const char *end = text + strlen(text), *slash = strrchr(text, '/');

    *ret = (struct registry_path){.kind = REGISTRY_NOTHING};
    if (!*text || strcmp(text, "_catalog") == 0) {
        ret->kind = *text ? REGISTRY_CATALOG : REGISTRY_BASE;
        return;
    }
    for (size_t i = 0; slash && i < sizeof(forms) / sizeof(forms[0]); i++) {
        const char *start =
            find_before(text, forms[i].has_reference ? slash + 1 : end, forms[i].part);

        if (!start)
            continue;
        ret->kind = forms[i].kind;
        if (forms[i].has_reference)
            copy(slash + 1, end, ret->reference, sizeof(ret->reference));
        copy(text, start, ret->name, sizeof(ret->name));
        ret->is_name_valid = registry_name_is_valid(ret->name);
        if (!ret->is_name_valid)
            ret->name[0] = '\0';
        return;
    }
}

/* ---- ranges ------------------------------------------------------------------------------------
 */

/* The digits at `text`, and what follows them; NULL if there are none, or too many. */
static const char *eat_number(const char *text, uint64_t *ret)
{
    uint64_t value = 0;

    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *text - '0', &value))
            return NULL;
    *ret = value;
    return text;
}

bool registry_parse_number(const char *text, uint64_t *ret)
{
    uint64_t value;
    const char *end = eat_number(text, &value);

    if (!end || *end)
        return false;
    *ret = value;
    return true;
}

bool registry_parse_chunk(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
    bool is_http = strncasecmp(text, "bytes ", 6) == 0;
    uint64_t first, last;

    text = eat_number(is_http ? text + 6 : text, &first);
    if (!text || *text != '-')
        return false;
    text = eat_number(text + 1, &last);
    if (!text || last < first || last == UINT64_MAX || !(is_http ? *text == '/' : !*text))
        return false;
    *ret_first = first;
    *ret_last = last;
    return true;
}

/* "-LENGTH": the end. */
static int parse_suffix(const char *text, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
    uint64_t length;

    if (!registry_parse_number(text, &length))
        return 0;
    if (length == 0 || size == 0)
        return -1;
    *ret_length = length < size ? length : size;
    *ret_offset = size - *ret_length;
    return 1;
}

int registry_parse_range(const char *text, uint64_t size, uint64_t *ret_offset,
                         uint64_t *ret_length)
{
    uint64_t first, last = UINT64_MAX;

    if (strncasecmp(text, "bytes=", 6) != 0)
        return 0;
    text += 6;
    if (*text == '-')
        return parse_suffix(text + 1, size, ret_offset, ret_length);
    text = eat_number(text, &first);
    if (!text || *text != '-' || (text[1] && !registry_parse_number(text + 1, &last)) ||
        last < first)
        return 0;
    if (first >= size)
        return -1;
    *ret_offset = first;
    *ret_length = (last < size - 1 ? last : size - 1) - first + 1;
    return 1;
}

void registry_parse_type(const char *text, char *ret, size_t ret_size)
{
    size_t size;

    text += strspn(text, " \t");
    size = strcspn(text, "; \t,");
    if (size >= ret_size)
        size = 0;
    for (size_t i = 0; i < size; i++)
        ret[i] = (char)tolower((unsigned char)text[i]);
    ret[size] = '\0';
}
