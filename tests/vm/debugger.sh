#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# debugger.sh: QEMU's gdb stub: a guest that waits for a debugger, and one that does not.  The debugger
# is a few lines of gdb's remote serial protocol, so that no gdb has to be there.
. "$(dirname "$0")/../lib.sh"
need guest "a debugger in the guest" || done_testing

"$SAMPLES/busybox-base.sh" base
cat >debugger.py <<'END'
"""debugger.py PORT: connects, prints where the first processor is, and what stands in the kernel's
text there if it has one, and lets the guest go."""
import socket, sys, time

def connect(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            time.sleep(0.1)
    sys.exit("nobody answers")

def packet(stub):
    data = b""
    while data[-3:-2] != b"#":
        data += stub.recv(1)
    stub.sendall(b"+")
    return data[data.index(b"$") + 1:-3].decode()

def ask(stub, command):
    stub.sendall(f"${command}#{sum(command.encode()) & 255:02x}".encode())
    answer = packet(stub)
    while command != "?" and answer[0] == "T":  # a stop is told by itself, too
        answer = packet(stub)
    return answer

stub = connect(int(sys.argv[1]))
print("stopped", ask(stub, "?")[:3])
registers = bytes.fromhex(ask(stub, "g").replace("x", "0"))
wide = len(registers) > 400
rip = int.from_bytes(registers[128:136] if wide else registers[32:36], "little")
print("rip", hex(rip))
print("detached", ask(stub, "D"))
END
port=$(free_port)

"$ROMSIM" run --image ./base --gdb "$port,wait" --args "echo it went on" >out.txt 2>said &
run=$!
python3 debugger.py "$port" >seen 2>&1
wait $run
is "$?" 0 "a guest that waited runs to its end when it is let go"
like "$(cat seen)" "rip 0xfff0" "a debugger that came at the start reads its registers"
like "$(cat seen)" "detached OK" "and lets it go"
is "$(cat out.txt)" "it went on" "then its app runs"
like "$(cat said)" "the guest waits for a debugger: gdb " "how to connect is said"
like "$(cat said)" "target remote 127.0.0.1:$port" "with the port"
kernel=$(sed -n 's/^release //p' "$ROOT/build/guest/info")
if ! readelf -S "$ROOT/build/guest/vmlinux" | grep -qw SYMTAB; then
    like "$(cat said)" "linux-image-$kernel-dbg" "and where the kernel's symbols are"
else
    like "$(cat said)" "/vmlinux'" "with the kernel's symbols"
fi

# The debugger comes when the app runs.
"$ROMSIM" run --image ./base --gdb "$port" --args "sh -c 'echo ready; exec sleep 1000'" \
    >out.txt 2>said &
run=$!
until grep -q ready out.txt; do sleep 0.1; done
python3 debugger.py "$port" >seen 2>&1
like "$(cat seen)" "stopped T0" "a debugger stops a guest that runs"
kill -TERM $run
wait $run
is "$?" 143 "and when it has gone, the app is ended as always"

fails 125 "two instances cannot share the port" romsim run --gdb "$port" <(
    printf 'name: %s\nimage: %s\nargs: [/bin/true]\n---\n' a "$T/base" b "$T/base")
like "$out" "--gdb is for one instance" "which is said"
for bad in x 0 65536 "1234,now" ",wait" -1; do
    fails 2 "--gdb=$bad is a usage error" romsim run --image ./base --gdb="$bad"
done
python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
print("bound", flush=True); time.sleep(600)' "$port" >held &
holder=$!
until [ -s held ]; do sleep 0.05; done
fails 125 "a port that is taken is an error" romsim run --image ./base --gdb "$port" --args true
like "$out" "Address already in use" "whose reason is QEMU's"
kill $holder
done_testing
