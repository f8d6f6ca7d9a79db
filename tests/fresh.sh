#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fresh: runs a command in a clean clone of this checkout, in a fresh root of a Debian release.
#
#     tests/fresh.sh RELEASE [COMMAND...]       (make demo)
#     ROOT=DIR tests/fresh.sh trixie make check
#
# The root is made by mmdebstrap with what a new machine has, and make and git; it is removed at the
# end, unless ROOT names it: then it is made where it is missing, kept, and used again.  The command
# runs as root, in namespaces of its own, with the machine's /dev (FUSE, loop devices), so that
# nothing of it stays.  It needs root, since a chroot with device nodes does.
set -eu
release=${1:?usage: tests/fresh.sh RELEASE [COMMAND...]}
shift
[ $# -gt 0 ] || set -- make demo
checkout=$(cd "$(dirname "$0")/.." && pwd)
mirror=${MIRROR:-$(sed -n 's/^URIs: *\(.*debian\)$/\1/p; s/^deb \(\[.*\] \)\{0,1\}\([^ ]*\/debian\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)}
for tool in mmdebstrap unshare git; do
    command -v "$tool" >/dev/null || { echo "fresh: needs $tool" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "fresh: needs root" >&2; exit 1; }

if [ -z "${ROOT-}" ]; then
    ROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/romsim-fresh.XXXXXX")
    trap 'rm -rf --one-file-system "$ROOT"' EXIT
fi
if [ ! -e "$ROOT/etc/debian_version" ]; then
    mmdebstrap --quiet --variant=apt --include=make,git,ca-certificates "$release" "$ROOT" "$mirror"
fi
cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
ln -sfn /proc/mounts "$ROOT/etc/mtab" # systemd makes it; fusermount3 looks there
rm -rf "$ROOT/srv/romsim"
git clone --quiet --no-hardlinks "$checkout" "$ROOT/srv/romsim"

# The mounts are the namespace's, and end with it.  The root is a mount, as a machine's is.
inside='
mount --bind "$0" "$0"
for directory in dev sys; do mount --rbind "/$directory" "$0/$directory"; done
mount -t proc proc "$0/proc"
mount -t tmpfs tmpfs "$0/tmp"
cd "$0"
exec chroot . sh -c "cd /srv/romsim && exec \"\$@\"" sh "$@"'
status=0
unshare --mount --pid --fork --kill-child sh -ec "$inside" "$ROOT" "$@" || status=$?
exit "$status"
