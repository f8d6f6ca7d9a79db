#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# dist: from the tarball of the source, in another folder and without git, the same packages are made,
# to the byte.
. "$(dirname "$0")/../lib.sh"
version=$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")
packages=$ROOT/build/packages
tarball=romsim-$version.tar.xz
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests

if [ -e "$packages/$tarball" ]; then pass "the tarball is there"
else fail "the tarball is there" "'make dist' makes $packages/$tarball"; done_testing; fi
ok "its digest is true" sh -c 'cd "$0" && sha256sum --check --quiet "$1.sha256"' "$packages" "$tarball"
tar -xf "$packages/$tarball"
is "$(ls)" "romsim-$version" "all is in one folder"
is "$(cd "romsim-$version" && find . -type f | cut -c3- | LC_ALL=C sort | head -c 100000)" \
    "$(git -C "$ROOT" ls-tree -r --name-only HEAD | LC_ALL=C sort | head -c 100000)" "... all that is in HEAD"

if ! need dpkg-buildpackage "packages are made of it" || ! need dh "packages are made of it"; then done_testing; fi
mkdir bin
printf '#!/bin/sh\necho "there is no git here" >&2\nexit 1\n' >bin/git && chmod +x bin/git
ok "packages are made of it, without git" env PATH="$T/bin:$PATH" make -s -C "romsim-$version" -j"$(nproc)" deb \
    KERNEL_DEB="$ROOT/build/guest-work/kernel.deb"
if git -C "$ROOT" diff --quiet HEAD; then
    is "$(cat "romsim-$version/build/packages/SHA256SUMS")" "$(cat "$packages/SHA256SUMS")" "... the same, to the byte"
else
    skip "... the same, to the byte" "what is in the checkout is not what is in HEAD"
fi
done_testing
