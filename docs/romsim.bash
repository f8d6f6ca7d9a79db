# SPDX-License-Identifier: BSD-3-Clause
# bash completion for romsim(1): the program itself knows what could stand there, and prints nothing
# where file names are to be offered.

_romsim() {
    local line=${COMP_LINE:0:COMP_POINT} current words
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    current=${words[-1]}

    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        # bash completes what stands behind the last of COMP_WORDBREAKS, of which ':' is one.
        [[ $current == *:* ]] && line=${line#"${current%:*}":}
        COMPREPLY+=("$line")
    done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
}

complete -o bashdefault -o default -F _romsim romsim
