#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# packages: downloads Debian packages and unpacks them into one directory, as any user.
#
#     samples/packages.sh DIR PACKAGE...
#
# No maintainer script runs and nothing is installed.  The machine's own package lists are used
# where they are good; where they are missing or too old, lists of our own are fetched first.
set -eu
umask 022
target=$1
shift
scratch=$(mktemp -d "${TMPDIR:-/tmp}/romsim-packages.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# Root's apt wants to download as the user _apt, who may not write here: that is no fault.
options=(-qq -o APT::Sandbox::User=root)

download() {
    (cd "$scratch" && apt-get "${options[@]}" "$@") >"$scratch/log" 2>&1
}

if ! download download "$@"; then
    mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
    options+=(-o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache")
    download update && download download "$@" || {
        cat "$scratch/log" >&2
        echo "packages: cannot download: $*" >&2
        exit 1
    }
fi

mkdir -p "$target"
for package in "$scratch"/*.deb; do
    dpkg-deb -x "$package" "$target"
done
