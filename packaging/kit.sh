#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kit: one tar file with all that a class needs on machines without a network.
#
#     packaging/kit.sh VERSION OUTPUT RELEASE=PACKAGES...
#
# PACKAGES is the folder with the two Debian packages for the RELEASE.  In the kit are they and each
# package that they need on a machine that has no more of its release than apt needs; the samples,
# their base images, and docs; install.sh and README.md of packaging/kit; digests of all.  No file in
# it is a link or needs a mode, so that it can be unpacked on any stick.  CONTAINER=1 puts the image
# of `make container` in, too, for systems that are not Debian.
set -eu
version=$1 output=$(realpath -m "$2")
shift 2
cd "$(dirname "$0")/.."
. tests/root.sh
romsim=$PWD/build/romsim
for tool in mmdebstrap dpkg-scanpackages zstd unshare; do
    command -v "$tool" >/dev/null || { echo "kit: needs $tool ('make deps deps-release')" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "kit: needs root" >&2; exit 1; }
epoch=$(dpkg-parsechangelog -l packaging/debian/changelog -S Timestamp)

scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/romsim-kit.XXXXXX")
trap 'rm -rf --one-file-system "$scratch"' EXIT
export XDG_DATA_HOME=$scratch/data XDG_CACHE_HOME=$scratch/cache XDG_RUNTIME_DIR=$scratch/run
mkdir -m 700 "$scratch/run"
kit=$scratch/romsim-kit-$version
class=$kit/class
mkdir -p "$class/build/samples"

# What instances want of the machine; romsim's packages only recommend it.  The lesson's checks want
# curl, which install.sh does not insist on.
wanted='romsim romsim-guest qemu-system-x86 fuse3 e2fsprogs'
for pair in "$@"; do
    release=${pair%%=*}
    pool=$kit/debian/$release
    mkdir -p "$pool"
    root_make "$release" "$scratch/root"
    mkdir "$scratch/root/srv/own"
    cp "${pair#*=}/romsim_${version}_amd64.deb" "${pair#*=}/romsim-guest_${version}_amd64.deb" "$scratch/root/srv/own/"
    # shellcheck disable=SC2016,SC2086 # for the shell inside; words
    root_run "$scratch/root" sh -ec 'apt-get update -qq
        apt-get install -qq -y --download-only --no-install-recommends /srv/own/*.deb "$@" >/dev/null' \
        sh ${wanted#romsim romsim-guest } curl
    mv "$scratch/root"/var/cache/apt/archives/*.deb "$scratch/root"/srv/own/*.deb "$pool/"
    rm -rf --one-file-system "$scratch/root"
    (cd "$pool" && dpkg-scanpackages --multiversion . 2>/dev/null >Packages)
    echo "$wanted" >"$pool/wanted"
    echo "$release: $(find "$pool" -name '*.deb' | wc -l) packages, $(($(du -sk "$pool" | cut -f1) >> 10)) MiB"
done

# squeeze FILE: in place; romsim looks at the bytes, not at the name.
squeeze() { zstd -q -T0 -12 --rm -o "$1.zst" -- "$1" && mv -- "$1.zst" "$1"; }

# The base images, where the samples look for them: folders become OCI archives.
for base in build/samples/*; do
    target=$class/$base
    if [ -e "$base/bin/busybox" ]; then
        printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: {source: %s, format: erofs}\n' \
            "$PWD/$base" >"$scratch/Kraftfile"
        "$romsim" image build "$scratch/Kraftfile" -o "$target" >/dev/null
        squeeze "$target"
    elif [ "$base" != build/samples/store ]; then
        cp -R "$base" "$target"
        case $base in *.tar) squeeze "$target" ;; esac
    fi
done
git ls-files -z samples docs/*.md | xargs -0 cp --parents -t "$class"
# Images that have names: those of the lesson, and of the samples that ask for some.
while read -r folder name; do
    "$romsim" image build "samples/$folder" -t "$name" >/dev/null
done <<END
python-functions/base my-org/http-python:latest
python-functions/rom1 my-org/my-rom1:latest
python-functions/rom2 my-org/my-rom2:latest
$(cd samples && for file in workshop/*/Kraftfile; do [ ! -e "$file" ] || echo "${file%/*} $(basename "${file%/*}"):latest"; done)
END

# archive FILE FOLDER NAME...: fixed owners, times and order.
archive() {
    tar --create --file "$1" --directory "$2" --format=gnu --sort=name --owner=0 --group=0 \
        --numeric-owner --mtime="@$epoch" --mode=u=rwX,go=rX "${@:3}"
}
archive "$kit/images.tar" "$scratch/data/romsim/oci" .
zstd -q -T0 -12 --rm "$kit/images.tar"

[ "${CONTAINER-}" != 1 ] || install -D -m 644 build/packages/romsim-container.tar "$kit/container/romsim-container.tar"
cp packaging/kit/install.sh packaging/kit/README.md "$kit/"
echo "romsim-kit $version" >"$kit/VERSION"
(cd "$kit" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >"$scratch/SHA256SUMS")
mv "$scratch/SHA256SUMS" "$kit/"
archive "$output.new" "$scratch" "romsim-kit-$version"
mv "$output.new" "$output"
echo "$output: $(($(stat -c %s "$output") >> 20)) MiB"
