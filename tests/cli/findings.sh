#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# findings.sh: what sanitizers report of a process whose stderr nobody reads fails the tests
# (tests/run with SANITIZE=1), but for what a test provokes.
. "$(dirname "$0")/../lib.sh"

cat >faulty.c <<'END'
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char *bytes = malloc(argc);
    volatile int most = INT_MAX;
    close(STDERR_FILENO);
    if (argc > 1 && *argv[1] == 'a') {
        free(bytes);
        return bytes[0];
    }
    if (argc > 1 && *argv[1] == 'u')
        most += argc;
    free(bytes);
    return 0;
}
END
# With the options of the Makefile.
if ! gcc -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -w \
    -o faulty faulty.c "$ROOT/tests/sanitized.c" 2>said; then
    skip "findings" "no sanitizers here: $(head -c 200 said)"
    done_testing
fi
# a_test NAME COMMANDS...: a test of which each line passes.
a_test() {
    { echo '#!/bin/bash'; echo ". $ROOT/tests/lib.sh"; printf '%s\n' "${@:2}" 'pass fine' done_testing; } >"$1"
    chmod 755 "$1"
}
run_tests() {
    (unset FINDINGS ASAN_OPTIONS UBSAN_OPTIONS; SANITIZE=1 BUILD=$BUILD "$ROOT/tests/run" "$@")
}

a_test good.sh "$T/faulty"
a_test asan.sh "$T/faulty a"
a_test ubsan.sh "$T/faulty u"
a_test provoked.sh "provoked $T/faulty a"
a_test late.sh "(sleep 0.5; $T/faulty a) >/dev/null 2>&1 &"
ok "a test without findings passes" run_tests "$T/good.sh"
fails 1 "one with a finding fails" run_tests "$T/asan.sh"
like "$out" "finding in asan.sh:" "and is named"
like "$out" "heap-use-after-free" "with the report"
like "$out" "1 reported by the sanitizers" "and it is counted"
fails 1 "undefined behaviour is one, too" run_tests "$T/ubsan.sh"
like "$out" "signed integer overflow" "with its report"
fails 1 "one that comes when the tests are done counts as well" run_tests "$T/late.sh"
like "$out" "finding in late.sh:" "for its test"
ok "what is provoked is none" run_tests "$T/provoked.sh"
(unset FINDINGS ASAN_OPTIONS UBSAN_OPTIONS; SANITIZE='' BUILD=$BUILD "$ROOT/tests/run" "$T/asan.sh") >plain 2>&1
is "$?" 0 "without SANITIZE=1 nobody looks"
done_testing
