/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_render.c: a layout for people, and as a text for programs: what `romsim plan` prints.
 *
 * It reads like the boot: the instance, its devices, the mounts in their order, the app, its
 * ports.  Whatever came from a file or an image is quoted for the terminal.
 */
#include "plan_render.h"

#include <romsim/buffer.h>
#include <romsim/erofs.h>
#include <romsim/layout.h>
#include <romsim/text.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_MAX = 16 << 20, DIGEST_SHOWN = 12, FILES_SHOWN = 16 };
enum { FILE_BLOCK = 4096, FORGET_STEP = 4 << 20 };

char *plan_json(const struct romsim_layout *layout, struct romsim_error *err)
{
    json_t *value = romsim_layout_json(layout, true);
    CLEANUP_FREE char *dump = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
    char *text = NULL;

    json_decref(value);
    if (!dump || asprintf(&text, "%s\n", dump) < 0) {
        romsim_error_nomem(err);
        return NULL;
    }
    return text;
}

/* ---- for people -------------------------------------------------------------------------- */

static const char *access_name(enum romsim_access access)
{
    return access == ROMSIM_READ_ONLY ? "read-only" : "read-write";
}

/* What a device is made of, quoted for people; malloc'ed. */
static char *source_text(const struct romsim_device *device)
{
    char *text = NULL;

    if (device->role != ROMSIM_DEVICE_VOLUME)
        return strdup(device->source ? QUOTE(device->source) : "-");
    if (device->name_is_random)
        return strdup("a new volume");
    return asprintf(&text, "%s %s", device->is_new ? "a new volume," : "volume",
                    QUOTE(device->volume)) < 0
               ? NULL
               : text;
}

/* The columns of the table of devices. */
enum {
    COLUMN_DEVICE,
    COLUMN_NAME,
    COLUMN_AT,
    COLUMN_FORMAT,
    COLUMN_SIZE,
    COLUMN_FILES,
    COLUMN_DIGEST,
    COLUMN_SOURCE,
    COLUMN_COUNT
};

static const char *const headings[COLUMN_COUNT] = {"DEVICE", "NAME",  "AT",      "FORMAT",
                                                   "SIZE",   "FILES", "SHA-256", "FROM"};

struct row {
    char *cells[COLUMN_COUNT];
};

static size_t width_of(const char *text)
{
    return romsim_text_columns(text, strlen(text));
}

static bool is_right(int column)
{
    return column == COLUMN_SIZE || column == COLUMN_FILES;
}

