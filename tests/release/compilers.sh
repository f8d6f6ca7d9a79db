#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# compilers: gcc and clang of Debian 12 and 13 have nothing to warn of, and what clang makes passes
# the unit tests.
. "$(dirname "$0")/../lib.sh"

# compile COMPILER FOLDER
compile() { make -C "$ROOT" -j"$(nproc)" CC="$1" BUILD="$2" WERROR=1 all check-programs; }
# units COMPILER FOLDER: runs them, some with fewer rounds than in `make check`.
units() {
    (cd "$ROOT" && MUTATIONS=200 make CC="$1" BUILD="$2" WERROR=1 check-only \
        TESTS="$(echo tests/unit/*.c)")
}
ok "this machine's gcc" compile gcc "$T/gcc"
if need clang "this machine's clang"; then
    ok "this machine's clang" compile clang "$T/clang"
    ok "the unit tests, by clang" units clang "$T/clang"
fi

if ! need root "the other release" || ! need mmdebstrap "the other release"; then done_testing; fi
if ! other=$("$ROOT/tests/fresh.sh" --other 2>&1); then
    skip "the other release" "$other"
    done_testing
fi
ok "$other: gcc and clang, and the unit tests by clang" "$ROOT/tests/fresh.sh" "$other" bash -ec '
    make deps DEPS_CHECK=check\ perl
    apt-get install -y -qq --no-install-recommends clang >/dev/null
    for compiler in gcc clang; do
        make -j"$(nproc)" CC=$compiler BUILD=build/$compiler WERROR=1 all check-programs
    done
    MUTATIONS=200 make CC=clang BUILD=build/clang WERROR=1 check-only TESTS="$(echo tests/unit/*.c)"'
done_testing
