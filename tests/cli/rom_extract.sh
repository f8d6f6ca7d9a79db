#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rom_extract.sh: romsim rom extract gives back what was packed, and writes nowhere else.
. "$(dirname "$0")/../lib.sh"

tar -xf "$DATA/erofs-images/images.tar.xz"

for name in plain lz4-everything zstd-frag chunk4k metabox; do
    ok "$name is extracted" romsim rom extract $name.erofs -o "out-$name"
    ok "every file of $name is as it was" \
        sh -c "cd out-$name && sha256sum --quiet -c '$DATA/erofs-images/SHA256SUMS.txt'"
done
if can root; then
    find out-plain -printf '%P|%y|%m|%U|%G|%s|%n|%l|%T@\n' |
        awk -F'|' -v OFS='|' '$2 == "d" { $6 = ""; $7 = "" } 1' | LC_ALL=C sort > got
    LC_ALL=C sort "$DATA/erofs-images/LISTING.txt" > wanted
    same got wanted "modes, owners, times and links are as they were"
else
    skip "modes, owners, times and links are as they were" "not root"
fi
is "$(stat -c %h out-plain/dir/hard)" 2 "hard links are joined"
is "$(readlink out-plain/dir/link)" ../text_100 "a symlink that stays inside is made"

ok "a part is extracted" romsim rom extract plain.erofs dir/sub -o part
is "$(ls part)" deep "only that part"
ok "a single file is extracted" romsim rom extract plain.erofs text_100 -o single
is "$(ls single)" text_100 "only that file"
fails 1 "nothing that is there is replaced" romsim rom extract plain.erofs text_100 -o single
like "$out" "File exists" "it is said why"
fails 2 "a target is needed" romsim rom extract plain.erofs
fails 1 "the directory above the target has to be there" romsim rom extract plain.erofs -o up/down/x
like "$out" "hint: make the directory above it first: mkdir -p 'up/down'" "and how to make it is said"

# What was there keeps its mode, its time and its owner.
mkdir -m 700 mine mine/dir
touch -d 2001-01-01 mine/dir
fails 1 "a target that is there is filled" romsim rom extract plain.erofs -o mine
is "$(stat -c %a mine mine/dir | tr '\n' ' ')" "700 700 " "but keeps its mode, as do directories in it"
is "$(stat -c %a mine/dir/sub)" "$(stat -c %a out-plain/dir/sub)" "those that were made have the image's"
mkdir -m 700 empty
ok "an empty target is filled" romsim rom extract plain.erofs -o empty
is "$(stat -c %a empty)" 700 "and keeps its mode"
fails 1 "a second time" romsim rom extract plain.erofs -o empty
is "$(grep -c 'File exists' <<<"$out")" 20 "twenty files are named"
like "$out" "romsim: and 119 more files were not made" "the others counted"
like "$out" "139 of the files are in 'empty' already and were left as they are: use another directory" \
    "and what to do is said"

# Links that lead out; a link that an entry of the image could be written through.
if need mkfs.erofs "links that lead out are refused"; then
    mkdir -p tree/d/e
    ln -s /etc/passwd tree/absolute
    ln -s ../../x tree/d/out
    ln -s ../../tree tree/d/e/out2
    ln -s ../d/e tree/d/inside
    ln -s . tree/d/dot
    ln -s dot/../../.. tree/d/winding
    echo data > tree/d/e/f
    mkfs.erofs evil.erofs tree >/dev/null 2>&1
    fails 1 "links that lead out are refused" romsim rom extract evil.erofs -o evil
    like "$out" "absolute: a symlink that may lead out of the target, to '/etc/passwd'" "absolute ones"
    like "$out" "/d/out: a symlink that may lead out" "relative ones"
    like "$out" "/d/winding: a symlink that may lead out" "those that go up behind a link"
    unlike "$out" "out2" "but not those that stay inside"
    is "$(grep -c -e --all-links <<<"$out")" 1 "the option is said once"
    is "$(cd evil && find . | LC_ALL=C sort | tr '\n' ' ')" \
        ". ./d ./d/dot ./d/e ./d/e/f ./d/e/out2 ./d/inside " "the rest is extracted"
    ok "they are made if asked for" romsim rom extract evil.erofs --all-links -o evil2
    is "$(readlink evil2/absolute)" /etc/passwd "as they are"

    # The target has a link where the image has a directory.
    mkdir trap outside
    ln -s ../outside trap/d
    fails 1 "a link in the target is not followed" romsim rom extract evil.erofs -o trap
    is "$(find outside -mindepth 1)" "" "nothing is written through it"
