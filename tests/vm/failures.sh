#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# failures.sh: a boot that cannot be finished says why, with the console's last lines, and is 125.
. "$(dirname "$0")/../lib.sh"
need guest "boots that fail" || done_testing

"$SAMPLES/busybox-base.sh" base
echo file >base/occupied
mkdir rom && echo x >rom/x
(cd rom && find . | cpio -o -H newc --quiet) >rom.cpio
truncate -s %4096 rom.cpio

# fails_with STATUS TEXT WANTED... -- OPTIONS: one boot, several things in its words.
failing() {
    local text=$1 wanted=$2; shift 2
    fails 125 "$text" romsim run --image ./base "$@" --args "echo the app ran"
    like "$out" "$wanted" "and says: $wanted"
    unlike "$out" "the app ran" "and the app was not started"
}
failing "a cpio ROM with at stops the boot" \
    "the boot stopped: cannot mount /dev/ukp_rom1 -> /app: it is not an EROFS image" \
    --rom name=r,image=./rom.cpio,at=/app
like "$out" "the console's last lines:
  | cannot mount /dev/ukp_rom1 -> /app" "and shows the console"

# The console may come to the host later than init's report: two lines, of which none waits for the
# other.  Here it does so by a second.
if need python3 "a late console"; then
    mkdir bin
    cat >bin/qemu-system-x86_64 <<END
#!/usr/bin/env python3
import os, re, socket, sys, time
qemu = "$(command -v qemu-system-x86_64)"
lines = [re.fullmatch("socket,id=console,fd=([0-9]+)", word) for word in sys.argv]
for line in filter(None, lines):
    host = int(line[1])
    ours, guests = socket.socketpair()
    if os.fork() == 0:
        guests.close()
        while text := ours.recv(4096):
            time.sleep(1)
            os.write(host, text)
        os._exit(0)
    os.dup2(guests.fileno(), host)
    ours.close()
os.execv(qemu, [qemu] + sys.argv[1:])
END
    chmod +x bin/qemu-system-x86_64
    PATH=$T/bin:$PATH failing "a console that comes after the report of the failure" \
        "the boot stopped: cannot mount /dev/ukp_rom1 -> /app: it is not an EROFS image" \
        --rom name=r,image=./rom.cpio,at=/app
    like "$out" "the console's last lines:
  | cannot mount /dev/ukp_rom1 -> /app" "is shown all the same"
fi

romsim rom pack -o rom.erofs rom >/dev/null
printf '\143' | dd of=rom.erofs bs=1 seek=1036 conv=notrunc status=none # blkszbits
failing "so does a ROM with a damaged superblock" \
    "the boot stopped: cannot mount /dev/ukp_rom1 -> /app: Invalid argument" \
    --rom name=r,image=./rom.erofs,at=/app
like "$out" "  | [" "with the kernel's words"
is "$(grep -c 'erofs: (device ukp_rom_r)' <<<"$out") $(grep -c 'vd[a-z]' <<<"$out")" "1 0" \
    "once, and by the ROM's name"
like "$out" "ROM image './rom.erofs': the superblock's block size is 2^99" \
    "and a warning has named it before"
failing "a place that is a file needs no boot" \
    "ukp_rom1 cannot be mounted at '/occupied/x': 'occupied' is there, and not a directory" \
    --rom dir=rom,at=/occupied/x

# A damaged image: the superblock is right, what it points to is not.
ok "an image to damage" romsim build --help
mkfs.erofs -x-1 bad.erofs rom >/dev/null 2>&1 || skip "a damaged image" "no mkfs.erofs"
if [ -e bad.erofs ]; then
    # feature_incompat: bits that no kernel has.
    printf '\xff\xff\xff\x7f' | dd of=bad.erofs bs=1 seek=$((1024 + 80)) conv=notrunc status=none
    out=$(romsim run --image ./base --rom name=bad,image=./bad.erofs,at=/app --args true 2>&1)
    is "$?" 125 "an image that neither romsim nor the kernel takes is refused"
fi

# A kernel that is none, and one that never says a word.
head -c 100000 /dev/zero >zeros
fails 125 "a file that is no kernel is refused" romsim run --image ./base --kernel zeros --args true
like "$out" "zeros: neither a bzImage nor an ELF kernel" "by its name"
fails 125 "a missing kernel too" romsim run --image ./base --kernel missing --args true
ROMSIM_GUEST=$T/nowhere fails 125 "so is a missing guest bundle" romsim run --image ./base --args true
like "$out" "no guest bundle in $T/nowhere" "with its place"

if silent_kernel silent; then
    # Long enough for QEMU itself, which has the same time to begin: on a busy machine 2 s were not.
    fails 125 "a boot that stands still ends" \
        romsim run --image ./base --kernel silent --boot-timeout 12 --args true
    like "$out" "the guest made no progress for 12 s, after the phase 'start'" "and says so"
else
    skip "a boot that stands still ends" "no assembler here"
fi

fails 125 "a kernel that crashes is romsim's failure" \
    romsim run --image ./base --args "sh -c 'echo c >/proc/sysrq-trigger'"
like "$out" "the guest's kernel crashed: Kernel panic - not syncing: sysrq triggered crash" \
    "and the panic's own words are told"

# Too little memory, in three ways.
fails 125 "a root that needs more memory than there is" \
    romsim run --image ./base -m 64 --args "sh -c 'echo the app ran'" --limit memory-min=1 --kernel silent \
    --boot-timeout 1
like "$out" "the guest gets " "a guest below the least gets the least, and that is said"
out=$(romsim run --image ./base -m 100 --args "sh -c 'tail /dev/zero'" 2>&1)
is "$?" 137 "an app that takes all memory is killed"
like "$out" "the guest ran out of memory and its kernel killed process" "and romsim says why"

is "$(ls "$XDG_RUNTIME_DIR/romsim/instances")" "" "nothing is left of any of them"
done_testing
