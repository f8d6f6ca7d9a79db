#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# parity.sh: every test that docs/parity.md names is there, and what is said to be not simulated
# is what the tables of the code say.
. "$(dirname "$0")/../lib.sh"

missing=0
pins=0
while IFS= read -r pin; do
    pins=$((pins + 1))
    file=${pin%%#*} test=${pin#*#}
    grep -qF -- "$test" "$ROOT/$file" || { missing=$((missing + 1)); echo "# no '$test' in $file"; }
done < <(grep -o '`tests/[^`]*#[^`]*`' "$ROOT/docs/parity.md" | tr -d '`')
is "$missing" 0 "all tests that parity.md names exist"
[ "$pins" -ge 50 ] && pass "there are $pins of them" || fail "only $pins pins were found"

idle=$(sed -n '/^#define INSTANCE_MEMBERS/,/^static/p' "$ROOT/sim/instance/shapes.c" | tr '\n' ' ' |
    grep -oE '"[a-z_]+", &[a-z_0-9]+, ROMSIM_MEMBER_IDLE' | cut -d'"' -f2)
[ "$(wc -w <<<"$idle")" -ge 10 ] && pass "the tables name what is not simulated" ||
    fail "the tables name what is not simulated" "found: $idle"
section=$(sed -n '/^## What is not simulated/,$p' "$ROOT/docs/parity.md")
for member in $idle; do
    like "$section" "\`$member\`" "parity.md says that $member is not simulated"
    like "$(cat "$ROOT/docs/romsim-instance.5")" "$member" "and romsim-instance(5) knows it"
done
done_testing
