#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# deterministic.sh: a case with QEMU's log has the same instructions happen again: chance and the
# clock, too.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "recorded cases" || done_testing
for tool in jq zstd; do need $tool "recorded cases" || done_testing; done

"$SAMPLES/busybox-base.sh" base
mkdir rom
echo content >rom/file
cat >dice.yaml <<'END'
name: dice
image: ./base
args: [/bin/sh, -c, "cat /rom/file; head -c 16 /dev/urandom | od -An -tx1; date +%s; cat /proc/uptime; exit 5"]
memory_mb: 128
roms: [{name: config, image: ./rom, at: /rom}]
END
ok "a run is recorded" romsim capture --deterministic --accel tcg --with-root dice.yaml -o dice.tar.zst
like "$(tar --zstd -tf dice.tar.zst)" "record.rr" "its log is in the case"
rm -r base rom dice.yaml
fails 1 "a replay without it differs" romsim replay -q dice.tar.zst
like "$out" "differs: console: line 3 is" "by what chance gave"
# QEMU's replay may stand still where nobody notices (docs/cases.md): that is no reason to wait for ever.
ok "a replay with it is the same" romsim replay --deterministic --for 300s dice.tar.zst
is "$(tail -1 <<<"$out")" same "which is said"
like "$out" "mount /dev/ukp_rom1 -> /rom
content" "and it is a run, with its console"
"$ROMSIM" replay --deterministic --boot-timeout 20 --for 300s dice.tar.zst >still.out 2>&1 &
replayer=$!
for ((i = 0; i < 600; i++)); do
    keeper=$(jq .owner.pid "$XDG_RUNTIME_DIR"/romsim/instances/*/state.json 2>/dev/null)
    qemu=$(pgrep -P "${keeper:-0}" -x romsim-qemu) && break
    sleep 0.05
done
stop_process "$qemu"
wait "$replayer"
is "$? $(tail -1 still.out)" "0 same" "a replay that comes to a standstill is begun again"
like "$(cat still.out)" "QEMU's replay has come to a standstill: once more" "which is said"

# What is not the same machine is refused.
mkdir x && tar -C x --zstd -xf dice.tar.zst
jq '.versions["init digest"] = "sha256:other"' x/case.json >head.json && mv head.json x/case.json
tar -C x --zstd -cf other.tar.zst .
fails 125 "a log of another init" romsim replay --deterministic other.tar.zst
like "$out" "--deterministic needs the same init digest as there" "is refused"
mkdir y && tar -C y --zstd -xf dice.tar.zst && head -c 1000 /dev/zero >y/record.rr
jq --arg sum "sha256:$(sha256sum <y/record.rr | cut -c1-64)" '.parts["record.rr"] = $sum' \
    y/case.json >head.json && mv head.json y/case.json && tar -C y --zstd -cf zeros.tar.zst .
fails 1 "a log that is none" romsim replay --deterministic -q zeros.tar.zst
like "$out" "QEMU ended before the guest began" "is QEMU's to refuse"
romsim replay --deterministic dice.tar.zst --for 1s -q >cut.log 2>&1
is "$(romsim ps --json | jq length)" 0 "nothing is left of one that was cut"
done_testing
