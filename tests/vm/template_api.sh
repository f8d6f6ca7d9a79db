#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# template_api.sh: templates that are made over HTTP: of instances that are there, and what can be
# changed of them.
. "$(dirname "$0")/../lib.sh"
need guest "templates over HTTP" || done_testing
. "$ROOT/tests/serving.sh"
TEMPLATES=$XDG_DATA_HOME/romsim/templates

"$SAMPLES/busybox-base.sh" base
serve --allow-paths && pass "a server" || fail "a server" "$(cat "$T/serve.err")"

# instance NAME COMMAND [MEMBERS]: makes it, stopped.
instance() {
    api POST /v1/instances "{\"name\": \"$1\", \"image\": \"$T/base\", \"args\": [\"/bin/sh\", \"-c\", \"$2\"]${3-}}"
}
saves='echo start; printf 1 >/uk/libukp/template_instance; cat /rom/x; exit 5'

# ---- one that is stopped
instance cold "$saves" ', "tags": ["a", "b"], "roms": [{"name": "own", "files": [{"path": "x", "data": "own"}], "at": "/own"}]'
uuid=$(field '.data.instances[0].uuid')
api POST /v1/instances/templates '[{"name": "cold", "timeout_s": 60, "autokill": {"time_ms": 5}}]'
is "$http $(field '.data.instances[0] | [.status, .uuid, .name, .state] | join(" ")')" \
    "200 success $uuid cold template" "an instance that is stopped becomes a template"
api GET /v1/instances '[{"name": "cold"}]'
is "$(field '.data.instances[0].error')" 8 "and is no instance any more"
api GET "/v1/instances/templates/$uuid"
is "$(field '.data.instances[0] | [.name, .state, (.tags | join("+")), .autokill.time_ms] | map(tostring) | join(" ")')" \
    "cold template a+b 5" "it has kept its UUID, its tags and what was said of it"
api POST /v1/instances '{"name": "c1", "template": {"name": "cold"}, "autostart": true,
    "roms": [{"name": "r", "at": "/rom", "files": [{"path": "x", "data": "of c1"}]}]}'
ok "a clone goes on" romsim wait c1 --state stopped --timeout 60
like "$(romsim logs c1)" "of c1" "with a ROM of its own"
unlike "$(romsim logs c1)" "start" "where it was saved"
is "$(romsim get c1 -o json | jq .exit_code)" 5 "to its end"

# ---- one that runs
instance warm "echo begun; sleep 2; $saves" ', "autostart": true, "timeout_s": 60, "restart_policy": "always"'
api POST /v1/instances/templates '{"name": "warm"}'
is "$http $(field '.data.instances[0] | [.status, .name] | join(" ")')" "200 success warm" \
    "one that runs is taken, and not waited for if nobody says so"
for ((i = 0; i < 1200; i++)); do
    api GET /v1/instances/templates '[{"name": "warm"}]'
    [ "$(field '.data.instances[0].state')" = template ] && break
    sleep 0.05
done
is "$(field '.data.instances[0].state')" template "it boots anew, and becomes one"
api GET /v1/instances
is "$(field '.data.instances[].name' | sort | tr '\n' ' ')" "c1 " "and is no instance any more"

# ---- one that does not say so
instance ends 'exit 3'
api POST /v1/instances/templates '[{"name": "ends", "timeout_s": -1}]'
is "$(field '.data.instances[0] | [.status, .state, .message] | join(" ")')" \
    "error stopped 'ends' stopped before it was a template" "one that ends before becomes none"
