/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_log.c: what in the log of the guest's kernel is of interest to the user.
 *
 * A line of it is "[    2.777748] erofs: (device vdb): failed to decompress".  Unless the user
 * asked for all of the log there is nothing but errors in it (`quiet` on the kernel's command
 * line), and those of file systems and of the block layer all name their disk.  A damaged file
 * gives one line a block, which differ in their numbers only: that is one sentence.
 *
 * Which disk is whose comes from init, on another line than the log, so the two may be read in any
 * order until the app runs: names are looked up when something is told.
 */
#include "kernel_log.h"

#include <romsim/checked.h>
#include <romsim/text.h>

#include <stdio.h>
#include <string.h>

/* What a kernel says of a disk that is no error. */
static const char *const harmless[] = {"mounted with", "logical blocks", "EXPERIMENTAL"};

static const char killed[] = "Out of memory: Killed process ";

void kernel_log_init(struct kernel_log *log, kernel_log_teller *tell, void *context)
{
    *log = (struct kernel_log){.tell = tell, .context = context, .is_held = true};
}

void kernel_log_free(struct kernel_log *log)
{
    kernel_log_disks_reset(&log->disks);
}

/* ---- disks ---------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_of_word(char c)
{
    return is_digit(c) || is_small(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Where the next word of the text begins, from `start` on, and its size; 0: there is none. */
static size_t next_word(const char *text, size_t size, size_t *start)
{
    size_t end;

    while (*start < size && !is_of_word(text[*start]))
        ++*start;
    for (end = *start; end < size && is_of_word(text[end]);)
        end++;
    return end - *start;
}

/* Is it as virtio-blk names its disks? */
static bool is_disk(const char *word, size_t size)
{
    if (size < 3 || size >= KERNEL_LOG_DISK_SIZE || word[0] != 'v' || word[1] != 'd')
        return false;
    for (size_t i = 2; i < size; i++)
        if (!is_small(word[i]))
            return false;
    return true;
}

/* The user's name for a disk, or NULL. */
static const char *name_of(const struct kernel_log *log, const char *word, size_t size)
{
    for (size_t i = 0; i < log->disks.count; i++)
        if (strlen(log->disks.items[i].disk) == size &&
            memcmp(log->disks.items[i].disk, word, size) == 0)
            return log->disks.items[i].name;
    return NULL;
}

bool kernel_log_name(struct kernel_log *log, const char *disk, const char *name)
{
    struct kernel_log_disk entry = {.name = name};
    size_t size = strlen(disk);

    if (!is_disk(disk, size) || name_of(log, disk, size))
        return false;
    memcpy(entry.disk, disk, size);
    return kernel_log_disks_append(&log->disks, entry) == 0;
}

void kernel_log_rename(const struct kernel_log *log, const char *text, size_t size,
                       struct romsim_buffer *out)
{
    size_t done = 0, start = 0, word;

