#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run: the cloud's guide to ROMs, by its API: builds a base image and two ROMs, creates instances
# with them and with inline ROMs, lists them, asks each function, reads a log, and deletes all.
#
#     build/romsim serve &
#     eval "$(build/romsim serve --print-env)"        # UKC_METRO, UKC_TOKEN
#     samples/guide/run.sh
#
# Each request is printed as one would type it.  With --images-there nothing is built: the server has
# the images already.  Instances that it made are deleted at its end, however that comes.
set -eu -o pipefail
guide=$(cd "$(dirname "$0")" && pwd)
romsim=${ROMSIM:-$guide/../../build/romsim}
: "${UKC_METRO:?the address of the server, as \"romsim serve --print-env\" has it}"
UKC_METRO=${UKC_METRO%/v1}
export no_proxy=127.0.0.1,localhost

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# api METHOD PATH [BODY]: a request; its answer's status has to be "success".  The answer is in $out.
api() {
    local options=(-sS --max-time 600 -X "$1" -H "Authorization: Bearer ${UKC_TOKEN-}")
    [ $# -lt 3 ] || options+=(-H "Content-Type: application/json" --data-binary "$3")
    echo "\$ curl -X $1 -H \"Authorization: Bearer \$UKC_TOKEN\" \$UKC_METRO$2 ${3:+-d '${3:0:100}'}"
    out=$(curl "${options[@]}" "$UKC_METRO$2")
    if [ "$(jq -r .status <<<"$out")" != success ]; then
        echo "this is no success: $out" >&2
        exit 1
    fi
}

names=()
leave() {
    local status=$?
    [ ${#names[@]} = 0 ] || curl -sS -o /dev/null --max-time 120 -X DELETE \
        -H "Authorization: Bearer ${UKC_TOKEN-}" -H "Content-Type: application/json" \
        --data-binary "$(names_json)" "$UKC_METRO/v1/instances" || true
    exit $status
}
trap leave EXIT
names_json() { printf '%s\n' "${names[@]}" | jq -Rsc 'split("\n")[:-1] | map({name: .})'; }

# create FILE NAME...: creates the instances of a request that has these names.
create() {
    echo "\$ curl -X POST -H \"Authorization: Bearer \$UKC_TOKEN\" \$UKC_METRO/v1/instances -d @$(basename "$1")"
    names+=("${@:2}")
    api POST /v1/instances "$(cat "$1")" >/dev/null
    jq -c '.data.instances[] | {name, uuid, state}' <<<"$out"
}

# ask NAME WANTED: what an instance's function says, at the port that this machine has for it.
ask() {
    local url answer
    api GET "/v1/instances?name=$1" >/dev/null
    url=$(jq -r '.data.instances[0].romsim.ports[0].url' <<<"$out")
    echo "\$ curl $url        # $1"
    answer=$(curl -sS --fail --max-time 300 --retry 100 --retry-delay 1 --retry-all-errors "$url" 2>/dev/null)
    echo "$answer"
    [ "$answer" = "$2" ] || { echo "this is not '$2'" >&2; exit 1; }
}

if [ "${1-}" != --images-there ]; then
    say "A base image, and two functions as ROMs"
    for name in http-python:base my-rom1:rom1 my-rom2:rom2; do
        echo "\$ romsim image build samples/guide/${name#*:} -t my-org/${name%:*}:latest"
        "$romsim" image build "$guide/${name#*:}" -t "my-org/${name%:*}:latest"
    done
fi
api GET /v1/images
jq -r '.data.images[].tags[]?' <<<"$out" | sort -u

say "Two instances of the base, each with a function"
create "$guide/functions.json" test-http-python-rom1 test-http-python-rom2
api GET /v1/instances
jq -c '.data.instances[] | {name, state, roms}' <<<"$out"

say "They answer"
ask test-http-python-rom1 "Hi from 1st ROM!"
ask test-http-python-rom2 "Hi from 2nd ROM!"

say "A function in the request itself, without an image"
create "$guide/inline.json" test-http-python-inline
ask test-http-python-inline "Hi from an inline ROM!"

say "A ROM of an image and one of the request"
create "$guide/mixed.json" test-http-python-mixed
ask test-http-python-mixed "Hi from 2nd ROM!"

say "What it has said"
api GET "/v1/instances/log?name=test-http-python-mixed" >/dev/null
jq -r '.data.instances[0].output' <<<"$out" | base64 -d

say "The end"
api DELETE /v1/instances "$(names_json)"
jq -c '.data.instances[] | {name, previous_state}' <<<"$out"
names=()
