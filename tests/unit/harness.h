/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * harness.h: what the unit tests share.  Each tests/unit/NAME.c is a program: tests that read as
 * statements, a table of them, and UNIT_MAIN at the end.
 *
 *     START_TEST(lookup_finds_names_across_dir_blocks) { ck_assert(...); } END_TEST
 *     UNIT_MAIN("erofs_reader", lookup_finds_names_across_dir_blocks, ...)
 *
 * Output is TAP (tests/run).  A test that this machine cannot run calls UNIT_SKIP("reason").
 */
#ifndef ROMSIM_TESTS_HARNESS_H
#define ROMSIM_TESTS_HARNESS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says out loud that this test did not run (with MUST_RUN=1: fails), and ends it. */
#define UNIT_SKIP(reason)                                                                          \
    do {                                                                                           \
        const char *must_run_ = getenv("MUST_RUN");                                                \
        if (must_run_ && strcmp(must_run_, "1") == 0)                                              \
            ck_abort_msg("MUST_RUN=1, but %s", reason);                                            \
        printf("# SKIP %s: %s\n", __func__, reason);                                               \
        fflush(stdout);                                                                            \
        return;                                                                                    \
    } while (0)

/* Runs the tests of a case that was filled by hand (loop tests, fixtures), and frees it.  What
 * main() returns. */
static inline int unit_run_case(const char *name, TCase *tcase)
{
    Suite *suite = suite_create(name);
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int unit_run(const char *name, const TTest *const *tests, size_t count)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    return unit_run_case(name, tcase);
}

/* BEFORE, `count` times PIECE, AFTER; malloc'ed. */
static inline char *unit_repeat(const char *before, const char *piece, size_t count,
                                const char *after)
{
    size_t size = strlen(before) + count * strlen(piece) + strlen(after) + 1;
    char *text = malloc(size);
    char *end = text;

    ck_assert_ptr_nonnull(text);
    end = stpcpy(end, before);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, piece);
    stpcpy(end, after);
    return text;
}

#define UNIT_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_run(name, tests, sizeof(tests) / sizeof(tests[0]));                            \
    }

#endif
