#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_volumes.sh: volumes over HTTP, and instances that have them; nothing runs.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
. "$ROOT/tests/waiting.sh"
need guest "instances over HTTP" || done_testing
need jq "volumes over HTTP" || done_testing
need curl "volumes over HTTP" || done_testing
PATH=$PATH:/usr/sbin:/sbin
store=$XDG_DATA_HOME/romsim/volumes

fake_program base/bin/app
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/app]\n' >Kraftfile
mkdir root && cp -r base/bin root/
romsim image build . -t org/base:latest >/dev/null 2>&1
at_end() { local status=$?; romsim rm --all >/dev/null 2>&1; (exit $status); serve_cleanup; }
trap at_end EXIT
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
V=/v1/volumes

item() { printf '%s' "$out" | jq -c ".data.volumes[$1] | $2"; }
items() { printf '%s' "$out" | jq -c "[.data.volumes[] | $1]"; }
# failed CODE MESSAGE NAME: of the one item.
failed() {
    is "$http $(field .status) $(item 0 '[.status, .error]')" "200 error [\"error\",$1]" "$3"
    like "$(item 0 .message)" "$2" "with the reason"
}

# ---- POST ---------------------------------------------------------------------------------------
api POST $V '{"name": "data", "size_mb": 64, "tags": ["a", "b,c"]}'
is "$http $(field .status) $(item 0 '[.status, .name, .state]')" '200 success ["success","data","available"]' \
    "a volume is made"
uuid=$(item 0 .uuid | tr -d '"')
ok "it is one for all" e2fsck -fn "$store/ready/data/image"
is "$(romsim volume ls --json | jq -r '.[0].uuid')" "$uuid" "and has this UUID"
api POST $V '{"size_mb": 8}'
like "$(item 0 .name)" "vol-" "without a name it gets one"
random=$(item 0 .name | tr -d '"')
api POST $V '[{"name": "x1", "size_mb": 8, "access_mode": "rox"}, {"name": "data", "size_mb": 8}]'
is "$http $(field .status) $(items '[.status, .name, .error]')" \
    '200 partial_success [["success","x1",null],["error","data",23]]' "of several each has its own status"
is "$(item 1 .message)" '"A volume with the name '"'data'"' already exists"' "and its reason, in the cloud's words"
api POST $V '{"name": "x2", "size_mb": 8, "quota_policy": "dynamic", "uid": 7}'
is "$(field '.warnings[0].message')" "accepted, but not simulated: quota_policy, uid" "what has no effect is said"
api POST $V '{"name": "x", "size_mb": 4}';                          failed 7 "Invalid size of a volume: 4 MB" "too small a volume is refused"
api POST $V '{"name": "x"}';                                        failed 16 "Missing member size_mb" "so is one without a size"
api POST $V '{"name": "../x", "size_mb": 8}';                       failed 7 "Invalid volume name" "a path is no name"
api POST $V '{"name": "x", "host_path": "/etc"}';                   failed 14 "files of the host" "nothing of the host is named"
api POST $V '{"name": "x", "size_mb": 8, "filesystem": "virtiofs"}'; failed 1 "not simulated" "a file system that there is not is refused"
api POST $V '{"name": "x", "size_mb": 8, "access_mode": "rwx"}';    failed 1 "virtiofs" "so is an access mode that needs it"
api POST $V '{"name": "x", "size_mb": 8, "template": {"name": "t"}}'; failed 1 "not simulated" "and a template"
api POST $V "{\"name\": \"x\", \"size_mb\": 8, \"tags\": $(jq -nc '[range(17) | tostring]')}"; failed 5 "Too many tags" "seventeen tags are too many"
api POST $V '{"name": "x", "size_mb": "8"}'
is "$http $(field '.errors[0].error')" "400 16" "a wrong type fails as a whole"
api POST $V '{"name": "x", "size_mb": 8, "colour": "red"}'
is "$http $(field .message | grep -c 'is not a valid member')" "400 1" "so does an unknown member"
api POST $V ''
is "$http" 400 "and no body"
is "$(ls "$store/ready" | wc -l) $(ls "$store/new" | wc -l)" "4 0" "of all these nothing is left"

