#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fresh: runs a command in a clean clone of this checkout, in a fresh root of a Debian release.
#
#     tests/fresh.sh [--user] RELEASE [COMMAND...]       (make demo)
#     ROOT=DIR tests/fresh.sh trixie make check
#     tests/fresh.sh --other         prints the release of the two that this machine does not run
#
# The root is made by mmdebstrap with what a new machine has, and make and git; it is removed at the
# end, unless ROOT names it: then it is made where it is missing, kept, and used again.  The command
# runs as root, or with --user as an ordinary user without sudo, for whom root has run `make deps`.
# How it is entered is in root.sh.  It needs root, since device nodes do.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
. "$checkout/tests/root.sh"
if [ "${1-}" = --other ]; then
    mirror=$("$checkout/packaging/mirror.sh")
    release=trixie
    [ "$(. /etc/os-release && echo "${VERSION_CODENAME-}")" != trixie ] || release=bookworm
    curl --fail --silent --location --max-time 60 --output /dev/null "$mirror/dists/$release/Release" ||
        { echo "fresh: the archive does not answer for $release" >&2; exit 1; }
    echo "$release"
    exit
fi
account=root
if [ "${1-}" = --user ]; then account=somebody; shift; fi
release=${1:?usage: tests/fresh.sh [--user] RELEASE [COMMAND...]}
shift
[ $# -gt 0 ] || set -- make demo
for tool in mmdebstrap unshare git; do
    command -v "$tool" >/dev/null || { echo "fresh: needs $tool" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "fresh: needs root" >&2; exit 1; }

if [ -z "${ROOT-}" ]; then
    ROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/romsim-fresh.XXXXXX")
    trap 'rm -rf --one-file-system "$ROOT"' EXIT
fi
if [ ! -e "$ROOT/etc/debian_version" ]; then
    root_make "$release" "$ROOT" --include=make,git,ca-certificates,mount,passwd
fi
cp /etc/resolv.conf "$ROOT/etc/resolv.conf" # of a root that was kept, too
rm -rf "$ROOT/srv/romsim"
git clone --quiet --no-hardlinks "$checkout" "$ROOT/srv/romsim"

# inside ACCOUNT PATH COMMAND...: in the clone, with a new login's environment.  Unlike a user of
# root_run's, this one may mount by fusermount3.
inside() {
    local account=$1 path=$2 home
    shift 2
    home=$(sed -n "s/^$account:.*:\(.*\):.*/\1/p" "$ROOT/etc/passwd")
    # shellcheck disable=SC2016,SC2046 # it is for the shell inside; words
    root_run "$ROOT" setpriv --reuid "$account" --regid "$account" --init-groups \
        env -i HOME="$home" USER="$account" LOGNAME="$account" PATH="$path" TERM="${TERM:-dumb}" \
        LANG=C.UTF-8 $(env | grep -E '^(https?|no)_proxy=' || true) \
        sh -c 'cd /srv/romsim && exec "$@"' sh "$@"
}
path=/usr/local/bin:/usr/bin:/bin
if [ "$account" = root ]; then
    path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
else
    inside root "/usr/local/sbin:$path:/usr/sbin:/sbin" make deps
    root_run "$ROOT" chown -R "$account:" /srv/romsim
fi
status=0
inside "$account" "$path" "$@" || status=$?
exit "$status"
