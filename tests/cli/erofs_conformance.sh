#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# erofs_conformance.sh: what Debian's mkfs.erofs writes, over the matrix of its options and several
# trees, our reader reads: our checker finds nothing, and what `romsim rom extract` unpacks has the
# bytes that were packed, and all that the kernel's mount shows.  (mount_kernel.sh compares FUSE
# with the kernel.)
. "$(dirname "$0")/../lib.sh"

need mkfs.erofs "images by mkfs.erofs are read" || done_testing

# compare.py OURS SOURCE [KERNEL]: prints where our files have other names or bytes than the source,
# and where anything else differs from the kernel's mount.  A kernel that reads other bytes than were
# packed is not ours to judge (6.18 gives zeros for some tail-packed pclusters): "misread".
cat >compare.py <<'END'
import hashlib, os, stat, sys

def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

def metadata(path, st, seen):
    facts = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, st.st_rdev]
    if not stat.S_ISDIR(st.st_mode):
        facts += [st.st_nlink, st.st_size, seen.setdefault(st.st_ino, path)]
    if not stat.S_ISLNK(st.st_mode):
        facts.append({name: os.getxattr(path, name) for name in sorted(os.listxattr(path))})
    return facts

def snapshot(directory, whole):
    os.chdir(os.path.join(top, directory))
    seen, pending, result = {}, [b"."], {}
    while pending:
        path = pending.pop()
        st = os.lstat(path)
        result[path] = [stat.S_IFMT(st.st_mode), content(path, st)]
        result[path] += metadata(path, st, seen) if whole else []
        if stat.S_ISDIR(st.st_mode):
            pending += [os.path.join(path, name) for name in sorted(os.listdir(path), reverse=True)]
    return result

def differ(ours, theirs, what):
    for path in sorted(set(ours) | set(theirs)):
        if ours.get(path) != theirs.get(path):
            print(what, repr(path), "ours", ours.get(path), "theirs", theirs.get(path))

top = os.getcwd()
source = snapshot(sys.argv[2], False)
differ(snapshot(sys.argv[1], False), source, "source:")
if len(sys.argv) > 3:
    kernel = snapshot(sys.argv[3], True)
    for path, facts in kernel.items():
        if path in source and stat.S_ISREG(facts[0]) and facts[1] != source[path][1]:
            print("misread", repr(path))
            facts[1] = source[path][1]
    differ(snapshot(sys.argv[1], True), kernel, "kernel:")
END

# ---- the trees

# Text that compresses well, in files of all sizes around blocks and pclusters; what does not
# compress, and what is in between.
mkdir -p data/text/deep/deeper data/noise data/empty
seq 1 30000 >data/text/all
for size in 1 100 4095 4096 4097 8191 12289 16384 65536 65537 131073; do
    head -c "$size" data/text/all >"data/text/$size"
done
tail -c 30000 data/text/all >data/text/deep/deeper/tail
for size in 1 4096 5000 70000 100001; do
    head -c "$size" /dev/urandom >"data/noise/$size"
done
{ head -c 3000 /dev/urandom; seq 1 3000; head -c 7777 /dev/urandom; seq 1 9000; } >data/noise/mixed

# Zeros, holes, repetition at odd distances: for chunks, deduplication, long matches.
mkdir holes
truncate -s 2000000 holes/hole
{ head -c 20000 data/noise/70000; head -c 300000 /dev/zero; cat data/noise/70000; } >holes/middle
{ printf x; cat data/noise/100001; } >holes/shifted
cat data/noise/100001 data/noise/70000 data/noise/100001 >holes/twice
printf '%100000s' '' >holes/blanks

