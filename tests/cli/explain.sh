#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# explain.sh: `romsim explain --console`: what lines of a guest's console say of its ROMs.
. "$(dirname "$0")/../lib.sh"

mkdir -p base/root/etc/app base/root/hidden code/lib conf loose
cp /bin/true base/root/run
echo root >base/root/hidden/there
printf 'import x\n' >code/main.py
printf '#!/bin/sh\n' >code/start
printf 'x\n' >code/lib/Helper.py
echo 1 >conf/app.conf
echo 2 >loose/data.csv
printf 'spec: v0.7\nruntime: base-compat:latest\nrootfs: ./root\ncmd: [/run]\n' >base/Kraftfile
ok "a base" romsim image build base -t acme/base:1
ok "a ROM" romsim rom pack code -o code.erofs
cat >x.yaml <<'E'
image: acme/base:1
roms:
  - {name: code, image: ./code.erofs, at: /code}
  - {name: conf, dir: conf, at: /hidden}
  - {name: loose, dir: loose}
E
nid=$(romsim rom stat code.erofs /main.py --json | jq -r '.[0].nid // .nid')

# says LINE...: $out is what is said of these lines of console
says() { printf '%s\n' "$@" >log && ok "the lines of: $1" romsim explain --console log x.yaml; }

says "nothing to see here" "[    0.5] erofs: (device vda): mounted with root inode @ nid 36."
like "$out" "no line of 'log' concerns ROMs" "what is no trouble is not explained"

# ---- the kernel -------------------------------------------------------------------------------

says "boot" "[    2.777748] erofs: (device vdb): bogus i_mode (0) @ nid $nid"
like "$out" "log:2: [    2.777748] erofs: (device vdb)" "the line is shown"
like "$out" "ukp_rom_code, '/main.py': an inode of the image" "a nid becomes a path, a drive a ROM"
like "$out" "the image is sound here, so the guest had other bytes" "and is compared with what is here"
says "erofs: (device ukp_rom1): failed to decompress -5 in[46, 0] out[9000]"
like "$out" "ukp_rom_code: compressed data" "a drive by its number"
says "erofs: (device ukp_rom_conf): cannot find valid erofs superblock"
like "$out" "ukp_rom_conf: there is no EROFS image on it" "a drive by its name"
says "vdc: rw=0, sector=24, nr_sectors = 8 limit=16" "attempt to access beyond end of device vdc"
like "$out" "ukp_rom_conf: the image is longer than its device" "an image that is cut short"
says "cat: attempt to access beyond end of device" "vdb: rw=524288, sector=32, nr_sectors = 16 limit=32"
like "$out" "ukp_rom_code: the image is longer than its device" "said on two lines"
says "blk_update_request: I/O error, dev vdb, sector 8" "Buffer I/O error on dev vdb, block 1" \
    "Buffer I/O error on dev vdb, logical block 2"
is "$(grep -c hint: <<<"$out")" 1 "what several lines say is told once"
says "cannot mount /dev/ukp_rom1 -> /code: No such device"
like "$out" "ukp_rom_code: its drive was not there" "a ROM that is not attached"
says "mount: mounting /dev/ukp_rom_loose on /mnt failed: No such file or directory"
like "$out" "ukp_rom_loose: its drive was not there" "in a program's words"
says "[ 9.1] Out of memory: Killed process 7 (python3)"
like "$out" "more than memory_mb: 128" "memory that was not enough"

# ---- programs ---------------------------------------------------------------------------------

