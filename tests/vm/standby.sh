#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# standby.sh: an instance that scales to zero: it goes when nobody wants anything of it, its ports
# stay, and whoever connects has it come back, without a byte being lost.
. "$(dirname "$0")/../lib.sh"
need guest "standby" || done_testing
need curl "standby" || done_testing
need python3 "standby" || done_testing
trap 'romsim rm --all >/dev/null 2>&1; cleanup' EXIT

# Port 8080 answers HTTP, with `do` for all that a request may want; 9000 says what it is told.  The
# count comes into its place by `mv`: a file that `>` has emptied may be read before it is written.
"$SAMPLES/busybox-base.sh" base
mkdir -p base/www/cgi-bin www
cat >base/www/cgi-bin/do <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
case $QUERY_STRING in
time) date +%s ;;
count) cat /tmp/count ;;
random) head -c 8 /dev/urandom | od -An -tx1 ;;
address) ip addr show eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p' ;;
stay=*) printf '%s' "${QUERY_STRING#stay=}" >/uk/libukp/scale_to_zero_disable && cat /uk/libukp/scale_to_zero_disable ;;
call=*) timeout 100 wget -qO- "http://${QUERY_STRING#call=}:8080/rom/x" 2>&1 ;;
esac
END
chmod +x base/www/cgi-bin/do
echo "first" >www/x
cat >app.sh <<'END'
echo began
ln -s /rom /www/rom
i=0
trap 'echo ended at $i; exit 3' TERM
httpd -f -p 8080 -h /www &
(while :; do nc -l -p 9000 -e cat; done) &
while :; do i=$((i + 1)); echo $i >/tmp/counted; mv /tmp/counted /tmp/count; sleep 0.2 & wait $!; done
END
cp app.sh www/app.sh
# instance NAME [MEMBERS of scale_to_zero] [OTHERS]
instance() {
    cat <<END
name: $1
image: ./base
args: [/bin/sh, /rom/app.sh]
service_group: {services: [{port: 8080}, {port: 9000}]}
scale_to_zero: {policy: on, cooldown_time_ms: 200, $2}
roms: [{name: www, dir: www, at: /rom}]
${3:-}
END
}
get() { romsim get "$1" -o json | jq -r "$2"; }
port() { get "$1" ".romsim.ports[$2].url" | sed 's/.*://'; }
# published NAME: its own port of --publish, the last: the others may be given to any other instance
# of this machine as soon as it is gone, and who connects there wakes that.
published() { port "$1" -1; }
# ask NAME PATH: one request, without a second try.
ask() { curl -sS --noproxy '*' --max-time 100 "http://127.0.0.1:$(port "$1" 0)/$2" 2>&1; }
stands() { romsim wait "$1" --state standby --timeout 100s >/dev/null; }
qemus() { ps -o comm= --ppid "$1" | grep -c qemu; }
saved() { ls -l "/proc/$1/fd" | grep -c memfd:romsim-suspended; }

# ---- saved, and woken
instance one 'stateful: true' >one.yaml
ok "an instance is made without a warning" romsim run -q -d -p "$(free_port):8080" one.yaml
is "$out" one "and with its name alone"
ok "it is put to standby" stands one
keeper=$(get one .romsim.keeper_pid)
is "$(get one '[.state, .stop_reason, .exit_code, .start_count] | join(" ")')" "standby 39 0 1" "by scale-to-zero"
is "$(get one '.scale_to_zero | [.enabled, .policy, .cooldown_time_ms, .notify_time_ms, .stateful] | join(" ")')" \
    "true on 200 0 true" "as get shows"
