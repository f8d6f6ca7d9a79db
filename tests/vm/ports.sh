#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# ports.sh: services are reached on 127.0.0.1; the URL is printed when the app really listens.
. "$(dirname "$0")/../lib.sh"
need guest "ports" || done_testing
need curl "ports" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir -p one two
echo "I am one" >one/index.html
echo "I am two" >two/index.html

# Two ports that nobody has now, and one that somebody has: the instances want that one, so both
# have to look for another at the same time.
free=$(free_port) unused=$(free_port) taken=$(free_port)
mkfifo blocker
python3 -c 'import signal, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
print("listening", flush=True); signal.pause()' "$taken" >blocker &
blocker=$!
read -r _ <blocker

cat >two.yaml <<END
- name: one
  image: ./base
  # It listens late, so a URL printed early would be answered by nobody.
  args: [/bin/sh, -c, "sleep 1; exec httpd -f -p $taken -h /www"]
  service_group: {services: [{port: 443, destination_port: $taken, handlers: [tls, http]}]}
  roms: [{name: www, dir: one, at: /www}]
- name: two
  image: ./base
  args: [/bin/sh, -c, "echo a line; echo another; exec httpd -f -p $taken -h /www"]
  service_group: {services: [{port: 443, destination_port: $taken, handlers: [tls, http]}]}
  roms: [{name: www, dir: two, at: /www}]
END
mkfifo output
"$ROMSIM" run two.yaml >output 2>&1 &
pid=$!
exec {output}<output
urls=0
while [ $urls -lt 2 ] && read -r -u "$output" line; do
    echo "$line" >>log
    if [[ $line =~ (one|two)\ answers\ at\ (http://127\.0\.0\.1:[0-9]+) ]]; then
        urls=$((urls + 1))
        is "$(curl --noproxy '*' -sS --max-time 30 "${BASH_REMATCH[2]}/index.html" 2>&1)" \
            "I am ${BASH_REMATCH[1]}" "${BASH_REMATCH[1]} answers as soon as its URL is printed"
        echo "${BASH_REMATCH[2]}" >>urls
    fi
done
is "$(sort -u urls | wc -l)" 2 "two instances with the same port get two on the host"
port_of() { sed -n "s/.*$1 answers at .*:\([0-9]*\)$/\1/p" log; }
ok "in the order of the file, though the second is ready first and the number itself is taken" \
    test "$(port_of one)" -lt "$(port_of two)"
is "$(grep '^two | a' log)" "two | a line
two | another" "with several instances each line of a console has its name"
kill -INT $pid
wait $pid
is "$?" 143 "the exit status is that of an app that SIGTERM ended"
exec {output}<&-

# ---- another address of this machine: a second one of the loopback, and that by which others know it
own=$(ip -4 -o addr show scope global 2>/dev/null | awk '{ split($4, a, "/"); print a[1]; exit }')
for address in 127.0.0.2 $own; do
    rm output && mkfifo output
    "$ROMSIM" run --image ./base -p "$taken:80" --ports-at "$address" --args 'httpd -f -p 80 -h /etc' \
        >output 2>&1 &
    pid=$!
    exec {output}<output
    line=
    until [[ $line == *" answers at "* ]]; do read -r -u "$output" line || break; done
    like "$line" "answers at http://$address:$taken" "--ports-at has the ports at $address, where this one is free"
    like "$(curl --noproxy '*' -sS --max-time 30 "http://$address:$taken/passwd" 2>&1)" "root:x:0:0" \
        "where they answer"
    romsim ps >ps.out
    like "$(cat ps.out)" "$taken->80" "ps has it"
    kill -INT $pid
    wait $pid
    exec {output}<&-
done
fails 125 "an address that is not this machine's" \
    romsim run --image ./base -p "$free:80" --ports-at 203.0.113.77 --args true
like "$out" "cannot take the port $free of 203.0.113.77" "is told"
fails 2 "nor a name" romsim run --image ./base --ports-at localhost --args true

# ---- -p, and what is taken
fails 125 "a host port that is taken is refused" \
    romsim run --image ./base -p "$taken:80" --args true
like "$out" "the port $taken of 127.0.0.1 is taken" "and named"
unlike "$out" "mount" "before anything is started"

rm output && mkfifo output
"$ROMSIM" run --image ./base -p "$free:80" -p "$unused:127" --args "sh -c 'httpd -p 127.0.0.1:127;
    httpd -f -p 80 -h /etc'" >output 2>&1 &
pid=$!
exec {output}<output
until grep -qs "127.0.0.1:$free" flags.log && grep -qs "port 127" flags.log; do
    read -r -u "$output" line || break
    echo "$line" >>flags.log
done
like "$(curl --noproxy '*' -sS --max-time 30 "http://127.0.0.1:$free/passwd" 2>&1)" "root:x:0:0" \
    "-p HOST:GUEST forwards that very port"
like "$(cat flags.log)" "the app listens on port 127 of 127.0.0.1 in the guest only" \
    "an app that listens on its loopback only is told so"
kill -INT $pid
wait $pid
exec {output}<&-

# ---- the guest's port alone
"$ROMSIM" create --image ./base -n alone -p "$taken" -p 80 --args 'httpd -f -p 80 -h /etc' >/dev/null
shown=$(romsim ps -a)
ok "-p GUEST alone forwards a port that is free" grep -q "alone.*[0-9]->$taken" <<<"$shown"
unlike "$shown" "$taken->$taken" "and not one that somebody has"
is "$(romsim get alone -o json | python3 -c 'import json, sys
services = json.load(sys.stdin)["service_group"]["services"]
print(*((s["port"], s["destination_port"]) for s in services))')" "($taken, $taken) (80, 80)" \
    "it is a service like a file's"
romsim start alone >/dev/null
port=$(romsim ps | sed -n 's/.*[^0-9]\([0-9]*\)->80\b.*/\1/p')
like "$(curl --noproxy '*' -sS --retry 60 --retry-all-errors --retry-delay 1 --max-time 60 \
    "http://127.0.0.1:$port/passwd" 2>&1)" "root:x:0:0" "which ps shows"
romsim rm alone >/dev/null
kill $blocker

# ---- many
if need gcc "2,000 services"; then
    mkdir -p base/bin
    gcc -std=gnu17 -static -O2 -D_GNU_SOURCE -o base/bin/tool "$ROOT/tests/vm/guest_tool.c" || exit 1
    { echo "image: ./base
args: [/bin/tool, listen, '20000', '2000']
service_group:
  services:"
      for i in $(seq 2000); do echo "  - {port: $i, destination_port: $((19999 + i))}"; done; } >many.yaml
    rm output && mkfifo output
    "$ROMSIM" run many.yaml >output 2>&1 &
    pid=$!
    exec {output}<output
    answers=0 listening= rest=
    while { [ $answers -lt 2000 ] || [ -z "$listening" ]; } && read -r -u "$output" line; do
        case $line in
        *" answers at "*) answers=$((answers + 1)) ;;
        listening) listening=$SECONDS ;;
        *) rest+=$line$'\n' ;;
        esac
    done
    is $answers 2000 "each of 2,000 services is announced"
    [ $answers = 2000 ] || sed 's/^/#   /' <<<"$rest"
    # One look takes a moment, not a look for each of them.
    ok "within seconds after the app listens" test $((SECONDS - listening)) -lt 20
    kill -TERM $pid
    wait $pid
    exec {output}<&-
fi
done_testing
