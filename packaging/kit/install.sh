#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# install: installs romsim, and the files for a class, from the kit that this file is in.  No network
# is needed, and none is asked.
#
#     sudo sh install.sh [--check] [--to DIRECTORY]
#
# The kit is looked at first: is it whole, by the digests of SHA256SUMS, and are there packages for
# this machine?  With --check that is all.  Then apt installs the packages, with the kit as the only
# place that it has them from: what is there already stays.  The class's files go to
# /usr/local/share/romsim/class, or to the DIRECTORY.
set -eu
umask 022
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
here=$(cd "$(dirname "$0")" && pwd)
to=/usr/local/share/romsim/class
check=

say() { printf '%s\n' "$*"; }
refuse() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '3,/^set/s/^# \{0,1\}//p' "$here/install.sh"; }

while [ $# -gt 0 ]; do
    case $1 in
    --check) check=1 ;;
    --to) to=${2-}; shift; case $to in /*) ;; *) refuse "--to needs the absolute path of a directory" ;; esac ;;
    --help | -h) usage; exit ;;
    *) refuse "'$1' is no option of mine (--check, --to DIRECTORY, --help)" ;;
    esac
    shift
done

# ---- is the machine one that this kit is for? ---------------------------------------------

name=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME-}") || name=
release=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME-}") || release=
kit=$(sed -n 1p "$here/VERSION") || refuse "this file stands alone: it has to be in its kit"
releases=$(cd "$here/debian" && echo *)
other="the kit has packages for Debian: $releases"
[ ! -e "$here/container/romsim-container.tar" ] ||
    other="$other.  Where there is podman: podman load -i '$here/container/romsim-container.tar'"
command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    refuse "this is ${name:-no system that I know} and has no apt; $other"
[ -n "$release" ] && [ -e "$here/debian/$release/Packages" ] || refuse "this is ${name:-no system that I know}; $other"
machine=$(dpkg --print-architecture)
[ "$machine" = amd64 ] || refuse "this machine is $machine; the kit's packages are for amd64"
say "$kit on $name"

# ---- is the kit whole? --------------------------------------------------------------------

(cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) >&2 ||
    refuse "the kit is damaged, nothing was installed: copy it again"
say "checked: $(wc -l <"$here/SHA256SUMS") files, all as they were made"
[ -z "$check" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || refuse "only root can install packages, and there is no sudo here: su -c 'sh install.sh'"
    say "root is needed to install packages: sudo may ask for your password"
    exec sudo -- sh "$here/install.sh" --to "$to"
fi

# ---- the packages -------------------------------------------------------------------------

scratch=$(mktemp -d "${TMPDIR:-/tmp}/romsim-kit.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
# By a name without blanks, which a list of sources cannot have.
ln -s "$here/debian/$release" "$scratch/packages"
echo "deb [trusted=yes] file:$scratch/packages ./" >"$scratch/kit.list"

# try_apt COMMAND...: the kit is all that it knows, and the machine's own lists stay as they are.
try_apt() {
    apt-get -q -y -o Dir::Etc::SourceList="$scratch/kit.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none "$@" >"$scratch/log" 2>&1
}
apt() {
    try_apt "$@" || {
        tail -n 20 "$scratch/log" >&2
        refuse "apt could not: see its words above"
    }
}
apt update
# shellcheck disable=SC2046 # words
apt install --no-install-recommends --no-remove $(cat "$here/debian/$release/wanted")
say "installed: $(romsim --version), its guest and QEMU ($(grep -c '^Setting up' "$scratch/log") packages were missing)"
# A machine may have a newer libcurl4 than the kit, with which the kit's curl does not go.
command -v curl >/dev/null || try_apt install --no-install-recommends --no-remove curl ||
    say "without curl, which the checks of 'romsim workshop' want: apt could not install the kit's"

# ---- the class's files --------------------------------------------------------------------

rm -rf "$to.new"
mkdir -p "$to.new"
cp -R "$here/class/." "$to.new/"
cp "$here/README.md" "$to.new/"
chmod -R u=rwX,go=rX "$to.new"
if [ -e "$to" ]; then rm -rf "$to.old"; mv "$to" "$to.old"; fi
mv "$to.new" "$to"
rm -rf "$to.old"
say "copied: samples and docs to $to"
romsim image import --shared "$here/images.tar.zst" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    refuse "the images cannot be had: see above"
}
say "stored for all users: $(grep -c ': imported ' "$scratch/log") images"
say
say "Now, as an ordinary user:"
say "    romsim run $to/samples/hello/instance.yaml"
say "    romsim doctor"
