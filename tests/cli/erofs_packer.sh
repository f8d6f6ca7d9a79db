#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# erofs_packer.sh: what `romsim rom pack` makes of a directory is what the cloud's packer makes of
# it, byte for byte, but for the UUID, the build time and the checksum over them; and our reader reads
# what older versions of the packer have made.  See tests/data/packer/README.md.
. "$(dirname "$0")/../lib.sh"
PACKER=$DATA/packer

# blanked FILE: the image's digest without what is new in each image.
blanked() {
    python3 - "$1" <<'PY'
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    image = bytearray(file.read())
for start, end in ((4, 8), (24, 36), (48, 64)):  # of the superblock: checksum, build time, UUID
    image[1024 + start : 1024 + end] = bytes(end - start)
print(hashlib.sha256(image).hexdigest())
PY
}

# listing DIRECTORY WITH-TIMES: all that an image keeps of a tree, without owners and directories'
# sizes.
listing() {
    (cd "$1" && find . -printf "%P\t%y\t%m\t%l\t$2" -type f -printf '\t%s\t%n\n' -o -printf '\n' |
        LC_ALL=C sort)
}

shapes=$(python3 "$PACKER/trees.py" --count)
while read -r seed digest; do
    rm -rf tree
    # The last shape has device nodes.
    if [ "$seed" = $((shapes - 1)) ] && ! need root "the tree $seed is the packer's"; then continue; fi
    python3 "$PACKER/trees.py" "$seed" tree
    romsim rom pack -o ours.erofs --format erofs tree >/dev/null
    is "$(blanked ours.erofs)" "$digest" "the tree $seed is packed as the packer does it"
done <"$PACKER/digests.txt"

mkdir images
tar -C images -xf "$PACKER/images.tar.xz"
for image in images/*.erofs; do
    name=$(basename "$image" .erofs)
    rm -rf tree
    python3 "$PACKER/trees.py" "${name##*-}" tree
    ok "$name is sound" romsim rom check "$image"
    ok "$name is unpacked" romsim rom extract "$image" -o "$name"
    times='%T@'
    case $name in dax-*) times= ;; esac # its compact inodes have none
    listing tree "$times" >wanted
    listing "$name" "$times" >got
    same got wanted "... with all that was packed"
    ok "... and the bytes" diff -r --no-dereference tree "$name"
done
done_testing
