#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# deterministic.sh: a case with QEMU's log has the same instructions happen again: chance and the
# clock, too.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "recorded cases" || done_testing
for tool in jq zstd python3; do need $tool "recorded cases" || done_testing; done

"$SAMPLES/busybox-base.sh" base
mkdir rom
echo content >rom/file
cat >rom/busy <<'END'
printf '%092d\n' 7
i=0
while [ $i -lt 50000 ]; do i=$((i + 1)); done
exit 5
END
cat >dice.yaml <<'END'
name: dice
image: ./base
args: [/bin/sh, -c, "cat /rom/file; head -c 16 /dev/urandom | od -An -tx1; date +%s; cat /proc/uptime; exit 5"]
memory_mb: 128
roms: [{name: config, image: ./rom, at: /rom}]
END
# On a machine that is very busy a recorded boot is silent for longer than a minute.
record() { romsim capture --deterministic --boot-timeout 600 --accel tcg --with-root "$@"; }
ok "a run is recorded" record dice.yaml -o dice.tar.zst
like "$(tar --zstd -tf dice.tar.zst)" "record.rr" "its log is in the case"
# For later: an app that is busy for a while after a line of 93 bytes.
sed 's/^name: dice/name: busy/; s|^args:.*|args: [/bin/sh, /rom/busy]|' dice.yaml >busy.yaml
ok "and one of an app that is busy" record -q busy.yaml -o busy.tar.zst
rm -r base rom dice.yaml busy.yaml
fails 1 "a replay without it differs" romsim replay -q dice.tar.zst
like "$out" "differs: console: line 3 is" "by what chance gave"
ok "a replay with it is the same" romsim replay --deterministic --for 300s dice.tar.zst
is "$(tail -1 <<<"$out")" same "which is said"
like "$out" "mount /dev/ukp_rom1 -> /rom
content" "and it is a run, with its console"
# replay SECONDS: begins one with that patience, which is $replayer, and finds its $qemu.
replay() {
    local keeper i
    "$ROMSIM" replay --deterministic --boot-timeout "$1" --for 600s dice.tar.zst >still.out 2>&1 &
    replayer=$!
    for ((i = 0; i < 600; i++)); do
        keeper=$(jq .owner.pid "$XDG_RUNTIME_DIR"/romsim/instances/*/state.json 2>/dev/null)
        qemu=$(pgrep -P "${keeper:-0}" -x romsim-qemu) && break
        sleep 0.05
    done
}
replay 30
stop_process "$qemu"
wait "$replayer"
is "$? $(tail -1 still.out)" "0 same" "a replay that comes to a standstill is begun again"
like "$(cat still.out)" "QEMU's replay has come to a standstill: once more" "which is said"
# One that is slow gets on: its QEMU runs for a part of the time only, for longer than the patience.
replay 12
for ((i = 0; i < 6; i++)); do
    stop_process "$qemu"
    sleep 3
    kill -CONT "$qemu" && sleep 0.15 || break
done
wait "$replayer"
is "$? $(tail -1 still.out)" "0 same" "a replay that is slow goes on"
unlike "$(cat still.out)" "standstill" "and is not begun again"

# repack CASE FOLDER [FILTER]: the case of a folder whose log is another one, or its head by jq's FILTER.
repack() {
    jq --arg sum "sha256:$(sha256sum <"$2/record.rr" | cut -c1-64)" \
        ".parts[\"record.rr\"] = \$sum | ${3:-.}" "$2/case.json" >head.json &&
        mv head.json "$2/case.json" && tar -C "$2" --zstd -cf "$1" .
}

# A log that has an exception where the guest of the replay is interrupted: QEMU waits for it for
# ever, and goes on to answer.  In the log 0 and a number of 32 bits are instructions, 1 is an
# interrupt, 2 an exception; what is written to a line stands there by its size, twice.
mkdir stuck && tar -C stuck --zstd -xf busy.tar.zst
cat >change.py <<'END'
log = bytearray(open("stuck/record.rr", "rb").read())
line = log.index(bytes([0, 0, 0, 93] * 2))
log[log.index(bytes([1, 0, 0, 0]), line + 500)] = 2
open("stuck/record.rr", "wb").write(log)
END
ok "a log is made wrong" python3 change.py
repack stuck.tar.zst stuck
# stuck SECONDS: replays it with that patience until it is begun again.
stuck() {
    local replayer
    "$ROMSIM" replay --deterministic --boot-timeout "$1" --for 300s stuck.tar.zst >stuck.out 2>&1 &
    replayer=$!
    while kill -0 "$replayer" 2>/dev/null && ! grep -qs "once more" stuck.out; do sleep 0.1; done
    kill -TERM "$replayer" 2>/dev/null
    wait "$replayer"
}
stuck 15
like "$(cat stuck.out)" " s, after the phase 'app'" "a standstill is seen after the app's start, too"
like "$(cat stuck.out)" "QEMU's replay has come to a standstill: once more" "and it is begun again"

# What is not the same machine is refused.
mkdir x && tar -C x --zstd -xf dice.tar.zst
repack other.tar.zst x '.versions["init digest"] = "sha256:other"'
fails 125 "a log of another init" romsim replay --deterministic other.tar.zst
like "$out" "--deterministic needs the same init digest as there" "is refused"
repack old.tar.zst stuck 'del(.versions.clock)'
fails 125 "a log of another clock" romsim replay --deterministic old.tar.zst
like "$out" "--deterministic needs the same clock as there" "is refused"
mkdir y && tar -C y --zstd -xf dice.tar.zst && head -c 1000 /dev/zero >y/record.rr
repack zeros.tar.zst y
fails 1 "a log that is none" romsim replay --deterministic -q zeros.tar.zst
like "$out" "QEMU ended before the guest began" "is QEMU's to refuse"
romsim replay --deterministic dice.tar.zst --for 1s -q >cut.log 2>&1
is "$(romsim ps --json | jq length)" 0 "nothing is left of one that was cut"
done_testing
