#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# capture.sh: what `romsim capture`, `replay` and `verify --against CASE` refuse, and files that are
# no case.  (tests/vm/capture.sh has those that are.)
. "$(dirname "$0")/../lib.sh"

mkdir base rom
fake_program base/bin/app
echo content >rom/file
cat >app.yaml <<'END'
name: app
image: ./base
args: [/bin/app]
env: {TOKEN: hunter2-and-more}
roms: [{name: code, image: ./rom}, {name: in, at: /in, files: [{path: f, data: inline}]}]
END
fails 2 "a capture goes somewhere" romsim capture app.yaml
like "$out" "--output FILE is missing" "which is said"
fails 2 "and not to standard output, which is the app's" romsim capture app.yaml -o -
fails 1 "an instance that is not there" romsim capture nobody -o x.tar.zst
like "$out" "nobody" "is named"
fails 2 "options of a run are none of what has run" romsim capture nobody --fault rom=x,read=eio -o x
fails 2 "a time is one" romsim capture app.yaml --for soon -o x
fails 1 "a fault of other bytes" romsim capture app.yaml --fault rom=code,swap=app.yaml -o x
like "$out" "a case has no images beside the instance's own" "is no part of a case"
fails 1 "a log that would have the values of variables" \
    romsim capture app.yaml --deterministic --accel tcg -o x
like "$out" "it needs --with-env" "needs the word for it"
fails 1 "a log of two processors" \
    romsim capture app.yaml --deterministic --with-env --accel tcg --vcpus 2 -o x
like "$out" "instructions are counted of one processor" "cannot be"
fails 1 "a log of what is called" \
    romsim capture app.yaml --deterministic --with-env --accel tcg -p 80 -o x
like "$out" "it has no network" "cannot be"
fails 1 "several instances" romsim capture -o x - <<'END'
[{"image": "./base"}, {"image": "./base"}]
END
like "$out" "a case has one instance" "are none"
is "$(ls -A | tr '\n' ' ')" ".xdg app.yaml base rom " "nothing is left of what could not be captured"

# sums PART...: case.json's "parts" of the files in case/.
sums() {
    local part list=
    for part; do
        list+="${list:+, }\"$part\": \"sha256:$(sha256sum <"case/$part" | cut -c1-64)\""
    done
    printf '{%s}' "$list"
}

# image FILE: what case.json says of an image.
image() {
    printf '"digest": "sha256:%s", "size": %d' "$(sha256sum <"$1" | cut -c1-64)" "$(stat -c %s "$1")"
}

# make_case [HEAD]: a case of the instance by other means than romsim's, with more in case.json.
make_case() {
    rm -rf case && mkdir -p case/roms
    romsim build app.yaml -o case/roms >/dev/null
    romsim rom pack base -o case/root.erofs >/dev/null
    romsim request app.yaml 2>/dev/null | sed 's/hunter2-and-more/[redacted TOKEN]/' >case/request.json
    echo hello >case/console.log
    cat >case/case.json <<END
{"romsim_case": 1, "versions": {}, "limits": {}, "bounds": {}, "faults": [], "redacted": ["TOKEN"],
 "root": {"image": "./base", $(image case/root.erofs), "part": "root.erofs"},
 "app": {"args": ["/bin/app"], "env": [], "working_dir": "/"},
 "roms": [{"device": "ukp_rom1", "name": "code", "source": "./rom", "inline": false,
           $(image case/roms/code.erofs), "part": "roms/code.erofs"},
          {"device": "ukp_rom2", "name": "in", "source": "inline", "inline": true,
           $(image case/roms/in.erofs), "part": "roms/in.erofs"}],
 "outcome": {"end": "exit", "exit_code": 0},
 "parts": $(sums console.log request.json roms/code.erofs roms/in.erofs root.erofs) ${1-}}
END
    tar -C case --zstd -cf case.tar.zst .
}

make_case
ok "a case that another tar made is compared with" romsim verify app.yaml --against case.tar.zst
like "$out" "not told  env TOKEN" "what is redacted is not told"
like "$out" "same      ROM 'in': digest" "inline ROMs are, by their bytes"
echo other >rom/file
fails 1 "another ROM differs" romsim verify app.yaml --against case.tar.zst
like "$out" "differs   ROM 'code': digest" "by its digest"
like "$out" "/file: content differs" "and the path in it is named"
echo content >rom/file
sed 's/\[\/bin\/app\]/[\/bin\/other]/; s/at: \/in/at: \/on/' app.yaml >other.yaml
fails 1 "another command and place" romsim verify other.yaml --against case.tar.zst
like "$(grep ^differs <<<"$out")" "args" "differ"
like "$(grep ^differs <<<"$out")" "ROM 2: at" "point by point"

