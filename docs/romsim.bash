# SPDX-License-Identifier: BSD-3-Clause
# bash completion for romsim(1).
#
# The words come from the program's own --help, so they are those of the version at hand; where
# nothing fits, file names are offered.

# What indented lines that do not begin with '-' begin with: a command, or several with commas.
_romsim_commands() {
    "$@" --help 2>/dev/null |
        sed -nE 's/^  (([a-z][a-z-]*, )*[a-z][a-z-]*)  *[^ ].*/\1/p' | sed 's/, /\n/g'
}

_romsim_options() {
    "$@" --help 2>/dev/null | sed '/^and, see/,$s/, --/\n  --/g' |
        sed -n 's/^  *\(-[^-], \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

_romsim() {
    local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} words=
    local previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-} subcommand=

    case $command in
    rom | image | volume | template | trace) subcommand=${COMP_WORDS[2]-} ;;
    esac

    if [ "$COMP_CWORD" = 1 ]; then
        words="$(_romsim_commands "$program") help --help --version"
    elif [ "$COMP_CWORD" = 2 ] && [ "$command" = help ]; then
        words=$(_romsim_commands "$program")
    elif [ "$COMP_CWORD" = 2 ] && [[ $command == @(rom|image|volume|template|trace) ]]; then
        words=$(_romsim_commands "$program" "$command")
    elif [ "$previous" = --accel ]; then
        words="auto kvm tcg"
    elif [ "$previous" = --cpu ]; then
        words="v1 v2 v3 v4"
    elif [ "$previous" = --format ]; then
        words="erofs cpio raw"
    elif [[ $current == -* ]]; then
        # shellcheck disable=SC2086 # no subcommand is no word
        words=$(_romsim_options "$program" "$command" $subcommand)
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o bashdefault -o default -F _romsim romsim