# ---- GET ----------------------------------------------------------------------------------------
api GET $V
is "$http $(field .status) $(items .status | jq -r 'unique | .[]')" "200 success success" "all are listed"
is "$(items .name | jq -c sort)" "[\"data\",\"$random\",\"x1\",\"x2\"]" "by both forms"
api GET "$V/$uuid"
is "$(item 0 'del(.used_bytes, .created_at)')" \
    "{\"uuid\":\"$uuid\",\"name\":\"data\",\"state\":\"available\",\"size_mb\":64,\"persistent\":true,\"filesystem\":\"ext4\",\"access_mode\":\"rwo\",\"quota_policy\":\"static\",\"delete_lock\":false,\"tags\":[\"a\",\"b,c\"],\"attached_to\":[],\"mounted_by\":[],\"status\":\"success\"}" \
    "one is shown as the cloud shows it"
is "$(item 0 .created_at | tr 1-9 0)" '"0000-00-00T00:00:00Z"' "with its time"
api GET "$V?name=data&uuid=$uuid&name=nothing"
is "$(field .status) $(items '[.status, .name, .error]')" \
    'partial_success [["success","data",null],["success","data",null],["error","nothing",8]]' "a query names several" 
api GET "$V?name=nothing"
is "$http $(field .status) $(item 0 .)" \
    "200 error {\"status\":\"error\",\"name\":\"nothing\",\"message\":\"No volume with name 'nothing'\",\"error\":8}" \
    "what is not there is an item, too"
api GET $V '[{"name": "x1"}, {"uuid": "77d0316a-fbbe-488d-8618-5bf7a612477a"}]'
is "$(items '[.name, .uuid, .error]' | jq -c '[.[0][0], .[1][1], .[1][2]]')" '["x1","77d0316a-fbbe-488d-8618-5bf7a612477a",8]' \
    "a body does, too"
api GET "$V?details=false"
is "$(items 'keys' | jq -c 'unique')" '[["name","status","uuid"]]' "without details there are names alone"
api GET "$V?tags=a,b%2Cc"
is "$(items .name)" '["data"]' "tags are all needed"
api GET "$V?count=2"
first=$(items .uuid)
api GET "$V?count=3&from=$(printf '%s' "$first" | jq -r '.[1]')"
is "$(items .uuid | jq -c '.[0]') $(items .uuid | jq length)" "$(printf '%s' "$first" | jq -c '.[1]') 3" "a page begins with the last one of the page before"
api GET "$V?order=desc"
is "$(items .uuid | jq -c '.[-2:] | reverse')" "$first" "the order may be the other one"
api GET "$V/data"
is "$http $(field .message)" "400 Invalid uuid 'data'" "a path takes a UUID only"
api GET "$V?details=True"
is "$http" 400 "and booleans are in lower case"

# ---- PATCH --------------------------------------------------------------------------------------
api PATCH $V '[{"name": "data", "prop": "tags", "op": "add", "value": ["d"]}, {"name": "data", "prop": "tags", "op": "del", "value": "a", "id": "7"}, {"name": "data", "prop": "size_mb", "op": "set", "value": 128}]'
is "$(field .status) $(items '[.status, .name, .id]')" 'success [["success","data",null],["success","data","7"],["success","data",null]]' \
    "properties are changed"
