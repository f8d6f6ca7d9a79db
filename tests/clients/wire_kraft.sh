#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# wire_kraft.sh: what `kraft` sends by its SDK (sdk.kraft.cloud), and needs: cloud-api §1.1, §2.  A
# request has a Content-Type even if it has no body, GETs have bodies, and the connection is closed
# after each.  The answer's status has to be 200 exactly, `data` has one member, and numbers,
# strings and lists are of the types of its structs.
. "$(dirname "$0")/wire.bash"
need guest "kraft's requests" || done_testing

# sends TEXT METHOD PATH [BODY]: `kraft --metro http://.../v1`, whose Go client asks for gzip.
sends() {
    local type=()
    [ -n "${4-}" ] || type=(-H 'Content-Type: application/json') # api() has one for a body
    api "$2" "/v1$3" "${4-}" "${type[@]}" -H 'Accept: application/json' -H 'Connection: close' \
        -H 'User-Agent: Go-http-client/1.1' -H 'Accept-Encoding: gzip'
    is "$http $(jq -r '[.status, (.data // {} | length <= 1)] | join(" ")' <<<"$out" 2>&1)" \
        "200 success true" "$1"
}

# The structs of the SDK.
common='"status": "s", "message": "s", "error": "i", "uuid": "s!", "name": "s!"'
states='"state": "s!", "previous_state": "s!"'
group='{"uuid": "s", "name": "s", "domains": [{"fqdn": "s"}]}'
created="{$common, \"state\": \"s!\", \"private_fqdn\": \"s!\", \"private_ip\": \"s!\",
    \"service_group\": $group, \"boot_time_us\": \"i\"}"
got="{$common, \"created_at\": \"s!\", \"started_at\": \"s\", \"stopped_at\": \"s\", \"uptime_ms\": \"i\",
    \"restart\": {\"attempt\": \"i\", \"next_at\": \"s\"}, \"restart_policy\": \"s!\",
    \"stop_code\": \"u\", \"stop_reason\": \"u\", \"start_count\": \"u!\", \"restart_count\": \"u\",
    \"exit_code\": \"u\", \"state\": \"s!\", \"image\": \"s!\", \"memory_mb\": \"u!\", \"args\": [\"s\"],
    \"env\": \"m\", \"private_fqdn\": \"s!\", \"private_ip\": \"s!\", \"service_group\": $group,
    \"scale_to_zero\": {\"policy\": \"s\", \"stateful\": \"b\", \"cooldown_time_ms\": \"i\"},
    \"vcpus\": \"i!\", \"volumes\": [{\"uuid\": \"s\", \"name\": \"s\", \"at\": \"s\", \"readonly\": \"b\"}],
    \"network_interfaces\": [{\"uuid\": \"s\", \"private_ip\": \"s\", \"mac\": \"s\"}],
    \"boot_time_us\": \"i!\", \"snapshot\": {\"uuid\": \"s\"}}"
logged="{$common, \"output\": \"s!\", \"state\": \"s!\", \"range\": {\"start\": \"i!\", \"end\": \"i!\"},
    \"available\": {\"start\": \"i!\", \"end\": \"i!\"}}"
measured="{$common, \"state\": \"s\", \"start_count\": \"u\", \"restart_count\": \"u\", \"started_at\": \"s\",
    \"stopped_at\": \"s\", \"uptime_ms\": \"u\", \"boot_time_us\": \"u\", \"net_time_us\": \"u\",
    \"rss_bytes\": \"u!\", \"cpu_time_ms\": \"u!\", \"rx_bytes\": \"u!\", \"rx_packets\": \"u!\",
    \"tx_bytes\": \"u!\", \"tx_packets\": \"u!\", \"nconns\": \"u\", \"nreqs\": \"u\", \"nqueued\": \"u\",
    \"ntotal\": \"u\"}"
image='{"digest": "s", "tags": ["s"], "initrd": "b", "size_in_bytes": "i", "args": "s",
    "kernel_args": "s", "labels": "m"}'
quotas='{"uuid": "s!",
    "used": {"instances": "i!", "live_instances": "i!", "live_vcpus": "i!", "live_memory_mb": "i!",
        "service_groups": "i!", "services": "i!", "volumes": "i!", "total_volume_mb": "i!"},
    "hard": {"instances": "i", "live_vcpus": "i", "live_memory_mb": "i", "service_groups": "i",
        "services": "i", "volumes": "i", "total_volume_mb": "i"},
    "limits": {"min_memory_mb": "i!", "max_memory_mb": "i!", "min_vcpus": "i", "max_vcpus": "i",
        "min_volume_mb": "i", "max_volume_mb": "i", "min_autoscale_size": "i",
        "max_autoscale_size": "i"}}'
volume="{$common, \"state\": \"s!\", \"size_mb\": \"i!\", \"attached_to\": [{\"uuid\": \"s\", \"name\": \"s\"}],
    \"mounted_by\": [{\"uuid\": \"s\", \"name\": \"s\", \"readonly\": \"b\"}], \"persistent\": \"b!\",
    \"created_at\": \"s!\"}"
service="{$common, \"created_at\": \"s!\", \"persistent\": \"b!\", \"autoscale\": \"b!\",
    \"services\": [{\"port\": \"i!\", \"destination_port\": \"i!\", \"handlers\": [\"s\"]}],
    \"domains\": [{\"fqdn\": \"s!\", \"certificate\": {\"uuid\": \"s\", \"name\": \"s\", \"state\": \"s\"}}],
    \"instances\": [{\"uuid\": \"s\", \"name\": \"s\"}], \"soft_limit\": \"i\", \"hard_limit\": \"i\"}"

