#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check_roms.sh: `romsim check` looks at the image ROMs that are to be had here.
. "$(dirname "$0")/../lib.sh"

mkdir -p tree/d
seq 20000 >tree/d/numbers
echo small >tree/small
(cd tree && find . | cpio -o -H newc --quiet) >archive.cpio
truncate -s %4096 archive.cpio
head -c 5000 /dev/urandom >odd
head -c 8192 /dev/urandom >raw

# instance ROM...: x.yaml with these ROMs, each on a line of its own from line 3.
instance() {
    printf 'image: base\nroms:\n' >x.yaml
    printf -- '- {%s}\n' "$@" >>x.yaml
}

instance 'image: ./tree, at: /a' 'image: ./raw' 'image: ./archive.cpio' 'image: org/elsewhere:1' \
    'at: /b, files: [{path: a, data: b}]'
ok "what the cloud would not trip on is accepted" romsim check x.yaml
is "$out" "" "... silently"

instance 'name: ours, image: ./tree'
romsim build x.yaml -o . >/dev/null
instance 'image: ./ours.erofs, at: /a'
ok "what romsim builds is accepted" romsim check x.yaml
is "$out" "" "... silently"

instance 'image: ./raw, at: /raw' 'image: ./archive.cpio, at: /archive'
fails 1 "an 'at' on what cannot be mounted is an error" romsim check x.yaml
like "$out" "x.yaml:3:22: error: the ROM at '/raw' is raw data, no EROFS image" "... for raw bytes"
like "$out" "x.yaml:4:31: error: the ROM at '/archive' is a cpio archive, no EROFS image" \
    "... and for a cpio archive"

# A superblock with blocks of 64 KiB, and nothing else.
truncate -s 65536 large.erofs
printf '\342\341\365\340' | dd of=large.erofs bs=1 seek=1024 conv=notrunc status=none
printf '\020' | dd of=large.erofs bs=1 seek=1036 conv=notrunc status=none
instance 'image: ./large.erofs, at: /large'
fails 1 "an 'at' on blocks that the guest does not mount is an error" romsim check x.yaml
like "$out" "x.yaml:3:30: error: the ROM at '/large' has blocks of more than 4096 bytes" \
    "... with its place"
unlike "$(romsim rom info large.erofs)" "automount: yes" "... and rom info says so, too"

instance 'image: ./odd'
fails 1 "a size that is no multiple of 4096 is refused" romsim check x.yaml
like "$out" "x.yaml:3:11: error: Invalid size 5000 of ROM image './odd'" "... with its place"
like "$out" "pad it: truncate -s %4096 FILE" "... and what to do"
: >nothing
instance 'image: ./nothing'
fails 1 "an empty file is refused" romsim check x.yaml
like "$out" "hint: it is empty; a ROM has at least 4096 bytes" "... and not to be padded"
head -c 10000 ours.erofs >cut
instance 'image: ./cut'
fails 1 "a truncated image is refused" romsim check x.yaml
like "$out" "hint: it is an EROFS image of $(stat -c %s ours.erofs) bytes that was cut short" "... and called so"
(cat ours.erofs; echo) >hurt
printf 'X' | dd of=hurt bs=1 seek=1100 conv=notrunc status=none
instance 'image: ./hurt'
fails 1 "a damaged image with a wrong size is refused" romsim check x.yaml
like "$out" "it is a damaged EROFS image, which padding does not repair: the superblock's checksum is" \
    "... and what is wrong is said"

instance 'image: ./missing'
fails 1 "a path that leads nowhere is refused" romsim check x.yaml
like "$out" "x.yaml:3:11: error: no ROM image './missing'" "... with its place"

head -c 2000 ours.erofs >short.erofs
truncate -s 4096 short.erofs
instance 'image: ./short.erofs'
fails 1 "a damaged image is refused" romsim check x.yaml
like "$out" "x.yaml:3:11: error: ROM image './short.erofs'" "... with its place"
unlike "$out" "warning" "... and said once"

if need mkfs.erofs "images of mkfs.erofs"; then
    mkfs.erofs -zlz4 lz4.erofs tree >/dev/null 2>&1
    mkfs.erofs inline.erofs tree >/dev/null 2>&1
    instance 'image: lz4.erofs' 'image: inline.erofs'
    ok "compressed and inline images are accepted" romsim check x.yaml
    like "$out" "x.yaml:3:11: warning: ROM image 'lz4.erofs': it has compressed files" \
        "... with a warning of the compression"
    like "$out" "x.yaml:4:11: warning: ROM image 'inline.erofs': it has inline data" \
        "... and of the inline data"
    cp lz4.erofs damaged.erofs
    printf '\377\377\377\377' | dd of=damaged.erofs bs=1 seek=1100 conv=notrunc status=none
    instance 'image: damaged.erofs' 'image: inline.erofs'
    fails 1 "a damaged image is an error" romsim check x.yaml
    like "$out" "x.yaml:3:11: error: ROM image 'damaged.erofs'" "... and the others are still looked at"
    like "$out" "x.yaml:4:11: warning: " "... all in one pass"
fi
done_testing