# Many names, odd names, hard links, modes, times, xattrs, devices.
mkdir -p names/many names/odd
(cd names/many && seq -f 'a-file-with-a-name-%g' 300 | while read -r name; do echo "$name" >"$name"; done)
: >"names/odd/$(printf 'n%.0s' {1..200})"
: >$'names/odd/new\nline'
: >$'names/odd/\xff\xfe'
echo data >names/odd/file
ln names/odd/file names/hard
ln -s odd/file names/link
ln -s "$(printf 'l%.0s' {1..3000})" names/long-link
mkfifo names/fifo
chmod 4751 names/odd/file
chmod 1777 names/odd
touch -d '2001-02-03 04:05:06.789Z' names/odd/file
touch -h -d '1999-12-31 00:00:00.5Z' names/link
if can root; then
    mknod names/null c 1 3
    mknod names/disk b 259 1048575
    chown 70000:80000 names/hard
fi
if can setfattr && setfattr -n user.one -v 1 names/hard 2>/dev/null; then
    for i in $(seq 1 40); do setfattr -n "user.common" -v same "names/many/a-file-with-a-name-$i"; done
    setfattr -n user.long -v "$(printf 'v%.0s' {1..2000})" names/odd
    setfattr -n user.empty names/hard
    ! can root || setfattr -n trusted.t -v hush names/odd/file
    ! can setfacl || setfacl -m u:1234:rw names/odd/file
fi

# ---- each tree by each set of options

skipped=0

# Each image is a new file on a new mount point: a loop device that is still being taken down would
# be used again for the same file, with the old content in its cache.
#
# compare TREE: checks the image, extracts it, and compares.  What is wrong is in $wrong.
compare() {
    local tree=$1
    local kernel
    kernel=$(mktemp -d kernel.XXXXXX)
    rm -rf out
    wrong=$(romsim rom check image.erofs 2>&1) || return
    wrong=$(romsim rom extract image.erofs --all-links -o out 2>&1) || return
    if can loop && mount -t erofs -o loop,ro image.erofs "$kernel" 2>/dev/null; then
        wrong=$(python3 compare.py out "$tree" "$kernel" 2>&1 | cut -c 1-200 | head -20)
        umount "$kernel" || umount -l "$kernel"
    else
        skipped=$((skipped + 1))
        wrong=$(python3 compare.py out "$tree" 2>&1 | head -20)
    fi
}

while read -r options; do
    for tree in data holes names; do
        rm -f image.erofs
        # shellcheck disable=SC2086 # several options
        if ! out=$(mkfs.erofs $options image.erofs $tree 2>&1); then
            skip "mkfs.erofs $options $tree" "it fails: $(tr '\n\b' '  ' <<<"$out" | tail -c 100)"
            continue
        fi
        compare $tree
        if [ -n "$wrong" ] && ! grep -qv '^misread ' <<<"$wrong"; then
            skip "mkfs.erofs $options: $tree" "this kernel misreads $(wc -l <<<"$wrong") files of it"
        elif [ -z "$wrong" ]; then pass "mkfs.erofs $options: $tree"
        else fail "mkfs.erofs $options: $tree" "$wrong"; fi
    done
done <<'END'

-Enoinline_data
-x-1
-x1
-x1000
-T1600000000
-Eforce-inode-compact -T1600000000 --ignore-mtime
-Eforce-inode-extended
--chunksize=4096
--chunksize=4096 -Eforce-chunk-indexes
--chunksize=65536
-zlz4
-zlz4 -Elegacy-compress
-zlz4hc,12 -C8192
-zlz4hc -C65536
-zlz4 -C1048576
-zlz4 -C16384 -Elegacy-compress
-zlz4 --max-extent-bytes=8192
-zlz4 -Eztailpacking
-zlz4 -Eztailpacking,legacy-compress
-zlz4 -Efragments
-zlz4 -Eall-fragments
-zlz4 -Efragments,ztailpacking -C16384
-zlz4 -Ededupe
-zlz4hc -C65536 -Ededupe
-zlz4 -C32768 -Efragments,dedupe,ztailpacking
-zlz4 -C32768 -Eall-fragments,dedupe,legacy-compress
END
[ $skipped = 0 ] || skip "$skipped images by the kernel" "${why:-this kernel does not mount them}"
done_testing
