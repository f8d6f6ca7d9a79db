#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve.sh: `romsim serve` as a program: where it listens, who may ask, how it ends, and that the
# instances are those of the other commands.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need jq "serving" || done_testing
need curl "serving" || done_testing
need guest "serving" || done_testing # instances are made, though none is started

# ---- how it starts ---------------------------------------------------------------------------

serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
is "$(wc -l <serve.out)" 2 "it says two lines"
like "$(sed -n 1p serve.out)" "listening at http://127.0.0.1:" "where it listens"
is "$(sed -n 2p serve.out)" "the page is at $url/#token=$token" "and where the page is, with the token"
is "$(cat serve.err)" "" "and no more"
file=$XDG_DATA_HOME/romsim/token
is "$(stat -c %a "$file")" 600 "the token's file is the user's alone"
is "$(base64 -d <<<"$token")" "romsim:$(cat "$file")" "the token is base64 of user:secret"
kept=$token
api GET /v1/instances
is "$http $(field .status)" "200 success" "who has the token is answered"
like "$(cat api.headers)" "Content-Type: application/json" "in JSON"
like "$(cat api.headers)" "Cache-Control: no-store" "which is not kept"
is "$(field '.op_time_us | type')" number "and says how long it took"

# ---- who may ask -----------------------------------------------------------------------------

refused() { # refused STATUS TEXT METHOD TARGET [BODY [CURL-OPTIONS...]]
    local want=$1 text=$2; shift 2
    api "$@"
    is "$http $(field .status)" "$want error" "$text"
    is "$(field '.errors[0].status')" "$want" "... which stands in the envelope, too"
}
token=
refused 401 "who has no token is refused" GET /v1/instances
like "$out" "romsim serve --print-env" "and told how to get it"
like "$(cat api.headers)" 'WWW-Authenticate: Bearer realm="romsim"' "and what is wanted"
refused 401 "so is who asks for nothing" GET /
refused 401 "and who asks for what is not there" GET /v1/nosuch
token=${kept}x
refused 401 "a wrong token is refused" GET /v1/instances
token=$kept
refused 403 "a host that is not ours is refused" GET /v1/instances '' -H 'Host: evil.example'
refused 403 "a page of another site is refused" GET /v1/instances '' -H 'Origin: http://evil.example'
refused 403 "and one of another port" POST /v1/instances '{}' -H 'Origin: http://127.0.0.1:1'
refused 403 "and one without a name" GET /v1/instances '' -H 'Origin: null'
api GET /v1/instances '' -H "Origin: $url"
is "$http" 200 "our own page is not"
for host in localhost api.romsim.localhost:80 '[::1]'; do
    api GET /v1/instances '' -H "Host: $host"
    is "$http" 200 "$host is a name of this machine"
done
refused 404 "what is not there is refused" GET /v1/nosuch
is "$(field '.errors[0].error')" 3 "... with the cloud's code"
refused 405 "a method that a path does not have, too" PUT /v1/instances
is "$(field '.errors[0].error')" 2 "... with the cloud's code"
like "$(cat api.headers)" "Allow: GET, HEAD, POST, PATCH, DELETE" "... and those that it has"
head -c 8500000 /dev/zero >large
refused 413 "a body that is too large is refused" POST /v1/instances "@large"
refused 413 "also one whose size is not said" POST /v1/instances "@large" -H 'Transfer-Encoding: chunked'
refused 400 "a query is compared with what there is" GET '/v1/instances?details=True'
refused 400 "and so is a body" GET /v1/instances '[{"nam":"x"}]'
like "$(field .message)" "Unknown member 'nam'" "... in romsim's words"
like "$(field .message)" "is not a valid member" "... and in those that clients look for"
api GET '/v1/instances?nosuch=1'
is "$http $(field '.warnings[0].type')" "200 unknown_parameter" "an unknown parameter is warned of"
is "$(curl -sS --noproxy '*' -X OPTIONS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" \
    "$url/v1/instances")" 405 "there are no options"

