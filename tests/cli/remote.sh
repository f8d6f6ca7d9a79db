#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# remote: what --host asks of a server, and what it makes of the answers: the right ones, those that
# the cloud is known to give, and those of a server that is none or means harm.
. "$(dirname "$0")/../lib.sh"
need curl "a server elsewhere" || done_testing
need python3 "a server elsewhere" || done_testing
need jq "a server elsewhere" || done_testing

mkdir answers
"$ROOT/tests/canned.py" answers >port 2>canned.err &
canned=$!
end() {
    local status=$?
    { kill $canned; wait $canned; } 2>/dev/null
    (exit $status)
    cleanup
}
trap end EXIT
for ((i = 0; i < 1200; i++)); do [ -s port ] && break; sleep 0.05; done
here=http://127.0.0.1:$(cat port)
export ROMSIM_HOST=$here ROMSIM_TOKEN=dXNlcjpzZWNyZXQ=
uuid=3c8a7d10-1111-4222-8333-444455556666

# answer METHOD.PATH[.N] BODY [HEAD]: what the next requests get.
answer() { printf '%s\n%s' "${3-200 application/json}" "$2" >"answers/$1"; }
# items BODY...: a good envelope of these items.
items() { local IFS=,; echo "{\"status\": \"success\", \"data\": {\"instances\": [$*]}, \"op_time_us\": 1}"; }
# item STATE [MORE]
item() {
    echo "{\"status\": \"success\", \"uuid\": \"$uuid\", \"name\": \"web\", \"state\": \"$1\"${2:+, $2}}"
}
# asked: what was asked since the last time.
asked() { cat answers/asked 2>/dev/null; rm -f answers/asked; }
quiet() { asked >/dev/null; rm -f answers/*.[0-9]*; }
b64() { printf %s "$1" | base64 -w 0; }
# page START TEXT STATE [AVAILABLE-END]: a page of the log.
page() {
    local end=$(($1 + ${#2}))
    item "$3" "\"output\": \"$(b64 "$2")\", \"available\": {\"start\": 0, \"end\": ${4:-$end}}, \"range\": {\"start\": $1, \"end\": $end}"
}

# ---- requests and answers ----------------------------------------------------------------------

answer GET.v1.instances "$(items "$(item running '"image": "a/b", "memory_mb": 128, "uptime_ms": 61000, "private_ip": "10.0.0.2", "romsim": {"ports": [{"port": 443, "destination_port": 80, "url": "http://127.0.0.1:8081"}]}')")"
ok "ps lists the server's instances" romsim ps
like "$out" "web   running 61s  a/b    128  10.0.0.2    8081->80" "as it does this machine's"
is "$(asked)" "GET /v1/instances?details=true Bearer dXNlcjpzZWNyZXQ=" "it asks for all, with the token"
is "$(romsim ps -q)" web "names only"
ok "--host has the last word" romsim ps -q --host "$here/v1/"
like "$(romsim ps --host http://v1 2>&1)" "cannot ask 'http://v1'" "a host of that name is a host"
is "$(romsim ps --host "" 2>&1)" "NAME  STATE  IMAGE  MB  PRIVATE IP  PORTS" "an empty --host is this machine"
is "$(ROMSIM_TOKEN='' UKC_TOKEN=other romsim ps -q; asked | tail -n 2)" \
    "web"$'\n'"GET /v1/instances?details=true Bearer other" "UKC_TOKEN has it, too"
is "$(ROMSIM_TOKEN='' romsim ps -q; asked)" "web"$'\n'"GET /v1/instances?details=true -" "no token is none"
romsim serve --listen 127.0.0.1:8080 --print-env >env
is "$(ROMSIM_TOKEN='' romsim ps -q; asked | tail -n 2)" \
    "web"$'\n'"GET /v1/instances?details=true Bearer $(sed -n "s/.*UKC_TOKEN='\(.*\)'/\1/p" env)" \
    "this account's own servers get this account's token"
is "$(ROMSIM_TOKEN='' http_proxy=$here romsim ps -q --host http://server.example:8080; asked | tail -n 2)" \
    "web"$'\n'"GET http://server.example:8080/v1/instances?details=true -" \
    "others do not, and are asked by the user's proxy"
is "$(http_proxy=http://127.0.0.1:1 romsim ps -q)" web "a proxy is not asked for this machine"
mkdir bin
printf '#!/bin/sh\necho "$@" >>%s/curls\nexec %s "$@"\n' "$T" "$(command -v curl)" >bin/curl
chmod +x bin/curl
is "$(PATH=$T/bin:$PATH romsim ps -q)" web "the token is on no command line"
is "$(cat curls)" "-q -sS -K -" "... of curl's"
quiet

ok "get shows all about one" romsim get web
like "$out" $'name: web\nstate: running' "in YAML"
is "$(asked | head -n 1)" "GET /v1/instances?details=false&name=web Bearer $ROMSIM_TOKEN" "it is looked for by its name"
romsim get "$uuid" >/dev/null
is "$(asked | head -n 1)" "GET /v1/instances?details=false&uuid=$uuid Bearer $ROMSIM_TOKEN" "or by its UUID"
romsim get 'a&b=c/ü' >/dev/null
is "$(asked | head -n 1)" "GET /v1/instances?details=false&name=a%26b%3Dc%2F%C3%BC Bearer $ROMSIM_TOKEN" "whatever it is"
answer GET.v1.instances '{"status": "error", "data": {"instances": [{"status": "error", "name": "webb", "message": "No instance with name '"'webb'"'", "error": 8}]}}'
fails 1 "what is not there is an error" romsim get webb
like "$out" "romsim: error: No instance with name 'webb'" "in the server's words"
like "$out" "hint: 'romsim ps -a' lists the instances of '$here'" "with a hint"
fails 1 "rm tells it, too" romsim rm webb
answer GET.v1.instances "$(items "$(item stopped)")"

answer PUT.v1.instances.stop "$(items "$(item running '"previous_state": "running"')")"
answer GET.v1.instances.wait "$(items "$(item stopped)")"
quiet
is "$(romsim stop --drain 2s web)" web "stop prints the name"
is "$(asked | tail -n 4)" "PUT /v1/instances/stop Bearer $ROMSIM_TOKEN
[{\"drain_timeout_ms\":2000,\"uuid\":\"$uuid\"}]
GET /v1/instances/wait Bearer $ROMSIM_TOKEN
[{\"state\":\"stopped\",\"timeout_s\":22,\"uuid\":\"$uuid\"}]" "after it has waited for the end"
fails 1 "the API has no time-out for a stop" romsim stop --timeout 5 web
like "$out" "error: the cloud's API has no time-out for the app's end" "and that is said"
answer DELETE.v1.instances "$(items '{"status": "error", "uuid": "'$uuid'", "name": "web", "message": "Deletion protection enabled", "error": 14}')"
fails 1 "an item that fails is an error" romsim rm web
like "$out" "error: Deletion protection enabled" "in its words"
answer DELETE.v1.instances "$(items "$(item stopped '"previous_state": "stopped"')")"
is "$(romsim rm web)" web "rm prints the name"

quiet
is "$(romsim wait -s stopped -t 1500ms web)" web "wait waits"
is "$(asked | tail -n 1)" "[{\"state\":\"stopped\",\"timeout_s\":2,\"uuid\":\"$uuid\"}]" "in whole seconds"
answer GET.v1.instances.wait '{"status": "error", "message": "The wait timed out", "data": {"instances": ['"$(item stopped)"']}}'
fails 1 "a wait that lapses is an error" romsim wait -t 1 web
is "$out" "romsim: error: timed out: 'web' is not running yet" "as it is here"

answer PATCH.v1.instances "$(items "$(item stopped)")"
quiet
mkdir code; echo 'hello' >code/x
is "$(romsim edit web --set memory=512M --add "rom=name=code,dir=$T/code,at=/code" 2>&1)" web "edit prints the name"
is "$(asked | sed -n 4p)" "[{\"prop\":\"memory_mb\",\"op\":\"set\",\"value\":512,\"uuid\":\"$uuid\"},{\"prop\":\"roms\",\"op\":\"add\",\"value\":[{\"name\":\"code\",\"files\":[{\"path\":\"x\",\"encoding\":\"base64\",\"data\":\"aGVsbG8K\"}],\"at\":\"/code\"}],\"uuid\":\"$uuid\"}]" \
    "and sends the edits as one request"
answer GET.v1.instances "$(items "$(item running '"updates": [{"prop": "memory_mb", "op": "set", "value": 512, "status": "pending"}]')")"
ok "an edit that waits" romsim edit web --set memory=512M
like "$out" "'web' is not stopped: this takes effect when it next stops" "is told of"

# What runs in the cloud, to be looked into here: the item is that of the cloud's own documents.
answer GET.v1.instances '{"status":"success","data":{"instances":[{"status":"success","uuid":"'$uuid'","name":"shop","created_at":"2026-05-28T13:53:40Z","state":"stopped","private_fqdn":"shop.internal","image":"oci://unikraft.io/my-org/base:latest","memory_mb":256,"vcpus":1,"args":["/bin/app"],"env":{"A":"1"},"stop_reason":1,"stop_code":32516,"exit_code":0,"restart_policy":"on-failure","scale_to_zero":{"enabled":true,"policy":"on","cooldown_time_ms":1000,"notify_time_ms":0,"stateful":false},"boot_time_us":1,"net_time_us":1,"start_count":3,"started_at":"2026-05-28T13:53:41Z","uptime_ms":9,"service_group":{"uuid":"'$uuid'","name":"floral-sun","domains":[{"fqdn":"x.fra.unikraft.app"}]},"network_interfaces":[{"uuid":"'$uuid'","private_ip":"10.0.0.9","mac":"12:b0:0a:00:00:09"}],"private_ip":"10.0.0.9","volumes":[{"uuid":"'$uuid'","name":"data","at":"/data","readonly":true}],"roms":[{"name":"app","image":"my-org/my-rom1:latest","at":"/rom"},{"name":"cfg","image":"'$uuid'","at":"/cfg"}]}]}}'
romsim get shop -o request >shop.json 2>shop.err
is "$? $(jq -c '[.name, .memory_mb, .restart_policy, .roms[0].image, .volumes[0]]' shop.json)" \
    '0 ["shop",256,"on-failure","my-org/my-rom1:latest",{"name":"data","at":"/data","readonly":true}]' \
    "get -o request is a request"
like "$(cat shop.err)" "does not tell the ports of service group 'floral-sun'" "its ports are not known"
like "$(cat shop.err)" "the ROM 'cfg' is inline, and its files are not told" "nor the files of an inline ROM"
ok "which the rules take" sh -c 'jq "del(.roms[1])" shop.json >shop2.json && exec "$0" request shop2.json' "$ROMSIM"
fails 2 "get knows no other form" romsim get shop -o xml

# ---- the log -----------------------------------------------------------------------------------

answer GET.v1.instances.log "$(items "$(page 0 $'one\ntwo\nthree\n' stopped)")"
answer GET.v1.instances "$(items "$(item stopped '"start_count": 1, "stop_reason": 3, "exit_code": 7, "boot_time_us": 5')")"
is "$(romsim logs web)" $'one\ntwo\nthree' "logs prints the console"
is "$(romsim logs -n 2 web)" $'two\nthree' "or its last lines"
quiet
long=$(head -c 40000 /dev/zero | tr '\0' x)
answer GET.v1.instances.log.1 "$(items "$(page 39999 x running)")"
answer GET.v1.instances.log.2 "$(items "$(page 0 "${long:0:16383}" running 40000)")"
answer GET.v1.instances.log.3 "$(items "$(page 16383 "${long:0:16383}" running 40000)")"
answer GET.v1.instances.log.4 "$(items "$(page 32766 "${long:0:7234}" running 40000)")"
is "$(romsim logs web | md5sum)" "$(printf %s "${long:0:40000}" | md5sum)" "a long log comes in pages"
is "$(asked | grep -c '^GET /v1/instances/log')" 4 "of which each is asked for once"
last=$(head -c 65529 /dev/zero | tr '\0' x)$'\none\ntw'
answer GET.v1.instances.log.1 "$(items "$(page 9999999 o running)")"
answer GET.v1.instances.log "$(items "$(page 9934464 "${last}o" running)")"
is "$(romsim logs -n 1 web)" two "for the last lines only the end is asked for"
is "$(asked | grep -o '"offset": [0-9]*' | head -n 2)" '"offset": 9934464'$'\n''"offset": 9950847' "64 KiB of it"
fails 1 "the API has no times in it" romsim logs --since 5m web
like "$out" "--tail LINES" "so that there is a hint"

# Following: it says something, is not there for a moment, says more, ends.
answer GET.v1.instances.1 "$(items "$(item running)")"
answer GET.v1.instances.2 "$(items "$(item running '"start_count": 1')")"
answer GET.v1.instances.log.1 "$(items "$(page 11 $'\n' running)")"
answer GET.v1.instances.log.2 "$(items "$(page 12 $'new\n' running)")"
answer GET.v1.instances.log.3 "" "drop"
answer GET.v1.instances.log.4 "$(items "$(page 16 $'newer\n' stopped)")"
answer GET.v1.instances.log "$(items "$(page 22 "" stopped)")"
fails 7 "attach ends with the app's status" romsim attach web
is "$out" $'new\nnewer' "and shows what it says from now on"
quiet
answer GET.v1.instances.log.1 "$(items "$(page 3 $'\n' running)")"
answer GET.v1.instances.log.2 "$(items "$(page 0 $'old\n' running)")"
answer GET.v1.instances.log.3 "$(items "$(page 3 $'\n' running)")"
answer GET.v1.instances.log.4 "$(items "$(page 4 $'new\n' running)")"
answer GET.v1.instances.1 "$(items "$(item running)")"
answer GET.v1.instances.2 "$(items "$(item running '"start_count": 1')")"
ok "logs -f ends with the app" romsim logs -f web
is "$out" $'old\nnew' "and shows what it said before, once"
answer GET.v1.instances "$(items "$(item stopped '"start_count": 1, "stop_reason": 1, "stop_code": 257')")"
fails 125 "attach to what is stopped already" romsim attach web
like "$out" "'web' is stopped: 'romsim start web' starts it" "has a hint"

# ---- start and create --------------------------------------------------------------------------

answer PUT.v1.instances.start "$(items "$(item starting '"previous_state": "stopped"')")"
start() {
    quiet
    answer GET.v1.instances.1 "$(items "$(item stopped)")"
    answer GET.v1.instances.2 "$(items "$(item stopped '"start_count": 1')")"
    answer GET.v1.instances.log.1 "$(items "$(page 0 "" stopped)")"
    answer GET.v1.instances.log.2 "$(items "$(page 0 "" starting)")"
    answer GET.v1.instances.log "$(items "$(page 0 "" "$1")")"
    answer GET.v1.instances "$(items "$(item "$1" "\"start_count\": 2, $2")")"
}
start running '"boot_time_us": 1000'
is "$(romsim start web 2>&1)" web "start prints the name of what runs"
start stopped '"boot_time_us": 1000, "stop_reason": 3, "exit_code": 3'
is "$(romsim start web 2>&1)" web "and of what has run"
start stopped '"boot_time_us": 0, "stop_reason": 1, "stop_code": 257'
fails 1 "a boot that fails is an error" romsim start web
like "$out" "the instance stopped, and its app did not end it (stop_reason 1, stop_code 0x101): 'romsim logs web' shows what it said" \
    "with what the server tells of it"
answer PUT.v1.instances.start "$(items '{"status": "error", "uuid": "'$uuid'", "name": "web", "message": "the instance is running, not stopped", "error": 11}')"
start running '"boot_time_us": 1000'
fails 1 "what cannot be started is an error" romsim start web
like "$out" "error: the instance is running, not stopped" "in the server's words"

cat >app.yaml <<END
name: app
image: org/base
autostart: true
roms:
  - {name: code, dir: code, at: /code}
END
answer POST.v1.instances "$(items "$(item starting)")"
start running '"boot_time_us": 1000'
rm answers/GET.v1.instances.log.1
quiet
is "$(romsim create app.yaml 2>&1)" web "create prints the names, and waits until they run"
asked >said
sed -n '/^{/,/^}/p' said | jq -S . >body 2>/dev/null || cp said body
romsim request app.yaml | jq -S . >wanted
same body wanted "it sends what request prints"
is "$(grep -c ^POST said)" 1 "once"
answer POST.v1.instances '{"status": "error", "message": "Too many: 8388608 bytes at most"}' "413 application/json"
fails 1 "what is refused as a whole" romsim create app.yaml
like "$out" "romsim: error: Too many: 8388608 bytes at most" "is told in the server's words"
answer POST.v1.instances '{"status": "partial_success", "data": {"instances": ['"$(item stopped)"', {"status": "error", "message": "Name taken", "error": 23}]}, "warnings": [{"type": "deprecated", "message": "wait_timeout_ms is deprecated"}, {"type": "not_simulated", "message": "accepted, but not simulated: tags"}]}'
fails 1 "one of several fails" romsim create app.yaml
like "$out" "web" "the other is named"
like "$out" "error: Name taken" "the error, too"
like "$out" "warning: wait_timeout_ms is deprecated" "and a warning of the server's"
unlike "$out" "not simulated" "but what is not simulated was said of the file"
answer POST.v1.instances '{"status": "error", "message": "app timed out", "data": {"instances": ['"$(item starting)"']}}'
fails 124 "a create whose timeout_s is over" romsim create app.yaml
like "$out" web "names the instance all the same"
quiet
fails 1 "an image of this machine cannot be sent" romsim create --image ./code --rom name=x,image=./code
like "$out" "the image './code' is on this machine, where the server does not see it" "the base"
like "$out" "the ROM image './code' is on this machine" "and the ROM"
like "$out" "'romsim image push NAME' sends it" "with a way"
is "$(asked)" "" "nothing was sent"
fails 2 "how a VM is run is the server's business" romsim create app.yaml --accel tcg
fails 1 "a file with an error is not sent" romsim create nothing.yaml
is "$(asked)" "" "nor asked about"

is "$(romsim volume ls 2>&1 >/dev/null)" "romsim: 'romsim volume ls' is about this machine, and not about ROMSIM_HOST" \
    "what has no other machine says so"
like "$(romsim run nothing.yaml 2>&1)" "'romsim run' is about this machine" "run, too"
unlike "$(romsim run -q nothing.yaml 2>&1)" "ROMSIM_HOST" "with -q it does not"

# ---- servers that are none, or mean harm -------------------------------------------------------

# refused ANSWER WORDS TEXT [HEAD]
refused() {
    answer GET.v1.instances "$1" "${4-200 application/json}"
    fails 1 "$3" romsim get web
    like "$out" "$2" "... and is told"
}
refused '<html>' "'$here' is no romsim: it answered with HTTP status 200 and text/html" "a web page" "200 text/html"
refused '' "HTTP status 500" "a server's own error" "500 text/plain"
refused '{"status": 7}' "is no romsim" "a status that is none"
refused '[]' "is no romsim" "a list"
refused '{"status": "error", "message": "no"}' "'$here' does not take the token of ROMSIM_TOKEN" "401 names the token" 401
refused '{"status": "error", "message": "Not for you\u001b[2J"}' 'error: Not for you\x1b[2J' "403 has the server's words" 403
refused '' "Empty reply from server" "no answer" drop
refused "$(items)" "the server does not say what became of it" "no item"
refused "$(items '{"uuid": "'$uuid'", "name": "a\u001b[31mb"}')" "has an instance whose name is none" "a name that is none"
refused "$(items '{"uuid": "../..", "name": "web"}')" "has an instance whose name is none" "a UUID that is none"
refused "$(printf '%0.s[' {1..3000})" "is no romsim" "three thousand brackets"
answer GET.v1.instances '{}' 401
is "$(ROMSIM_TOKEN='' XDG_DATA_HOME=$T romsim ps 2>&1 | head -n 1)" "romsim: error: '$here' asks for a token" "401 without a token"
answer GET.v1.instances "$(items "$(item running)")"
for range in '{"start": 0, "end": 9223372036854775807}' '{"start": -9223372036854775808, "end": 5}' \
    '{"start": 5, "end": 1}' '7' '{"start": 0, "end": 4}'; do
    answer GET.v1.instances.log "$(items "$(item running "\"output\": \"\", \"available\": $range, \"range\": $range")")"
    timeout 60 "$ROMSIM" logs web >log 2>&1
    case $? in 0 | 1) pass "a log with the range $range ends" ;; *) fail "a log with the range $range ends" "$(cat log)" ;; esac
done
answer GET.v1.instances.log "$(items "$(item running '"output": "%%%", "available": {"start": 0, "end": 3}, "range": {"start": 0, "end": 3}')")"
fails 1 "a log that is no base64" romsim logs web
like "$out" "the log is not in base64" "is told"
answer GET.v1.instances.log "$(items "$(item running '"output": 7')")"
ok "a log that is a number is none" romsim logs web

# ---- addresses ---------------------------------------------------------------------------------

while read -r address words; do
    fails 1 "'$address' is no address" romsim ps --host "$address"
    like "$out" "$words" "... $words"
done <<END
127.0.0.1:8080 it has to begin with http:// or https://
ftp://host it has to begin with http:// or https://
http:// it names no host
http:///v1 it names no host
http://user@host a user or a token does not belong into it
http://host/?x it has more than a host and a path
http://ho"st it has characters that no address has
END
fails 1 "a line break is in no address" romsim ps --host $'http://host\noutput = /tmp/x'
fails 1 "and in no token" env ROMSIM_TOKEN=$'a\noutput = "x"' "$ROMSIM" ps
like "$out" "ROMSIM_TOKEN has characters that no token has" "... and is told"
[ ! -e x ] && pass "nothing was written" || fail "nothing was written"
fails 1 "nobody listens" romsim ps --host http://127.0.0.1:1
like "$out" "does 'romsim serve' run there" "has a hint"
kill $canned
wait $canned 2>/dev/null
answer GET.v1.instances "$(items "$(item running)")"
fails 1 "a machine without curl" env PATH=/nowhere "$ROMSIM" ps
like "$out" "other machines are asked by curl: install it" "is told what to do"
done_testing
