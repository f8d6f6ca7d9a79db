#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_points.sh: an `at` that leads through links is at the same place in the guest and in the
# view, for all cases of tests/data/mount-points: the two have the same tree.  Where the view says
# that a path cannot be, the guest's kernel says so, too.
. "$(dirname "$0")/../lib.sh"
need guest "mount points in the guest" || done_testing

table=$DATA/mount-points
"$SAMPLES/busybox-base.sh" base
sed -n 's/^root //p' "$table" | make_entries base
mkdir -p outer view roms
sed -n 's/^outer //p' "$table" | make_entries outer

# What is in the tree, file by file: not what the kernel and the platform put there.
cat >base/look.sh <<'END'
cd "$1"
find . -path ./proc -prune -o -path ./sys -prune -o -path ./dev -prune -o -path ./bin -prune -o \
    -path ./uk -prune -o -path ./sbin -prune -o -path ./usr -prune -o ! -path './*.sh' ! -path ./etc/hostname ! -path ./etc/hosts \
    ! -path ./etc/resolv.conf -print | sort | while read -r name; do
    if [ -L "$name" ]; then echo "$name -> $(readlink "$name")"
    elif [ -f "$name" ]; then echo "$name: $(cat "$name")"
    else echo "$name/"; fi
done
END
# What the kernel makes of the cases that cannot be: `mkdir -p` and mount, as an app could do it.
# (Read-only as the mount that there is: newer kernels have it busy otherwise.)
{
    echo 'while read -r at why; do'
    echo '    busybox mkdir -p $at 2>/dev/null && mount -r -t erofs /dev/ukp_rom1 $at 2>/dev/null || continue'
    echo '    echo "$why $at is a mount point"; umount $at'
    echo 'done <<END'
    echo /control !control
    grep -E '^/.* !(notdir|loop|nowhere|platform)' "$table"
    echo 'END'
} >base/try.sh

group=() groups=0
finish_group() {
    local n=0 at
    [ ${#group[@]} -gt 0 ] || return 0
    groups=$((groups + 1))
    printf 'image: ./base\nargs: [/bin/sh, -c, "sh /look.sh /; sh /try.sh"]\nroms:\n- {image: ./outer, at: /rom}\n' >x.yaml
    for at in "${group[@]}"; do
        n=$((n + 1))
        mkdir -p roms/$groups.$n
        echo "case $at" >roms/$groups.$n/mark
        printf -- '- {dir: roms/%s, at: %s}\n' "$groups.$n" "$at" >>x.yaml
    done
    ok "group $groups boots" sh -c "'$ROMSIM' run -q x.yaml >output"
    grep -v -e '^mount /dev/' -e ' is a mount point$' output >guest.$groups
    is "$(grep "is a mount point" output)" "!control /control is a mount point" "what cannot be cannot be for its kernel, either"
    if need fuse "the view of group $groups"; then
        romsim mount x.yaml view 2>/dev/null
        sh base/look.sh view >view.$groups
        romsim umount view
        same view.$groups guest.$groups "guest and view have the same tree in group $groups"
        like "$(cat view.$groups)" "/mark: case " "(with the ROMs)"
    fi
    group=()
}
while read -r at target; do
    case $at$target in
    group) finish_group ;;
    /*!*) ;;
    /*) group+=("$at") ;;
    esac
done <"$table"
finish_group
is "$((groups > 4))" 1 "(several groups)"
done_testing
