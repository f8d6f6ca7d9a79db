#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# make guest KERNEL=host: the kernel that a machine has for itself, found as Debian, Fedora and Ubuntu
# lay it out; what a guest needs has to be in it.  Debian's kernel, laid out as another's, gives the
# same bundle as from its package, and boots; and who cannot download is told of the other ways.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
tool=$ROOT/sim/guest/host/host-kernel.sh
wanted=(virtio_pci erofs overlay)

# root FOLDER ENTRY...: files that are there, by their paths.
root() {
    local folder=$1 file; shift
    rm -rf "$folder"
    for file; do mkdir -p "$folder/$(dirname "$file")" && echo "$file" >"$folder/$file"; done
}
describe() { "$tool" describe "$1" "${wanted[@]}"; }
m=kernel/drivers

root debian boot/vmlinuz-6.1.0-9-amd64 lib/modules/6.1.0-9-amd64/{$m/virtio_pci.ko,kernel/fs/erofs/erofs.ko,kernel/fs/overlay.ko}
ok "as Debian has it" describe debian
like "$out" "release 6.1.0-9-amd64" "its release"
like "$out" "kernel host /boot/vmlinuz-6.1.0-9-amd64 sha256:$(sha256sum <debian/boot/vmlinuz-6.1.0-9-amd64 | cut -c1-64)" \
    "its file, and that one's digest"
like "$out" "package vmlinuz 6.1.0-9-amd64, of no package that is known" "and that its package is not known"

root fedora usr/lib/modules/6.17.1-300.fc43.x86_64/{vmlinuz,modules.builtin} \
    usr/lib/modules/6.17.1-300.fc43.x86_64/kernel/fs/{erofs/erofs.ko.xz,overlayfs/overlay.ko.xz}
echo kernel/drivers/virtio/virtio_pci.ko >fedora/usr/lib/modules/6.17.1-300.fc43.x86_64/modules.builtin
ln -s usr/lib fedora/lib
ok "as Fedora has it, a part of it built in" describe fedora
like "$out" "kernel host /usr/lib/modules/6.17.1-300.fc43.x86_64/vmlinuz" "its kernel is among its modules"

root ubuntu boot/vmlinuz-6.8.0-31-generic usr/lib/modules/6.8.0-31-generic/{$m/virtio-pci.ko.zst,kernel/fs/erofs.ko.zst,kernel/fs/overlay.ko.zst}
ln -s usr/lib ubuntu/lib
ok "as Ubuntu has it, with a name that has another dash" describe ubuntu
if need dpkg-deb "Ubuntu's packages, unpacked"; then
    # The kernel is in one, its modules in the other, and both are packed by zstd.
    mkdir -p image modules/usr/lib
    cp -R ubuntu/boot image/ && cp -R ubuntu/usr/lib/modules modules/usr/lib/
    for part in image modules; do
        mkdir $part/DEBIAN
        printf 'Package: linux-%s-6.8.0-31-generic\nVersion: 6.8.0-31.31\nArchitecture: amd64\n' $part >$part/DEBIAN/control
        printf 'Maintainer: nobody <nobody@example.com>\nDescription: none\n' >>$part/DEBIAN/control
        dpkg-deb -Zzstd --root-owner-group --build $part $part.deb >/dev/null && dpkg-deb -x $part.deb packages
    done
    like "$(ar t modules.deb)" "data.tar.zst" "a package that zstd has packed"
    is "$(describe packages)" "$(describe ubuntu)" "Ubuntu's packages, unpacked, are such a root"
fi

root plain boot/vmlinuz-5.4 lib/modules/5.4/modules.builtin
printf 'kernel/%s.ko\n' a/virtio_pci b/erofs c/overlay >plain/lib/modules/5.4/modules.builtin
ok "with all of it built in" describe plain

root two boot/vmlinuz-6.9.0 boot/vmlinuz-6.10.1 lib/modules/{6.9.0,6.10.1,6.11.0}/{virtio_pci,erofs,overlay}.ko
like "$(describe two)" "release 6.10.1" "of several the newest that has a kernel"