fi

romsim rom extract plain.erofs -o counted --json >counted.json
is "$(jq -c '[.made, .refused]' counted.json)" "[$(romsim rom ls -R plain.erofs | wc -l),0]" \
    "--json counts what was made"

# A full disk (ulimit stands for it: the file's end cannot be written).
mkdir large
head -c 3000000 /dev/zero | tr '\0' x >large/file
romsim rom pack --compress lz4 -o large.erofs large >/dev/null
within_limit() { (ulimit -f 2000; exec "$ROMSIM" rom extract -o half large.erofs); }
fails 1 "a file that cannot be written whole" within_limit
like "$out" "large.erofs: error: /file: cannot make a file of 3000000 bytes: File too large" "is named"
is "$(ls -A half)" "" "and nothing of it is left"

# Without the owners nothing is left that lends the caller's rights, or root's.
mkdir odd
echo x >odd/file
chmod 6755 odd/file
if can root && mknod odd/null c 1 3 2>/dev/null; then
    romsim rom pack odd -o odd.erofs >/dev/null
    ok "root extracts without owners" romsim rom extract odd.erofs --no-owner -o odd-out
    is "$(ls odd-out) $(stat -c %a odd-out/file)" "file 755" "devices and set-id bits are left out"
    like "$out" "1 devices were left out (--no-owner)" "and the reason is said for devices"
    like "$out" "1 files lost their set-user-id and set-group-id bits (--no-owner)" "and for the bits"
    romsim rom extract odd.erofs -o odd-root
    is "$(ls odd-root | tr '\n' ' ')$(stat -c %a odd-root/file)" "file null 6755" "with them root gets both"
else
    skip "root extracts without owners" "cannot make devices"
fi

# Zeros become holes, compressed or not.
mkdir zeros
{ head -c 40000000 /dev/zero; echo end; head -c 5000000 /dev/zero; echo x; } >zeros/file
for how in "" "--compress lz4"; do
    # shellcheck disable=SC2086
    romsim rom pack $how zeros -o zeros.erofs >/dev/null 2>&1
    rm -rf zeros-out
    romsim rom extract zeros.erofs -o zeros-out
    ok "a file of zeros is the same${how:+ with $how}" cmp zeros/file zeros-out/file
    is "$(($(stat -c '%b * %B' zeros-out/file) <= 65536))" 1 "and takes no room"
done

# 250 files that share the same 8 MiB: 2 GB from 8 MB.
mkdir shared
for i in $(seq 250); do echo "$i" >"shared/$i"; done
head -c 8388608 /dev/zero | tr '\0' x >shared/data
romsim rom pack shared -o shared.erofs >/dev/null
romsim rom ls -R --json shared.erofs | python3 "$DATA/bombs.py" shared shared.erofs /data
fails 1 "a bomb of shared data is refused" romsim rom extract shared.erofs -o bomb
like "$out" "shared.erofs: error: 2.0 GiB of data come out of an image of 9" "with both figures"
like "$out" "--no-limit" "and the option"
is "$(ls -d bomb 2>&1 >/dev/null | wc -l)" 1 "before anything is made"
ok "a part below the limit is extracted" romsim rom extract shared.erofs 7 -o part-of-bomb

# A signal: what is complete stays, and it is said.
"$ROMSIM" rom extract shared.erofs --no-limit -o stopped 2>said &
for _ in $(seq 500); do [ -e stopped/100 ] && break; sleep 0.01; done
kill -TERM $!
wait $!
is "$?" 143 "an extraction that is stopped ends as by the signal"
is "$(grep -v 'belong to you' said)" "romsim: stopped: $(ls stopped | wc -l) files are in 'stopped'" "says what is there"
is "$(find stopped -type f ! -size 8388608c)" "" "and leaves no part of a file"
rm -rf stopped

# As an ordinary user: everything readable comes out, what is not possible is said.
if need user "an ordinary user extracts"; then
    chmod 755 "$T"; mkdir -m 777 user
    cp "$ROMSIM" user/romsim # a checkout below /root is not for others
    ok "an ordinary user extracts" setpriv --reuid=nobody --regid=nogroup --clear-groups \
        env XDG_CACHE_HOME="$T/user/c" XDG_RUNTIME_DIR="$T/user/r" \
        user/romsim rom extract plain.erofs -o user/out
    like "$out" "belong to you instead of their owners" "and is told about the owners"
    is "$(stat -c %U user/out/text_100)" nobody "the files are the user's"
fi

done_testing
