#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# registry.sh: a base and a ROM that were pushed to `romsim serve` boot, in OCI's form and in
# Docker's, by `romsim run` and by POST /v1/instances.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "images that were pushed" || done_testing
need skopeo "images that were pushed" || done_testing
need jq "images that were pushed" || done_testing
need curl "images that were pushed" || done_testing
export no_proxy='*'

# They are built in another store, as on another machine.
mkdir -p base/root rom/app builder
"$SAMPLES/busybox-base.sh" base/root
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/sh, /rom/app.sh]\n' >base/Kraftfile
echo 'echo "hello from a ROM that was pushed"' >rom/app/app.sh
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [./app]\n' >rom/Kraftfile
builder() { XDG_DATA_HOME=$T/builder romsim "$@"; }
ok "a base is built" builder image build base -t org/base:1
ok "and a ROM" builder image build rom -t org/app:1
tar -C base/root --owner=0 --group=0 -cf base.tar .
docker_archive plain.tar base/root '{"Cmd":["/bin/sh","/rom/app.sh"]}'

at_end() { local status=$?; romsim rm --all >/dev/null 2>&1; (exit $status); serve_cleanup; }
trap at_end EXIT
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
host=${url#http://}
push() { skopeo --insecure-policy copy -q --dest-tls-verify=false --dest-creds "org:$token" "$@"; }
for name in base app; do
    ok "org/$name is pushed" push --all --preserve-digests "oci:$T/builder/romsim/oci:org/$name:1" "docker://$host/org/$name:1"
    is "$(romsim image inspect org/$name:1 --json | jq -r .digest)" "$(builder image inspect org/$name:1 --json | jq -r .digest)" "and is the same here"
done
ok "a container image is pushed in Docker's form, compressed" push --format v2s2 --dest-compress-format gzip docker-archive:plain.tar "docker://$host/org/docker:1"

for base in org/base:1 org/docker:1 "$host/org/base:1"; do
    ok "romsim run --image $base" timeout 300 "$ROMSIM" run -q --image "$base" --rom name=app,image=org/app:1,at=/rom
    like "$out" "hello from a ROM that was pushed" "has the ROM"
done
api POST /v1/instances '{"name": "posted", "image": "org/base:1", "autostart": true, "restart_policy": "never",
    "roms": [{"name": "app", "image": "oci://unikraft.io/org/app:1", "at": "/rom"}]}'
is "$http $(field .status)" "200 success" "an instance of them is posted"
api GET /v1/instances/wait '[{"name": "posted", "state": "stopped", "timeout_s": 250}]'
api GET '/v1/instances/log?name=posted'
like "$(field '.data.instances[0].output' | base64 -d)" "hello from a ROM that was pushed" "and has run"

# ---- and back, byte for byte
ok "skopeo pulls the ROM" skopeo --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false --src-creds "org:$token" "docker://$host/org/app:1" oci:back:1
is "$(cd back/blobs/sha256 && sha256sum * | awk '$1 != $2')" "" "with the digests that it says"
layer=$(builder image inspect org/app:1 --json | jq -r '.layers[0].digest')
cmp -s "back/blobs/sha256/${layer#sha256:}" "builder/romsim/oci/blobs/sha256/${layer#sha256:}" && pass "and the ROM as it was built" || fail "and the ROM as it was built"
done_testing
