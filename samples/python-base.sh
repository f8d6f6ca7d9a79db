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
# Each release has another Python: the one that its python3-minimal needs.
python=$(apt-cache depends --important python3-minimal 2>/dev/null |
    sed -n 's/^ *[A-Za-z]*Depends: \(python3\.[0-9]*\)-minimal$/\1/p' | head -n 1)
: "${python:=python3.11}"
"$samples/packages.sh" "$root" \
    "$python-minimal" "lib$python-minimal" "lib$python-stdlib" libc6 libexpat1 zlib1g

# Where the packages know only /usr, the loader's path is a link that no package has.
for directory in lib lib64; do
    [ -e "$root/$directory" ] || ln -s "usr/$directory" "$root/$directory"
done

library=$root/usr/lib/$python
rm -rf "$root/usr/share" "$root"/usr/lib/*/gconv "$root/etc/$python" \
    "$library"/{lib2to3,distutils,ensurepip,idlelib,pydoc_data,tkinter,turtledemo,venv} \
    "$library"/lib-dynload/{_ssl,_hashlib,_test*,_xx*,xx*,_codecs_*}.*
ln -s "$python" "$root/usr/bin/python3"

# The base's own interpreter compiles, so the bytecode is of its version whatever the host has.
compile() {
    env -i PYTHONHOME="$root/usr" PYTHONHASHSEED=0 LC_ALL=C.UTF-8 \
        "$root"/lib64/ld-linux-x86-64.so.2 \
        --library-path "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" \
        "$root/usr/bin/$python" -B -m compileall -q \
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
