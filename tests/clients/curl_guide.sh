#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# curl_guide.sh: the cloud's guide to ROMs, by its API: the requests are those of the guide
# (samples/guide), and only the host is another one.
. "$(dirname "$0")/clients.bash"
need guest "the guide" || done_testing
need jq "the guide" || done_testing
if [ ! -e "$ROOT/build/samples/python-base.tar" ]; then
    need "make samples" "the guide"
    done_testing
fi

start_server
export UKC_METRO=$url UKC_TOKEN=$token ROMSIM
guide=$SAMPLES/guide

# ---- step by step
for folder in base:http-python rom1:my-rom1 rom2:my-rom2; do
    image "my-org/${folder#*:}:latest" "$guide/${folder%:*}"
done
# As the guide has it: a list of two, with the headers that it gives.
out=$(curl -sS -X POST -H "Authorization: Bearer ${UKC_TOKEN}" -H "Content-Type: application/json" \
    "$UKC_METRO/v1/instances" -d @"$guide/functions.json")
is "$(field '[.status, (.data.instances[] | .status, .name)] | join(" ")')" \
    "success success test-http-python-rom1 success test-http-python-rom2" \
    "two instances of one base are created by one request"
like "$(field '[.warnings[].message] | join(" ")')" "accepted, but not simulated: service_group.domains" \
    "what is not simulated is said"
# They scale to zero after a second: who is up may be on standby by the time that one looks.
are_up() {
    api GET /v1/instances
    [ "$(field '[.data.instances[].state | select(. == "running" or . == "standby")] | length')" = 2 ]
}
for ((tries = 0; tries < 1200; tries++)); do are_up && break; sleep 0.25; done
ok "both are up" are_up
api GET /v1/instances
is "$(field '[.data.instances[].roms[] | .name, .at] | join(" ")')" \
    "python_function.py /rom python_function.py /rom" "their ROMs are in the roms array"
is "$(field '[.data.instances[].service_group.domains[0].fqdn | split(".")[0]] | join(" ")')" \
    "test-http-python-rom1 test-http-python-rom2" "and they have their domains"
for i in 1 2; do
    api GET "/v1/instances?name=test-http-python-rom$i"
    port=$(field '.data.instances[0].romsim.ports[0].url')
    answer=$(curl -sS --fail --max-time 300 --retry 120 --retry-delay 1 --retry-all-errors "$port" 2>/dev/null)
    is "$answer" "Hi from $([ $i = 1 ] && echo 1st || echo 2nd) ROM!" "function $i answers"
done
api DELETE /v1/instances '[{"name":"test-http-python-rom1"},{"name":"test-http-python-rom2"}]'
is "$(field '[.data.instances[] | .name, .status] | join(" ")')" \
    "test-http-python-rom1 success test-http-python-rom2 success" "they are removed"

# ---- all of it, as the sample's own script does it
ok "samples/guide/run.sh does all of it" "$guide/run.sh"
for words in "Hi from 1st ROM!" "Hi from 2nd ROM!" "Hi from an inline ROM!"; do
    like "$out" "$words" "a function says '$words'"
done
api GET /v1/instances
is "$(field '.data.instances | length')" 0 "and it leaves nothing"
done_testing
