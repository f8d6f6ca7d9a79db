#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_create.sh: making, showing, changing and deleting instances over HTTP, as far as no VM has to
# run for it: tests/vm/serve.sh has those.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need jq "instances over HTTP" || done_testing
need curl "instances over HTTP" || done_testing

# A guest that cannot be started.
mkdir guest && : >guest/vmlinux >guest/initrd && echo "release 6.1.0" >guest/info
export ROMSIM_GUEST=$T/guest
fake_program base/root/bin/app
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/app]\n' >base/Kraftfile
ok "an image is in the store" romsim image build base -t org/base:latest
mkdir -p rom/config && echo '{"a": 1}' >rom/config/a.json
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [./config]\n' >rom/Kraftfile
ok "and a ROM" romsim image build rom -t org/config:latest

at_end() { local status=$?; romsim rm --all >/dev/null 2>&1; (exit $status); serve_cleanup; }
trap at_end EXIT
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
secret=$token
I=/v1/instances

# item N MEMBERS: members of an item of the answer, each in JSON.
item() { printf '%s' "$out" | jq -c ".data.instances[$1] | $2"; }
codes() { printf '%s' "$out" | jq -c '[.data.instances[] | .error // 0]'; }
envelope() { printf '%s' "$out" | jq -r '"\(.status) \([.errors[]? | .status, .error] | join(" "))"'; }

# ---- making one ---------------------------------------------------------------------------------
api POST $I '{"name": "one", "image": "org/base:latest", "memory_mb": 64, "env": {"A": "b"},
    "roms": [{"name": "config", "image": "org/config:latest", "at": "/config"},
             {"name": "code", "at": "/code",
              "files": [{"path": "/main.py", "data": "print(1)\n"},
                        {"path": "x/y.bin", "encoding": "base64", "data": "AAEC/w=="}]}]}'
is "$http $(field .status) $(item 0 .status)" '200 success "success"' "an instance is made of an object"
like "$(item 0 '[.name, .state, .private_fqdn]')" '["one","stopped","one.internal"]' "it is stopped, and has names"
like "$(item 0 .private_ip)" '"10.0.0.' "and an address"
is "$(item 0 'has("boot_time_us")')" false "nothing was waited for, so there is no boot time"
uuid=$(item 0 .uuid | tr -d '"')
like "$(romsim ps -a)" "one" "it is one of 'romsim ps'"
is "$(romsim get one -o json | jq -r .uuid)" "$uuid" "with the same UUID"

api GET "$I?uuid=$uuid"
is "$(item 0 '[.status, .name, .image, .memory_mb, .env.A]')" \
    '["success","one","org/base:latest",64,"b"]' "GET shows what was asked for"
is "$(item 0 '[.roms[] | .name, .at]')" '["config","/config","code","/code"]' "its ROMs"
is "$(item 0 '.roms[0].image')" '"org/config:latest"' "one by its image"
like "$(item 0 '.roms[1].image')" '-' "and an inline one by the UUID of its own image"
is "$(item 0 '[.state, .start_count, .restart_policy]')" '["stopped",0,"never"]' "and its state"

# ---- several ------------------------------------------------------------------------------------
api POST $I '[{"name": "two", "image": "org/base:latest", "tags": ["a:1", "b"]},
    {"name": "bad", "image": "org/nope:latest"}, {"image": "org/base:latest", "replicas": 1, "tags": ["b"]}]'
is "$http $(field .status)" "200 partial_success" "one of an array that fails is an item beside the others"
is "$(codes)" "[0,8,0,0]" "which are made, replicas behind theirs"
like "$(item 1 .message)" "No image with name 'org/nope:latest'" "it says why"
is "$(item 1 .name)" '"bad"' "and which"
is "$(printf '%s' "$out" | jq -r '[.warnings[]?.message] | join("|")')" "" "there is nothing to warn of"
api GET $I
is "$(printf '%s' "$out" | jq '.data.instances | length')" 4 "all are listed"
api POST $I '[{"name": "x", "image": "org/nope"}, {"name": "y", "image": "org/nope"}]'
is "$http $(field .status) $(codes)" "200 error [8,8]" "if all of several fail the status is still 200"
api POST $I '[{"name": "three", "image": "org/base:latest"}]'
is "$http $(field .status) $(item 0 .name)" '200 success "three"' "an array may have one"