static char *format_cell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *format_cell(const char *format, ...)
{
    va_list arguments;
    char *cell = NULL;
    int length;

    va_start(arguments, format);
    length = vasprintf(&cell, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : cell;
}

static void row_free(struct row *row)
{
    for (int i = 0; i < COLUMN_COUNT; i++)
        free(row->cells[i]);
}

/* Returns 0, or -1 without memory. */
static int row_fill(const struct romsim_layout *layout, const struct romsim_device *device,
                    struct row *row)
{
    const char *at = romsim_layout_at(layout, device);
    const char *digest;
    char **cells = row->cells;

    cells[COLUMN_DEVICE] = format_cell("/dev/%s", device->indexed_name);
    cells[COLUMN_NAME] = device->named_name[0]
                             ? format_cell("/dev/%s", device->named_name)
                             : strdup(device->role == ROMSIM_DEVICE_ROOT ? "(root)" : "-");
    cells[COLUMN_AT] = strdup(at ? QUOTE(at) : "-");
    cells[COLUMN_FORMAT] = strdup(romsim_device_format(device));
    cells[COLUMN_SIZE] = strdup(SIZE_TEXT(romsim_device_size(device)));
    cells[COLUMN_FILES] =
        romsim_device_counts_files(device) ? format_cell("%" PRIu64, device->files) : strdup("-");
    digest = device->blob ? romsim_blob_sha256_shown(device->blob) : NULL;
    cells[COLUMN_DIGEST] = digest ? format_cell("%.*s", DIGEST_SHOWN, digest) : strdup("-");
    cells[COLUMN_SOURCE] = source_text(device);
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (!cells[i])
            return -1;
    return 0;
}

static void print_row(struct romsim_buffer *text, const char *const *cells, const size_t *widths)
{
    romsim_buffer_puts(text, " ");
    for (int i = 0; i < COLUMN_COUNT; i++) {
        int padding = (int)(widths[i] - width_of(cells[i]));

        if (i == COLUMN_COUNT - 1)
            romsim_buffer_printf(text, " %s\n", cells[i]);
        else if (is_right(i))
            romsim_buffer_printf(text, " %*s%s ", padding, "", cells[i]);
        else
            romsim_buffer_printf(text, " %s%*s ", cells[i], padding, "");
    }
}

static void print_rows(struct romsim_buffer *text, const struct row *rows, size_t count)
{
    size_t widths[COLUMN_COUNT];

    for (int i = 0; i < COLUMN_COUNT; i++) {
        widths[i] = strlen(headings[i]);
        for (size_t j = 0; j < count; j++)
            if (width_of(rows[j].cells[i]) > widths[i])
                widths[i] = width_of(rows[j].cells[i]);
    }
    print_row(text, headings, widths);
    for (size_t j = 0; j < count; j++)
        print_row(text, (const char *const *)rows[j].cells, widths);
}

static int print_devices(struct romsim_buffer *text, const struct romsim_layout *layout)
{
    CLEANUP_FREE struct row *rows = calloc(layout->device_count, sizeof(*rows));
    int failed = rows ? 0 : -1;

    for (size_t i = 0; !failed && i < layout->device_count; i++)
        failed = row_fill(layout, &layout->devices[i], &rows[i]);
    romsim_buffer_puts(text, "\nDevices, in the order of the request\n");
    if (!failed)
        print_rows(text, rows, layout->device_count);
    for (size_t i = 0; rows && i < layout->device_count; i++)
        row_free(&rows[i]);
    return failed;
}

static void print_mounts(struct romsim_buffer *text, const struct romsim_layout *layout)
{
    int width = 1;

    for (size_t i = 0; i < layout->mount_count; i++)
        if ((int)width_of(QUOTE(layout->mounts[i].path)) > width)
            width = (int)width_of(QUOTE(layout->mounts[i].path));
    romsim_buffer_printf(text,
                         "\nMounts, in their order, before the app starts\n"
                         "  /dev/%s -> /%*s  overlay in memory: writable, lost at a cold "
                         "boot\n",
                         romsim_layout_root(layout)->indexed_name, width - 1, "");
    for (size_t i = 0; i < layout->mount_count; i++) {
        const struct romsim_mount *mount = &layout->mounts[i];
        const struct romsim_device *device = &layout->devices[mount->device];
        const char *path = QUOTE(mount->path);

        romsim_buffer_printf(text, "  /dev/%s -> %s%*s  ", device->indexed_name, path,
                             width - (int)width_of(path), "");
        if (device->role == ROMSIM_DEVICE_VOLUME || device->kind == ROMSIM_IMAGE_EROFS)
            romsim_buffer_printf(text, "%s, %s", mount->type, access_name(mount->access));
        else
            romsim_buffer_puts(text, "fails: this is no erofs image");
        if (mount->target && strcmp(mount->target, mount->path) != 0)
            romsim_buffer_printf(text, "; links lead to %s", QUOTE(mount->target));
        romsim_buffer_puts(text, "\n");
    }
}

/* The first files of a ROM, as the app will see them. */
struct listing {
    struct romsim_buffer *text;
    const char *at; /* or "" */
    unsigned count;
    const struct romsim_blob *blob;
    uint64_t looked; /* bytes of it that were looked at, about, and not let go since */
};

/* The pages of many directories need not all count as memory of this process. */
static void let_go(struct listing *listing, const struct romsim_erofs_inode *inode)
{
    listing->looked += S_ISDIR(inode->mode) ? inode->size + FILE_BLOCK : FILE_BLOCK / 64;
    if (listing->looked < FORGET_STEP)
        return;
    romsim_blob_forget(listing->blob, 0, romsim_blob_size(listing->blob));
    listing->looked = 0;
}

static int print_file(void *context, const char *path, const struct romsim_erofs_inode *inode)
{
    struct listing *listing = context;

    let_go(listing, inode);
    if (!S_ISREG(inode->mode))
        return 0;
    if (listing->count++ == FILES_SHOWN)
        return 1;
    romsim_buffer_printf(listing->text, "  %10s  %s", SIZE_TEXT(inode->size), QUOTE(listing->at));
    romsim_buffer_printf(listing->text, "%s\n", QUOTE(path));
    return 0;
}

static void print_files_of(struct romsim_buffer *text, const struct romsim_layout *layout,
                           const struct romsim_device *device)
{
    const char *at = romsim_layout_at(layout, device);
    CLEANUP_EROFS struct romsim_erofs *erofs = romsim_erofs_open(device->blob, NULL);
    struct listing listing = {.text = text, .at = at ? at : "", .blob = device->blob};

    if (!erofs)
        return;
    romsim_buffer_printf(text, "\nFiles of /dev/%s%s\n", device->indexed_name,
                         at ? "" : ", which is not mounted");
    romsim_erofs_walk(erofs, print_file, &listing, NULL);
    if (device->files > FILES_SHOWN)
        romsim_buffer_printf(text, "  and %" PRIu64 " more\n", device->files - FILES_SHOWN);
}

static void print_files(struct romsim_buffer *text, const struct romsim_layout *layout)
{
    for (size_t i = 0; i < layout->device_count; i++)
        if (romsim_device_counts_files(&layout->devices[i]))
            print_files_of(text, layout, &layout->devices[i]);
}

/* An argument as one would type it: in quotes where a shell would cut or change it. */
static void print_argument(struct romsim_buffer *text, const char *argument)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    size_t size = strlen(argument);
    CLEANUP_FREE char *quoted = malloc(4 * size + 16);

    if (!quoted)
        return;
    romsim_text_quote(argument, size, quoted, 4 * size + 16);
    if (size > 0 && strspn(argument, plain) == size) {
        romsim_buffer_printf(text, " %s", quoted);
        return;
    }
    romsim_buffer_puts(text, " '");
    for (const char *c = quoted; *c; c++)
        romsim_buffer_printf(text, *c == '\'' ? "'\\''" : "%c", *c);
    romsim_buffer_puts(text, "'");
}

