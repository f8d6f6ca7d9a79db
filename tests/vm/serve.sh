#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve.sh: instances over HTTP, as they run: what tests/cli/serve_create.sh cannot have without a VM.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "instances over HTTP" || done_testing
need jq "instances over HTTP" || done_testing
need curl "instances over HTTP" || done_testing

mkdir -p base/root rom/app
"$SAMPLES/busybox-base.sh" base/root
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/sh, /rom/app.sh]\n' >base/Kraftfile
cat >rom/app/app.sh <<'END'
trap 'echo bye; exit 3' TERM
echo "hello from a ROM image"
while :; do sleep 0.1; done
END
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [./app]\n' >rom/Kraftfile
ok "a base is in the store" romsim image build base -t org/base:latest
ok "and a ROM" romsim image build rom -t org/app:latest

at_end() { local status=$?; romsim rm --all >/dev/null 2>&1; (exit $status); serve_cleanup; }
trap at_end EXIT
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
I=/v1/instances

item() { printf '%s' "$out" | jq -c ".data.instances[$1] | $2"; }
output() { printf '%s' "$out" | jq -r ".data.instances[$1].output" | base64 -d; }
# inline TEXT...: a ROM whose app is this, as JSON.
inline() { jq -nc --arg data "$(printf '%s\n' "$@")" '[{name: "app", at: "/rom", files: [{path: "/app.sh", data: $data}]}]'; }
# logged NAME TEXT: waits until the log has it.
logged() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        api GET "$I/log?name=$1&limit=16383&offset=-16383"
        case $(output 0) in *"$2"*) return 0 ;; esac
        sleep 0.1
    done
    return 1
}

# ---- by object, with an inline ROM --------------------------------------------------------------
api POST $I "{\"name\": \"one\", \"image\": \"org/base:latest\", \"autostart\": true, \"timeout_s\": 120,
    \"roms\": $(inline "trap 'echo bye; exit 3' TERM" 'echo "hello $WHO"' 'while :; do sleep 0.1; done'),
    \"env\": {\"WHO\": \"you\"}}"
is "$http $(field .status) $(item 0 '[.name, .state]')" '200 success ["one","running"]' "who waits for an instance has it running"
is "$(item 0 '.boot_time_us > 0')" true "and is told how long that took"
uuid=$(item 0 .uuid | tr -d '"')
if logged one "hello you"; then pass "its app speaks"; else fail "its app speaks" "$(output 0)"; fi
is "$(item 0 '.range.end - .range.start')" "$(output 0 | wc -c)" "the log's range is what there is"
api GET "$I?name=one"
is "$(item 0 '[.state, .start_count, (.uptime_ms > 0)]')" '["running",1,true]' "GET shows that it runs"
first=$(item 0 .uptime_ms)
sleep 0.2
api GET "$I?name=one"
[ "$(item 0 .uptime_ms)" -gt "$first" ] && pass "and for how long" || fail "and for how long" "$first $(item 0 .uptime_ms)"

# ---- by array, with the store's -----------------------------------------------------------------
api POST $I '[{"name": "two", "image": "org/base:latest", "autostart": true,
               "roms": [{"name": "app", "image": "org/app:latest", "at": "/rom"}]},
              {"name": "idle", "image": "org/base:latest"}]'
is "$http $(field .status)" "200 success" "an array is made"
is "$(item 1 .state)" '"stopped"' "one without autostart is not started"
api GET "$I/wait?name=two" '' --max-time 300
is "$(field .status)" error "without a time-out nothing is waited for"
api GET $I/wait '[{"name": "two", "timeout_s": 120}, {"name": "one", "timeout_s": 120}]' --max-time 300
is "$(field .status) $(printf '%s' "$out" | jq -c '[.data.instances[].state]')" 'success ["running","running"]' "all are waited for"
if logged two "hello from a ROM image"; then pass "a ROM of the store is there"; else fail "a ROM of the store is there" "$(output 0)"; fi
api GET "$I/wait?name=two&state=stopped&timeout_s=1"
is "$http $(field .status) $(item 0 '[.status, .name, .state]')" '200 error ["error","two","running"]' "a wait that lapses tells the last state"
like "$(field .message)" "timed out" "in the words that clients look for"

# ---- the log by its offsets -----------------------------------------------------------------------
api POST $I "{\"name\": \"count\", \"image\": \"org/base:latest\", \"autostart\": true, \"timeout_s\": 120,
    \"roms\": $(inline 'i=0; while [ $i -lt 2000 ]; do echo "line $i of the log"; i=$((i + 1)); done; sleep 1000')}" --max-time 300
whole=
offset=0
for ((tries = 0; tries < 600; tries++)); do
    api GET $I/log "[{\"name\": \"count\", \"offset\": $offset, \"limit\": 5000}]"
    [ "$(item 0 .range.start)" = "$offset" ] || { fail "each piece begins where the last one ended" "$out"; break; }
    end=$(item 0 .range.end)
    output 0 >>whole
    [ "$end" -gt "$offset" ] || { grep -q 'line 1999 of' whole && break; sleep 0.1; }
    offset=$end
