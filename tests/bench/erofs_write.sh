#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# erofs_write: a directory of 46,500 files, 610 MB, as an image: romsim against mkfs.erofs, and a ROM
# of a few inline files in process.  romsim's time includes, where not said otherwise, reading the
# image back and its SHA-256; mkfs.erofs does neither.  (A tar of such a tree: import.sh.)
. "$(dirname "$0")/../lib.sh"

for tool in python3 "${EROFS_UTILS:+$EROFS_UTILS/bin/}mkfs.erofs"; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done
mkfs=${EROFS_UTILS:+$EROFS_UTILS/bin/}mkfs.erofs
peer=$("$mkfs" -V 2>&1 | sed -nE '1s/^mkfs.erofs (\(erofs-utils\) )?/mkfs.erofs /p')

"$BUILD/tests/bench/inline" || exit 1

# FILES BYTES: file sizes by a Pareto distribution, text and noise mixed; the same every time.
python3 - 46500 700000000 <<'PYTHON'
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

plain="$mkfs -Enoinline_data --all-root"
ours="$ROMSIM rom pack tree -o out.erofs"
python3 "$ROOT/tests/bench/measure.py" "${ROUNDS:-5}" --before 'rm -f out.erofs' \
    "mkfs=$plain out.erofs tree" "dir=$ours" "noverify=$ours --no-verify" \
    "mkfs_lz4=$plain -zlz4 out.erofs tree" "lz4=$ours --compress lz4" >medians || exit 1
$plain -zlz4 out.erofs tree >/dev/null 2>&1 || exit 1
size_mkfs=$(stat -c %s out.erofs)
"$ROMSIM" rom pack tree -o out.erofs --compress lz4 >/dev/null 2>&1 || exit 1
size_lz4=$(stat -c %s out.erofs)

# of NAME COLUMN: seconds, of processor time, MiB.
of() { awk -v name="$1" -v column="$2" '$1 == name { print $column }' medians; }
# rows NAME MKFS TEXT WANTED: wall clock, and processor time, which other work does not change much.
rows() {
    echo "row: $3 | $(of "$1" 2) s | $(of "$2" 2) s, $peer | $4"
    echo "row: $3, processor time | $(of "$1" 3) s | $(of "$2" 3) s, $peer | -"
}
rows dir mkfs "directory to image, read back and with its digest" "at most 1.0"
rows noverify mkfs "directory to image, --no-verify: neither read back nor with its digest" "at most 0.7"
rows lz4 mkfs_lz4 "directory to lz4 image, read back and with its digest" "at most 0.8"
echo "row: memory for it | $(of dir 4) MiB | - | at most 40 MiB"
echo "row: memory for it, --no-verify | $(of noverify 4) MiB | $(of mkfs 4) MiB, $peer | -"
echo "row: memory for it, lz4 | $(of lz4 4) MiB | $(of mkfs_lz4 4) MiB, $peer | -"
echo "row: size of the lz4 image | $((size_lz4 >> 20)) MiB | $((size_mkfs >> 20)) MiB, $peer | at most 1.05"
