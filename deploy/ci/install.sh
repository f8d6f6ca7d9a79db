#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# install: has romsim on a CI machine (Debian, Ubuntu), for action.yml and deploy/gitlab/romsim.yml.
#
#     deploy/ci/install.sh PREFIX     into PREFIX, with the guest bundle
#     deploy/ci/install.sh --key      what is in PREFIX depends on this: a key for caches
#
# It is built from the checkout that this file is in, unless PREFIX has it already, from a cache.
# ROMSIM_PACKAGES=URL takes the packages of a release instead: there lie SHA256SUMS, which `make deb`
# writes, and the packages.  The job's user gets /dev/kvm where there is one.
set -eu -o pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
prefix=${1:?usage: install.sh PREFIX | --key}
case $prefix in --key | /*) ;; *) prefix=$PWD/$prefix ;; esac

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi; }

key() {
    local id=unknown version=
    # shellcheck source=/dev/null
    id=$(. /etc/os-release && echo "$ID-${VERSION_ID-rolling}")
    version=$(cd "$source" && find Makefile sim include fuse docs/*.mk -type f -print0 | LC_ALL=C sort -z |
        xargs -0 sha256sum | sha256sum | cut -c1-16)
    echo "romsim-$id-$(uname -m)-$version"
}

from_packages() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    curl -fsSL --retry 3 -O "$ROMSIM_PACKAGES/SHA256SUMS"
    cut -c67- SHA256SUMS | while IFS= read -r package; do
        case $package in
        */* | -*) echo "install: SHA256SUMS names '$package', which is no package" >&2; exit 1 ;;
        esac
        curl -fsSL --retry 3 -O "$ROMSIM_PACKAGES/$package"
    done
    sha256sum --check --quiet --strict SHA256SUMS
    chmod 755 .
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        ./*.deb qemu-system-x86 fuse3 e2fsprogs >/dev/null
}

from_source() {
    make -s -C "$source" deps-build
    if [ "$(cat "$prefix/key" 2>/dev/null)" = "$(key)" ]; then
        echo "romsim is in the cache"
        return
    fi
    make -s -C "$source" -j"$(nproc)" all guest
    make -s -C "$source" install-only PREFIX="$prefix" >/dev/null
    key >"$prefix/key"
}

if [ "$prefix" = --key ]; then key; exit; fi
if [ -n "${ROMSIM_PACKAGES-}" ]; then (from_packages); else from_source; fi
if [ -e /dev/kvm ] && [ ! -w /dev/kvm ]; then as_root chmod a+rw /dev/kvm || :; fi
PATH=$prefix/bin:$PATH
romsim --version
romsim doctor || : # what it says is for the log; what matters the instance says itself
