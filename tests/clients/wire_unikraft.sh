#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# wire_unikraft.sh: what the CLI `unikraft` sends by its SDK (unikraft.com/cloud/sdk), and needs:
# cloud-api §1.1, §1.5, §2.  Its filters are JSON lists in the bodies of GETs; the answer has to
# have a Content-Type that can be parsed, a `status` of "success" or none, and so has each item.
. "$(dirname "$0")/wire.bash"
need guest "unikraft's requests" || done_testing

# sends TEXT METHOD PATH [BODY]
sends() {
    api "$2" "/v1$3" "${4-}" -H 'Accept: application/json' -H 'User-Agent: Go-http-client/1.1' \
        -H 'Accept-Encoding: gzip'
    type=$(tr -d '\r' <api.headers | sed -n 's/^[Cc]ontent-[Tt]ype: *//p')
    is "${http%??} $type $(jq -r '[.status, ([.data // {} | .[] | .[]? | objects | .status] | unique | join(","))] |
        join(" ")' <<<"$out" 2>&1)" "2 application/json success ${5-success}" "$1"
}
instance='{"uuid": "s!", "name": "s!", "state": "s!", "created_at": "s!", "image": "s!", "memory_mb": "u!",
    "vcpus": "u!", "args": ["s"], "env": "m", "boot_time_us": "u", "net_time_us": "u", "uptime_ms": "u",
    "start_count": "u", "restart_count": "u", "stop_reason": "u", "stop_code": "u", "exit_code": "u",
    "private_fqdn": "s", "private_ip": "s", "started_at": "s", "stopped_at": "s", "tags": ["s"],
    "roms": [{"name": "s", "image": "s", "at": "s"}],
    "updates": [{"prop": "s", "op": "s", "status": "s"}],
    "network_interfaces": [{"uuid": "s", "private_ip": "s", "mac": "s"}],
    "volumes": [{"uuid": "s", "name": "s", "at": "s"}],
    "service_group": {"uuid": "s", "name": "s", "domains": [{"fqdn": "s"}]}}'
app='trap "exit 3" TERM; echo hello; while :; do sleep 0.1; done'

make_images
start_server
without=$token token=
api GET / '' -H 'Accept: */*'
is "$http" 401 "who has no token sees that an API is there"
token=$without

# ---- unikraft instance create --rom name=app,dir=…,at=/rom: a path with a leading slash, base64
data=$(printf '%s' "$app" | base64 -w0)
sends "instance create --rom dir=" POST /instances "{\"name\":\"web\",\"image\":\"org/base:latest\",\"memory_mb\":128,\"roms\":[{\"name\":\"app\",\"at\":\"/rom\",\"files\":[{\"path\":\"/app.sh\",\"encoding\":\"base64\",\"data\":\"$data\"}]}],\"autostart\":true,\"timeout_s\":120}"
uuid=$(field '.data.instances[0].uuid')
sends "it reads what it made" GET '/instances?details=true' "[{\"uuid\":\"$uuid\"}]"
fits "which has the types of the SDK" "$instance"
is "$(field '.data.instances[0] | .state + .roms[0].name + .roms[0].at')" runningapp/rom "and its ROM"
sends "instance create --rom image=" POST /instances '{"name":"code","image":"org/base:latest","memory_mb":128,"roms":[{"name":"app","at":"/rom","image":"org/rom1:latest"}]}'
sends "instance list" GET '/instances?details=true'
is "$(field '[.data.instances[].name] | join(" ")')" "web code" "it has both"
sends "instance get" GET '/instances?details=true' '[{"name":"web"},{"name":"code"}]'
is "$(field '[.data.instances[].name] | join(" ")')" "web code" "in the order of the question"
api GET '/v1/instances?details=true' '[{"name":"web"},{"name":"nosuch"}]'
is "$http $(field .status) $(field '[.data.instances[] | .status + (.error // "" | tostring)] | join(" ")')" \
    "200 partial_success success error8" "what is not there stands beside what is, with code 8"