# ---- what is refused as a whole -----------------------------------------------------------------
# refused TEXT HTTP CODE MESSAGE BODY
refused() {
    api POST $I "$5"
    is "$http $(envelope)" "$2 error $2 $3" "$1"
    like "$(field .message)" "$4" "and why"
}
B='"image": "org/base:latest"'
refused "a name that is taken" 409 23 "there is an instance 'one' already" "{\"name\": \"one\", $B}"
refused "an image that is not there" 404 8 "No image with name 'a/b'" '{"image": "a/b"}'
refused "no image" 400 16 "Missing member image" '{"name": "x"}'
refused "an unknown member" 400 16 "Unknown member 'imag': it is not a valid member (did you mean 'image'?)" '{"imag": "x"}'
refused "one in a ROM" 400 16 "it is not a valid member" "{$B, \"roms\": [{\"mount\": \"/x\"}]}"
refused "a wrong type" 400 16 "Member 'memory_mb' must be a number, not a string" "{$B, \"memory_mb\": \"64\"}"
refused "too little memory" 400 7 "memory_mb" "{$B, \"memory_mb\": 8}"
refused "image and files" 400 17 "Cannot specify 'files' when 'image' is set" \
    "{$B, \"roms\": [{\"name\": \"a\", \"at\": \"/a\", \"image\": \"org/config\", \"files\": []}]}"
refused "nine ROMs" 400 5 "ROMs" "{$B, \"roms\": [$(for i in 1 2 3 4 5 6 7 8 9; do
    printf '%s{"name": "r%s", "image": "org/config:latest"}' "$([ $i = 1 ] || echo ,)" $i; done)]}"
refused "a bad mount point" 400 7 "Invalid mount point '/proc/x'" "{$B, \"roms\": [{\"name\": \"a\", \"at\": \"/proc/x\", \"image\": \"org/config:latest\"}]}"
refused "a name twice in one body" 409 23 "Duplicate instance name 'z'" "[{\"name\": \"z\", $B}, {\"name\": \"z\", $B}]"
refused "a time-out without autostart" 400 17 "Cannot specify 'timeout_s' when 'autostart' is not set" "{$B, \"timeout_s\": 3}"
refused "text that is no JSON" 400 16 "no JSON value" "image: org/base:latest"
refused "JSON that is cut off" 400 16 "" '{"image": "org/base'
refused "another kind of value" 400 16 "An instance must be an object, not a number" "7"
refused "nothing" 400 16 "there is no instance in the request" "[]"
refused "several mistakes are told together" 400 16 "Unknown member 'a': it is not a valid member; Unknown member 'b'" "{$B, \"a\": 1, \"b\": 2}"
api POST $I
is "$http" 400 "and no body at all"
jq -nc '{image: "org/base:latest"} + ([range(150) | {key: "\(.)-\("é" * 200)", value: 1}] | from_entries)' >many.json
api POST $I "@many.json"
is "$http $(field .message | grep -o 'Unknown member' | wc -l)" "400 150" "however many, and long, they are"

# One source: what a file is told, a request is told.
printf '{"image": "x", "memory_mb": 8, "roms": [{"name": "a b", "at": "x", "files": [{"path": "../x", "data": "y"}]}]}' >bad.json
romsim check bad.json >said 2>&1
api POST $I "@bad.json"
missing=
while read -r line; do
    case $(field .message) in *"$line"*) ;; *) missing="$missing$line|" ;; esac
done < <(sed -n 's|^bad.json:[0-9:]* error: ||p' said | uncoded)
is "$missing" "" "a request is told what 'romsim check' says of the same file"
is "$(grep -c error: said)" "$(field .message | grep -o '; [A-Z]' | wc -l | awk '{print $1 + 1}')" "and no more"

