#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rom_damaged.sh: what is sound in a damaged image can be listed, compared and saved; what is not
# is said, and the exit status is 1.
. "$(dirname "$0")/../lib.sh"

mkdir -p tree/{a,big,loop,lost,odd/deep,z} && echo text | tee tree/{a,loop,lost,odd/deep,z}/file >tree/top
(cd tree/big && seq -f 'name-%03g-with-some-letters-so-that-blocks-are-full' 300 | xargs touch)
romsim rom pack tree -o good.img >/dev/null
cp good.img hurt.img

# Where things are.
offset() { romsim rom stat good.img "$1" | sed -n 's/.*at offset \([0-9]*\).*/\1/p'; }
block() { romsim rom stat good.img "$1" | sed -n 's/.*from block \([0-9]*\)$/\1/p'; }
put() { # OFFSET BYTES...
    local at=$1; shift
    printf "$(printf '\\x%s' "$@")" | dd of=hurt.img bs=1 seek="$at" conv=notrunc status=none
}
put $((1024 + 8)) 00                           # no checksum
put $(($(offset lost) + 4)) 00 00              # an inode of no type
put $((($(block big) + 1) * 4096 + 8)) 00 00   # the second of its blocks
put $(($(block odd) * 4096 + 12 * 2 + 8)) ff 0f # a name begins behind the next one's, both are lost
root=$(romsim rom stat --json good.img / | jq '.[0].nid')
put $(($(block loop) * 4096 + 12 * 2)) "$(printf %02x $((root & 255)))" "$(printf %02x $((root >> 8 & 255)))"
fails 1 "the image is damaged" romsim rom check hurt.img
is "$(($(block big) > 0)) $(($(romsim rom stat --json good.img big | jq '.[0].size') > 8192))" "1 1" \
    "a directory has three blocks"

# gone LIST: of the names in LIST those that the good image has and the list has not, but for those
# of the damaged block.
romsim rom ls -R good.img >all
lacks() { LC_ALL=C comm -23 <(LC_ALL=C sort all) <(LC_ALL=C sort "$1") | grep -v '^/big/name-'; }
wanted="/lost/file
/odd/deep
/odd/deep/file"
romsim rom ls -R hurt.img >list 2>said
is "$?" 1 "ls -R of a damaged image ends with 1"
is "$(lacks list)" "$wanted" "but has all that is sound"
is "$(($(grep -c '^/big/' list) > 150)) $(($(grep -c '^/big/' list) < 300))" "1 1" "of the directory, all but the block"
like "$(cat said)" "hurt.img: error: /lost: nid" "what is not is said: an inode"
like "$(cat said)" "hurt.img: error: /big: directory nid" "a block"
like "$(cat said)" "hurt.img: error: /odd: directory nid" "a dirent"
like "$(cat said)" "hurt.img: error: /loop/file: directory nid $root has more than one name (a loop?)" "a loop"
is "$(tail -1 said)" "romsim: hurt.img is damaged, this is not all of it: 'romsim rom check' says more" \
    "and in the end, that it is not all"
is "$(romsim rom ls -l hurt.img 2>/dev/null | grep lost | tr -s ' ')" "? ? ? ? ? lost" \
    "in ls -l what is not known is a '?'"
fails 1 "ls -l too" romsim rom ls -l hurt.img
ok "what is not damaged is listed without a word" romsim rom ls -R hurt.img a
romsim rom ls -R --json hurt.img >list.json 2>/dev/null
is "$? $(jq -r '.[] | select(.error | not) | .path' list.json | diff - <(grep -v '^/lost$' list) && echo same)" \
    "1 same" "ls --json has the same"
is "$(jq -c '[.[] | select(.error) | .path]' list.json)" '["/big","/loop/file","/lost","/odd","/odd"]' \
    "and the errors in their places"
