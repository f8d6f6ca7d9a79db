#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# processor.sh: the processor that an app finds, and what --cpu makes of it.
. "$(dirname "$0")/../lib.sh"
need guest "processors of all levels" || done_testing
need gcc "processors of all levels" || done_testing

"$SAMPLES/busybox-base.sh" base
gcc -std=gnu17 -static -O2 -D_GNU_SOURCE -pthread -o base/bin/vectors "$ROOT/tests/vm/vectors.c" || exit 1
run_app() { romsim run --accel tcg --image ./base --args "$@"; }

# ---- the emulated one: AVX2 in several threads, on one CPU and on two
for vcpus in 1 2; do
    printf 'image: ./base\nvcpus: %s\nargs: [/bin/vectors]\n' $vcpus >vectors.yaml
    ok "an app that was built for x86-64-v3 runs under emulation, vCPUs: $vcpus" \
        romsim run -q --accel tcg vectors.yaml
    is "$out" "4 workers agree" "and computes what it should"
done
fails 132 "one that needs x86-64-v4 is ended by an illegal instruction" run_app "/bin/vectors avx512"
like "$out" "the emulated processor has the level x86-64-v3, and what was built for a later one needs KVM" \
    "and the likely cause is told"

# ---- a lower level
fails 132 "with --cpu v2 so is what needs x86-64-v3" run_app /bin/vectors --cpu v2
like "$out" "the emulated processor has the level x86-64-v2, and what was built for a later one needs another --cpu" \
    "whose likely cause is told, too"
for level in v1 v2 v3; do
    ok "--cpu $level" run_app "/bin/vectors level" -q --cpu $level
    is "$out" $level "gives that level and no more"
done

# ---- models of QEMU's, as they are
ok "a model of QEMU's with its features" run_app "/bin/vectors level" -q --cpu Haswell-noTSX,-avx2
is "$out" v2 "is what the app gets"
fails 132 "its level is what QEMU says" run_app /bin/vectors --cpu Nehalem
like "$out" "the emulated processor has the level x86-64-v2" "and what is told"

# ---- what cannot be, before anything is built
fails 125 "a level that QEMU does not emulate" run_app /bin/vectors --cpu v4
is "$out" "romsim: error: --cpu v4: x86-64-v4 is more than QEMU emulates: v3
  hint: it needs KVM, and a processor that has it; or use v3" "is refused with what is possible"
fails 125 "a model that QEMU does not know" run_app /bin/vectors --cpu nosuch
like "$out" "--cpu nosuch: QEMU does not start with it: unable to find CPU model 'nosuch'" \
    "is refused in QEMU's words"
like "$out" "hint: v1 to v4, or what 'qemu-system-x86_64 -cpu help' lists" "with where to look"
fails 125 "a feature that it does not know" run_app /bin/vectors --cpu Haswell,+nosuch
like "$out" "nosuch' not found" "is as well"
for model in "" "a b" -x ",v3" $'v3\n'; do
    fails 2 "what can be no model is a wrong command line: $(printf %q "$model")" \
        run_app /bin/vectors "--cpu=$model"
done
mkdir none
fails 125 "without QEMU a model's name" env PATH="$T/none" "$ROMSIM" run --cpu Haswell --image ./base
like "$out" "install QEMU" "has to wait for it"
is "$(ls "$XDG_RUNTIME_DIR/romsim/instances")" "" "nothing is left"
done_testing
