#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# arm64: a guest of another architecture is made and runs the sample, and romsim itself is built for
# such a machine, where its unit tests pass (under QEMU's user emulation).
. "$(dirname "$0")/../lib.sh"
[ "$(uname -m)" = x86_64 ] || { skip "arm64 beside amd64" "this machine is no x86-64"; done_testing; }
for tool in aarch64-linux-gnu-gcc qemu-system-aarch64 qemu-aarch64-static apt-get; do
    need "$tool" "a guest for arm64, and the program" || done_testing
done
# Their makes are of their own, and none of this one's.
unset MAKEFLAGS MFLAGS MAKELEVEL
build() { make -s -C "$ROOT" -j"$(nproc)" ARCH=arm64 "$@"; }
bundle=$ROOT/build/guest-arm64
base=$ROOT/build/samples-arm64/busybox
hello=$ROOT/samples/hello/instance.yaml

# ---- the guest
ok "make guest samples ARCH=arm64" build guest samples
is "$(cd "$bundle" && sed -n 's/^sha256 //p' info | sha256sum -c --quiet 2>&1)" "" \
    "the digests in the bundle's manifest are true"
like "$(cat "$bundle/info")" "arch arm64" "... which says whose it is"
like "$(cat "$bundle/info")" "-arm64" "... and that the kernel is Debian's for arm64"

ok "samples/hello runs in an arm64 guest" romsim run --arch arm64 --image "$base" "$hello"
like "$out" "Hello" "... and says hello"
like "$out" "mount /dev/ukp_rom1 -> /rom" "... from its ROM"
like "$out" "the cloud runs x86_64 only" "... with a word about the cloud"
guest() { romsim run -q --arch arm64 --image "$base" "$@"; }
is "$(guest --args 'uname -m' 2>/dev/null)" aarch64 "the guest's machine is an aarch64"
mkdir rom && echo something >rom/file
is "$(guest --rom name=first,dir=rom,at=/r --rom name=other,dir=rom \
    --args '/bin/sh -c "ls -1 -d /dev/ukp_*; cat /r/file; head -c 1048 /dev/ukp_rom_other | tail -c 24 | wc -c"' 2>/dev/null)" \
    "$(printf '%s\n' 'mount /dev/ukp_rom1 -> /r' /dev/ukp_rom0 /dev/ukp_rom1 /dev/ukp_rom2 /dev/ukp_rom_first /dev/ukp_rom_other something 24)" \
    "the devices have the cloud's names"
is "$(guest --vcpus 2 --args nproc 2>/dev/null)" 2 "two processors"
fails 3 "the app's exit status is the run's" guest --args '/bin/sh -c "exit 3"'
ok "a case of one is replayed as one" eval 'romsim capture --arch arm64 --with-root --image "$base" -o c.case --args "uname -m" && romsim replay c.case'
like "$out" "same" "... the same"
ok "with QEMU's log, too" eval 'romsim capture --deterministic --arch arm64 --with-root --image "$base" -o d.case --args "uname -m" && romsim replay --deterministic d.case'

# ---- what was saved
ok "a template is made of one" romsim template create saved --arch arm64 --image "$base" \
    --at-init --args 'uname -m'
is "$(romsim run -q --arch arm64 --template saved 2>/dev/null)" aarch64 "... and its clone goes on"
fails 125 "... but not as another architecture" romsim run --template saved
like "$out" "was saved with --arch arm64, and this is amd64" "... which is said"
ok "one is started" romsim run -q -d --arch arm64 --name lasting --image "$base" \
    --args '/bin/sh -c "while :; do date +%s >now; sleep 1; done"'
ok "... suspended" romsim suspend lasting
ok "... and started again" romsim start lasting
is "$(romsim get lasting -o json | jq -r .state)" running "... and runs"
romsim rm lasting >/dev/null
romsim template rm saved >/dev/null

# ---- images
printf 'image: %s\nargs: [/bin/busybox, "true"]\n' "$base" >arm64.yaml
fails 1 "an app for arm64 is refused for amd64" romsim check arm64.yaml
like "$out" "it is a program for arm64, and the guest's processor is an x86-64" "... which is said"
like "$out" "--arch arm64" "... with what to do"
ok "... and is right for arm64" romsim check --arch arm64 arm64.yaml
uname='{"Cmd":["/bin/uname","-m"]}'
docker_archive arm.tar "$base" "$uname" arm64
docker_archive amd.tar "$base" "$uname" amd64
fails 125 "an image for arm64 is refused for amd64" romsim run --image arm.tar
like "$out" "the image is for linux/arm64" "... by its platform"
like "$out" "'--arch arm64' gives one for it" "... with what to do"
fails 125 "an image for amd64 is refused for arm64" romsim run --arch arm64 --image amd.tar
like "$out" "the image is for linux/amd64" "... by its platform"
is "$(romsim run -q --arch arm64 --image arm.tar 2>/dev/null)" aarch64 "one for arm64 runs there"

# ---- the machine
ok "doctor looks for it" romsim doctor --arch arm64
like "$out" "$bundle" "... and finds its bundle"
like "$out" "this machine's processor runs no arm64 guests" "... and says that it is emulated"
fails 125 "KVM is refused for it" romsim run --arch arm64 --accel kvm --image "$base"
like "$out" "KVM runs guests of this machine's own architecture" "... which is said"
fails 2 "an architecture that there is not" romsim run --arch riscv64 --image "$base"

# ---- the program
ok "make ARCH=arm64" build all check-programs
like "$(file -b "$ROOT/build/arm64/romsim")" "ARM aarch64" "romsim is a program for arm64"
here() { (cd "$ROOT" && qemu-aarch64-static -L "$ROOT/build/arm64/sysroot" "$@"); }
is "$(here "$ROOT/build/arm64/romsim" --version)" "$(romsim --version)" "... and starts"
like "$(here "$ROOT/build/arm64/romsim" doctor 2>&1)" "and guests are arm64" \
    "... for a machine whose guests are arm64"

# What QEMU's user emulation cannot run is said.
stat="the emulator makes up /proc/self/stat, by which a process is known"
declare -A without=(
    [api_roll]=$stat [lan]=$stat [process]=$stat [vm_usage]=$stat
    [hostdir]="it is given few descriptors, of which the emulator takes some"
    [instance_hostile]="it takes minutes under emulation"
    [rom_extract]="the emulator of Debian 12 has no openat2()"
    [tree]="the emulator has no room to map a file of many gigabytes"
)
for program in "$ROOT"/build/arm64/tests/unit/*; do
    name=${program##*/}
    [ -x "$program" ] && [ -f "$program" ] || continue
    if [ -n "${without[$name]-}" ]; then
        skip "$name on arm64" "${without[$name]}"
        continue
    fi
    MUTATIONS=10 CK_TIMEOUT_MULTIPLIER=20 ok "$name on arm64" here "$program"
done
done_testing
