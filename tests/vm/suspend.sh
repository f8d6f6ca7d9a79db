#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# suspend.sh: an instance is saved and goes on where it was, as often as one likes.
. "$(dirname "$0")/../lib.sh"
need guest "suspended instances" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir www
echo "first" >www/x
cat >app.sh <<'END'
i=0
httpd -f -p 8080 -h /rom &
trap 'echo ended at $i; exit 3' TERM
while :; do i=$((i + 1)); sleep 0.2 & wait $!; done
END
cat >app.yaml <<END
name: sleeper
image: ./base
args: [/bin/sh, /app/app.sh]
service_group: {services: [{port: 8080}]}
roms:
  - {name: app, at: /app, files: [{path: app.sh, encoding: base64, data: $(base64 -w0 app.sh)}]}
  - {name: www, dir: www, at: /rom}
END
get() { romsim get sleeper -o json | jq -r "$1"; }
# asks WANT TEXT: the app answers over HTTP, on the port that it has had all the time.
asks() {
    local got i
    for ((i = 0; i < 200; i++)); do
        got=$(curl -sS --noproxy '*' --max-time 10 "$url/x" 2>/dev/null) && break
        sleep 0.1
    done
    is "$got" "$1" "$2"
}
ok "an instance" romsim run -q -d app.yaml
url=$(get '.romsim.ports[0].url')
asks first "it answers"
ok "it is suspended" romsim suspend sleeper
is "$(get '[.state, .stop_reason, .exit_code] | join(" ")')" "stopped 12 0" "and stopped by that, as by its user"
keeper=$(get .romsim.keeper_pid)
is "$(ps -o comm= --ppid "$keeper" | grep -c qemu)" 0 "QEMU has ended"
is "$(ls -l "/proc/$keeper/fd" | grep -c 'memfd:romsim-suspended')" 1 "what is saved is in memory"
sleep 2
ok "it is started" romsim start sleeper
is "$(get '[.state, .start_count, (.stop_reason // "none")] | join(" ")')" "running 2 none" "and runs"
is "$(ls -l "/proc/$keeper/fd" | grep -c 'memfd:romsim-suspended')" 0 "what was saved is not kept"
asks first "it goes on where it was"
is "$(get '.boot_time_us < 20000000')" true "which is counted as its start"
for i in 1 2 3; do
    romsim suspend sleeper >/dev/null && romsim start sleeper >/dev/null || fail "round $i"
done
asks first "three times more"
is "$(get .start_count)" 5 "each is a start"
ok "it is stopped" romsim stop sleeper
like "$(romsim logs sleeper)" "ended at " "its app had never ended before"
is "$(romsim logs sleeper | grep -c 'mount /dev/ukp_rom1')" 1 "nor begun again"
[ "$(romsim logs sleeper | sed -n 's/^ended at //p')" -gt 1 ] && pass "and went on counting" ||
    fail "and went on counting" "$(romsim logs sleeper)"
is "$(get .exit_code)" 3 "its status is its own"

# ---- the clock, and what an edit does
ok "it is started once more" romsim start sleeper
asks first "and answers"
romsim suspend sleeper >/dev/null
ok "one that is suspended is edited" romsim edit sleeper --set "roms=$(jq -nc --arg a "$(base64 -w0 app.sh)" '[{name: "app", at: "/app", files: [{path: "app.sh", encoding: "base64", data: $a}]}, {name: "www", at: "/rom", files: [{path: "x", data: "second\n"}, {path: "now", data: ""}]}]')"
ok "and started" romsim start sleeper
asks second "an edit makes the next start a cold one"
is "$(romsim logs sleeper | grep -c 'mount /dev/ukp_rom1')" 3 "which mounts its ROMs again"
ok "suspended, and deleted" romsim suspend sleeper
ok "it goes" romsim rm sleeper
for ((i = 0; i < 100; i++)); do [ -e "/proc/$keeper" ] || break; sleep 0.1; done
[ ! -e "/proc/$keeper" ] && pass "with all that was saved" || fail "with all that was saved" "keeper $keeper is there"

# ---- a clone, and what cannot be suspended
cat >clock.yaml <<'END'
name: clock
image: ./base
args: [/bin/sh, -c, 'echo 1 >/uk/libukp/template_instance; while [ ! -e /tmp/stop ]; do date +%s; sleep 0.2; done']
END
ok "a template" romsim template create clock clock.yaml
ok "a clone" romsim run -q -d --template clock -n one --rom "name=www,dir=www,at=/rom"
ok "is suspended" romsim suspend one
sleep 3
ok "and goes on" romsim start one
for ((i = 0; i < 100; i++)); do
    told=$(romsim logs one | grep -E '^[0-9]+$' | tail -1)
    [ $(($(date +%s) - told)) -le 2 ] && break
    sleep 0.1
done
[ "$i" -lt 100 ] && pass "with the time as it is now" || fail "with the time as it is now" "$told, and it is $(date +%s)"
ok "what is stopped" romsim stop -f one
ok "need not be suspended" romsim suspend one
is "$(romsim get one -o json | jq -r .state)" stopped "and stays so"
fails 1 "one that is not there cannot be" romsim suspend nobody
like "$out" "No instance with name 'nobody'" "which is said"
romsim run -q app.yaml >front.log 2>&1 &
front=$!
for ((i = 0; i < 300; i++)); do [ "$(get .state 2>/dev/null)" = running ] && break; sleep 0.1; done
fails 1 "one in the foreground is its terminal's" romsim suspend sleeper
like "$out" "in the foreground" "which is said, too"
kill -TERM "$front"
wait "$front"

# ---- over HTTP
. "$ROOT/tests/serving.sh"
romsim start one >/dev/null
serve && pass "a server" || fail "a server" "$(cat "$T/serve.err")"
api PUT /v1/instances/suspend '[{"name": "one"}]'
is "$http $(field '.data.instances[0] | [.name, .previous_state] | join(" ")')" "200 one running" "suspends, too"
api GET /v1/instances/wait '[{"name": "one", "state": "stopped", "timeout_s": 60}]'
is "$(field '.data.instances[0].state')" stopped "by and by"
api PUT /v1/instances/start '[{"name": "one", "timeout_s": 60}]'
is "$(field '.data.instances[0].state')" running "and lets it go on"
serve_end
ok "all of it goes" romsim rm --all
romsim template rm clock
done_testing
