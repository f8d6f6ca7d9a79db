#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# manual: `romsim help` has what the man pages have, word by word as mandoc reads them.
. "$(dirname "$0")/../lib.sh"

# plain: text without blanks, quotes and bullets, which every reader sets in its own way.
plain() { tr -d "[:space:]\`'\"" | sed 's/\*//g'; echo; }

# by_mandoc: what mandoc makes of mdoc lines on standard input, without head and foot.
by_mandoc() {
    { printf '.Dd $Mdocdate$\n.Dt X 1\n.Os\n.Sh NAME\n.Nm romsim\n.Nd x\n.Sh QQQ\n'; cat; } |
        mandoc -T ascii | col -b | sed '1,/^QQQ/d; $d' | plain
}

# section TITLE FILE, item NAME: their lines.
section() { awk -v title=".Sh $1" '/^\.Sh / { on = $0 == title; next } on' "$2"; }
item() {
    awk -v name="$1" '
        /^\.Sh / { inside = $0 == ".Sh COMMANDS" }
        !inside { next }
        /^\.Bl/ { depth++ }
        depth == 1 && /^\.(It|El)/ { on = 0 }
        on
        /^\.El/ { depth-- }
        depth == 1 && index($0, ".It Cm " name) == 1 &&
            substr($0, length(".It Cm " name) + 1) ~ /^($| [A-Z])/ { on = 1; print }' "$ROOT/docs/romsim.1"
}

ok "the topics are listed" romsim help
topics=$(sed -n 's/^  \([a-z][a-z-]*\)$/\1/p' <<<"$out")
like " ${topics//$'\n'/ } " " exit-status " "... with those of romsim(1)"
like " ${topics//$'\n'/ } " " rom-members " "... and of romsim-instance(5)"
for topic in $topics; do
    ok "help on $topic" romsim help "$topic"
    [ "$(awk '{ if (length > w) w = length } END { print w }' <<<"$out")" -le 80 ] && pass "$topic fits the screen" ||
        fail "$topic fits the screen" "$(awk 'length > 80' <<<"$out")"
done
is "$(romsim help networking)" "$(romsim help network)" "a word that is more is understood"
is "$(romsim help exit status)" "$(romsim help exit-status)" "so are two"
like "$(romsim help templates)" "template create [options]" "and a plural of a command"
fails 2 "a topic that there is not" romsim help netwrok
like "$out" "did you mean 'network'?" "... has a nearest one"
fails 2 "nothing near" romsim help qqqqqqqqq
like "$out" "'romsim help' lists the topics" "... has the list"
like "$(romsim complete -- help exit)" "exit-status" "Tab knows the topics"

if need mandoc "the text is that of the pages"; then
    for topic in $topics; do
        title=$(tr a-z- 'A-Z ' <<<"$topic")
        is "$(romsim help "$topic" | sed "/^$title\$/d" | plain)" "$(
            for page in romsim.1 romsim-instance.5; do section "$title" "$ROOT/docs/$page"; done |
                by_mandoc)" "$topic is that of the page"
    done
    commands=$(awk '/^\.Sh / { inside = $0 == ".Sh COMMANDS" } inside && /^\.Bl/ { depth++ }
        inside && /^\.El/ { depth-- } inside && depth == 1 && /^\.It Cm / {
            sub(/^\.It Cm /, ""); sub(/ [A-Z].*/, ""); print }' "$ROOT/docs/romsim.1")
    while read -r command; do
        # shellcheck disable=SC2086 # two words
        page=$(romsim help $command | plain)
        want=$({ echo ".Bl -tag -width Ds -compact"; item "$command"; echo ".El"; } | by_mandoc)
        # Sections of the same name stand behind it.
        is "${page:0:${#want}}" "$want" "the page of $command"
    done <<<"$commands"
fi
done_testing