done
is "$(grep -c 'of the log' whole)" 2000 "pieces, one after the other, are the whole log"
is "$(stat -c %s whole)" "$offset" "to the byte"
api GET "$I/log?name=count"
is "$(output 0 | wc -c)" 4096 "without a word about it the last 4096 bytes"
is "$(output 0)" "$(tail -c 4096 whole)" "are given"
api GET "$I/log?name=count&offset=-10&limit=100"
is "$(output 0 | tail -1) $(item 0 .range.end)" "$(tail -c 10 whole | tail -1) $offset" "an offset from the end, with a limit beyond it"
api GET "$I/log?name=count&offset=10000000"
is "$(item 0 '[.range.start, .range.end, .available.end]')" "[$offset,$offset,$offset]" "beyond the end there is nothing"
api DELETE "$I?name=count"
is "$(field .status)" success "it is deleted as it runs"
api GET "$I?name=count"
is "$(item 0 .error)" 8 "and gone then"

# ---- edits while it runs --------------------------------------------------------------------------
api PATCH $I "[{\"name\": \"one\", \"prop\": \"roms\", \"op\": \"set\", \"value\": $(inline 'echo "another app"; sleep 1000')}]"
is "$(field .status)" success "ROMs of a running instance are changed"
api GET "$I/$uuid"
is "$(item 0 '.updates | [length, .[0].prop, .[0].status]')" '[1,"roms","pending"]' "when it stops"
is "$(item 0 '.updates[0] | has("network")')" false "what only romsim needs to know is not shown"
# The user's own edits and those of the network wait side by side.
mkdir -p mine && echo mine >mine/file
ok "the user may add a folder of his" romsim edit -q one --add "rom=name=mine,image=$T/mine,at=/mine"
api PATCH "$I/$uuid" '{"prop": "env", "op": "add", "value": {"MORE": "1"}}'
is "$(field .status)" success "an edit of the network waits behind it"
api PATCH "$I/$uuid" "{\"prop\": \"roms\", \"op\": \"add\", \"value\": [{\"name\": \"etc\", \"image\": \"$T/base\", \"at\": \"/etc2\"}]}"
is "$(item 0 .error)" 14 "and may still name no folder"
api PUT "$I/$uuid/stop"
is "$(item 0 .previous_state)" '"running"' "it is asked to stop"
api GET "$I/$uuid/wait?state=stopped&timeout_s=60" '' --max-time 120
is "$(field .status)" success "and stops"
api GET "$I/$uuid"
is "$(item 0 '[.exit_code, has("updates")]')" "[3,false]" "with its app's status, and the edits are made"
is "$(item 0 '[([.roms[].name] | join(" ")), .env.MORE]')" '["app mine","1"]' "all of them"
is "$(item 0 '.stop_reason')" 15 "by the user's wish"
api PUT "$I/$uuid/start" '{"timeout_s": 120}' --max-time 300
is "$(field .status) $(item 0 '[.state, .previous_state]')" 'success ["running","stopped"]' "it is started, and waited for"
if logged one "another app"; then pass "with the other ROM"; else fail "with the other ROM" "$(output 0)"; fi
api PUT "$I/$uuid/start"
is "$(item 0 .error)" 11 "one that runs cannot be started"

# ---- edits while it is stopped ----------------------------------------------------------------------
api PUT $I/stop "[{\"uuid\": \"$uuid\", \"force\": true}]"
api GET "$I/wait?uuid=$uuid&state=stopped&timeout_s=60" '' --max-time 120
api GET "$I/$uuid"
is "$(item 0 .stop_reason)" 28 "force is told from a wish"
api PATCH "$I/$uuid" '{"prop": "roms", "op": "add", "value": [{"name": "data", "at": "/data", "files": [{"path": "text", "data": "some data\n"}]}]}'
is "$(field .status)" success "ROMs of a stopped instance are changed at once"
api PATCH "$I/$uuid" '{"prop": "args", "op": "set", "value": ["/bin/cat", "/data/text"]}'
api PUT "$I/$uuid/start" '{"timeout_s": 120}' --max-time 300
if logged one "some data"; then pass "and there at the next start"; else fail "and there at the next start" "$(output 0)"; fi
# An app that ends by itself.
api GET "$I/$uuid/wait?state=stopped&timeout_s=60" '' --max-time 120
api GET "$I/$uuid"
is "$(item 0 '[.state, .exit_code, .stop_reason]')" '["stopped",0,3]' "an app that ends by itself has stopped"

