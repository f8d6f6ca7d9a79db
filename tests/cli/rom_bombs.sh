#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# rom_bombs.sh: no image makes a command of `romsim rom` hold more than 64 MiB and four times its
# size, or go over all that a small one unfolds to.
. "$(dirname "$0")/../lib.sh"

if ! need prlimit "what bombs cost"; then done_testing; fi
for image in "names 200000" "deep 20000" "broken 3000" "xattrs 1500" "lines 0"; do
    # shellcheck disable=SC2086
    "$DATA/crafted.py" $image >"${image% *}.img" && "$DATA/crafted.py" $image 2 >"${image% *}2.img" ||
        fail "the images are made"
done

# bounded STATUS TEXT IMAGE COMMAND...: the command ends with the status within the memory that the
# image allows (under the sanitizers, which take their own, within any) and some seconds of work.
bounded() {
    local want=$1 text=$2 size status limit; shift 2
    size=$(stat -c %s "$1.img"); shift
    limit=$(((64 << 20) + 4 * size))
    [ "${SANITIZE:-}" != 1 ] || limit=unlimited
    prlimit --data=$limit --cpu=60 "$ROMSIM" rom "$@" >shown 2>said
    status=$?
    [ "$want" != any ] || [ $status -gt 1 ] || want=$status
    if [ $status = "$want" ] && ! grep -q 'out of memory' said; then pass "$text"
    else fail "$text" "status $status from: $*" "$(cut -c1-300 said | head -5)"; fi
}
over="stopped: its names, paths and xattrs come to more than 16 times its size and 32.0 MiB"

for command in "ls -R" "ls -lR" "ls -R --json" "tree" "tree --json" "stat -n 128" \
    "stat -n 128 --json" "info" "check" "check --json"; do
    # shellcheck disable=SC2086
    set -- $command
    case $command in stat*) set -- stat names.img "${@:2}" ;; *) set -- "$1" names.img "${@:2}" ;; esac
    bounded 0 "$command of 200000 names" names "$@"
    case $command in
    check* | info) ;;
    tree) is "$(($(wc -l <shown) > 200000))" 1 "... shows all" ;;
    *json) is "$(jq length shown)" 200000 "... shows all" ;;
    stat*) is "$(grep -c '^   path: ' shown)" 200000 "... shows all" ;;
    *) is "$(grep -v MODIFIED shown | wc -l)" 200000 "... shows all" ;;
    esac
done
for command in "diff" "diff --json" "diff --content"; do
    # shellcheck disable=SC2086
    bounded 0 "$command of 200000 names" names $command names.img names2.img
done
# Many a file system has fewer links of an inode: then some are refused.
bounded any "extract of 200000 names" names extract --no-owner names.img -o out
is "$(($(find out -type f | wc -l) > 30000))" 1 "... makes them"
rm -rf out

# stop FORM IMAGE COMMAND OPTION...: what the image unfolds to is too much; it is said, and how to go
# on.
stop() {
    local form=$1 image=$2 command=$3; shift 3
    bounded 1 "$command $* of '$image'" "$image" "$command" "$image.img" "$@"
    [ "$form" = text ] || is "$(jq -c '.[-1].error' shown)" "\"$over\"" "... says so in the JSON"
    like "$(cat said)" "$over" "... says that it stopped"
    like "$(cat said)" "hint: --bound walk-bytes=VALUE allows more than 33554432" "... and how to go on"
}
for image in deep broken; do
    stop text $image ls -R
    stop text $image ls -lR
    stop json $image ls -R --json
    stop text $image tree
    stop json $image tree --json
    stop text $image stat -n 7
    stop json $image stat -n 7 --json
    stop text $image extract --no-owner -o out
    is "$(ls -d out 2>/dev/null)" "" "... before anything is made"
done
stop text deep diff deep2.img
stop text deep diff deep2.img --json
is "$(jq length shown)" 0 "... its JSON has an end"
stop json xattrs ls -R --json
stop json xattrs tree --json
stop text xattrs diff xattrs2.img
bounded 1 "extract of xattrs" xattrs extract --no-owner xattrs.img -o out
like "$(cat said)" "$over" "... says that it stopped to set them"
rm -rf out
bounded 0 "ls -lR of xattrs does not look at them" xattrs ls -lR xattrs.img
bounded 0 "stat of one file with 16 MB of xattrs" xattrs stat xattrs.img 000000
is "$(grep -c '(65535 bytes)' shown)" 255 "... shows them"
bounded 1 "stat --json of it" xattrs stat xattrs.img 000000 --json
like "$(cat said)" "$over" "... is over the bound: as JSON they are 100 MB"
ok "which can be raised" romsim rom stat --json --bound walk-bytes=200M xattrs.img 000000
bounded 0 "check of xattrs" xattrs check xattrs.img
bounded 0 "check --json of deep paths" deep check deep.img --json
bounded 1 "check --json of 3000 findings with paths of 250 KB" broken check broken.img --json
is "$(jq -c '.[0] | [.errors, (.findings | length) > 10, (.findings | length) < 1000]' shown)" "[3000,true,true]" \
    "... has some of them, and counts all"
bounded 1 "diff --content of 500000 lines" lines diff --content lines.img lines2.img
bounded 1 "diff --content --json of 500000 lines" lines diff --content --json lines.img lines2.img
head -c 20000000 /dev/zero >big && mkdir zeros && mv big zeros && romsim rom pack --compress lz4 zeros -o zeros.img >/dev/null 2>&1
bounded 1 "cat --json of a file of 20 MB in a small image" zeros cat zeros.img big --json
like "$(cat said)" "hint: --bound json-file=VALUE allows more than 8388608" "... is over a bound"
bounded 0 "cat of it is not" zeros cat zeros.img big
is "$(stat -c %s shown)" 20000000 "... as it is not kept"

# The other commands that look at an image's names.
printf 'image: ./zeros\nargs: [x]\nroms: [{image: ./deep.img, at: /x}]\n' >x.yaml
ok "a ROM that unfolds to much is attached" romsim plan x.yaml
like "$out" "warning: ROM image './deep.img': $over; it is attached as it is" "... with a warning"
done_testing
