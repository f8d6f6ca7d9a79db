#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# codes.sh: what is wrong with an instance has a code, and a page on it whose examples are right.
. "$(dirname "$0")/../lib.sh"
need busybox "the examples of codes" || done_testing
PATH=$BUILD:$PATH

# example FILE TEXT: writes an example, and what its commands make; the text of the file in $file.
example() {
    printf '%s\n' "$2" | grep -v '^#\$ ' >"$1"
    printf '%s\n' "$2" | sed -n 's/^#\$ //p' | sed "s/FILE/$1/g" | bash -eu >/dev/null ||
        fail "the commands of $1 run"
}
# codes [error]: those in $out, once; of errors only.
codes() { grep "${1:-}" <<<"$out" | grep -oE '\[R[0-9]+\]$' | sort -u | tr -d '[]\n'; }

romsim explain --json | jq '[.[] | select(.word | test("^R[0-9]"))]' >codes.json
jq -r '.[].word' codes.json >list
[ "$(wc -l <list)" -ge 50 ] && pass "there are $(wc -l <list) codes" || fail "there are codes" "$(cat list)"
while read -r code; do
    page() { jq -r --arg code "$code" ".[] | select(.word == \$code) | .$1" "$T/codes.json"; }
    mkdir "$code" && cd "$code" || exit 1
    example bad.yaml "$(page fails)"
    if [ "$(page is_warning)" = true ]; then
        of=
        ok "$code: the example is taken, with a warning: $(page summary)" romsim check bad.yaml
    else
        of=error:
        fails 1 "$code: the example is refused: $(page summary)" romsim check bad.yaml
    fi
    is "$(codes $of)" "$code" "with this code alone" || printf '%s\n' "$out"
    example good.yaml "$(page works)"
    ok "the other one is taken" romsim check good.yaml
    is "$out" "" "without a word"
    cd "$T" || exit 1
done <list

# ---- the pages
ok "a page" romsim explain R017
like "$out" "R017: where a ROM or a volume may be mounted" "has its title"
ok "as it is printed" romsim explain '[R017]'
ok "as one writes it" romsim explain r17
fails 1 "a code that is none" romsim explain R000
like "$out" "there is no code 'R000'" "is told"
fails 1 "one that is not yet" romsim explain R999
fails 1 "one that never was" romsim explain R99999999999999999999
longest=$(while read -r code; do romsim explain "$code" | sed '/^This is/,/^The rule/d'; done <list |
    awk '{ if (length > most) most = length } END { print most }')
[ "$longest" -le 80 ] && pass "the pages fit a terminal" || fail "the pages fit a terminal" "$longest"

# A code stands for its rule for ever: in tests/data/codes.txt a title may be put in other words, and
# what is new comes last.
romsim explain | grep '^R[0-9]' | sed 's/  */ /' >titles
same titles "$DATA/codes.txt" "codes are never given again"
done_testing