api GET "$V/$uuid"
is "$(item 0 '[.tags, .size_mb]')" '[["b,c","d"],128]' "and are so then"
is "$(stat -c %s "$store/ready/data/image")" $((128 << 20)) "the file, too"
api PATCH "$V/$uuid" '{"prop": "tags", "op": "set", "value": []}'
is "$(field .status)" success "by the path as well"
api PATCH "$V/$uuid" '{"prop": "size_mb", "op": "set", "value": 64}';    failed 7 "can only become larger" "a volume does not shrink"
api PATCH "$V/$uuid" '{"prop": "size_mb", "op": "set", "value": "1G"}';  failed 16 "must be a number" "a size is a number"
api PATCH "$V/$uuid" '{"prop": "size_mb", "op": "add", "value": 1}';     failed 7 "cannot be changed by" "and is set"
api PATCH "$V/$uuid" '{"prop": "quota_policy", "op": "set", "value": "dynamic"}'; failed 1 "not simulated" "what is not simulated cannot be changed"
api PATCH "$V/$uuid" '{"prop": "name", "op": "set", "value": "x"}';      failed 7 "'name' cannot be changed" "nor can a name"
api PATCH "$V/$uuid" '{"prop": "tags", "op": "add"}';                    failed 16 "Missing member" "a tag is needed"
api PATCH "$V/$uuid" '{"prop": "delete_lock", "op": "set", "value": true}'
api DELETE "$V/$uuid";                                                   failed 14 "Deletion protection enabled" "a lock keeps a volume"
api PATCH "$V/$uuid" '{"prop": "delete_lock", "op": "set", "value": false}'

# ---- attach and detach --------------------------------------------------------------------------
api POST /v1/instances '[{"name": "one", "image": "org/base:latest"}, {"name": "two", "image": "org/base:latest"}]'
is "$(field .status)" success "there are two instances"
one=$(printf '%s' "$out" | jq -r '.data.instances[0].uuid')
api PUT $V/attach "[{\"name\": \"data\", \"attach_to\": {\"uuid\": \"$one\"}, \"at\": \"/data\"}]"
is "$http $(field .status) $(item 0 .)" "200 success {\"uuid\":\"$uuid\",\"name\":\"data\",\"status\":\"success\"}" \
    "a volume is attached to one"
api GET "$V/$uuid"
is "$(item 0 '[.state, .attached_to, .mounted_by]')" "[\"idle\",[{\"uuid\":\"$one\",\"name\":\"one\"}],[]]" \
    "which has it then, but does not mount it"
api GET /v1/instances/$one
is "$(printf '%s' "$out" | jq -c '.data.instances[0].volumes')" \
    "[{\"uuid\":\"$uuid\",\"name\":\"data\",\"at\":\"/data\",\"readonly\":false}]" "and shows it"
api PUT "$V/$uuid/attach" '{"attach_to": {"name": "two"}, "at": "/d"}'; failed 15 "is attached to the instance 'one'" "another cannot have it"
api PUT "$V/$uuid/attach" '{"attach_to": {"name": "one"}, "at": "/d"}'; failed 23 "Duplicate volume 'data'" "nor can the same one twice"
api DELETE "$V/$uuid";                                                  failed 15 "is attached" "it is not removed"
api PATCH "$V/$uuid" '{"prop": "size_mb", "op": "set", "value": 256}';  failed 15 "is attached" "nor made larger"
api POST "$V/$uuid/clone" '{}';                                         failed 15 "is attached" "nor copied"
api PUT "$V/$uuid/detach" '{"from": {"name": "two"}}';                  failed 21 "is not attached to the instance 'two'" "it is taken from who has it only"
api PATCH /v1/instances/$one '{"prop": "volumes", "op": "set", "value": []}'
is "$(printf '%s' "$out" | jq -c '.data.instances[0].error')" 7 "an instance's properties have no volumes"
api PUT "$V/$uuid/detach" '{"from": {"name": "one"}}'
is "$(field .status)" success "from that it is"
api GET "$V/$uuid"
is "$(item 0 '[.state, .attached_to]')" '["available",[]]' "nobody has it then"
api PUT $V/detach '[{"name": "data"}]';                                 failed 21 "is not attached" "so that it cannot be taken from anybody"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "one"}, "at": "/r", "readonly": true}, {"name": "data", "attach_to": {"name": "two"}, "at": "/r", "readonly": true}, {"name": "x1", "attach_to": {"name": "two"}, "at": "/x"}]'
is "$(field .status) $(items '[.status, .error]')" 'partial_success [["success",null],["success",null],["error",14]]' \
    "who only reads may be several, and one that is for reading is not written to"
