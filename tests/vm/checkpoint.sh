#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# checkpoint.sh: an instance is saved in the middle of what it does, and goes on, and so do others
# from there: checkpoints and branches.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "checkpoints" || done_testing
CHECKPOINTS=$XDG_DATA_HOME/romsim/checkpoints

"$SAMPLES/busybox-base.sh" base
mkdir -p own a b
echo "of the source" >own/x
echo "of a" >a/x
echo "of b" >b/x
# Each line says what its place in the app is, where that runs, and what it sees there.
cat >own/app.sh <<'END'
exec 4</t/x
i=0
while :; do
    i=$((i + 1))
    echo "line $i $(hostname) t=$(cat /t/x 2>/dev/null) rom=$(cat /rom/x 2>/dev/null)"
    echo "nodes $(ls /dev | grep ukp | tr '\n' ' ')"
    echo "address $(ip addr show eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p') $(cat /sys/class/net/eth0/address)"
    echo "random $(cat /proc/sys/kernel/random/uuid)"
    echo "time $(date +%s)"
    [ ! -e /rom/end ] || { echo "open $(cat <&4)"; exit 7; }
    usleep 100000
done
END
cat >source.yaml <<'END'
name: source
image: ./base
args: [/bin/sh, /t/app.sh]
tags: [t]
roms: [{name: own, dir: own, at: /t}]
END
touch a/end
# The numbers of an instance's lines, and whether they are one more each.
first() { numbers "$1" | head -1; }
last() { numbers "$1" | tail -1; }
is_unbroken() { numbers "$1" | awk 'NR > 1 && $1 != before + 1 { bad = 1 } { before = $1 } END { exit bad || NR < 3 }'; }
said() { romsim logs "$1" | grep "^$2 " | tail -1; }
item() { romsim get "$1" -o json | jq -r "$2"; }

# ---- of one that runs
ok "an instance" romsim run -q -d source.yaml
ok "that does something" says_more source
before=$(last source)
is "$(romsim checkpoint create source --name one)" one "it is saved as it is"
saved=$(last source)
is "$(item source .state)" running "and still runs"
ok "it goes on" says_more source
ok "without a gap, or a line twice" is_unbroken source
is "$(romsim checkpoint ls --json | jq -c '.[] | [.name, .state, .image, .memory_mb, .args[1]]')" \
    '["one","checkpoint","./base",128,"/t/app.sh"]' "it is listed, with what is saved in it"
fails 1 "a second one of the name is refused" romsim checkpoint create source --name one
like "$out" "A checkpoint with the name 'one' already exists" "in the cloud's words"
fails 1 "and one with a name that cannot be" romsim checkpoint create source --name ../x
like "$(romsim checkpoint create source)" "source-" "without a name it has the instance's, and a suffix"
fails 1 "there has to be an instance" romsim checkpoint create nobody
like "$out" "No instance with name 'nobody'" "which is missed by its name"

ok "another goes on from there" romsim run -q -d --checkpoint one -n first
ok "and does the same" says_more first
at=$(first first)
[ "$at" -gt "$before" ] && [ "$at" -le $((saved + 1)) ] && pass "from where it was saved" ||
    fail "from where it was saved" "saved between $before and $saved, and goes on with $at"
ok "without a gap" is_unbroken first
like "$(said first line)" "first t=of the source rom=" "under its own name, with the ROM that the source had"
is "$(said first nodes)" "nodes ukp_rom0 ukp_rom1 ukp_rom_own " "and its nodes"
is "$(item first '[.image, .args[1], (.roms[0] | .name, .at)] | join(" ")')" "./base /t/app.sh own /t" \
    "it shows what it is made of"
