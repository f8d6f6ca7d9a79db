#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rom_look.sh: romsim rom ls, tree, cat, stat and info on images that another tool wrote.
. "$(dirname "$0")/../lib.sh"

tar -xf "$DATA/erofs-images/images.tar.xz"
image=lz4-everything.erofs

# The listing of `rom ls -R --json` as LISTING.txt has it: path, type, mode, uid, gid, size, links,
# target, mtime; size and links not of directories.
listing() {
    romsim rom ls -R --json "$1" | jq -r '.[] | [(.path | ltrimstr("/")), (.type | .[0:1] |
        if . == "s" then "l" else . end), (.mode | ltrimstr("0")), .uid, .gid,
        (if .type == "directory" then "" else .size end),
        (if .type == "directory" then "" else .links end), (.target // ""), .mtime] |
        map(tostring) | join("|")' | LC_ALL=C sort
}

grep -v '^|' "$DATA/erofs-images/LISTING.txt" | LC_ALL=C sort |
    sed 's/1714979289\.1234567890$/2024-05-06T07:08:09.123456789Z/' > wanted
for name in plain inline lz4-legacy lzma-big chunk16k-indexes xattr-prefix; do
    listing $name.erofs > got
    same got wanted "ls -R --json of $name is what mkfs.erofs packed"
done
# The 48-bit layout keeps whole seconds in its compact inodes.
listing metabox.erofs | sed 's/\.[0-9]*Z$//' > got
sed -i 's/\.[0-9]*Z$//' wanted
same got wanted "ls -R --json of metabox is what mkfs.erofs packed"

is "$(romsim rom ls $image | tr '\n' ' ')" \
    "dir empty many mixed one random_9000 run.sh sparse_like text_100 text_4096 text_4097 text_60000 twin_shifted zeros_100000 " \
    "ls lists the root"
is "$(romsim rom ls $image dir/sub)" "deep" "ls lists a directory"
is "$(romsim rom ls $image /dir//small)" "/dir/small" "ls of a file names it"
is "$(romsim rom ls -R $image dir | tr '\n' ' ')" "/dir/hard /dir/link /dir/small /dir/sub /dir/sub/deep " \
    "ls -R lists what is below"
out=$(romsim rom ls -l $image dir)
like "$out" "lrwxrwxrwx      1  0:0          11  2024-05-06 07:08:09  link -> ../text_100" \
    "ls -l shows a symlink"
like "$out" "drwxr-x---" "ls -l shows a directory's mode"
is "$(romsim rom tree $image dir)" "/dir
├── hard
├── link -> ../text_100
├── small
└── sub/
    └── deep

1 directory, 4 files" "tree draws the tree"

for name in deflate lzma zstd lz4hc-big two-algs; do
    romsim rom cat $name.erofs text_60000 dir/sub/deep mixed | sha256sum > got
    romsim rom cat plain.erofs text_60000 dir/sub/deep mixed | sha256sum > wanted
    same got wanted "cat of $name gives the bytes"
done
is "$(romsim rom cat $image zeros_100000 | sha256sum | cut -c1-64)" \
    "$(awk '/zeros_100000/ { print $1 }' "$DATA/erofs-images/SHA256SUMS.txt")" "cat of zeros"
fails 1 "cat of a directory is an error" romsim rom cat $image dir
like "$out" "dir: it is a directory, not a regular file" "and says what it is"
mkdir both
printf 'text\n' >both/note
printf '\377\0' >both/bytes
romsim rom pack both -o both.erofs >/dev/null 2>&1
is "$(romsim rom cat --json both.erofs note bytes | jq -c '.[]')" \
    '{"path":"note","encoding":"text","data":"text\n"}
{"path":"bytes","encoding":"base64","data":"/wA="}' "cat --json is as the files of an inline ROM"
fails 1 "cat of nothing is an error" romsim rom cat $image nothing
like "$out" "$image: error: there is no 'nothing' in it" "and says so"
romsim rom pack -o through.erofs "$ROOT/tests/cli" >/dev/null
fails 1 "a path through a file is an error" romsim rom stat through.erofs /help.sh/x
is "$out" "through.erofs: error: there is no '/help.sh/x' in it: it leads through a file" "that says so"

