#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rom_diff.sh: romsim rom diff names every difference, and none where there is none.
. "$(dirname "$0")/../lib.sh"

tar -xf "$DATA/erofs-images/images.tar.xz"
ok "the same tree packed in two ways does not differ" romsim rom diff plain.erofs lz4-everything.erofs
is "$out" "" "and nothing is said"

if need mkfs.erofs "differences are found"; then
    mkdir -p a/d/sub a/gone/x
    seq 1 40 > a/text
    printf 'same\n' > a/d/same
    printf 'x' > a/d/mode
    ln -s one a/link
    printf 'old\0binary' > a/binary
    printf 'no newline' > a/last
    printf x > a/gone/x/y
    printf x > a/type
    cp -a a b
    sed -i '3d; s/^20$/twenty/; 38a more' b/text
    chmod 600 b/d/mode
    ln -sfn two b/link
    printf 'new\0binary' > b/binary
    printf 'a newline\n' > b/last
    rm -r b/gone b/type
    mkdir b/type b/new
    printf x > b/type/in
    printf x > b/new/z
    mkfs.erofs -T0 --all-root a.erofs a >/dev/null 2>&1
    mkfs.erofs -T0 --all-root b.erofs b >/dev/null 2>&1

    fails 1 "differences are found" romsim rom diff a.erofs b.erofs
    grep -v '^changed  /:' <<<"$out" > got
    cat > wanted <<'END'
changed  /binary: content
changed  /d/mode: mode 0644 -> 0600
removed  /gone
removed  /gone/x
removed  /gone/x/y
changed  /last: content
changed  /link: target one -> two
added    /new
added    /new/z
changed  /text: content (111 -> 118 bytes)
changed  /type: type file -> directory, mode 0644 -> 0755
added    /type/in
END
    sed -i 's/content ([0-9]* -> [0-9]* bytes)/content/' got wanted
    same got wanted "each of them, and nothing else"

    romsim rom diff --content a.erofs b.erofs > got
    sed -n '/^--- a.erofs:.text/,/^changed/p' got | sed '/^changed/d; /^---/d; /^+++/d' > text.got
    diff -u a/text b/text | sed 1,2d > text.wanted
    # diff leaves out a length of 1; ours writes it.
    sed -i -E 's/^@@ -([0-9]+) /@@ -\1,1 /; s/ \+([0-9]+) @@/ +\1,1 @@/' text.wanted
    same text.got text.wanted "the text difference is that of diff -u"
    like "$(cat got)" '\ No newline at end of file' "a missing newline is shown"
    like "$(grep -A1 /binary got)" "(not text)" "binaries are not shown"
    is "$(romsim rom diff --json a.erofs b.erofs | jq -c 'map(select(.path == "/d/mode"))[0] | [.change, .old.mode, .new.mode]')" \
        '["changed","0644","0600"]' "diff --json has both inodes"
    romsim rom diff --json --content a.erofs b.erofs > got.json
    # said PATH FILTER: what the filter gives for the path's entry.
    said() { jq -c --arg path "$1" ".[] | select(.path == \$path) | $2" got.json; }
    is "$(said /d/mode .changes)" '[{"change":"mode","old":"0644","new":"0600"}]' \
        "diff --json has the changes one by one"
    is "$(said /link '[.what, .changes]')" \
        '["target one -> two",[{"change":"target","old":"one","new":"two"}]]' "symlinks' targets too"
    is "$(said /text .changes)" '[{"change":"content","old":111,"new":118}]' "and the sizes"
    is "$(said /new '[.change, .type, .new.mode, has("old")]')" '["added","directory","0755",false]' \
        "what was added has its type and inode"
    is "$(said /gone/x/y '[.change, .type, .size, .old.uid]')" '["removed","file",1,0]' \
        "what was removed too"
    jq -r '.[] | select(.path == "/text").diff' got.json | sed '1,2d; $d' > text.got
    same text.got text.wanted "diff --json --content has the text difference"
    is "$(said /binary '[.diff, .no_diff]')" '[null,"not text"]' "or why there is none"
    is "$(romsim rom diff --json a.erofs b.erofs | jq '[.[] | has("diff")] | any')" false \
        "but not without --content"

    # Against what they were made of.
    find a b -exec touch -h -d @0 {} +
    ok "an image does not differ from its directory" romsim rom diff a.erofs a
    romsim rom diff a.erofs b > got
    romsim rom diff a.erofs b.erofs > wanted
    same got wanted "a directory differs as its image does"
    tar --sort=name -C b -cf b.tar .
    ok "an archive is compared too" romsim rom diff b b.tar
    (cd b && find . | cpio -o -H newc --quiet 2>/dev/null) > b.cpio
    romsim rom diff a b.cpio > got
    like "$(cat got)" "changed  /link: target one -> two" "whatever its format"
    echo text > other
    fails 1 "other files are no images" romsim rom diff a.erofs other
    like "$out" "other: error: not an EROFS image" "it is said"
