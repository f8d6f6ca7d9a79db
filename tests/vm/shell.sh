#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shell.sh: run --shell: a root shell beside the app, which sees what the app sees, needs nothing of
# its image, and whose end is not the app's.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "a shell in the guest" || done_testing
need jq "a shell in the guest" || done_testing
[ -e "${ROMSIM_GUEST:-$ROOT/build/guest}/initrd.shell" ] ||
    { skip "a shell in the guest" "the guest bundle has none: busybox-static is missing"; done_testing; }

"$SAMPLES/busybox-base.sh" base
# An image in which there is one program, and no shell.
mkdir -p bare/bin site/inner
cp "$(readlink -f "$(command -v busybox)")" bare/bin/sleep
echo hello >site/file
echo deep >site/inner/deep
rom=(--rom name=a,dir=site,at=/rom)
run() { timeout 120 "$ROMSIM" run --shell "$@"; }
typist() { python3 "$ROOT/tests/vm/typist.py" "$@"; }
shown() { tr -d '\r' <shown; }

# ---- commands that are piped
cat >commands <<'END'
id -u
cd /
find rom -type f | sort
cat /rom/inner/deep
echo in the ROM >/rom/file || echo read-only
ls /bin
[ -b /dev/ukp_rom1 ] && echo its device
echo $NAME in $ROMSIM_APP
tr '\0' , </proc/$ROMSIM_APP/cmdline; echo
tty
kill $ROMSIM_APP
sleep 100
END
run -q --image ./bare -e NAME=value "${rom[@]}" --args "sleep 1000" <commands >piped 2>said
is "$?" 143 "the status is the app's, which the shell has ended"
is "$(sed 's/ in [0-9]*$/ in PID/; /[Rr]ead-only file system/d' piped)" "0
rom/file
rom/inner/deep
deep
read-only
sleep
its device
value in PID
sleep,1000,
not a tty" "it is root, sees the ROMs and devices as the app does, and needs no shell of the image"
is "$(cat said)" "" "with --quiet nothing else is said"

printf 'echo out; echo err >&2; exit 3\n' |
    run --image ./base --args "sh -c 'echo early; sleep 4; echo late; exit 7'" >piped 2>said
is "$?" 7 "the end of the shell is not the app's"
is "$(grep -v early piped)" "out
err
late" "what the app writes is shown when the shell has ended"
like "$(cat said)" "the shell has ended with status 3; the app goes on" "and that is said"
is "$(echo 'sleep 1; cat' | run -q --image ./base --args "sh -c 'exit 5'"; echo $?)" 5 \
    "the end of the app is the shell's"
fails 127 "an app that cannot be run is told" romsim run --shell --image ./base --args nothing </dev/null
like "$out" "cannot run 'nothing'" "as it is without a shell"
head -c 1000000 /dev/urandom | od -An -v -tx1 >large
{ echo 'md5sum <<END | cut -c -32'; cat large; printf 'END\nod -v -An -tx1 /dev/zero | head -c 3000000 | md5sum | cut -c -32\nkill $ROMSIM_APP; sleep 100\n'; } |
    run -q --image ./bare --args "sleep 1000" >piped
is "$(cat piped)" "$(md5sum <large | cut -c -32)
$(od -v -An -tx1 /dev/zero | head -c 3000000 | md5sum | cut -c -32)" "much that is piped is whole"
printf 'head -c 3000000 /dev/zero | tr "\\0" x; echo; kill $ROMSIM_APP; sleep 100\n' |
    run -q --image ./bare --args "sleep 1000" >piped
is "$(wc -c <piped)" 3000001 "and what it writes"
for size in 300000 1000000; do # less than what is on the way, and more, when the app ends
    printf 'head -c %d /dev/zero | tr "\\0" x; echo; kill $ROMSIM_APP; sleep 100\n' "$size" |
        run -q --image ./bare --args "sleep 1000" | { sleep 5; wc -c; }
done >piped
is "$(cat piped)" "$(printf '300001\n1000001')" "also to who reads slowly"
is "$(folders)" "" "nothing is left"

