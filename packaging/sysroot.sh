#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sysroot: unpacks Debian packages, with all that they need, where a cross compiler looks for them.
#
#     APT_CONFIG=build/arm64/apt/apt.conf packaging/sysroot.sh DIR PACKAGE...
#
# No maintainer script runs.  Links to /lib lead out of it, and are made to stay inside.
set -eu
umask 022
target=$1
shift
rm -rf "$target" "$target.new"
mkdir -p "$target.new"
apt-get -q -q clean
apt-get -q -q -y --no-install-recommends --download-only install "$@" >"$target.log" 2>&1 ||
    { cat "$target.log" >&2; exit 1; }
archives=$(dirname "$APT_CONFIG")/cache/archives
for package in "$archives"/*.deb; do
    dpkg-deb -x "$package" "$target.new"
done
rm -f "$target.log"
apt-get -q -q clean
cd "$target.new"
find . -type l -lname '/*' | while IFS= read -r link; do
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" ".$(readlink "$link")")" "$link"
done
cd - >/dev/null
mv "$target.new" "$target"
