#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# stdin.sh: what is typed or piped here is what the app reads there: whole, to its end, held back
# when the app does not take it; on a terminal of its own with keys, size and a way to leave.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "input in the guest" || done_testing
need jq "input in the guest" || done_testing

"$SAMPLES/busybox-base.sh" base
run() { timeout 120 "$ROMSIM" run -q --image ./base "$@"; }

# ---- a pipe
is "$(echo typed | run --args cat)" "" "without --stdin the app reads nothing"
is "$(printf 'one\ntwo' | run --stdin --args cat)" "one
two" "what is piped is read, to its end"
is "$(printf 'a\0b\r\n\377\003\004\020\021x' | run -i --args "od -An -tx1 -v" | tr -d ' \n')" \
    6100620d0aff0304101178 "every byte passes as it is"
is "$(run -i --args "sh -c 'cat; echo done'" </dev/null)" "done" "no input is an end at once"
is "$(printf 'x\ny\n' | run -i --args "sh -c 'read a; echo got \$a; [ -p /dev/stdin ] && echo pipe'")" "got x
pipe" "it is a pipe"
head -c 5000000 /dev/urandom >large
is "$(run -i --args md5sum <large | cut -d' ' -f1)" "$(md5sum <large | cut -d' ' -f1)" "5 MB are whole"
is "$(run -i --args cat <large | md5sum)" "$(md5sum <large)" "and on both ways"

