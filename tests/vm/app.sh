#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# app.sh: the app gets its environment, arguments, directory and signals, and its exit status is
# romsim's.
. "$(dirname "$0")/../lib.sh"
need guest "apps in the guest" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir -p base/work/dir scripts
cat >scripts/look.sh <<'END'
echo "pid $$ of parent $PPID"
echo "arguments: $#:$(printf ' <%s>' "$@")"
echo "a=$A multi=$MULTI path=$PATH"
echo "cwd $(pwd) user $(id -u):$(id -g) host $(hostname)"
echo "stdin $(wc -c) bytes"
echo "to stderr" >&2
printf 'tab\there, no carriage return\n'
(sleep 0 & )   # an orphan, which init has to reap
i=0; while [ $i -lt 30 ]; do (sh -c 'exit 0' &); i=$((i + 1)); done
ping -c 1 -W 5 10.0.0.1 >/dev/null 2>&1 && echo "gateway answers"
cat /etc/resolv.conf
ls -ld /dev/shm /dev/pts /proc/self /sys/class >/dev/null && echo "special file systems"
ls -l /dev/fd /dev/stdin >/dev/null && echo "dev links"
grep -c Z /proc/[0-9]*/stat | grep -c ':[1-9]' | sed 's/^/zombies: /'
printf 'no newline at the end'
exit 7
END

cat >look.yaml <<'END'
name: looker
hostname: custom
image: ./base
args: [/bin/sh, /s/look.sh, one, "two words", "", "quote's \"$HOME\" \\ ☃"]
env: {A: "1 2", MULTI: "line\nnext"}
roms: [{name: scripts, dir: scripts, at: /s}]
END
fails 7 "the exit status is the app's" romsim run -q look.yaml
like "$out" "arguments: 4: <one> <two words> <> <quote's \"\$HOME\" \\ ☃>" "arguments arrive as they are"
like "$out" "a=1 2 multi=line
next path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "so does the environment"
like "$out" "cwd / user 0:0 host custom" "it runs in / as root, with the host name"
like "$out" "stdin 0 bytes" "its input is empty"
like "$out" "to stderr" "its errors come too"
like "$out" "$(printf 'tab\there, no carriage return')" "tabs stay"
unlike "$out" "$(printf '\r')" "and no carriage returns are added"
like "$out" "gateway answers" "the network is up"
like "$out" "nameserver 10.0.0.254" "with a resolver"
like "$out" "special file systems" "/dev/shm, /dev/pts, /proc, /sys are there"
like "$out" "dev links" "/dev/fd and its kind too"
like "$out" "zombies: 0" "orphans are reaped"
like "$out" "no newline at the end" "the last bytes arrive, newline or not"
unlike "$out" "pid 1 " "the app is not process 1"

# ---- from flags alone; several notes in one boot
fails 3 "flags alone make an instance" romsim run -q --image ./base -m 160 -e X=y --name flagged \
    --rom dir=scripts,at=/s --args "sh -c 'echo \$X; hostname; free -m | sed -n 2p; exit 3'"
like "$out" "y
flagged" "with their environment and name"
like "$out" "mount /dev/ukp_rom1 -> /s" "and ROM"

# ---- from an image's config: a directory that it does not have, variables that it has twice
docker_archive image.tar base '{"Cmd":["sh","-c","pwd; ls -ld .; echo $A; env | grep -c ^A="],
    "WorkingDir":"/work/new/dir","Env":["A=1","B=x","A=2"]}'
ok "a working directory that is missing is made" romsim run -q --image docker-archive:image.tar
is "$(echo "$out" | awk '{ print $1, $3 }')" "/work/new/dir 
drwxr-xr-x root
2 
1 " "it is root's, and a variable is there once, with its last value"
docker_archive image.tar base '{"Cmd":["true"],"WorkingDir":"/bin/busybox"}'
fails 125 "one that is a file stops the boot" romsim run -q --image docker-archive:image.tar
like "$out" "cannot enter the working directory /bin/busybox: Not a directory" "and is said to be none"

# ---- the console is the app's, byte for byte, and long output is whole
ok "a long output comes through" romsim run -q --image ./base \
    --args "sh -c 'seq 1 20000; echo end'"
is "$(md5sum <<<"$out")" "$( (seq 1 20000; echo end) | md5sum)" "whole, in order"

# ---- what cannot be run
fails 127 "a missing command is 127, as in a shell" romsim run --image ./base --args "nothing here"
like "$out" "cannot run 'nothing': no such command in PATH" "and says so"
fails 139 "a signal is 128 + N" romsim run --image ./base --args "sh -c 'kill -SEGV \$\$'"

fails 132 "an illegal instruction is 132" \
    romsim run --accel tcg --image ./base --args "sh -c 'kill -ILL \$\$'"
like "$out" "by an illegal instruction (SIGILL): the emulated processor has the level x86-64-v3" \
    "whose likely cause is told"

# ---- signals: TERM to romsim is TERM to the app, with time to end in its own way
cat >scripts/term.sh <<'END'
trap 'echo "asked to stop"; exit 9' TERM
echo ready
while :; do sleep 0.1; done
END
mkfifo output
"$ROMSIM" run -q --image ./base --rom dir=scripts,at=/s --args "sh /s/term.sh" >output 2>&1 &
pid=$!
exec {output}<output
read -r -u "$output" line # mount ...
read -r -u "$output" line
is "$line" ready "the app waits"
kill -TERM $pid
wait $pid
is "$?" 9 "SIGTERM to romsim ends the app in its own way, and its status comes back"
is "$(cat <&"$output")" "asked to stop" "it was asked"
is "$(ls "$XDG_RUNTIME_DIR/romsim/instances")" "" "nothing is left"
done_testing
