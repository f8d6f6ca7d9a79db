#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# volume_attach.sh: volumes go from instance to instance: at once between those that are stopped, and
# when it stops from or to one that runs.
. "$(dirname "$0")/../lib.sh"
need guest "volumes in the guest" || done_testing
need jq "volumes as JSON" || done_testing
PATH=$PATH:/usr/sbin:/sbin
store=$XDG_DATA_HOME/romsim/volumes/ready

"$SAMPLES/busybox-base.sh" base
volume() { romsim volume ls --json | jq -c ".[] | select(.name == \"$1\") | $2"; }
item() { romsim get "$1" -o json | jq -c "$2"; }
# app NAME COMMAND: an instance that says "ready" and waits.
app() {
    cat >"$1.yaml" <<YAML
name: $1
image: ./base
args: [/bin/sh, -c, "trap 'exit 0' TERM; $2; echo ready; while :; do sleep 0.1; done"]
YAML
    romsim create "$1.yaml" >/dev/null
}
# Starts it, and waits until it has said once more that it is ready.  (A grep whose output is
# /dev/null reads on for ever.)
begin() {
    local wanted=$(($(romsim logs --tail 1000 "$1" | grep -c ready) + 1))
    romsim start "$1" || return
    [ "$(timeout 100 "$ROMSIM" logs -f --tail 1000 "$1" | grep -c -m "$wanted" ready)" = "$wanted" ]
}
run_once() { begin "$1" && romsim stop "$1" >/dev/null && romsim wait "$1" --state stopped >/dev/null; }

romsim volume create data --size 16
app a "cat /data/who; echo a >>/data/who"
app b "cat /data/who; echo b >>/data/who"
is "$(volume data .state)" '"available"' "nobody has it"

# ---- stopped instances ------------------------------------------------------------------------------
ok "it is attached to one" romsim volume attach data --to a --at /data
is "$out" "" "at once, silently"
is "$(volume data '[.state, .attached_to, .mounted_by]')" \
    "[\"idle\",[{\"uuid\":$(item a .uuid),\"name\":\"a\"}],[]]" "which has it then"
is "$(item a '[.volumes[] | [.name, .at, .readonly]]')" '[["data","/data",false]]' "and shows it"
fails 1 "another cannot have it" romsim volume attach data --to b --at /data
like "$out" "the volume 'data' is attached to the instance 'a'" "and is told who has it"
fails 1 "nor can the same one, twice" romsim volume attach data --to a --at /other
like "$out" "Duplicate volume 'data'" "which is said"
fails 1 "nor can it be removed" romsim volume rm data
ok "the instance runs with it" begin a
is "$(volume data '[.state, .mounted_by[0].name, .mounted_by[0].readonly]')" '["mounted","a",false]' \
    "it is mounted"

# ---- one that runs ----------------------------------------------------------------------------------
ok "while it runs the volume is taken from it" romsim volume detach data --from a
like "$out" "it is done when it stops" "later"
is "$(item a '[.updates[] | [.prop, .op, .value, .status]]')" '[["volumes","del",["data"],"pending"]]' \
    "that waits"
fails 1 "until then nobody else can have it" romsim volume attach data --to b --at /data
fails 1 "and it cannot be taken from it twice" romsim volume detach data --from a
like "$out" "the volume 'data' is not attached to the instance 'a'" "as is said"
ok "it stops" romsim stop a
is "$(item a '[.state, .volumes, .updates]')" '["stopped",[],null]' "and has it no more"
is "$(volume data '[.state, .attached_to]')" '["available",[]]' "nobody has"
ok "now the other gets it, by the volume's UUID" romsim volume attach "$(volume data .uuid | tr -d '"')" --to b --at /data
ok "and runs with it" run_once b
like "$(romsim logs b)" "a" "what the first one wrote is there"
ok "without a name it is taken from whoever has it" romsim volume detach data
is "$(volume data .state)" '"available"' "at once"
ok "the first one runs without it" begin a
ok "and while it does the volume is given to it" romsim volume attach data --to a --at /data -r
like "$out" "it is done when it stops" "later"
is "$(item a .volumes)" "[]" "it does not have it yet"
romsim stop a >/dev/null
is "$(item a '[.volumes[] | [.name, .readonly]]')" '[["data",true]]' "but when it has stopped"
app c "cat /data/who; echo c >>/data/who || echo cannot"
ok "who only reads may be several" romsim volume attach data --to c --at /data --read-only
is "$(volume data '[.attached_to[].name]')" '["a","c"]' "both have it"
ok "one of them runs" run_once c
like "$(romsim logs c)" "cannot" "and does not write to it"
fails 1 "who wants to write has to wait" romsim volume attach data --to b --at /data
ok "all of them give it back" romsim volume detach data
is "$(volume data '[.state, .attached_to]')" '["available",[]]' "and nobody has it"
is "$(e2fsck -fn "$store/data/image" >/dev/null 2>&1; echo $?)" 0 "it is sound"

