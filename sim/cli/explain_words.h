/* SPDX-License-Identifier: BSD-3-Clause */
/* explain_words.h: the pages of `romsim explain WORD` and `romsim explain CODE`. */
#ifndef ROMSIM_CLI_EXPLAIN_WORDS_H
#define ROMSIM_CLI_EXPLAIN_WORDS_H

#include <romsim/rules.h>

#include <stdbool.h>

struct explain_word {
    const char *name, *summary;
    const char *others[4]; /* words that mean it, too; the first NULL ends them */
    const char *text;      /* lines */
    const char *fails;     /* an instance file that `romsim check` refuses, */
    const char *works;     /* and one that it takes, without a word */
    const char *source;    /* where the rule comes from */
    bool is_warning;       /* it is warned of, and taken */
};

/*
 * In an example a line that begins with "#$ " is a command by which the files beside it are made,
 * in the order of these lines, before it is looked at; FILE stands for the example's own.
 */

#define EXPLAIN_CLOUD "the cloud's documents (docs/cloud-rules.md)"
#define EXPLAIN_OURS  "romsim's choice, where the cloud's documents say nothing (docs/parity.md)"

/* In the order of a listing; one without a name ends them. */
extern const struct explain_word explain_words[];

/* By their rules; names and other words they have none. */
extern const struct explain_word explain_rules[ROMSIM_RULE_END];

#endif
