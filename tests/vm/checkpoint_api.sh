#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# checkpoint_api.sh: checkpoints over HTTP: made of instances, looked at, changed, gone on from, and
# the histories of both.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "checkpoints over HTTP" || done_testing
. "$ROOT/tests/serving.sh"
CHECKPOINTS=$XDG_DATA_HOME/romsim/checkpoints
I=/v1/instances C=/v1/instances/checkpoints

"$SAMPLES/busybox-base.sh" base
serve --allow-paths && pass "a server" || fail "a server" "$(cat "$T/serve.err")"

# Each line says which one it is, who runs it, and what is in its ROM.
counts='i=0; while :; do i=$((i + 1)); echo line $i $(hostname) rom=$(cat /rom/x 2>/dev/null); usleep 100000; done'
counting() { # NAME [MEMBERS]: an instance
    api POST $I "$(jq -n --arg name "$1" --arg image "$T/base" --arg command "$counts" \
        '{name: $name, image: $image, args: ["/bin/sh", "-c", $command]}' | jq -c ". + {${2-}}")"
}
item() { field ".data.instances[${2-0}] | $1"; }
failure() { item '[.status, .error, .message] | map(tostring) | join(" ")' "${1-0}"; }
names() { printf '%s' "$out" | jq -c '[.data.instances[].name]'; }
history() { # NAME-OR-UUID-OBJECT [PATH]
    api GET "${2-$I}/history" "[$1]"
    printf '%s' "$out" | jq -c '.data.instances[0].history | map(.name)'
}

# ---- of one that runs
counting source '"autostart": true, "timeout_s": 60, "tags": ["s"],
    "roms": [{"name": "r", "at": "/rom", "files": [{"path": "x", "data": "source"}]}]'
source=$(item .uuid)
ok "an instance runs" says_more source
api GET "$I/$source/history"
is "$http $(printf '%s' "$out" | jq -c '.data.instances[0] | [.status, .uuid, .name, .history]')" \
    "200 [\"success\",\"$source\",\"source\",[]]" "it comes from nothing"
before=$(numbers source | tail -1)
api POST $C '[{"from": {"name": "source"}, "name": "one", "timeout_s": 60, "tags": ["a", "b"], "autokill": {"time_ms": 5}}]'
one=$(item .uuid)
is "$http $(item '[.status, .name, .state] | join(" ")')" "200 success one checkpoint" "it is saved, and waited for"
[ -n "$one" ] && [ "$one" != "$source" ] && pass "the checkpoint has a UUID of its own" || fail "a UUID" "$out"
is "$(romsim get source -o json | jq -r .state)" running "it runs"
ok "and goes on" says_more source
is "$(romsim checkpoint ls --json | jq -c '[.[].name]')" '["one"]' "romsim knows it, too"
is "$(romsim get source -o json | jq -c '.romsim | [has("saving"), .history[0].uuid]')" "[false,\"$one\"]" \
    "and the instance says that it has it"

# ---- not waited for, one object, by UUID, without a name
api POST $C "{\"from\": {\"uuid\": \"${source^^}\"}}"
named=$(item .name) other=$(item .uuid)
is "$http $(item '[.status, .state] | join(" ")')" "200 success starting" "without timeout_s it is not waited for"
[[ $named =~ ^source-[a-z0-9]+$ ]] && pass "its name is the source's and a suffix" || fail "its name" "$named"
states=
for ((i = 0; i < 1200; i++)); do
    api GET "$C/$other"
    states+=" $(item .state)"
    [ "$(item .state)" = checkpoint ] && break
    sleep 0.05
done
is "$(printf '%s\n' $states | grep -v '^starting$')" checkpoint "it is shown while it is made, and becomes one"

# ---- they are looked at
shown='[.status, .name, .state, .image, .memory_mb, .args[0], (.tags | join("+")), .autokill.time_ms] | map(tostring) | join(" ")'
api GET $C '[{"name": "one"}]'
is "$(item "$shown")" "success one checkpoint $T/base 128 /bin/sh a+b 5" "one is shown by its name"
api GET "$C/$one"
is "$(item .name)" one "by its UUID"
api GET "$C?name=one&uuid=$other"
is "$(names)" "[\"one\",\"$named\"]" "and by a query"
api GET $C
is "$(names)" "[\"one\",\"$named\"]" "without any, all are"
api GET $I
is "$(names)" '["source"]' "none of them is an instance"
api GET $C '[{"name": "one"}, {"name": "nothing"}]'
is "$http $(failure 1)" "200 error 8 No checkpoint with name 'nothing'" "one that is not there is missed"