[ "$(said first address)" != "$(said source address)" ] && pass "its address is its own" || fail "its address is its own"
now=$(date +%s) then=$(said first time)
[ $((now - ${then#time })) -le 60 ] && [ $((${then#time } - now)) -le 60 ] && pass "its clock is right" ||
    fail "its clock is right" "$then, and here it is $now"
ok "one with a ROM of its own" romsim run -q -d --checkpoint one -n second --rom name=r,dir=b,at=/rom
ok "does the same" says_more second
at=$(first second)
[ "$at" -le $((saved + 1)) ] && pass "from where it was saved" || fail "from where it was saved" "$at, after $saved"
like "$(romsim logs second)" "mount /dev/ukp_rom1 -> /rom" "its ROM is mounted"
is "$(romsim logs second | grep '^line ' | sed 1d | grep -c ' rom=$')" 0 "before anything of its app goes on, but for a line that it had begun"
like "$(said second line)" "second t= rom=of b" "and the source's is not there any more"
is "$(said second nodes)" "nodes ukp_rom0 ukp_rom1 ukp_rom_r " "nor are its nodes"
# The first of each may have been drawn before they were saved, and not yet written.
randoms() { romsim logs "$1" | grep '^random ' | sed 1d; }
is "$({ randoms first; randoms second; } | sort | uniq -d | wc -l)" 0 "no two draw the same"
fails 7 "a ROM that ends it" romsim run -q --checkpoint one -n third --rom name=end,dir=a,at=/rom
like "$out" "open of the source" "finds a file open that the source had opened"
printf 'checkpoint: {name: one}\nroms: []\n' >none.yaml
ok "a file may say that there are none" romsim run -q -d none.yaml -n none
ok "which is so" says_more none
is "$(said none nodes)" "nodes ukp_rom0 " "whatever the source had"

# ---- what is saved outlives its source
ok "the source goes" romsim rm source
ok "its checkpoint is there all the same" romsim run -q -d --checkpoint one -n later
ok "to go on from" says_more later
is "$(item later .romsim.history[].name)" one "it says what it comes from"

# ---- several, each of the one before
ok "one of a clone" romsim checkpoint create second --name two
ok "that was made of a checkpoint" romsim run -q -d --checkpoint two -n after --rom name=r,dir=own,at=/rom
ok "goes on, too" says_more after
like "$(said after line)" "after t= rom=of the source" "with its own ROM"
[ "$(first after)" -gt "$(first second)" ] && pass "from where that was saved" || fail "from where that was saved"
is "$(romsim checkpoint history after --json | jq -c 'map(.name)')" '["two","one"]' "all that it comes from, the newest first"
is "$(romsim checkpoint history two --json | jq -c 'map(.name)')" '["two","one"]' "as of the checkpoint itself"
is "$(romsim checkpoint history later --json | jq -c 'map(.name)')" '["one"]' "and no other's"

# ---- it starts again, and takes other ROMs
ok "one is started again" romsim restart first
ok "and goes on" says_more first
is "$(romsim logs first | grep -c "^line $(first first) ")" 2 "from the checkpoint once more"
ok "with another ROM" romsim edit first --set "roms=[{\"name\":\"n\",\"at\":\"/rom\",\"dir\":\"$T/b\"}]"
ok "that it has when it starts" romsim restart first
ok "and goes on" says_more first
like "$(said first line)" "first t= rom=of b" "in place of the source's"

# ---- branches
ok "a branch of one that runs" romsim run -q -d --branch later -n branch
ok "goes on" says_more branch
ok "without a gap" is_unbroken branch
[ "$(first branch)" -gt "$(first later)" ] && pass "where its source was" || fail "where its source was"
like "$(said branch line)" "branch t=of the source rom=" "with what that had"
is "$(item branch .romsim.history[].name)" one "and comes from where that came from"
ok "so does its source" says_more later
ok "without a gap" is_unbroken later
ok "one with a ROM of its own" romsim run -q -d --branch later -n swapped --rom name=r,dir=b,at=/rom
ok "goes on" says_more swapped
like "$(said swapped line)" "swapped t= rom=of b" "with that"
is "$(romsim logs swapped | grep '^line ' | sed 1d | grep -c ' rom=$')" 0 "from the first line on that it begins"
ok "another is suspended" romsim suspend swapped
stood=$(last swapped)
ok "a branch of it" romsim run -q -d --branch swapped -n woken
ok "goes on" says_more woken
[ "$(first woken)" -le $((stood + 1)) ] && pass "where that stands" || fail "where that stands" "$(first woken), $stood"
is "$(item swapped .state)" stopped "which it still does"
like "$(said woken line)" "woken t= rom=of b" "with its ROM"
is "$(romsim checkpoint create swapped --name standing)" standing "it is saved as it stands"
ok "it goes on itself" romsim start swapped
ok "when it is started" says_more swapped
ok "an instance that is stopped" romsim create source.yaml
ok "has branches, too" romsim run -q -d --branch source -n cold
ok "that boot" says_more cold
is "$(first cold)" 1 "and begin where it would"
like "$(said cold line)" "cold t=of the source" "with what it has"
ok "and a checkpoint" romsim checkpoint create source --name boots
ok "of which others boot" romsim run -q -d --checkpoint boots -n booted --rom name=own,dir=own,at=/t --rom name=r,dir=b,at=/rom
ok "with the ROMs that they are given" says_more booted
like "$(said booted line)" "booted t=of the source rom=of b" "as any other instance"
fails 125 "a branch of nobody" romsim run --branch nobody
like "$out" "No instance with name 'nobody'" "is none"
ok "a clone that was stopped" romsim stop woken
fails 125 "has no snapshot of its own" romsim run --branch woken
like "$out" "Cannot branch from VM in state 'stopped'" "which is said"
printf 'branch_from: {uuid: %s}\n' "$(item later .uuid)" >uuid.yaml
ok "a source is known by its UUID, too" romsim run -q -d uuid.yaml -n by-uuid

# ---- two at a time
romsim run -q -d --checkpoint one -n p1 & one=$!
romsim run -q -d --checkpoint one -n p2 --rom name=r,dir=b,at=/rom & two=$!
romsim checkpoint create later --name q1 >q1 2>&1 & three=$!
romsim checkpoint create later --name q2 >q2 2>&1 & four=$!
status=0
wait $one || status=$?
wait $two || status=$?
is $status 0 "two go on from one at the same time"
wait $three
wait $four
is "$(sort -u q1 q2 | grep -vc '^q[12]$\|pending snapshot')" 0 "of one instance two are made, or one has to wait"
is "$(romsim checkpoint ls --json | jq -c '[.[].name] | map(select(. == "q1" or . == "q2")) | length >= 1')" true "but one is"

# ---- what is locked, what cannot be saved
for flag in "image --image ./base" "args --args ls" "env -e A=b" "memory_mb -m 256" "vcpus --vcpus 2"; do
    read -r member rest <<<"$flag"
    # shellcheck disable=SC2086 # words
    fails 125 "$member is the checkpoint's" romsim run --checkpoint one $rest
    like "$out" "Cannot specify '$member' when creating an instance from a checkpoint" "which is said"
done
fails 125 "a checkpoint that is not there" romsim run --checkpoint nothing
like "$out" "No checkpoint with name 'nothing'" "is missed by its name"
printf 'name: full\nimage: ./base\nargs: [sleep, 1000]\nvolumes: [{at: /v, size_mb: 16}]\n' >volumes.yaml
ok "an instance with a volume" romsim run -q -d volumes.yaml
fails 1 "cannot be saved" romsim checkpoint create full
like "$out" "an instance with volumes cannot be saved" "and says why"
is "$(item full .state)" running "which changes nothing"

# ---- nothing is left of who is killed
held() { find "$CHECKPOINTS/new" -mindepth 1 -maxdepth 1 | wc -l; }
holds_one() { [ "$(held)" = 1 ]; }
pid=$(item later .romsim.keeper_pid)
stop_process "$pid"
romsim checkpoint create later --name gone >gone 2>&1 & waiter=$!
sleep 0.3
kill -KILL "$pid"
wait $waiter
is $? 1 "of a keeper that is killed meanwhile"
romsim ps -a >/dev/null
fails 1 "there is no checkpoint" romsim checkpoint get gone
pid=$(pgrep -P "$(item branch .romsim.keeper_pid)" -f qemu | head -1)
stop_process "$pid"
romsim checkpoint create branch --name gone >gone 2>&1 & waiter=$!
eventually holds_one
is "$(romsim checkpoint ls --json | jq -r '.[] | select(.name == "gone").state')" starting "one that is being made is listed"
fails 125 "and not gone on from" romsim run --checkpoint gone
like "$out" "Failed to create instance from checkpoint: the checkpoint 'gone' is being made" "in the cloud's words"
kill -KILL "$pid"
wait $waiter
is $? 1 "of a VM that is killed meanwhile there is none"
like "$(cat gone)" "the instance 'branch' ended before it was saved" "which is said"
is "$(held)" 0 "nothing half is left"

romsim rm --all >/dev/null 2>&1
ok "what is not wanted is removed" romsim checkpoint rm one two standing boots
romsim checkpoint ls --json | jq -r '.[].name' | xargs -r "$ROMSIM" checkpoint rm
is "$(find "$CHECKPOINTS" -type f ! -path "$CHECKPOINTS/lock" | wc -l)" 0 "nothing is left of any"
is "$(find "$XDG_RUNTIME_DIR/romsim/instances" -mindepth 1 2>/dev/null | wc -l)" 0 "and no instance"
done_testing
