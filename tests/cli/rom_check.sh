#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rom_check.sh: romsim rom check finds nothing in good images, and names what is wrong in bad ones.
. "$(dirname "$0")/../lib.sh"

tar -xf "$DATA/erofs-images/images.tar.xz"
ok "all images of mkfs.erofs are clean" romsim rom check ./*.erofs
is "$(grep -c ': clean: 0 errors, 0 warnings in 139 inodes' <<<"$out")" 29 "and each is said to be"

# put FILE OFFSET BYTES...: overwrites bytes (hexadecimal) in a copy of plain.erofs.
put() {
    local file=$1 offset=$2; shift 2
    printf "$(printf '\\x%s' "$@")" | dd of="$file" bs=1 seek=$((offset)) conv=notrunc status=none
}

# damaged TEXT MESSAGE OFFSET BYTES...: the check of plain.erofs with these bytes fails with it.
damaged() {
    local text=$1 message=$2 offset=$3; shift 3
    cp -f plain.erofs bad.erofs
    chmod u+w bad.erofs
    put bad.erofs $((1024 + 8)) 00 # no checksum, which would hide the rest
    put bad.erofs "$offset" "$@"
    fails 1 "$text" romsim rom check bad.erofs
    like "$out" "$message" "it is named"
}

# Where things are in plain.erofs.
nid() { romsim rom stat --json plain.erofs "$1" | jq '.[0].nid'; }
root=$(($(nid /) * 32))
dirents=$((root + 64)) # the root's entries stand behind its inode
file=$(($(nid mixed) * 32))
link=$(($(nid dir/link) * 32))

cp -f plain.erofs bad.erofs; chmod u+w bad.erofs
put bad.erofs $((1024 + 44)) 63
fails 1 "a changed superblock is found" romsim rom check bad.erofs
like "$out" "the superblock's checksum is 0x" "by its checksum"
like "$out" "bad.erofs: error: " "with the file's name"

head -c 100000 plain.erofs > short.erofs
fails 1 "a truncated image is found" romsim rom check short.erofs
like "$out" "was it cut short?" "it is named"
like "$out" "is beyond the image's end at 100000" "and what is missing"
cp -f plain.erofs padded.erofs; chmod u+w padded.erofs

# The kernel does not look at the number of blocks, so a wrong one is no damage.
put padded.erofs $((1024 + 8)) 00
put padded.erofs $((1024 + 36)) ff ff 00 00
ok "a wrong number of blocks is only a warning" romsim rom check padded.erofs
like "$out" "warning: the superblock says 65535 blocks" "it is named"

damaged "a size beyond the image" "beyond the end of the image" $((file + 8)) ff ff ff 7f
damaged "a negative size" "a size of 18446744073709551615 bytes" $((file + 8)) ff ff ff ff ff ff ff ff
damaged "an unknown layout" "unknown data layout 7" $((file)) 0f 00
damaged "a mode of no type" "has no known file type" $((file + 4)) a4 01
damaged "a wrong link count" "a link count of 5 and 1 name (at" $((file + 44)) 05 00 00 00
damaged "data over the superblock" "overlap the superblock" $((file + 16)) 00 00 00 00
damaged "a symlink's size" "a symlink's target of 65283 bytes" $((link + 8)) 03 ff
damaged "a dirent before the names" "no dirent before the first name" $((dirents + 8)) 00 00
damaged "names that do not rise" "the name of a dirent is from" $((dirents + 20)) 01 00
damaged "a dirent of another type" "the dirent says file type 1, the inode has mode 40" \
    $((dirents + 12 * 2 + 10)) 01
damaged "a wrong parent" '".." is nid' $((dirents + 12)) 01 00
damaged "a loop" "a second name for the directory" $((dirents + 12 * 2)) \
    "$(printf %02x $((root / 32 % 256)))" "$(printf %02x $((root / 32 / 256)))" 00 00 00 00 00 00

is "$(romsim rom check --json bad.erofs plain.erofs | jq -c '[.[] | .clean]')" "[false,true]" \
    "check --json tells which are clean"
like "$(romsim rom check --json bad.erofs | jq -r '.[0].findings[].message')" "a second name" \
    "and has the findings"
head -c 5000 /dev/urandom > noise
fails 1 "noise is not checked" romsim rom check noise
like "$out" "not an EROFS image" "because it is no image"
like "$out" "hint: 'romsim rom info' tells what it is" "with a hint"
romsim rom check --json missing noise plain.erofs >three.json 2>/dev/null
is "$(jq -c '[.[] | [.file, .clean, has("error")]]' three.json)" \
    '[["missing",false,true],["noise",false,true],["plain.erofs",true,false]]' \
    "check --json has an entry for each file"

mkdir one
romsim rom pack one -o one.erofs >/dev/null
like "$(romsim rom check one.erofs)" "clean: 0 errors, 0 warnings in 1 inode" "one inode is one"
cat plain.erofs >bad.erofs
put bad.erofs $((file + 44)) 05 00 00 00
put bad.erofs $((1024 + 8)) 00
like "$(romsim rom check bad.erofs)" ": damaged: 1 error, 1 warning in" "one error, too"

# All files of a directory have lost their inodes.
(mkdir many && cd many && seq -f 'f%g' 500 | xargs touch)
romsim rom pack many -o many.erofs >/dev/null
for nid in $(romsim rom ls --json many.erofs | jq '.[].nid'); do
    put many.erofs $((nid * 32 + 4)) 00 00
done
romsim rom check many.erofs >many.txt
is "$(grep -c ': error: ' many.txt)" 100 "check prints 100 findings"
like "$(cat many.txt)" "many.erofs: and 402 more findings; --json has the first 1000" "and counts the others"
is "$(romsim rom check --json many.erofs | jq '.[0].findings | length')" 502 "which are in the JSON"

done_testing
