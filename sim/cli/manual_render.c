/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manual_render.c: mdoc to plain text, as far as our own man pages use it (mdoc(7)).
 *
 * Theory of operation: a line that begins with '.' has a macro and its words, some of which are
 * macros again; all others are text.  Words are gathered to a paragraph, which is wrapped when
 * something ends it.  What a font would show is shown by nothing, quotes stay.
 * tests/cli/manual.sh compares the words with those of mandoc.
 */
#include "sim/cli/manual.h"

#include <romsim/buffer.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 78,
    STEP = 4,
    WORDS_MAX = 160,
    LINE_MAX_ = 1024,
    LISTS_MAX = 8,
    TEXT_MAX = 64 << 10
};

enum list { LIST_TAG, LIST_BULLET, LIST_COLUMN };

struct render {
    struct romsim_buffer text; /* the paragraph */
    unsigned indent;
    bool is_glued; /* the next word stands at the last one */
    bool is_flag;  /* words are options */
    bool is_literal;
    enum list lists[LISTS_MAX];
    bool compact[LISTS_MAX];
    unsigned depth;
    bool was_blank; /* the last line printed was empty, or there is none */
};

/* ---- paragraphs --------------------------------------------------------------------------- */

static void blank(struct render *render)
{
    if (!render->was_blank)
        printf("\n");
    render->was_blank = true;
}

/* Prints one line of the paragraph, as many words as there is room for.  Returns what is left. */
static const char *print_line(const struct render *render, const char *text)
{
    size_t room = WIDTH > render->indent + 20 ? WIDTH - render->indent : 20;
    size_t size = strlen(text), cut = size;

    if (size > room && !render->is_literal) {
        cut = room;
        while (cut > 0 && text[cut] != ' ')
            cut--;
        if (cut == 0)
            cut = strcspn(text, " ");
    }
    printf("%*s%.*s\n", (int)render->indent, "", (int)cut, text);
    text += cut;
    return text + (*text == ' ');
}

static void flush(struct render *render)
{
    if (render->text.size > 0)
        render->was_blank = false;
    for (const char *text = render->text.data; text && *text;)
        text = print_line(render, text);
    romsim_buffer_reset(&render->text);
    render->is_glued = render->is_flag = false;
}

static void put(struct render *render, const char *word)
{
    if (render->text.size > 0 && !render->is_glued)
        romsim_buffer_puts(&render->text, " ");
    render->is_glued = false;
    romsim_buffer_puts(&render->text, word);
}

static void put_glued(struct render *render, const char *word)
{
    render->is_glued = true;
    put(render, word);
}

/* A word of the page with its escapes done. */
static void put_word(struct render *render, const char *word)
{
    char plain[LINE_MAX_];
    size_t size = 0;

    for (; *word && size + 1 < sizeof(plain); word++) {
        if (*word != '\\') {
            plain[size++] = *word;
            continue;
        }
        word++;
        if (strncmp(word, "(dq", 3) == 0) {
            plain[size++] = '"';
            word += 2;
        } else if (*word == 'e') {
            plain[size++] = '\\';
        } else if (*word == '\0') {
            break;
        } else if (*word != '&') {
            plain[size++] = *word;
        }
    }
    plain[size] = '\0';
    put(render, plain);
}

/* ---- words of a macro's line ---------------------------------------------------------------- */

struct words {
    char line[LINE_MAX_];
    const char *items[WORDS_MAX];
    bool quoted[WORDS_MAX]; /* then it is no macro */
    size_t count;
};

