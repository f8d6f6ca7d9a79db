#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# erofs_mutants.sh: damaged images show through FUSE what they show in the guest: the same names,
# attributes, xattrs, link targets, and page by page the same bytes or an error.
#
# mkfs.erofs makes images; their metadata is damaged in many ways; the guest's kernel mounts each
# (that is done in a guest because a kernel may crash over it), and so do we.
#
#     MUTANTS=2000 MUTANT_SEED=7 tests/vm/erofs_mutants.sh      more of them, other ones
#
# What we refuse although a kernel goes on is counted, and is only this:
# - xattrs whose list is damaged, where the kernel lists what it makes of them
# - a name that begins with a NUL, which no program can use
# - inodes beyond the image, where Linux 6.1 drops the high bits of a nid; sizes over 2^63
# - a configuration of compression beyond the image's end, where a kernel reads zeros; long xattr
#   prefixes, which Linux 6.1 does not know
# - files whose compressed data stand where another's do: a kernel mixes them up in its caches
#
# With other seeds about one image in 200 differs in what newer kernels do otherwise than 6.1, and we
# with them: the high bits of a block number in an extended inode, a big pcluster without the number
# of its blocks, bytes behind the file's end.
. "$(dirname "$0")/../lib.sh"
need guest "damaged images in the guest" || done_testing
need fuse "damaged images through FUSE" || done_testing
need mkfs.erofs "damaged images" || done_testing

# Other kernels make other things of damage: 6.12 does not come back from some of the images.
release=$(sed -n 's/^release //p' "$ROOT/build/guest/info")
case $release in
6.1.*) ;;
*) skip "damaged images in the guest" "the view follows Linux 6.1, this guest has $release"; done_testing ;;
esac
loop=$(find "$ROOT/build/guest-work/unpacked" -name "loop.ko*" 2>/dev/null | head -n 1)
if [ -z "$loop" ]; then
    skip "damaged images in the guest" "no loop.ko in build/guest-work"
    done_testing
fi
mutants=${MUTANTS:-120} seed=${MUTANT_SEED:-1}

# ---- images ------------------------------------------------------------------------------------

mkdir -p src/{d/e,many,x} seeds areas mutants tools view base
seq -f 'line %.0f of text' 600 | head -c 6000 >src/text
cp src/text src/twin
# The same bytes each time: so are the images, and their damages.
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(3000))' >src/noise
{ head -c 5000 src/noise; seq 4000; head -c 3000 src/noise; } >src/mixed
: >src/empty
truncate -s 50000 src/hole
echo runs >src/run
chmod 4755 src/run
ln src/run src/d/hard
ln -s ../text src/d/link
ln -s "$(printf 'l%.0s' {1..2000})" src/long-link
mkfifo src/d/fifo
echo 1 >src/d/e/file-1
echo 2 >src/d/e/file-2
for i in $(seq 60); do echo "$i" >"src/many/$(printf 'n%03d-%0100d' "$i" 0)"; done
for i in 0 1 2 3; do
    yes "hello $i" | head -c $((i * 5000 + 7)) >src/x/$i
    setfattr -n user.shared -v "the same for all" src/x/$i 2>/dev/null
    setfattr -n user.own$i -v "$(printf 'v%.0s' {1..20})" src/x/$i 2>/dev/null
done
setfattr -n user.color -v blue src/text 2>/dev/null

while read -r name options; do
    # shellcheck disable=SC2086 # several options
    mkfs.erofs -T1 -U00000000-0000-0000-0000-000000000001 $options "seeds/$name" src >log 2>&1 || {
        fail "mkfs.erofs $options" "$(tail -c 300 log)"
        continue
    }
    # Where the data is, as dump.erofs sees it: "0:  0..  4096 |  4096 :  8192..  12288 |  4096".
    packed=$(romsim rom info --json "seeds/$name" | jq -r '.. | .packed_nid? // empty')
    { find src -type f -printf '/%P\n' | while read -r path; do
        dump.erofs --path="$path" -e "seeds/$name"
    done
    [ "${packed:-0}" = 0 ] || dump.erofs --nid="$packed" -e "seeds/$name"; } 2>/dev/null |
        sed -n 's/^ *[0-9]*: .*| *[0-9]* : *\([0-9]*\)\.\. *\([0-9]*\) .*/\1 \2/p' |
        awk '$1 > 0' >"areas/$name" # a hole's data is said to be at 0 by some versions