# One that does not read keeps the writer waiting: with Linux 6.1 less than 2 MB are anywhere on the way,
# with 6.12 4.5.
mkfifo slow
run -i -n slow --args "sh -c 'echo ready; until [ -e /go ]; do sleep 0.1; done'" <slow >slow.out 2>&1 &
pid=$!
{ python3 -c '
import os, sys
passed = 0
os.set_blocking(1, False)
import select, time
end = time.monotonic() + 100
still = 0
while still < 20 and passed < 16 << 20 and time.monotonic() < end:
    if select.select([], [1], [], 0.1)[1]:
        try: passed += os.write(1, bytes(65536)); still = 0
        except BlockingIOError: still += 1; time.sleep(0.1)
    elif os.path.exists("ready"): still += 1
print(passed, file=sys.stderr)' >slow; } 2>passed &
writer=$!
eventually says slow ready
touch ready
wait $writer
passed=$(cat passed)
[[ $passed =~ ^[1-9][0-9]*$ && $passed -gt 65536 && $passed -lt 8000000 ]]
is "$? $passed" "0 $passed" "input that is not read is not swallowed"
ok "and holds up nothing else" romsim stop slow
wait $pid
is "$?" 143 "the app ends as it should"

# The app does not read to the end, and goes on: the writer does not wait for ever.
is "$(run -i --args "sh -c 'head -c 3 | od -An -tx1; exec <&-; sleep 2; echo over'" <large)" \
    "$(head -c 3 large | od -An -tx1)
over" "an app may stop reading"
fails 3 "an app may end before its input" run -i --args "sh -c 'exit 3'" <large

# ---- what does not fit
printf -- '- {name: a, image: ./base, args: ["true"]}\n- {name: b, image: ./base, args: ["true"]}\n' >two.yaml
fails 2 "one input for two instances is refused" romsim run --stdin two.yaml
like "$out" "--stdin is one instance's input, and these are 2" "and that is said"
fails 2 "the file and the input cannot be one" romsim run --stdin -
like "$out" "standard input" "which is said"

# ---- an instance that lives
romsim run -d -q -i -n echo --image ./base --args "sh -c 'while read line; do echo got \$line; done; echo end'" >/dev/null
is "$(romsim get echo -o json | jq -c '[.romsim.stdin, .romsim.tty]')" "[true,null]" "get says that it reads"
fails 1 "one that reads cannot be suspended" romsim suspend echo
like "$out" "has an input (--stdin)" "and that is said"
mkfifo typing
"$ROMSIM" attach -i echo <typing >attached 2>&1 &
attached=$!
exec {keys}>typing
echo one >&$keys
ok "attach --stdin gives it its input" eventually says echo "got one"
fails 125 "a second one at the same time is refused" timeout 60 "$ROMSIM" attach -i echo </dev/null
like "$out" "somebody else gives 'echo' its input" "and told why"
# A client that is killed did not say that the input is over.
echo two >&$keys
eventually says echo "got two"
{ kill -KILL $attached; wait $attached; } 2>/dev/null
exec {keys}>&-
is "$(romsim get echo -o json | jq -r .state)" running "the end of a client that is killed is not the input's"
is "$(printf 'three\n' | timeout 60 "$ROMSIM" attach -i echo)" "got three
end" "the next client's end is"
is "$(romsim logs echo | tail -1)" end "the app read it"
romsim start -q echo
is "$(printf 'four\n' | timeout 60 "$ROMSIM" attach -i echo)" "got four
end" "when it is started again it reads again"
romsim rm echo >/dev/null
romsim run -d -q -n mute --image ./base --args "sleep 1000" >/dev/null
fails 125 "one that was made without reads nothing" timeout 60 "$ROMSIM" attach -i mute </dev/null
like "$out" "it was made without --stdin" "and that is said"
romsim rm mute >/dev/null
# Input that has ended has ended for a run that follows by the restart policy, too.
is "$(echo x | run -i --restart on-failure --args "sh -c 'cat; [ -e /proc/self ] && exit 0'")" x \
    "input and a restart policy go together"

# ---- a terminal
# See typist.py; what is shown is in `shown`.
typist() { python3 "$ROOT/tests/vm/typist.py" "$@"; }
shown() { tr -d '\r' <shown; }

typist "$ROMSIM" run -q -it -n shell --image ./base --args sh <<'END'
await / #
modes
type stty size; tty; echo $((6*7))$TERM\r
await 42xterm
type echo rea""dy; cat\r
await ready
type abc\x7fd\r
await abd
type \x03
await / #
type stty raw -echo; echo go""on; head -c 3 | od -An -tx1; stty sane\r
await goon
type \x03\x1a\x11
await 11
size 40 120
type stty size\r
await 40 120
type exit 7\r
END
is "$?" 7 "a shell on a terminal ends with its status"
unlike "$(shown)" "{no" "all that was waited for came"
like "$(shown)" "{raw}" "our terminal passes every key on"
like "$(shown)" "30 100
/dev/pts/0
42xterm" "the app's terminal has the size of ours, and a kind"
like "$(shown)" "03 1a 11" "keys that mean something pass to an app that wants them"
is "$(folders)" "" "nothing is left"

# The signal of a size goes to what is in the foreground.
typist "$ROMSIM" run -q -it -n sizes --image ./base \
    --args "sh -c 'trap \"stty size; exit 4\" WINCH; echo ready; while :; do sleep 0.1; done'" <<'END'
await ready
size 12 34
await 12 34
END
is "$?" 4 "a change of the size is a signal"

# Before the app begins ctrl-C is ours.
if silent_kernel silent; then
    typist "$ROMSIM" run -it --verbose --kernel silent --image ./base --args sh <<'END'
await  qemu
type \x03
END
    is "$?" 143 "until the app runs ctrl-C ends romsim"
fi

# ---- leaving, and coming back
typist "$ROMSIM" run -it -n stays --image ./base --args sh <<'END'
await / #
type A=kept\r
await / #
type \x10\x10x\x7f\x10\x11
await detached:
END
is "$?" 0 "ctrl-P ctrl-Q leaves"
like "$(shown)" "'romsim attach --stdin stays' comes back" "and says how to come back"
is "$(romsim get stays -o json | jq -c '[.state, .romsim.stdin, .romsim.tty]')" '["running",true,true]' \
    "the app goes on"
typist "$ROMSIM" attach --stdin stays <<'END'
type \r
await / #
type echo $A; stty size\r
await 30 100
type \x10\x11
await detached from
END
is "$?" 0 "attach takes the keys again, and leaves as well"
like "$(shown)" "kept
30 100" "it is the same shell"
# One that is killed takes nothing along.
typist "$ROMSIM" attach -i stays <<'END'
type \r
await / #
kill
END
is "$(romsim get stays -o json | jq -r .state)" running "a client that is killed leaves it running"
typist "$ROMSIM" attach -i stays <<'END'
type \r
await / #
type exit 9\r
END
is "$?" 9 "attach ends with the app"
is "$(romsim get stays -o json | jq -c '[.state, .exit_code]')" '["stopped",9]' "which has stopped"
romsim rm stays >/dev/null

# The terminal gets its modes back, whatever the end is.
typist bash -c "stty -echo; '$ROMSIM' run -q -it --image ./base --args 'sh -c \"exit 3\"'; echo status \$?; stty -a" <<'END'
await status 3
await -echo
END
like "$(shown)" "icanon" "our terminal is as it was"

# Without a terminal here what is piped is typed, and so is its end.
is "$(printf 'echo $((6*7)); exit 5\n' | run -it --args sh 2>&1 | tr -d '\r' | grep -x 42; echo "${PIPESTATUS[1]}")" "42
5" "what is piped is typed on the app's terminal"
is "$(printf 'x' | run -it --args cat 2>&1 | tr -d '\r')" "xx" "and so is its end"
is "$(run -t --args "sh -c 'tty; stty size'" </dev/null | tr -d '\r')" "/dev/pts/0
24 80" "--tty alone is a terminal at which nobody sits"
is "$(folders)" "" "nothing is left of all this"
done_testing
