#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# from_get.sh: what GET answered in production, run here (--from-get).
. "$(dirname "$0")/../lib.sh"

mkdir -p base/root code
cp /bin/true base/root/run
echo here >code/file
printf 'spec: v0.7\nruntime: base-compat:latest\nrootfs: ./root\ncmd: [/run]\n' >base/Kraftfile
ok "a base" romsim image build base -t local/base:1
digest=$(romsim image inspect local/base:1 --json | jq -r .digest)
uuid=86d74a24-2b06-4f1e-9f4d-1c6f7f0f3c11

# answer ROM...: get.json
answer() {
    local IFS=,
    cat >get.json <<E
{"status": "success", "data": {"instances": [{
  "status": "success", "uuid": "$uuid", "name": "prod", "created_at": "2026-05-28T13:53:40Z",
  "state": "running", "image": "oci://unikraft.io/acme/base:latest@$digest", "memory_mb": 128,
  "vcpus": 1, "args": ["/run"], "env": {"A": "1"}, "restart_policy": "never", "volumes": [],
  "service_group": {"uuid": "$uuid", "name": "web", "domains": [{"fqdn": "web.example"}]},
  "roms": [$*]
}]}, "op_time_us": 3}
E
}
inline="{\"name\": \"code\", \"image\": \"$uuid\", \"at\": \"/code\"}"
root() { romsim plan --json "$@" 2>/dev/null | jq -r .root.sha256; }

answer
fails 1 "an answer is no request" romsim check get.json
like "$out" "get.json:1:1: error: This is what a GET answers, and no request" "which is said"
like "$out" "--from-get takes it" "with what to do"
ok "with --from-get it is one" romsim plan --from-get get.json
like "$out" "does not tell the ports of service group 'web'" "and ports are missing"
printf 'image: local/base:1\nargs: [/run]\n' >own.yaml
wanted=$(root own.yaml)
is "${#wanted}" 64 "the image has a digest"
is "$(root --from-get get.json)" "$wanted" "the image is found by its digest, whatever it is called here"

answer "$inline"
fails 1 "an inline ROM's files are in no answer" romsim check --from-get get.json
like "$out" "get.json:6:" "at its place"
like "$out" "--rom name=code,dir=DIRECTORY brings" "and how to bring them"
if need fuse "an instance is made of an answer"; then
    fails 1 "create without the ROM" romsim create --from-get get.json
    is "$(romsim ps -a -q)" "" "makes nothing"
    ok "create with it" romsim create --from-get get.json --rom name=code,dir=code
    is "$(romsim get prod -o json | jq -r '.roms[0].at + " " + .env.A')" "/code 1" "makes what was there"
    ok "rm" romsim rm prod
fi
fails 2 "there has to be a file" romsim create --from-get --image local/base:1
like "$out" "--from-get says what the file is" "which is said"
done_testing