# ---- changed
patch() { api PATCH "$C/$one" "$1"; }
patch '{"id": "i", "prop": "tags", "op": "add", "value": ["b", "c"]}'
is "$http $(item '[.status, .name, .id] | join(" ")')" "200 success one i" "tags are added"
api PATCH $C '[{"name": "one", "prop": "tags", "op": "del", "value": ["a"]}, {"uuid": "'"$one"'", "prop": "delete_lock", "op": "set", "value": true}]'
api GET "$C/$one"
is "$(item '[(.tags | join("+")), .delete_lock] | map(tostring) | join(" ")')" "b+c true" "taken away, and it is locked"
patch '{"prop": "image", "op": "set", "value": "x"}'
is "$(failure)" "error 7 'image' is not a property of a checkpoint that can be changed" "nothing else is changed"
patch '{"prop": "tags", "op": "set", "value": "x"}'
is "$(item .error)" 16 "nor to what it cannot be"
patch '{"prop": "tags"}'
is "$http" 400 "and a change says what is done"
api DELETE $C '[{"name": "one"}]'
is "$(failure)" "error 14 Deletion protection enabled" "one that is locked is not deleted"

# ---- others go on from there
api POST $I '{"name": "clone", "checkpoint": {"name": "one"}, "autostart": true, "timeout_s": 60,
    "roms": [{"name": "r", "at": "/rom", "files": [{"path": "x", "data": "clone"}]}]}'
is "$http $(item .status)" "200 success" "a clone goes on from it"
ok "which runs" says_more clone
[ "$(numbers clone | head -1)" -gt "$before" ] && pass "from where it was saved" || fail "from where it was saved" "$before, $(numbers clone | head -1)"
like "$(romsim logs clone | tail -1)" "clone rom=clone" "with a ROM of its own"
api POST $I "{\"name\": \"plain\", \"checkpoint\": {\"uuid\": \"$one\"}, \"autostart\": true, \"timeout_s\": 60}"
ok "another, by the UUID, too" says_more plain
like "$(romsim logs plain | tail -1)" "plain rom=source" "with the source's ROM"
at=$(numbers clone | tail -1)
api POST $I '{"name": "branch", "branch_from": {"name": "clone"}, "autostart": true, "timeout_s": 60}'
is "$http $(item .status)" "200 success" "a branch of the clone"
ok "goes on" says_more branch
[ "$(numbers branch | head -1)" -gt "$at" ] && pass "from where that was" || fail "from where that was" "$at, $(numbers branch | head -1)"
like "$(romsim logs branch | tail -1)" "branch rom=clone" "with its ROM"

# ---- where they come from
api POST $C '[{"from": {"name": "clone"}, "name": "two", "timeout_s": 60}]'
is "$(item .state)" checkpoint "one of a clone"
is "$(history '{"name": "clone"}')" '["two","one"]' "a clone's history has its own and what it comes from, the newest first"
is "$(history '{"name": "branch"}')" '["one"]' "a branch's what its source came from"
is "$(history '{"name": "source"}')" "[\"$named\",\"one\"]" "a source's what was made of it"
is "$(history "{\"name\": \"two\"}" $C)" '["two","one"]' "a checkpoint's begins with itself"
api GET "$C/$one/history"
is "$(printf '%s' "$out" | jq -c '.data.instances[0] | [.status, .uuid, .name, (.history | length)]')" \
    "[\"success\",\"$one\",\"one\",1]" "it is asked for by UUID"
is "$(printf '%s' "$out" | jq -c --arg one "$one" '.data.instances[0].history[0] | [.uuid == $one, .name, (.created_at | test("^20..-..-..T..:..:..Z$"))]')" \
    '[true,"one",true]' "and says when each was made"
api GET $I/history
is "$(printf '%s' "$out" | jq -c '.data.instances | map([.name, (.history | length)]) | sort')" \
    '[["branch",1],["clone",2],["plain",1],["source",2]]' "without any, all have theirs"
api GET $C/history
is "$(printf '%s' "$out" | jq -c '.data.instances | map([.name, (.history | length)]) | sort')" \
    "[[\"one\",1],[\"$named\",2],[\"two\",2]]" "the checkpoints, too"
api GET $I/history '[{"name": "nobody"}]'
is "$(failure)" "error 8 No instance with name 'nobody'" "nobody has none"
api GET $C/history '[{"name": "nothing"}]'
is "$(failure)" "error 8 No checkpoint with name 'nothing'" "nor has no checkpoint"
api GET "$I/x/history"
is "$http $(field .message)" "400 Invalid uuid 'x'" "a path has a UUID"

# ---- of one that is stopped
counting cold
api POST $C '[{"from": {"name": "cold"}, "name": "boots", "timeout_s": -1}, {"from": {"name": "nobody"}, "name": "none"}]'
is "$http $(item '[.status, .name, .state] | join(" ")') / $(failure 1)" \
    "200 success boots checkpoint / error 8 No instance with name 'nobody'" "one that is stopped is saved, beside one that is not there"
api POST $I '{"name": "booted", "checkpoint": {"name": "boots"}, "autostart": true, "timeout_s": 60}'
ok "others boot with what it has" says_more booted
is "$(numbers booted | head -1)" 1 "from the beginning"