done <<'END'
plain -Enoinline_data -x-1
inline -x1
extended -Eforce-inode-extended
chunks --chunksize=4096
indexes --chunksize=8192 -Eforce-chunk-indexes
lz4 -zlz4
big -zlz4hc -C32768
legacy -zlz4 -Elegacy-compress
legacy-big -zlz4 -Elegacy-compress -C16384
ztail -zlz4 -Eztailpacking
fragments -zlz4 -Eall-fragments -C8192
dedupe -zlz4hc -C16384 -Efragments,dedupe,ztailpacking
END

# ---- damage ------------------------------------------------------------------------------------

# mutate.py COUNT SEED: from seeds/* into mutants/, metadata only: what damaged LZ4 data decodes to
# is not defined.
cat >mutate.py <<'END'
import os, random, struct, sys

SUPER, CHECKSUM, BLOCK_BITS = 1024, 1024 + 4, 1024 + 12
VALUES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 4095, 4096, 0x7fffffff, 0x80000000,
          0xffffffff, (1 << 63) - 1, (1 << 64) - 1]

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc

def fix_checksum(image):
    if image[BLOCK_BITS] != 12: # not one for Linux 6.1
        return
    image[CHECKSUM : CHECKSUM + 4] = bytes(4)
    image[CHECKSUM : CHECKSUM + 4] = struct.pack("<I", crc32c(image[SUPER:4096]))

def metadata(name, image):
    data = set()
    for line in open("areas/" + name):
        start, end = map(int, line.split())
        data.update(range(start, end))
    return [at for at in range(SUPER, len(image) - 40)
            if at not in data and any(image[at & ~15 : (at & ~15) + 16])]

def damage(rng, image, places):
    at = SUPER + rng.randrange(160) if rng.random() < 0.08 else rng.choice(places)
    width = rng.choice([1, 1, 2, 2, 4, 8])
    kind = rng.randrange(5)
    if kind == 0:
        image[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        image[at] = rng.randrange(256)
    elif kind == 2:
        at &= ~(width - 1)
        image[at : at + width] = (rng.choice(VALUES) % (1 << 8 * width)).to_bytes(width, "little")
    elif kind == 3:
        image[at] = (image[at] + rng.choice([1, -1, 2, -2, 4, 8, 16, -16])) & 255
    else: # something of the same kind from elsewhere
        other, size = rng.choice(places), rng.choice([2, 4, 8, 12, 32])
        image[at : at + size] = image[other : other + size]

seeds = []
for name in sorted(os.listdir("seeds")):
    image = open("seeds/" + name, "rb").read()
    seeds.append((name, image, metadata(name, image)))
for i in range(int(sys.argv[1])):
    rng = random.Random(int(sys.argv[2]) * 1000003 + i)
    name, image, places = seeds[i % len(seeds)]
    image = bytearray(image)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 5])):
        damage(rng, image, places)
    fix_checksum(image)
    image += bytes(-len(image) % 4096)
    open(f"mutants/{i:05}-{name}", "wb").write(image)
END
ok "images are damaged" python3 mutate.py "$mutants" "$seed"

# ---- looking -----------------------------------------------------------------------------------

gcc -std=gnu17 -static -O2 -D_GNU_SOURCE -o tools/snapshot "$ROOT/tests/vm/snapshot.c" ||
    fail "the tool that looks is compiled"
case $loop in
*.xz) xz -dc "$loop" ;;
*.zst) zstd -dcq "$loop" ;;
*) cat "$loop" ;;
esac >tools/loop.ko
"$SAMPLES/busybox-base.sh" busybox
cat >look.yaml <<'END'
name: look
image: ./busybox
args: [/bin/sh, -c, "insmod /t/loop.ko && mkdir -p /mnt && exec /t/snapshot /mnt /mutants/*"]
memory_mb: 256
roms:
  - {name: tools, image: ./tools, at: /t}
  - {name: mutants, image: ./mutants, at: /mutants}
END
romsim run -q look.yaml >by-kernel 2>kernel.err &
kernel=$!

