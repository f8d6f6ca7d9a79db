#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# instances.sh: instances that live on: made, started, stopped, watched and deleted by commands that
# come and go, and what is left of them, which is nothing.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "instances" || done_testing
need jq "instances" || done_testing
need curl "instances" || done_testing

export TMPDIR=$T/tmp
mkdir "$TMPDIR"
# A page that is in a ROM, and a program that says something on the console when it is asked to.
mkdir -p more/srv/cgi-bin
ln -s /www/index.html more/srv/index.html
printf '#!/bin/sh\necho said >&2\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\n' >more/srv/cgi-bin/say
chmod 755 more/srv/cgi-bin/say
"$SAMPLES/busybox-base.sh" base more
secret=only-in-an-inline-rom-$RANDOM$RANDOM
port=$(free_port)
cat >web.yaml <<END
name: web
image: ./base
args: [/bin/sh, -c, "trap 'echo bye; exit 5' TERM; httpd -f -p 8080 -h /srv & echo ready; while :; do sleep 0.1; done"]
roms: [{name: www, files: [{path: index.html, data: $secret}], at: /www}]
END

item() { romsim get "$1" -o json | jq -c "$2"; }
mounts() { grep -c " $T/" /proc/self/mountinfo; }
qemus() { pgrep -f "$XDG_RUNTIME_DIR/romsim/instances" | wc -l; }
fetch() { curl --noproxy '*' -sS --max-time 60 "$1/index.html" 2>&1; }
is_in() { grep -qsF "$2" "$1"; }
state_is() { [ "$(item "$1" .state)" = "\"$2\"" ]; }
listens() { [ "$(item "$1" .net_time_us)" -gt 0 ]; }
# follow FILE TEXT: reads the lines of a command in the background, until one has the text.
follow() {
    while read -r -u "$lines" line; do
        case $line in *"$1"*) return 0 ;; esac
    done
    return 1
}

# ---- made
is "$(romsim create -q -p "$port:8080" web.yaml)" web "create makes an instance, and prints its name"
is "$(item web '[.state, .start_count, .stop_reason, .roms[0].at]')" '["stopped",0,null,"/www"]' \
    "it is stopped, and was never started"
is "$(romsim ps)" "NAME  STATE  IMAGE  MB  PRIVATE IP  PORTS" "ps does not list it"
is "$(romsim ps -aq)" web "ps -a does"
fails 1 "another of its name is refused" romsim create web.yaml
is "$out" "romsim: error: there is an instance 'web' already" "and that is said"
is "$(romsim create --name other web.yaml)" other "another name is another instance"
is "$(item web .private_ip)$(item other .private_ip)" '"10.0.0.2""10.0.0.3"' \
    "addresses are counted by instance"
is "$(item other '.network_interfaces[0].mac')" '"12:b0:0a:00:00:03"' "and MAC addresses are of them"
romsim rm other >/dev/null

uuid=$(item web .uuid | tr -d '"')
is "$(romsim get "${uuid:0:9}" -o json | jq -r .name)" web "the beginning of a UUID is a name"
fails 1 "three digits of it are not" romsim get "${uuid:0:3}"
like "$out" "No instance with name '${uuid:0:3}'" "and the message is the cloud's"
is "$(item web '.roms[0].image | test("^[0-9a-f]{8}-[0-9a-f-]{27}$")')" true \
    "an inline ROM is told by a UUID"
fails 1 "wait gives up in time" romsim wait --timeout 100ms web
like "$out" "timed out: 'web' is not running yet" "and says what it waited for"
fails 125 "nobody attaches to what does not run" romsim attach web
like "$out" "'romsim start web' starts it" "and the way out is said"

# Two at once: each round has one winner, and one clear error.
for round in 1 2 3; do
    romsim create --name twin web.yaml >one 2>&1 &
    romsim create --name twin web.yaml >two 2>&1
    wait $!
    is "$(sort one two)" "romsim: error: there is an instance 'twin' already
twin" "of two that create a name at once one does, round $round"
    romsim rm twin >/dev/null
done

