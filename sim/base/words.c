/* SPDX-License-Identifier: BSD-3-Clause */
/* words.c: a command in one text, cut as a shell would. */
#include <romsim/buffer.h>
#include <romsim/error.h>
#include <romsim/strings.h>

#include <errno.h>
#include <string.h>

enum { WORD_MAX_SIZE = 131072 /* of one argument, as Linux has it (MAX_ARG_STRLEN) */ };

/* Takes what stands in quotes at `text` into the word; returns where it ends, or NULL. */
static const char *read_quoted(const char *text, struct romsim_buffer *word)
{
    char quote = *text++;

    for (; *text && *text != quote; text++) {
        if (quote == '"' && *text == '\\' && text[1] && strchr("\"\\$`", text[1]))
            text++;
        romsim_buffer_append(word, text, 1);
    }
    return *text ? text + 1 : NULL;
}

/* Takes a word as a POSIX shell would cut it, without any expansion; returns where it ends, or
 * NULL if a quote is not closed. */
static const char *read_word(const char *text, struct romsim_buffer *word)
{
    while (text && *text && !strchr(" \t\n", *text)) {
        if (*text == '\'' || *text == '"') {
            text = read_quoted(text, word);
            continue;
        }
        if (*text == '\\' && text[1])
            text++;
        romsim_buffer_append(word, text++, 1);
    }
    return text;
}

int romsim_strings_append_words(struct romsim_strings *strings, const char *text,
                                struct romsim_error *err)
{
    for (text += strspn(text, " \t\n"); *text; text += strspn(text, " \t\n")) {
        CLEANUP_BUFFER struct romsim_buffer word = ROMSIM_BUFFER_INIT(WORD_MAX_SIZE);

        text = read_word(text, &word);
        if (!text)
            return romsim_error_set(err, EINVAL, "a quote in the arguments is not closed");
        if (word.failed)
            return romsim_error_set(err, EINVAL, "an argument is too long");
        if (romsim_strings_append(strings, word.data ? word.data : "") < 0)
            return romsim_error_nomem(err);
    }
    return 0;
}