# ---- the instances are those of the commands -------------------------------------------------

fake_program base/bin/app
cat >one.yaml <<'E'
name: one
image: ./base
args: [/bin/app]
service_group: {services: [{port: 8080, destination_port: 8080}]}
E
names() { api GET /v1/instances; field '[.data.instances[].name] | sort | join(" ")'; }
ok "an instance is made" romsim create -q one.yaml
is "$(names)" "one" "and seen at once"
api GET '/v1/instances?name=one'
is "$(field '.data.instances[0].uuid')" "$(romsim get one -o json | jq -r .uuid)" "with its UUID"
ok "another one with the same port, which is free for it, is made" romsim create -q one.yaml -n two
is "$(names)" "one two" "and seen"
ok "one is changed" romsim edit one --set memory_mb=200
api GET '/v1/instances?name=one'
is "$(field '.data.instances[0].memory_mb')" 200 "which is seen at once"
ok "and deleted, while it is watched" romsim rm one
is "$(names)" "two" "and not seen any more"
api DELETE /v1/instances '[{"name":"two"}]'
is "$http $(field .status)" "200 success" "the API deletes"
is "$(names)" "" "and none is seen"
is "$(romsim ps -a -q)" "" "nor is one there"
for i in {1..10}; do
    romsim create -q one.yaml -n "n$i" >/dev/null && [ "$(names)" = "n$i" ] &&
        romsim rm "n$i" >/dev/null && [ "$(names)" = "" ] || break
done
is "$i" 10 "what comes and goes is seen as it is, each time"
ok "two are made" romsim create -q one.yaml -n three
romsim create -q one.yaml -n four >/dev/null
kill -KILL "$(romsim get four -o json | jq .romsim.keeper_pid)"
for ((tries = 0; tries < 600; tries++)); do
    [ -e "$XDG_RUNTIME_DIR/romsim/instances/four" ] || break
    sleep 0.1
done
is "$(names)" "three" "one whose keeper is killed is not seen any more"
is "$(ls "$XDG_RUNTIME_DIR/romsim/instances")" three "and the server removes what is left of it"

# ---- several servers, and their ends ---------------------------------------------------------

