#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kills.sh: whoever is killed, whenever: the next command leaves no QEMU, mount or folder.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "kills" || done_testing

"$SAMPLES/busybox-base.sh" base
cat >loop.yaml <<'END'
name: loop
image: ./base
args: [/bin/sh, -c, "echo started; while :; do sleep 1; done"]
roms: [{name: r, files: [{path: f, data: f}], at: /r}]
END

state=$XDG_RUNTIME_DIR/romsim/instances/loop/state.json
owner() { jq -r .owner.pid "$state" 2>/dev/null; }
qemu() { jq -r '.processes[0].pid' "$state" 2>/dev/null; }
qemus() { pgrep -f "$XDG_RUNTIME_DIR/romsim/instances/loop" | wc -l; }
mounts() { grep -c " $T/" /proc/self/mountinfo; }

# start UNTIL: a run in the background, until its stderr or stdout has this text; $pid, $super, $vm.
start() {
    rm -f output && mkfifo output
    "$ROMSIM" run --verbose loop.yaml >output 2>&1 &
    pid=$!
    exec {output}<output
    while read -r -u "$output" line; do
        case $line in *"$1"*) break ;; esac
    done
    super=$(owner) vm=$(qemu)
}
finish() { exec {output}<&-; wait "$pid" 2>/dev/null; }

# clean WHAT: after the sweep of the next command nothing is left.
clean() {
    await_end 20 "$super" "$vm"
    romsim run --image ./missing --args x >/dev/null 2>&1 # any command sweeps; this one fails then
    is "$(folders)" "" "no folder is left, $1"
    is "$(mounts)" 0 "no mount, $1"
    is "$(qemus)" 0 "no process, $1"
}

for moment in drives qemu hello started; do
    start "$moment"
    kill -KILL "$pid"
    finish
    clean "after the client was killed at '$moment'"
done
for moment in qemu app; do
    start "$moment"
    kill -KILL "$super"
    await_end 20 "$pid"
    wait "$pid"
    is "$?" 125 "the client ends with 125 when its keeper is killed at '$moment'"
    exec {output}<&-
    clean "after that"
done
start app
kill -KILL "$vm"
rest=$(cat <&"$output")
wait "$pid"
is "$?" 125 "the client ends with 125 when QEMU is killed"
like "$rest" "the VM ended by itself" "and says so"
is "$(folders)" "" "and nothing is left at once"
clean "after QEMU was killed"

# ---- an app that does not obey, and a second signal
cat >stubborn.yaml <<'END'
name: loop
image: ./base
args: [/bin/sh, -c, "trap 'echo never' TERM; echo started; while :; do sleep 1; done"]
END
cp stubborn.yaml loop.yaml
start started
kill -INT "$pid"
# On a slow machine romsim says meanwhile what it waits for.
while read -r -u "$output" line && [[ $line == romsim:* ]]; do :; done
is "$line" never "the first signal asks"
fails 125 "while it runs, another of its name is refused" romsim run loop.yaml
like "$out" "there is an instance 'loop' already" "and says so"
kill -INT "$pid"
wait "$pid"
is "$?" 137 "the second one ends it by force"
exec {output}<&-
clean "after that"
done_testing
