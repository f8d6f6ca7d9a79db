#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# endings.sh: a run ends when it should, with the app's status, 137 or 143, or 125 for romsim's own
# failures: whatever the app leaves behind, whoever stands still, in whatever order signals come.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "how runs end" || done_testing

"$SAMPLES/busybox-base.sh" base
cat >loop.yaml <<'END'
name: loop
image: ./base
args: [/bin/sh, -c, "echo started; while :; do sleep 1; done"]
END
cat >stubborn.yaml <<'END'
name: loop
image: ./base
args: [/bin/sh, -c, "trap '' TERM; echo started; while :; do sleep 1; done"]
END
cat >polite.yaml <<'END'
name: loop
image: ./base
args: [/bin/sh, -c, "trap 'exit 9' TERM; echo started; while :; do sleep 0.1; done"]
END
state=$XDG_RUNTIME_DIR/romsim/instances/loop/state.json

# start UNTIL ARGUMENTS...: a run in the background, until its stderr or stdout has this text; $pid.
start() {
    local until=$1; shift
    rm -f output && mkfifo output
    "$ROMSIM" run --verbose "$@" >output 2>&1 &
    pid=$!
    exec {output}<output
    await "$until"
}
# await TEXT: reads on until it comes; what was read is in $said.
await() {
    said=
    while read -r -u "$output" line; do
        said+=$line$'\n'
        case $line in *"$1"*) break ;; esac
    done
}
# ends STATUS TEXT: it does, with this status; the rest of its words are in $said.
ends() {
    said=$(cat <&"$output")
    wait_for "$1" "$2"
    exec {output}<&-
}
# The end of a process is an event: its pidfd becomes readable.  (A run that never ends is killed.)
wait_for() {
    python3 -c 'import os, select, sys
try: sys.exit(not select.select([os.pidfd_open(int(sys.argv[1]))], [], [], 60)[0])
except ProcessLookupError: pass' "$pid" || kill -KILL "$pid"
    wait "$pid"
    is "$?" "$1" "$2"
}

# ---- what the app leaves behind ends with it
fails 3 "children that flood the console end with the app, whose status it is" timeout 100 "$ROMSIM" \
    run -q --image ./base --args 'sh -c "for i in 1 2 3 4; do yes & done; sleep 1; exit 3"'

# ---- the guest stops by itself
fails 125 "a guest that is halted" timeout 100 "$ROMSIM" run --image ./base --args "halt -f"
like "$out" "error: the guest was halted" "and that is said"
fails 125 "a guest that switches itself off" timeout 100 "$ROMSIM" run --image ./base --args "poweroff -f"
like "$out" "error: the VM ended by itself" "and that is said"

# ---- signals in quick succession, at any time
quick() {
    local moment=$1; shift
    start "$moment" loop.yaml
    for signal in "$@"; do kill "-$signal" "$pid"; done
    said=$(cat <&"$output")
    wait "$pid"
    case $? in
    137 | 143) pass "$* at '$moment'" ;;
    *) fail "$* at '$moment'" "status $?" "$said" ;;
    esac
    unlike "$said" "killed" "and nobody complains"
    exec {output}<&-
    is "$(folders)" "" "and nothing is left"
}
quick drives INT INT INT INT
quick drives TERM
quick qemu TERM INT
quick hello INT TERM HUP
quick app TERM TERM
quick started INT INT INT
quick started HUP TERM

# ---- a keeper that was stopped goes on, one that hangs is given up
start started polite.yaml
stop_process "$(jq -r .owner.pid "$state")"
kill -TERM "$pid"
ends 9 "a stopped keeper obeys, and the app's status comes back"
start started polite.yaml
stop_process "$(jq -r '.processes[0].pid' "$state")"
kill -TERM "$pid"
ends 9 "so does a stopped QEMU"
start started stubborn.yaml
keeper=$(jq -r .owner.pid "$state")
python3 - "$keeper" <<'END' &
# As soon as it goes on, it is stopped again.
import os, signal, sys
try:
    while True: os.kill(int(sys.argv[1]), signal.SIGSTOP)
except ProcessLookupError: pass
END
stopper=$!
kill -INT "$pid"; kill -INT "$pid"
ends 137 "a keeper that never goes on is given up after a second signal"
wait $stopper
romsim run --image ./missing --args x >/dev/null 2>&1 # any command sweeps; this one fails then
is "$(folders)" "" "and nothing of its instance is left"

# ---- a QEMU that is mute
mkdir -p mute && printf '#!/bin/sh\nexec sleep 1000\n' >mute/qemu-system-x86_64
chmod 755 mute/qemu-system-x86_64
path=$PATH PATH=$T/mute:$PATH
fails 125 "a QEMU that says nothing is waited for as long as a boot may stand still" \
    timeout 60 "$ROMSIM" run --accel tcg --boot-timeout 1 --image ./base --args true
like "$out" "error: QEMU said nothing for 1 s" "and that is said"
start drives --accel tcg loop.yaml
kill -TERM "$pid"
ends 143 "a signal ends a run whose QEMU is mute"
PATH=$path

