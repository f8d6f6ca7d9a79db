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
is "$(jq -r 'select(.kind == "phase").phase' t.json | tr '\n' ' ')" \
    "drives qemu hello devices root mounts app output " "the phases of the start are in it, too"
ok "it is summed up" romsim trace summary t.json
like "$out" "read           /sub/file, /big" "what was read, in its order"
like "$out" "never read     /unread" "and what was not"
ok "live, on standard error" romsim run -q --trace web.yaml
like "$(grep '^trace | .* ukp_rom_config [0-9]* at [0-9]*: ' <<<"$out")" "/sub/file 0-7" \
    "each read is a line"

# ---- what the guest's processes open, also in vain
cat >opens.yaml <<'END'
name: opens
image: ./base
args: [/bin/sh, -c, "cat /rom/sub/file; cat /rom/sub/file; cat /rom/Big; cd /rom/sub && test -e ./../sub/fiel;
  test -e /rom/conf.d; /rom/unread; cat /etc/nothing /romulus/x; ls /proc/self/../../sys/kernel/tracing; sleep 2"]
roms: [{name: config, image: ./rom, at: /rom}]
END
ok "an app that looks for much" romsim run --trace=o.json opens.yaml
unlike "$out" "trace_pipe" "finds nothing of what it is watched by"
if jq -e 'select(.kind == "note")' o.json >/dev/null; then
    skip "what is opened in the guest" "$(jq -r 'select(.kind == "note").text' o.json)"
    done_testing
fi
is "$(jq -c 'select(.kind == "open") | [.path, .process, .error]' o.json | sort)" \
    '["/Big","cat","ENOENT"]
["/conf.d","sh","ENOENT"]
["/sub/fiel","sh","ENOENT"]
["/sub/file","cat",null]
["/sub/file","cat",null]
["/unread","sh","EACCES"]' "each open beneath the mount is in the trace, and each name that is not there"
ok "it is summed up" romsim trace summary o.json
like "$out" "opened         /sub/file" "what was opened, though the kernel had it in its cache"
like "$out" "missing        /Big (there is /big), /sub/fiel (there is /sub/file)" "and the typing errors"
is "$(romsim trace summary --json o.json | jq '.[0].opened["/sub/file"]')" 2 "with how often"
like "$(romsim trace ls o.json)" "ukp_rom1  open  /Big  by cat" "and each in the list"
ok "the same is said at once" romsim run -q --trace opens.yaml
like "$out" "ukp_rom1 open /Big by cat" "on standard error"
is "$(jq -rs '[.[] | select(.kind == "open")] | length' t.json)" 2 "an app without typing errors has opens only"
done_testing