# Files that are none.
fails 125 "what is not there" romsim replay none.tar.zst
fails 125 "no archive" romsim replay app.yaml
fails 1 "nor for verify" romsim verify app.yaml --against <(printf '\x28\xb5\x2f\xfd0000')
zstd -q -c app.yaml >text.zst
fails 125 "no tar archive" romsim replay text.zst
like "$out" "not a tar archive" "which is said"
head -c 1000 case.tar.zst >cut.tar.zst
fails 125 "one that is cut short" romsim replay cut.tar.zst
echo evil >>case/console.log
tar -C case --zstd -cf bad.tar.zst .
fails 125 "one with a part that was changed" romsim replay bad.tar.zst
like "$out" "'console.log' has not the digest that case.json has" "which is named"
make_case
ln -s /etc/passwd case/trace.jsonl
tar -C case --zstd -cf bad.tar.zst .
fails 125 "one with a link" romsim replay bad.tar.zst
make_case
tar -C case --zstd --transform 's,console.log,../../console.log,' -P -cf bad.tar.zst .
fails 125 "one with a path that leads out" romsim replay bad.tar.zst
like "$out" "can be no name of a part" "which is said"
head -c 300M /dev/zero >case/zeros
tar -C case --zstd -cf bad.tar.zst . && rm case/zeros
fails 125 "one that becomes large" romsim replay bad.tar.zst
like "$out" "--bound unpack-bytes=" "is bounded"
make_case ', "romsim_case": 99'
fails 125 "one of a later version" romsim replay case.tar.zst
like "$out" "a case of version 99" "which is said"
make_case ', "faults": ["rom=code,swap=/etc/passwd"]'
fails 125 "one whose fault reads a file of this machine" romsim replay case.tar.zst
like "$out" "a case has no images beside the instance's own" "is refused"
make_case ', "limits": {"roms": 1}'
fails 125 "one whose limits its instance exceeds" romsim replay case.tar.zst
like "$out" "roms" "as they were then"

make_case
fails 125 "no log to replay" romsim replay --deterministic case.tar.zst
like "$out" "the case has no log of QEMU's" "which is said"

# What is missing is named with how to get it.
make_case
jq 'del(.root.part, .parts["root.erofs"])' case/case.json >head.json && mv head.json case/case.json
rm case/root.erofs && tar -C case --zstd -cf rootless.tar.zst .
fails 125 "one without its root" romsim replay rootless.tar.zst
like "$out" "the case has no root: it was './base'" "says so"
like "$out" "--root IMAGE gives it" "and what helps"
jq '.root.image = "my-org/base:1"' case/case.json >head.json && mv head.json case/case.json
sed -i 's,"\./base","my-org/base:1",' case/request.json
jq ".parts = $(sums console.log request.json roms/code.erofs roms/in.erofs)" case/case.json >head.json
mv head.json case/case.json && tar -C case --zstd -cf named.tar.zst .
fails 125 "one whose root's name is not in the store" romsim replay named.tar.zst
like "$out" "my-org/base:1" "names it"
like "$out" "--root IMAGE" "and what helps"
make_case
jq 'del(.roms[1].part, .parts["roms/in.erofs"])' case/case.json >head.json
mv head.json case/case.json && rm case/roms/in.erofs && tar -C case --zstd -cf inless.tar.zst .
fails 125 "one without an inline ROM's contents" romsim replay inless.tar.zst
like "$out" "--rom name=in,dir=DIRECTORY" "says what brings them"
fails 125 "a --rom for another one" romsim replay inless.tar.zst --rom name=more,dir=rom
make_case
sed -i 's,"files": \[,"dir": "/etc"\, "was": [,' case/request.json
jq ".parts = $(sums console.log request.json roms/code.erofs roms/in.erofs root.erofs)" \
    case/case.json >head.json && mv head.json case/case.json && tar -C case --zstd -cf dir.tar.zst .
fails 125 "one that names a folder of this machine" romsim replay dir.tar.zst
is "$(find "$XDG_RUNTIME_DIR" -name 'state.json' | wc -l)" 0 "no instance is left"
done_testing
