#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# python-base: makes the base image of python-functions, a tar archive: Debian's Python, a server
# that runs a function, and busybox for the shell and `mount`.
#
#     samples/python-base.sh build/samples/python-base.tar
#
# The bytecode is compiled here, because compiling it in an emulated guest would take seconds.
# Left out is what a function behind an HTTP server does not need: TLS (the platform ends it, and
# without it http.client does not load OpenSSL), character set tables, packaging and test tools.
# Fixed owners, times and order: the same packages give the same bytes.
set -eu
umask 022
samples=$(cd "$(dirname "$0")" && pwd)
output=$1
mkdir -p "$(dirname "$output")"
scratch=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root

"$samples/busybox-base.sh" "$root"
"$samples/packages.sh" "$root" \
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libexpat1 zlib1g

library=$root/usr/lib/python3.11
rm -rf "$root/usr/share" "$root"/usr/lib/*/gconv "$root/etc/python3.11" \
    "$library"/{lib2to3,distutils,ensurepip,idlelib,pydoc_data,tkinter,turtledemo,venv} \
    "$library"/lib-dynload/{_ssl,_hashlib,_test*,_xx*,xx*,_codecs_*}.*
ln -s python3.11 "$root/usr/bin/python3"

# The base's own interpreter compiles, so the bytecode is of its version whatever the host has.
compile() {
    env -i PYTHONHOME="$root/usr" PYTHONHASHSEED=0 LC_ALL=C.UTF-8 \
        "$root"/lib64/ld-linux-x86-64.so.2 \
        --library-path "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" \
        "$root/usr/bin/python3.11" -B -m compileall -q \
        --invalidation-mode unchecked-hash -s "$root" -p / "$@"
}
compile -j "$(nproc)" "$library"

cp "$samples"/python-functions/base/{server.py,wrapper.sh} "$root/"
chmod 0644 "$root/server.py"
chmod 0755 "$root/wrapper.sh"
mkdir -p "$root/rom"

tar --create --file "$scratch/base.tar" --directory "$root" --format=posix --sort=name \
    --owner=0 --group=0 --numeric-owner --mtime=@0 \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime .
mv "$scratch/base.tar" "$output"