# ---- what is of this machine --------------------------------------------------------------------
refused "a path for an image" 403 14 "a request cannot name files of the host" '{"image": "./base"}'
refused "one for a ROM's" 403 14 "a request cannot name files of the host" "{$B, \"roms\": [{\"image\": \"/etc\"}]}"
refused "an archive" 403 14 "a request cannot name files of the host" '{"image": "oci:base"}'
refused "a folder's files" 403 14 "Invalid dir '/etc'" "{$B, \"roms\": [{\"dir\": \"/etc\"}]}"
mkdir -p some && : >some/file
refused "a name that is a path as well is a name" 404 8 "No image with name 'some/file'" '{"image": "some/file"}'
# Not even looked for: a named pipe would hold up whoever opened it.
mkfifo pipe
refused "nothing is opened to find that out" 403 14 "a request cannot name files of the host" '{"image": "./pipe"}'

# ---- a body's size ------------------------------------------------------------------------------
head -c 9000000 /dev/zero | tr '\0' ' ' >large.json
api POST $I "@large.json"
is "$http $(envelope)" "413 error 413 22" "a body over 8 MB is refused"
# The most that the limits allow: eight ROMs of one megabyte do not fit as base64, six do.
{
    printf '{"name": "full", "image": "org/base:latest", "roms": ['
    for i in 1 2 3 4 5; do
        [ $i = 1 ] || printf ,
        printf '{"name": "r%s", "at": "/r%s", "files": [{"path": "data", "encoding": "base64", "data": "' $i $i
        head -c 1048576 /dev/urandom | base64 -w 0
        printf '"}]}'
    done
    printf ']}'
} >full.json
api POST $I "@full.json"
is "$http $(item 0 .name)" '200 "full"' "a large one is made"
api GET "$I?name=full"
is "$(item 0 '.roms | length')" 5 "with all of its ROMs"
if [ "${SANITIZE:-0}" != 1 ]; then
    rss=$(awk '/VmRSS/ {print $2}' "/proc/$(item 0 .romsim.keeper_pid)/status")
    if [ "$rss" -lt 60000 ]; then pass "its keeper does not keep the body"
    else fail "its keeper does not keep the body" "$rss kB"; fi
fi

# ---- lists --------------------------------------------------------------------------------------
names() { printf '%s' "$out" | jq -r '[.data.instances[].name] | join(" ")'; }
api DELETE $I '[{"name": "full", "timeout_s": -1}]'
is "$(item 0 '[.name, .previous_state, .status]')" '["full","stopped","success"]' "one is deleted"
api GET $I
all=$(names)
read -r first second rest <<<"$all"
is "$(printf '%s\n' $all | sort | xargs | sed 's/base-[a-z0-9]*/base/g')" "base base one three two" "all are listed"
is "$(printf '%s' "$out" | jq '[.data.instances[].romsim.created_us] | . == sort and .[0] > 0')" true "in the order of creation"
api GET "$I?order=desc"
is "$(names)" "$(printf '%s\n' $all | tac | xargs)" "or the other way"
api GET "$I?count=2&sortby=create_time"
is "$(names)" "$first $second" "so many at most"
first_uuid=$(item 0 .uuid | tr -d '"') second_uuid=$(item 1 .uuid | tr -d '"')
api GET "$I?count=2&from=$first_uuid"
is "$(names)" "$first $second" "from one on, which is in it"
api GET "$I?from=$second_uuid"
is "$(names)" "$second $rest" "then from the next"
api GET "$I?from=$second_uuid&order=desc"
is "$(names)" "$second $first" "backwards, too"
api GET "$I?from=00000000-0000-4000-8000-000000000000"
is "$http $(names)" "200 " "from one that is gone on there is nothing"
api GET "$I?from=2020-01-01T00:00:00Z"
is "$(names)" "$all" "from a time on"
api GET "$I?from=2100-01-01T00:00:00.5%2B02:00"
is "$(names)" "" "with parts of a second and an offset"
api GET "$I?from=yesterday"
is "$http $(envelope)" "400 error 400 7" "but no other word"
api GET "$I?details=false"
is "$(item 0 '[keys[]]')" '["name","status","uuid"]' "without details there are names and UUIDs"
api GET "$I?details=True"
is "$http" 400 "a boolean is in lower case"
api GET "$I?tags=b"
is "$(printf '%s' "$out" | jq '.data.instances | length')" 3 "those with a tag"
api GET "$I?tags=a%3A1,b"
is "$(names)" two "with both of two, divided by a comma before they are unescaped"
api GET "$I?tags=a:1&tags=b"
is "$(names)" two "or said twice"
api GET "$I?tags=a%3A1%2Cb"
is "$(names)" "" "a comma in a tag is escaped"
api GET "$I?name=two&name=nope&uuid=$uuid"
is "$http $(field .status) $(codes)" "200 partial_success [0,8,0]" "several are asked for by name and UUID"
is "$(item 1 '[.status, .name, .message, .error]')" '["error","nope","No instance with name '"'nope'"'",8]' \
    "one that is not there is an item"