fi
if need mkfs.erofs "random texts differ as diff says"; then
    # Any two texts: our script must turn one into the other.
    wrong=0
    for seed in $(seq 1 12); do
        rm -rf p q; mkdir p q
        awk -v s="$seed" 'BEGIN { srand(s); for (i = 0; i < 60; i++) print int(rand() * 8) }' > p/t
        awk -v s="$seed" 'BEGIN { srand(s + 100); for (i = 0; i < 50; i++) print int(rand() * 8) }' > q/t
        mkfs.erofs -T0 --all-root p.erofs p >/dev/null 2>&1
        mkfs.erofs -T0 --all-root q.erofs q >/dev/null 2>&1
        romsim rom diff --content p.erofs q.erofs | sed -n '/^---/,$p' > patch
        cp p/t patched
        patch -s patched patch >/dev/null 2>&1 && cmp -s patched q/t || wrong=$((wrong + 1))
    done
    if command -v patch >/dev/null; then
        is "$wrong" 0 "what --content shows is a patch from one to the other"
    else
        skip "what --content shows is a patch from one to the other" "no patch on this machine"
    fi
fi
# Why a text is not shown; texts that are large or differ in every line take no time.
mkdir many many2
seq 3000000 3700000 > many/large
seq 1 2 600000 > many/lines
seq 2 2 600000 > many2/lines
seq 3000001 3700001 > many2/large
yes '' | head -n 400000 > many/empty
{ yes '' | head -n 200000; echo x; yes '' | head -n 200000; yes x | head -n 1400; } > many2/empty
romsim rom pack -o many.erofs many >/dev/null
romsim rom pack -o many2.erofs many2 >/dev/null
fails 1 "large texts differ" timeout 5 "$ROMSIM" rom diff -c many.erofs many2.erofs
like "$(grep -A1 '/large' <<<"$out")" "(over 4 MiB)" "one that is too large is said to be"
is "$(grep -c '^[-+][0-9]*[02468]$' <<<"$out")" 300000 "one that differs in every line is shown"

# Bombs: 250 files that share the same 8 MiB, and more zeros than can be decoded.
mkdir shared
for i in $(seq 250); do echo "$i" >"shared/$i"; done
head -c 8388608 /dev/zero | tr '\0' x >shared/data
romsim rom pack shared -o shared.erofs >/dev/null
romsim rom ls -R --json shared.erofs | python3 "$DATA/bombs.py" shared shared.erofs /data
cp shared.erofs shared2.erofs
printf other | dd of=shared2.erofs bs=1 seek=$((1024 + 64)) conv=notrunc status=none # volume's name
is "$(romsim rom ls -R --json shared2.erofs | jq '[.[].size] | add > 2000000000')" true \
    "250 files of 8 MiB"
ok "shared data is compared once" timeout 5 "$ROMSIM" rom diff shared.erofs shared2.erofs

# 150 names, not said to be hard links, of 8 MiB of zeros in a few blocks.
mkdir bomb
head -c 8388608 /dev/zero >bomb/zeros
for i in $(seq 100 249); do : >"bomb/$i"; done
for name in bomb bomb2; do
    romsim rom pack --compress lz4 bomb -o $name.erofs >/dev/null 2>&1
    romsim rom ls -R --json $name.erofs | python3 "$DATA/bombs.py" names $name.erofs /zeros
    chmod 600 bomb/zeros
done
ok "an image that unfolds to much does not differ from itself" romsim rom diff bomb.erofs bomb.erofs
fails 1 "nor is it compared with another" timeout 5 "$ROMSIM" rom diff bomb.erofs bomb2.erofs
like "$out" ": stopped: too much to compare" "but it is said"
like "$out" "hint: --no-limit goes on" "and how to go on"
fails 1 "which does" romsim rom diff --no-limit bomb.erofs bomb2.erofs
is "$(sort -u <<<"${out//\/[0-9z]*:/}" | wc -l) $(grep -c 'mode 0644 -> 0600' <<<"$out")" "1 151" \
    "and finds what differs"
done_testing
