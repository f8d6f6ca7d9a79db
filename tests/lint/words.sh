#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# words: what may not stand in tracked files: functions that the house does without, printing below
# sim/cli, and paths of the machine where a file was written.
set -u
cd "$(dirname "$0")/../.."
status=0

# refuse WHY PATTERN PATHS...: no line of the paths may match; comments do not count.
refuse() {
    local why=$1 pattern=$2 found
    shift 2
    found=$(git grep -nE "$pattern" -- "$@" | grep -vE '^[^:]*:[0-9]+: *(/?\*|//)') || return 0
    printf '%s\n' "$found" | sed "s|\$|   <-- $why|"
    status=1
}

refuse "not used here: see docs/hacking.md" \
    '(^|[^a-zA-Z0-9_])(strcpy|strcat|strncpy|sprintf|vsprintf|gets|atoi|atol|atoll|strtok|system|popen|alloca|tmpnam|mktemp)\(' \
    '*.c' '*.h' ':!tests'
refuse "only sim/cli prints" \
    '(^|[^a-zA-Z0-9_])(printf|puts|putchar|perror|vprintf|exit)\(|<err\.h>|fprintf\((stderr|stdout)' \
    'sim/*.c' 'fuse/*.c' ':!sim/cli' ':!sim/guest'
refuse "a path of one machine" '/[w]ork/(main|shared)|/tmp/[w]t/|/[h]ome/[a-z]+/' .
for file in $(git ls-files '*.c' '*.h' '*.sh' '*.mk' '*.py' Makefile '.ci/*' \
    ':!samples/*/*' ':!sim/cli/workshop/*' ':!tests/data/workshop/*'); do
    head -3 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' ||
        { echo "$file: no SPDX line at its head"; status=1; }
done
exit $status
