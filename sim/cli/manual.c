/* SPDX-License-Identifier: BSD-3-Clause */
/* manual.c: what of the man pages is meant by some words: see manual.h. */
#include "sim/cli/manual.h"

#include "sim/cli/cli.h"

#include <romsim/embed.h>
#include <romsim/text.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

ROMSIM_EMBED(manual_romsim, "docs/romsim.1");
ROMSIM_EMBED(manual_instance, "docs/romsim-instance.5");

static const struct {
    const char *text, *end;
} pages[] = {{manual_romsim, manual_romsim_end}, {manual_instance, manual_instance_end}};

enum { PAGES = sizeof(pages) / sizeof(pages[0]), TITLE_MAX = 64, TOPICS_MAX = 64 };

/* A part of a page: a section, or a command's item. */
struct part {
    const char *text, *end;
    char title[TITLE_MAX]; /* of a section in lower case, with '-' for blanks: "exit-status"; of an
                              item the command's name: "template create" */
};

typedef void part_visitor(void *context, const struct part *part);

static const char *next_line(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));

    return newline ? newline + 1 : end;
}

static bool begins(const char *at, const char *end, const char *text)
{
    return (size_t)(end - at) >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

/* The next line from `at` on that begins so; `end` if there is none. */
static const char *find(const char *at, const char *end, const char *text)
{
    while (at != end && !begins(at, end, text))
        at = next_line(at, end);
    return at;
}

/* ---- sections ----------------------------------------------------------------------------- */

static void read_title(const char *at, const char *end, char ret[TITLE_MAX])
{
    size_t size = 0;

    for (; at != end && *at != '\n' && size + 1 < TITLE_MAX; at++)
        ret[size++] = (char)(*at == ' ' ? '-' : tolower((unsigned char)*at));
    ret[size] = '\0';
}

static void each_section(part_visitor *one, void *context)
{
    for (size_t i = 0; i < PAGES; i++) {
        const char *end = pages[i].end;
        const char *at = find(pages[i].text, end, ".Sh ");

        while (at != end) {
            struct part part = {.text = at};

            part.end = at = find(next_line(at, end), end, ".Sh ");
            read_title(part.text + strlen(".Sh "), end, part.title);
            one(context, &part);
        }
    }
}

/* What every page has, and what is found by a command's name. */
static bool is_topic(const struct part *part)
{
    static const char *const others[] = {"name",     "synopsis", "description",
                                         "commands", "see-also", NULL};

    for (const char *const *other = others; *other; other++)
        if (strcmp(part->title, *other) == 0)
            return false;
    return true;
}

/* ---- commands ----------------------------------------------------------------------------- */

/* The words behind ".It Cm " up to the first macro, in one line. */
static void read_command(const char *at, const char *end, char ret[TITLE_MAX])
{
    size_t size = 0;

    for (; at != end && *at != '\n' && size + 1 < TITLE_MAX; at++) {
        bool is_macro = size > 0 && at[-1] == ' ' && isupper((unsigned char)at[0]);

        if (is_macro)
            break;
        ret[size++] = *at;
    }
    while (size > 0 && ret[size - 1] == ' ')
        size--;
    ret[size] = '\0';
}

/* The items of the list of commands; those of lists in them are theirs. */
static void each_command(part_visitor *one, void *context)
{
    const char *end = manual_romsim_end;
    const char *at = next_line(find(manual_romsim, end, ".Sh COMMANDS"), end);
    struct part part = {0};
    unsigned depth = 0;

    for (; at != end && !begins(at, end, ".Sh "); at = next_line(at, end)) {
        depth += begins(at, end, ".Bl");
        if (depth == 1 && part.text && (begins(at, end, ".It ") || begins(at, end, ".El"))) {
            part.end = at;
            one(context, &part);
            part.text = NULL;
        }
        depth -= begins(at, end, ".El");
        if (depth == 1 && begins(at, end, ".It Cm ")) {
            part.text = at;
            read_command(at + strlen(".It Cm "), end, part.title);
        }
    }
}

/* ---- what is meant ------------------------------------------------------------------------- */

struct search {
    const char *const *words;
    size_t count;
    size_t found;
    const char *names[TOPICS_MAX + 1]; /* of all that there is, for who has written one wrongly */
    char kept[TOPICS_MAX][TITLE_MAX];
    size_t kept_count;
};

static void keep(struct search *search, const char *name)
{
    if (search->kept_count == TOPICS_MAX)
        return;
    snprintf(search->kept[search->kept_count], TITLE_MAX, "%s", name);
    search->names[search->kept_count] = search->kept[search->kept_count];
    search->kept_count++;
}

static bool has_word(const char *title, size_t size, const char *word)
{
    return strlen(word) == size && strncasecmp(title, word, size) == 0;
}

/* "template create" is meant by "template", "templates" and "template create". */
static bool means_command(const struct search *search, const char *title)
{
    size_t first = strcspn(title, " ");
    const char *word = search->words[0];
    size_t size = strlen(word);
    bool is_plural = size > 2 && word[size - 1] == 's' && size - 1 == first &&
                     strncasecmp(title, word, first) == 0;

    if (!has_word(title, first, word) && !is_plural)
        return false;
    return search->count < 2 ||
           (title[first] && strcasecmp(title + first + 1, search->words[1]) == 0);
}

/* Of a title's words one is the beginning of the word, or the other way round: "networking". */
static bool means_section(const struct search *search, const char *title)
{
    enum { LEAST = 3 };
    const char *word = search->words[0];
    size_t size = strlen(word);

    if (search->count > 1)
        return strcspn(title, "-") == size && strncasecmp(title, word, size) == 0 &&
               strcasecmp(title + size + (title[size] == '-'), search->words[1]) == 0;
    while (*title) {
        size_t length = strcspn(title, "-");
        size_t common = length < size ? length : size;

        if (common >= LEAST && strncasecmp(title, word, common) == 0)
            return true;
        title += length + (title[length] == '-');
    }
    return false;
}

static void print_part(struct search *search, const struct part *part)
{
    if (search->found++ > 0)
        printf("\n");
    manual_render(part->text, part->end, 4);
}

static void try_command(void *context, const struct part *part)
{
    struct search *search = context;

    if (!strchr(part->title, ' '))
        keep(search, part->title);
    if (means_command(search, part->title))
        print_part(search, part);
}

/* "limits" is a title, and nothing else then. */
static void try_title(void *context, const struct part *part)
{
    struct search *search = context;

    if (is_topic(part) && search->count == 1 && strcasecmp(part->title, search->words[0]) == 0)
        print_part(search, part);
}

static void try_section(void *context, const struct part *part)
{
    struct search *search = context;

    if (!is_topic(part))
        return;
    keep(search, part->title);
    if (means_section(search, part->title))
        print_part(search, part);
}

/* ---- topics ------------------------------------------------------------------------------- */

struct telling {
    void (*one)(void *context, const char *topic);
    void *context;
    char told[TOPICS_MAX][TITLE_MAX]; /* both pages have LIMITS */
    size_t count;
};

static void tell(void *context, const struct part *part)
{
    struct telling *telling = context;

    if (!is_topic(part) || telling->count == TOPICS_MAX)
        return;
    for (size_t i = 0; i < telling->count; i++)
        if (strcmp(telling->told[i], part->title) == 0)
            return;
    snprintf(telling->told[telling->count++], TITLE_MAX, "%s", part->title);
    telling->one(telling->context, part->title);
}

void manual_topics(void (*one)(void *context, const char *topic), void *context)
{
    struct telling telling = {.one = one, .context = context};

    each_section(tell, &telling);
}

static void print_topic(void *context, const char *topic)
{
    (void)context;
    printf("  %s\n", topic);
}

int manual_help(const char *const *words, size_t count)
{
    struct search search = {.words = words, .count = count};
    struct romsim_error error;
    const char *nearest;

    if (count == 0) {
        printf("usage: romsim help COMMAND|TOPIC\n\n"
               "What the manual has on a command ('romsim --help' lists them), or a topic:\n\n");
        manual_topics(print_topic, NULL);
        return CLI_OK;
    }
    each_section(try_title, &search);
    if (search.found > 0)
        return CLI_OK;
    each_command(try_command, &search);
    each_section(try_section, &search);
    if (search.found > 0)
        return CLI_OK;
    romsim_error_set(&error, ENOENT, "there is no help on '%s'", QUOTE(words[0]));
    nearest = romsim_text_nearest(words[0], search.names);
    if (nearest)
        romsim_error_hint(&error, "did you mean '%s'?", nearest);
    else
        romsim_error_hint(&error, "'romsim help' lists the topics");
    cli_report(&error);
    return CLI_USAGE;
}