fails 1 "stat goes on behind a missing file" romsim rom stat $image one missing dir
is "$(grep -E '^ +path:|error' <<<"$out" | sed 's/ *path: //' | tr '\n' ';')" \
    "one;$image: error: there is no 'missing' in it;dir;" "and tells of all the others"
is "$(romsim rom stat --json $image one missing dir 2>/dev/null | jq -c '[.[] | .path, .error]')" \
    "[\"one\",null,\"missing\",\"there is no 'missing' in it\",\"dir\",null]" "in JSON with the error in its place"
is "$(romsim rom cat --json both.erofs missing note 2>/dev/null | jq -c '[.[] | .path, .error != null]')" \
    '["missing",true,"note",false]' "so does cat --json"
if [ -w /dev/full ]; then
    romsim rom cat $image text_100 text_4096 mixed >/dev/full 2>said
    is "$? $(wc -l <said)" "1 1" "cat ends with the first error of its output"
fi

# Paths through symlinks, as by the image's own root.
mkdir -p merged/usr/sbin merged/usr/share merged/loop
echo text >merged/usr/sbin/prog
ln -s usr/sbin merged/sbin
ln -s /usr/sbin/prog merged/usr/share/absolute
ln -s ../../../../sbin/prog merged/usr/share/up
ln -s b merged/loop/a; ln -s a merged/loop/b; ln -s nowhere merged/loop/c
romsim rom pack merged -o merged.erofs >/dev/null
for path in sbin/prog /sbin//prog sbin/../sbin/prog sbin/./prog ../../usr/sbin/prog \
    usr/share/absolute usr/share/up; do
    is "$(romsim rom cat merged.erofs $path)" text "cat $path"
done
is "$(romsim rom ls merged.erofs sbin)" /sbin "ls of a link shows the link"
is "$(romsim rom ls merged.erofs sbin/)" prog "with a slash what it leads to"
is "$(romsim rom ls -R merged.erofs sbin/../share | tr '\n' ' ')" \
    "/sbin/../share/absolute /sbin/../share/up " "'..' is that of the directory, not of the path"
is "$(romsim rom stat --json merged.erofs sbin sbin/ sbin/prog | jq -c '[.[].type]')" \
    '["symlink","directory","file"]' "stat follows all but the last"
ok "extract takes such a path" romsim rom extract merged.erofs sbin/prog -o taken
is "$(cat taken/prog)" text "and unpacks the file"
fails 1 "ls of a file with a slash is an error" romsim rom ls merged.erofs usr/sbin/prog/
like "$out" "it is a file, not a directory" "that says so"
fails 1 "a loop of links is an error" romsim rom cat merged.erofs loop/a
like "$out" "it leads through more than 40 symlinks" "that says so"
fails 1 "a link to nowhere is an error" romsim rom cat merged.erofs loop/c
like "$out" "there is no 'loop/c' in it" "that says so"

# A listing in JSON is not built in memory.
(mkdir wide && cd wide && seq -f 'a-file-with-a-name-of-some-length-%g' 50000 | xargs touch)
romsim rom pack wide -o wide.erofs >/dev/null
size=$(stat -c %s wide.erofs)
if [ "${SANITIZE:-}" = 1 ]; then
    skip "the memory of ls --json" "the sanitizers take far more of their own"
elif need prlimit "the memory of ls --json"; then
    limit=$((64 * 1024 * 1024))
    is "$(prlimit --data=$limit "$ROMSIM" rom ls -R --json wide.erofs | jq length)" 50000 \
        "ls --json of many files takes little memory"
    is "$(prlimit --data=$limit "$ROMSIM" rom tree --json wide.erofs | jq length)" 50000 "and tree"
