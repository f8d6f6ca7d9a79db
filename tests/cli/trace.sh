#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# trace.sh: `mount --trace` writes down what the host reads, and `romsim trace` sums it up.
. "$(dirname "$0")/../lib.sh"

mkdir -p base rom/sub view
echo one >rom/one
head -c 300000 /dev/urandom >rom/sub/big
echo unread >rom/unread
printf '\xff\n' >"rom/"$'b\xff'
cat >web.yaml <<'END'
name: traced
image: ./base
args: [/bin/app]
roms: [{name: config, image: ./rom, at: /rom}]
END

fails 1 "a file that is no trace is refused" romsim trace summary web.yaml
like "$out" "line 1 is no line of a trace" "with its line"
printf '{"kind":"trace","version":1}\n{"kind":"re' >cut
ok "a last line that is being written is left" romsim trace ls cut
fails 1 "one that is not there" romsim trace ls nothing
: >nothing
fails 1 "an empty one" romsim trace ls nothing
fails 2 "in the background a trace needs a file" romsim mount --trace web.yaml view

need fuse "a trace of a mount" || done_testing
ok "a mount with a trace" romsim mount --trace=t.json web.yaml view
cat view/rom/one view/rom/one >/dev/null
cat view/rom/sub/big "view/rom/"$'b\xff' >/dev/null
cat view/rom/One 2>/dev/null
same view/rom/sub/big rom/sub/big "the bytes are the same"
dd if=view/dev/ukp_rom1 bs=4096 count=1 of=/dev/null 2>/dev/null
ok "it ends" romsim umount view

ok "the sum" romsim trace summary t.json
like "$out" "traced: ukp_rom_config (ukp_rom1) at /rom" "names the ROM"
like "$out" "1 reads, 4096 bytes, 0 of them again" "and what of the device was read"
like "$out" "read           /one, /sub/big" "the files in the order of their reads"
like "$out" "never read     /unread" "those that were not read"
like "$out" "missing        /One (there is /one)" "and what may have been meant"
ok "the sum as JSON" romsim trace summary --json t.json
is "$(jq -r '.[0].read["/one"], (.[0].missing | keys[])' <<<"$out" | tr '\n' ' ')" "2 /One " \
    "with all paths, and how often"
ok "the list" romsim trace ls t.json
like "$out" "ukp_rom1  lookup  /One  there is none" "has the lookups"
like "$out" "ukp_rom1  read  4096 at 0  superblock" "and the reads of the device"
like "$(cat t.json)" '"/b\\xff"' "a name that is no UTF-8 is quoted"

is "$(jq -c 'select(.kind == "device") | [.files[.map[][2] | select(. >= 0)].path] | unique' t.json)" \
    '["/b\\xff","/one","/sub/big","/unread"]' "it has where which file is"

fails 2 "a page needs a name" romsim trace report t.json
fails 1 "a page of no trace" romsim trace report web.yaml -o page.html
[ ! -e page.html ] && pass "is not begun" || fail "is not begun"
ok "a page" romsim trace report t.json -o page.html
is "$(sed -n '/^{"kind/s/], "left_out".*//; /^{"/p' page.html | grep -c '[<>&]') $(grep -c '^{"kind' page.html)" \
    "0 $(grep -c . t.json)" \
    "nothing in its data is markup"
is "$(sed -n '/id="data"/,/<\/script>/p' page.html | sed 's/.*json">//; s/<\/script>$//' |
    jq '[.lines[] | select(.kind == "lookup" and .found == false).path], .left_out' -c | tr '\n' ' ')" \
    '["/One"] 0 ' "which is the trace's"
ok "to standard output, too" romsim trace report t.json -o -
is "$out" "$(cat page.html)" "the same"

ok "without a trace nothing is written" romsim mount web.yaml view
cat view/rom/one >/dev/null
romsim umount view
romsim mount -f --trace web.yaml view 2>live &
server=$!
for _ in $(seq 100); do mountpoint -q view && break; sleep 0.1; done
cat view/rom/one >/dev/null
romsim umount view
wait $server
like "$(cat live)" "ukp_rom_config /one 0-3" "in the foreground it is told at once"
done_testing
