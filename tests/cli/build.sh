#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# build: `romsim build` writes an instance's ROMs as files.
. "$(dirname "$0")/../lib.sh"

mkdir -p code/lib
printf 'import lib.x\n' >code/main.py
printf 'x = 1\n' >code/lib/x.py
(cd code && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >code.cpio
truncate -s %4096 code.cpio
head -c 8192 /dev/urandom >bytes
cat >app.yaml <<'YAML'
name: app
image: ./base
roms:
  - name: code
    image: ./code
    at: /rom
  - name: config.d
    at: /etc/app
    files:
      - path: /a.conf
        data: "one\n"
      - path: sub/b.bin
        encoding: base64
        data: AAECAw==
  - name: packed
    image: ./code.cpio
  - image: ./bytes
YAML

ok "the ROMs are written" romsim build app.yaml -o out
is "$(ls out)" "$(printf '%s\n' code.erofs config.d.erofs packed.cpio ukp_rom4.rom)" \
    "each under its name, and what it is"
like "$out" "$(sha256sum <out/code.erofs | cut -d' ' -f1)" "the table has the digest of the file"
like "$out" "config.d  erofs" "and the name and kind"
same code.cpio out/packed.cpio "a cpio ROM is its source, byte for byte"
same bytes out/ukp_rom4.rom "so is a raw one"
if need fsck.erofs "fsck.erofs finds the images clean"; then
    ok "fsck.erofs finds an image ROM clean" fsck.erofs --extract out/code.erofs
    ok "fsck.erofs finds an inline ROM clean" fsck.erofs --extract out/config.d.erofs
    fsck.erofs --extract=tree out/config.d.erofs >/dev/null 2>&1
    is "$(cat tree/a.conf; od -An -tx1 tree/sub/b.bin)" "one
 00 01 02 03" "text and base64 are decoded"
fi

romsim build app.yaml -o out --json >json
is "$(jq -r '.[] | "\(.index) \(.name) \(.kind) \(.size) \(.files)"' json)" "1 code erofs \
$(stat -c %s out/code.erofs) 2
2 config.d erofs $(stat -c %s out/config.d.erofs) 2
3 packed cpio $(stat -c %s code.cpio) 0
4 ukp_rom4 raw 8192 0" "JSON has the same"
is "$(jq -r '.[].sha256' json)" "$(cd out && sha256sum code.erofs config.d.erofs packed.cpio \
    ukp_rom4.rom | cut -d' ' -f1)" "and the digests"
romsim build app.yaml -o again --no-verify >/dev/null
ok "the same bytes again, also without verifying" diff -r out again
is "$(umask 027; romsim build app.yaml -o masked >/dev/null; stat -c %a masked/code.erofs)" 640 \
    "files follow the umask"
ln -sf nowhere link.erofs
mkdir linked && ln -s ../code.cpio linked/code.erofs
romsim build app.yaml -o linked >/dev/null
is "$(test -L linked/code.erofs; echo $?) $(cpio -t --quiet <code.cpio 2>/dev/null | wc -l)" "1 4" \
    "a link at the output is replaced, not followed"

# ---- the same content by three ways -----------------------------------------------------------

mkdir -p three/sub
printf 'one\n' >three/a.conf
printf '\0\1\2\3' >three/sub/b.bin
chmod 755 three three/sub && chmod 644 three/a.conf three/sub/b.bin
find three -exec touch -d @0 {} +
cat >three.yaml <<'YAML'
image: ./base
roms: [{name: dir, dir: ./three}, {name: image, image: ./three}]
YAML
romsim build three.yaml -o out3 >/dev/null
romsim rom pack three -o out3/pack.erofs >/dev/null
tar -C three -cf three.tar . && romsim rom pack three.tar -o out3/tar.erofs >/dev/null
is "$(cat out/config.d.erofs out3/*.erofs | split -b "$(stat -c %s out/config.d.erofs)" \
    --filter=sha256sum | sort -u | wc -l)" 1 "inline, dir:, image: and tar give the same bytes"

# ---- several instances ------------------------------------------------------------------------

cat >two.yaml <<'YAML'
- name: first
  image: ./base
  roms: [{name: fn, files: [{path: x, data: "1"}]}]
- image: ./base
  roms: [{name: fn, files: [{path: x, data: "2"}]}]
YAML
ok "several instances" romsim build two.yaml -o two
is "$(cd two && find . -type f | sort)" "./2/fn.erofs
./first/fn.erofs" "have a folder each"
ok "one of them" romsim build two.yaml -o one --instance first
is "$(ls one)" fn.erofs "has none"

# ---- failures ---------------------------------------------------------------------------------

fails 2 "no output" romsim build app.yaml
fails 1 "no file" romsim build none.yaml -o x
sed 's|./code$|./missing|' app.yaml >missing.yaml
fails 1 "a ROM whose source is missing" romsim build missing.yaml -o x
like "$out" "missing.yaml:5:12" "is named with its place"
printf x >>bytes
fails 1 "a ROM that is no multiple of 4096 bytes" romsim build app.yaml -o x
mkdir -p blocked/code.erofs
truncate -s 8192 bytes
fails 1 "an output that is a directory" romsim build app.yaml -o blocked
is "$(find x blocked -type f 2>/dev/null | wc -l)" 0 "and nothing is left behind"

done_testing
