#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_services.sh: service groups, their scaling and certificates over HTTP, the user's quotas;
# nothing runs.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "instances over HTTP" || done_testing
need jq "service groups over HTTP" || done_testing
need curl "service groups over HTTP" || done_testing
need openssl "certificates over HTTP" || done_testing
kept=$XDG_DATA_HOME/romsim

mkdir -p root/bin
fake_program root/bin/app
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/app]\n' >Kraftfile
romsim image build . -t org/base:latest >/dev/null 2>&1
at_end() { local status=$?; romsim rm --all >/dev/null 2>&1; (exit $status); serve_cleanup; }
trap at_end EXIT
serve --metro test || { fail "the server starts" "$(cat serve.err)"; done_testing; }
S=/v1/services
C=/v1/certificates
none=77d0316a-fbbe-488d-8618-5bf7a612477a

list=service_groups
item() { printf '%s' "$out" | jq -c ".data.$list[$1] | $2"; }
items() { printf '%s' "$out" | jq -c "[.data.$list[] | $1]"; }
# failed CODE MESSAGE NAME: of the one item.
failed() {
    is "$http $(field .status) $(item 0 '[.status, .error]')" "200 error [\"error\",$1]" "$3"
    like "$(item 0 .message)" "$2" "with the reason"
}

# ---- groups -------------------------------------------------------------------------------------
api POST $S '{"name": "web", "services": [{"port": 443, "destination_port": 8080, "handlers": ["tls", "http"]}, {"port": 80, "handlers": ["http", "redirect"]}]}'
is "$http $(field .status) $(field .warnings)" "200 success " "a group is made"
uuid=$(item 0 .uuid | tr -d '"')
like "$(item 0 '.domains[0].fqdn')" ".test.unikraft.app" "it has a domain in the metro"
is "$(item 0 'del(.uuid, .created_at, .domains)')" \
    '{"name":"web","status":"success","persistent":true,"soft_limit":1,"hard_limit":65535,"services":[{"port":443,"destination_port":8080,"handlers":["tls","http"]},{"port":80,"destination_port":80,"handlers":["http","redirect"]}],"autoscale":false,"instances":[]}' \
    "and what the cloud's have"
api POST $S '[{"services": [{"port": 22}], "soft_limit": 2, "hard_limit": 4, "domains": [{"name": "www.example.com."}]}, {"name": "web", "services": [{"port": 22}]}]'
is "$(field .status) $(items '[.status, .error, .soft_limit]')" 'partial_success [["success",null,2],["error",23,null]]' \
    "of several each has its own status"
like "$(field '.warnings[0].message')" "not simulated: soft_limit, hard_limit, domains" "what is only kept is said"
poem=$(item 0 .name | tr -d '"')
like "$poem" - "one without a name gets one"
api POST $S '{"name": "x", "services": []}';                    failed 16 "Missing member services" "a group has a service"
api POST $S '{"name": "x", "services": [{"port": 443, "handlers": ["http"]}]}'; failed 7 "Invalid handlers for port 443" "with handlers that fit its port"
api POST $S '{"name": "x", "services": [{"port": 1}, {"port": 1}]}'; failed 23 "Duplicate service port 1" "each port once"
api POST $S '{"name": "a/b", "services": [{"port": 1}]}';       failed 7 "Invalid service group name" "a path is no name"
api POST $S '{"name": "x", "services": [{"port": 1}], "soft_limit": 9, "hard_limit": 8}'; failed 7 "Invalid soft_limit 9" "limits have an order"
api POST $S '{"name": "x", "services": [{"port": 1}], "domains": [{"name": "a b"}]}'; failed 7 "Invalid domain 'a b'" "a domain has labels"
api POST $S '{"name": "x", "services": [{"port": 1}], "domains": [{"name": "a", "certificate": {"name": "c"}}]}'; failed 8 "No certificate with name 'c'" "a certificate is there"
api POST $S '{"name": "x"}'
is "$http $(field '.errors[0].error')" "400 16" "what is left out fails as a whole"
api POST $S '{"name": "x", "services": [{"port": 1}], "colour": 1}'
is "$http $(field .message | grep -c 'is not a valid member')" "400 1" "so does an unknown member"
api GET $S
is "$(field .status) $(items .name | jq -c sort)" "success $(jq -nc "[\"web\", \"$poem\"] | sort")" "two are there"
api GET "$S/$uuid"
is "$(item 0 .name)" '"web"' "one is shown by its UUID"
api GET "$S?name=web&name=nothing&details=false"
is "$(items '[.name, .error, .services]')" '[["web",null,null],["nothing",8,null]]' "several by a query"
api GET $S "[{\"uuid\": \"$none\"}]"
is "$(item 0 .message)" "\"No service group with uuid '$none'\"" "or by a body"