# ---- what cannot be
refused() { # WHAT CODE HTTP MESSAGE BODY
    api POST $C "$5"
    is "$http $(field '.errors[0].error')" "$3 $2" "$1 is refused"
    like "$out" "$4" "which is said"
}
refused "a body without 'from'" 16 400 "Missing member from" '[{"name": "x"}]'
refused "one that names nobody" 13 400 "Missing member uuid or name" '[{"from": {}}]'
refused "one that names it twice" 17 400 "Cannot specify 'name' when 'uuid' is set" "{\"from\": {\"name\": \"source\", \"uuid\": \"$source\"}}"
refused "no UUID" 7 400 "Invalid uuid 'x'" '{"from": {"uuid": "x"}}'
refused "a name that is no text" 16 400 "Member 'name' must be a string" '{"from": {"name": "source"}, "name": 1}'
refused "another member" 16 400 "nosuch" '{"from": {"name": "source"}, "nosuch": 1}'
refused "a source that is no object" 16 400 "from" '{"from": "source"}'
refused "nothing" 13 400 "Missing member uuid or name" '[]'
api POST $C '{"from": {"name": "source"}, "name": "one"}'
is "$http $(failure)" "200 error 23 A checkpoint with the name 'one' already exists" "one name is of one checkpoint"
api POST $C '{"from": {"name": "source"}, "name": "../x"}'
is "$(item '[.status, .error] | map(tostring) | join(" ")')" "error 7" "and no path"
romsim volume create cv --size 16M >/dev/null
counting full '"volumes": [{"name": "cv", "at": "/v"}]'
api POST $C '{"from": {"name": "full"}, "timeout_s": 60}'
is "$(item .status)" error "an instance with a volume is not saved"
like "$(item .message)" "an instance with volumes cannot be saved" "and says why"
api POST $C '[{"from": {"name": "source"}, "name": "q1", "timeout_s": 60}, {"from": {"name": "source"}, "name": "q2"}]'
is "$(item '[.name, .state] | join(" ")') / $(failure 1)" \
    "q1 checkpoint / error 11 Cannot branch from VM with pending snapshot" "of one instance one is made at a time"
api POST $I "{\"image\": \"$T/base\", \"checkpoint\": {\"name\": \"one\"}}"
is "$http $(field '.errors[0].error')" "400 17" "an instance is not made of both an image and a checkpoint"
like "$out" "Cannot specify 'image' when creating an instance from a checkpoint" "which is said"
api POST $I '{"branch_from": {"name": "source"}, "checkpoint": {"name": "one"}}'
like "$out" "Cannot specify 'branch_from' when 'checkpoint' is set" "nor of both a branch and a checkpoint"
api POST $I '{"checkpoint": {"name": "nothing"}}'
is "$http $(field '.errors[0].error')" "404 8" "nor of one that is not there"
api PUT $C '{}'
is "$http $(field '.errors[0].error')" "405 2" "there is no other method"

# ---- one that ends while it is saved
counting ends '"autostart": true, "timeout_s": 60'
ok "an instance" says_more ends
pid=$(romsim get ends -o json | jq .romsim.keeper_pid)
curl -sS -g --noproxy '*' -H "Authorization: Bearer $token" --data-binary \
    '{"from": {"name": "ends"}, "name": "lost", "timeout_s": 60}' "$url$C" -o lost.json & waiter=$!
for ((i = 0; i < 600; i++)); do
    [ "$(romsim get ends -o json | jq .romsim.saving)" = true ] && break
    [ -e "$CHECKPOINTS/ready/lost" ] && break
done
kill -KILL "$pid"
wait $waiter
is $? 0 "whose keeper is killed meanwhile: the client is answered"
is "$(jq -r '.data.instances[0] | .name, .status' lost.json | tr '\n' ' ')" \
    "lost $([ -e "$CHECKPOINTS/ready/lost" ] && echo success || echo error) " "by what has come of it"

api POST $C '{"from": {"name": "source"}, "name": "swept", "timeout_s": 60}'
is "$(find "$CHECKPOINTS/new" -mindepth 1 -maxdepth 1 | wc -l)" 0 "nothing of it is left when the next one is made"

# ---- and deleted
api PATCH "$C/$one" '{"prop": "delete_lock", "op": "del"}'
api DELETE $C '[{"name": "one"}, {"name": "nothing"}]'
is "$http $(item '[.status, .uuid, .previous_state] | join(" ")') / $(failure 1)" \
    "200 success $one checkpoint / error 8 No checkpoint with name 'nothing'" "without the lock it is deleted"
api DELETE "$C/$other"
is "$(item '[.status, .name] | join(" ")')" "success $named" "another by its UUID"
api GET "$C/$one"
is "$(item .error)" 8 "it is gone"
ok "its clones go on" says_more clone
is "$(history '{"name": "clone"}')" '["two","one"]' "and remember it"

romsim rm --all >/dev/null 2>&1
api DELETE $C '[{"name": "two"}, {"name": "boots"}, {"name": "q1"}, {"name": "swept"}]'
is "$(field .status)" success "the others outlive their sources, and are deleted"
serve_end
romsim checkpoint rm lost >/dev/null 2>&1
is "$(find "$CHECKPOINTS" -type f ! -path "$CHECKPOINTS/lock" | wc -l)" 0 "nothing is left"
done_testing