first=$server first_url=$url
serve || fail "a second server starts" "$(cat serve.err)"
is "$token" "$kept" "a second server has the same token"
is "$(names)" "three" "and the same instances"
port=${first_url##*:}
fails 1 "one on a port that is taken does not start" romsim serve --listen "127.0.0.1:$port"
like "$out" "cannot listen at 127.0.0.1:$port" "... and says so"
like "$out" "hint: is another 'romsim serve' running?" "... with a guess"
serve_end
is "$status" 0 "it ends by SIGTERM, without an error"
is "$(cat serve.err)" "" "and without a word"
kill -KILL "$first"; wait "$first" 2>/dev/null
serve --listen "127.0.0.1:$port" || fail "one starts where one was killed" "$(cat serve.err)"
is "$url" "$first_url" "one that was killed leaves its port"
is "$(names)" "three" "and its instances, which the next one shows"
curl -sS --noproxy '*' -N --max-time 300 -H "Authorization: Bearer $token" \
    "$url/v1/instances/wait?name=three&state=running&timeout_s=-1" -o waited &
waiting=$!
sleep 0.3
serve_end INT
is "$status" 0 "it ends by SIGINT, while somebody waits"
wait "$waiting"
is "$(romsim ps -a -q)" three "and the instance stays"
serve || fail "it starts again" "$(cat serve.err)"
serve_end HUP
is "$status" 0 "it ends by SIGHUP, too"

# ---- options ---------------------------------------------------------------------------------

serve --token abc.DEF || fail "it starts with a token" "$(cat serve.err)"
is "$token" abc.DEF "the token may be given"
is "$(names)" "three" "and is what is asked for"
token=$kept
refused 401 "the kept one is not" GET /v1/instances
serve_end
serve --no-auth || fail "it starts without a token" "$(cat serve.err)"
is "$token" "" "with --no-auth there is no token"
is "$(sed -n 2p serve.out)" "the page is at $url/" "nor one in the page's address"
is "$(names)" "three" "and none is asked for"
refused 403 "a host that is not ours is refused all the same" GET /v1/instances '' -H 'Host: evil.example'
serve_end
serve --org acme || fail "it starts for an organization" "$(cat serve.err)"
is "$(base64 -d <<<"$token")" "acme:$(cat "$file")" "the organization is the token's user"
serve_end
serve --listen 0.0.0.0:0 || fail "it listens for all" "$(cat serve.err)"
is "$url" "http://0.0.0.0:${url##*:}" "who listens for all says so"
url=http://127.0.0.1:${url##*:}
api GET /v1/instances '' -H 'Host: box.example'
is "$http" 200 "and has any name"
serve_end
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    serve --listen '[::1]:0' || fail "it listens by IPv6" "$(cat serve.err)"
    is "$(names)" "three" "it listens by IPv6"
    serve_end
else
    skip "it listens by IPv6" "no IPv6 on this machine"
fi
fails 2 "for all without a token is refused" romsim serve --listen 0.0.0.0:0 --no-auth
like "$out" "a token is needed" "... and why is said"
bad() { fails 2 "$1 is refused" romsim serve "${@:2}"; }
bad "an address that is none" --listen nowhere
bad "a name" --listen example.com:80
bad "a port that is none" --listen 127.0.0.1:99999
bad "a token with spaces" --token 'a b'
bad "no token" --token ''
bad "a token and none" --token x --no-auth
bad "an organization that is no name" --org 'a:b'
bad "a metro that is no name" --metro 'a/b'
bad "an operand" now
bad "an unknown accelerator" --accel warp
bad "a limit that is none" --limit nosuch=1
fails 1 "an address that is another machine's is refused" romsim serve --listen 192.0.2.1:0
chmod 644 "$file"
fails 1 "a token that others can read is refused" romsim serve --listen 127.0.0.1:0
like "$out" "hint: remove it, and a new one is made" "... and what to do"
chmod 600 "$file"
echo nonsense >"$file"
fails 1 "a token's file with something else is refused" romsim serve --listen 127.0.0.1:0
rm "$file"
ln -s /dev/null "$file"
fails 1 "and a link in its place" romsim serve --listen 127.0.0.1:0
rm "$file"

# ---- what clients have to know ---------------------------------------------------------------

romsim serve --print-env --org acme --listen 0.0.0.0:4321 >env
is "$(stat -c %a "$file")" 600 "--print-env makes the token, if there is none"
token=$(printf 'acme:%s' "$(cat "$file")" | base64 -w0)
is "$(env -i sh -c '. ./env; echo "$UKC_TOKEN $UKC_METRO $UKC_ALLOW_INSECURE $UNIKRAFT_PROFILE_ENV"')" \
    "$token http://127.0.0.1:4321 true true" "it is the clients' environment, for a shell"
mkdir -p bin
printf '#!/bin/sh\necho "$UKC_METRO $*"\n' >bin/kraft
chmod +x bin/kraft
is "$(env -i PATH="$T/bin:$PATH" sh -c '. ./env; kraft cloud ls')" "http://127.0.0.1:4321/v1 cloud ls" \
    "kraft gets the version in its metro"
is "$(env -i sh -c '. ./env; echo "$UNIKRAFT_TELEMETRY $DO_NOT_TRACK"')" "false 1" \
    "and nothing is reported to anybody"

romsim rm three >/dev/null 2>&1
is "$(ls "$XDG_RUNTIME_DIR/romsim/instances")" "" "nothing is left"
done_testing
