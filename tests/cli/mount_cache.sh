#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_cache.sh: what the kernel was told once it does not ask again: names, missing names, attributes,
# directories, link targets, content; and to open and close nothing is asked at all.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/tracing.sh"

need fuse "what the kernel keeps of a mount" || done_testing
need strace "what the kernel keeps of a mount" || done_testing

mkdir -p base/{a/b,many} view
echo text >base/a/b/file
head -c 1000000 /dev/urandom >base/large
ln -s a/b base/link
(cd base/many && seq -f 'file-%g' 300 | xargs touch)
printf 'name: web\nimage: ./base\nargs: [x]\n' >web.yaml
printf 'roms: [{name: r, files: [{path: f, data: rom}], at: /a/rom}]\n' >>web.yaml
romsim mount web.yaml view
pid=$(pgrep -P "$(jq -r .owner.pid "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json)")

everything() {
    find view -printf '%p %m %s %T@ %l\n'
    cat view/a/b/file view/a/rom/f view/large view/dev/ukp_rom1 view/link/file
    for i in 1 2 3; do cat "view/many/missing-$i" view/none/at-all view/a/rom/none; done 2>&1
}

# answers COMMAND: how often the server answers meanwhile; the kernel never keeps what statfs() says
# (80 bytes, and find asks for it).
answers() {
    traced "$pid" -o trace.txt -e trace=writev -- "$@" >out.txt 2>&1
    [ -z "$why" ] || { echo "$why" && return; }
    grep 'writev(' trace.txt | grep -vc 'iov_len=80}], 2)'
}

first=$(answers everything)
case $first in
strace:*) skip "what the kernel keeps of a mount" "$first"; done_testing ;;
esac
cp out.txt first.txt
[ "$first" -gt 20 ] && pass "the kernel asks ($first times)" || fail "the kernel asks" "$first times"
# A kernel that is short of memory, or takes back what nobody has used for a while (DAMON does in some
# virtual machines), has to ask for what it dropped: once in three times it has not.
never_asks() {
    local try
    for try in 1 2 3; do
        again=$(answers "$@")
        [ "$again" = 0 ] && return
    done
    return 1
}
never_asks everything && pass "and the second time it does not" || fail "and the second time it does not" "$(cat trace.txt)"
same first.txt out.txt "since it knows"
never_asks cat view/many/file-1 view/many/file-300
is "$again" 0 "empty files neither"
romsim umount view
done_testing