is "$(names)" "two nope one" "in the order of the request"
api GET "$I?uuid=$(printf %s "$uuid" | tr a-f A-F)"
is "$(names)" one "a UUID is one in any case"
api GET $I "[{\"name\": \"two\"}, {\"uuid\": \"$uuid\"}]"
is "$(names)" "two one" "a body names them as well"
api GET "$I/$uuid"
is "$(names)" one "and a path"
api GET "$I/00000000-0000-4000-8000-000000000000"
is "$http $(field .status) $(codes)" "200 error [8]" "a UUID that nobody has"
api GET "$I/one"
is "$http $(envelope) $(field .message)" "400 error 400 7 Invalid uuid 'one'" "a path takes no name"
api GET "$I?uuid=one"
is "$http $(field .message)" "400 Invalid uuid 'one'" "nor does a filter of UUIDs"
api GET $I '[{"name": "one", "uuid": "'"$uuid"'"}]'
is "$http $(envelope)" "400 error 400 17" "name and uuid exclude each other"
api GET $I '[{}]'
is "$http $(envelope)" "400 error 400 13" "one of them has to be there"
api GET $I '[{"nam": "one"}]'
is "$http $(field .message)" "400 Unknown member 'nam': it is not a valid member (did you mean 'name'?)" "and nothing else"

# ---- changes ------------------------------------------------------------------------------------
api PATCH $I '[{"name": "one", "id": "m", "prop": "memory_mb", "op": "set", "value": 96},
    {"name": "one", "prop": "env", "op": "add", "value": {"C": "d"}},
    {"name": "one", "id": "r", "prop": "roms", "op": "del", "value": ["config"]},
    {"name": "nope", "id": "n", "prop": "memory_mb", "op": "set", "value": 96}]'
is "$http $(field .status) $(codes)" "200 partial_success [0,0,0,8]" "properties are changed, each by an item"
is "$(printf '%s' "$out" | jq -c '[.data.instances[].id]')" '["m",null,"r","n"]' "the ids come back"
api GET "$I?name=one"
is "$(item 0 '[.memory_mb, .env.C, ([.roms[].name] | join(" "))]')" '[96,"d","code"]' "all of it is there"
is "$(item 0 'has("updates")')" false "and nothing waits, as it is stopped"
api PATCH $I '[{"name": "one", "prop": "memory_mb", "op": "set", "value": 128}, {"name": "one", "prop": "vcpus", "op": "set", "value": 0}]'
is "$(field .status) $(codes)" "error [7,7]" "what is said of one instance is made as a whole or not"
api GET "$I?name=one"
is "$(item 0 .memory_mb)" 96 "so nothing was changed"
api PATCH "$I/$uuid" '{"prop": "roms", "op": "add", "value": [{"name": "new", "at": "/new", "files": [{"path": "a", "data": "b"}]}]}'
is "$(field .status) $(item 0 .name)" 'success "one"' "by the path, too"
api PATCH "$I/$uuid" '{"prop": "roms", "op": "add", "value": [{"name": "etc", "image": "/etc"}]}'
is "$(codes) $(item 0 .message | grep -c 'cannot name files of the host')" "[14] 1" "nothing of this machine comes in by it"
api PATCH "$I/$uuid" '{"prop": "roms", "op": "add", "value": [{"name": "etc", "dir": "/etc"}]}'
is "$(codes)" "[14]" "nor by a folder"
api PATCH "$I/$uuid" '{"prop": "image", "op": "set", "value": "some/file"}'
is "$(codes)" "[8]" "and a name is a name"
api PATCH "$I/$uuid" '{"prop": "colour", "op": "set", "value": 1}'
is "$(codes) $(item 0 .message)" "[7] \"'colour' is not a property that can be changed\"" "other properties cannot be changed"
api PATCH "$I/$uuid" '{"prop": "env", "op": "replace", "value": {}}'
is "$http" 400 "nor in other ways"
api PATCH $I '[]'
is "$http $(envelope)" "400 error 400 13" "no edit at all is a mistake"

