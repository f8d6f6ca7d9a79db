#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fuse.sh: the FUSE view against the kernel's EROFS on a loop device and, where there is one,
# erofsfuse (not in Debian 12: EROFS_UTILS=DIR or EROFSFUSE=PATH), all on the same image and in the same
# run: medians of ROUNDS interleaved rounds.
#
# "first" is on a fresh mount, with the image itself in memory; "again" follows at once.  SIZE=N in
# MiB of the large file, FILES=N of the tree.  What is compressed is a quarter of SIZE, by mkfs.erofs.
. "$(dirname "$0")/../lib.sh"

FILES=${FILES:-20000}
SIZE=${SIZE:-1024}
EROFSFUSE=${EROFSFUSE:-${EROFS_UTILS:+$EROFS_UTILS/bin/erofsfuse}}
EROFSFUSE=${EROFSFUSE:-$(command -v erofsfuse)}
need loop "the FUSE view against the kernel" || exit 0
need fuse "the FUSE view against the kernel" || exit 0

python3 - "$FILES" "$SIZE" <<'END'
import os, random, sys
random.seed(1)
files, size = int(sys.argv[1]), int(sys.argv[2])
block = random.randbytes(1 << 20)
for i in range(files):
    folder = f"base/tree/{i // 1000}/{i // 50 % 20}"
    if i % 50 == 0:
        os.makedirs(folder)
    with open(f"{folder}/file-{i}", "wb") as file:
        file.write(block[i : i + min(int(random.lognormvariate(8.2, 1.5)), 500000)])
with open("base/large", "wb") as file:
    for i in range(size):
        file.write(block[i:] + block[:i])
END
cat >web.yaml <<'END'
name: bench
image: ./base
args: [/bin/app]
END
mkdir -p view mounted
romsim mount web.yaml view || exit 1
cp view/dev/ukp_rom0 image.erofs
romsim umount view
rm -r base

if need mkfs.erofs "compressed files"; then
    mkdir packed
    seq 100000000 | head -c "$((SIZE / 4))M" >packed/large
    mkfs.erofs -zlz4 -C1048576 packed.erofs packed >/dev/null 2>&1
    rm -r packed
fi

# mount_WHO IMAGE
mount_kernel() { mount -t erofs -o loop,ro "$1" mounted; at=mounted; end="umount mounted"; }
mount_romsim() {
    sed "s|./base|./$1|" web.yaml >one.yaml
    romsim mount one.yaml view
    at=view end="$ROMSIM umount view"
}
mount_erofsfuse() {
    "$EROFSFUSE" "$1" mounted >/dev/null 2>&1
    at=mounted end="umount mounted"
}

cat >small.py <<'END'
import os, sys, time
names = [os.path.join(base, name) for base, _, files in os.walk(sys.argv[1]) for name in files][:5000]
buffer = bytearray(4096)
for _ in range(3): # the last time counts
    start = time.perf_counter()
    for name in names:
        fd = os.open(name, os.O_RDONLY)
        os.readv(fd, [buffer])
        os.close(fd)
    seconds = time.perf_counter() - start
print(seconds)
END

# Pages here and there: each costs the decoding of its pcluster, and no more than that.
cat >random.py <<'END'
import os, random, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
pages = os.fstat(fd).st_size // 4096
random.seed(1)
for _ in range(500):
    os.pread(fd, 4096, random.randrange(pages) * 4096)
END

# Seconds that a command takes.
seconds() {
    local TIMEFORMAT=%R
    { time "$@" >/dev/null 2>&1; } 2>&1
}
work_tar() { tar -C "$at" -cf - tree | cat; }
work_find() { find "$at/tree" -printf '%m %U %G %s %T@ %p\n'; }
work_large() { dd if="$at/large" bs=1M; }
work_packed() { dd if="$at/large" bs=1M; }
work_pages() { python3 random.py "$at/large"; }

# take WHO WORK WHEN SECONDS: into a file a row; the medians of the rounds count.
take() { echo "$4" >>"taken-$1-$2-$3"; }
median() { sort -n "$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

declare -A took
measure() {
    local who=$1 work image
    for work in find tar large packed pages; do
        image=image.erofs
        case $work in packed | pages) image=packed.erofs ;; esac
        [ -e $image ] || continue
        "mount_$who" $image
        take "$who" "$work" first "$(seconds "work_$work")"
        take "$who" "$work" again "$(seconds "work_$work")"
        $end
    done
    "mount_$who" image.erofs
    take "$who" small again "$(python3 small.py "$at/tree")"
    $end
}
all=(kernel romsim)
[ -z "$EROFSFUSE" ] || all+=(erofsfuse)
[ -n "$EROFSFUSE" ] || echo "erofsfuse: none here, skipped"
cat image.erofs >/dev/null
for ((round = 0; round < ${ROUNDS:-3}; round++)); do
    for who in "${all[@]}"; do measure "$who"; done
done
for file in taken-*; do
    IFS=- read -r _ who work when <<<"$file"
    took[$who,$work,$when]=$(median "$file")
done

printf '%-44s' "seconds"
printf '%12s' "${all[@]}"
echo
row() {
    local text=$1 work=$2 when who
    for when in first again; do
        [ "${took[kernel,$work,$when]:--}" != - ] || continue
        printf '%-44s' "$text, $when"
        for who in "${all[@]}"; do printf '%12.3f' "${took[$who,$work,$when]}"; done
        echo
    done
}
row "find -printf, $FILES files" find
row "tar of $FILES files" tar
row "$SIZE MiB in one file" large
row "$((SIZE / 4)) MiB in lz4 pclusters of 1 MiB" packed
row "500 pages of it, here and there" pages
row "open, read, close of 5000 small files" small

# compare TEXT WORK WHEN PEER WANTED
compare() {
    [ -n "${took[$4,$2,$3]:-}" ] || return 0
    echo "row: FUSE: $1 | ${took[romsim,$2,$3]} s | ${took[$4,$2,$3]} s, $4 | at most $5"
}
compare "find, first" find first kernel 3
compare "tar, first" tar first kernel 4
compare "tar, again" tar again kernel 2
compare "large file, first" large first kernel 1.1
compare "large file, again" large again kernel 1.3
compare "compressed file, first" packed first kernel 2
compare "compressed file, pages" pages first kernel 3
compare "small files, again" small again kernel 2
compare "find, first" find first erofsfuse 1
compare "tar, first" tar first erofsfuse 1
compare "tar, again" tar again erofsfuse 1
compare "large file, first" large first erofsfuse 1
compare "small files, again" small again erofsfuse 1