# ---- started
romsim start web >one 2>&1 &
romsim start web >two 2>&1
wait $!
is "$(sort one two | grep -v answers)" "romsim: error: the instance 'web' is starting, not stopped
web" "of two that start it at once one does"
url=http://127.0.0.1:$port
is "$(item web '.romsim.ports[0].url')" "\"$url\"" "get has the port of this machine"
is "$(romsim wait web)" web "it runs"
is "$(item web '[.state, .start_count, .exit_code, .boot_time_us > 0, .started_at != null]')" \
    '["running",1,null,true,true]' "and get says so"
is "$(romsim ps | awk 'NR == 2 { print $1, $2 }')" "web running" "ps does, too"
is "$(romsim ps --json | jq -c '[.[] | [.name, .state]]')" '[["web","running"]]' "and as JSON"
eventually listens web
is "$(fetch "$url")" "$secret" "its inline ROM is served"
like "$(romsim get web)" "state: running
image: \"./base\"" "get is YAML"
is "$(find "$T/.xdg" "$TMPDIR" -xdev -type f -exec grep -lF "$secret" {} +)" "" \
    "and nothing of it is in any file of romsim"
fails 1 "a second start is refused" romsim start web
like "$out" "the instance 'web' is running, not stopped" "and says why"
fails 1 "an instance that runs has its name" romsim create web.yaml

# The log, and who follows it.
eventually says web ready
is "$(romsim logs web)" "mount /dev/ukp_rom1 -> /www
ready" "logs has what it said"
is "$(romsim logs --tail 1 web)" ready "the last line of it"
is "$(romsim logs --tail 0 web)" "" "none"
is "$(romsim logs --since 1h web)" "$(romsim logs web)" "and what it said in the last hour"
romsim logs -f web >followed 2>&1 &
follower=$!
romsim attach web >attached 2>&1 &
attached=$!
both_hear() {
    curl --noproxy '*' -sS "$url/cgi-bin/say"
    is_in followed said && is_in attached said
}
ok "both hear what is said" eventually both_hear
# The app says nothing more: it is not by writing that one learns that the reader is gone.
is "$(timeout 100 "$ROMSIM" logs -f web | grep -m 1 ready; echo "${PIPESTATUS[0]}")" "ready
0" "logs -f ends with its reader"
# A reader that stands still holds `logs -f` up between what was said and what will be.
cat >ticks.yaml <<END
name: ticks
image: ./base
args: [/bin/sh, -c, "seq 1 20000; while :; do echo tick \$((n += 1)); sleep 0.1; done"]
END
romsim run -q -d ticks.yaml
eventually says ticks "tick 1"
is "$(timeout 100 "$ROMSIM" logs -f ticks | {
    sleep 2
    awk '/^tick/ { if ($2 != ++seen) { print seen, "is lost"; exit } }
        seen == 1 { wanted = NR + 40 } wanted && NR == wanted { print "all"; exit }'
})" all "logs -f loses nothing of what is said meanwhile"
romsim rm ticks >/dev/null
ok "restart starts it again" romsim restart web
wait $follower
is "$?" 0 "logs -f ends with the app"
is "$(tail -1 followed)" bye "and has its last words"
wait $attached
is "$?" 5 "attach ends with the app's status"
is "$(item web '[.state, .start_count, .restart_count]')" '["running",2,0]' "it runs again"
eventually listens web
is "$(fetch "$url")" "$secret" "on the same port"

# ---- stopped
ok "stop stops it" romsim stop web
is "$(item web '[.state, .stop_reason, .stop_code, .exit_code]')" '["stopped",15,33024,5]' \
    "stop returns when it has stopped, and get says how"
is "$(romsim logs web | grep -v said | tr '\n' ' ')" \
    "mount /dev/ukp_rom1 -> /www ready bye mount /dev/ukp_rom1 -> /www ready bye " \
    "the log has both runs"
is "$(timeout 60 "$ROMSIM" logs -f web | tail -1)" bye "which logs -f does not wait to go on"
is "$(romsim ps -a | awk 'NR == 2 { print $2, $3 }')" "stopped (5)" "ps -a has its status"
ok "stopping it again is no error" romsim stop web
is "$(qemus) $(mounts)" "0 0" "nothing runs"
like "$(fetch "$url")" "connect to 127.0.0.1" "a port is held while its instance is stopped: refused"
fails 1 "and nobody else gets it" romsim create --name thief -p "$port:80" --image ./base --args true
like "$out" "the port $port of 127.0.0.1 is taken" "as the message says"

