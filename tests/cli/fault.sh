#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fault.sh: `mount --fault` lets reads of a ROM go wrong.
. "$(dirname "$0")/../lib.sh"

mkdir -p base rom view
echo one >rom/one
head -c 20000 /dev/zero | tr '\0' x >rom/big
cat >web.yaml <<'END'
name: faulty
image: ./base
args: [/bin/app]
roms: [{name: config, image: ./rom, at: /rom}]
END
fails 2 "what is no fault is refused" romsim mount --fault rom=config,reed=eio web.yaml view
like "$out" "there is no 'reed'" "with what is wrong"
fails 2 "and on run" romsim run --fault rom=config web.yaml
fails 2 "none without FUSE" romsim run --fault rom=config,read=eio --no-fuse web.yaml

need fuse "faults of a mount" || done_testing
fails 1 "one of a ROM that is not there" romsim mount --fault rom=other,read=eio web.yaml view
like "$out" "the instance has no ROM 'other'" "names it"
ok "a file that cannot be read" romsim mount --fault rom=config,read=eio,path=/big --trace=t.json \
    web.yaml view
is "$(cat view/rom/one)" one "the others can"
fails 1 "it fails" cat view/rom/big
like "$out" "Input/output error" "with EIO"
fails 1 "its place of the device, too" cat view/dev/ukp_rom_config
romsim umount view
is "$(jq -r 'select(.kind == "fault") | .text' t.json)" "rom=config,read=eio,path=/big" \
    "the trace has the fault"
is "$(jq -r 'select(.error) | .error' t.json | sort -u)" EIO "and what failed"
ok "the trace's sum" romsim trace summary t.json
like "$out" "made wrong by  --fault rom=config,read=eio,path=/big" "has the fault, too"
like "$out" "failed of      /big" "and the file"
ok "a read that fails once" romsim mount --fault rom=config,read=eio,path=/one,count=1 web.yaml view
fails 1 "the first time" cat view/rom/one
ok "and not the second time" cat view/rom/one
romsim umount view
ok "a shorter device" romsim mount --devices --trace=t.json --fault rom=config,truncate=4096 web.yaml view
is "$(stat -c %s view/dev/ukp_rom1)" 4096 "has its size"
romsim umount view
ok "its trace's sum" romsim trace summary t.json
like "$out" "cut short      its image has " "says that its image is longer"
ok "a slow one" romsim mount --trace=t.json --fault rom=config,latency=100ms web.yaml view
cat view/rom/one >/dev/null
romsim umount view
ok "its trace's sum" romsim trace summary t.json
like "$out" " s for a read of /one, " "says what was waited for"
ok "a read that takes ten seconds" romsim mount --fault rom=config,latency=10s web.yaml view
cat view/rom/one >/dev/null 2>&1 &
ok "keeps nobody from ending the mount" timeout 8 "$ROMSIM" umount view
wait $!
done_testing
