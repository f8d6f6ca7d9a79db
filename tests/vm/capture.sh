#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# capture.sh: a captured case happens again, elsewhere and for another user, and what is not the same
# is named.
. "$(dirname "$0")/../lib.sh"
need guest "cases" || done_testing
for tool in jq zstd; do need $tool "cases" || done_testing; done

mkdir -p work/rom/sub
"$SAMPLES/busybox-base.sh" work/base
echo content >work/rom/sub/file
head -c 300000 /dev/urandom >work/rom/big
echo x >work/rom/unread
cat >work/web.yaml <<'END'
name: cased
image: ./base
args: [/bin/sh, -c, "cat /rom/sub/file; head -c 5000 /rom/big | wc -c; cat /in/a; echo token $TOKEN; exit 3"]
memory_mb: 128
env: {TOKEN: hunter2-and-more}
roms: [{name: config, image: ./rom, at: /rom}, {name: in, at: /in, files: [{path: a, data: "inline\n"}]}]
END

# elsewhere COMMAND...: in another folder, with folders of its own for all that romsim has.
elsewhere() {
    mkdir -p "$T/there/run" && chmod 700 "$T/there/run"
    (cd "$T/there" && env HOME="$T/there" XDG_CACHE_HOME="$T/there/cache" \
        XDG_DATA_HOME="$T/there/data" XDG_RUNTIME_DIR="$T/there/run" "$@")
}

# repack: the parts in x/ as the case changed.tar.zst, with the digests that they have now.
repack() {
    local part
    for part in $(cd x && find . -type f ! -name case.json | sed 's,^\./,,'); do
        jq --arg part "$part" --arg sum "sha256:$(sha256sum <"x/$part" | cut -c1-64)" \
            '.parts[$part] = $sum' x/case.json >head.json && mv head.json x/case.json
    done
    tar -C x --zstd -cf changed.tar.zst .
}
unpack() { rm -rf x && mkdir x && tar -C x --zstd -xf "$1"; }

cd work || exit 1
ok "a file is run and captured" romsim capture web.yaml --with-root -o ../a.tar.zst
like "$out" "token hunter2-and-more" "with its console to be seen"
cd ..
like "$(tar --zstd -tvf a.tar.zst)" "root.erofs" "with its root"
is "$(tar --zstd -tvf a.tar.zst | awk '{ print $1, $2, $4, $5 }' | sort -u)" \
    "-rw-r--r-- 0/0 1970-01-01 00:00" "its entries are nobody's, and of no time"
is "$(zstd -dc a.tar.zst | grep -ac hunter2)" 0 "and have no value of a variable"
unpack a.tar.zst
is "$(jq -c '[.outcome.end, .outcome.exit_code, .redacted]' x/case.json)" '["exit",3,["TOKEN"]]' \
    "it has how the app ended"
is "$(tail -1 x/console.log)" "token [redacted TOKEN]" "and what it wrote"
(cd work && romsim capture -q web.yaml --with-root -o ../b.tar.zst) >/dev/null 2>&1
same a.tar.zst b.tar.zst "another capture of the same is the same, byte for byte"
rm -r work/base

if need user "a replay as another user"; then
    chmod 755 "$T"
    mkdir -p there/run && chmod 700 there/run && chown -R nobody there
    ok "it happens again, elsewhere, as another user, who has no FUSE" elsewhere \
        setpriv --reuid=nobody --regid=nogroup --clear-groups "$ROMSIM" replay "$T/a.tar.zst"
    is "$(grep -x same <<<"$out")" same "and is the same"
    like "$out" "the case does not have the values of TOKEN" "what was redacted is named"
    rm -rf there
fi

if need fuse "what is read of ROMs"; then
    is "$(elsewhere "$ROMSIM" replay -q "$T/a.tar.zst" -e TOKEN=another-one)" same \
        "with what was read of ROMs, and another value"
    is "$(romsim trace summary x/trace.jsonl | grep -A4 ukp_rom_config | grep 'never read')" \
        "  never read     /unread" "the trace in a case is one"
    sed -i 's,/sub/file,/sub/other,' x/trace.jsonl && repack
    fails 1 "other reads" romsim replay -q changed.tar.zst
    is "$out" "differs: reads: ROM ukp_rom_config: /sub/other was read there, and is not here" \
        "are the difference"
fi
unpack a.tar.zst
jq '.outcome.exit_code = 4' x/case.json >head.json && mv head.json x/case.json && repack
fails 1 "another exit status" romsim replay -q changed.tar.zst
is "$out" "differs: exit: exit status 4 there, exit status 3 here" "is the difference"
unpack a.tar.zst
mkdir other && echo changed >other/a && romsim rom pack other -o other.erofs >/dev/null
cp other.erofs x/roms/in.erofs
jq --arg sum "sha256:$(sha256sum <other.erofs | cut -c1-64)" --argjson size "$(stat -c %s other.erofs)" \
    '.roms[1].digest = $sum | .roms[1].size = $size' x/case.json >head.json
mv head.json x/case.json && repack
out=$(romsim replay --json -q changed.tar.zst)
is "$(jq -r '.same, .subject, .difference' <<<"$out" | tr '\n' '|')" \
    "false|console|line 5 is 'inline' there, 'changed' here|" "another ROM shows on the console"
"$SAMPLES/busybox-base.sh" work/base
ok "and is told without a start" romsim verify work/web.yaml --against a.tar.zst
fails 1 "which differs" romsim verify work/web.yaml --against changed.tar.zst
like "$out" "differs   ROM 'in': digest" "by its digest"

if need fuse "faults of a case"; then
    ok "a run with a fault" sh -c "cd work && '$ROMSIM' capture web.yaml --with-root -q -o ../f.tar.zst \
        --fault rom=config,read=eio,path=/sub/file --seed 7"
    unpack f.tar.zst
    is "$(jq -r '.faults[]' x/case.json)" "rom=config,read=eio,path=/sub/file,seed=7" "has it in its case"
    like "$(cat x/console.log)" "Input/output error" "and what came of it"
    like "$(cat x/trace.jsonl)" '"error":"EIO"' "in the trace, too"
    ok "the same fault comes again" romsim replay f.tar.zst
    is "$(tail -1 <<<"$out")" same "with the same end"
fi

# Of an instance that runs.
sed -i 's/exit 3/echo ready; while sleep 1; do echo more; done/' work/web.yaml
(cd work && romsim run -d web.yaml) >/dev/null 2>&1
for _ in $(seq 600); do romsim logs cased | grep -q ready && break; sleep 0.1; done
ok "an instance that runs is captured" romsim capture cased --with-root -o live.tar.zst
unpack live.tar.zst
is "$(jq -r .outcome.end x/case.json)" cut "as one that was not at its end"
like "$(romsim get cased)" "state: running" "it goes on"
ok "and is the same as far as that goes, beside the other" romsim replay live.tar.zst
like "$out" "it still ran when it was captured" "which is said"
is "$(grep -x same <<<"$out")" same "at the end"
romsim rm cased >/dev/null
is "$(romsim ps --json | jq length)" 0 "nothing is left"
done_testing