romsim rom tree hurt.img >tree.txt 2>/dev/null
is "$?" 1 "tree goes on, too"
is "$(grep -c . tree.txt) $(grep -c 'lost \[damaged\]' tree.txt)" "$(($(wc -l <list) + 2)) 1" "with a line for each name"
like "$(tail -1 tree.txt)" ", 5 errors" "and says that it is not all"
nid=$(romsim rom stat --json good.img z/file | jq '.[0].nid')
romsim rom stat -n "$nid" hurt.img >list 2>said
is "$? $(grep -c 'path: /z/file' list)" "1 1" "stat -n finds what is behind the damage"
romsim rom stat -n "$nid" --json hurt.img >list.json 2>/dev/null
is "$? $(jq -c '[.[] | select(.error | not) | .path], (map(select(.error)) | length)' list.json | tr '\n' ' ')" \
    '1 ["/z/file"] 5 ' "in JSON as well"
fails 1 "a damaged inode has its name" romsim rom stat -n "$(($(offset lost) / 32))" hurt.img
unlike "$out" "no name leads to" "which is not said to be missing"

fails 1 "extract saves what is sound" romsim rom extract hurt.img -o saved
is "$(diff -rq tree saved | grep -v '/big: ' | LC_ALL=C sort | tr '\n' ';')" \
    "File tree/loop/file is a regular file while file saved/loop/file is a directory;Only in tree/odd: deep;Only in tree: lost;" \
    "all of it"
like "$out" "/big: directory nid" "and says what is lost"

# diff: a name that cannot be read is not one that was removed.
cp -r tree new && echo other >new/z/file && rm new/a/file && touch new/big/name-000 new/big/name-400
romsim rom pack new -o new.img >/dev/null
fails 1 "diff stops at damage" romsim rom diff hurt.img new.img
like "$out" "hurt.img: /big: directory nid" "says where"
like "$out" "hint: --keep-going compares what is sound" "and how to go on"
romsim rom diff -k hurt.img new.img >list 2>said
is "$?" 1 "diff --keep-going goes on"
grep -v '^changed  [^:]*: time [^,]*$' list | grep -v 'unknown  /big/name-[0-9]*-with' >differences
cat >wanted <<'END'
removed  /a/file
added    /big/name-000
added    /big/name-400
unknown  /lost/file
unknown  /odd/deep
unknown  /odd/deep/file
END
is "$(grep -v 'changed\|/loop/file' differences)" "$(cat wanted)" "and tells what is unknown from what differs"
like "$(grep /z/file differences)" "content (5 -> 6 bytes)" "also behind the damage"
is "$(($(grep -c '^unknown  /big/' list) + $(romsim rom ls hurt.img big 2>/dev/null | wc -l)))" 300 \
    "the names of the damaged block are unknown"
is "$(grep -c ': error: ' said)" 5 "each damage is said"
romsim rom diff -k --json hurt.img new.img >list.json 2>/dev/null
is "$(jq -c '[.[] | select(.change == "unknown" and (.path | startswith("/big") | not)) | [.path, .type]]' list.json)" \
    '[["/lost/file","file"],["/odd/deep","directory"],["/odd/deep/file","file"]]' "in JSON, too"
romsim rom diff -k new.img hurt.img >list 2>/dev/null
is "$(grep -v 'changed\|/loop/file\|/big/name-[0-9]*-with' list | sort)" \
    "$(sed 's/removed/ADDED/; s/added   /removed /; s/ADDED/added  /' wanted | sort)" "and the other way round"
fails 1 "two that are damaged the same way" romsim rom diff -k hurt.img <(cat hurt.img; printf '%4096s' '')
unlike "$out" "unknown" "have no names that are unknown"

# A file whose data cannot be read.
mkdir data && yes unique | head -c 100000 >data/file && echo behind >data/zfile
romsim rom pack --compress lz4 data -o good.img >/dev/null 2>&1
cp good.img hurt.img
put $((1024 + 8)) 00
put "$(python3 -c 'print(open("good.img", "rb").read().index(b"unique") - 1)')" ff ff ff ff ff ff ff ff ff
fails 1 "a file that cannot be read stops diff" romsim rom diff good.img hurt.img
like "$out" "romsim: error: hurt.img: /file: " "with the name of the image"
echo other >data/zfile && romsim rom pack --compress lz4 data -o good.img >/dev/null 2>&1
fails 1 "but not with --keep-going" romsim rom diff -k good.img hurt.img
like "$out" "hurt.img: error: /file: " "which says so"
like "$out" "changed  /zfile: " "and goes on"
done_testing