is "$(get one '.stopped_at >= .started_at')" true "with when"
like "$(romsim ps)" "one   standby" "and ps, without --all"
is "$(qemus "$keeper") $(saved "$keeper")" "0 1" "its QEMU has ended, and what is saved is in memory"
uptime=$(get one .uptime_ms)
is "$(get one .uptime_ms)" "$uptime" "it does not grow older"
is "$(ask one rom/x)" first "a request wakes it and is answered"
is "$(get one .start_count)" 2 "which is a start"
before=$(ask one cgi-bin/do?count)
ok "it is put to standby again" stands one
sleep 2
then=$(ask one cgi-bin/do?time) now=$(date +%s)
[ $((now - then)) -le 60 ] && [ $((then - now)) -le 60 ] && pass "its clock is right" || fail "its clock is right" "$then, and here it is $now"
after=$(ask one cgi-bin/do?count)
[ "$after" -gt "$before" ] && pass "it went on counting" || fail "it went on counting" "$before, $after"
is "$(ask one cgi-bin/do?address)" "$(get one .private_ip)" "its address is as it was"
is "$(romsim logs one | grep -c began)" 1 "its app began once"
random=$(ask one cgi-bin/do?random)
stands one
[ "$(ask one cgi-bin/do?random)" != "$random" ] && pass "its randomness goes on" || fail "its randomness goes on" "$random"

# ---- no byte is lost
cat >bytes.py <<'END'
import hashlib, os, socket, sys, threading
ports, size = [int(port) for port in sys.argv[2:]], int(sys.argv[1])
def once(port, said):
    data = os.urandom(size)
    got = b''
    with socket.create_connection(('127.0.0.1', port)) as connection:
        threading.Thread(target=connection.sendall, args=(data,)).start()
        while len(got) < size:
            part = connection.recv(1 << 16)
            if not part: break
            got += part
    said.append('same' if got == data else 'other: %d bytes' % len(got))
said = []
threads = [threading.Thread(target=once, args=(port, said)) for port in ports]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(' '.join(said))
END
stands one
is "$(timeout 120 python3 bytes.py 2000000 "$(port one 1)")" same "what is sent before it wakes comes back whole"
stands one
for i in 1 2 3 4 5 6 7 8 9 10; do ask one rom/x & done >many
wait
is "$(sort many | uniq -c | tr -s ' ')" " 10 first" "ten at once are all answered"

# ---- what holds it
exec 7<>"/dev/tcp/127.0.0.1/$(port one 1)"
echo hello >&7
line= ; read -r line <&7
is "$line" hello "a connection"
sleep 2
is "$(get one .state)" running "that is open holds it"
exec 7>&-
ok "until it is closed" stands one
is "$(ask one cgi-bin/do?stay=+)" "=1" "its app says that it is to stay"
sleep 2
is "$(get one .state)" running "and it does"
is "$(ask one cgi-bin/do?stay=+2)" "=3" "three times"
is "$(ask one cgi-bin/do?stay=-2)" "=1" "two are taken back"
ok "even so it can be saved by hand" romsim suspend one
is "$(get one '[.state, .stop_reason] | join(" ")')" "standby 12" "to standby, since it scales to zero"
is "$(ask one cgi-bin/do?stay=+0)" "=1" "woken, it has the count that it had"
sleep 2
is "$(get one .state)" running "which holds it still"
is "$(ask one cgi-bin/do?stay==0)" "=0" "the last is taken back"
ok "then it may go" stands one

# ---- edits
sleep 1
ok "at standby it is edited" romsim edit one --set "roms=$(jq -nc --rawfile a app.sh '[{name: "www", at: "/rom", files: [{path: "app.sh", data: $a}, {path: "x", data: "second\n"}]}]')"
is "$(get one .state) $(saved "$keeper")" "standby 0" "and stays there, with nothing saved"
is "$(ask one rom/x)" second "the next request starts it anew, with the new ROM"
ok "while it runs" romsim edit one --set "roms=$(jq -nc --rawfile a app.sh '[{name: "www", at: "/rom", files: [{path: "app.sh", data: $a}, {path: "x", data: "third\n"}]}]')"
ok "an edit waits for standby" stands one
is "$(get one '.updates | length')" 0 "which is a stop"
is "$(ask one rom/x)" third "and is there then"

