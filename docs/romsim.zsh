#compdef romsim
# SPDX-License-Identifier: BSD-3-Clause
# zsh completion for romsim(1): the program itself knows what could stand there, and prints nothing
# where file names are to be offered.

_romsim() {
    local line
    local -a candidates

    while IFS= read -r line; do
        # _describe divides a word from what it is by the first colon.
        candidates+=("${${line%%$'\t'*}//:/\\:}${${(M)line:#*$'\t'*}:+:${line#*$'\t'}}")
    done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#candidates} )); then
        _describe -t words romsim candidates
    else
        _files
    fi
}

if [ "${funcstack[1]}" = _romsim ]; then
    _romsim "$@"
else
    compdef _romsim romsim
fi