# ---- what cannot be taken, in one sentence
refused() {
    fails 1 "$1" describe "$2"
    like "$out" "$3" "... is said"
    is "$(wc -l <<<"$out")" 1 "... in one sentence, $1"
}
rm debian/lib/modules/*/kernel/fs/erofs/erofs.ko
refused "without EROFS" debian "the kernel 6.1.0-9-amd64 of debian lacks erofs, which a guest needs"
rm -r debian/lib/modules/*/kernel
refused "without anything" debian "lacks virtio_pci, erofs, overlay"
rm -r debian/lib
refused "without modules" debian "neither lib/modules nor usr/lib/modules"
rm two/boot/*
refused "without a kernel" two "two has no kernel for 6.11.0"
refused "a root that is not there" nowhere "there is no folder 'nowhere'"
if [ "$(id -u)" != 0 ]; then
    chmod 0 ubuntu/boot/vmlinuz*
    refused "a kernel that root alone may read" ubuntu "can be read by root only, as Ubuntu has it"
elif need user "a kernel that root alone may read"; then
    chmod 755 "$T" && chmod 600 ubuntu/boot/vmlinuz*
    cp "$tool" tool.sh && chmod 755 tool.sh
    out=$(setpriv --reuid nobody --clear-groups ./tool.sh describe ubuntu erofs 2>&1)
    like "$out" "can be read by root only, as Ubuntu has it" "a kernel that root alone may read"
fi

# ---- from end to end
mkdir source
for entry in "$ROOT"/*; do
    [ "${entry##*/}" = build ] || ln -s "$entry" source/
done
guest() { make -s -C source guest "BUILD=$BUILD" "$@"; }
release=$(cat "$ROOT/build/guest-work/release" 2>/dev/null)
if [ -z "$release" ] || [ ! -d "$ROOT/build/guest-work/unpacked" ]; then
    skip "a bundle of such a kernel" "no kernel's package is unpacked here ('make guest')"
else
    # Debian's kernel as Fedora would have it, modules as Ubuntu packs them, and not seen by depmod.
    theirs=$ROOT/build/guest-work/unpacked
    mkdir -p "other root/usr/lib/modules"
    cp -R "$theirs/lib/modules/$release" "other root/usr/lib/modules/"
    cp "$theirs/boot/vmlinuz-$release" "other root/usr/lib/modules/$release/vmlinuz"
    (cd "other root/usr/lib/modules/$release" && rm -f modules.dep* modules.alias* modules.symbols* modules.softdep &&
        find . -name '*.ko.xz' -exec unxz {} + && find . \( -name 'erofs.ko' -o -name '*virtio*.ko' \) -exec zstd -q --rm {} +)
    ok "a bundle of a folder with blanks" guest KERNEL=host "BOOT=$T/other root"
    same source/build/guest-host/vmlinux "$ROOT/build/guest/vmlinux" "the kernel is that of the package"
    same <(cpio -t --quiet <source/build/guest-host/initrd | sort) <(cpio -t --quiet <"$ROOT/build/guest/initrd" | sort) \
        "and so are the modules"
    is "$(sed -n 's/^kernel //p' source/build/guest-host/info | cut -d: -f1)" \
        "host /usr/lib/modules/$release/vmlinuz sha256" "info says where it is from"
    (cd source/build/guest-host && sed -n 's/^sha256 //p' info | sha256sum -c --quiet)
    is $? 0 "with the digests of the bundle"
    before=$(stat -c %Y source/build/guest-host/vmlinux source/build/guest-host/initrd)
    ok "made again" guest KERNEL=host "BOOT=$T/other root"
    is "$(stat -c %Y source/build/guest-host/vmlinux source/build/guest-host/initrd)" "$before" "nothing is done for the same kernel"
    # It is kept in step with init, wherever its kernel was from.
    touch source/build/guest-host/initrd -d @1
    ok "brought up to date by make" make -s -C source guest-host "BUILD=$BUILD"
    is "$(stat -c %Y source/build/guest-host/vmlinux)" "${before%%$'\n'*}" "its kernel stays"
    like "$(ROMSIM_GUEST=$T/source/build/guest-host romsim doctor)" \
        "the kernel of the machine on which it was made; named by ROMSIM_GUEST" "doctor says which kernel it is, and why"
    if need guest "a boot of it"; then
        "$SAMPLES/busybox-base.sh" base
        out=$(ROMSIM_GUEST=$T/source/build/guest-host romsim run -q --image ./base --args "/bin/uname -r" 2>&1)
        is "$out" "$release" "it boots"
    fi
fi
fails 2 "a kernel that lacks something" guest KERNEL=host "BOOT=$T/plain"
like "$out" "lacks virtio_blk, virtio_net, virtio_console, fuse" "is refused by make"

# ---- without a network
mkdir tools
printf '#!/bin/sh\nexit 1\n' | tee tools/apt-get >tools/apt-cache
printf '#!/bin/sh\nexec "$@"\n' >tools/sudo
chmod 755 tools/*
out=$(PATH=$T/tools:$PATH guest 2>&1)
is $? 2 "a package that cannot be downloaded"
like "$out" "is Debian's archive reachable?" "is said to be one"
for way in KERNEL_DEB= KERNEL=host KERNEL=tiny; do
    like "$out" "make guest $way" "with another way: $way"
done
if "$tool" describe "" "${wanted[@]}" >/dev/null 2>&1; then
    like "$out" "works here: Linux $(uname -r)" "this machine's own kernel would do"
else
    like "$out" "not here: " "and why this machine's own kernel will not do"
fi

done_testing