api GET /v1/instances '[{"name": "ends"}]'
is "$(field '.data.instances[0] | [.state, .exit_code] | map(tostring) | join(" ")')" "stopped 3" "and stays what it is"
instance waits 'sleep 1000'
api POST /v1/instances/templates '[{"name": "waits", "timeout_s": 3}]'
like "$(field .message)" "timed out: 'waits' is" "one that never says so is waited for no longer than is said"
is "$(find "$TEMPLATES/new" -mindepth 1 -maxdepth 1 | wc -l)" 1 "it goes on meanwhile"
api PUT /v1/instances/suspend '[{"name": "waits"}]'
is "$(field '.data.instances[0].error')" 11 "and is not suspended"
api PUT /v1/instances/stop '[{"name": "waits"}]'
ok "it can be stopped" romsim wait waits --state stopped --timeout 30
is "$(find "$TEMPLATES/new" -mindepth 1 -maxdepth 1 | wc -l)" 0 "which leaves nothing of a template"
ok "and is an instance as before when it is started" romsim start waits
romsim wait waits --state running --timeout 30 >/dev/null
is "$(find "$TEMPLATES/new" -mindepth 1 -maxdepth 1 | wc -l)" 0 "which nobody saves"

# ---- on demand
demand() { # NAME TEMPLATE-NAME COMMAND [MEMBERS]
    printf '%s' "{\"name\": \"$1\", \"template\": {\"name\": \"$2\", \"prepare\": true, \"create_args\":
        {\"image\": \"$T/base\", \"args\": [\"/bin/sh\", \"-c\", \"$3\"], \"tags\": [\"t\"]}${4-}},
        \"roms\": [{\"name\": \"r\", \"at\": \"/rom\", \"files\": [{\"path\": \"x\", \"data\": \"of $1\"}]}], \"autostart\": true}"
}
api POST /v1/instances "[$(demand d1 wanted "$saves"), $(demand d2 wanted "$saves")]"
is "$http $(field '.data.instances[] | .status' | tr '\n' ' ')" "200 success success " \
    "a template that is not there is made of what the request says"
for name in d1 d2; do
    romsim wait "$name" --state stopped --timeout 60 >/dev/null
    is "$(romsim logs "$name")" "mount /dev/ukp_rom1 -> /rom
of $name" "$name is a clone of it"
done
api GET /v1/instances/templates '[{"name": "wanted"}]'
is "$(field '.data.instances[0] | [.state, (.tags | join("+"))] | join(" ")')" "template t" "it is listed"
wanted=$(field '.data.instances[0].uuid')
api POST /v1/instances "$(demand d3 wanted 'echo another')"
api GET /v1/instances/templates '[{"name": "wanted"}]'
is "$(field '.data.instances[0].uuid')" "$wanted" "one that is there is taken as it is"
romsim wait d3 --state stopped --timeout 60 >/dev/null
like "$(romsim logs d3)" "of d3" "whatever it should be made of"
for i in 1 2 3; do
    curl -sS -g --noproxy '*' -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        --data-binary "$(demand "e$i" common "$saves")" "$url/v1/instances" -o "e$i.json" &
    curls[i]=$!
done
wait "${curls[@]}"
is "$(jq -r .status e?.json | sort -u)" success "three that want one at the same time get it"
is "$(romsim template ls --json | jq -r '.[].name' | grep -c common)" 1 "which is made once"
for name in e1 e2 e3; do
    romsim wait "$name" --state stopped --timeout 60 >/dev/null
    like "$(romsim logs "$name")" "of $name" "$name has its ROM"
done
api POST /v1/instances "$(demand f1 failing 'exit 3')"
is "$http $(field '.errors[0].error')" "400 10" "an app that ends before it is saved gives none"
like "$out" "the instance 'failing' ended before it could be saved" "which is said"
romsim get failing >/dev/null 2>&1
is $? 1 "and leaves no instance"
api POST /v1/instances "$(demand f2 slow 'sleep 1000' ', "prepare_timeout_s": 3')"
like "$out" "timed out: the template 'slow' is not there yet" "one that never is is waited for no longer than is said"
is "$(romsim get slow -o json | jq -r .name)" slow "and goes on"
romsim stop slow >/dev/null
romsim get slow >/dev/null 2>&1
is $? 1 "until it is stopped, which deletes it"
api POST /v1/instances "$(demand f3 waits "$saves")"
like "$out" "there is an instance 'waits', which does not become a template" "an instance of the name stays one"
api POST /v1/instances '{"template": {"name": "x", "create_args": {"image": "nowhere/it:is", "args": 7}}}'
is "$http" 400 "what a template is made of is checked"
like "$out" "the template 'x': Member 'args' must be a list" "in words"
api POST /v1/instances "{\"template\": {\"uuid\": \"$wanted\", \"create_args\": {}}}"
like "$out" "Cannot specify 'create_args' when 'uuid' is set" "it is made by a name"

cat >demand.yaml <<'YAML'
template:
  name: filed
  create_args: {image: ./base, args: [/bin/sh, -c, 'echo before; printf 1 >/uk/libukp/template_instance; exit 6']}
YAML
fails 6 "a file says it, too" romsim run -q demand.yaml
ok "which makes one" romsim template rm filed

# ---- what cannot be
api POST /v1/instances/templates '[{"name": "nobody"}]'
is "$(field '.data.instances[0] | [.error, .message] | map(tostring) | join(" ")')" \
    "8 No instance with name 'nobody'" "there has to be an instance"
romsim volume create tv --size 16M >/dev/null
instance full 'sleep 1000' ', "volumes": [{"name": "tv", "at": "/v"}]'
api POST /v1/instances/templates '[{"name": "full"}]'
is "$(field '.data.instances[0] | [.error, .message] | map(tostring) | join(" ")')" \
    "14 a template has no volumes: its clones may have some" "with volumes it cannot be one"
api POST /v1/instances/templates '[{"name": "c1"}]'
is "$(field '.data.instances[0] | [.error, .message] | map(tostring) | join(" ")')" \
    "1 a template of a template's clone is not simulated" "nor can a clone"
instance cold 'sleep 1000'
api POST /v1/instances/templates '[{"name": "cold"}]'
is "$(field '.data.instances[0] | [.error, .message] | map(tostring) | join(" ")')" \
    "23 A template instance with the name 'cold' already exists" "nor one whose name a template has"

# ---- changes
patch() { api PATCH "/v1/instances/templates/$uuid" "$1"; }
shown() { api GET "/v1/instances/templates/$uuid"; field "$1"; }
patch '{"id": "i", "prop": "tags", "op": "add", "value": ["b", "c"]}'
is "$http $(field '.data.instances[0] | [.status, .name, .id] | join(" ")')" "200 success cold i" "a template's tags are added to"
is "$(shown '.data.instances[0].tags | join("+")')" "a+b+c" "each is there once"
patch '{"prop": "tags", "op": "del", "value": ["a"]}'
patch '{"prop": "delete_lock", "op": "set", "value": true}'
is "$(shown '.data.instances[0] | [(.tags | join("+")), .delete_lock] | map(tostring) | join(" ")')" "b+c true" "taken from, and locked"
api DELETE /v1/instances/templates '[{"name": "cold"}]'
is "$(field '.data.instances[0] | [.error, .message] | map(tostring) | join(" ")')" \
    "14 Deletion protection enabled" "one that is locked is not deleted"
patch '{"prop": "image", "op": "set", "value": "x"}'
is "$(field '.data.instances[0] | [.error, .message] | map(tostring) | join(" ")')" \
    "7 'image' is not a property of a template that can be changed" "nothing else can be changed"
patch '{"prop": "tags", "op": "set", "value": "x"}'
is "$(field '.data.instances[0].error')" 16 "nor to what it cannot be"
patch '{"prop": "delete_lock", "op": "del"}'
api DELETE /v1/instances/templates '[{"name": "cold"}]'
is "$(field .status)" success "without the lock it is deleted"
api PATCH /v1/instances/templates '[{"name": "warm", "prop": "delete_lock", "op": "set", "value": true}]'
ok "the lock is none of those who are here" romsim template rm warm

romsim rm --all >/dev/null 2>&1
serve_end
ok "they are removed" romsim template rm wanted common
is "$(find "$TEMPLATES" -type f ! -path "$TEMPLATES/lock" | wc -l)" 0 "nothing is left"
done_testing