# ---- a terminal
typist "$ROMSIM" run --shell -n beside --image ./bare "${rom[@]}" --args "sleep 1000" <<'END'
await #
modes
type stty size; tty; echo $((6*7))$TERM; id -u; cat /rom/file\r
await hello
type echo rea""dy; cat\r
await ready
type abc\x7fd\r
await abd
type \x03
await #
type sleep 100 & jobs; echo st""ill\r
await still
size 40 120
type stty size\r
await 40 120
type exit 4\r
await the shell has ended with status 4; the app goes on
modes
type \x03
END
is "$?" 143 "ctrl-C is the shell's, and when that has ended the app's end"
unlike "$(shown)" "{no" "all that was waited for came"
like "$(shown)" "{raw}" "our terminal passes every key on"
like "$(shown)" "{cooked}" "and is ours again when the shell has ended"
like "$(shown)" "30 100" "its terminal has our size"
like "$(shown)" "Running" "it has job control"

# The app's end while somebody sits there.
typist "$ROMSIM" run --shell --image ./base --args "sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 9'" <<'END'
await #
type touch /go\r
await the app has ended, and the shell with it
modes
END
is "$?" 9 "an app that ends while the shell is there gives its status"
like "$(shown)" "{cooked}" "the terminal is ours again"

# ---- leaving
typist "$ROMSIM" run --shell -n stays --image ./base --args "sh -c 'echo ready; while :; do sleep 1; done'" <<'END'
await #
type sleep 12345 &\r
await #
type \x10\x11
await detached:
END
is "$?" 0 "ctrl-P ctrl-Q leaves"
is "$(romsim get stays -o json | jq -r .state)" running "the app goes on"
ok "its console is in the log" says stays ready
fails 1 "one that has a shell cannot be suspended" romsim suspend stays
like "$out" "was made with --shell" "and that is said"
fails 1 "nor be a checkpoint" romsim checkpoint create stays
like "$out" "was made with --shell" "which is said, too"
ok "it can be stopped" romsim stop stays
ok "and started again" romsim start -q stays
is "$(romsim get stays -o json | jq -r .state)" running "with nobody at its shell"
romsim rm stays >/dev/null
is "$(folders)" "" "nothing is left"

# One that is killed takes all along, as without --shell.
mkfifo typing
"$ROMSIM" run -q --shell -n killed --image ./bare --args "sleep 1000" <typing >piped &
pid=$!
exec {keys}>typing
echo 'echo here' >&$keys
eventually grep -q here piped
{ kill -KILL $pid; wait $pid; } 2>/dev/null
exec {keys}>&-
ok "with a client that is killed it all ends" eventually eval '[ -z "$(folders)" ]'

# ---- what does not fit
for other in --detach --watch --stdin --tty; do
    fails 2 "--shell with $other is a usage error" romsim run --shell $other --image ./base
    like "$out" "--shell has this terminal" "and told why"
done
fails 2 "the file and the commands cannot be one" romsim run --shell -
printf -- '- {name: a, image: ./base, args: ["true"]}\n- {name: b, image: ./base, args: ["true"]}\n' >two.yaml
fails 2 "one shell for two instances is refused" romsim run --shell two.yaml
like "$out" "--shell is beside one instance's app, and these are 2" "and that is said"
mkdir guest
for file in vmlinux initrd info; do ln -s "${ROMSIM_GUEST:-$ROOT/build/guest}/$file" guest/; done
fails 125 "a guest bundle without a shell is told" env ROMSIM_GUEST="$T/guest" "$ROMSIM" run --shell \
    --image ./base --args true </dev/null
like "$out" "guest/initrd.shell is missing" "with what is missing"
is "$(echo 'echo $0; exit' | timeout 120 "$ROMSIM" run -q --image ./base --args "ls /")" \
    "$(timeout 120 "$ROMSIM" run -q --shell --image ./base --args "sh -c 'sleep 2; ls /'" </dev/null)" \
    "the app sees the same root with a shell and without"
done_testing
