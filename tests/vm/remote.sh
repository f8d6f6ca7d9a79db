#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# remote: --host against `romsim serve`: what the commands print and end with is what they do on the
# server's own machine, the console is followed, and a server that is started again goes unnoticed.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "instances of a server" || done_testing
need curl "instances of a server" || done_testing
need jq "instances of a server" || done_testing
export no_proxy='*'

# The account of who asks is another than the server's: it has neither its token nor its images.
mkdir -p away
there() { env ROMSIM_HOST="$url" ROMSIM_TOKEN="$token" XDG_DATA_HOME="$T/away" "$ROMSIM" "$@"; }
# both TEXT ARGUMENTS...: it prints the same here and there, on both outputs, with the same status.
both() {
    local text=$1 here away
    shift
    here=$("$ROMSIM" "$@" 2>&1; echo "status $?")
    away=$(there "$@" 2>&1; echo "status $?")
    is "$away" "$here" "$text"
}
end() {
    local status=$?
    "$ROMSIM" rm --all >/dev/null 2>&1
    (exit $status)
    serve_cleanup
}
trap end EXIT

"$SAMPLES/busybox-base.sh" base
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./base\ncmd: [/bin/sh, /rom/app.sh]\n' >Kraftfile
romsim image build . -t org/base:latest >/dev/null || { fail "the base is built"; done_testing; }
mkdir loop say tick
cat >loop/app.sh <<'END'
trap 'echo bye; exit 3' TERM
echo "hello from $(cat /rom/text)"
while :; do sleep 0.1; done
END
echo "a directory" >loop/text
cat >say/app.sh <<'END'
i=0; while [ $i -lt 3000 ]; do echo "line $i of many"; i=$((i + 1)); done
exit 5
END
cat >tick/app.sh <<'END'
trap 'echo bye; exit 3' TERM
while :; do echo tick; sleep 0.1; done
END
# waits_for FILE: until there is something new in it.
waits_for() {
    local size i
    size=$(stat -c %s "$1")
    for ((i = 0; i < 1200; i++)); do [ "$(stat -c %s "$1")" -gt "$size" ] && return; sleep 0.05; done
}
serve || { fail "the server starts" "$(cat serve.out serve.err)"; done_testing; }

# ---- create ------------------------------------------------------------------------------------

cat >web.yaml <<END
name: web
image: org/base:latest
autostart: true
env: {A: "1"}
service_group: {services: [{port: 443, destination_port: 8080, handlers: [tls, http]}]}
roms: [{name: app, dir: loop, at: /rom}]
END
both "nothing is there" ps
is "$(there create web.yaml 2>&1)" web "create prints the name when it runs"
is "$(romsim ps -q)" web "it is the server's"
is "$(there create --name app --image org/base:latest --rom name=app,dir=say,at=/rom -m 256M 2>&1)" app \
    "flags make one, too"
is "$(romsim get app -o json | jq -c '[.state, .memory_mb, .roms[0].name]')" '["stopped",256,"app"]' \
    "as they say"
fails 1 "a name that is taken" there create web.yaml
like "$out" "'web'" "is told"
fails 1 "an image that the server has not" there create --image org/nothing:latest
like "$out" "org/nothing:latest" "is told"
is "$(there ps -aq | sort | tr '\n' ' ')" "app web " "nothing else was made"

# ---- what they are -----------------------------------------------------------------------------

uuid=$(romsim get web -o json | jq -r .uuid)
# The time goes on between two questions.
steady() { sed -E 's/running [0-9]+s/running/; s/("?uptime_ms"?:) [0-9]+/\1/'; }
is "$(there ps -a | steady)" "$(romsim ps -a | steady)" "ps is the same"
# The server puts the time that goes on behind the other members.
sorted() { jq -S . | steady; }
is "$(there ps -a --json | sorted)" "$(romsim ps -a --json | sorted)" "ps --json"
is "$(there get web | steady | sort)" "$(romsim get web | steady | sort)" "get"
is "$(there get app -o json | sorted)" "$(romsim get app -o json | sorted)" "get of one that is stopped"
begin=$(romsim get app -o json | jq -r .uuid | cut -c1-13)
is "$(there get "$begin" -o json | sorted)" "$(romsim get "$begin" -o json | sorted)" "get by the beginning of a UUID"
is "$(there get "$uuid" -o json | jq -r .name)" web "get by the UUID"
for name in nothing 00000000 "$(tr '0-9a-f' '1-9a-f0' <<<"$uuid")"; do
    there get "$name" >away.out 2>&1
    is "$? $(grep -c "No instance with" away.out)" "1 1" "get of what is not there"
done
is "$(there wait web)" web "wait for what is so already"
both "wait for what does not come" wait -s stopped -t 1 web
fails 1 "wait for a state that there is not" there wait -s nowhere -t 1 web
like "$out" "'nowhere'" "is told"

there get web -o request 2>away.err | sed 's/"files": \[\]/"files": [{"path": "x", "data": ""}]/; s/"name": "web"/"name": "web2"/' >web2.json
is "$(there create web2.json 2>&1)" web2 "get -o request makes one like it"
alike='del(.name)'
is "$(romsim get web2 -o request 2>/dev/null | jq "$alike")" "$(romsim get web -o request 2>/dev/null | jq "$alike")" "which is"
romsim rm web2 >/dev/null

# ---- the console -------------------------------------------------------------------------------