make_images
start_server
is "$(base64 -d <<<"$token" | tr -cd : | wc -c)" 1 "the token is base64 of user:secret, as kraft wants it"

loop='trap \"exit 3\" TERM; echo hello; while :; do sleep 0.1; done'

# ---- instances: kraft knows no ROMs, so the app is in the arguments
sends "instance create" POST /instances "{\"name\":\"web\",\"image\":\"org/base:latest\",\"args\":[\"/bin/sh\",\"-c\",\"$loop\"],\"memory_mb\":128,\"service_group\":{\"services\":[{\"port\":443,\"destination_port\":8080,\"handlers\":[\"tls\",\"http\"]}]},\"autostart\":true,\"restart_policy\":\"never\",\"features\":[]}"
fits "its answer has the types of the SDK" "$created"
uuid=$(field '.data.instances[0].uuid')
sends "instance list" GET /instances
fits "its answer has the types of the SDK" "$got"
sends "instance get by name" GET /instances '[{"name":"web"}]'
fits "its answer has the types of the SDK" "$got"
is "$(field '.data.instances[0].uuid')" "$uuid" "and is the one that was asked for"
sends "instance get by UUID" GET /instances "[{\"uuid\":\"$uuid\"}]"
is "$(field '.data.instances[0].name')" web "and is the one that was asked for"
sends "instance wait" GET /instances/wait '[{"name":"web","state":"running","timeout_ms":120000}]'
is "$(field '.data.instances[0].state')" running "it waits in milliseconds"
api GET /v1/instances/wait '[{"name":"web","state":"stopped","timeout_ms":1}]'
is "$http $(field .status) $(field '.data.instances[0].state')" "200 error running" \
    "a wait that is too long is an error with the state"
says_hello() {
    api GET /v1/instances/log '[{"limit":16383,"name":"web","offset":-16383}]'
    [[ $(field '.data.instances[0].output' | base64 -d 2>/dev/null) == *hello* ]]
}
eventually says_hello && pass "instance logs --tail: the end of the log" ||
    fail "instance logs --tail: the end of the log" "$out"
fits "its answer has the types of the SDK" "$logged"
end=$(field '.data.instances[0].available.end')
is "$(field '.data.instances[0].range | .end - .start')" \
    "$(field '.data.instances[0].output' | base64 -d | wc -c)" "its range is as long as its output"
sends "instance logs, at the end" GET /instances/log "[{\"limit\":4096,\"name\":\"web\",\"offset\":$end}]"
is "$(field '.data.instances[0] | (.range.end | tostring) + .output')" "$end" \
    "a range that is empty ends where it was asked for: there kraft stops reading"
sends "instance metrics" GET /instances/metrics '[{"name":"web"}]'
fits "its answer has the types of the SDK" "$measured"
sends "instance stop" PUT /instances/stop '[{"drain_timeout_ms":1000,"force":false,"name":"web"}]'
fits "its answer has the types of the SDK" "{$common, $states}"
sends "wait for its end" GET /instances/wait '[{"name":"web","state":"stopped","timeout_ms":120000}]'
sends "instance get of one that is stopped" GET /instances '[{"name":"web"}]'
fits "its answer has the types of the SDK" "$got"
sends "instance start" PUT /instances/start '[{"name":"web","wait_timeout_ms":120000}]'
fits "its answer has the types of the SDK" "{$common, $states}"
is "$(field '.data.instances[0].state')" running "and has waited"
api GET /v1/instances '[{"name":"nosuch"}]'
is "$http $(field .status) $(field '.data.instances[0].error') $(field '.data.instances[0].message')" \
    "200 error 8 No instance with name 'nosuch'" "what is not there is an error with code 8"

# ---- the rest
sends "image list" GET /images/list
fits "its answer has the types of the SDK" "$image"
[[ $(field '[.data.images[].tags[]?] | join(" ")') == *org/base* ]] && pass "it has the store's images" ||
    fail "it has the store's images" "$out"
sends "image get" GET /images/list '[{"tag":"org/base:latest"}]'
is "$(field '.data.images | length')" 1 "it has the one that was asked for"
sends "quotas" GET /users/quotas
fits "its answer has the types of the SDK" "$quotas"
sends "volume create" POST /volumes '{"name":"disk","size_mb":8}'
sends "volume create, without a name" POST /volumes '{"name":null,"size_mb":8}'
unnamed=$(field '.data.volumes[0].uuid')
sends "volume list" GET /volumes
fits "its answer has the types of the SDK" "$volume"
sends "volume get" GET /volumes '[{"name":"disk"}]'
sends "volume remove" DELETE /volumes "[{\"name\":\"disk\"},{\"uuid\":\"$unnamed\"}]"
sends "service create" POST /services '{"name":"front","services":[{"port":443,"destination_port":8080,"handlers":["tls","http"]}]}'
sends "service list" GET /services
fits "its answer has the types of the SDK" "$service"
sends "service get" GET /services '[{"name":"front"}]'
sends "service remove" DELETE /services '[{"name":"front"}]'
sends "certificate list" GET /certificates
sends "instance remove" DELETE /instances "[{\"uuid\":\"$uuid\"}]"
fits "its answer has the types of the SDK" "{$common, \"previous_state\": \"s!\"}"
gone() {
    api GET /v1/instances
    [ "$(field '.data.instances | length')" = 0 ]
}
eventually gone && pass "and nothing is left" || fail "and nothing is left" "$out"
done_testing
