#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# volumes.sh: what is written to a volume is there again: after a stop, in another instance, after
# QEMU was killed; one instance has it at a time.
. "$(dirname "$0")/../lib.sh"
need guest "volumes in the guest" || done_testing
PATH=$PATH:/usr/sbin:/sbin
store=$XDG_DATA_HOME/romsim/volumes/ready

"$SAMPLES/busybox-base.sh" base
mkdir -p seed/deep
echo from the host >seed/deep/file
romsim volume create data --size 1G
romsim volume import seed seed

# app NAME COMMAND VOLUME...: an instance file.
app() {
    local name=$1 command=$2; shift 2
    printf 'name: %s\nimage: ./base\nargs: [/bin/sh, -c, "%s"]\n' "$name" "$command" >"$name.yaml"
    printf 'volumes:\n' >>"$name.yaml"
    printf '  - {%s}\n' "$@" >>"$name.yaml"
}
holder() { romsim volume ls --json | jq -r ".[] | select(.name == \"$1\") | .attached_to[0].name"; }
unfinished() { dumpe2fs -h "$store/$1/image" 2>/dev/null | grep -c needs_recovery; }
instances() { romsim ps -a --json | jq -r '.[].name' | tr '\n' ' '; }

# ---- one run after another ------------------------------------------------------------------------
app write "echo one >/data/file; cat /seed/deep/file; grep -c ukp_vol /proc/mounts; touch /seed/x; \
exit 7" "name: data, at: /data" "name: seed, at: /seed, readonly: true"
fails 7 "an instance writes to a volume, and ends" romsim run write.yaml
like "$out" "mount /dev/ukp_vol0 -> /data" "that it was mounted stands on the console"
like "$out" "from the host" "an imported directory is there"
like "$out" "touch: /seed/x: Read-only file system" "and is not written to with readonly"
is "$(unfinished data)" 0 "the volume was finished before the end was told"
is "$(e2fsck -fn "$store/data/image" >/dev/null 2>&1; echo $?)" 0 "and is sound"
app read "cat /data/file; [ ! -e /data/kept ] || cat /data/kept" "name: data, at: /data, readonly: true"
ok "another instance reads it" romsim run read.yaml
like "$out" one "the same"
ok "a flag attaches it, too" romsim run --image ./base -v data:/mnt/a/b --args "sh -c 'echo two >>/mnt/a/b/file; cat /mnt/a/b/file'"
like "$out" "two" "at a place that is made for it"
is "$(holder data)" null "nobody has it after that"

# An app that leaves things in use: mounts of its own, a process, its working directory.
app busy "cd /data; mkdir -p in; mount -t tmpfs none in; sleep 1000 >/data/open & echo last >kept" \
    "name: data, at: /data"
ok "an app that leaves the volume in use ends" romsim run busy.yaml
is "$(unfinished data)" 0 "the volume is finished all the same"
like "$(romsim run read.yaml)" last "with what was written last"

# A ROM in a volume, and a place in a ROM for a volume.
cat >nested.yaml <<'END'
name: nested
image: ./base
args: [/bin/sh, -c, "cat /data/rom/f; echo x >/rom/place/x; cat /rom/place/x; ls -d /data/in"]
volumes: [{name: data, at: /data}, {size_mb: 16, at: /rom/place}]
roms: [{name: r, files: [{path: f, data: "in the volume\n"}], at: /data/rom},
       {name: s, files: [{path: g, data: g}], at: /rom}]
END
ok "ROMs and volumes are mounted in each other" romsim run nested.yaml
like "$out" "in the volume" "a ROM in a volume"
like "$out" "/data/in" "which is otherwise as it was"
is "$(romsim volume ls --json | jq -r '[.[].name] | join(" ")')" "data seed" \
    "a volume that was made for the instance is gone with it"

# ---- a link in a volume is not followed ------------------------------------------------------------
ok "a link is put where a ROM is to be mounted" \
    romsim run --image ./base -v data:/data --args "sh -c 'rmdir /data/rom; ln -s /etc /data/rom'"