# ---- unikraft instance logs: pages, forwards, of exactly what was asked for
sends "instance logs asks for the instance first" GET '/instances?details=true' '[{"name":"web"}]'
is_said() {
    api GET /v1/instances/log '[{"name":"web","offset":0,"limit":16383}]'
    [ "$(field '.data.instances[0].available.end')" -ge 6 ]
}
eventually is_said && pass "its log grows" || fail "its log grows" "$out"
whole=$(field '.data.instances[0].output')
size=$(field '.data.instances[0].available.end')
is "$(base64 -d <<<"$whole" | wc -c)" "$size" "a page of all is all"
read_by() {
    local offset=0 step=$1
    while [ "$offset" -lt "$size" ]; do
        api GET /v1/instances/log "[{\"name\":\"web\",\"offset\":$offset,\"limit\":$step}]"
        field '.data.instances[0].output' | base64 -d >>pages
        # The end is exclusive, and a page that is not as long as its range stops the CLI.
        [ "$(field '.data.instances[0] | .range.end - .range.start')" = \
            "$(field '.data.instances[0].output' | base64 -d | wc -c)" ] || echo "$out" >>lengths
        offset=$(field '.data.instances[0].range.end')
        [ -n "$offset" ] || break
    done
}
for step in 1 5 4096; do
    rm -f pages lengths
    read_by $step
    is "$(head -c "$size" pages | base64 -w0)$(cat lengths 2>/dev/null)" "$(tr -d '\n' <<<"$whole")" \
        "pages of $step are it, too, each as long as its range"
done
sends "instance logs beyond the end" GET /instances/log '[{"name":"web","offset":1000000,"limit":4096}]'
is "$(field '.data.instances[0].output | length')" 0 "which is empty, and no error"

# ---- unikraft instance edit, stop, restart, delete
sends "instance edit --rom" PATCH /instances '[{"name":"code","prop":"roms","op":"add","value":[{"name":"more","image":"org/rom2:latest","at":"/more"}]},{"name":"code","prop":"env","op":"set","value":{"A":"1"}}]'
sends "which it reads again" GET '/instances?details=true' '[{"name":"code"}]'
is "$(field '.data.instances[0] | [.roms[].name, .env.A] | join(" ")')" "app more 1" "both are done"
sends "instance stop" PUT /instances/stop '[{"name":"web"}]'
sends "it waits" GET /instances/wait '[{"name":"web","state":"stopped","timeout_s":120}]'
sends "it reads it again" GET '/instances?details=true' '[{"name":"web"}]'
fits "which has the types of the SDK" "$instance"
is "$(field '.data.instances[0] | [.state, .exit_code] | join(" ")')" "stopped 3" "it has ended"
sends "instance start" PUT /instances/start '[{"name":"web","timeout_s":120}]'

# A wait that lasts: the client gives up when there are no headers within 30 s.
curl -sN --noproxy '*' -X GET -D waiting.headers -o /dev/null -H "Authorization: Bearer $token" \
    -H 'Content-Type: application/json' -d '[{"name":"web","state":"stopped","timeout_s":-1}]' \
    "$url/v1/instances/wait" &
waiting=$!
has_headers() { [ -s waiting.headers ]; }
eventually has_headers && pass "a wait without end has headers" || fail "a wait without end has headers"
like "$(head -1 waiting.headers)" " 200" "which are those of a success"

sends "instance delete waits until they are gone" DELETE /instances '[{"name":"web","timeout_s":-1},{"name":"code","timeout_s":-1}]'
wait $waiting
is $? 0 "a wait for one that is deleted ends, too"
sends "and nothing is left" GET '/instances?details=true' '' ''
is "$(field '.data.instances | length')" 0 "not one"

# ---- unikraft image list: the store's tags are bare, those of /images have a name
sends "image list" GET /image-store
is "$(field '[.data.images[].tags[]? | select(startswith("sha256:") | not)] | unique | join(" ")')" latest \
    "the store's tags are bare"
sends "or the older one" GET /images
like "$(field '[.data.images[].tags[]?] | join(" ")')" "base:latest" "whose tags have a name"
sends "quotas" GET /users/quotas
sends "healthz" GET /healthz '' ''
sends "volume list" GET /volumes '' ''
sends "service list" GET /services '' ''
done_testing