# ---- what cannot be ---------------------------------------------------------------------------------
fails 1 "a place has to be one" romsim volume attach data --to a --at data
like "$out" "Invalid mount point 'data'" "by the rules of all instances"
fails 1 "so does a volume" romsim volume attach nothing --to a --at /data
like "$out" "No volume with name 'nothing'" "which is said"
fails 1 "and an instance" romsim volume attach data --to nobody --at /data
like "$out" "No instance with name 'nobody'" "the same"
fails 1 "it is taken from who has it only" romsim volume detach data --from a
fails 1 "or from somebody" romsim volume detach data
fails 2 "attaching needs both options" romsim volume attach data --to a
fails 1 "an edit does not do it" romsim edit a --add 'volumes=[{"name": "data", "at": "/data"}]'
like "$out" "volumes are attached and detached" "and says what does"
is "$(item a '[.volumes, .updates]')" "[[],null]" "of all this nothing is left"

# ---- another comes first ----------------------------------------------------------------------------
ok "an instance runs" begin a
ok "and is to have the volume when it stops" romsim volume attach data --to a --at /data
ok "another gets it meanwhile" romsim volume attach data --to b --at /data
ok "it stops" romsim stop a
is "$(item a '[.state, .volumes, .updates[0].status]')" '["stopped",[],"failed"]' \
    "without it, and says that it failed"
like "$(item a .updates[0].error)" "is attached to the instance 'b'" "and why"
ok "it starts all the same" run_once a

# ---- one that is suspended --------------------------------------------------------------------------
romsim volume detach data
ok "an instance has a volume" romsim volume attach data --to a --at /data
ok "runs" begin a
ok "and is suspended" romsim suspend a
fails 1 "its volume is not taken from it" romsim volume detach data
like "$out" "is suspended, with its volumes mounted" "and why is said"
fails 1 "nor does it get another" romsim volume attach data --to a --at /other
ok "it goes on" romsim start a
ok "the volume is to be taken from it" romsim volume detach data
fails 1 "then it is not suspended" romsim suspend a
like "$out" "are to be changed when it stops" "and why is said"
ok "but stopped" romsim stop a
is "$(volume data .state)" '"available"' "and gives it back"
romsim volume attach data --to b --at /data

# ---- one that was made with an instance -------------------------------------------------------------
cat >made.yaml <<'END'
name: made
image: ./base
args: [/bin/true]
volumes: [{name: own, size_mb: 8, at: /own}]
END
romsim create made.yaml >/dev/null
is "$(volume own '[.persistent, .attached_to[0].name]')" '[false,"made"]' "a volume is made with an instance"
ok "it is taken from it" romsim volume detach own
is "$(volume own .persistent)" true "and is an ordinary one then"
romsim rm made >/dev/null
is "$(volume own .state)" '"available"' "which outlives the instance"

# ---- a larger one -----------------------------------------------------------------------------------
fails 1 "what an instance has is not made larger" romsim volume grow data --size 64
like "$out" "is attached to the instance 'b'" "as is said"
romsim volume detach data
ok "what nobody has is" romsim volume grow data --size 64
is "$(volume data .size_mb)" 64 "at once"
fails 1 "but not smaller" romsim volume grow data --size 32
like "$out" "can only become larger" "as is said"
app large "cat /data/who; df -m /data"
romsim volume attach data --to large --at /data
ok "an instance runs with it" run_once large
is "$(romsim logs large | awk '$NF == "/data" && $2 > 50 { print "grown" }')" grown \
    "its file system has grown"
like "$(romsim logs large)" "a" "and has what was in it"
is "$(e2fsck -fn "$store/data/image" >/dev/null 2>&1; echo $?)" 0 "it is sound"

romsim rm --all >/dev/null
is "$(romsim ps -a --json)" "[]" "no instance is left"
is "$(romsim volume ls --json | jq -c '[.[] | [.name, .state]]')" '[["data","available"],["own","available"]]' \
    "and nobody has a volume"
done_testing
