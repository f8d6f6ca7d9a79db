/* SPDX-License-Identifier: BSD-3-Clause */
/* manifest.c: reads the manifest; for the guest's init and, on the host, for tests. */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

enum field_kind { FIELD_TEXT, FIELD_STRINGS, FIELD_ENTRIES };

struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
};

static const struct field fields[] = {
    {"hostname", FIELD_TEXT, offsetof(struct manifest, hostname)},
    {"address", FIELD_TEXT, offsetof(struct manifest, address)},
    {"gateway", FIELD_TEXT, offsetof(struct manifest, gateway)},
    {"nameserver", FIELD_TEXT, offsetof(struct manifest, nameserver)},
    {"cwd", FIELD_TEXT, offsetof(struct manifest, working_dir)},
    {"device", FIELD_ENTRIES, offsetof(struct manifest, devices)},
    {"mount", FIELD_ENTRIES, offsetof(struct manifest, mounts)},
    {"port", FIELD_ENTRIES, offsetof(struct manifest, ports)},
    {"arg", FIELD_STRINGS, offsetof(struct manifest, argv)},
    {"env", FIELD_STRINGS, offsetof(struct manifest, env)},
};

/* Where the parser stands. */
struct cursor {
    char *next;
    size_t left;
};

static const struct field *field_find(const char *key, size_t size)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strlen(fields[i].key) == size && memcmp(fields[i].key, key, size) == 0)
            return &fields[i];
    return NULL;
}

long manifest_number(const char *text, long most)
{
    long number = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        number = number * 10 + (*text - '0');
        if (number > most)
            return -1;
    }
    return number;
}

/* Makes room for one item more, and a NULL behind it. */
static int grow(void **items, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown;

    if (count + 1 < *capacity)
        return 0;
    if (count >= MANIFEST_ITEMS_MAX || !(grown = realloc(*items, wanted * size)))
        return -1;
    *items = grown;
    *capacity = wanted;
    return 0;
}

static int add_string(struct manifest_strings *list, const char *value)
{
    void *items = list->items;

    if (grow(&items, list->count, &list->capacity, sizeof(*list->items)) < 0)
        return -1;
    list->items = items;
    list->items[list->count++] = value;
    list->items[list->count] = NULL;
    return 0;
}

static int add_entry(struct manifest_entries *list, char *value)
{
    void *items = list->items;
    char *space = strchr(value, ' ');
    long number;

    if (space)
        *space = '\0';
    number = manifest_number(value, 65535);
    if (number < 0 || grow(&items, list->count, &list->capacity, sizeof(*list->items)) < 0)
        return -1;
    list->items = items;
    list->items[list->count++] = (struct manifest_entry){(unsigned)number, space ? space + 1 : ""};
    return 0;
}

static int store(struct manifest *manifest, const struct field *field, char *value)
{
    void *place = (char *)manifest + field->offset;

    switch (field->kind) {
    case FIELD_STRINGS:
        return add_string(place, value);
    case FIELD_ENTRIES:
        return add_entry(place, value);
    case FIELD_TEXT:
        *(const char **)place = value;
        return 0;
    }
    return -1;
}

/* Takes the line "KEY LENGTH\n" and the value behind it.  Returns what is wrong, or NULL. */
static const char *take_record(struct cursor *cursor, struct manifest *manifest)
{
    char *line = cursor->next;
    char *newline = memchr(line, '\n', cursor->left);
    char *space = newline ? memchr(line, ' ', (size_t)(newline - line)) : NULL;
    const struct field *field = space ? field_find(line, (size_t)(space - line)) : NULL;
    size_t left = newline ? cursor->left - (size_t)(newline + 1 - line) : 0;
    long size;

    if (!field)
        return "an unknown record";
    *newline = '\0';
    size = manifest_number(space + 1, MANIFEST_MAX);
    if (size < 0 || (size_t)size >= left || newline[1 + size] != '\n')
        return "a record with a wrong length";
    if (memchr(newline + 1, '\0', (size_t)size))
        return "a value with a NUL";
    newline[1 + size] = '\0';
    cursor->next = newline + 2 + size;
    cursor->left = left - (size_t)size - 1;
    return store(manifest, field, newline + 1) < 0 ? "a bad value, or too many" : NULL;
}

int manifest_parse(char *bytes, size_t size, struct manifest *ret, const char **ret_problem)
{
    struct cursor cursor = {bytes, size};
    struct manifest manifest = {0};
    const char *problem = size > MANIFEST_MAX ? "too large" : NULL;

    while (!problem && cursor.left > 0)
        problem = take_record(&cursor, &manifest);
    if (!problem && manifest.argv.count == 0)
        problem = "no command";
    if (!problem && manifest.devices.count == 0)
        problem = "no devices";
    if (problem) {
        manifest_release(&manifest);
        *ret_problem = problem;
        *ret = (struct manifest){0};
        return -1;
    }
    *ret = manifest;
    return 0;
}

void manifest_release(struct manifest *manifest)
{
    free(manifest->devices.items);
    free(manifest->mounts.items);
    free(manifest->ports.items);
    free(manifest->argv.items);
    free(manifest->env.items);
    *manifest = (struct manifest){0};
}
