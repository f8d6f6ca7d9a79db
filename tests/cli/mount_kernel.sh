#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_kernel.sh: what FUSE shows of an image is what the kernel's EROFS shows of it: names, types,
# modes, owners, times, links, sizes, devices, blocks, xattrs, content, and the file system's sizes.
. "$(dirname "$0")/../lib.sh"

need fuse "FUSE against the kernel's EROFS" || done_testing

# snapshot DIR OUT NAME...: everything that a program can see of each DIR/NAME, one line each, into
# OUT/NAME; times in nanoseconds, hard links by the first name.  Inode numbers differ: the view has
# many images.
cat >snapshot.py <<'END'
import hashlib, os, stat, sys

# A compressed file without a block of its own (it is all in the packed inode, or tail-packed) has 0
# for newer kernels; for Linux 6.1 it has as many as its size would take.
def blocks(st):
    return "by size" if st.st_blocks in (0, (st.st_size + 4095) // 4096 * 8) else st.st_blocks

def describe(path, seen):
    st = os.lstat(path)
    facts = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_nlink, st.st_size, blocks(st),
             st.st_mtime_ns, st.st_ctime_ns]
    if not stat.S_ISDIR(st.st_mode):
        facts.append("= " + repr(seen.setdefault(st.st_ino, path)))
    if stat.S_ISLNK(st.st_mode):
        facts.append(os.readlink(path))
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        facts.append((os.major(st.st_rdev), os.minor(st.st_rdev)))
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            facts.append(hashlib.file_digest(file, "sha256").hexdigest()
                         if hasattr(hashlib, "file_digest")
                         else hashlib.sha256(file.read()).hexdigest())
    if not stat.S_ISLNK(st.st_mode):
        facts.append({name: os.getxattr(path, name) for name in sorted(os.listxattr(path))})
    return facts

def snapshot(out):
    seen, pending = {}, [b"."]
    while pending:
        path = pending.pop()
        print(repr(path), *describe(path, seen), file=out)
        if stat.S_ISDIR(os.lstat(path).st_mode):
            with os.scandir(path) as entries:
                names = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries)
            print(repr(path), "has", names, file=out)
            pending += [os.path.join(path, name) for name, _ in reversed(names)]
    fs = os.statvfs(".")
    print("sizes", fs.f_bsize, fs.f_frsize, fs.f_blocks, fs.f_bfree, fs.f_bavail, fs.f_namemax,
          file=out)

top, target = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
for name in sys.argv[3:]:
    os.chdir(os.path.join(top, name))
    with open(os.path.join(target, name), "w") as out:
        try:
            snapshot(out)
        except OSError as error:
            print(error, file=out)
END
snapshot() { mkdir -p "$2" && python3 "$T/snapshot.py" "$@"; }

mkdir images kernel view base

# ---- our own images, by base image and ROM at once

mkdir -p src/{many,sizes,odd,deep/1/2/3/4/5/6/7/8}
for size in 0 1 4095 4096 4097 131071 131073 1000001; do
    head -c "$size" /dev/urandom >"src/sizes/$size"
done
(cd src/many && seq -f 'file-%g' 2000 | xargs touch)
truncate -s 5000000 src/sizes/hole
echo deep >src/deep/1/2/3/4/5/6/7/8/file
ln src/sizes/4097 src/odd/hard
ln src/sizes/4097 src/deep/hard
ln -s ../sizes/1 src/odd/link
ln -s "$(printf 'l%.0s' {1..4000})" src/odd/long-link
: >"src/odd/$(printf 'n%.0s' {1..255})"
: >$'src/odd/new\nline'
: >$'src/odd/\xff\xfe'
mkfifo -m 600 src/odd/fifo
echo set-uid >src/odd/set-uid
chmod 6755 src/odd/set-uid
chmod 1777 src/deep
if can root; then
    mknod -m 620 src/odd/null c 1 3
    mknod -m 660 src/odd/disk b 259 1048575
    chown 100000:4294967294 src/sizes/4096
    chmod 0 src/sizes/0
    setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 src/sizes/1
    setfattr -n trusted.secret -v hush src/sizes/1