# By twenty, as the ROMs of one instance.
names=()
for mutant in mutants/*; do names+=("${mutant##*/}"); done
for ((i = 0; i < ${#names[@]}; i += 20)); do
    printf 'name: look\nimage: ./base\nargs: [x]\nroms:\n' >roms.yaml
    for name in "${names[@]:i:20}"; do
        printf -- '- {image: ./mutants/%s, at: /%s}\n' "$name" "$name" >>roms.yaml
    done
    romsim mount --limit roms=20 roms.yaml view >log 2>&1 || fail "a mount of damaged images" "$(cat log)"
    for name in "${names[@]:i:20}"; do
        echo "image $name"
        if [ -d "view/$name" ]; then tools/snapshot "view/$name"; else echo "mount error"; fi
    done
    romsim umount view
done >by-fuse
wait $kernel
is $? 0 "the guest's kernel has looked at all of them"

# ---- comparing ---------------------------------------------------------------------------------

cat >compare.py <<'END'
import json, re, subprocess, sys

# image -> path -> what was seen of it
def load(name):
    images, facts = {}, None
    for line in open(name, errors="replace"):
        line = line.rstrip("\r\n")
        # A kernel says EIO or EUCLEAN by where it found out, of a page EINVAL or EOPNOTSUPP, too;
        # nobody minds which.
        line = re.sub(r"^(  page \d+ error) \d+$|^(.* error) (?:5|117)$", r"\1\2", line)
        if line.startswith("image "):
            image = images.setdefault(line[6:], {})
            facts = None
        elif line.startswith("mount error"):
            image[""] = ["mount error"]
        elif line.startswith("."):
            facts = image.setdefault(line.split(" ")[0], [])
            facts.append(line)
        elif facts is not None:
            facts.append(line)
    return images

# The paths of an image that are refused on purpose; see above.
def refused_paths(name, kernel, ours):
    found = {path for path, facts in kernel.items() if "  has " in facts}
    with open("mutants/" + name, "rb") as image:
        image.seek(1024 + 80)
        if int.from_bytes(image.read(4), "little") & ~0x3f:
            found.add("") # features that are newer than Linux 6.1
    romsim = subprocess.run([sys.argv[1], "rom", "check", "--json", "mutants/" + name],
                            capture_output=True, text=True)
    for finding in json.loads(romsim.stdout)[0]["findings"]:
        message = finding["message"]
        if re.search(r"inode at .* beyond the image's end|nid .* (in a metabox|out of range)|"
                     r": a size of \d+ bytes", message):
            found.add("." + finding["path"])
        if re.match("configuration at|xattr prefixes|a long xattr prefix", message):
            found.add("")
    return found

def overlaps(name):
    return "overlap" in subprocess.run([sys.argv[1], "rom", "check", "mutants/" + name],
                                       capture_output=True, text=True).stdout

def without_pages(facts):
    return [fact for fact in facts if not fact.startswith("  page")]

# What differs in the list of xattrs is passed over where ours is refused, and for ACLs, whose names
# are not checked here.
def without_xattrs(facts):
    return [fact for fact in facts if not fact.startswith(("  xattr", "  listxattr"))]

def same(kernel, ours, mixed):
    if mixed:
        kernel, ours = without_pages(kernel), without_pages(ours)
    odd = "  listxattr error" in ours or any("posix_acl" in fact for fact in ours)
    return kernel == ours or (odd and without_xattrs(kernel) == without_xattrs(ours))

def beneath(path, refused):
    return any(path == top or path.startswith(top + "/") or top == "" for top in refused)

kernel, ours = load("by-kernel"), load("by-fuse")
counts = {"the same": 0, "refused in a part": 0, "different": 0}
for name in sorted(ours):
    a, b = kernel.get(name, {}), ours[name]
    if a == b:
        counts["the same"] += 1
        continue
    refused, mixed = refused_paths(name, a, b), overlaps(name)
    differ = [path for path in {**a, **b} if not beneath(path, refused) and
              not same(a.get(path, []), b.get(path, []), mixed)]
    counts["different" if differ else "refused in a part"] += 1
    for path in differ[:3]:
        for who, facts in ("kernel", a.get(path, ["-"])), ("ours", b.get(path, ["-"])):
            others = b.get(path, []) if who == "kernel" else a.get(path, [])
            print(name, path[-60:], who, [fact[:100] for fact in facts if fact not in others][:4])
print(*(f"{count} {what}," for what, count in counts.items()), file=sys.stderr)
END
out=$(python3 compare.py "$ROMSIM" 2>counts)
is "$out" "" "what $mutants damaged images show is what the guest's kernel shows ($(cat counts))"
done_testing
