/* SPDX-License-Identifier: BSD-3-Clause */
/* manifest.c: reads the manifest; for the guest's init and, on the host, for tests. */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

enum field_kind {
    FIELD_TEXT,
    FIELD_STRINGS,
    FIELD_DEVICES,
    FIELD_MOUNTS,
    FIELD_PORTS,
    FIELD_TERMINAL
};

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
    {"root", FIELD_TEXT, offsetof(struct manifest, root)},
    {"hold", FIELD_TEXT, offsetof(struct manifest, hold)},
    {"clone", FIELD_TEXT, offsetof(struct manifest, clone_time)},
    {"keep", FIELD_TEXT, offsetof(struct manifest, keep)},
    {"seed", FIELD_TEXT, offsetof(struct manifest, seed)},
    {"device", FIELD_DEVICES, offsetof(struct manifest, devices)},
    {"mount", FIELD_MOUNTS, offsetof(struct manifest, mounts)},
    {"port", FIELD_PORTS, offsetof(struct manifest, ports)},
    {"terminal", FIELD_TERMINAL, offsetof(struct manifest, terminal)},
    {"trace", FIELD_TEXT, offsetof(struct manifest, trace)},
    {"input", FIELD_TEXT, offsetof(struct manifest, input)},
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

/* Cuts the word before the first blank off *text, which then stands behind the blank; NULL if it is
 * empty.  Without a blank the word is all there is. */
static const char *take_word(char **text)
{
    char *word = *text, *space = strchr(word, ' ');

    *text = space ? space + 1 : word + strlen(word);
    if (space)
        *space = '\0';
    return *word ? word : NULL;
}

/* `ret_missing`: NULL where that cannot be. */
static int take_access(char **text, bool *ret_writable, bool *ret_missing)
{
    const char *word = take_word(text);

    if (!word)
        return -1;
    *ret_writable = strcmp(word, "rw") == 0;
    if (ret_missing)
        *ret_missing = strcmp(word, "missing") == 0;
    return *ret_writable || (ret_missing && *ret_missing) || strcmp(word, "ro") == 0 ? 0 : -1;
}

static int add_device(struct manifest_devices *list, char *value)
{
    struct manifest_device device = {.name = take_word(&value)};
    void *items = list->items;

    if (!device.name || take_access(&value, &device.writable, &device.is_missing) < 0 ||
        grow(&items, list->count, &list->capacity, sizeof(*list->items)) < 0)
        return -1;
    device.second_name = value;
    list->items = items;
    list->items[list->count++] = device;
    return 0;
}

static int add_mount(struct manifest_mounts *list, char *value)
{
    struct manifest_mount mount = {.device = take_word(&value), .type = take_word(&value)};
    void *items = list->items;

    if (!mount.device || !mount.type || take_access(&value, &mount.writable, NULL) < 0 ||
        value[0] != '/' || grow(&items, list->count, &list->capacity, sizeof(*list->items)) < 0)
        return -1;
    mount.path = value;
    list->items = items;
    list->items[list->count++] = mount;
    return 0;
}

static int add_port(struct manifest_ports *list, const char *value)
{
    long number = manifest_number(value, 65535);
    void *items = list->items;

    if (number < 0 || grow(&items, list->count, &list->capacity, sizeof(*list->items)) < 0)
        return -1;
    list->items = items;
    list->items[list->count++] = (struct manifest_port){.number = (unsigned)number};
    return 0;
}

int manifest_terminal(char *value, struct manifest_terminal *ret)
{
    const char *rows = take_word(&value);
    long numbers[] = {manifest_number(rows ? rows : "", MANIFEST_TERMINAL_MOST),
                      manifest_number(value, MANIFEST_TERMINAL_MOST)};

    if (numbers[0] <= 0 || numbers[1] <= 0)
        return -1;
    *ret = (struct manifest_terminal){(unsigned)numbers[0], (unsigned)numbers[1]};
    return 0;
}

static int store(struct manifest *manifest, const struct field *field, char *value)
{
    void *place = (char *)manifest + field->offset;

    switch (field->kind) {
    case FIELD_STRINGS:
        return add_string(place, value);
    case FIELD_DEVICES:
        return add_device(place, value);
    case FIELD_MOUNTS:
        return add_mount(place, value);
    case FIELD_PORTS:
        return add_port(place, value);
    case FIELD_TERMINAL:
        return manifest_terminal(value, place);
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

static bool has_device(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->devices.count; i++)
        if (strcmp(manifest->devices.items[i].name, name) == 0)
            return true;
    return false;
}

/* What does not fit together, or is missing; NULL if nothing is. */
static const char *check(const struct manifest *manifest)
{
    if (manifest->argv.count == 0 && !manifest->clone_time)
        return "no command";
    if (!manifest->clone_time && (!manifest->root || !has_device(manifest, manifest->root)))
        return "no root device";
    for (size_t i = 0; i < manifest->mounts.count; i++)
        if (!has_device(manifest, manifest->mounts.items[i].device))
            return "a mount without its device";
    return NULL;
}

int manifest_parse(char *bytes, size_t size, struct manifest *ret, const char **ret_problem)
{
    struct cursor cursor = {bytes, size};
    struct manifest manifest = {0};
    const char *problem = size > MANIFEST_MAX ? "too large" : NULL;

    while (!problem && cursor.left > 0)
        problem = take_record(&cursor, &manifest);
    if (!problem)
        problem = check(&manifest);
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
