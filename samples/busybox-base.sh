#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# busybox-base: makes the smallest useful base image, a directory with busybox and its links.
#
#     samples/busybox-base.sh build/samples/busybox [MORE]
#
# What the directory MORE holds is laid over it.
# BUSYBOX=FILE is one of another architecture, with the same applets as this machine's.
# The times are fixed, so that the image's digest is the same on every machine with this busybox.
set -eu
umask 022
target=$1
own=$(command -v busybox) || { echo "busybox-base: no busybox here: run 'make deps'" >&2; exit 1; }
busybox=${BUSYBOX-$own}
if ! file -Lb "$busybox" | grep -qE 'statically linked|static-pie'; then
    echo "busybox-base: $busybox is not static: install busybox-static ('make deps')" >&2
    exit 1
fi

rm -rf "$target.new"
mkdir -p "$target.new"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,etc,root,run,var}
cp "$busybox" "$target.new/bin/busybox"
chmod 0755 "$target.new/bin/busybox"
"$own" --list-full | while read -r applet; do
    [ "$applet" = bin/busybox ] || ln -s /bin/busybox "$target.new/$applet"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$target.new/etc/passwd"
echo 'root:x:0:' >"$target.new/etc/group"
chmod 1777 "$target.new/tmp"
[ $# = 1 ] || cp -r "$2/." "$target.new/"
find "$target.new" -exec touch -hd @0 {} +
rm -rf "$target"
mv "$target.new" "$target"
