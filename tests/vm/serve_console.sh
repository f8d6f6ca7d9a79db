#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_console.sh: consoles as `romsim serve` streams them to its page: every byte, to many at once,
# and to clients that are slow or gone.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "consoles over HTTP" || done_testing
need jq "consoles over HTTP" || done_testing
need curl "consoles over HTTP" || done_testing
need python3 "consoles over HTTP" || done_testing

"$SAMPLES/busybox-base.sh" base || { fail "the base is made"; done_testing; }
mkdir bytes
for ((i = 0; i < 256; i++)); do printf "\\x$(printf %x "$i")"; done >bytes/all
cat >bytes/app.sh <<'END'
cat /rom/all
echo
echo ready
while :; do sleep 0.1; done
END
yes "a line of the flood" | head -c $((512 << 10)) >bytes/lines
printf 'echo flooding; while :; do cat /rom/lines; done\n' >bytes/flood.sh
make_instance() {
    romsim run -d --image ./base --name "$1" --rom name=bytes,dir=./bytes,at=/rom --args "/bin/sh $2" >said 2>&1 ||
        { fail "the instance $1 runs" "$(cat said)"; done_testing; }
    at=/romsim/instances/$(romsim get "$1" -o json | jq -r .uuid)/console
}
# follow FILE PATH [OPTIONS]: its pid in $follower.
follow() {
    curl -sN --noproxy '*' -H "Authorization: Bearer $token" "${@:3}" "$url$2" >"$1" &
    follower=$!
}
# until_true COMMAND...
until_true() {
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}
bytes_of() { sed -n '/^event: console$/{n;s/^data: //p;}' "$1" | while read -r piece; do base64 -d <<<"$piece"; done; }
has() { grep -qF -- "$2" "$1"; }
# is_ready FILE: all that the app says has come, and its last line's end, which may come by itself.
is_ready() { [[ "$(bytes_of "$1" | tail -c 7 | tr -d '\r'; echo .)" == *$'ready\n.' ]]; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }

serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }

# ---- every byte ---------------------------------------------------------------------------------
make_instance spoken /rom/app.sh
follow early "$at?offset=0"
early=$follower
ok "a console is told as it goes on" until_true is_ready early
follow late "$at?offset=0"
ok "and from its beginning to who comes later" until_true is_ready late
follow tail "$at?offset=-6"
ok "or from its last bytes" until_true has tail "event: live"
is "$(bytes_of tail | tail -c 6)" ready "as many as are asked for"
romsim logs spoken >log 2>&1
ok "all bytes are those of 'romsim logs'" cmp <(bytes_of late) log
ok "whenever one came" cmp <(bytes_of early) log
is "$(bytes_of late | LC_ALL=C grep -acF "$(head -c 256 bytes/all | tail -c 1)")" 1 "also those that are no text"
# ---- many ---------------------------------------------------------------------------------------
mkdir many
curl -sN --noproxy '*' -H "Authorization: Bearer $token" -Z --parallel-max 300 --parallel-immediate \
    -o "many/#1" -s "$url$at?offset=-1&n=[1-230]" 2>/dev/null &
many=$!
all_answered() { [ "$(grep -lE "event: (live|error)" many/* 2>/dev/null | wc -l)" = 230 ]; }
ok "230 ask for a console at once, and each gets an answer" until_true all_answered
refused=$(grep -l "event: error" many/* | wc -l)
[ "$refused" -ge 73 ]
is $? 0 "but no more than 160 follow one ($refused are told so)"
ok "and there is room for who asks anything else" romsim get spoken
kill $many
wait $many 2>/dev/null
# Followers that are gone are noticed when they are sent something.
works() { rm -f again; timeout 5 curl -sN --noproxy '*' -H "Authorization: Bearer $token" "$url$at" >again; has again "event: live"; }
ok "when they are gone there is room again" until_true works

# ---- its end --------------------------------------------------------------------------------------
ok "it is stopped" romsim stop spoken
ok "its end is told" until_true has early "event: exit"
is "$(sed -n '/^event: state$/{n;s/^data: //p;}' early | jq -r .text | tail -1)" stopped "and its states"
ok "it is started again" romsim start spoken
ok "so is another run, on the same stream" until_true has early '"running"'
romsim rm spoken >said 2>&1
wait $early
is $? 0 "the stream ends when the instance is gone"
is "$(tail -3 early | head -1)" "event: end" "and says so"

# ---- more than anybody reads --------------------------------------------------------------------
make_instance flooding /rom/flood.sh
follow fast "$at"
fast=$follower
# It takes a little each second, slower than any guest floods and not so slow that it is taken for
# gone, until there is a file "on".
python3 -c '
import os, socket, sys, time
port, path, token = sys.argv[1:]
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
s.connect(("127.0.0.1", int(port)))
s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
with open("slow", "wb", 0) as out:
    while piece := s.recv(16 << 10):
        out.write(piece)
        if not os.path.exists("on"): time.sleep(1)' "${url##*:}" "$at" "$token" &
slow=$!
# grows FILE SIZE: it is larger than that, however long that takes as long as it grows.
grows() {
    local size=0 before still=0
    while [ $size -le "$2" ] && [ $still -lt 1200 ]; do
        before=$size
        sleep 0.1
        size=$(stat -c %s "$1" 2>/dev/null || echo 0)
        if [ "$size" = "$before" ]; then still=$((still + 1)); else still=0; fi
    done
    [ "$size" -gt "$2" ]
}
ok "somebody takes it slowly" grows slow 0
before=$(memory)
# More than the keeper's log has room for.
ok "a flood is told" grows fast $((32 << 20))
most=$(memory)
# What is freed stays with the sanitizer, and neither side is as fast as it would be.
if [ "${SANITIZE:-}" != 1 ]; then
    [ $((most - before)) -lt $((48 << 10)) ]
    is $? 0 "and not kept for who is slow (${before} KiB, then ${most} KiB)"
    touch on
    ok "who is slow is told what is lost to him" until_true grep -q "came too fast and are lost" slow
    ok "and gets what follows" grows slow $(($(stat -c %s slow) + 100000))
fi
api GET /v1/instances
is "$http" 200 "others are answered meanwhile"
kill $slow $fast
wait $slow $fast 2>/dev/null

# ---- the end -------------------------------------------------------------------------------------
follow last "$at"
ok "somebody follows" until_true has last "event: live"
serve_end
is "$status" 0 "the server ends while somebody does"
wait "$follower"
is $? 0 "whose stream is ended well"
is "$(cat serve.err)" "" "with nothing to say"
romsim rm --all >said 2>&1
done_testing