# ---- metrics ----------------------------------------------------------------------------------------
api POST $I "{\"name\": \"web\", \"image\": \"org/base:latest\", \"autostart\": true, \"timeout_s\": 120,
    \"service_group\": {\"services\": [{\"port\": 8080, \"destination_port\": 8080}]},
    \"args\": [\"/bin/sh\", \"-c\", \"echo it works > /tmp/index.html; exec httpd -f -p 8080 -h /tmp\"]}" --max-time 300
is "$(field .status)" success "one with a service"
is "$(item 0 '.service_group | [has("uuid"), has("name"), (.domains[0] | has("fqdn"))]')" "[true,true,true]" "is in a group with a domain"
api GET "$I?name=web"
port=$(item 0 '.romsim.ports[0].url' | tr -d '"')
for ((tries = 0; tries < 300; tries++)); do
    [ "$(curl -sS --noproxy '*' --max-time 5 "$port/" 2>/dev/null)" = "it works" ] && break
    sleep 0.1
done
is "$(curl -sS --noproxy '*' "$port/")" "it works" "which this machine reaches"
api GET "$I/metrics?name=web"
is "$(item 0 '[.name, .state, (.rss_bytes > 1000000), (.cpu_time_ms > 0), (.boot_time_us > 0)]')" '["web","running",true,true,true]' "it takes memory and time"
is "$(item 0 '[.rx_bytes > 100, .rx_packets > 2, .tx_bytes > 100, .tx_packets > 2]')" "[true,true,true,true]" "and the network"
api GET $I/metrics
is "$(printf '%s' "$out" | jq -c '[.data.instances[] | select(.rss_bytes > 0) | .name] | sort')" '["two","web"]' "all are asked without a name"

# ---- a server that is killed ------------------------------------------------------------------------
curl -sS --noproxy '*' -o lost -H "Authorization: Bearer $token" -X GET \
    -d '[{"name": "two", "state": "stopped", "timeout_s": -1}]' "$url$I/wait" 2>/dev/null &
lost=$!
serve_end KILL
if wait $lost; then fail "a client of a killed server is cut off"; else pass "a client of a killed server is cut off"; fi
is "$(curl -sS --noproxy '*' "$port/")" "it works" "the instances live on"
serve || { fail "a new server starts" "$(cat serve.err)"; done_testing; }
api GET "$I?name=web&name=two&name=one&name=idle"
is "$(printf '%s' "$out" | jq -c '[.data.instances[].state]')" '["running","running","stopped","stopped"]' "and a new server shows all of them"
api PUT $I/stop '[{"name": "web"}, {"name": "two"}]'
is "$(field .status)" success "which obey it"
api GET $I/wait '[{"name": "web", "state": "stopped", "timeout_s": 60}, {"name": "two", "state": "stopped", "timeout_s": 60}]' --max-time 120
is "$(field .status)" success "and stop"
api PUT $I/start '[{"name": "two", "timeout_s": 120}, {"name": "nope"}, {"name": "web", "timeout_s": 120}]' --max-time 300
is "$(field .status) $(printf '%s' "$out" | jq -c '[.data.instances[] | .state // .error]')" 'partial_success ["running",8,"running"]' "several are started, and one is not there"
serve_end
is "$status" 0 "a server that ends"
is "$(romsim ps -a | awk '$1 == "web" {print $2}')" running "leaves them as they are"
serve || { fail "a new server starts" "$(cat serve.err)"; done_testing; }

# ---- the others' changes ----------------------------------------------------------------------------
ok "the commands are another client" romsim stop two
api GET "$I?name=two"
is "$(item 0 .state)" '"stopped"' "whose changes are seen at once"
romsim create --image ./base/root --name mine --args '/bin/sh -c "sleep 1000"' >/dev/null
api GET "$I?name=mine"
is "$(item 0 .name)" '"mine"' "as are their instances"
api DELETE $I '[{"name": "mine", "timeout_s": -1}, {"name": "web", "timeout_s": -1}, {"name": "two"}, {"name": "one"}, {"name": "idle"}]' --max-time 120
is "$(field .status) $(printf '%s' "$out" | jq -c '[.data.instances[].previous_state]')" \
    'success ["stopped","running","stopped","stopped","stopped"]' "all are deleted, whatever they are"
is "$(romsim ps -a | wc -l)" 1 "and gone"
is "$(curl -sS --noproxy '*' --max-time 5 "$port/" 2>&1 >/dev/null | grep -c curl)" 1 "with their ports"

# ---- one that deletes itself ------------------------------------------------------------------------
api POST $I "{\"name\": \"goes\", \"image\": \"org/base:latest\", \"autostart\": true, \"timeout_s\": 120, \"features\": [\"delete-on-stop\"],
    \"args\": [\"/bin/sh\", \"-c\", \"sleep 1\"]}" --max-time 300
like "$(field .status) $(item 0 .status)" 'success "success"' "one that runs and goes"
api GET "$I/wait?name=goes&state=stopped&timeout_s=60" '' --max-time 120
is "$(item 0 .error)" 8 "is not found by who waits for its stop"
serve_end
done_testing