static void print_app(struct romsim_buffer *text, const struct romsim_layout *layout)
{
    romsim_buffer_puts(text, "\nApp\n  command     ");
    for (size_t i = 0; i < layout->argv.count; i++)
        print_argument(text, layout->argv.items[i]);
    romsim_buffer_printf(text, "\n  directory    %s%s\n", QUOTE(layout->working_dir),
                         layout->working_dir_is_made ? "  (made: the image does not have it)" : "");
    for (size_t i = 0; i < layout->env.count; i++)
        romsim_buffer_printf(text, "  %-12s %s\n", i ? "" : "environment",
                             QUOTE(layout->env.items[i]));
    if (layout->image_kernel)
        romsim_buffer_puts(text, "  kernel       the image has one (--image-kernel boots it)\n");
}

static void print_ports(struct romsim_buffer *text, const struct romsim_layout *layout)
{
    if (layout->port_count > 0)
        romsim_buffer_puts(text, "\nPorts\n");
    for (size_t i = 0; i < layout->port_count; i++) {
        const struct romsim_port *port = &layout->ports[i];
        const char *divider = " (";

        romsim_buffer_printf(text, "  %u", port->port);
        for (unsigned bit = 0; bit < ROMSIM_HANDLER_COUNT; bit++) {
            if (!(port->handlers & 1U << bit))
                continue;
            romsim_buffer_printf(text, "%s%s", divider, romsim_handler_name(bit));
            divider = ", ";
        }
        romsim_buffer_printf(text, "%s -> %u in the guest\n", port->handlers ? ")" : "",
                             port->destination_port);
    }
}

char *plan_text(const struct romsim_layout *layout, struct romsim_error *err)
{
    CLEANUP_BUFFER struct romsim_buffer text = ROMSIM_BUFFER_INIT(TEXT_MAX);
    char *result;
    int failed;

    romsim_buffer_printf(&text, "Instance %s%s\n",
                         layout->name_is_random ? "without a name" : QUOTE(layout->name),
                         layout->name_is_random ? " (each run makes one up)" : "");
    romsim_buffer_printf(&text, "  %" PRIu64 " MB of memory", layout->memory_mb);
    if (layout->guest_memory_mb != layout->memory_mb)
        romsim_buffer_printf(&text, " (%" PRIu64 " here: the kernel needs more)",
                             layout->guest_memory_mb);
    romsim_buffer_printf(&text, ", %u vCPU%s, restart policy %s", layout->vcpus,
                         layout->vcpus == 1 ? "" : "s", romsim_restart_name(layout->restart));
    if (strcmp(layout->hostname, layout->name) != 0)
        romsim_buffer_printf(&text, ", hostname %s", QUOTE(layout->hostname));
    romsim_buffer_puts(&text, "\n");
    failed = print_devices(&text, layout);
    print_mounts(&text, layout);
    print_files(&text, layout);
    print_app(&text, layout);
    print_ports(&text, layout);
    result = failed ? NULL : romsim_buffer_steal(&text);
    if (!result)
        romsim_error_nomem(err);
    return result;
}