fi
# A directory's inode that is damaged has its place in the listing.
cp -f plain.erofs hurt.erofs; chmod u+w hurt.erofs
nid=$(romsim rom stat --json plain.erofs dir/sub | jq '.[0].nid')
printf '\0' | dd of=hurt.erofs bs=1 seek=1032 conv=notrunc status=none
printf '\0\0' | dd of=hurt.erofs bs=1 seek=$((nid * 32 + 4)) conv=notrunc status=none
romsim rom ls -R --json hurt.erofs >hurt.json 2>said
is "$? $(jq -c '[length, (map(select(.error)) | .[] | .path, (.error | test("no known file type")))]' hurt.json)" \
    "1 [$(($(romsim rom ls -R plain.erofs | wc -l) - 1)),\"/dir/sub\",true]" \
    "ls --json of a damaged image has the error in its place, and all else"
is "$(romsim rom ls --json $image missing 2>/dev/null | jq -c '.[0].path')" '"missing"' \
    "and of a missing file has nothing else"

out=$(romsim rom stat $image one)
like "$out" "owner: 70000:70001" "stat shows the owner"
like "$out" "xattr: user.long = vvv" "stat shows xattrs"
like "$out" "(300 bytes)" "with their sizes"
# A nid of a kernel's message leads to all of the file's names.
hard=$(romsim rom stat --json $image dir/hard | jq '.[0].nid')
is "$(romsim rom stat --json --nid "$hard" $image | jq -r '.[].path' | sort | tr '\n' ' ')" \
    "$(romsim rom ls -R --json $image | jq -r --argjson nid "$hard" '.[] | select(.nid == $nid) | .path' | sort | tr '\n' ' ')" \
    "stat --nid finds the names of an inode"
like "$(romsim rom stat -n "$hard" $image)" "/dir/hard" "and shows them"
fails 1 "a nid without a name" romsim rom stat -n 553 $image
like "$out" "it is the packed inode" "is told what it is"
fails 2 "stat wants to know what" romsim rom stat $image
is "$(romsim rom stat --json $image text_100 | jq -r '.[0].xattrs["user.color"]')" blue \
    "stat --json has xattrs"

out=$(romsim rom info $image)
like "$out" "feature: fragments, dedupe" "info names the features"
like "$out" "compression: lz4" "info shows the compression"
like "$out" "warning: it has compressed files" "info says what the cloud would trip on"
is "$(romsim rom info --json 48bit.erofs | jq -c '[.kind, .block_size, .automount, (.features | map(.names[]) | index("48bit", "sb_chksum") != null)]')" \
    '["erofs",4096,true,true,true]' "info --json"
is "$(romsim rom info --json metabox.erofs | jq -c '[.root_nid, .root_nid_in_metabox]')" '[0,true]' \
    "a root in the metabox is said to be there in JSON"
like "$(romsim rom info metabox.erofs)" "root nid: 0  (in the metabox)" "and in text"
like "$(romsim rom info lz4-everything.erofs)" "lz4 max pcluster: 32768" "info tells LZ4's configuration"

# put FILE OFFSET BYTES...: overwrites bytes (hexadecimal) in a copy of plain.erofs.
put() {
    local file=$1 offset=$2; shift 2
    cp -f plain.erofs "$file"; chmod u+w "$file"
    printf "$(printf '\\x%s' "$@")" | dd of="$file" bs=1 seek=$((1024 + offset)) conv=notrunc status=none
}
put future.erofs 80 00 00 00 40
fails 1 "info of an image with a feature that is not known fails" romsim rom info future.erofs
like "$out" "automount: no: the image needs features that are not known (0x40000000)" "with the reason"
like "$out" "feature incompat: 0x40000000" "the raw bits"
like "$out" "feature: 0x40000000  (unknown; required)" "and each of them"
like "$out" "block size: 4096" "and the other fields"
is "$(romsim rom info --json future.erofs 2>/dev/null | jq -c '[.automount, .reason == .error, .features[-1].names[0], .feature_incompat, .blocks > 0]')" \
    '[false,true,"0x40000000","0x40000000",true]' "in JSON too"
