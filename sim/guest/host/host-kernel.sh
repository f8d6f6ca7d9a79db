#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# host-kernel: the kernel that a machine has for itself, as `make guest KERNEL=host` takes it.
#
#     host-kernel.sh describe ROOT MODULE...      says which it is, a line for each thing
#     host-kernel.sh take FOLDER ROOT MODULE...   makes FOLDER look like the kernel's package, unpacked
#     host-kernel.sh ways NAME MODULE...          says where a kernel is to be had without NAME
#
# ROOT is "" for this machine, or a folder that looks like the root of one.  The kernel is
# ROOT/boot/vmlinuz-RELEASE (Debian, Ubuntu) or vmlinuz among its modules (Fedora, Arch), and the
# modules are in ROOT/usr/lib/modules/RELEASE or ROOT/lib/modules/RELEASE.  Of this machine RELEASE is
# that of the kernel that runs, of another root the newest there.  Each MODULE has to be there, or
# be a part of the kernel; what is wrong is said in one sentence, with status 1.
set -u

refuse() {
    echo "$*" >&2
    exit 1
}

# The folder of a release's modules, or of all.
modules_folder() {
    local folder
    for folder in "$root/usr/lib/modules" "$root/lib/modules"; do
        [ ! -d "$folder${1:+/$1}" ] || { echo "$folder${1:+/$1}"; return; }
    done
    return 1
}

kernel_file() {
    local file
    for file in "$root/boot/vmlinuz-$1" "$root/usr/lib/modules/$1/vmlinuz" "$root/lib/modules/$1/vmlinuz"; do
        [ ! -f "$file" ] || { echo "$file"; return; }
    done
    return 1
}

# The newest release that has a kernel, or just the newest.
newest_release() {
    local folder release
    folder=$(modules_folder "") || return 1
    while read -r release; do
        ! kernel_file "$release" >/dev/null || { echo "$release"; return; }
    done < <(cd "$folder" && printf '%s\n' * | sort -rV)
    (cd "$folder" && printf '%s\n' * | sort -rV | head -n 1)
}

# Sets release, kernel and modules.
find_kernel() {
    local name missing= known
    where="this machine"
    [ -z "$root" ] || where=$root
    if [ -n "$root" ]; then
        [ -d "$root" ] || refuse "there is no folder '$root'"
        release=$(newest_release) || refuse "$where has no kernel: neither lib/modules nor usr/lib/modules is there"
    else
        release=$(uname -r)
    fi
    kernel=$(kernel_file "$release") ||
        refuse "$where has no kernel for $release: neither boot/vmlinuz-$release nor vmlinuz among its modules is there" \
            "(a container has none of its own)"
    [ -r "$kernel" ] || refuse "$kernel can be read by root only, as Ubuntu has it: use sudo, or a copy by BOOT=DIR"
    modules=$(modules_folder "$release") || refuse "$where has $kernel, and no modules of $release"
    # Names of files, and of what is built in, with '_' as the kernel has it.
    known=$({ find "$modules/" -name '*.ko' -o -name '*.ko.xz' -o -name '*.ko.zst' -o -name '*.ko.gz'
              cat "$modules/modules.builtin" 2>/dev/null; } |
        sed 's|.*/||; s|\.ko.*||' | tr - _ | sort -u)
    for name; do
        grep -qxF "$name" <<<"$known" || missing+="${missing:+, }$name"
    done
    [ -z "$missing" ] || refuse "the kernel $release of $where lacks $missing, which a guest needs," \
        "neither built in nor among $modules"
}

# The package that has the kernel, if somebody knows: "NAME VERSION", and that of its source.
owner() {
    local package=
    [ -n "$root" ] || package=$(dpkg -S "$kernel" 2>/dev/null | sed -n '1s/:.*//p')
    if [ -n "$package" ]; then
        dpkg-query -W -f 'package ${Package} ${Version}\nsource ${source:Package} ${source:Version}\n' "$package"
        return
    fi
    [ -n "$root" ] || package=$(rpm -qf --qf 'package %{NAME} %{VERSION}-%{RELEASE}\nsource %{SOURCERPM}\n' "$kernel" 2>/dev/null) || package=
    echo "${package:-package vmlinuz $release, of no package that is known}"
}

describe() {
    echo "release $release"
    echo "kernel host ${kernel#"$root"} sha256:$(sha256sum <"$kernel" | cut -d' ' -f1)"
    owner
}

take() {
    local folder=$1
    mkdir -p "$folder/boot" "$folder/lib/modules" && cp -- "$kernel" "$folder/boot/vmlinuz-$release" &&
        chmod u+w "$folder/boot/vmlinuz-$release" || exit 1
    # What depmod has been at is read where it is; else there has to be a copy for it.
    if [ -s "$modules/modules.dep" ]; then
        ln -s "$(realpath -- "$modules")" "$folder/lib/modules/$release"
    else
        cp -R -- "$modules" "$folder/lib/modules/$release"
    fi || exit 1
}

ways() {
    local found said file
    echo "Other ways to a kernel for the guest:" >&2
    file=$(find /var/cache/apt/archives . -maxdepth 1 -name 'linux-image-[0-9]*.deb' 2>/dev/null | sort -V | tail -n 1)
    echo "  make guest KERNEL_DEB=${file:-FILE}" >&2
    [ -n "$file" ] || echo "      with the package that $1 depends on, brought from another machine" >&2
    root=
    if said=$( (find_kernel "${@:2}" && echo "$release") 2>&1); then
        found="      works here: Linux $said, which this machine runs"
    else
        found="      not here: $said"
    fi
    printf '  make guest KERNEL=host\n%s\n' "$found" >&2
    said=
    for file in flex bison bc; do
        command -v "$file" >/dev/null || said+="${said:+, }$file"
    done
    printf '  make guest KERNEL=tiny KERNEL_DEB=FILE\n      builds one of the package linux-source%s\n' \
        "${said:+; first 'make deps-tiny': $said missing}" >&2
}

root=
case ${1-} in
describe) root=${2%/}; find_kernel "${@:3}" && describe ;;
take) root=${3%/}; find_kernel "${@:4}" && take "$2" ;;
ways) ways "${@:2}" ;;
*) refuse "usage: host-kernel.sh describe|take|ways ..." ;;
esac