api PATCH "$I/$uuid" '{"prop": "delete_lock", "op": "set", "value": true}'
api DELETE "$I/$uuid"
is "$(codes) $(item 0 .message)" '[14] "Deletion protection enabled"' "one that is protected is not deleted"
api PATCH "$I/$uuid" '{"prop": "delete_lock", "op": "del"}'
api GET "$I/$uuid"
is "$(item 0 '[.name, has("delete_lock")]')" '["one",false]' "until it is no more"

# ---- stop, log, wait without a VM ---------------------------------------------------------------
api PUT $I/stop '[{"name": "one"}]'
is "$(item 0 '[.state, .previous_state, .status]')" '["stopped","stopped","success"]' "a stopped one can be stopped"
api PUT "$I/$uuid/stop" '{"force": true}'
is "$(item 0 .status)" '"success"' "by its path"
api PUT "$I/stop?uuid=$uuid"
is "$(item 0 .status)" '"success"' "by the query"
api PUT "$I/$uuid/stop?force=true&drain_timeout_ms=1000"
is "$http $(envelope)" "400 error 400 17" "what is said of it may stand in the query, as older clients have it"
api PUT $I/stop '[{"name": "one", "force": true, "drain_timeout_ms": 1000}]'
is "$http $(envelope)" "400 error 400 17" "force and drain_timeout_ms exclude each other"
api PUT $I/stop '[{"name": "one", "ifstate": "running"}]'
is "$(codes)" "[11]" "one in another state than 'ifstate' is left alone"
api PUT $I/suspend '[{"name": "one"}]'
is "$(item 0 '[.status, .state]')" '["success","stopped"]' "what is stopped need not be suspended"
api PUT $I/stop '[]'
is "$http $(envelope)" "400 error 400 13" "nothing is not everything"
api DELETE $I
is "$http $(envelope)" "400 error 400 13" "least of all to delete"
api GET "$I/log?name=one"
is "$(item 0 '[.output, .available, .range, .state]')" '["",{"start":0,"end":0},{"start":0,"end":0},"stopped"]' "a log without a word"
api GET "$I/logs?name=one&offset=500"
is "$(item 0 '[.output, .available.end, .range.end]')" '["",0,0]' "out of range it is empty"
api GET "$I/log?name=one&limit=16384"
is "$http" 400 "its pages have their size"
api GET $I/log '[{"name": "one", "limit": 16383}, {"name": "nope"}]'
is "$(codes)" "[0,8]" "several logs"
api GET "$I/wait?name=one&state=stopped&timeout_s=-1"
is "$(field .status) $(item 0 '[.name, .state]')" 'success ["one","stopped"]' "who waits for what is so does not wait"
api GET "$I/wait?name=one"
is "$http $(field .status) $(item 0 '[.status, .state, .error]')" '200 error ["error","stopped",12]' "no time at all is over at once"
like "$(field .message)" "timed out" "in the words that clients look for"
api PUT $I/wait '[{"name": "one", "timeout_ms": 1}]'
is "$(field .status) $(printf '%s' "$out" | jq -r '.warnings[0].type')" "error deprecated" "the older member is deprecated"
api GET "$I/wait?name=one&state=jumping"
is "$http" 400 "there are states and other words"
api GET $I/metrics
is "$(printf '%s' "$out" | jq '[.data.instances[] | select(.status == "success" and .rss_bytes == 0 and .cpu_time_ms == 0)] | length')" \
    5 "all have metrics, and use nothing"
