#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A root of 45,000 files and 600 MB from a tar, against unpacking it and Debian's mkfs.erofs on
# what was unpacked; memory; and the second start, which finds the root in the cache.
set -eu
BUILD=$(cd "${BUILD:-build}" && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/romsim-bench.XXXXXX")
trap 'rm -rf "$T"' EXIT
export XDG_CACHE_HOME=$T/cache XDG_DATA_HOME=$T/data XDG_RUNTIME_DIR=$T/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
cd "$T"

# Sizes as in a distribution's root: many small files, few large ones; content that is not zeros.
python3 - <<'PY'
import io, random, tarfile
rng = random.Random(1)
noise = rng.randbytes(4 << 20)
noise += noise * 8
count, total = 45000, 600 << 20
weights = [rng.paretovariate(0.9) for _ in range(count)]
scale = total / sum(min(weight, 3000) for weight in weights)
with tarfile.open("root.tar", "w", format=tarfile.GNU_FORMAT) as tar:
    for n, weight in enumerate(weights):
        if n % 50 == 0:
            info = tarfile.TarInfo(f"usr/share/d{n // 1000}/s{n // 50}")
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 1e9
            tar.addfile(info)
        size = int(min(weight, 3000) * scale)
        info = tarfile.TarInfo(f"usr/share/d{n // 1000}/s{n // 50}/file-{n:05}")
        info.size, info.mode, info.mtime = size, 0o644, 1e9 + n
        start = rng.randrange(4 << 20)
        tar.addfile(info, io.BytesIO(noise[start:start + size]))
PY

# measure NAME COMMAND...: seconds in $seconds, of processor time in $cpu (which other work on the
# machine does not change), peak memory of the largest process in $mib.
measure() {
    local name=$1; shift
    read -r seconds cpu mib < <(python3 - "$@" <<'PY'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("%.2f %.2f" % (time.monotonic() - start, used.ru_utime + used.ru_stime), used.ru_maxrss // 1024)
PY
    )
    printf '%-36s %7s s, %7s s of processor, %6s MiB\n' "$name" "$seconds" "$cpu" "$mib"
}
mkfs=${EROFS_UTILS:+$EROFS_UTILS/bin/}mkfs.erofs
peer=$("$mkfs" -V 2>&1 | sed -nE '1s/^mkfs.erofs (\(erofs-utils\) )?/tar -x and mkfs.erofs /p')

printf '%d MB of tar, %d files\n' $(($(stat -c %s root.tar) / 1000000)) "$(tar tf root.tar | grep -c file-)"
mkdir unpacked
cat root.tar >/dev/null
measure "tar -x" tar -C unpacked -xf root.tar
tar_seconds=$seconds tar_cpu=$cpu
measure "mkfs.erofs on the directory" "$mkfs" -Enoinline_data --quiet peer.erofs unpacked
peer_seconds=$(python3 -c "print(round($tar_seconds + $seconds, 2))")
peer_cpu=$(python3 -c "print(round($tar_cpu + $cpu, 2))")
rm -rf unpacked peer.erofs

printf 'name: x\nimage: root.tar\nargs: [x]\n' >x.yaml
sleep 2.1
measure "romsim, tar to verified root" "$BUILD/romsim" plan x.yaml
ours=$seconds ours_cpu=$cpu ours_mib=$mib
measure "romsim, the second time" "$BUILD/romsim" plan x.yaml
echo "row: tar of 45,000 files to verified root | $ours s | $peer_seconds s, $peer | at most 0.5"
echo "row: the same, processor time (with its digest) | $ours_cpu s | $peer_cpu s, $peer | -"
echo "row: memory for it | $ours_mib MiB | - | at most 300 MiB"

rm -rf cache
gzip -1 <root.tar >root.tar.gz
printf 'name: x\nimage: root.tar.gz\nargs: [x]\n' >x.yaml
sleep 2.1
measure "romsim, tar.gz to verified root" "$BUILD/romsim" plan x.yaml
