#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# scratch.sh: where the private copy of an image is made, and what if there is no place for it.
. "$(dirname "$0")/../lib.sh"

mkdir tree tmp
head -c 300000 /dev/zero | tr '\0' x >tree/file
romsim rom pack tree -o a.erofs >/dev/null 2>&1
chmod a+rx "$T"

ok "an image is read without a cache folder" \
    env XDG_CACHE_HOME=/proc/none TMPDIR="$T/tmp" "$ROMSIM" rom ls a.erofs
is "$out" file "in full"
is "$(ls -A tmp)" "" "and nothing is left in TMPDIR"
ok "nor is a folder for temporary files needed" \
    env XDG_CACHE_HOME=/proc/none TMPDIR=/proc/none "$ROMSIM" rom ls a.erofs
is "$out" file "to read all of it"
if need user "an image is read by a user without a home"; then
    cp "$ROMSIM" ./romsim.copy
    ok "an image is read by a user without a home" \
        runuser -u nobody -- env -u XDG_CACHE_HOME -u XDG_RUNTIME_DIR HOME=/nonexistent \
        ./romsim.copy rom ls a.erofs
    is "$out" file "in full"
fi
small='mkdir small && mount -t tmpfs -o size=64k none small && XDG_CACHE_HOME=$PWD/small "$0" rom ls a.erofs'
if unshare -rm true 2>/dev/null; then
    fails 1 "a full disk is an error" unshare -rm sh -c "$small" "$ROMSIM"
    like "$out" "cannot copy 'a.erofs' in '$T/small/romsim/scratch': No space left" "that names the folder"
    like "$out" "let XDG_CACHE_HOME name a folder on a larger disk" "and what to do"
else
    skip "a full disk is an error that names the folder" "no user namespaces here"
fi
done_testing
