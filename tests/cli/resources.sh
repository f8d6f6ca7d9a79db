#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plan --resources: the memory that instances take, stated in advance, and what this machine has
# left: by /proc/meminfo and by the control groups of both versions, which are files in a folder
# here (ROMSIM_CAPACITY_ROOT).
. "$(dirname "$0")/../lib.sh"

export ROMSIM_CAPACITY_ROOT=$T/machine
mkdir root && fake_program root/app
printf 'name: a\nimage: ./root\nargs: [/app]\nmemory_mb: 256\nroms: [{name: r, at: /r, files: [{path: f, data: aGk=}]}]\n' >a.yaml
printf -- '- {name: a, image: ./root, args: [/app], memory_mb: 256}\n- {name: b, image: ./root, args: [/app], memory_mb: 64, replicas: 2}\n' >two.yaml
resources() { romsim plan --resources --json "$@" 2>errors; }
free() { resources a.yaml | jq .machine.free; }
MIB=$((1 << 20))

# machine AVAILABLE-MIB: has so much, and no groups.
machine() {
    rm -rf machine && mkdir -p machine/proc/self
    printf 'MemTotal: %d kB\nMemFree: 1 kB\nMemAvailable: %d kB\n' $((8 << 20)) $(($1 << 10)) >machine/proc/meminfo
}
# group FOLDER NAME=TEXT...: a group's files.
group() {
    local folder=machine/sys/fs/cgroup/$1; shift
    mkdir -p "$folder"
    for file; do printf '%b\n' "${file#*=}" >"$folder/${file%%=*}"; done
}

# ---- the sums
machine 4000
made=$(resources a.yaml)
is "$(jq -c '[.accelerator, .instances[0].name, .instances[0].count, .instances[0].memory_mb]' <<<"$made" | sed s/kvm/tcg/)" \
    '["tcg","a",1,256]' "an instance, and how its programs are run"
is "$(jq '.instances[0] | .each.most == .guest.most + .qemu + .keeper + .fuse + .inline_roms and
    .each.start == .guest.start + .qemu + .keeper + .fuse + .inline_roms' <<<"$made")" true "each is the sum of its parts"
is "$(jq '.instances[0].guest.most' <<<"$made")" $((256 * MIB)) "at most the guest uses all of its memory"
is "$(jq '.instances[0].inline_roms >= 4096' <<<"$made")" true "an inline ROM is in memory"
is "$(jq '.total.most == .shared + .instances[0].each.most' <<<"$made")" true "in all it is one, and what all share"
is "$(jq '.instances[0].guest.start <= .instances[0].guest.most' <<<"$(resources two.yaml)")" true "a start takes no more than all"
is "$(resources --times 20 a.yaml | jq -c '[.instances[0].count, .total.start == .shared + 20 * .instances[0].each.start]')" \
    '[20,true]' "20 of it"
is "$(resources --times 2 two.yaml | jq -c '[.instances[].count]')" '[2,6]' "replicas count, and of several instances each"
is "$(resources --times 1000 a.yaml | jq '. as $r | .fit as $n | .instances[0].each |
    ($n - 1) * .start + .most <= $r.machine.free and $n * .start + .most > $r.machine.free')" true \
    "so many fit as can start one after the other"
out=$(romsim plan --resources --times 1000 a.yaml)
like "$out" "AT MOST" "a table for people"
like "$out" "1000 of them" "with the sum"
like "$out" " of 1000." "and how many of them this machine has room for"
unlike "$out" "/dev/ukp" "and nothing else"
machine 100
like "$(romsim plan --resources a.yaml)" "not enough" "there is no room for one"
fails 2 "--times alone" romsim plan --times 2 a.yaml
fails 2 "no times" romsim plan --resources --times 0 a.yaml

# ---- what there is
rm -rf machine
is "$(free)" null "nothing is known of a machine without /proc"
is "$(resources --times 20 a.yaml | jq .fit)" 20 "which is no reason to say no"
like "$(romsim plan --resources a.yaml)" "is not known" "and is said"
mkdir -p machine/proc && printf 'MemAvailable: many\nMemTotal:\n' >machine/proc/meminfo
is "$(free)" null "nor of one that says what nobody can read"
machine 4000
is "$(free)" $((4000 * MIB)) "what is available"

echo "0::/user.slice/class" >machine/proc/self/cgroup
group user.slice/class memory.max=max memory.current=1000 pids.max=max pids.current=3
is "$(free)" $((4000 * MIB)) "a group without a limit"
group user.slice/class memory.max=$((500 * MIB)) memory.current=$((300 * MIB))
is "$(free)" $((200 * MIB)) "a group's limit, less what is in use"
is "$(resources a.yaml | jq -r .machine.control_group)" /user.slice/class "is named"
group user.slice/class "memory.stat=anon 5\nactive_file $((60 * MIB))\ninactive_file $((40 * MIB))\nshmem 7"
is "$(free)" $((300 * MIB)) "what the page cache has is not in use"
group user.slice memory.max=$((700 * MIB)) memory.current=$((600 * MIB))
is "$(free)" $((100 * MIB)) "the group above has less"
is "$(resources a.yaml | jq -r .machine.control_group)" /user.slice "and is named in its place"
like "$(romsim plan --resources a.yaml)" "control group '/user.slice'" "for people, too"
group user.slice memory.current=$((900 * MIB))
is "$(free)" 0 "one that is over its limit has nothing"
machine 4000
echo "0::/../../outside" >machine/proc/self/cgroup
group . memory.max=$((150 * MIB)) memory.current=0
is "$(free)" $((4000 * MIB)) "a path that leads out of the hierarchy is not followed"
echo "0::/not/seen/here" >machine/proc/self/cgroup
is "$(free)" $((150 * MIB)) "in a container the group that can be seen is the one at the top"

machine 4000
printf '11:cpu,cpuacct:/x\n7:memory:/lxc/class\n3:pids:/lxc/class\n0::/\n' >machine/proc/self/cgroup
group memory/lxc/class memory.limit_in_bytes=9223372036854771712 memory.usage_in_bytes=1000
is "$(free)" $((4000 * MIB)) "version 1 without a limit"
group memory/lxc/class memory.limit_in_bytes=$((400 * MIB)) memory.usage_in_bytes=$((350 * MIB)) \
    "memory.stat=total_inactive_file $((20 * MIB))\ntotal_active_file $((10 * MIB))"
is "$(free)" $((80 * MIB)) "version 1 with one"
printf 'memory\n:\n5:memory\n::::\n' >machine/proc/self/cgroup
is "$(free)" $((4000 * MIB)) "lines that are none say nothing"

done_testing