    while ((word = next_word(text, size, &start)) > 0) {
        const char *name = name_of(log, text + start, word);

        if (name) {
            romsim_buffer_append(out, text + done, start - done);
            romsim_buffer_puts(out, name);
            done = start + word;
        }
        start += word;
    }
    romsim_buffer_append(out, text + done, size - done);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool begins_with(const struct kernel_log_line *line, const char *text)
{
    return line->size >= strlen(text) && memcmp(line->text, text, strlen(text)) == 0;
}

static bool contains(const struct kernel_log_line *line, const char *text)
{
    return memmem(line->text, line->size, text, strlen(text)) != NULL;
}

/* Takes "[    2.777748] " off a line.  False if it does not begin so. */
static bool remove_time(struct kernel_log_line *line)
{
    size_t at = 1;

    if (line->size == 0 || line->text[0] != '[')
        return false;
    while (at < line->size && line->text[at] == ' ')
        at++;
    if (at == line->size || !is_digit(line->text[at]))
        return false;
    while (at < line->size && (is_digit(line->text[at]) || line->text[at] == '.'))
        at++;
    if (line->size - at < 2 || line->text[at] != ']' || line->text[at + 1] != ' ')
        return false;
    at += 2;
    line->size -= at;
    memmove(line->text, line->text + at, line->size);
    return true;
}

/* Does the line name a disk?  While they are held: any; then one with a name. */
static bool names_disk(const struct kernel_log *log, const struct kernel_log_line *line)
{
    size_t start = 0, word;

    for (; (word = next_word(line->text, line->size, &start)) > 0; start += word)
        if (log->is_held ? is_disk(line->text + start, word)
                         : name_of(log, line->text + start, word) != NULL)
            return true;
    return false;
}

static bool is_of_interest(const struct kernel_log *log, const struct kernel_log_line *line)
{
    if (begins_with(line, killed))
        return true;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (contains(line, harmless[i]))
            return false;
    return names_disk(log, line);
}

/* Are two lines the same but for their numbers? */
static bool is_alike(const struct kernel_log_line *one, const struct kernel_log_line *other)
{
    size_t a = 0, b = 0;

    for (;;) {
        while (a < one->size && is_digit(one->text[a]))
            a++;
        while (b < other->size && is_digit(other->text[b]))
            b++;
        if (a == one->size || b == other->size)
            return a == one->size && b == other->size;
        if (one->text[a++] != other->text[b++])
            return false;
    }
}

/* ---- sentences ------------------------------------------------------------------------------ */

/* "Out of memory: Killed process 81 (tail) total-vm:37912kB, anon-rss:35816kB, ..." */
static void tell_of_memory(struct kernel_log *log, const struct kernel_log_line *line)
{
    const char *process = line->text + strlen(killed);
    size_t size = line->size - strlen(killed);
    const char *end = memmem(process, size, ") ", 2);
    char quoted[256], note[512];

    if (end)
        size = (size_t)(end + 1 - process);
    romsim_text_quote(process, size, quoted, sizeof(quoted));
    snprintf(note, sizeof(note),
             "the guest ran out of memory and its kernel killed process %s: give it more (-m, or "
             "memory_mb in the instance)",
             quoted);
    log->told_of_memory = true;
    log->tell(log->context, note);
}

static void tell(struct kernel_log *log, const struct kernel_log_line *line)
{
    CLEANUP_BUFFER struct romsim_buffer text =
        ROMSIM_BUFFER_INIT((size_t)KERNEL_LOG_LINE_MAX * KERNEL_LOG_LINE_MAX);
    char quoted[2 * KERNEL_LOG_LINE_MAX], note[2 * KERNEL_LOG_LINE_MAX + 64];

    if (begins_with(line, killed)) {
        tell_of_memory(log, line);
        return;
    }
    kernel_log_rename(log, line->text, line->size, &text);
    if (text.failed || !text.data || !names_disk(log, line))
        return;
    romsim_text_quote(text.data, text.size, quoted, sizeof(quoted));
    snprintf(note, sizeof(note), "the guest's kernel says: %s", quoted);
    log->tell(log->context, note);
}

static void pass_on(struct kernel_log *log)
{
    while (!log->is_held && log->passed_on < log->kept_count)
        tell(log, &log->kept[log->passed_on++]);
}

static void take_line(struct kernel_log *log)
{
    struct kernel_log_line *line = &log->line;

    while (line->size > 0 &&
           (line->text[line->size - 1] == '\r' || line->text[line->size - 1] == ' '))
        line->size--;
    if (!remove_time(line) || !is_of_interest(log, line))
        return;
    for (size_t i = 0; i < log->kept_count; i++)
        if (is_alike(&log->kept[i], line)) {
            log->more++;
            return;
        }
    if (log->kept_count == KERNEL_LOG_NOTES_MAX) {
        log->more++;
        return;
    }
    log->kept[log->kept_count++] = *line;
    pass_on(log);
}

void kernel_log_take(struct kernel_log *log, const char *bytes, size_t size)
{
    struct kernel_log_line *line = &log->line;

    while (size > 0) {
        const char *newline = memchr(bytes, '\n', size);
        size_t part = newline ? (size_t)(newline - bytes) : size;
        size_t kept = min_u64(part, sizeof(line->text) - line->size);

        memcpy(line->text + line->size, bytes, kept);
        line->size += kept;
        if (newline) {
            take_line(log);
            line->size = 0;
            part++;
        }
        bytes += part;
        size -= part;
    }
}

void kernel_log_release(struct kernel_log *log)
{
    log->is_held = false;
    pass_on(log);
}
