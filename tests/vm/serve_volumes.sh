#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_volumes.sh: over HTTP a volume goes from one instance to another, with what is in it; and the
# ports of a service group lead to the instances that join it.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "instances over HTTP" || done_testing
need jq "volumes over HTTP" || done_testing
need curl "volumes over HTTP" || done_testing

mkdir -p base/root
"$SAMPLES/busybox-base.sh" base/root
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\n' >base/Kraftfile
romsim image build base -t org/base:latest >/dev/null 2>&1
at_end() { local status=$?; romsim rm --all >/dev/null 2>&1; (exit $status); serve_cleanup; }
trap at_end EXIT
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
I=/v1/instances
V=/v1/volumes

volume() { api GET "$V?name=$1"; printf '%s' "$out" | jq -c ".data.volumes[0] | $2"; }
instance() { api GET "$I?name=$1"; printf '%s' "$out" | jq -c ".data.instances[0] | $2"; }
logged() {
    local tries
    for ((tries = 0; tries < 900; tries++)); do
        api GET "$I/log?name=$1&limit=16383&offset=-16383"
        case $(printf '%s' "$out" | jq -r '.data.instances[0].output' | base64 -d) in *"$2"*) return 0 ;; esac
        sleep 0.1
    done
    return 1
}
# make NAME COMMAND
make() {
    api POST $I "$(jq -nc --arg name "$1" --arg command "trap 'exit 0' TERM; $2; echo ready \$HOSTNAME; while :; do sleep 0.1; done" \
        '{name: $name, image: "org/base:latest", args: ["/bin/sh", "-c", $command]}')"
}
stop() { api PUT $I/stop "[{\"name\": \"$1\"}]"; api GET "$I/wait?name=$1&state=stopped&timeout_s=100"; }

api POST $V '{"name": "data", "size_mb": 64}'
make one "echo written by one >/data/file; sync"
make two "cat /data/file; df -m /data"
is "$(field .status)" success "there are a volume and two instances"

# ---- from one to the other ----------------------------------------------------------------------
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "one"}, "at": "/data"}]'
is "$(field .status)" success "one of them gets it"
api PUT $I/start '[{"name": "one"}]'
if logged one "ready"; then pass "and runs with it"; else fail "and runs with it" "$out"; fi
is "$(volume data '[.state, .mounted_by[0].name]')" '["mounted","one"]' "it is mounted"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "two"}, "at": "/data"}]'
is "$(printf '%s' "$out" | jq -c '.data.volumes[0].error')" 15 "the other cannot have it"
api PUT $V/detach '[{"name": "data", "from": {"name": "one"}}]'
is "$(printf '%s' "$out" | jq -c '.data.volumes[0] | [.status, .message]')" '["success","The instance runs: when it stops"]' "it is taken from it, later"
is "$(instance one '[.updates[0].prop, .updates[0].op, .updates[0].status]')" '["volumes","del","pending"]' "that waits"
stop one
is "$(instance one '[.state, .volumes]')" '["stopped",[]]' "when it has stopped it has it no more"
is "$(volume data '[.state, .attached_to]')" '["available",[]]' "and nobody has"
api PATCH $V '[{"name": "data", "prop": "size_mb", "op": "set", "value": 256}]'
is "$(field .status)" success "it is made larger"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "two"}, "at": "/data"}]'
is "$(field .status)" success "now the other gets it"
api PUT $I/start '[{"name": "two"}]'
if logged two "written by one"; then pass "and has what the first one wrote"; else fail "and has what the first one wrote" "$out"; fi
logged two "ready"
is "$(romsim logs two | awk '$NF == "/data" && $2 > 200 { print "grown" }')" grown "in a file system that has grown"
api PUT $V/detach '[{"name": "data"}]'
api DELETE $I '[{"name": "two"}]'
is "$(volume data '[.state, .attached_to]')" '["available",[]]' "who is deleted has nothing"

# ---- a running one gets it ----------------------------------------------------------------------
api PUT $I/start '[{"name": "one"}]'
api GET "$I/wait?name=one&timeout_s=100"
api PUT $V/attach '[{"name": "data", "attach_to": {"name": "one"}, "at": "/data", "readonly": true}]'
is "$(field .status)" success "one that runs is to get it"
is "$(instance one .volumes)" "[]" "which has to stop before"
stop one
is "$(instance one '[.volumes[] | [.name, .readonly]]')" '[["data",true]]' "and has it then"
api DELETE $I '[{"name": "one"}]'

# ---- a service group's ports --------------------------------------------------------------------
api POST /v1/services '{"name": "web", "services": [{"port": 443, "destination_port": 8080, "handlers": ["tls", "http"]}]}'
api POST $I "$(jq -nc '{name: "page", image: "org/base:latest", autostart: true, timeout_s: 100, service_group: {name: "web"},
    args: ["/bin/sh", "-c", "httpd -f -p 8080 -h /srv"], roms: [{name: "r", at: "/srv", files: [{path: "index.html", data: "by the group"}]}]}')"
is "$(field .status)" success "an instance joins a group"
where=$(instance page '.romsim.ports[0].url' | tr -d '"')
like "$(curl -sS --noproxy '*' --max-time 60 --retry 20 --retry-all-errors --retry-delay 1 "$where/index.html" 2>&1)" "by the group" "and is reached by its port"
api DELETE /v1/services '[{"name": "web"}]'
is "$(printf '%s' "$out" | jq -c '.data.service_groups[0].error')" 15 "the group stays while it is there"
api DELETE $I '[{"name": "page", "timeout_s": 60}]'
api DELETE /v1/services '[{"name": "web"}]'
is "$(field .status)" success "and no longer"
serve_end
is "$(cat serve.err)" "" "the server had nothing to say"
done_testing