static void split(const char *text, size_t size, struct words *ret)
{
    char *at = ret->line, *end;

    ret->count = 0;
    if (size >= sizeof(ret->line))
        size = sizeof(ret->line) - 1;
    memcpy(ret->line, text, size);
    ret->line[size] = '\0';
    while (ret->count < WORDS_MAX) {
        at += strspn(at, " ");
        if (!*at)
            break;
        ret->quoted[ret->count] = *at == '"';
        at += *at == '"';
        ret->items[ret->count] = at;
        end = at + strcspn(at, ret->quoted[ret->count] ? "\"" : " ");
        ret->count++;
        if (!*end)
            break;
        *end = '\0';
        at = end + 1;
    }
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static bool is_closing(const char *word)
{
    return word[0] && !word[1] && strchr(".,:;)]?!", word[0]);
}

static bool is_opening(const char *word)
{
    return word[0] && !word[1] && strchr("([", word[0]);
}

static bool is_macro(const struct words *words, size_t at)
{
    static const char *const macros[] = {"Ap", "Ar", "Cm", "Dq", "Ev", "Fl", "Ic", "Li", "Nm",
                                         "No", "Ns", "Oc", "Oo", "Op", "Pa", "Pc", "Po", "Pq",
                                         "Ql", "Sq", "Sx", "Sy", "Ta", "Xr", NULL};

    return at < words->count && !words->quoted[at] && is_one_of(words->items[at], macros);
}

/* Are there words of the macro's own at `at`? */
static bool has_word(const struct words *words, size_t at, size_t end)
{
    return at < end && !is_macro(words, at) && !is_closing(words->items[at]);
}

static void put_words(struct render *render, const struct words *words, size_t at, size_t end);

static const struct {
    const char *macro, *open, *close;
} enclosures[] = {
    {"Dq", "\"", "\""}, {"Op", "[", "]"}, {"Pq", "(", ")"}, {"Ql", "'", "'"}, {"Sq", "'", "'"}};

static const struct {
    const char *macro, *text;
    bool opens; /* else it closes */
} brackets[] = {{"Oo", "[", true},
                {"Oc", "]", false},
                {"Po", "(", true},
                {"Pc", ")", false},
                {"Ap", "'", false}};

/* What encloses the rest of the line, but for the punctuation at its end.  Is it one? */
static bool put_enclosure(struct render *render, const struct words *words, size_t at, size_t end)
{
    size_t inner = end;

    for (size_t i = 0; i < sizeof(enclosures) / sizeof(enclosures[0]); i++) {
        if (strcmp(words->items[at], enclosures[i].macro) != 0)
            continue;
        while (inner > at + 2 && is_closing(words->items[inner - 1]))
            inner--;
        put(render, enclosures[i].open);
        render->is_glued = true;
        put_words(render, words, at + 1, inner);
        put_glued(render, enclosures[i].close);
        render->is_flag = false;
        put_words(render, words, inner, end);
        return true;
    }
    return false;
}

/* A macro that stands for some text of its own.  Returns how many of its words are taken. */
static size_t put_macro(struct render *render, const struct words *words, size_t at, size_t end)
{
    const char *macro = words->items[at];
    bool has = has_word(words, at + 1, end);

    render->is_flag = strcmp(macro, "Fl") == 0;
    for (size_t i = 0; i < sizeof(brackets) / sizeof(brackets[0]); i++)
        if (strcmp(macro, brackets[i].macro) == 0) {
            if (!brackets[i].opens)
                render->is_glued = true;
            put(render, brackets[i].text);
            render->is_glued = brackets[i].opens || strcmp(macro, "Ap") == 0;
        }
    if (strcmp(macro, "Ns") == 0)
        render->is_glued = true;
    else if (strcmp(macro, "Ta") == 0)
        put(render, " ");
    else if (strcmp(macro, "Nm") == 0 && !has)
        put(render, "romsim");
    else if (strcmp(macro, "Ar") == 0 && !has)
        put(render, "file ...");
    else if (strcmp(macro, "Fl") == 0 && !has)
        put(render, "-");
    if (strcmp(macro, "Xr") != 0 || at + 2 >= end)
        return 0;
    put_word(render, words->items[at + 1]);
    put_glued(render, "(");
    put_glued(render, words->items[at + 2]);
    put_glued(render, ")");
    return 2;
}

static void put_words(struct render *render, const struct words *words, size_t at, size_t end)
{
    for (; at < end; at++) {
        const char *word = words->items[at];

        if (is_macro(words, at)) {
            if (put_enclosure(render, words, at, end))
                return;
            at += put_macro(render, words, at, end);
            continue;
        }
        if (is_closing(word))
            render->is_glued = true;
        else if (render->is_flag && strcmp(word, "|") != 0 && !is_opening(word)) {
            put(render, "-");
            render->is_glued = true;
        }
        put_word(render, word);
        render->is_glued |= is_opening(word);
    }
    render->is_flag = false;
}

/* ---- lines -------------------------------------------------------------------------------- */

static void begin_list(struct render *render, const struct words *words)
{
    flush(render);
    if (render->depth == LISTS_MAX)
        return;
    render->lists[render->depth] = LIST_TAG;
    render->compact[render->depth] = false;
    for (size_t i = 1; i < words->count; i++) {
        if (strcmp(words->items[i], "-bullet") == 0)
            render->lists[render->depth] = LIST_BULLET;
        else if (strcmp(words->items[i], "-column") == 0)
            render->lists[render->depth] = LIST_COLUMN;
        else if (strcmp(words->items[i], "-compact") == 0)
            render->compact[render->depth] = true;
    }
    render->depth++;
    render->indent += STEP;
}

static void end_list(struct render *render)
{
    flush(render);
    if (render->depth == 0)
        return;
    render->depth--;
    render->indent -= STEP;
}

static void begin_item(struct render *render, const struct words *words)
{
    enum list list = render->depth ? render->lists[render->depth - 1] : LIST_TAG;

    flush(render);
    if (render->depth && !render->compact[render->depth - 1])
        blank(render);
    if (list == LIST_BULLET)
        put(render, "*");
    put_words(render, words, 1, words->count);
    if (list != LIST_TAG || render->indent < STEP)
        return;
    render->indent -= STEP;
    flush(render);
    render->indent += STEP;
}

static void heading(struct render *render, const struct words *words)
{
    unsigned indent = render->indent;

    flush(render);
    blank(render);
    render->indent = 0;
    put_words(render, words, 1, words->count);
    flush(render);
    render->indent = indent;
}

static void display(struct render *render, const struct words *words)
{
    flush(render);
    render->indent += STEP;
    put_words(render, words, 1, words->count);
    flush(render);
    render->indent -= STEP;
}

static void macro_line(struct render *render, const char *text, size_t size)
{
    struct words words;
    const char *macro;

    split(text, size, &words);
    if (words.count == 0)
        return;
    macro = words.items[0];
    if (strcmp(macro, "Sh") == 0 || strcmp(macro, "Ss") == 0)
        heading(render, &words);
    else if (strcmp(macro, "Pp") == 0)
        flush(render), blank(render);
    else if (strcmp(macro, "Bl") == 0)
        begin_list(render, &words);
    else if (strcmp(macro, "El") == 0)
        end_list(render);
    else if (strcmp(macro, "It") == 0)
        begin_item(render, &words);
    else if (strcmp(macro, "Dl") == 0)
        display(render, &words);
    else if (strcmp(macro, "Bd") == 0)
        flush(render), blank(render), render->is_literal = true, render->indent += STEP;
    else if (strcmp(macro, "Ed") == 0)
        flush(render), render->is_literal = false, render->indent -= STEP;
    else if (is_macro(&words, 0))
        put_words(render, &words, 0, words.count);
}

static void text_line(struct render *render, const char *text, size_t size)
{
    char line[LINE_MAX_];
    char *rest = line, *word;

    if (size >= sizeof(line))
        size = sizeof(line) - 1;
    memcpy(line, text, size);
    line[size] = '\0';
    if (render->is_literal) {
        put_word(render, line);
        if (size == 0)
            blank(render);
        flush(render);
        return;
    }
    while ((word = strsep(&rest, " ")))
        if (*word)
            put_word(render, word);
}

/* Copies a line, which goes on behind a backslash at its end.  Returns where the next one begins.
 */
static const char *read_line(const char *text, const char *end, char line[LINE_MAX_],
                             size_t *ret_size)
{
    size_t size = 0;

    for (; text < end && *text != '\n'; text++) {
        if (*text == '\\' && text + 1 < end && text[1] == '\n')
            text++;
        else if (size + 1 < LINE_MAX_)
            line[size++] = *text;
    }
    line[size] = '\0';
    *ret_size = size;
    return text + 1;
}

void manual_render(const char *text, const char *end, unsigned indent)
{
    struct render render = {
        .text = ROMSIM_BUFFER_INIT(TEXT_MAX), .indent = indent, .was_blank = true};

    if (end - text > 3 && memcmp(text, ".It", 3) == 0) { /* of a list that is not shown */
        render.depth = 1;
        render.compact[0] = true;
    }
    while (text < end) {
        char line[LINE_MAX_];
        size_t size = 0;

        text = read_line(text, end, line, &size);
        if (size > 0 && line[0] == '.' && line[1] != '\\')
            macro_line(&render, line + 1, size - 1);
        else if (size == 0 || line[0] != '.')
            text_line(&render, line, size);
    }
    flush(&render);
}
