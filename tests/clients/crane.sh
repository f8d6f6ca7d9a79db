#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# crane.sh: go-containerregistry's crane, the library by which the cloud's own CLIs push images, with
# the registry of `romsim serve`.
. "$(dirname "$0")/clients.bash"
need_client crane "crane" || done_testing
need jq "crane" || done_testing

# It tries TLS first, and says so if it has to try that again.
crane() { "$CLIENTS/crane" "$@" 2> >(grep -v 'retrying EOF' >&2); }
export DOCKER_CONFIG=$T/docker
make_images
start_server
host=${url#http://}

fails 1 "without a login it is refused" crane catalog "$host"
like "$out" UNAUTHORIZED "as a registry says it"
printf '{"auths":{"%s":{"auth":"%s"}}}' "$host" "$(printf org:other | base64)" >another.json
mkdir another && mv another.json another/config.json
fails 1 "and so it is with another password" env DOCKER_CONFIG="$T/another" "$CLIENTS/crane" ls "$host/org/base"
like "$out" UNAUTHORIZED "as a registry says it"
ok "crane auth login" crane auth login "$host" -u org -p "$token"
ok "crane ls" crane ls "$host/org/base"
is "$out" latest "lists the tags"
ok "crane catalog" crane catalog "$host"
is "$(sort <<<"$out" | tr '\n' ' ')" "org/base org/raw org/rom1 org/rom2 " "lists the images"

# ---- out of the store
ok "crane manifest" crane manifest "$host/org/rom1:latest"
is "$(jq -r '[.. | .layers? // empty | .[].mediaType] | unique | join(" ")' <<<"$(crane manifest --platform kraftcloud/x86_64 "$host/org/rom1:latest")")" \
    application/vnd.unikraft.rom.v1 "has the ROM as a layer"
for name in base rom1; do
    ok "crane pull of org/$name as a layout" crane pull --format oci "$host/org/$name:latest" "pulled-$name"
done
ok "crane validate takes it" crane validate --fast --remote "$host/org/base:latest"

# ---- into the store, of what was pulled, of a tree of its own
for name in base rom1; do
    ok "crane push of org/$name to another name" crane push --index "pulled-$name" "$host/mine/$name:v1"
    is "$(crane manifest "$host/mine/$name:v1" | jq -r '.manifests[0].digest')" \
        "$(crane digest "$host/org/$name:latest")" "which is an index with the same image"
done
ok "crane copy within the registry" crane copy "$host/org/rom2:latest" "$host/mine/rom2:v1"
ok "crane tag" crane tag "$host/mine/rom2:v1" v2
is "$(crane digest "$host/mine/rom2:v2")" "$(crane digest "$host/org/rom2:latest")" "names the same"
mkdir -p app/bin
cp "$(command -v busybox)" app/bin/sh
tar -C app --owner=0 --group=0 -cf app.tar .
ok "crane append makes an image of a layer" crane append --oci-empty-base -f app.tar -t "$host/mine/app:v1" --platform linux/amd64
ok "crane mutate gives it a command" crane mutate "$host/mine/app:v1" -t "$host/mine/app:v1" \
    --set-platform linux/amd64 --entrypoint /bin/sh --cmd=-c,echo
like "$(romsim image ls)" mine/app "the store of this machine has it"
printf 'name: x\nimage: mine/app:v1\nroms: [{name: r, image: "mine/rom1:v1", at: /rom}]\n' >x.yaml
ok "and an instance of what was pushed can be made" romsim check x.yaml
is "$(romsim plan --json x.yaml | jq -r '[.. | strings | select(. == "echo")] | first')" echo \
    "which has its command"

# ---- away again
ok "crane delete" crane delete "$host/mine/rom2:v2"
fails 1 "it is gone" crane digest "$host/mine/rom2:v2"
done_testing