# ---- a reader that stands still
# fill: waits until the pipe is full.
fill() {
    python3 -c 'import os, select, sys, time
pipe = select.poll()
pipe.register(int(sys.argv[1]), select.POLLOUT)
while pipe.poll(0) and os.path.exists(f"/proc/{sys.argv[2]}/exe"): time.sleep(0.05)' "$still" "$pid"
}
# stands_still STATUS TEXT SIGNALS... -- ARGUMENTS: nobody reads what the app says without end.
stands_still() {
    local status=$1 text=$2 signals=(); shift 2
    while [ "$1" != -- ]; do signals+=("$1"); shift; done
    shift
    rm -f output still && mkfifo output still
    exec {still}<>still
    "$ROMSIM" run --verbose "$@" >still 2>output {still}<&- &
    pid=$!
    exec {output}<output
    fill
    for signal in "${signals[@]}"; do kill "-$signal" "$pid"; done
    ends "$status" "$text"
    exec {still}<&-
}
stands_still 143 "a reader that stands still does not hold up the app's end" TERM -- \
    --image ./base --args yes
like "$said" "nobody read the output for 2 s" "and what is lost is said"
stands_still 137 "nor a second signal" INT INT -- --image ./base --args \
    'sh -c "trap : TERM; while :; do yes; done"'
cat >terminal.py <<'END'
# A terminal whose keeper reads nothing; stdout and stderr are the same.
import fcntl, pty, signal, struct, subprocess, sys, termios, time
ours, theirs = pty.openpty()
run = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
while struct.unpack("i", fcntl.ioctl(ours, termios.FIONREAD, bytes(4)))[0] < 2000:
    if run.poll() is not None: sys.exit("ended early")
    time.sleep(0.05)
run.send_signal(signal.SIGINT)
run.send_signal(signal.SIGTERM)
print(run.wait(60))
END
is "$(python3 terminal.py "$ROMSIM" run --image ./base --args yes 2>&1 | grep -xE '137|143' | wc -l)" 1 \
    "nor a terminal that is not read"
# Without a signal nothing is lost, however slow the reader is.
rm -f output slow && mkfifo output slow
"$ROMSIM" run --verbose --image ./base --args "sh -c 'seq 1 35000; exit 4'" >slow 2>output &
pid=$!
exec {slow}<slow {output}<output
await "the app ended"
is "$(folders)" "" "the app's end is the instance's, though its output is not read yet"
is "$(cat <&"$slow" | md5sum)" "$(seq 1 35000 | md5sum)" "and without a signal a slow reader gets all"
exec {slow}<&-
ends 4 "with the app's status"

# ---- a line while an app that ignores SIGTERM is waited for
start started stubborn.yaml
kill -INT "$pid"
await "waiting for"
like "$said" "romsim: waiting for the app to end, at most 10 s; another signal (ctrl-C) ends it by force" \
    "the user is told what is waited for"
kill -INT "$pid"
ends 137 "a second signal does not wait"

# ---- nohup
rm -f output && mkfifo output
(trap '' HUP; exec "$ROMSIM" run --verbose polite.yaml >output 2>&1) &
pid=$!
exec {output}<output
await started
kill -HUP "$pid"
kill -TERM "$pid"
ends 9 "a SIGHUP that is ignored when romsim starts stays ignored"

# ---- standard output
to_full() { timeout 100 "$ROMSIM" run --image ./base --args "echo lost" >/dev/full; }
to_none() { timeout 100 "$ROMSIM" run --image ./base --args "echo lost" >&-; }
fails 125 "an output that is full is romsim's failure" to_full
like "$out" "error: cannot write the output: No space left on device" "and that is said"
fails 125 "so is one that is closed" to_none
like "$out" "error: cannot write the output: Bad file descriptor" "and that is said"
"$ROMSIM" run -q --image ./base --args yes 2>gone | head -n 1 >/dev/null
is "${PIPESTATUS[0]} $(cat gone)" "125 " "a reader that goes ends the run, silently"

# ---- -q
printf 'image: ./base\ntags: [x]\nargs: [nothing]\n' >warned.yaml
fails 127 "with -q" timeout 100 "$ROMSIM" run -q warned.yaml
is "$out" "romsim: error: cannot run 'nothing': no such command in PATH" \
    "why the app did not start is said, and no warning"

# ---- several instances
cat >several.yaml <<'END'
- {name: a, image: ./base, args: [/bin/sh, -c, "trap '' TERM; echo x; while :; do sleep 1; done"]}
- {name: longer, image: ./base, args: [/bin/sh, -c, "trap '' TERM; echo y; while :; do sleep 1; done"]}
END
start "| " several.yaml
first=$line
await "| "
is "$(printf '%s\n' "$first" "$line" | sort)" "a      | x
longer | y" "the names of several instances align"
kill -TERM "$pid"
await "waiting for"
like "$said" "waiting for a, longer to end, at most 10 s; another signal (ctrl-C) ends all by force" \
    "several are waited for by name"
kill -TERM "$pid"
ends 137 "and end by force together"
is "$(folders)" "" "nothing is left"
done_testing
