#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# help: the help of every command fits a screen, and romsim(1) and the completion know each command
# and each option.
. "$(dirname "$0")/../lib.sh"
page=$ROOT/docs/romsim.1
PATH=$(dirname "$ROMSIM"):$PATH

# The commands and options of a help's text; pairs of commands share a line.
help_commands() {
    "$@" --help | sed -nE 's/^  (([a-z][a-z-]*, )*[a-z][a-z-]*)  *[^ ].*/\1/p' | sed 's/, /\n/g'
}
help_options() {
    "$@" --help | sed '/^and, see/,$s/, --/\n  --/g' |
        sed -n 's/^  *\(-[^-], \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

# complete_line WORD...: what is offered for the last word.
complete_line() { romsim complete -- "${@:2}" | cut -f1; }

# fits TEXT WHAT: it fits a screen of 24 lines and 80 columns; what makes instances has more to say.
fits() {
    local tall wide most=24
    case $2 in "run "* | "create "* | "capture "* | "template create "*) most=40 ;; esac
    tall=$(wc -l <<<"$1") wide=$(awk '{ if (length > w) w = length } END { print w }' <<<"$1")
    if [ "$tall" -le $most ] && [ "$wide" -le 80 ]; then pass "$2 fits a screen"
    else fail "$2 fits a screen" "$tall lines, $wide columns" "$1"; fi
}

# page_item NAME: what romsim(1) says of a command; page_common: of the options that many share.
page_item() { awk -v item=".It Cm $1 " '/^\.(It Cm|Sh) / { on = index($0 " ", item) == 1 } on' "$page"; }
page_common() { sed -n '/^\.Sh DESCRIPTION/,/^\.Sh COMMANDS/p' "$page"; }

# check_command WORD...: one command's help against its page and its completion.
check_command() {
    local option missing=
    ok "$* --help succeeds" romsim "$@" --help
    fits "$out" "$* --help"
    if grep -qE "^\.It Cm $*( |\$)" "$page"; then pass "$* stands in romsim(1)"
    else fail "$* stands in romsim(1)"; fi
    for option in $(help_options romsim "$@"); do
        { page_item "$*"; page_common; } | grep -qE -e "Fl -${option#--}( |\$)" ||
            missing+=" $option"
    done
    is "$missing" "" "romsim(1) has the options of $*"
    is "$(complete_line romsim "$@" -- | sort -u)" "$(help_options romsim "$@" | sort -u)" \
        "the completion knows the options of $*"
}

# The bounds: the program's own list is in the hint of a wrong one.
fails 2 "an unknown bound is a usage error" romsim doctor --bound nothing=1
bounds=$(sed -n 's/.*with one of: //p' <<<"$out" | tr -d ,)
page_bounds=$(sed -n '/^\.Sh BOUNDS/,/^\.Sh ENV/s/^\.It Cm //p' "$page" | tr -d ,)
is "$(printf '%s\n' $page_bounds | sort)" "$(printf '%s\n' $bounds | sort)" \
    "romsim(1) has the bounds"
fails 2 "a bound in the environment is read as well" env ROMSIM_BOUNDS=nothing=1 "$ROMSIM" doctor

ok "the program's help succeeds" romsim --help
fits "$out" "the program's help"
commands=$(help_commands romsim)
like " ${commands//$'\n'/ } " " plan " "the help lists the commands"
is "$(complete_line romsim "")" "$(printf '%s\n' $commands help --help --version)" \
    "the completion offers every command"
for command in $commands; do
    case $command in
    rom | image | volume | template | checkpoint | trace | workshop)
        ok "$command --help succeeds" romsim "$command" --help
        fits "$out" "$command --help"
        is "$(complete_line romsim "$command" "")" "$(help_commands romsim "$command")" \
            "the completion offers every command of $command"
        for subcommand in $(help_commands romsim "$command"); do
            check_command "$command" "$subcommand"
        done ;;
    *) check_command "$command" ;;
    esac
done
is "$(complete_line romsim pl)" plan "the completion ends a command's name"

fails 2 "no command is a usage error" romsim
fails 2 "an unknown command is a usage error" romsim paln
like "$out" "did you mean 'plan'" "it names the nearest command"
fails 2 "an unknown option is a usage error" romsim plan --jsno x
done_testing