put devices.erofs 80 08 00 00 00 00 00 02 00
fails 1 "info of a multi-device image" romsim rom info devices.erofs
like "$out" "extra devices: 2" "tells how many"
put sum.erofs 64 41
fails 1 "info of an image with a wrong checksum" romsim rom info sum.erofs
like "$out" "computed checksum: 0x" "tells the right one"
is "$(romsim rom info --json sum.erofs 2>/dev/null | jq -c '[.automount, .volume_name, .checksum != .computed_checksum]')" \
    '[false,"A",true]' "in JSON too"
put dirs.erofs 90 01
fails 1 "info of larger directory blocks" romsim rom info dirs.erofs
like "$out" "dir block bits: 1" "names them"
put bits.erofs 12 ff
fails 1 "info of blocks of 2^255 bytes" romsim rom info bits.erofs
like "$out" "block size: 2^255" "does not compute them"
head -c 1200 plain.erofs >cut.erofs
fails 1 "info of a cut image" romsim rom info cut.erofs
like "$out" "root nid: " "shows the superblock"
like "$out" "warning: its size is no multiple of 4096 bytes" "and warns of the size"
printf 'text\n' | cpio -o -H newc --quiet >cpio.img 2>/dev/null < <(echo wanted)
truncate -s %4096 cpio.img
out=$(romsim rom info cpio.img)
like "$out" "kind: cpio" "info tells a cpio archive"
like "$out" "automount: no: \`at\` mounts EROFS only" "and why it cannot be automounted"
head -c 1000 /dev/zero > raw.img
out=$(romsim rom info raw.img)
like "$out" "kind: raw" "info tells a raw file"
like "$out" "warning: its size is no multiple of 4096 bytes: the cloud rejects" "and that its size is wrong"
: > empty.img
is "$(romsim rom info --json empty.img | jq -c '[.automount, .warnings]')" \
    '[false,["it is empty: the cloud rejects such a ROM"]]' "an empty file is warned of"
truncate -s 10T huge.img
like "$(timeout 20 "$ROMSIM" rom info huge.img)" "sha256: not computed: 10.0 TiB, most of it a hole" \
    "a huge hole is not hashed"
is "$(timeout 20 "$ROMSIM" rom info --json huge.img | jq -c '[.sha256, .size]')" '[null,10995116277760]' "in JSON it has no digest"
fails 1 "ls of a raw file is an error" romsim rom ls raw.img
like "$out" "not an EROFS image" "that says so"
like "$out" "romsim rom info" "and where to look"
# Names that a terminal or JSON cannot have as they are.
mkdir odd
for name in $'a\nb' 'a\x0ab' $'\xff' $'\xc2\x9b\x7f'; do printf x >"odd/$name"; done
romsim rom pack odd -o odd.erofs >/dev/null
is "$(romsim rom ls odd.erofs | tr '\n' ' ')" 'a\x0ab a\x5cx0ab \xc2\x9b\x7f \xff ' \
    "ls shows a byte and its escaped form apart"
romsim rom ls --json odd.erofs >odd.json
is "$(jq -c '[.[] | .path]' odd.json | LC_ALL=C od -An -c | tr -d ' \n')" \
    '["/a\nb","/a\\x0ab","/302233\u007f","/\\xff"]\n' "in JSON they are themselves where they can be"
is "$(jq -c '[.[] | .path_base64]' odd.json)" '[null,null,null,"L/8="]' "and have their bytes where not"
is "$(LC_ALL=C grep -c '[^ -~]' odd.json)" 0 "JSON is ASCII without controls"
is "$(romsim rom stat --json metabox.erofs dir | jq -c '.[0] | [.nid, .metabox]')" '[12,true]' \
    "a nid of the metabox is one, and says so"
if need setfattr "xattrs that are no text" && setfattr -n user.bin -v 0xff00 odd/a* 2>/dev/null; then
    romsim rom pack odd -o odd.erofs >/dev/null
    is "$(romsim rom stat --json odd.erofs 'a\x0ab' | jq -c '.[0].xattrs')" \
        '{"user.bin":{"value":"\\xff\\x00","value_base64":"/wA="}}' "an xattr that is no text has its bytes"
fi

fails 1 "a missing file is an error" romsim rom ls missing.erofs
fails 2 "ls without a file is a usage error" romsim rom ls

done_testing