hello() { [ "$(romsim logs web | grep -c hello)" = 1 ]; }
for ((i = 0; i < 1200; i++)); do hello && break; sleep 0.05; done
both "logs" logs web
both "the last line" logs -n 1 web
fails 1 "a start of what runs" there start web
ok "start of one whose app ends" there start app
is "$out" app "prints the name when it has begun"
romsim wait -s stopped app >/dev/null
both "a long log" logs app
both "its last lines" logs -n 7 app
there logs -f app >followed 2>&1
is "$? $(md5sum <followed)" "0 $(romsim logs app | md5sum)" "logs -f of one that has ended"
both "attach to one that has ended" attach app

there start app >/dev/null
there logs -f app >followed 2>&1
is "$?" 0 "logs -f ends with the app"
is "$(grep -c 'line 2999 of many' followed)" 2 "with all that was said"
is "$(md5sum <followed)" "$(romsim logs app | md5sum)" "... and nothing twice"

is "$(there create --name tick --image org/base:latest --rom name=app,dir=tick,at=/rom)" tick "one more"
is "$(there start tick)" tick "it runs"
: >attached
there attach tick >attached 2>&1 &
follower=$!
waits_for attached
is "$(there stop tick)" tick "it is stopped"
wait $follower
is "$? $(tail -n 1 attached)" "3 bye" "attach ends with its last word, and its app's status"

# A server that is killed and started again is the same to who follows.
is "$(there start tick)" tick "it runs again"
: >followed
there logs -f -n 0 tick >followed 2>&1 &
follower=$!
waits_for followed
address=${url#http://}
serve_end KILL
serve --listen "$address" --ports-at 127.0.0.3 || fail "the server starts again" "$(cat serve.err)"
waits_for followed
is "$(there stop tick 2>&1)" tick "stop, when it has stopped"
is "$(romsim get tick -o json | jq -r .state)" stopped "it has"
wait $follower
is "$? $(tail -n 1 followed)" "0 bye" "who followed sees the end"
is "$(cat followed)" "$(romsim logs -n "$(wc -l <followed)" tick)" "and all that was said before"

# ---- changes -----------------------------------------------------------------------------------

is "$(there stop web 2>&1)" web "stop"
both "stop of one that is stopped" stop web
is "$(there edit web --set memory=192M --add env=B=2 2>&1)" web "edit of one that is stopped"
is "$(romsim get web -o json | jq -c '[.memory_mb, .env.B]')" '[192,"2"]' "is done at once"
fails 1 "an edit that is wrong" there edit web --set memory=1
like "$out" "error: Invalid memory_mb 1" "is told"
both "an edit of nothing" edit web --set nothing=1
echo "another directory" >loop/text
is "$(there edit web --set "rom=name=app,dir=$T/loop,at=/rom" 2>&1)" web "edit of a ROM from a directory"
is "$(there start web 2>&1)" web "start"
says() { for ((i = 0; i < 1200; i++)); do romsim logs web | grep -q "$1" && return; sleep 0.05; done; }
says "another directory"
is "$(there edit web --set args='sh -c "exit 7"' 2>&1 | tail -n 1)" \
    "romsim: 'web' is not stopped: this takes effect when it next stops ('romsim restart web')" \
    "edit of one that runs waits"
like "$(romsim logs web)" "hello from another directory" "the new ROM was there"
is "$(there restart web)" web "restart, with the new command"
romsim wait -s stopped web >/dev/null
is "$(romsim get web -o json | jq .exit_code)" 7 "which has run"
there edit web --set args='/bin/nothing' >/dev/null 2>&1
here=$(romsim start web 2>&1; echo "status $?")
romsim wait -s stopped web >/dev/null
is "$(there start web 2>&1; echo "status $?")" "$here" "start of what cannot be run"
romsim wait -s stopped web >/dev/null

# ---- several, and waiting ----------------------------------------------------------------------

cat >two.yaml <<END
- {name: one, image: "org/base:latest", autostart: true, roms: [{name: app, dir: loop, at: /rom}]}
- {name: two, image: "org/base:latest", roms: [{name: app, dir: loop, at: /rom}],
   service_group: {services: [{port: 443, destination_port: 8099, handlers: [tls, http]}]}}
END
is "$(there create two.yaml 2>&1 | tr '\n' ' ')" "one two " "two of one file"
is "$(there ps -q)" one "one of them runs"
like "$(romsim get two -o json | jq -r '.romsim.ports[0].url')" "http://127.0.0.3:" \
    "and has its ports where the server was told to have them"
fails 1 "an ambiguous UUID" there get "${uuid:0:3}"
is "$(there rm one two 2>&1 | tr '\n' ' ')" "one two " "rm of names"
is "$(there rm --all | sort | tr '\n' ' ')" "app tick web " "rm of all"
both "nothing is left" ps -a

# ---- who may not -------------------------------------------------------------------------------

fails 1 "no token" env ROMSIM_HOST="$url" XDG_DATA_HOME="$T/away" "$ROMSIM" ps
like "$out" "'$url' asks for a token" "is told"
fails 1 "a wrong one" env ROMSIM_HOST="$url" ROMSIM_TOKEN=bm90OnRoaXM= "$ROMSIM" ps
like "$out" "does not take the token of ROMSIM_TOKEN" "is told, with where it came from"
ok "the server's own account needs none" env ROMSIM_HOST="$url" "$ROMSIM" ps
serve_end
fails 1 "a server that has ended" there ps
like "$out" "does 'romsim serve' run there" "has a hint"
done_testing
