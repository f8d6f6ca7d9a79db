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
changed  /link: content
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
    like "$(cat got)" "(not text, or over 1 MiB)" "binaries are not shown"
    is "$(romsim rom diff --json a.erofs b.erofs | jq -c 'map(select(.path == "/d/mode"))[0] | [.change, .old.mode, .new.mode]')" \
        '["changed","0644","0600"]' "diff --json has both inodes"
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
done_testing
