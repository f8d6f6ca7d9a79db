/* SPDX-License-Identifier: BSD-3-Clause */
/* outcomes.h: how instances and cases have ended, for programs that show test results (`--junit`,
 * `--tap`).
 */
#ifndef ROMSIM_CLI_OUTCOMES_H
#define ROMSIM_CLI_OUTCOMES_H

#include "sim/cli/cli.h"

#include <romsim/cleanup.h>
#include <romsim/vm.h>

struct outcomes;

enum outcomes_verdict {
    OUTCOMES_NONE, /* it has not ended */
    OUTCOMES_PASSED,
    OUTCOMES_FAILED, /* what was tested is not as it should be */
    OUTCOMES_ERROR   /* it could not be tested */
};

/* Is there --junit or --tap? */
bool outcomes_are_wanted(const struct cli_args *args);

/* Of `count` tests with these names in a suite (or ""), all borrowed.  NULL without memory, which
 * outcomes_write() then reports; all other functions accept it, and do nothing. */
struct outcomes *outcomes_new(const char *suite, const char *const *names, size_t count);
void outcomes_free(struct outcomes *outcomes);

DEFINE_CLEANUP(struct outcomes, outcomes_free)
#define CLEANUP_OUTCOMES CLEANUP(cleanup_outcomes_free)

/* Takes what happens to an instance, which is a test that passes if its app ends with 0. */
void outcomes_take(struct outcomes *outcomes, size_t instance, const struct romsim_vm_event *event);

/* How a test has ended after so long, and why, if it has not passed: a line, and more behind it. */
void outcomes_set(struct outcomes *outcomes, size_t test, enum outcomes_verdict verdict,
                  const char *reason, uint64_t micros);

/* Adds to what was said in a test. */
void outcomes_console(struct outcomes *outcomes, size_t test, const char *text, size_t size);

/* Writes the files of --junit (JUnit's XML) and --tap (TAP version 13), if they are wanted.  0, or
 * -1 after a report. */
int outcomes_write(const struct cli_args *args, const struct outcomes *outcomes);

/* Writes them, if nothing could be tested: the suite, which is the command's operand, is one test
 * that could not be run, for the first error that was reported.  A report that said something else
 * would be an older one. */
void outcomes_write_refusal(const struct cli_args *args);

#endif