fi
if can setfattr && setfattr -n user.color -v blue src/sizes/1 2>/dev/null; then
    setfattr -n user.color -v blue src/sizes
    setfattr -n user.long -v "$(printf 'v%.0s' {1..3000})" src/odd/set-uid
    setfattr -n user.empty src/odd/set-uid
fi
find src -depth -exec touch -h -d '2021-03-04 05:06:07.123456789Z' {} +
touch -h -d '1969-12-31 23:00:00Z' src/sizes/1

cat >own.yaml <<'END'
name: own
image: ./src
args: [/bin/app]
END
# dev/ hides the image's own, or is added to it: the rest of the root is compared.
ok "our own image is mounted" romsim mount own.yaml view
snapshot view root-fuse odd sizes
snapshot view root-again sizes
same root-fuse/sizes root-again/sizes "read again, from the kernel's caches, it is the same"
cat view/dev/ukp_rom0 >images/own
romsim umount view
need loop "FUSE against the kernel's EROFS" || done_testing
mount -t erofs -o loop,ro images/own kernel
snapshot kernel root-kernel odd sizes
umount kernel
same root-kernel/odd root-fuse/odd "as a root it is as the kernel's"
same root-kernel/sizes root-fuse/sizes "with what is large"

# ---- Debian's mkfs.erofs

if need mkfs.erofs "images by mkfs.erofs"; then
    # Version 1.5 fails on names that are too long for its line of progress.
    mv "src/odd/$(printf 'n%.0s' {1..255})" "src/odd/$(printf 'n%.0s' {1..200})"
    while read -r name options; do
        # shellcheck disable=SC2086 # several options
        mkfs.erofs -x2 $options "images/mkfs-$name" src >log 2>&1 || {
            rm -f "images/mkfs-$name"
            skip "mkfs.erofs $options" "$(tr '\n\b' '  ' <log | tail -c 200)"
        }
    done <<'END'
plain -Enoinline_data
inline -T1600000000
extended -Eforce-inode-extended
chunks --chunksize=4096
big-chunks --chunksize=65536
lz4 -zlz4
lz4hc-big -zlz4hc,9 -C65536
legacy -zlz4 -Elegacy-compress
all -zlz4hc -C16384 -Eztailpacking,fragments,dedupe
END
fi

# ---- mkfs.erofs 1.9.3

if need xz "images by mkfs.erofs 1.9.3"; then
    tar -C images -xf "$DATA/erofs-images/images.tar.xz"
fi

# ---- all of them, as the ROMs of instances of 20

# show NAME...: through FUSE.
show() {
    local name
    printf 'name: kernel\nimage: ./base\nargs: [/bin/app]\nroms:\n' >roms.yaml
    for name in "$@"; do
        # ROMs are a multiple of 4096; an image of small blocks need not be.
        truncate -s %4096 "images/$name"
        printf -- '- {image: ./images/%s, at: /%s}\n' "$name" "$name" >>roms.yaml
    done
    ok "$# images are the ROMs of one instance" romsim mount --limit roms=20 roms.yaml view
    snapshot view by-fuse "$@"
    romsim umount view
}
names=() mounted=()
for image in images/*; do names+=("${image##*/}"); done
for ((i = 0; i < ${#names[@]}; i += 20)); do show "${names[@]:i:20}"; done
for name in "${names[@]}"; do
    mkdir -p "mounts/$name"
    if ! out=$(mount -t erofs -o loop,ro "images/$name" "mounts/$name" 2>&1); then
        skip "$name: as the kernel's" "this kernel does not mount it: ${out//$'\n'/ }"
        continue
    fi
    mounted+=("$name")
done
snapshot mounts by-kernel "${mounted[@]}"
is "$(grep -L '^sizes ' by-fuse/* by-kernel/*)" "" "each was read to its end"
for name in "${mounted[@]}"; do
    umount "mounts/$name"
    same "by-kernel/$name" "by-fuse/$name" "$name: as the kernel's"
done
done_testing
