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
within_limit() { (trap '' XFSZ; ulimit -f 2000; exec "$ROMSIM" rom extract -o half large.erofs); }
fails 1 "a file that cannot be written whole" within_limit
like "$out" "large.erofs: error: /file: " "is named"
is "$(ls -A half)" "" "and nothing of it is left"

# As an ordinary user: everything readable comes out, what is not possible is said.
if need user "an ordinary user extracts"; then
    chmod 755 "$T"; mkdir -m 777 user
    ok "an ordinary user extracts" setpriv --reuid=nobody --regid=nogroup --clear-groups \
        env XDG_CACHE_HOME="$T/user/c" XDG_RUNTIME_DIR="$T/user/r" \
        "$ROMSIM" rom extract plain.erofs -o user/out
    like "$out" "belong to you instead of their owners" "and is told about the owners"
    is "$(stat -c %U user/out/text_100)" nobody "the files are the user's"
fi

done_testing