# ---- PATCH --------------------------------------------------------------------------------------
api PATCH $S '[{"name": "web", "prop": "services", "op": "add", "value": [{"port": 22, "destination_port": 2222}]}, {"name": "web", "prop": "services", "op": "del", "value": [80], "id": "7"}, {"name": "web", "prop": "hard_limit", "op": "set", "value": 9}]'
is "$(field .status) $(items '[.status, .name, .id]')" 'success [["success","web",null],["success","web","7"],["success","web",null]]' "properties are changed"
like "$(field .warnings)" "keep the ports that they have" "for instances that come"
api GET "$S/$uuid"
is "$(item 0 '[[.services[].port], .hard_limit]')" "[[443,22],9]" "and are so then"
api PATCH "$S/$uuid" '{"prop": "services", "op": "set", "value": [{"port": 443, "handlers": ["tls"]}]}'; failed 7 "Invalid handlers for port 443" "by the same rules"
api PATCH "$S/$uuid" '{"prop": "services", "op": "set", "value": [{"destination_port": 443}]}'; failed 16 "Missing member port" "and shapes"
api PATCH "$S/$uuid" '{"prop": "services", "op": "del", "value": [443, 22]}';   failed 16 "Missing member services" "one has to stay"
api PATCH "$S/$uuid" '{"prop": "services", "op": "del", "value": [25]}';        failed 7 "has no '25'" "what is not there is not taken away"
api PATCH "$S/$uuid" '{"prop": "soft_limit", "op": "set", "value": 70000}';     failed 7 "Invalid soft_limit 70000" "a limit has its own"
api PATCH "$S/$uuid" '{"prop": "name", "op": "set", "value": "x"}';             failed 7 "'name' cannot be changed" "a name stays"
api PATCH "$S/$uuid" ''
is "$http $(field .message)" "400 Missing member prop" "nothing is no change"
api GET "$S/$uuid"
is "$(item 0 '[[.services[].port], .soft_limit]')" "[[443,22],1]" "of all these nothing is left"

