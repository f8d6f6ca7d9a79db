#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# image_push: `romsim image push` and `image ls --host`: what the store has comes to a server whole,
# and what is wrong with either of them is told.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need curl "pushing images" || done_testing
need jq "pushing images" || done_testing
export no_proxy='*'

# here: who pushes; the server has the test's own folders.
here() { env XDG_DATA_HOME="$T/here" ROMSIM_HOST="$url" ROMSIM_TOKEN="$token" "$ROMSIM" "$@"; }
mkdir -p here rom
make_entries root <<<$'bin/\netc/x=one\netc/y->x'
fake_program root/bin/sh
head -c 300000 /dev/urandom >rom/data
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/sh, -c, "exit 3"]\n' >Kraftfile
here image build . -t my-org/base:v1 >/dev/null || { fail "a base"; done_testing; }
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64, kraftcloud/arm64]\nroms: [./rom]\n' >Kraftfile
here image build . -t rom >/dev/null || fail "a ROM for two architectures"
serve || { fail "the server starts" "$(cat serve.out serve.err)"; done_testing; }

is "$(here image ls)" "NAME  SIZE  DIGEST" "the server has nothing"
ok "push" here image push my-org/base:v1 rom
store=here/romsim/oci
digest() { jq -r --arg name "$2" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $name) | .digest' "$1/index.json"; }
is "$out" "my-org/base:v1 $(digest $store my-org/base:v1)
rom:latest $(digest $store rom:latest)" "prints names and digests"
is "$(digest "$XDG_DATA_HOME/romsim/oci" my-org/base:v1) $(digest "$XDG_DATA_HOME/romsim/oci" rom:latest)" \
    "$(digest $store my-org/base:v1) $(digest $store rom:latest)" "the server has them by the same digests"
is "$(romsim image inspect my-org/base:v1)" "$(XDG_DATA_HOME=$T/here romsim image inspect my-org/base:v1)" \
    "the base is the same"
is "$(romsim image inspect rom --json)" "$(XDG_DATA_HOME=$T/here romsim image inspect rom --json)" "the ROM, too"
(cd $store/blobs && find . -type f | sort) >sent
(cd "$XDG_DATA_HOME/romsim/oci/blobs" && find . -type f | sort) >got
same got sent "all that they lead to, both architectures, is there, and nothing else"
is "$(romsim image gc | cut -d, -f1)" "0 blobs removed" "and a gc leaves it"
is "$(here image ls | awk '{ print $1 }' | tr '\n' ' ')" "NAME my-org/base:v1 rom:latest " "ls --host names them"
is "$(here image ls --json | jq -r '[.[].tags[]] | sort | join(" ")')" "my-org/base:v1 rom:latest" "as JSON"
is "$(here image ls --host "" | awk '{ print $1 }' | tr '\n' ' ')" "NAME my-org/base:v1 rom:latest " "an empty --host is this store"

# What the server has is not sent again: files that are only named here.
touch before
ok "push once more" here image push my-org/base:v1
is "$(find "$XDG_DATA_HOME/romsim/oci/blobs" -newer before -type f)" "" "sends nothing"
XDG_DATA_HOME=$T/here romsim image tag my-org/base:v1 registry.example/other/base:v2
is "$(here image push registry.example/other/base:v2 | cut -d' ' -f1)" other/base:v2 \
    "the name is without its registry"
is "$(digest "$XDG_DATA_HOME/romsim/oci" other/base:v2)" "$(digest $store my-org/base:v1)" "and leads to the same"

fails 1 "what is not there" here image push nothing rom
like "$out" "No image with name 'nothing'" "is told"
like "$out" "rom:latest sha256:" "the others are pushed"
layer=$(jq -r '.layers[0].digest' "$store/blobs/sha256/$(digest $store my-org/base:v1 | cut -d: -f2)" | cut -d: -f2)
romsim image rm my-org/base:v1 other/base:v2
romsim image gc >/dev/null
mv "$store/blobs/sha256/$layer" kept
fails 1 "an image of which something is missing" here image push my-org/base:v1
like "$out" "'my-org/base:v1': the store has not all of the image: sha256:$layer is not there" "is told"
{ head -c -1 kept; printf '\1'; } >"$store/blobs/sha256/$layer"
fails 1 "an image that is damaged" here image push my-org/base:v1
like "$out" "'my-org/base:v1': " "is refused by the server"
is "$(here image ls | grep -c base)" 0 "which has no such name"
mv kept "$store/blobs/sha256/$layer"
ok "once it is whole" here image push my-org/base:v1

# A media type is the image's own, and becomes a header of curl's.
index=$store/blobs/sha256/$(digest $store rom:latest | cut -d: -f2)
jq --arg evil $'x\noutput = "'"$T"$'/evil"\n' '.manifests[0].mediaType = $evil' "$index" >evil.json
evil=$(sha256sum evil.json | cut -d' ' -f1)
cp evil.json "$store/blobs/sha256/$evil"
jq --arg digest "sha256:$evil" --argjson size "$(stat -c %s evil.json)" '.manifests |= map(
    if .annotations["org.opencontainers.image.ref.name"] == "rom:latest" then .digest = $digest | .size = $size else . end)' \
    "$store/index.json" >index.json && cp index.json "$store/index.json"
fails 1 "an image that means harm" here image push rom
like "$out" "'rom:latest': there are control characters in what is to be sent" "is told"
[ -e evil ] && fail "nothing was written" || pass "nothing was written"

fails 2 "push to nowhere is a usage error" env XDG_DATA_HOME="$T/here" "$ROMSIM" image push rom
fails 1 "a wrong token" env XDG_DATA_HOME="$T/here" ROMSIM_HOST="$url" ROMSIM_TOKEN=eDp5 "$ROMSIM" image push rom
like "$out" "'rom:latest': '$url' does not take the token of ROMSIM_TOKEN" "is told"
serve_end
fails 1 "a server that has ended" here image push rom
like "$out" "does 'romsim serve' run there" "is told"
fails 1 "... and its images cannot be listed" here image ls
if need python3 "a server that takes no images"; then
    mkdir answers
    "$ROOT/tests/canned.py" answers >port 2>canned.err &
    server=$! # is ended with the test
    for ((i = 0; i < 1200; i++)); do [ -s port ] && break; sleep 0.05; done
    url=http://127.0.0.1:$(cat port)
    fails 1 "a server that takes no images" here image push rom
    like "$out" "takes no images: it answered with HTTP status 404" "is told"
fi
done_testing
