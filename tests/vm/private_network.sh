#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# private_network.sh: instances call each other by name and by private address, also when one was
# started again; who is not there, or is isolated, is known at once not to be.
. "$(dirname "$0")/../lib.sh"
need guest "the private network" || done_testing
need curl "the private network" || done_testing
trap 'romsim rm --all >/dev/null 2>&1; cleanup' EXIT

# Each instance answers HTTP on port 8080, and does by `ask` what it is asked to.
"$SAMPLES/busybox-base.sh" base
mkdir -p base/www/cgi-bin scripts
cat >base/www/cgi-bin/ask <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
case $QUERY_STRING in
address) ip addr show eth0 | sed -n 's/.*\(inet 10[^ ]*\).*/\1/p; s/.*ether \([^ ]*\).*/ether \1/p' ;;
name=*) nslookup "${QUERY_STRING#name=}" 2>&1 | sed -n 's/^Address: //p; s/.*\(NXDOMAIN\)/\1/p' ;;
*) timeout 100 wget -qO- "http://$QUERY_STRING:8080/" 2>&1 ;;
esac
END
chmod +x base/www/cgi-bin/ask
cat >scripts/serve.sh <<'END'
echo "this is $(hostname), start $(cat /proc/sys/kernel/random/boot_id)" >/www/index.html
trap 'exit 0' TERM
httpd -f -p 8080 -h /www &
wait
END
for name in one two island; do
    cat >$name.yaml <<END
name: $name
image: ./base
args: [/bin/sh, /s/serve.sh]
roms: [{name: scripts, dir: scripts, at: /s}]
service_group: {services: [{port: 443, destination_port: 8080}]}
END
done

# of NAME KEY: what `romsim get` says of an instance.
of() {
    romsim get "$1" -o json | python3 -c 'import json, sys
item = json.load(sys.stdin)
item = item[0] if isinstance(item, list) else item
print(eval(sys.argv[1], {}, item))' "$2"
}
# ask NAME WHAT: the app listens some time after it was started.
ask() {
    curl --noproxy '*' -sS --retry 60 --retry-delay 1 --retry-all-errors --max-time 120 \
        "$(of "$1" 'romsim["ports"][0]["url"]')/cgi-bin/ask?$2" 2>&1
}

# listens NAME: waits until the app does; before, who calls it is refused by its kernel.
listens() { ask "$1" address >/dev/null; }

ok "an instance" romsim run -d one.yaml
ok "another" romsim run -d two.yaml
ok "and one with --isolated" romsim run -d --isolated island.yaml
is "$(of island 'romsim["isolated"]')" True "get says that it is"
first=$(of one private_ip) second=$(of two private_ip) third=$(of island private_ip)
is "$first $second $third" "10.0.0.2 10.0.0.3 10.0.0.4" "each has a private address"
is "$(ask one address)" "ether 12:b0:0a:00:00:02
inet 10.0.0.2/24" "which is its guest's, as its hardware's is"

listens two
like "$(ask one two.internal)" "this is two, start" "one calls another by its name"
like "$(ask one "$second")" "this is two, start" "by its address"
like "$(ask two one.internal)" "this is one, start" "the other calls back by name"
like "$(ask two "$first")" "this is one, start" "and by address"
like "$(ask one TWO.internal)" "this is two, start" "the case of letters does not matter"
is "$(ask one name=two.internal)" "$second" "a name has one address"
is "$(ask one name=one.internal)" "$first" "one's own name, too"
like "$(ask one nobody.internal)" "bad address 'nobody.internal:8080'" "a name that nobody has is unknown"
like "$(ask one 10.0.0.77)" "No route to host" "an address that nobody has has no route"

like "$(ask one "$third")" "No route to host" "an isolated instance is not reached"
like "$(ask island "$first")" "No route to host" "and reaches nobody"
like "$(ask island one.internal)" "bad address 'one.internal:8080'" "nor knows a name"
is "$(ask island name=island.internal)" "$third" "but its own"

before=$(ask one two.internal)
ok "the other is started again" romsim restart two
listens two
after=$(ask one two.internal)
like "$after" "this is two, start" "it is reached as before"
unlike "$after" "${before##* }" "though it is another boot"
like "$(ask two one.internal)" "this is one, start" "and calls as before"

ok "it is stopped" romsim stop two
is "$(ask one name=two.internal)" "$second" "its name still stands for its address"
like "$(ask one two.internal)" "No route to host" "where nobody is"
ok "and started" romsim start two
listens two
like "$(ask one two.internal)" "this is two, start" "where it is again"
ok "it is deleted" romsim rm two
like "$(ask one two.internal)" "bad address 'two.internal:8080'" "and unknown then"

ok "all are deleted" romsim rm --all
is "$(ls "$XDG_RUNTIME_DIR"/romsim/instances)" "" "and nothing is left"
done_testing