# What is started and deleted at once is gone.
romsim start web >one 2>&1 &
pid=$!
eventually state_is web starting
ok "what starts can be stopped" romsim stop web
wait $pid
is "$?" 1 "who started it is told"
like "$(cat one)" "'web' was stopped before its app began" "why"
is "$(item web '[.stop_reason, .exit_code]')" '[12,143]' "it ended before its app"
ok "started once more" romsim start -q web
ok "stop --force asks nobody" romsim stop --force web
is "$(item web '[.stop_reason, .stop_code, .exit_code]')" '[28,0,137]' "and is told as forced"

# ---- the keeper
keeper=$(item web .romsim.keeper_pid)
stop_process "$keeper"
is "$(romsim ps -a | awk 'NR == 2 { print $2, $3 }')" "stopped ?" \
    "ps marks one whose keeper does not answer"
is "$(romsim ps -a --json | jq -c '[.[0].romsim.silent, .[0].romsim.keeper_pid]')" "[true,$keeper]" \
    "and names the keeper"
fails 1 "other commands give up" romsim get web
like "$out" "its keeper is stopped: 'kill -CONT $keeper' lets it go on" "and say what helps"
kill -CONT "$keeper"
is "$(item web .state)" '"stopped"' "which it does"

# More clients than it takes: the next is told so, and served when they are gone.
mkfifo crowd
(cd "$XDG_RUNTIME_DIR/romsim/instances/web" && exec python3 -c 'import socket, sys
crowd = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(200)]
for each in crowd: each.connect("socket")
crowd[-1].send(b"{\"do\": \"get\"}")
crowd[-1].recv(65536)
print("there", flush=True)
sys.stdin.read()') <crowd >there &
crowd=$!
exec {hold}>crowd
eventually test -s there
fails 1 "one client more than it takes is turned away" romsim get web
like "$out" "200 ask the instance 'web' already" "and told why"
exec {hold}>&-
wait $crowd
ok "when the others are gone it is served" romsim get web

ok "it is started" romsim start -q web
qemu=$(jq -r '.processes[0].pid' "$XDG_RUNTIME_DIR/romsim/instances/web/state.json")
romsim attach web >attached 2>&1 &
attached=$!
eventually state_is web running
kill -KILL "$keeper"
await_end 60 "$keeper" "$qemu"
is "$(qemus)" 0 "a killed keeper takes its QEMU along"
wait $attached
is "$?" 125 "who was attached ends with 125"
is "$(romsim ps -a | wc -l) $(folders) $(mounts)" "1  0" "the next command removes what is left"
ok "and its name and port are free" romsim create -q -p "$port:8080" web.yaml
is "$(item web '.romsim.ports[0].url')" "\"$url\"" "as before"
stop_process "$(item web .romsim.keeper_pid)"
ok "rm removes one whose keeper is stopped, too" romsim rm web
is "$(folders)" "" "and leaves nothing"

# ---- how they end
cat >ends.yaml <<'END'
- {name: three, image: ./base, args: [/bin/sh, -c, exit 3]}
- {name: deaf, image: ./base, args: [/bin/sh, -c, "trap '' TERM; echo deaf; while :; do sleep 1; done"]}
- {name: hungry, image: ./base, memory_mb: 96, args: [/bin/sh, -c, "exec tail /dev/zero"]}
- {name: brief, image: ./base, features: [delete-on-stop], args: [/bin/sh, -c, "while :; do sleep 1; done"]}
END
ok "run -d returns when the apps run" romsim run -dq ends.yaml
is "$(sort <<<"$out" | tr '\n' ' ')" "brief deaf hungry three " "and prints their names"
romsim wait --state stopped three hungry >/dev/null
is "$(item three '[.stop_reason, .stop_code, .exit_code]')" '[3,33024,3]' "an app's own end is a 3"
is "$(item hungry '[.stop_reason, .stop_code, .exit_code]')" '[1,818948,137]' \
    "one that had too little memory is told"
