#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# rom_pack.sh: romsim rom pack's command line: what it takes, and where the ROM goes.
. "$(dirname "$0")/../lib.sh"

mkdir src
seq 1000 >src/file

# usage MESSAGE OPTION...: a usage error that says so, before anything is written.
usage() {
    local message=$1; shift
    fails 2 "pack $* is a usage error" romsim rom pack "$@" src
    like "$out" "$message" "... that is named"
    like "$out" "(see 'romsim rom pack --help')" "... with the way to the help"
}
usage "unknown compression 'zstd': lz4, lz4hc or lz4hc:LEVEL, from 1 to 12" -o x --compress zstd
for level in 0 13 1x 012 ''; do
    usage "unknown compression 'lz4hc:$level'" -o x --compress "lz4hc:$level"
done
usage "--inline is for EROFS, not for --format cpio" -o x --inline --format cpio
usage "--compress is for EROFS, not for --format raw" -o x --compress lz4 --format raw
usage "unknown format 'tar'" -o x --format tar
usage "where to?"
usage "--json and --output - both want standard output" -o - --json
is "$(ls)" src "nothing was written"
for how in lz4 lz4hc lz4hc:1 lz4hc:9 lz4hc:12; do
    ok "--compress $how is taken" romsim rom pack -o "$how" --compress "$how" src
done

romsim rom pack -o file src >/dev/null
is "$(romsim rom pack -o quick --no-verify src)" "quick: erofs, 12.0 KiB, 1 file" "--no-verify prints no digest"
ok "and writes the same" cmp file quick
is "$(romsim rom pack -o quick --no-verify --json src | jq -c .sha256)" null "in JSON it is null"
romsim rom pack -o - src >stdout 2>said
ok "-o - writes the same ROM to standard output" cmp file stdout
is "$(cat said)$(ls -- - 2>/dev/null)" "" "and nothing else"
to_full() { "$ROMSIM" rom pack -o - src >/dev/full; }
fails 1 "a full standard output is an error" to_full
is "$out" "romsim: error: cannot write the ROM: No space left on device" "said once"
if need script "a terminal gets no ROM"; then
    fails 2 "a terminal gets no ROM" script -qec "'$ROMSIM' rom pack -o - src" /dev/null
    like "$out" "a ROM is not for a terminal" "and it is said"
fi
done_testing