api GET "$V?name=data"
is "$(item 0 '[.attached_to[].name]')" '["one","two"]' "both have it"
api PUT $V/attach '[{"name": "x1", "attach_to": {"name": "two"}, "at": "/r", "readonly": true}]'; failed 23 "Duplicate mount point" "two volumes have two places"
api PUT $V/detach '{"name": "data"}'
api GET "$V?name=data"
is "$(item 0 .state)" '"available"' "both give it back"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "three"}, "at": "/r"}]'; failed 8 "No instance with name 'three'" "an instance has to be there"
api PUT $V/attach '[{"name": "data", "attach_to": {}, "at": "/r"}]';    failed 13 "Missing member uuid or name" "and named"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "one"}, "at": "r"}]'; failed 7 "Invalid mount point 'r'" "a place has to be one"
api PUT $V/attach "[{\"name\": \"data\", \"attach_to\": {\"name\": \"one\"}, \"at\": \"/$(head -c 100000 /dev/zero | tr '\0' x)\"}]"; failed 7 "Invalid mount point" "a long one is none"
api PUT $V/attach '[{"name": "data", "at": "/r"}]'
is "$http" 400 "what is left out fails as a whole"
keeper=$(romsim get two -o json | jq .romsim.keeper_pid)
stop_process "$keeper"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "two"}, "at": "/r"}]'; failed 12 "did not answer in time" "a keeper that is mute is not waited for without end"
kill -CONT "$keeper"
for ((i = 0; i < 300; i++)); do
    api GET "$V?name=data"
    [ "$(item 0 .state)" = '"idle"' ] && break
    sleep 0.1
done
api PUT $V/detach '[{"name": "data", "from": {"name": "two"}}]'
is "$(field .status)" success "what it did late is there"
api GET "$V?name=data"
is "$(item 0 .state)" '"available"' "and undone as ever"
api POST /v1/instances '{"name": "own", "image": "org/base:latest", "volumes": [{"name": "made", "size_mb": 8, "at": "/m"}, {"name": "data", "at": "/d"}]}'
is "$(field .status)" success "an instance is made with volumes"
api GET "$V?name=made"
is "$(item 0 '[.persistent, .attached_to[0].name]')" '[false,"own"]' "one of them is made for it"
api DELETE /v1/instances '[{"name": "own"}]'
api GET "$V?name=made&name=data"
is "$(items '[.name, .error, .state]')" '[["made",8,null],["data",null,"available"]]' "and goes with it"

# ---- clones, removal, templates -----------------------------------------------------------------
api POST $V/clone '[{"name": "data", "vol_name": "copy", "tags": ["t"]}, {"name": "x1"}, {"name": "data", "vol_name": "copy"}]'
is "$(field .status) $(items '[.status, .state, .error]')" \
    'partial_success [["success","available",null],["success","available",null],["error",null,23]]' "volumes are copied"
api GET "$V?name=copy"
is "$(item 0 '[.size_mb, .tags, .attached_to]')" '[128,["t"],[]]' "as large as they are"
ok "and as sound" e2fsck -fn "$store/ready/copy/image"
api GET $V/templates
is "$http $(field '.errors[0].error')" "501 1" "templates are not simulated"
api DELETE $V "$(api GET $V; items '{name: .name}')"
is "$(field .status) $(items .status | jq -c unique)" 'success ["success"]' "all are removed"
api GET $V
is "$(field .status) $(items .)" "success []" "none is left"
is "$(find "$store" -mindepth 2 | wc -l)" 0 "nor anything of them"
serve_end
is "$status" 0 "the server ends"
is "$(cat serve.err)" "" "and had nothing to say"
done_testing
