#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kit: what `make kit` makes is whole; from it romsim is installed in a fresh root whose network is cut
# off, and an ordinary user runs instances there.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/root.sh"
version=$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")
archive=$ROOT/build/packages/romsim-kit-$version.tar
if [ -e "$archive" ]; then pass "the kit is there"
else fail "the kit is there" "'make kit' makes $archive"; done_testing; fi
. /etc/os-release
release=$VERSION_CODENAME

# A stick, whose name has a blank.
is "$(tar -tvf "$archive" | grep -vE '^[-d]')" "" "nothing in it is a link or a device"
is "$(tar -tf "$archive" | grep -v "^romsim-kit-$version/")" "" "all is in one folder"
mkdir "my stick" && tar -C "my stick" -xf "$archive"
kit="$T/my stick/romsim-kit-$version"
ok "the digests are true" sh -c 'cd "$0" && sha256sum --check --quiet --strict SHA256SUMS' "$kit"
is "$(cd "$kit" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort)" \
    "$(cut -c67- "$kit/SHA256SUMS" | sort)" "... and there is one for each file"
echo "# $(($(stat -c %s "$archive") >> 20)) MiB, $(find "$kit/debian/$release" -name '*.deb' | wc -l) packages"

# ---- whom it refuses, here ----------------------------------------------------------------

install_there() { sh "$kit/install.sh" "$@"; }
ok "--help" install_there --help
like "$out" "sudo sh install.sh [--check]" "... says how it is called"
fails 1 "an option that there is not" install_there --now
like "$out" "install.sh: '--now' is no option of mine" "... is refused"
fails 1 "a relative place" install_there --to here
like "$out" "--to needs the absolute path" "... is refused"
ok "--check says that it fits here" install_there --check
like "$out" "romsim-kit $version on" "... what it is"
mkdir bin
printf '#!/bin/sh\necho arm64\n' >bin/dpkg && chmod +x bin/dpkg
PATH=$T/bin:$PATH fails 1 "another architecture" install_there --check
like "$out" "this machine is arm64; the kit's packages are for amd64" "... is refused"
mv "$kit/debian/$release" "$kit/debian/woody"
fails 1 "another release" install_there --check
like "$out" "the kit has packages for Debian: woody" "... is told which there are"
mv "$kit/debian/woody" "$kit/debian/$release"
cp "$kit/class/samples/hello/instance.yaml" kept
echo "# damaged" >>"$kit/class/samples/hello/instance.yaml"
fails 1 "a damaged kit" install_there
like "$out" "class/samples/hello/instance.yaml: FAILED" "... names the file"
like "$out" "the kit is damaged, nothing was installed" "... and installs nothing"
cp kept "$kit/class/samples/hello/instance.yaml"
mkdir alone && cp "$kit/install.sh" alone/
fails 1 "install.sh without its kit" sh alone/install.sh
like "$out" "it has to be in its kit" "... says so"

# ---- without a network --------------------------------------------------------------------

if ! need root "it is installed" || ! need mmdebstrap "it is installed" || ! need unshare "it is installed"; then
    done_testing
fi
fresh=$(mktemp -d /var/tmp/romsim-release.XXXXXX)
trap root_drop EXIT
ok "a fresh root of $release" root_make "$release" "$fresh"
mkdir "$fresh/media" 2>/dev/null
mv "my stick" "$fresh/media/my stick"
kit="/media/my stick/romsim-kit-$version"
cut_off() { root_run "$fresh" --no-net "$@"; }
as_somebody() { root_run "$fresh" --no-net --user "$@"; }
is "$(cut_off sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev)" lo "there is no network but lo"
fails 1 "an address outside" cut_off bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'
like "$out" "Network is unreachable" "... cannot be reached"
fails 100 "nor can the archive" cut_off apt-get -qq -o Acquire::Retries=0 -o APT::Update::Error-Mode=any update

fails 1 "an ordinary user without sudo" as_somebody sh "$kit/install.sh"
like "$out" "only root can install packages" "... is told that root is needed"
fails 1 "... and has nothing" as_somebody sh -c 'command -v romsim || ls /usr/local/share/romsim 2>/dev/null || exit 1'
ok "root installs it" cut_off sh "$kit/install.sh"
like "$out" "installed: romsim $version, its guest and QEMU" "... and is told what"
class=/usr/local/share/romsim/class
ok "samples/hello runs" as_somebody romsim run $class/samples/hello/instance.yaml
like "$out" "Hello from a ROM" "... and says hello"
ok "samples/monitoring runs" as_somebody romsim run $class/samples/monitoring/instance.yaml
like "$out" "targets: [function-1:8080, function-2:8080]" "... with its own base image"
like "$(as_somebody romsim image ls)" "my-org/http-python:latest" \
    "the images are in the store that everybody reads"
ok "one of them runs" as_somebody romsim run \
    --image my-org/http-python:latest --rom image=my-org/my-rom1:latest,at=/rom \
    --args '/usr/bin/python3 -I -S /rom/python_function.py'
cp "$DATA/workshop/1/hello.yaml" "$fresh/srv/solution.yaml"
ok "the lesson's first exercise" as_somebody sh -ec 'romsim workshop start 1
    cp /srv/solution.yaml workshop-1/hello.yaml
    romsim run -d workshop-1/hello.yaml
    romsim workshop check 1
    romsim rm hello'
like "$out" "says 'Hello from my ROM'" "... is done, and checked"
ok "an own copy of the class is whole" as_somebody sh -c \
    "cp -R $class mine && romsim image build mine/samples/python-functions/base -t own/python"
ok "doctor" as_somebody romsim doctor
ok "it can be installed again" cut_off sh "$kit/install.sh"
ok "and to another place" cut_off sh "$kit/install.sh" --to "/srv/our class"
ok "... from where it runs, too" as_somebody romsim run "/srv/our class/samples/hello/instance.yaml"
is "$(cd "$fresh/usr/local/share/romsim" && ls) $(cd "$fresh/tmp" && ls)" "class " "nothing else is left"
done_testing
