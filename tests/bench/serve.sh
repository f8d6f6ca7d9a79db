#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve.sh: requests that `romsim serve` answers a second, and how long the slowest of a hundred
# takes, while instances run; what many requests and many idle connections do to its memory.
#
#     tests/bench/serve.sh [INSTANCES [SECONDS]]
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
instances=${1:-8} seconds=${2:-10}
for tool in guest wrk python3 jq; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done

trap 'romsim rm --all >/dev/null 2>&1; serve_cleanup' EXIT
"$SAMPLES/busybox-base.sh" base
{
    for number in $(seq "$instances"); do
        echo "- name: i$number
  image: ./base
  memory_mb: 64
  args: [/bin/sh, -c, 'while :; do sleep 10; done']
  roms: [{name: www, files: [{path: f, data: 'instance $number'}], at: /www}]
  service_group: {services: [{port: 443, destination_port: 8080, handlers: [tls, http]}]}"
    done
} >all.yaml
romsim run -dq all.yaml >/dev/null || exit 1
serve || { cat serve.err; exit 1; }
uuid=$(romsim get i1 -o json | jq -r .uuid)
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }

# load NAME PATH [LUA]: requests a second, and the 99th percentile in milliseconds.
load() {
    wrk -t2 -c16 -d"${seconds}s" --latency -H "Authorization: Bearer $token" ${3:+-s "$3"} \
        "$url$2" >wrk.out
    local rate p99
    rate=$(awk '/^Requests\/sec/ { print $2 }' wrk.out)
    p99=$(awk '$1 == "99%" { v = $2 + 0; if ($2 ~ /us$/) v /= 1000; else if ($2 !~ /ms$/) v *= 1000
        print v }' wrk.out)
    printf '  %-24s %10.0f/s %10.2f ms  %s\n' "$1" "$rate" "$p99" \
        "$(grep -o 'Non-2xx.*' wrk.out || true)"
    eval "${1%% *}_rate=$rate ${1%% *}_p99=$p99"
}
echo "$instances instances run, 16 connections, $(nproc) cores"
printf '  %-24s %12s %13s\n' "" "requests" "99%"
load "one by its UUID" "/v1/instances/$uuid"
load "list of all" "/v1/instances"
cat >body.lua <<'E'
wrk.body = '[{"name":"i1"},{"name":"i2"}]'
wrk.headers["Content-Type"] = "application/json"
E
load "two by a body" "/v1/instances" body.lua
printf 'ratio: GET of an instance, requests/s: %.0f (wanted: at least 2000)\n' "$one_rate"
printf 'ratio: GET of an instance, 99%%, ms: %.2f (wanted: at most 20)\n' "$one_p99"
printf 'ratio: GET of %s instances, requests/s: %.0f (wanted: at least 2000)\n' "$instances" "$list_rate"
printf 'ratio: GET of %s instances, 99%%, ms: %.2f (wanted: at most 20)\n' "$instances" "$list_p99"

before=$(memory)
requests=0
while [ "$requests" -lt 100000 ]; do
    wrk -t2 -c16 -d5s -H "Authorization: Bearer $token" "$url/v1/instances/$uuid" >wrk.out
    requests=$((requests + $(awk '/requests in/ { print $1 }' wrk.out)))
done
printf 'ratio: memory more after %s requests, KB: %s (wanted: at most 1000)\n' "$requests" \
    "$(($(memory) - before))"
python3 - "${url##*:}" "$server" <<'E'
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def memory():
    return [int(line.split()[1]) for line in open(f"/proc/{sys.argv[2]}/status")
            if line.startswith("VmRSS")][0]
before = memory()
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(1000)]
for each in held:
    each.sendall(b"GET / HTTP/1.1\r\n")
import time
time.sleep(1)
print(f"ratio: 1000 idle connections, KB: {memory() - before} (wanted: at most 20000)")
E
serve_end
