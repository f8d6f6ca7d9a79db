#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# trace.sh: `run --trace` sees what the guest's kernel asks of a ROM's drive.
. "$(dirname "$0")/../lib.sh"

cat >web.yaml <<'END'
name: traced
image: ./base
args: [/bin/sh, -c, "cat /rom/sub/file; wc -c </rom/big"]
memory_mb: 128
roms: [{name: config, image: ./rom, at: /rom}]
END
fails 2 "no trace without FUSE" romsim run --trace --no-fuse web.yaml
like "$out" "through FUSE" "and why"
fails 2 "no trace that nobody reads" romsim run -d --trace web.yaml
like "$out" "--trace=FILE" "and what would be right"
fails 125 "a file that cannot be written" romsim run --trace=none/t.json web.yaml

need guest "a trace of a guest" || done_testing
need fuse "a trace of a guest" || done_testing
"$SAMPLES/busybox-base.sh" base
mkdir -p rom/sub
echo content >rom/sub/file
head -c 300000 /dev/urandom >rom/big
echo x >rom/unread
ok "an instance with a trace" romsim run --trace=t.json web.yaml
like "$out" "content
300000" "reads what it should"
is "$(jq -r 'select(.kind == "device") | .name, .at' t.json | tr '\n' ' ')" "ukp_rom_config /rom " \
    "the trace has its ROM"
is "$(jq -r 'select(.kind == "read") | .what[] | select(.is == "superblock") | .is' t.json | sort -u)" \
    superblock "the mount's read of the superblock"
is "$(jq -s '[.[] | select(.kind == "read") | .what[] | select(.path == "/big") | .length] | add >= 300000' \
    t.json)" true "and all of a file that was read"
ok "it is summed up" romsim trace summary t.json
like "$out" "read           /sub/file, /big" "what was read, in its order"
like "$out" "never read     /unread" "and what was not"
ok "live, on standard error" romsim run -q --trace web.yaml
like "$(grep '^trace | .* ukp_rom_config [0-9]* at [0-9]*: ' <<<"$out")" "/sub/file 0-7" \
    "each read is a line"
done_testing