eventually says deaf deaf
ok "stop has a time" romsim stop --timeout 500ms deaf
is "$(item deaf '[.stop_reason, .exit_code]')" '[13,137]' "an app that does not obey is killed"
ok "what is deleted by its stop can be stopped" romsim stop --force brief
fails 1 "and is gone" romsim get brief
ok "rm ends what runs, by force" romsim rm --all
is "$(sort <<<"$out" | tr '\n' ' ')" "deaf hungry three " "and prints what it deleted"
is "$(folders) $(mounts) $(qemus)" " 0 0" "nothing is left"

# ---- restarts
cat >again.yaml <<'END'
{name: again, image: ./base, restart_policy: on-failure, args: [/bin/sh, -c, "echo try; exit 7"]}
END
mkfifo output
romsim run again.yaml >output 2>&1 &
pid=$!
exec {lines}<output
ok "an app that fails is started again at once" follow "starts it again at once"
ok "and after five seconds the next time" follow "starts it again in 5 s"
# Long enough to be looked at on a machine that is busy.
ok "and later each time" follow "starts it again in 20 s"
is "$(item again '[.state, .restart.attempt, .restart.next_at != null, .restart_count, .stop_reason, .exit_code]')" \
    '["stopped",4,true,3,3,7]' "the back-off is seen"
is "$(romsim ps | awk 'NR == 2 { print $2, $3 }')" "restarting (7)" "ps lists it"
romsim attach again >attached 2>&1 &
attached=$!
ok "a stop ends that" romsim stop again
wait $pid
is "$?" 7 "and 'run' with the app's last status"
exec {lines}<&-
wait $attached
status=$?
ok "as does attach, unless it came too late" test $status = 7 -o $status = 125
is "$(folders)" "" "nothing is left"

mkdir tree
echo x >tree/x
(cd tree && find . | cpio -o -H newc --quiet) >raw.cpio
truncate -s %4096 raw.cpio
cat >fails.yaml <<'END'
{name: fails, image: ./base, restart_policy: always, args: [/bin/true], roms: [{name: r, image: ./raw.cpio, at: /r}]}
END
fails 125 "run -d tells of a boot that fails" romsim run -dq fails.yaml
is "$(item fails '[.state, .restart, .start_count, .stop_reason, .stop_code]')" \
    '["stopped",null,1,1,257]' "a boot that fails is not tried again"

# ---- how long it is waited for
# A kernel that does not say a word: what has it is starting until it is deleted.
sed 's/^name: .*/autostart: true/' web.yaml >waits.yaml
{ cat waits.yaml; echo 'timeout_s: 1'; } >second.yaml
{ cat waits.yaml; echo 'timeout_s: 0'; } >none.yaml
{ cat waits.yaml; echo 'wait_timeout_ms: -1'; } >ever.yaml
if silent_kernel silent; then
    fails 124 "create gives up in time" romsim create -q -n second --kernel silent second.yaml
    is "$out" "second
romsim: error: timed out: 'second' is not running yet after 1 s, and goes on" "and says so"
    is "$(item second .state)" '"starting"' "the instance goes on"
    fails 124 "run -d, too" romsim run -dq -n other --kernel silent second.yaml
    like "$out" "timed out: 'other' is not running" "and says so"
    ok "a timeout of 0 is no wait" romsim create -q -n none --kernel silent none.yaml
    is "$out" none "and the name is printed"
    ok "with run -d, too" romsim run -dq -n nor --kernel silent none.yaml
else
    skip "create gives up in time" "no assembler here"
fi
ok "without an end it runs when create is done" romsim create -q -n ever ever.yaml
is "$(item ever .state)" '"running"' "which is so"
romsim rm --all >/dev/null

# ---- a client in the foreground, and others
romsim run --name mine web.yaml >one 2>&1 &
pid=$!
eventually romsim get mine
ok "one in the foreground can be deleted by its name" romsim rm mine
wait $pid
is "$?" 137 "which ends its 'run'"
romsim rm --all >/dev/null

# ---- a runtime folder with a long path
long=$T/$(printf 'a%.0s' {1..100})/$(printf 'b%.0s' {1..100})
mkdir -p -m 700 "$long"
is "$(XDG_RUNTIME_DIR=$long romsim create web.yaml; XDG_RUNTIME_DIR=$long romsim ps -aq; \
    XDG_RUNTIME_DIR=$long romsim rm web)" "web
web
web" "the runtime folder's path may be long"
is "$(qemus) $(mounts) $(folders)" "0 0 " "nothing is left of all this"
done_testing
