#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# roms.sh: eight ROMs, inline and image mixed: the guest, the host's FUSE view and the files of
# `romsim build` have the same bytes, every device and every file under every `at`.
. "$(dirname "$0")/../lib.sh"
need guest "ROMs in the guest" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir -p base/etc/app base/srv
echo hidden >base/etc/app/old
# An image ROM of every kind: from a directory, made by another tool, an archive, raw bytes.
mkdir -p dir/sub/deeper other
head -c 300000 /dev/urandom >dir/random
echo deep >dir/sub/deeper/file
ln dir/random dir/sub/link
ln -s random dir/symlink
echo other >other/file
head -c 5000 /dev/urandom >other/5000
mkfs.erofs -x-1 other.erofs other >/dev/null 2>&1
(cd other && find . | cpio -o -H newc --quiet) >archive.cpio
truncate -s %4096 archive.cpio
head -c 8192 /dev/urandom >raw.bin
cat >web.yaml <<'END'
name: web
image: ./base
args: [/bin/sh, /rom/script/hash.sh]
memory_mb: 128
roms:
  - {name: script, dir: script, at: /rom/script}
  - {name: tree, image: ./dir, at: /etc/app}
  - {name: foreign, image: ./other.erofs, at: /new/place/deep}
  - {name: archive, image: ./archive.cpio}
  - {name: bytes, image: ./raw.bin}
  - name: text
    files:
      - {path: a/b/c.txt, data: "text\n"}
      - {path: 😀.bin, encoding: base64, data: AAECAwQ=}
    at: /etc/app/sub/nested
  - {files: [{path: unnamed, data: "no name\n"}]}
  - {name: last-one_8.x, files: [{path: z, data: z}], at: /new/place/deep/inside/new}
END
mkdir script
cat >script/hash.sh <<'END'
cd /dev
for device in ukp_rom*; do
    [ -b $device ] || echo "$device is no block device"
    echo "device $(sha256sum <$device) $device"
done
cd /
for at in /rom/script /etc/app /new/place/deep; do
    find $at -type f -exec sha256sum {} + | sed 's/^/file /'
    find $at -type l -exec ls -l {} + | sed 's/.* -> /link /'
done
sed -n 's|^\(/dev/ukp_rom[0-9]* [^ ]* [a-z]* ro\)[, ].*|mounted \1|p' /proc/mounts
touch /etc/app/x 2>/dev/null && echo "a ROM is writable"
touch /srv/x && echo "the root is writable"
mkdir -p /tmp/unpacked && cd /tmp/unpacked && cpio -id </dev/ukp_rom_archive 2>/dev/null &&
    echo "unpacked $(cat file)"
mkdir -p /tmp/m && mount -t erofs /dev/ukp_rom7 /tmp/m && echo "manual $(cat /tmp/m/unnamed)"
END

# What the guest must print, from the host's own view of the bytes.
hashes_of() { # DEVICES AT-PREFIX
    (cd "$1" && for device in ukp_rom*; do
        echo "device $(sha256sum <"$device") $device"; done)
}

for way in fuse direct; do
    flags=()
    [ $way = fuse ] || flags=(--no-fuse)
    if [ $way = fuse ]; then need fuse "drives through the FUSE view" || continue; fi
    # Two kinds of drives, one test: each boot costs seconds.
    ok "eight ROMs boot, $way" romsim run -q "${flags[@]}" web.yaml
    printf '%s\n' "$out" >guest.$way
    is "$(grep -c ^device guest.$way)" 16 "9 devices have 16 nodes, $way"
done
[ -e guest.direct ] || done_testing
if [ -e guest.fuse ]; then
    same guest.fuse guest.direct "with FUSE and without the guest sees the same"
fi
is "$(grep '^mount ' guest.direct)" "mount /dev/ukp_rom1 -> /rom/script
mount /dev/ukp_rom2 -> /etc/app
mount /dev/ukp_rom3 -> /new/place/deep
mount /dev/ukp_rom6 -> /etc/app/sub/nested
mount /dev/ukp_rom8 -> /new/place/deep/inside/new" "the console says each mount, parents first"
is "$(grep -c ' ro$' guest.direct)" 5 "every automount is read-only"
unlike "$(cat guest.direct)" "a ROM is writable" "no ROM is writable"
like "$(cat guest.direct)" "the root is writable" "the root is"
like "$(cat guest.direct)" "unpacked other" "an archive without at is read raw: cpio -id < /dev/..."
like "$(cat guest.direct)" "manual no name" "an unnamed ROM can be mounted by its index"
unlike "$(cat guest.direct)" "/etc/app/old" "what was at a mount point is hidden"

# ---- against romsim build's files
ok "build writes the ROMs" romsim build web.yaml -o built
for pair in 1:script 2:tree 3:foreign 6:text 8:last-one_8.x; do
    is "$(awk -v d="ukp_rom${pair%%:*}" '$4 == d { print $2 }' guest.direct)" \
        "$(sha256sum <"built/${pair#*:}.erofs" | cut -d' ' -f1)" "rom ${pair#*:} is what build wrote"
done
is "$(awk '$4 == "ukp_rom_bytes" { print $2 }' guest.direct)" "$(sha256sum <raw.bin | cut -d' ' -f1)" \
    "raw bytes arrive as they are"

# ---- against the host's view
if need fuse "the guest against the FUSE view"; then
    mkdir view
    ok "the view" romsim mount web.yaml view
    hashes_of view/dev >host
    (cd view && for at in rom/script etc/app new/place/deep; do
        find "$at" -type f -exec sha256sum {} + | sed 's|  |  /|; s/^/file /'; done) >>host
    grep -E '^(device|file)' guest.direct | sort >guest.sorted
    sort host >host.sorted
    same host.sorted guest.sorted "every device and every file has the same hash on both sides"
    is "$(grep -c '^file' host)" 9 "(with the files of nested mounts)"
    romsim umount view
fi
done_testing
