#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# install: what `make install` puts under DESTDIR works, is documented, and goes with `make uninstall`.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
build=${BUILD#"$ROOT"/}
make_here() { make -s -C "$ROOT" "BUILD=$build" "DESTDIR=$T/root" PREFIX=/opt/romsim "$@"; }

if ! need make "it can be installed"; then done_testing; fi
ok "make install" make_here install-only
cd "$T/root/opt/romsim" || { fail "it installs under DESTDIR and PREFIX"; done_testing; }
is "$(cd "$T/root" && ls -A)" opt "nothing lands outside PREFIX"
ok "the installed program runs" ./bin/romsim --version
is "$out" "$(romsim --version)" "and is the one that was built"
for page in "$ROOT"/docs/*.[15]; do
    name=$(basename "$page")
    same "$page" "share/man/man${name##*.}/$name" "$name is installed"
done
same "$ROOT/docs/romsim.bash" share/bash-completion/completions/romsim "the completion is installed"
if [ -e "$ROOT/build/guest/initrd" ]; then
    for file in vmlinux initrd info; do
        if cmp -s "$ROOT/build/guest/$file" "lib/romsim/guest/$file"; then
            pass "the guest bundle's $file is installed"
        else fail "the guest bundle's $file is installed"; fi
    done
    out=$(./bin/romsim doctor 2>&1)
    like "$out" "$T/root/opt/romsim/bin/../lib/romsim/guest" "the installed program finds its guest"
else
    skip "the guest bundle is installed" "there is none: 'make guest'"
fi
is "$(find . -perm /022 ! -type l)" "" "nobody but the owner may write"

cd "$T" || exit 1
ok "make uninstall" make_here uninstall
is "$(find root ! -type d)" "" "no file is left"
is "$(find root -name '*romsim*' -path '*/opt/romsim/*')" "" "nor a folder of ours"
done_testing