# ---- instances ----------------------------------------------------------------------------------
api POST /v1/instances "[{\"name\": \"a\", \"image\": \"org/base:latest\", \"service_group\": {\"name\": \"web\"}},
    {\"name\": \"b\", \"image\": \"org/base:latest\", \"service_group\": {\"uuid\": \"$uuid\"}},
    {\"name\": \"c\", \"image\": \"org/base:latest\", \"service_group\": {\"name\": \"nothing\"}},
    {\"name\": \"d\", \"image\": \"org/base:latest\", \"service_group\": {\"services\": [{\"port\": 443, \"destination_port\": 8080}]}, \"replicas\": 1}]"
is "$(printf '%s' "$out" | jq -c '[.data.instances[] | .error]')" "[null,null,8,null,null]" "instances join groups, or make one"
is "$(printf '%s' "$out" | jq -c '.data.instances[2].message')" "\"No service group with name 'nothing'\"" "one that is not there is not joined"
api GET "/v1/instances?name=a"
is "$(printf '%s' "$out" | jq -c '.data.instances[0].service_group | [.uuid, .name, (.domains | length)]')" "[\"$uuid\",\"web\",1]" "an instance shows its group"
is "$(printf '%s' "$out" | jq -c '[.data.instances[0].romsim.ports[] | [.port, .destination_port]]')" '[[443,8080],[22,2222]]' "and has its ports"
api GET "$S/$uuid"
is "$(item 0 '[.instances[].name]')" '["a","b"]' "the group shows its instances"
api GET $S
own=$(printf '%s' "$out" | jq -r '.data.service_groups[] | select(.persistent == false) | .uuid')
is "$(items 'select(.persistent == false) | (.instances | length)')" "[2]" "replicas are in one group of their own"
api DELETE "$S/$uuid";  failed 15 "The service group 'web' is in use" "what is in use is not removed"
like "$(item 0 .message)" "'a', 'b'" "and by whom is said"
api DELETE "$S/$own";   failed 15 "is in use" "nor is what an instance has of its own"
api POST /v1/instances '{"name": "e", "image": "org/base:latest", "service_group": {"name": "web", "services": [{"port": 1}]}}'
is "$http $(field '.errors[0].error')" "409 23" "a new one of a name that is taken is refused"
api POST /v1/instances '{"name": "e", "image": "org/base:latest", "service_group": {"services": [{"port": 80, "handlers": ["tls"]}]}}'
is "$http $(field .message | grep -c 'Invalid handlers for port 80')" "400 1" "an instance's own ports have the same rules"
api PATCH "/v1/instances" '{"name": "a", "prop": "tags", "op": "add", "value": ["x"]}'
api GET "/v1/instances?name=a"
is "$(printf '%s' "$out" | jq -c '[.data.instances[0].service_group.name, [.data.instances[0].romsim.ports[].port]]')" '["web",[443,22]]' "an edit changes nothing of it"
api DELETE /v1/instances '[{"name": "a"}, {"name": "b"}]'
api GET "$S/$uuid"
is "$(item 0 .instances)" "[]" "when they go, the group stays"
api GET "$S/$own"
is "$(item 0 .persistent)" false "one of its own stays with the last"
romsim rm --all >/dev/null
is "$(ls "$kept/service-groups/entries" | wc -l)" 2 "one of its own is removed with the last"
api GET "$S/$own"
is "$(item 0 .error)" 8 "and goes with it"
romsim create --image org/base:latest -n cli -p "$(free_port):80" >/dev/null
api GET $S
is "$(items 'select(.persistent == false) | [.instances[].name]')" '[["cli"]]' "an instance of the command line has a group, too"
printf 'image: org/base:latest\nservice_group: {name: web}\n' >plan.yaml
is "$(romsim plan --json plan.yaml | jq -c '[.ports[] | [.port, .destination_port]]')" '[[443,8080],[22,2222]]' "a plan has the ports of a group"
printf 'image: org/base:latest\nservice_group: {name: nothing}\n' >plan.yaml
fails 1 "of one that is there" romsim plan plan.yaml
like "$out" "No service group with name 'nothing'" "as is said"
ok "the cloud may have it" romsim check plan.yaml
for i in 1 2 3 4 5 6 7 8; do
    curl -sS --noproxy '*' -H "Authorization: Bearer $token" --data-binary '{"name": "same", "services": [{"port": 1}]}' \
        "$url$S" >"same.$i" &
    pids[i]=$!
done
wait "${pids[@]}"
is "$(cat same.* | jq -sc '[.[].data.service_groups[0] | .error // 0] | sort')" "[0,23,23,23,23,23,23,23]" "of eight who make one name one wins"

# ---- scaling ------------------------------------------------------------------------------------
api POST "$S/$uuid/autoscale" '{"min_size": 1, "max_size": 8, "warmup_time_ms": 1000, "cooldown_time_ms": 1000, "high_watermark": 0.5, "template": {"name": "t"}}'
is "$http $(field .status) $(item 0 '[.name, .status]')" '200 success ["web","success"]' "scaling is said"
like "$(field '.warnings[0].message')" "autoscale: accepted, but not simulated" "and that it is not done"
api POST "$S/$uuid/autoscale" '{"min_size": 1}';                 failed 26 "configured already" "it is said once"
api POST $S/autoscale '[{"name": "same", "min_size": 9, "max_size": 8}]'; failed 29 "Invalid size of an autoscale group" "sizes have an order"
api POST $S/autoscale '[{"name": "nothing", "min_size": 1, "max_size": 8}]'; failed 8 "No service group with name 'nothing'" "of a group that there is"
list=policies
api POST "$S/$uuid/autoscale/policies" '{"name": "out", "type": "step", "metric": "cpu", "adjustment_type": "percent", "steps": [{"lower_bound": 600, "upper_bound": 800, "adjustment": 50}, {"upper_bound": 500, "adjustment": -50}]}'
is "$(field .status) $(item 0 '[.name, .status]')" 'success ["out","success"]' "a policy is added"
api POST "$S/$uuid/autoscale/policies" '{"name": "out"}';        failed 23 "A policy with the name 'out' already exists" "once"
api GET "$S/$uuid/autoscale/policies/out"
is "$(item 0 '[.policy.type, .policy.enabled, .policy.steps[1].adjustment]')" '["step",true,-50]' "and shown"
api GET "$S/$uuid/autoscale/policies/in";                        failed 8 "No policy with name 'in'" "one that is not there is not"
list=service_groups
api GET "$S/$uuid/autoscale"
is "$(item 0 '[.enabled, .min_size, .max_size, .high_watermark, .template.name, [.policies[].name]]')" '[true,1,8,0.5,"t",["out"]]' "all is shown"
api GET "$S/autoscale?name=web&name=same"
is "$(items '[.name, .enabled]')" '[["web",true],["same",false]]' "of several, too"
api GET "$S/$uuid"
is "$(item 0 .autoscale)" true "the group says so"
list=policies
api DELETE "$S/$uuid/autoscale/policies" '{"name": "out"}'
is "$(field .status)" success "a policy is taken away"
api DELETE "$S/$uuid/autoscale/policies/out";                    failed 8 "No policy with name 'out'" "once"
list=service_groups
api DELETE "$S/$uuid/autoscale"
is "$(field .status)" success "so is all"
api DELETE $S/autoscale '[{"name": "web"}]';                     failed 27 "not configured" "once"
list=policies
api POST "$S/$uuid/autoscale/policies" '{"name": "out"}';        failed 27 "not configured" "without it there are no policies"

# ---- certificates -------------------------------------------------------------------------------
certificate() { # NAME CN [SAN]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "${4:-30}" -keyout "$1.key" -out "$1.pem" \
        -subj "/O=Ours/CN=$2" ${3:+-addext "subjectAltName=$3"} 2>/dev/null
}
certificate one www.example.com
certificate two '*.example.com' 'DNS:*.example.com,DNS:example.com'
list=certificates
body() { jq -n --arg name "$1" --arg cn "$2" --rawfile chain "$3" --rawfile pkey "$4" \
    '{name: $name, cn: $cn, chain: $chain, pkey: $pkey} | if .name == "" then del(.name) else . end'; }
api POST $C "$(body cert www.example.com. one.pem one.key)"
is "$http $(field .status) $(item 0 '[.name, .common_name, .subject, .issuer, .state]')" \
    '200 success ["cert","www.example.com","CN=www.example.com,O=Ours","CN=www.example.com,O=Ours","valid"]' "a certificate is kept"
like "$(field '.warnings[0].message')" "no TLS" "and that it has no effect is said"
cert=$(item 0 .uuid | tr -d '"')
is "$(item 0 .serial_number | tr -d '"')" "$(openssl x509 -in one.pem -noout -serial | cut -d= -f2)" "with its number"
is "$(item 0 .not_after | tr -d '"')" "$(date -u -d "$(openssl x509 -in one.pem -noout -enddate | cut -d= -f2)" +%Y-%m-%dT%H:%M:%SZ)" "and its times"
is "$(item 0 '[.service_groups[].name]')" "[\"$poem\"]" "the group with its domain has it"
api GET "$S?name=$poem"
is "$(printf '%s' "$out" | jq -c '.data.service_groups[0].domains')" \
    "[{\"fqdn\":\"www.example.com\",\"certificate\":{\"uuid\":\"$cert\",\"name\":\"cert\"}}]" "and shows it"
is "$(grep -rl -e 'PRIVATE KEY' -e "$(sed -n 2p one.key)" "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR" "$XDG_CACHE_HOME" 2>/dev/null)" "" "the private key is nowhere"
api POST $C "$(body "" '*.example.com' two.pem two.key)"
like "$(item 0 .name)" "example.com-" "without a name it gets one"
api POST $C "$(body x www.example.org one.pem one.key)";    failed 30 "not for 'www.example.org'" "it is for its name"
api POST $C "$(body x www.example.com one.pem two.key)";    failed 7 "Invalid pkey" "with its key"
api POST $C "$(body x www.example.com one.key one.key)";    failed 7 "Invalid chain" "a chain has certificates"
head -c 300 one.pem >cut.pem
api POST $C "$(body x www.example.com cut.pem one.key)";    failed 7 "Invalid chain" "whole ones"
cat one.pem cut.pem >half.pem
api POST $C "$(body x www.example.com half.pem one.key)";   failed 7 "Invalid chain" "all of them"
openssl ec -in one.key -aes128 -passout pass:x -out locked.key 2>/dev/null
api POST $C "$(body x www.example.com one.pem locked.key)"; failed 7 "Invalid pkey" "and a key without a password"
api POST $C '{"name": "x", "chain": "", "pkey": ""}';       failed 16 "Missing member common_name" "a name is needed"
api POST $C "$(body x a one.pem one.key | jq '.common_name = "a"')"; failed 17 "Cannot specify 'cn'" "one of two"
api POST $C "$(body cert www.example.com one.pem one.key)"; failed 23 "A certificate with the name 'cert' already exists" "a name is given once"
certificate new www.example.com
api PATCH "$C/$cert" "$(body "" x new.pem new.key | jq 'del(.cn)')"
is "$(field .status) $(item 0 .serial_number | tr -d '"')" "success $(openssl x509 -in new.pem -noout -serial | cut -d= -f2)" "it is replaced"
api PUT "$C/$cert" "$(body "" x two.pem two.key | jq 'del(.cn)')"
is "$(field .status)" success "by one that is for its name as well"
api GET $C
is "$(items .status | jq -c length)" 2 "all are listed"
is "$(printf '%s' "$out" | grep -c 'BEGIN')" 0 "without what was sent"
api DELETE "$C/$cert";                                      failed 15 "The certificate 'cert' is in use" "what a group has stays"
list=service_groups
api DELETE $S "[{\"name\": \"$poem\"}]"
is "$(field .status)" success "the group goes"
list=certificates
api DELETE $C "[{\"name\": \"cert\"}]"
is "$(field .status)" success "and the certificate then"
api GET "$C/$cert";                                         failed 8 "No certificate with uuid" "it is not there any more"

# ---- quotas, health -----------------------------------------------------------------------------
list=quotas
romsim volume create data --size 64
api GET /v1/users/quotas
is "$(field .status) $(item 0 '.used | [.instances, .live_instances, .service_groups, .services, .volumes, .total_volume_mb]')" \
    'success [1,0,3,4,1,64]' "what is used is counted"
is "$(item 0 '.limits | [.min_memory_mb, .max_memory_mb, .min_volume_mb, .max_volume_mb]')" '[16,8192,8,1048576]' "and what may be is said"
is "$(item 0 '.hard.service_groups')" 1000 "as far as there is a limit"
me=$(item 0 .uuid | tr -d '"')
api GET "/v1/users/$me/quotas"
is "$(item 0 .uuid | tr -d '"')" "$me" "the user has a UUID"
api GET "/v1/users/$none/quotas";                           failed 8 "No user with uuid" "and there is no other"
token= api GET /v1/healthz
is "$http $(field .status) $(field .data.checks.images)" "200 success healthy" "the server says that it is there, to everybody"
serve_end
is "$(cat serve.err)" "" "it had nothing to say"
serve --no-auth || fail "another server starts" "$(cat serve.err)"
api GET "$S/$uuid"
list=service_groups
is "$(item 0 .name)" '"web"' "another server has the same groups"
is "$(stat -c %a "$kept/service-groups" "$kept/certificates" "$kept"/service-groups/entries/web/record.json | tr '\n' ' ')" "700 700 600 " "nobody else sees them"
done_testing
