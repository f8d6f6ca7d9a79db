/* SPDX-License-Identifier: BSD-3-Clause */
/* explain_words.h: pages on what a newcomer meets, for `romsim explain WORD`. */
#ifndef ROMSIM_CLI_EXPLAIN_WORDS_H
#define ROMSIM_CLI_EXPLAIN_WORDS_H

struct explain_word {
    const char *name, *summary;
    const char *others[4]; /* words that mean it, too; the first NULL ends them */
    const char *text;      /* lines */
    const char *fails;     /* an instance file that `romsim check` refuses, */
    const char *works;     /* and one that it takes */
    const char *source;    /* where the rule comes from */
};

/* In the order of a listing; one without a name ends them. */
extern const struct explain_word explain_words[];

#endif