api GET "$I/$uuid/metrics"
is "$(item 0 '[.name, .state, .start_count]')" '["one","stopped",0]' "one by its path"

# ---- one that does not come to run ----------------------------------------------------------------
api POST $I "{\"name\": \"fails\", $B, \"autostart\": true, \"timeout_s\": 60}"
is "$http $(field .status) $(item 0 '[.status, .name, .state, has("error"), has("uuid")]')" \
    '200 error ["error","fails","stopped",false,true]' "one that stops before it runs is an item without a code"
unlike "$(field .message)" "timed out" "and no time is over"
api POST $I "{\"name\": \"goes\", $B, \"autostart\": true, \"timeout_s\": 60, \"features\": [\"delete-on-stop\"]}"
is "$(field .status) $(item 0 '[.status, .name, .state, has("error")]')" \
    'error ["error","goes","deleted",false]' "one that goes with its stop is deleted by then"
api PUT $I/start '[{"name": "fails", "timeout_s": 60}]'
is "$(field .status) $(item 0 '[.state, .previous_state]')" 'error ["stopped","stopped"]' "started again it is the same"
api POST $I "{$B, \"autostart\": true, \"wait_timeout_ms\": 60001}"
is "$(printf '%s' "$out" | jq -r '.warnings[0].type')" deprecated "the older time-out is deprecated here, too"

# ---- what is not there yet ------------------------------------------------------------------------
api GET "$I/$uuid/plugins/sandbox/v1/exec"
is "$http $(envelope)" "501 error 501 1" "a plugin is not supported, and says so"
refused "an instance of a template that is not there" 404 8 "No template instance with name 'x'" '{"template": {"name": "x"}}'
api GET $I/templates
is "$http $(field .status)" "200 success" "there are no templates"
api GET $I/checkpoints
is "$http $(field .status)" "200 success" "there are no checkpoints"

# ---- two at the same time -----------------------------------------------------------------------
for i in 1 2 3 4 5 6; do
    curl -sS --noproxy '*' -o "race.$i" -w '%{http_code}\n' -H "Authorization: Bearer $secret" \
        -d "{\"name\": \"race\", $B}" "$url$I" >"race.$i.http" &
    racers[i]=$!
done
wait "${racers[@]}"
is "$(cat race.*.http | sort | uniq -c | xargs)" "1 200 5 409" "of several that want one name one gets it"
is "$(jq -r '.errors[0].error // empty' race.? | sort -u)" 23 "and the others the code for it"

# ---- all at once --------------------------------------------------------------------------------
before=$(date +%s%N)
: >many.conf
for i in $(seq 64); do
    printf 'next\nurl = "%s"\ndata = "{%s}"\nheader = "Authorization: Bearer %s"\noutput = "many.%s"\n' \
        "$url$I" "${B//\"/\\\"}" "$secret" "$i" >>many.conf
done
curl -sS --noproxy '*' --parallel --parallel-max 64 -K many.conf >/dev/null 2>curl.err
echo "# 64 creates at once took $((($(date +%s%N) - before) / 1000000)) ms"
is "$(jq -r '.status' many.[0-9]* | sort | uniq -c | xargs)" "64 success" "64 are made at once"
is "$(jq -r '.data.instances[0].private_ip' many.[0-9]* | sort -u | wc -l)" 64 "each with an address of its own"
api GET "$I?details=false"
is "$(printf '%s' "$out" | jq '[.data.instances[].name] | unique | length')" \
    "$(romsim ps -a | tail -n +2 | wc -l)" "and all are listed"
