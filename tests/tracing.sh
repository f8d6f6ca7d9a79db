# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# tracing.sh: a process that is watched, or held up, from without, sourced behind lib.sh.

# traced PID OPTIONS... -- COMMAND...: runs a command while strace, with these options, has a process.  If strace
# cannot have it, the command is not run, and the reason is in $why.
traced() {
    local pid=$1 options=() tracer line result words
    shift
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    shift
    why=
    words=$(mktemp -u "$T/words.XXXXXX")
    mkfifo "$words"
    strace -f -e signal=none "${options[@]}" -p "$pid" 2>"$words" &
    tracer=$!
    exec 5<"$words"
    read -r line <&5
    case $line in *attached*) ;; *) why="strace: $line" ;; esac
    [ -n "$why" ] || "$@"
    result=$?
    kill -INT $tracer 2>/dev/null
    wait $tracer
    exec 5<&-
    rm "$words"
    [ -z "$why" ] && return $result
}
