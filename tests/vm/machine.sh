#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# machine.sh: romsim on machines of all kinds: a KVM that runs no guest, no KVM, no FUSE, no root.
. "$(dirname "$0")/../lib.sh"
need guest "machines of all kinds" || done_testing

"$SAMPLES/busybox-base.sh" base
cat >one.yaml <<'END'
name: one
image: ./base
args: [/bin/cat, /r/f]
roms: [{name: r, files: [{path: f, data: "from the ROM\n"}], at: /r}]
END

# ---- doctor: what it says of KVM is what run does
doctor=$(romsim doctor --json 2>stderr)
is "$?" 0 "doctor finds nothing essential missing here"
is "$(cat stderr)" "" "silently"
is "$(jq -r .works <<<"$doctor")" true "and says so in JSON"
accelerator=$(jq -r '.checks[] | select(.name == "accelerator") | .health' <<<"$doctor")
ok "the report for people" romsim doctor
like "$out" "Linux $(sed -n 's/^release //p' "$ROOT/build/guest/info")" "names the guest's kernel"
ROMSIM_GUEST=/nowhere fails 1 "a missing guest bundle is essential" romsim doctor
like "$out" "missing  guest        no guest bundle in /nowhere" "and named"

rm -f "$XDG_CACHE_HOME/romsim/accelerator"
ok "an instance runs, whatever KVM is worth here" romsim run one.yaml
like "$out" "from the ROM" "and sees its ROM"
if [ "$accelerator" = ok ]; then
    unlike "$out" "emulates" "on KVM, without a word"
    skip "a KVM that runs no guest" "this machine's KVM works"
else
    # That there is no KVM at all is no news to anybody: doctor says it.
    if [ -w /dev/kvm ]; then
        like "$out" "QEMU emulates the CPU, which is slower" "the fall back to emulation is said"
        like "$out" "/dev/kvm opens, but" "and that KVM opens, but runs no guest"
        ok "the next one" romsim run one.yaml
    fi
    unlike "$out" "emulates" "nothing is said again, or of a KVM that is not there"
fi

# ---- an ordinary user, without FUSE and KVM
if need user "an ordinary user runs instances"; then
    mkdir -p home/run bin
    cp "$ROMSIM" bin/
    cp -r "$ROOT/build/guest" bin/guest
    chmod -R a+rX "$T"
    chmod 755 "$T"
    chown -R nobody home && chmod 700 home/run
    as_user() {
        setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups env -i PATH=/usr/bin:/bin \
            HOME="$T/home" XDG_RUNTIME_DIR="$T/home/run" LC_ALL=C.UTF-8 \
            ASAN_OPTIONS="${ASAN_OPTIONS-}" UBSAN_OPTIONS="${UBSAN_OPTIONS-}" "$@"
    }
    ok "an ordinary user runs an instance" as_user "$T/bin/romsim" run one.yaml
    like "$out" "from the ROM" "and it sees its ROM"
    if ! as_user test -w /dev/fuse; then
        is "$(grep -c "no FUSE here" <<<"$out")" 1 "that there is no FUSE is said once"
    fi
fi

# ---- a kernel of one's own: the bundle's as ELF, and the distribution's bzImage, unpacked
ok "--kernel takes an ELF kernel" \
    romsim run -q --kernel "$ROOT/build/guest/vmlinux" --image ./base --args "uname -r"
is "$out" "$(sed -n 's/^release //p' "$ROOT/build/guest/info")" "and boots it"
bzimage=$(echo "$ROOT"/build/guest-work/unpacked/boot/vmlinuz-*)
if [ -r "$bzimage" ]; then
    ok "--kernel takes a bzImage" romsim run -q --kernel "$bzimage" --image ./base --args "echo up"
    is "$out" up "and boots it"
    same "$XDG_CACHE_HOME/romsim/kernels/$(sha256sum <"$bzimage" | cut -d' ' -f1)" \
        "$ROOT/build/guest/vmlinux" "unpacked on the host, kept in the cache"
else
    skip "--kernel takes a bzImage" "no kernel package in build/guest-work"
fi
done_testing