# ---- commands
stands one
ok "it is started by hand" romsim start one
ok "and saved by itself" stands one
ok "what is in standby need not be suspended" romsim suspend one
is "$(get one .state)" standby "and stays so"
ok "it is stopped" romsim stop --timeout 100s one
is "$(get one '[.state, .stop_reason, .exit_code] | join(" ")')" "stopped 15 3" "as its app ends"
like "$(romsim logs one)" "ended at" "which has had its say"
fails 7 "nobody can connect" curl -sS --noproxy '*' "http://127.0.0.1:$(published one)/"
ok "it is started" romsim start one
stands one
ok "stopped by force" romsim stop -f one
is "$(get one '[.state, .stop_reason] | join(" ")') $(saved "$keeper")" "stopped 12 0" "nothing is left of its VM"
ok "started" romsim start one
stands one
"$ROMSIM" logs -f one >followed 2>&1 &
follower=$!
for ((i = 0; i < 20; i++)); do ask one rom/x >/dev/null; stands one; grep -q standby followed && break; done
like "$(cat followed)" "standby: the next connection wakes it" "who follows its log sees it go and come"
begun=$(romsim logs one | grep -c began)
ok "it is restarted" romsim restart one
for ((i = 0; i < 600; i++)); do [ "$(romsim logs one | grep -c began)" -gt "$begun" ] && break; sleep 0.1; done
is "$(romsim logs one | grep -c began)" "$((begun + 1))" "which begins it anew"
number=$(published one)
stands one
ok "it is removed from standby" romsim rm one
wait "$follower"
for ((i = 0; i < 100; i++)); do [ -e "/proc/$keeper" ] || break; sleep 0.1; done
[ ! -e "/proc/$keeper" ] && pass "and nothing of it is left" || fail "and nothing of it is left" "keeper $keeper"
fails 7 "nor is its port" curl -sS --noproxy '*' "http://127.0.0.1:$number/"

# ---- not saved
instance two '' 'restart_policy: always' >two.yaml
ok "one that is not stateful" romsim run -q -d -p "$(free_port):8080" two.yaml
ok "is put to standby, too" stands two
keeper=$(get two .romsim.keeper_pid)
is "$(get two '[.state, .stop_reason, .exit_code, .restart_count] | join(" ")')" "standby 39 3 0" \
    "as its app ends, and no restart_policy starts it"
is "$(qemus "$keeper") $(saved "$keeper")" "0 0" "nothing is saved"
is "$(timeout 120 python3 bytes.py 100000 "$(port two 1)")" same "who connects is waited for through a cold start"
is "$(romsim logs two | grep -c began)" 2 "which it was"
stands two
ask two rom/x >cold &
asking=$!
for ((i = 0; i < 600; i++)); do qemu=$(ps -o pid=,comm= --ppid "$keeper" | awk '/qemu/ { print $1 }'); [ -n "$qemu" ] && break; sleep 0.02; done
kill -KILL "$qemu"
wait "$asking"
unlike "$(cat cold)" first "a wake that fails closes the connection"
is "$(get two '.state + " " + (.stop_reason != 39 | tostring)')" "stopped true" "and the state says so"
fails 7 "nobody can connect then" curl -sS --noproxy '*' "http://127.0.0.1:$(published two)/"
ok "it is started again" romsim start two
number=$(published two)
stands two
kill -KILL "$keeper"
for ((i = 0; i < 100; i++)); do [ -e "/proc/$keeper" ] || break; sleep 0.1; done
is "$(romsim ps -a | wc -l)" 1 "a killed keeper leaves nothing that is listed"
fails 7 "nor a port" curl -sS --noproxy '*' "http://127.0.0.1:$number/"

