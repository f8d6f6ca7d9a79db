#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# network.sh: the guest reaches other machines and a resolver, and nothing of this machine, whatever
# address it tries, unless --allow-host says so.
#
# "This machine" is a network namespace here, and the other one a second namespace at the end of a
# cable, so that nothing is asked of the network that the test runs in.
self=$(realpath "$0")
. "$(dirname "$0")/../lib.sh"
if [ -z "${ROMSIM_TEST_NETWORK-}" ]; then
    need guest "the guest's network" || done_testing
    need ip "the guest's network" || done_testing
    namespaces=(unshare --net --mount)
    [ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
    if ! "${namespaces[@]}" true 2>/dev/null; then
        skip "the guest's network" "no network namespaces for this user"
        done_testing
    fi
    ROMSIM_TEST_NETWORK=1 "${namespaces[@]}" "$self"
    exit
fi

# ---- two machines and a cable
here=203.0.113.1 other=203.0.113.2 second=198.51.100.1
cat >serve.py <<'PYTHON'
"""serve.py ADDRESS WORD LOG: answers HTTP on port 8080 with the word, and DNS with 192.0.2.53.  Each
request is a line of the log.  Prints a line when it listens."""
import socket, sys, threading
address, word, log = sys.argv[1:]
def note(line):
    with open(log, "a") as file:
        file.write(line + "\n")
http = socket.create_server((address, 8080), backlog=20)
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind((address, 53))
def answer_names():
    while True:
        query, peer = dns.recvfrom(4096)
        end = query.index(b"\0", 12)
        note("dns " + query[13:end].decode("latin-1"))
        question = query[12:end + 5]
        is_a = question[-4:-2] == b"\0\1"
        dns.sendto(query[:2] + b"\x81\x80\0\1\0" + bytes([is_a]) + b"\0\0\0\0" + question +
                   (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x35" if is_a else b""), peer)
threading.Thread(target=answer_names, daemon=True).start()
print("ready", flush=True)
def serve(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + word.encode() + b"\n")
    connection.close()
while True:
    connection, _ = http.accept()
    note("tcp to " + connection.getsockname()[0])
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
PYTHON
mkfifo born go ready
touch here.log other.log
ip link set lo up
ip address add $second/32 dev lo
unshare --net bash -c 'echo born >born; read -r _ <go; ip link set lo up
    ip address add "$1/24" dev cable1; ip link set cable1 up
    exec python3 serve.py "$1" "another machine" other.log >ready' - $other &
servers=($!)
trap 'kill "${servers[@]}" 2>/dev/null; cleanup' EXIT
read -r _ <born
ip link add cable0 type veth peer name cable1 netns "${servers[0]}"
ip address add $here/24 dev cable0
ip link set cable0 up
echo go >go
read -r _ <ready
python3 serve.py 0.0.0.0 "this machine" here.log >ready &
servers+=($!)
read -r _ <ready
# The resolver is on the loopback, as those of many distributions are.
echo "nameserver 127.0.0.1" >resolv.conf
if ! mount --bind resolv.conf /etc/resolv.conf; then
    skip "the guest's network" "/etc/resolv.conf cannot be replaced"
    done_testing
fi

# ---- the guest
"$SAMPLES/busybox-base.sh" base
mkdir scripts
cat >scripts/look.sh <<LOOK
try() { echo "\$1: \$(printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 nc \$1 8080 2>&1 | tail -n 1)"; }
try $other
nslookup wanted.test 2>&1 | grep -q 192.0.2.53 && echo "the name is known"
for address in 10.0.0.1 10.0.0.254 10.0.0.4 $here $second; do try \$address; done
nslookup unwanted.test 10.0.0.1 >/dev/null 2>&1
# As root the guest can send to the network even what is for its own loopback.
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip route del local 127.0.0.0/8 dev lo table local
ip route del local 127.0.0.1 dev lo table local
ip route add 127.0.0.0/8 via 10.0.0.1
timeout 20 nc 127.9.9.9 8080 </dev/null
try $other
LOOK
look() { romsim run --image ./base --rom dir=scripts,at=/s "$@" --args "sh /s/look.sh"; }

ok "an app that looks around" look
result=$out
is "$(grep -c "^$other: another machine" <<<"$result")" 2 "reaches another machine"
like "$result" "the name is known" "the resolver answers, though it is on the host's loopback"
unlike "$result" ": this machine" "nothing of this machine"
unlike "$(cat here.log)" tcp "no connection came to it"
unlike "$(cat here.log)" unwanted "nor a datagram"
for target in 10.0.0.1:8080 10.0.0.254:8080 10.0.0.1:53 $here:8080 $second:8080 127.9.9.9:8080; do
    like "$result" "the guest wants $target, which is this machine: refused (--allow-host" \
        "that $target is refused is said"
done
like "$result" "10.0.0.1: nc: can't connect to remote host (10.0.0.1): No route to host" \
    "the app learns it at once"

: >here.log
ok "the same app with --allow-host" look --allow-host
for address in 10.0.0.1 $here $second; do
    like "$out" "$address: this machine" "reaches this machine by $address"
done
like "$(cat here.log)" "tcp to 127.9.9.9" "and even by its loopback"
like "$(cat here.log)" unwanted "by datagrams, too"
unlike "$out" "refused (" "and nothing is refused"

# ---- a QEMU that was built without the filters
mkdir bin
cat >bin/qemu-system-x86_64 <<'QEMU'
#!/bin/sh
case "$*" in
--version) echo "QEMU emulator version 0" ;;
*help) printf 'types:\nuser\n' ;;
*filter-redirector*) echo "invalid object type: filter-redirector" >&2; exit 1 ;;
esac
QEMU
chmod +x bin/qemu-system-x86_64
without() { PATH=$T/bin:$PATH romsim "$@"; }
fails 125 "a QEMU that has no filters runs no guest" without run --image ./base --accel tcg --args true
like "$out" "with --allow-host --isolated it starts, and the guest reaches this machine and no other" \
    "and the way out is said"
ok "doctor" without doctor
like "$out" "less     network      this QEMU has no filter-redirector: instances start with --allow-host --isolated" \
    "knows it"
done_testing
