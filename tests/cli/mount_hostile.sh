#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_hostile.sh: damaged images behind FUSE: programs get errors, in time, and the server lives.
. "$(dirname "$0")/../lib.sh"

need fuse "damaged images behind FUSE" || done_testing

mkdir -p src/{loop/up,self/self,dir,huge-dir,slash,mixed} view
for name in ok far farther huge no-type early; do echo "$name" >"src/$name"; done
echo a >src/slash/a-b
for i in 1 2 3; do echo $i >src/mixed/$i; done
ln -s ok src/link
echo target >src/dir/target
printf 'name: good\nimage: ./src\nargs: [x]\n' >good.yaml
ok "an image to damage" romsim mount --devices good.yaml view
cat view/dev/ukp_rom0 >good.erofs
romsim umount view

# damage.py OUT CHANGE...: PATH:nid=PATH2 (the entry leads to the inode of another), PATH:nid=NUMBER,
# PATH:size=NUMBER, PATH:mode=NUMBER, PATH:start=NUMBER, PATH:name=NEWNAME (of the same length).
cat >damage.py <<'END'
import struct, sys

image = bytearray(open("good.erofs", "rb").read())
root, = struct.unpack_from("<H", image, 1024 + 14)
meta, = struct.unpack_from("<I", image, 1024 + 40)
image[1024 + 8] &= ~1 # no checksum

def inode_at(nid):
    return meta * 4096 + nid * 32

def entries(nid): # name -> (offset of the dirent, offset of the name, nid)
    at = inode_at(nid)
    size, start = struct.unpack_from("<QI", image, at + 8)
    block = image[start * 4096 : start * 4096 + size]
    count = struct.unpack_from("<H", block, 8)[0] // 12
    found = {}
    for i in range(count):
        child, offset = struct.unpack_from("<QH", block, 12 * i)
        end = struct.unpack_from("<H", block, 12 * i + 20)[0] if i + 1 < count else size
        found[bytes(block[offset:end]).rstrip(b"\0").decode()] = (
            start * 4096 + 12 * i, start * 4096 + offset, child)
    return found

def find(path):
    entry = (None, None, root)
    for name in path.strip("/").split("/"):
        if name:
            entry = entries(entry[2])[name]
    return entry

changes = [(path, field, value) for path, _, change in (c.partition(":") for c in sys.argv[2:])
           for field, _, value in [change.partition("=")]]
for path, field, value, (dirent, name, nid) in [(*c, find(c[0])) for c in changes]:
    if field == "nid":
        number = int(value, 0) if value[0].isdigit() else find(value)[2]
        struct.pack_into("<Q", image, dirent, number)
    elif field == "name":
        image[name : name + len(value)] = value.encode()
    elif field == "size":
        struct.pack_into("<Q", image, inode_at(nid) + 8, int(value, 0))
    elif field == "start":
        struct.pack_into("<I", image, inode_at(nid) + 16, int(value, 0))
    elif field == "mode":
        struct.pack_into("<H", image, inode_at(nid) + 4, int(value, 0))
open(sys.argv[1], "wb").write(image)
END
# What holds for all is checked on one image with everything wrong at once.
ok "is damaged" python3 damage.py bad.erofs \
    loop/up:nid=/ self/self:nid=self far:nid=0x100000000 farther:nid=0x7fffffffffffff \
    huge:size=0x3fffffffffffffff no-type:mode=0 huge-dir:size=0x100000000000 \
    slash/a-b:name=a/b mixed/3:name=0 early:start=0xfffffff0 link:size=100000
sed 's|./src|./bad.erofs|' good.yaml >bad.yaml
ok "and mounted" romsim mount bad.yaml view
pid=$(jq -r .owner.pid "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json)

in_time() { timeout -k 1 20 "$@" 2>&1; }
# refuses TEXT COMMAND...: it fails with an error of the file system, and does not hang.
refuses() {
    local text=$1 status; shift
    out=$(set -o pipefail; in_time "$@" | tr -d '\0'); status=$?
    case $status:$out in
    124:*) fail "$text" "it hangs" ;;
    0:*) fail "$text" "no error" "$out" ;;
    *"Structure needs cleaning"* | *"Input/output error"* | *"Too many levels"* | \
        *"File name too long"*) pass "$text" ;;
    *) fail "$text" "status $status" "$out" ;;
    esac
}

