#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# container: an image with romsim, its guest and QEMU, from the packages that `make deb` has made.
#
#     packaging/container.sh VERSION OUTPUT
#
# OUTPUT is an OCI image layout in a tar archive: `podman load -i`, `skopeo copy oci-archive:...`,
# `docker load` (25 or newer).  The system in it is this machine's release of Debian, without what no
# command of romsim needs.  Who runs it is an ordinary user, and needs no privileges:
#
#     podman run --rm -v "$PWD:/work" romsim run hello.yaml
#     podman run --rm -v "$PWD:/work" --device /dev/kvm --device /dev/fuse romsim run hello.yaml
set -eu
version=$1 output=$2
packages=$(dirname "$output")
for tool in mmdebstrap buildah; do
    command -v "$tool" >/dev/null || { echo "container: needs $tool ('make deps deps-release')" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "container: needs root" >&2; exit 1; }
. /etc/os-release
mirror=$("$(dirname "$0")/mirror.sh")
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$(dirname "$0")/debian/changelog" -S Timestamp)

scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/romsim-container.XXXXXX")
trap 'rm -rf --one-file-system "$scratch"' EXIT
cp "$packages/romsim_${version}_amd64.deb" "$packages/romsim-guest_${version}_amd64.deb" "$scratch/"

# Programs for other machines, firmware for what romsim's VM has not, and texts that a container's
# user reads elsewhere.
cat >"$scratch/lean" <<'LEAN'
set -eu
cd "$1"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian \
    usr/share/zoneinfo usr/share/icons usr/share/applications usr/lib/*/gconv \
    var/lib/apt var/cache/* var/log/* usr/bin/qemu-system-i386 usr/bin/perl* usr/share/perl* \
    usr/lib/*/perl* usr/lib/romsim*.deb usr/bin/apt* usr/lib/apt usr/lib/*/libapt*
find usr/share/seabios usr/share/qemu usr/lib/ipxe -type f ! -name 'bios*.bin' \
    ! -name 'linuxboot*' ! -name 'multiboot*' ! -name 'pvh.bin' ! -name 'kvmvapic.bin' \
    ! -name 'qboot*' ! -name 'vgabios-stdvga.bin' -delete 2>/dev/null || :
echo 'romsim:x:1000:1000::/home/romsim:/bin/sh' >>etc/passwd
echo 'romsim:x:1000:' >>etc/group
install -d -o 1000 -g 1000 home/romsim work
LEAN
mmdebstrap --quiet --variant=apt --include=qemu-system-x86,fuse3,e2fsprogs \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="cp '$scratch'/romsim*.deb \"\$1/usr/lib/\"" \
    --customize-hook='chroot "$1" sh -c "apt-get install -y -qq /usr/lib/romsim*.deb"' \
    --customize-hook="sh '$scratch/lean' \"\$1\"" \
    "$VERSION_CODENAME" "$scratch/root.tar" "$mirror"

container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null; rm -rf --one-file-system "$scratch"' EXIT
buildah add --quiet "$container" "$scratch/root.tar" / >/dev/null
buildah config --user 1000:1000 --workingdir /work --env HOME=/home/romsim \
    --entrypoint '["/usr/bin/romsim"]' --cmd '["--help"]' \
    --annotation "org.opencontainers.image.title=romsim" \
    --annotation "org.opencontainers.image.version=$version" \
    --annotation "org.opencontainers.image.licenses=BSD-3-Clause" "$container"
rm -f "$output"
buildah commit --quiet --disable-compression=false --timestamp "$SOURCE_DATE_EPOCH" "$container" "oci-archive:$output.new:romsim:$version" >/dev/null
mv "$output.new" "$output"
echo "$output: $(($(stat -c %s "$output") >> 20)) MiB"
