# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# root.sh: fresh roots of a Debian release, and commands in them, for tests (beside lib.sh) and scripts.
#
#     root_make trixie DIR && root_run DIR --no-net --user romsim run hello.yaml
#
# Commands run in namespaces of their own, with the machine's /dev, so that nothing of them stays.
# The root is a mount there, as a machine's is, and not a chroot, in which nobody may make a user
# namespace.  It needs root, since device nodes do.
ROOT_CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# root_make RELEASE DIR [OPTION...]: by mmdebstrap (its options), with what is essential and apt, and
# an ordinary user, somebody, who has the number 1000.
root_make() {
    local release=$1 root=$2
    shift 2
    mmdebstrap --quiet --variant=apt "$@" "$release" "$root" "$("$ROOT_CHECKOUT/packaging/mirror.sh")" || return
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    echo '127.0.0.1 localhost' >"$root/etc/hosts" # the installer makes it
    ln -sfn /proc/mounts "$root/etc/mtab" # systemd makes it; fusermount3 looks there
    echo 'somebody:x:1000:1000::/home/somebody:/bin/bash' >>"$root/etc/passwd"
    echo 'somebody:x:1000:' >>"$root/etc/group"
    install -d -o 1000 -g 1000 "$root/home/somebody"
}

# root_run DIR [--no-net] [--user] COMMAND...: in its /, as root, or with --user as somebody, who has
# a new login's environment, is at home, and never becomes anybody else; --no-net: without a network
# but lo.
root_run() {
    local root=$1 net='' user=''
    shift
    while :; do
        case $1 in
        --no-net) net=--net ;;
        --user) user=1 ;;
        *) break ;;
        esac
        shift
    done
    [ -z "$user" ] || set -- setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs \
        env -i HOME=/home/somebody USER=somebody PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
        sh -c 'cd && exec "$@"' sh "$@"
    # shellcheck disable=SC2016 # it is for the shell inside
    ROOT_NET=$net unshare --mount --pid --fork --kill-child $net sh -ec '
        [ -z "$ROOT_NET" ] || ip link set lo up # of the machine: the root may have no ip
        mount --bind "$0" "$0"
        for directory in dev sys; do mount --rbind "/$directory" "$0/$directory"; done
        mount -t proc proc "$0/proc"
        mount -t tmpfs tmpfs "$0/tmp"
        if mknod -m 666 "$0/tmp/.fuse" c 10 229; then mount --bind "$0/tmp/.fuse" "$0/dev/fuse"; fi
        cd "$0"
        mount --move . / # with the first mount at /, the next is no chroot for the kernel
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        unset XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR TMPDIR ROOT_NET ROMSIM_SHARED_STORE ROMSIM_GUEST
        exec chroot . "$@"' "$root" "$@"
}

# root_drop: for `trap ... EXIT` of a test: $fresh goes, then what lib.sh removes.
root_drop() {
    local status=$?
    rm -rf --one-file-system "$fresh"
    (exit "$status")
    cleanup
}
