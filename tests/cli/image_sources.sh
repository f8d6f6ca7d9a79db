#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What an `image:` may name in the simplest cases: directories, archives in every compression,
# EROFS images, single files; the cache of roots; and what is refused, with the place.
. "$(dirname "$0")/../lib.sh"

instance() { printf 'name: x\nimage: %s\nargs: [/bin/sh]\n' "$1" >x.yaml; }
root_digest() { romsim plan --json x.yaml | jq -r '.root.sha256'; }
rom() { printf 'name: x\nimage: base\nargs: [/bin/sh]\nroms:\n  - name: r\n    image: %s\n' "$1" >x.yaml; }
roots() { find "$XDG_CACHE_HOME/romsim/roots" -name '*.erofs' | wc -l; }
# A moment old, so that a change in the same tick of the clock is ruled out (cache.h).
settle() { sleep 2.1; }

mkdir -p base/bin base/etc base/empty
echo '#!/bin/sh' >base/bin/sh
chmod 755 base/bin/sh
echo hosts >base/etc/hosts
ln base/etc/hosts base/etc/hosts2
ln -s hosts base/etc/link
mkfifo base/etc/pipe
head -c 100000 /dev/urandom >base/data
find base -exec touch -h -d '2020-02-02 02:02:02.25 UTC' {} +

# ---- the same content gives the same root, however it comes
instance ./base
ok "a directory is a base image" romsim plan x.yaml
wanted=$(root_digest)
tar -C base --owner=0 --group=0 --numeric-owner --format=posix --sort=name -cf base.tar .
tar -C base --owner=0 --group=0 --numeric-owner --format=posix -cf - . | gzip >base.tar.gz
xz -k base.tar
zstd -q base.tar
lz4 -q base.tar base.tar.lz4
for file in base.tar base.tar.gz base.tar.xz base.tar.zst base.tar.lz4; do
    instance "$file"
    is "$(root_digest)" "$wanted" "$file makes the same root as the directory"
