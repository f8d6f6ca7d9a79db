#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_points.sh: an `at` that leads through links: `plan` says where to, and what cannot be is
# refused by check, plan, mount and run alike, before anything is started.  The cases are those of
# tests/data/mount-points, which tests/vm/mount_points.sh runs in the guest.
. "$(dirname "$0")/../lib.sh"
need busybox "mount points" || done_testing

table=$DATA/mount-points
"$SAMPLES/busybox-base.sh" base
sed -n 's/^root //p' "$table" | make_entries base
mkdir outer rom view
sed -n 's/^outer //p' "$table" | make_entries outer
echo x >rom/mark

# instance AT...: x.yaml with the outer ROM and one at each place.
instance() {
    printf 'image: ./base\nargs: [/bin/true]\nroms:\n- {image: ./outer, at: /rom}\n' >x.yaml
    printf -- '- {dir: rom, at: %s}\n' "$@" >>x.yaml
}

# ---- where they lead
group=() wanted=() groups=0
finish_group() {
    [ ${#group[@]} -gt 0 ] || return 0
    groups=$((groups + 1))
    instance "${group[@]}"
    romsim plan --json x.yaml 2>plan.err |
        jq -r '.mounts[1:][] | .at + " " + .target' | sort >got
    printf '%s\n' "${wanted[@]}" | sort >wanted
    same wanted got "group $groups of the table is planned where it will be"
    ok "... and accepted" romsim check x.yaml
    group=() wanted=()
}
while read -r at target; do
    case $at$target in
    group) finish_group ;;
    /*!*) ;;
    /*) group+=("$at"); wanted+=("$at $target") ;;
    esac
done <"$table"
finish_group
instance /rel/a
like "$(romsim plan x.yaml)" "/dev/ukp_rom2 -> /rel/a  erofs, read-only; links lead to /real/dir/a" \
    "the plan tells where links lead"
instance /real2/x /r2
like "$(romsim plan x.yaml 2>&1)" \
    "warning: the ROM at '/r2' hides the one at '/real2/x': links lead to a place inside of it" \
    "a ROM that hides another through a link is warned of"

# ---- what cannot be
declare -A says=(
    [notdir]="is there, and not a directory" [loop]="too many symbolic links on the way"
    [nowhere]="a symbolic link on the way leads nowhere" [kernel]="which is the guest's kernel's"
    [root]="it leads to the root itself" [platform]="is a file that the platform writes")
refuse() { # STATUS COMMAND...
    local status=$1 got; shift
    out=$("$@" 2>&1 </dev/null); got=$?
    [ $got = "$status" ] && [[ $out == *"x.yaml:5:18: error: ukp_rom2 cannot be mounted at '$at': "*"${says[$reason]}"* ]] &&
        return
    fault+="
$at ($reason), $*: $got, $out"
}
cases=0 fault=
while read -r at reason; do
    [[ $at == /* && $reason == !* ]] || continue
    reason=${reason#!}
    cases=$((cases + 1))
    instance "$at"
    refuse 1 romsim check x.yaml
    refuse 1 romsim plan x.yaml
    refuse 125 romsim run x.yaml
    ! can fuse || refuse 1 romsim mount x.yaml view
done <"$table"
is "$fault" "" "what cannot be is refused by check, plan, run and mount, with its place and its reason"
is "$((cases > 30))" 1 "(more than thirty cases)"
done_testing
