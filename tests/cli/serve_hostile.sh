#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_hostile.sh: what no client should send, and what takes long: it is bounded, and the server
# goes on.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need jq "hostile requests" || done_testing
need curl "hostile requests" || done_testing
need python3 "hostile requests" || done_testing

export SANITIZE=${SANITIZE:-}
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
hostile() { # hostile WHAT TEXT
    is "$(python3 "$ROOT/tests/hostile_http.py" "${url##*:}" "$token" "$server" "$1" 2>&1)" \
        "$1: ok" "$2"
}
# The slow one is cut off while the others go on.
python3 "$ROOT/tests/hostile_http.py" "${url##*:}" "$token" "$server" slow >slow.out 2>&1 &
slow=$!
hostile malformed "malformed requests"
hostile chunked "chunks of all kinds"
hostile smuggled "a request within another's body"
hostile bodies "bodies of all kinds"
hostile pipelined "a thousand requests in one go"
hostile garbage "damaged requests"
hostile unread "answers that nobody reads"
hostile idle "a thousand idle connections"
hostile too_many "more connections than there may be"
hostile large "many large bodies at once"
hostile endless "a body without an end"
hostile flat "the same again and again"
wait "$slow"
is "$(cat slow.out)" "slow: ok" "slow requests are cut off"
api GET /v1/instances
is "$http" 200 "and the server is as it was"
serve_end
is "$status" 0 "it ends without an error"
is "$(cat serve.err)" "" "and has nothing to say"

# Few descriptors: connections wait for one.
(ulimit -n 64; serve && echo "$url $token $server" >few; wait "$server") &
for ((tries = 0; tries < 600; tries++)); do [ -s few ] && break; sleep 0.1; done
read -r url token server <few
is "$(python3 "$ROOT/tests/hostile_http.py" "${url##*:}" "$token" "$server" pipelined malformed 2>&1 |
    tr '\n' ' ')" "pipelined: ok malformed: ok " "with 64 descriptors it serves"
for i in {1..100}; do exec {held}<>"/dev/tcp/127.0.0.1/${url##*:}" && holds+=("$held"); done 2>/dev/null
for held in "${holds[@]}"; do exec {held}<&-; done
api GET /v1/instances
is "$http" 200 "and does after a hundred connections at once"
kill "$server"
wait
server=
done_testing