printf '%s' "$out" | jq -c '[.data.instances[] | {uuid, timeout_s: -1}]' >all.json
api DELETE $I "@all.json"
is "$http $(field .status)" "200 success" "all are deleted in one request"
api GET $I
is "$(printf '%s' "$out" | jq -c .data.instances)" "[]" "and gone when it is answered"
is "$(romsim ps -a | wc -l)" 1 "for everybody"

# ---- a server that is killed ----------------------------------------------------------------------
api POST $I "{\"name\": \"stays\", $B}"
for i in 1 2 3 4 5 6 7 8; do
    curl -sS --noproxy '*' -o /dev/null -H "Authorization: Bearer $secret" -d "{\"name\": \"cut-$i\", $B}" \
        "$url$I" 2>/dev/null &
    cut[i]=$!
done
sleep 0.2
serve_end KILL
wait "${cut[@]}" 2>/dev/null
serve || { fail "a new server starts" "$(cat serve.err)"; done_testing; }
api GET "$I?name=stays"
is "$http $(item 0 .state)" '200 "stopped"' "a killed server's instances are the next one's"
api GET "$I?details=false"
is "$(names | tr ' ' '\n' | sort | xargs)" "$(romsim ps -a | awk 'NR > 1 {print $1}' | sort | xargs)" \
    "also those that were being made"
# What a maker leaves is a session of its own each.
makers() {
    local process
    for process in /proc/[0-9]*; do
        grep -qsa -- --make-for-server "$process/cmdline" && grep -qsa "XDG_DATA_HOME=$T/" "$process/environ" &&
            [ "$(awk '{print $6}' "$process/stat" 2>/dev/null)" != "${process#/proc/}" ] && echo "$process"
    done
}
for i in $(seq 50); do [ -z "$(makers)" ] && break; sleep 0.1; done
is "$(makers)" "" "and no maker is left"
# A client that goes away.
body="{\"name\": \"left\", $B}"
exec {line}<>"/dev/tcp/127.0.0.1/${url##*:}"
printf 'POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\n\r\n%s' \
    "$I" "$token" "${#body}" "$body" >&"$line"
exec {line}>&-
for i in $(seq 100); do
    api GET "$I?name=left&details=false"
    [ "$(codes)" = "[0]" ] && break
    sleep 0.1
done
is "$(codes)" "[0]" "a client that does not wait has its instance all the same"
serve_end
is "$status" 0 "the server ends when it is asked to"
like "$(romsim ps -a)" stays "and its instances stay"
ok "for others to remove" romsim rm --all

# ---- where paths are allowed --------------------------------------------------------------------
mkdir files && echo hi >files/a
serve --allow-paths || { fail "a server that follows paths starts" "$(cat serve.err)"; done_testing; }
secret=$token
api POST $I "{\"name\": \"paths\", \"image\": \"$T/base/root\", \"args\": [\"/bin/app\"], \"roms\": [{\"name\": \"f\", \"at\": \"/f\", \"dir\": \"$T/files\"}]}"
is "$http $(item 0 .name)" '200 "paths"' "with --allow-paths an image may be a folder, and a ROM its files"
api PATCH $I "[{\"name\": \"paths\", \"prop\": \"roms\", \"op\": \"add\", \"value\": [{\"name\": \"g\", \"image\": \"$T/files\"}]}]"
is "$(field .status)" success "an edit, too"
serve_end
serve || { fail "a server starts" "$(cat serve.err)"; done_testing; }
api PATCH $I "[{\"name\": \"paths\", \"prop\": \"memory_mb\", \"op\": \"set\", \"value\": 96}]"
is "$(field .status)" success "another server lets it keep them"
api PATCH $I "[{\"name\": \"paths\", \"prop\": \"roms\", \"op\": \"add\", \"value\": [{\"name\": \"h\", \"image\": \"$T/base/root\"}]}]"
is "$(codes)" "[14]" "but takes no more"
api DELETE "$I?name=paths"
serve_end
done_testing