done
cp base.tar misleading.zip
instance misleading.zip
is "$(root_digest)" "$wanted" "a file's name does not matter"
(cd base && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >base.cpio
instance base.cpio
ok "a cpio archive is a base image" romsim plan x.yaml

image=$(find "$XDG_CACHE_HOME/romsim/roots" -name '*.erofs' -exec sha256sum {} + | sed -n "s/^$wanted  //p" | head -1)
ok "the root is clean for fsck.erofs" fsck.erofs "$image"
cp "$image" base.erofs
instance base.erofs
is "$(root_digest)" "$wanted" "an EROFS image is taken as it is"
mkdir out
ok "fsck.erofs unpacks the root" fsck.erofs --extract=out "$image"
(cd base && find . ! -type p -printf '%y %m %n %s %l %p\n' | sort) >wanted.list
(cd out && find . ! -type p -printf '%y %m %n %s %l %p\n' | sort) >got.list
sed -i 's/^d \([0-9]*\) [0-9]* [0-9]*/d \1/' wanted.list got.list
# fsck.erofs 1.5 writes each name of a hard link as a file of its own.
sed -i 's/^f \([0-9]*\) [0-9]*/f \1/' wanted.list got.list
same got.list wanted.list "and it is the directory's tree"
ok "with the directory's content" cmp base/data out/data

# ---- the cache
settle
instance ./base
romsim plan x.yaml >/dev/null
before=$(roots)
romsim plan x.yaml >/dev/null
is "$(roots)" "$before" "an unchanged directory is not built again"
ok "a kept root is used without reading the files" \
    env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -o trace -e trace=openat "$ROMSIM" plan x.yaml
unlike "$(cat trace)" "base/data" "the second start opens no file of the directory"
echo more >>base/etc/hosts
is "$([ "$(root_digest)" != "$wanted" ] && echo changed)" changed "a change makes another root"
sed -i '$d' base/etc/hosts
# Half a root in the cache, as after a power cut.
for file in "$XDG_CACHE_HOME"/romsim/roots/*.erofs; do truncate -s 4096 "$file"; done
instance base.tar
is "$(root_digest)" "$wanted" "a damaged root in the cache is built anew"
rm -rf "$XDG_CACHE_HOME"/romsim
for _ in 1 2 3 4; do romsim plan --json x.yaml >p.$_ & done
wait
is "$(cat p.? | jq -r '.root.sha256' | sort | uniq -c | awk '{ print $1, $2 }')" "4 $wanted" \
    "four commands at once get the same root"
is "$(find "$XDG_CACHE_HOME/romsim" -type f ! -name 'lock-*' ! -name '*.erofs')" "" \
    "and leave nothing else in the cache"
head -c 40000000 /dev/urandom >large && tar -cf large.tar large
for delay in 0.002 0.005 0.01 0.02 0.03 0.05 0.08 0.12; do
    instance "$(case $delay in 0.00*) echo base.tar ;; *) echo large.tar ;; esac)"
    rm -rf "$XDG_CACHE_HOME"/romsim
    timeout -s KILL $delay "$ROMSIM" plan x.yaml >/dev/null 2>&1
    [ -d "$XDG_CACHE_HOME/romsim" ] && find "$XDG_CACHE_HOME/romsim" -type f ! -name 'lock-*' ! -name '*.erofs'
done >left 2>/dev/null
is "$(cat left)" "" "kill -9 leaves nothing half"
ok "a root whose making was killed is made again" romsim plan x.yaml
instance base.tar
is "$(root_digest)" "$wanted" "and the next command works"

# ---- ROMs
rom ./rom
mkdir -p rom/sub
echo one >rom/a
echo two >rom/sub/b
ok "a directory is a ROM" romsim plan x.yaml
like "$out" "/dev/ukp_rom_r" "with its device"
mkfs.erofs -Enoinline_data --quiet r.erofs rom >/dev/null 2>&1
rom r.erofs
ok "an EROFS image is a ROM" romsim plan x.yaml
is "$(romsim plan --json x.yaml | jq -r '.roms[0].sha256')" "$(sha256sum <r.erofs | cut -d' ' -f1)" \
    "byte for byte"
(cd rom && find . | cpio -o -H newc --quiet) >r.cpio
truncate -s %4096 r.cpio
rom r.cpio
ok "a cpio archive is a ROM" romsim plan x.yaml
like "$out" cpio "and is told by its magic"
truncate -s 1000 odd
rom odd
fails 1 "a file that is no multiple of 4096 is refused" romsim plan x.yaml
like "$out" "x.yaml:6:12" "at its place"
like "$out" "Invalid size 1000 of ROM image" "in the cloud's tone"
: >empty
rom empty
fails 1 "an empty file is refused" romsim plan x.yaml
head -c 8192 base.erofs >cut.erofs
rom cut.erofs
ok "an EROFS image that is cut short is a ROM, as in the cloud" romsim plan x.yaml
like "$out" "x.yaml:6:12: warning: ROM image 'cut.erofs': " "with a warning"
rom ./missing
fails 1 "a path that is not there is an error" romsim plan x.yaml
like "$out" "x.yaml:6:12" "at its place, too"

# ---- archives of macOS: xattrs of its own in headers, or as files beside the files
python3 - <<'END'
import io, tarfile
with tarfile.open("mac.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    def add(name, data=b"", **headers):
        info = tarfile.TarInfo(name)
        info.size, info.pax_headers = len(data), headers
        archive.addfile(info, io.BytesIO(data))
    add("._a", b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    add("a", b"a", **{"SCHILY.xattr.com.apple.provenance": "x", "SCHILY.xattr.user.kept": "y",
                      "RHT.security.selinux": "system_u:object_r:bin_t:s0"})
    add("b", b"b", **{"LIBARCHIVE.xattr.com.apple.quarantine": "eHg=", "LIBARCHIVE.creationtime": "1.5"})
    add("._no", b"something else")
END
instance ./mac.tar
ok "an archive of macOS is a base image" romsim plan x.yaml
is "$(grep -c "warning: './mac.tar'" <<<"$out")" 1 "with one warning"
like "$out" "x.yaml:2:8: warning: './mac.tar': 2 extended attributes that EROFS has no place for ('com.apple.provenance', ...) are dropped; 1 file of macOS's AppleDouble data ('._a') is kept" \
    "which says what is dropped, and what is not"
ok "it can be packed" romsim rom pack mac.tar -o mac.erofs
like "$out" "romsim: warning: 'mac.tar': 2 extended attributes" "with the warning"
is "$(romsim rom ls mac.erofs | xargs)" "._a ._no a b" "all files are there"
is "$(romsim rom stat --json mac.erofs /a | jq -c '.[0].xattrs | keys')" '["security.selinux","user.kept"]' \
    "and all other xattrs"

# ---- access control lists: as the xattrs of a directory, by the tar that is here
mkdir -p listed/d && echo x >listed/d/f
python3 - <<'END'
import os, struct
def set(path, name, *entries):
    value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_" + name, value)
    except OSError:
        open("no-acls", "w")
NONE = 0xffffffff
set("listed/d/f", "access", (1, 6, NONE), (2, 7, 1234567), (4, 4, NONE), (8, 1, 7654321),
    (16, 5, NONE), (32, 0, NONE))
set("listed/d", "default", (1, 7, NONE), (4, 5, NONE), (32, 0, NONE))
END
if [ -e no-acls ] || ! tar --acls -cf listed.tar listed 2>/dev/null; then
    skip "tar's access control lists are a directory's" "this file system or tar has none"
else
    ok "a tar of access control lists is packed" romsim rom pack -o tar.rom listed.tar
    unlike "$out" warning "without a word"
    mkdir above && mv listed above && touch -d @0 above
    romsim rom pack -o directory.rom above >/dev/null
    is "$(romsim rom stat --json directory.rom listed/d listed/d/f | jq -r '.[].xattrs | keys[]' | xargs)" \
        "system.posix_acl_default system.posix_acl_access" "(the directory has them)"
    ok "tar's access control lists are a directory's" romsim rom diff tar.rom directory.rom
    is "$out" "" "in all, the modes, too"
fi
python3 - <<'END'
import tarfile
with tarfile.open("names.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    for name in "ab":
        info = tarfile.TarInfo(name)
        info.pax_headers = {"SCHILY.acl.access": "user::rw-\nuser:joe:r--\ngroup::r--\nmask::r--\nother::---\n"}
        archive.addfile(info)
END
ok "lists that name users without numbers" romsim rom pack -o names.rom names.tar
like "$out" "warning: 'names.tar': the access control lists of 2 files ('a', ...) are dropped: they name users or groups without their numbers" \
    "are dropped, with one warning"

# ---- base images that cannot be
refused() { # NAME PIECE
    instance "$1"
    fails 1 "as a base image, $1 is refused" romsim plan x.yaml
    like "$out" "$2" "because: $2"
}
printf 'PK\3\4xxxxxxxxxxxxxxxx' >a.zip
refused a.zip "a zip archive"
printf 'hello' >text
refused text "a file of an unknown kind"
head -c 300 base.tar.gz >cut.gz
refused cut.gz "cut.gz"
head -c 90000 base.tar >cut.tar
refused cut.tar "cut.tar"
refused ./nothing "nothing"
mkfifo fifo
refused ./fifo "not a regular file"
head -c 1200000000 /dev/zero | zstd -q >bomb.zst
refused bomb.zst "grows beyond"

done_testing
