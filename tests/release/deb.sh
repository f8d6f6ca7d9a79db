#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# deb: the Debian packages are right by lintian, and in a fresh root, without a network, an ordinary
# user runs an instance with them.
. "$(dirname "$0")/../lib.sh"
packages=$ROOT/build/packages
version=$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")
program=$packages/romsim_${version}_$(dpkg --print-architecture).deb
guest=$packages/romsim-guest_${version}_amd64.deb

if [ -e "$program" ] && [ -e "$guest" ]; then pass "the packages are there"
else fail "the packages are there" "'make deb' makes $program and $guest"; done_testing; fi
if need lintian "lintian has no errors"; then
    ok "lintian has no errors" lintian --allow-root --fail-on error "$program" "$guest"
fi
contents=$(dpkg-deb --contents "$program")
for file in bin/romsim share/man/man1/romsim.1.gz share/romsim/instance.schema.json \
    share/bash-completion/completions/romsim share/zsh/site-functions/_romsim \
    share/fish/vendor_completions.d/romsim.fish; do
    like "$contents" " ./usr/$file" "romsim has $file"
done
is "$(dpkg-deb --contents "$guest" | sed -n 's|.* \./usr/lib/romsim/guest/\([a-z.]*[a-z]\)$|\1|p' | tr '\n' ' ')" \
    "info initrd initrd.shell vmlinux " "romsim-guest has the bundle"
like "$(dpkg-deb -f "$guest" Built-Using)" "linux" "... and names its kernel's source"
dpkg-deb -x "$guest" unpacked
is "$(cd unpacked/usr/lib/romsim/guest && sed -n 's/^sha256 //p' info | sha256sum -c --quiet 2>&1)" "" \
    "... of which the digests in its manifest are true"

if ! need root "the packages are installed" || ! need mmdebstrap "the packages are installed" ||
    ! need unshare "the packages are installed"; then done_testing; fi
. "$ROOT/tests/root.sh"
. /etc/os-release
fresh=$(mktemp -d /var/tmp/romsim-release.XXXXXX)
trap root_drop EXIT
ok "a fresh root of $VERSION_CODENAME" root_make "$VERSION_CODENAME" "$fresh"
mkdir "$fresh/srv/packages" && cp "$program" "$guest" "$fresh/srv/packages/"
ok "apt installs them" root_run "$fresh" env DEBIAN_FRONTEND=noninteractive sh -c \
    'apt-get update -qq && apt-get install -y -qq --no-install-recommends \
     /srv/packages/*.deb qemu-system-x86'

# The samples as a user has them.
somebody=$fresh/home/somebody
mkdir -p "$somebody/samples" "$somebody/build"
cp -R "$ROOT/samples/hello" "$somebody/samples/"
cp -R "$ROOT/build/samples" "$somebody/build/"
chown -R 1000:1000 "$somebody"
as_somebody() { root_run "$fresh" --no-net --user "$@"; }
ok "romsim --version" as_somebody romsim --version
is "$out" "romsim $version" "... is this one"
ok "the schema is found" as_somebody romsim init -
like "$out" "\$schema=/usr/share/romsim/instance.schema.json" "... where it was installed"
like "$(as_somebody romsim doctor 2>&1)" "in /usr/bin/../lib/romsim/guest (" "the guest is found"
ok "an ordinary user without a network runs samples/hello" \
    as_somebody romsim run samples/hello/instance.yaml
like "$out" "Hello from a ROM" "... which says hello"
ok "apt removes them" root_run "$fresh" env DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq romsim romsim-guest
is "$(find "$fresh/usr" "$fresh/etc" -name '*romsim*' ! -path '*/dpkg/*')" "" "and nothing is left"
done_testing