# ---- the policies
instance three 'policy: idle' | sed 's/policy: on, //' >three.yaml
ok "with the policy 'idle'" romsim run -q -d three.yaml
exec 7<>"/dev/tcp/127.0.0.1/$(port three 1)"
echo hello >&7
line= ; read -r line <&7
ok "a connection that nothing goes over does not hold it" stands three
is "$(cat <&7)" "" "and ends"
exec 7>&-
ok "it is edited" romsim edit three --set 'scale_to_zero={"policy":"off"}'
is "$(ask three rom/x)" first "to scale no more, and woken"
sleep 2
is "$(get three '[.state, .scale_to_zero.enabled] | join(" ")')" "running false" "it stays"
romsim rm three >/dev/null

# ---- in the foreground
instance four 'stateful: true' >four.yaml
"$ROMSIM" run four.yaml >front.out 2>front.err &
front=$!
for ((i = 0; i < 600; i++)); do [ "$(get four .state 2>/dev/null)" = standby ] && break; sleep 0.1; done
like "$(cat front.err)" "standby: the next connection wakes it" "one in the foreground says so"
is "$(ask four rom/x)" first "and is woken"
stands four
kill -TERM "$front"
wait "$front"
is "$?" 3 "its end is its app's"
like "$(cat front.out)" "ended at" "which is woken for it"
is "$(romsim ps -a | wc -l)" 1 "and it is gone"

# ---- the private network
for name in caller saver cold; do
    instance "$name" "stateful: $([ "$name" = saver ] && echo true || echo false)" >$name.yaml
    # Of a connection between guests only what goes over it is seen, and a busy machine is slow.
    sed -i 's/ms: 200/ms: 3000/' $name.yaml
    [ "$name" = caller ] && sed -i 's/policy: on/policy: off/' caller.yaml
    romsim run -q -d $name.yaml >/dev/null
done
stands saver
is "$(ask caller cgi-bin/do?call=saver.internal)" first "an instance that calls another by its name wakes it"
is "$(get saver ".start_count > 1")" true "as who connects from outside does"
stands cold
is "$(ask caller cgi-bin/do?call=cold.internal)" first "also one that has to start anew"
stands cold
ok "both go again" stands saver

# ---- over HTTP
. "$ROOT/tests/serving.sh"
serve && pass "a server" || fail "a server" "$(cat "$T/serve.err")"
api GET /v1/instances/wait '[{"name": "saver", "state": "standby", "timeout_s": 100}]'
is "$(field '.data.instances[0].state')" standby "one can be waited for"
api GET /v1/instances '[{"name": "saver"}]'
is "$(field '.data.instances[0] | [.state, .stop_reason, .scale_to_zero.enabled] | join(" ")')" "standby 39 true" "and looked at"
api GET /v1/instances/metrics '[{"name": "saver"}]'
is "$(field '.data.instances[0] | [.state, .rss_bytes, .nconns] | join(" ")')" "standby 0 0" "it takes nothing"
api GET /v1/instances/log '[{"name": "saver"}]'
is "$(field '.data.instances[0].state')" standby "its log can be read"
api PUT /v1/instances/suspend '[{"name": "saver"}]'
is "$http $(field '.data.instances[0].state')" "200 standby" "it need not be suspended"
api GET /v1/users/quotas
is "$(field '.data.quotas[0].used | [.instances, .live_instances] | join(" ")')" "3 1" "only what has a VM is live"
api PUT /v1/instances/start '[{"name": "saver", "timeout_s": 100}]'
is "$(field '.data.instances[0].previous_state')" standby "it is started"
api PUT /v1/instances/stop '[{"name": "cold"}]'
is "$(field '.data.instances[0] | [.previous_state, .state] | join(" ")')" "standby stopped" "and stopped"
api DELETE /v1/instances '[{"name": "saver"}, {"name": "cold"}, {"name": "caller"}]'
is "$http" 200 "and deleted"
serve_end
done_testing
