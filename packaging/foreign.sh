#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# foreign: what apt needs to see the archive as a machine of another architecture does, as any user.
#
#     packaging/foreign.sh arm64 build/arm64/apt
#     APT_CONFIG=build/arm64/apt/apt.conf apt-get download busybox-static
#
# It has lists and a cache of its own, and nothing is installed there: who asks for a package gets
# all that it needs.  The sources are the machine's.
set -eu
umask 022
architecture=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
: >"$folder/status"
cat >"$folder/apt.conf.new" <<CONF
APT::Architecture "$architecture";
APT::Architectures "$architecture";
APT::Sandbox::User "root";
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
CONF
APT_CONFIG="$folder/apt.conf.new" apt-get -q -q update
mv "$folder/apt.conf.new" "$folder/apt.conf"
