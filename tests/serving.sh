# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# serving.sh: `romsim serve` for tests, sourced behind lib.sh.  The server has the test's own
# folders, and is ended with the test.
#
#     serve                         starts it on a free port: $url, $token, $server (its pid)
#     api GET /v1/instances         asks it: the status in $http, the body in $out
#     api POST /v1/instances '{}'   the body is sent as it is; -H 'X: y' and such may follow
#     field .status                 of $out, by jq: "" if it has none
#     serve_end                     by SIGTERM; its status in $status
#
# What it prints is in $T/serve.out, what it says in $T/serve.err.

server=
url=
token=

# serve [OPTIONS...]: false if it did not start.
serve() {
    local tries
    : >"$T/serve.out"
    "$ROMSIM" serve --listen 127.0.0.1:0 "$@" >"$T/serve.out" 2>"$T/serve.err" &
    server=$!
    for ((tries = 0; tries < 1200; tries++)); do
        grep -q '^the page is at ' "$T/serve.out" && break
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.05
    done
    url=$(sed -n 's/^listening at //p' "$T/serve.out")
    token=$(sed -n 's/^the page is at .*#token=//p' "$T/serve.out")
    [ -n "$url" ]
}

# serve_end [SIGNAL]
serve_end() {
    [ -n "$server" ] || return 0
    kill "-${1:-TERM}" "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    status=$?
    server=
}

# api METHOD TARGET [BODY [CURL-OPTIONS...]]
api() {
    local method=$1 target=$2 body=${3-} options=()
    shift 2
    [ $# = 0 ] || shift
    [ -z "$body" ] || options+=(--data-binary "$body" -H 'Content-Type: application/json')
    [ -z "$token" ] || options+=(-H "Authorization: Bearer $token")
    http=$(curl -sS -g --noproxy '*' --max-time 120 --path-as-is -X "$method" -o "$T/api.out" \
        -D "$T/api.headers" -w '%{http_code}' "${options[@]}" "$@" "$url$target" 2>"$T/api.err") ||
        cat "$T/api.err" >&2
    out=$(cat "$T/api.out" 2>/dev/null)
}

field() { printf '%s' "$out" | jq -r "$1 // empty" 2>/dev/null; }

# lib.sh's own cleanup comes behind it.
serve_cleanup() {
    local status=$?
    [ -z "$server" ] || { kill -KILL "$server"; wait "$server"; } 2>/dev/null
    (exit "$status")
    cleanup
}
trap serve_cleanup EXIT
