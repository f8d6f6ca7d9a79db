#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# erofs_write: a directory of 46,500 files, 540 MB, as an image: romsim against mkfs.erofs.  The best
# of four tries in a row counts: what the page cache was used for before can double a time.
# romsim's time includes the SHA-256 of the image and, where not said otherwise, reading it back.
# (A tar of such a tree: import.sh.)
. "$(dirname "$0")/../lib.sh"

for tool in mkfs.erofs python3 /usr/bin/time; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done

# FILES BYTES: file sizes by a Pareto distribution, text and noise mixed; the same every time.
python3 - 46500 630000000 <<'PYTHON'
import os, random, sys

files, total = int(sys.argv[1]), int(sys.argv[2])
random.seed(7)
text = b"def function(self, argument):\n    return self.method(argument) + 1  # comment\n\n" * 20000
noise = random.randbytes(1 << 22)
for number in range(files):
    folder = "tree/d%02d/sub%d/dir-%d" % (number // 40 % 50, number // 40 % 7, number // 40)
    os.makedirs(folder, exist_ok=True)
    left = int(min(random.paretovariate(1.16) * total / files * 0.16, 20e6))
    with open("%s/file-name-%d.py" % (folder, number % 40), "wb") as output:
        while left > 0:
            source = text if random.random() < 0.7 else noise
            size = min(left, 1 << 20)
            start = random.randrange(len(source) - size + 1)
            output.write(source[start:start + size])
            left -= size
PYTHON
echo "$(find tree -type f | wc -l) files, $(($(du -sb tree | cut -f1) / 1000000)) MB"

declare -A seconds memory
# try NAME COMMAND...
try() {
    local name=$1 used; shift
    for _ in 1 2 3 4; do
        rm -f out.erofs
        /usr/bin/time -o used -f '%e %M' "$@" >log 2>&1 || { cat log; exit 1; }
        read -r -a used <used
        if [ -z "${seconds[$name]:-}" ] ||
            awk "BEGIN { exit !(${used[0]} < ${seconds[$name]}) }"; then
            seconds[$name]=${used[0]} memory[$name]=$((used[1] / 1024))
        fi
    done
}

try mkfs mkfs.erofs -Enoinline_data --all-root out.erofs tree
try dir "$ROMSIM" rom pack tree -o out.erofs
try noverify "$ROMSIM" rom pack tree -o out.erofs --no-verify
try mkfs_lz4 mkfs.erofs -Enoinline_data --all-root -zlz4 out.erofs tree
size_mkfs=$(stat -c %s out.erofs)
try lz4 "$ROMSIM" rom pack tree -o out.erofs --compress lz4
size_lz4=$(stat -c %s out.erofs)

row() { printf '%-44s %8s %8s\n' "$@"; }
row "" "seconds" "MiB"
row "mkfs.erofs, directory" "${seconds[mkfs]}" "${memory[mkfs]}"
row "romsim rom pack, directory" "${seconds[dir]}" "${memory[dir]}"
row "romsim rom pack, directory, --no-verify" "${seconds[noverify]}" "${memory[noverify]}"
row "mkfs.erofs -zlz4, directory" "${seconds[mkfs_lz4]}" "${memory[mkfs_lz4]}"
row "romsim rom pack --compress lz4, directory" "${seconds[lz4]}" "${memory[lz4]}"

ratio() { # WHAT A B WANTED
    awk -v what="$1" -v a="$2" -v b="$3" -v wanted="$4" \
        'BEGIN { printf "ratio: %s: %.2f (wanted: at most %s)\n", what, a / b, wanted }'
}
ratio "image of a directory, time to mkfs.erofs's" "${seconds[dir]}" "${seconds[mkfs]}" 1
ratio "image of a directory, memory to mkfs.erofs's" "${memory[dir]}" "${memory[mkfs]}" 1
ratio "compressed image, time to mkfs.erofs -zlz4's" "${seconds[lz4]}" "${seconds[mkfs_lz4]}" 1
ratio "compressed image, size to mkfs.erofs -zlz4's" "$size_lz4" "$size_mkfs" 1.05