is "$(in_time cat view/ok view/dir/target)" "$(printf 'ok\ntarget')" "sound files are read"
refuses "an inode beyond the image" cat view/far
refuses "an inode beyond every image" cat view/farther
refuses "an inode without a type" stat view/no-type
refuses "a file beyond the image" cat view/early
refuses "a file that says it has 4 EiB" cat view/huge
refuses "a link of 100,000 bytes" readlink -v view/link
like " $(in_time ls view | tr '\n' ' ')" " far farther huge " "they all have their names"
refuses "a name of 256 bytes" stat "view/$(printf 'n%.0s' {1..256})"
refuses "a directory that says it has 16 TiB" ls -U view/huge-dir
refuses "a name with a slash" ls view/slash
isnt_hanging() { in_time "$@" >/dev/null; [ $? != 124 ]; }
ok "unsorted names do not hang a lookup" isnt_hanging cat view/mixed/{0,1,2,3}
ok "a loop of directories ends for find" isnt_hanging find view/loop view/self
# (What cannot be read of a file tar makes up with zeros, of the 4 EiB one, too.)
ok "and for tar" isnt_hanging tar --exclude=huge -cf - -C view loop self
refuses "a directory in itself" ls view/self/self/self/self/x
ok "the server is still there" kill -0 "$pid"
is "$(in_time cat view/ok)" ok "and answers"
ok "and ends" romsim umount view

# In the foreground the server says what is behind the errno.
mkfifo words
"$ROMSIM" mount -f bad.yaml view 2>words &
server=$!
exec 5<words
read -r line <&5
like "$line" "shows the instance" "in the foreground"
cat view/far 2>/dev/null
read -r line <&5
like "$line" "romsim: warning: ukp_rom0: far: inode at offset 137438953472" "damage has a name and a cause"
cat view/early >/dev/null 2>&1
read -r line <&5
like "$line" "romsim: warning: ukp_rom0: " "that of data, too"
kill -TERM "$server"
wait "$server"
exec 5<&-

# Damaged ROMs are attached, as the cloud would; that an app trips on them is what one may look for.
cat good.erofs >broken.erofs
printf '\xff' | dd of=broken.erofs bs=1 seek=1036 conv=notrunc status=none # blkszbits
cat >roms.yaml <<'END'
image: ./src
args: [x]
roms:
  - {image: ./bad.erofs, at: /bad, name: bad}
  - {image: ./broken.erofs, at: /broken, name: broken}
END
ok "damaged ROMs are mounted" romsim mount roms.yaml view
like "$out" "roms.yaml:4:13: warning: ROM image './bad.erofs': " "with a warning"
like "$out" "roms.yaml:5:13: warning: ROM image './broken.erofs': the superblock's block size is 2^255" \
    "of each, and what is damaged"
is "$(in_time cat view/bad/ok)" ok "what is sound in them is read"
refuses "and the rest is an error" cat view/bad/far
like "$(romsim doctor)" "shows a damaged image: ukp_rom1: far: inode at offset" \
    "doctor says which, though the server has no terminal"
like "$(romsim ps 2>&1)" "/view' shows a damaged image ('romsim doctor' says more)" "ps says that there is one"
ok "a ROM that cannot be opened is a device" cmp view/dev/ukp_rom_broken broken.erofs
ok "and no mount" test ! -e view/broken
ok "which ends, too" romsim umount view
fails 1 "check refuses both" romsim check roms.yaml
is "$(grep -c "error: ROM image" <<<"$out")" 2 "by name"

# An image that cannot be opened is named when it is mounted, not later.
cat good.erofs >broken.erofs
printf '\xff\xff\xff\xff' | dd of=broken.erofs bs=1 seek=1104 conv=notrunc status=none # feature_incompat
sed 's|./src|./broken.erofs|' good.yaml >broken.yaml
fails 1 "an image with unknown features is refused" romsim mount broken.yaml view
is "$(ls -A view)$(find "$XDG_RUNTIME_DIR"/romsim/mounts -mindepth 1)" "" "and nothing is left"
done_testing