says "FileNotFoundError: [Errno 2] No such file or directory: '/code/Main.py'"
like "$out" "ukp_rom_code, '/code/Main.py': the name is there in another case" "a wrong case"
like "$out" "there is '/code/main.py'" "with the right one"
says "Error: Cannot find module '/code/lib/helper.py'"
like "$out" "there is '/code/lib/Helper.py'" "node's words"
says "cat: can't open '/code/mian.py': No such file or directory"
like "$out" "ukp_rom_code, which is mounted at /code, does not have it" "what the ROM does not have"
like "$out" "there is '/code/main.py'" "with what is nearest"
says "open /hidden/there: no such file or directory"
like "$out" "the root has it, but ukp_rom_conf is mounted over it at /hidden" "what a ROM hides"
says "open /srv/data.csv: no such file or directory"
like "$out" "ukp_rom_loose, '/srv/data.csv': the ROM that has it has no 'at'" "a ROM that is mounted nowhere"
like "$out" "at: /srv" "and where it would fit"
says "sh: /hidden/app.conf: Permission denied"
like "$out" "all files of an inline ROM have the mode 0644" "inline files are not executable"
says $'\x1b[31mtouch: /code/x: Read-only file system\x1b[0m\r'
like "$out" "a ROM is read-only" "what cannot be written, colours and all"
says "cat: can't open '/code/main.py': No such file or directory"
like "$out" "ukp_rom_code has it here, so the guest had another version of this ROM" "a file that is here"
says "Error: ENOENT: no such file or directory, open '/code/lib/Helper.py'"
like "$out" "'/code/lib/Helper.py': ukp_rom_code has it here" "in node's words"
says "/code/main.py: line 2: can't open data.csv: No such file or directory" \
    "sh: /hidden/app.conf: not found"
like "$out" "no line of 'log' concerns ROMs" "a script that complains is not what is missing"
says "cat: can't open '/hidden/app.conf': Permission denied"
like "$out" "the mode 0644" "what is said of the reason comes first"
says "cat: /code/main.py: Input/output error"
like "$out" "ukp_rom_code, '/code/main.py': reading it failed" "a file that cannot be read"
says "open /no/rom/has/it: no such file or directory"
like "$out" "no line of 'log' concerns ROMs" "what is in no ROM is no matter of ROMs"

# ---- the rest ---------------------------------------------------------------------------------

printf 'x\nopen /code/nope: no such file or directory\n' >log
ok "as JSON" romsim explain --console log x.yaml --json
is "$(jq -r '.[0] | "\(.line) \(.device) \(.path)"' <<<"$out")" "2 ukp_rom_code /code/nope" "it says the same"
ok "from standard input" sh -c '"$1" explain --console - x.yaml <log' _ "$ROMSIM"
like "$out" "-:2: open /code/nope" "with its lines"
head -c 300000 /dev/urandom >log
ok "anything may stand in a console" romsim explain --console log x.yaml
printf '%0100000d /code/a: no such file\n' 0 >log
ok "lines of any length" romsim explain --console log x.yaml
truncate -s 4096 code.erofs
says "erofs: (device vdb): invalid checksum 0x1, 0x2 expected"
like "$out" "compare digests" "an image that is damaged here, too"
fails 2 "there has to be an instance" romsim explain --console log
fails 1 "that can be read" romsim explain --console nowhere x.yaml
like "$out" "'nowhere' cannot be read" "which is said"

# ---- words ------------------------------------------------------------------------------------

ok "the pages are listed" romsim explain
like "$out" "ukp_rom    the devices of ROMs in the guest" "with what they are on"
romsim explain --json >words.json
for word in $(jq -r '.[].word | select(test("^R[0-9]") | not)' words.json); do
    ok "a page: $word" romsim explain "$word"
    jq -r --arg word "$word" '.[] | select(.word == $word) | .fails' words.json >bad.yaml
    jq -r --arg word "$word" '.[] | select(.word == $word) | .works' words.json >good.yaml
    fails 1 "what it says is refused, is" romsim check bad.yaml
    ok "what it says is taken, is" romsim check good.yaml
    is "$out" "" "without a word"
done
ok "other words lead there, too" romsim explain mount-point
like "$out" "at: where a ROM is mounted" "to the same page"
fails 1 "a word without a page" romsim explain templats
like "$out" "there is one on 'templates'" "is near one that has"
done_testing