fails 125 "the boot stops at it" romsim run nested.yaml
like "$out" "this kernel finds /etc there" "and says why"

# ---- an instance that lives -------------------------------------------------------------------------
app live "echo start >>/data/log; echo start >>/tmp1/log; cat /data/log /tmp1/log; sync; \
echo ready; while :; do sleep 1; done" "name: data, at: /data" "size_mb: 16, at: /tmp1"
ok "an instance is created" romsim create live.yaml
is "$(holder data)" live "it has its volumes before it is started"
made=$(romsim volume ls --json | jq -r '.[] | select(.persistent == false) | .name')
like "$made" vol- "one that is made with it has a name of its own"
is "$(romsim get live -o json | jq -c '[.volumes[] | [.name, .at, .readonly]]')" \
    "[[\"data\",\"/data\",false],[\"$made\",\"/tmp1\",false]]" "and get shows both"
fails 125 "another instance cannot have it" romsim run write.yaml
like "$out" "the volume 'data' is attached to the instance 'live'" "and is told who has it"
fails 125 "not even to read" romsim run read.yaml
fails 1 "nor is it removed" romsim volume rm data
like "$out" "is attached to the instance 'live'" "for the same reason"
# The console has so many lines "ready", or soon will.
wait_ready() { timeout 100 "$ROMSIM" logs -f --tail 1000 live | grep -c -m "$1" ready; }
ok "it starts" romsim start live
is "$(wait_ready 1)" 1 "and runs"
ok "and stops" romsim stop live
romsim wait live --state stopped >/dev/null
is "$(unfinished data)" 0 "its volume is finished then"
is "$(holder data)" live "and still attached"
ok "it is edited" romsim edit live --set memory_mb=160
ok "and started again" romsim start live
is "$(wait_ready 2)" 2 "and runs again"
is "$(romsim logs live | grep -c start)" 6 "both volumes have what the first run wrote"

# ---- replicas --------------------------------------------------------------------------------------
app many "true" "size_mb: 8, at: /own"
echo "replicas: 1" >>many.yaml
ok "two replicas are made" romsim create many.yaml
is "$(romsim volume ls --json | jq '[.[] | select(.size_mb == 8)] | length')" 2 \
    "each has a volume of its own"
romsim rm $(romsim ps -a --json | jq -r '.[].name | select(. != "live")') >/dev/null

# ---- QEMU is killed ---------------------------------------------------------------------------------
vm=$(jq -r '.processes[0].pid' "$XDG_RUNTIME_DIR/romsim/instances/live/state.json")
kill -KILL "$vm"
romsim wait live --state stopped >/dev/null
is "$(unfinished data)" 1 "after QEMU was killed the journal has to be replayed"
ok "the instance is deleted" romsim rm live
is "$(romsim volume ls --json | jq -r '[.[].name] | join(" ")')" "data seed" "with the volume that was made with it"
app replay "cat /data/log; mount -o remount,rw /data && echo written; exit 3" \
    "name: data, at: /data, readonly: true"
fails 3 "the next instance starts, to read only" romsim run replay.yaml
is "$(printf '%s\n' "$out" | grep -c '^start')" 2 "and all that was synced is there"
unlike "$out" "written" "for reading it stays"
is "$(unfinished data)" 0 "the journal was replayed"
is "$(e2fsck -fn "$store/data/image" >/dev/null 2>&1; echo $?)" 0 "the volume is sound"

# ---- the keeper is killed ---------------------------------------------------------------------------
romsim create live.yaml >/dev/null
kill -KILL "$(jq -r .owner.pid "$XDG_RUNTIME_DIR/romsim/instances/live/state.json")"
fails 7 "when its keeper is killed the volume is free" romsim run write.yaml
is "$(romsim volume ls --json | jq -r '[.[].name] | join(" ")')" "data seed" "and nothing of the instance is left"
is "$(instances)" "" "no instance is left"
done_testing
