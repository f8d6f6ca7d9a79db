# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# waiting.sh: what tests wait for, sourced behind lib.sh: ends of processes, and what an instance says.

# await_end SECONDS PID...: the end of a process is an event: its pidfd becomes readable.
await_end() {
    python3 -c 'import os, select, sys
for pid in sys.argv[2:]:
    try: select.select([os.pidfd_open(int(pid))], [], [], int(sys.argv[1]))
    except (ProcessLookupError, ValueError): pass' "$@"
}

# kill_server PID: kills a mount's server, and waits for the end of the process that it had read the
# images.
kill_server() {
    local reader
    reader=$(pgrep -P "$1")
    kill -KILL "$1"
    await_end 20 "$1" "$reader"
}

# until_stopped PID...: until none of its threads goes on.
until_stopped() {
    local pid
    for pid; do
        while sed 's/.*) //; s/ .*//' "/proc/$pid/task/"*/stat 2>/dev/null | grep -q '[^TtZX]'; do
            sleep 0.05
        done
    done
}

# stop_process PID...: by SIGSTOP, which kill does not wait for: meanwhile another thread may still
# do what it is asked.
stop_process() {
    kill -STOP "$@"
    until_stopped "$@"
}

# eventually COMMAND...: until it succeeds; a minute is more than anything here takes.
eventually() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        [ $((tries += 1)) -lt 600 ] || return 1
        sleep 0.1
    done
}

# says NAME TEXT: the instance has said it.
says() { romsim logs "$1" | grep -qF "$2"; }

# numbers NAME: those of its lines "line N ...".
numbers() { romsim logs "$1" | sed -n 's/^line \([0-9]*\) .*/\1/p'; }

# says_more NAME: three of them more than now.
says_more() {
    local i now
    now=$(numbers "$1" | wc -l)
    for ((i = 0; i < 600; i++)); do
        [ "$(numbers "$1" | wc -l)" -ge $((now + 3)) ] && return
        sleep 0.1
    done
    return 1
}

# folders: the instances that there are, by their folders.
folders() { ls "$XDG_RUNTIME_DIR/romsim/instances"; }
