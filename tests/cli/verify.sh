#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# verify.sh: `romsim verify`: an instance here against images, or an answer, from elsewhere.
. "$(dirname "$0")/../lib.sh"

mkdir -p base/root code conf saved
cp /bin/true base/root/run
echo one >code/a
echo two >conf/b
printf 'spec: v0.7\nruntime: base-compat:latest\nrootfs: ./root\ncmd: [/run]\n' >base/Kraftfile
ok "a base" romsim image build base -t acme/base:1
digest=$(romsim image inspect acme/base:1 --json | jq -r .digest)
cat >x.yaml <<'E'
name: prod
image: acme/base:1
env: {A: "1"}
roms:
  - {name: code, dir: code, at: /code}
  - {name: conf, dir: conf}
E
ok "the ROMs as they are written here" romsim build x.yaml -o built

# ---- folders ----------------------------------------------------------------------------------

ok "a folder of the same images agrees" romsim verify x.yaml --against built
is "$(grep -c '^same ' <<<"$out")" 4 "by sizes and digests"
cp built/code.erofs saved/ukp_rom_code
cp built/conf.erofs saved/ukp_rom_conf
cp built/code.erofs saved/ukp_rom1
cp built/conf.erofs saved/ukp_rom2
ok "copies of the guest's devices agree" romsim verify x.yaml --against saved
like "$out" "same    ROM 'conf': device number" "in their order, too"
cp built/conf.erofs saved/ukp_rom1
fails 1 "another order" romsim verify x.yaml --against saved
like "$out" "differs  ROM 'code': device number" "is seen"
rm saved/ukp_rom1 saved/ukp_rom2 saved/ukp_rom_conf
touch saved/notes.txt
cp built/conf.erofs saved/ukp_rom_other
mkdir tree
echo 1 >tree/a
echo 2 >tree/new
ok "another version of a ROM" romsim rom pack tree -o saved/ukp_rom_code
fails 1 "differences" romsim verify x.yaml --against saved
like "$out" "differs     ROM 'code': digest" "are told by digest"
like "$out" "/a: content differs" "and by path"
like "$out" "/new: only there" "what is only there"
like "$out" "only here   ROM 'conf': image" "a ROM that is missing"
like "$out" "only there  ukp_rom_other" "and one too many"
unlike "$out" notes "other files do not count"
romsim verify x.yaml --against saved --json >points.json
is "$(jq -r '.[] | select(.paths) | .paths[] | select(.path == "/new") | .change' points.json)" \
    "only there" "all of it as JSON"
cp base/Kraftfile saved/ukp_rom_code
fails 1 "what is no image" romsim verify x.yaml --against saved
like "$out" "differs     ROM 'code': digest" "just differs"

# ---- answers ----------------------------------------------------------------------------------

# answer IMAGE MEMORY ROM...
answer() {
    local IFS=, image=$1 memory=$2
    shift 2
    printf '{"status": "success", "data": {"instances": [{"status": "success", "name": "prod",
        "image": "%s", "args": ["/run"], "env": {"A": "1"}, "memory_mb": %s, "vcpus": 1,
        "restart_policy": "never", "roms": [%s], "volumes": []}]}}' "$image" "$memory" "$*" >get.json
}
code='{"name": "code", "image": "86d74a24-2b06-4f1e-9f4d-1c6f7f0f3c11", "at": "/code"}'
conf='{"name": "conf", "image": "86d74a24-2b06-4f1e-9f4d-1c6f7f0f3c12"}'
answer "oci://unikraft.io/else/where:2@$digest" 128 "$code" "$conf"
ok "an answer of the same instance agrees" romsim verify x.yaml --against get.json
like "$out" "same      image" "the image by its digest, under another name"
like "$out" "not told  ROM 1: image" "inline contents are in no answer"
answer "oci://unikraft.io/acme/base:2" 256 "$conf" "$code"
fails 1 "one of another does not" romsim verify x.yaml --against get.json
like "$out" "differs     image" "the image by its name"
like "$out" "differs     memory_mb          128          256" "numbers"
like "$out" "differs     ROM 1: name        code         conf" "the order of ROMs"
like "$out" "only there  ROM 2: at          -            /code" "where they are mounted"
sed -i 's/"A": "1"/"A": "2", "B": "3"/; s|"/run"|"/run", "-v"|' get.json
fails 1 "and in its environment" romsim verify x.yaml --against get.json
like "$out" "differs     env A" "another value"
like "$out" "only there  env B" "a variable that is missing"
like "$out" "differs     args" "other arguments"
ok "an answer may be piped" sh -c '"$1" verify x.yaml --against - --json <get.json | jq -e length' _ "$ROMSIM"

fails 2 "there has to be something to compare with" romsim verify x.yaml
fails 1 "that can be read" romsim verify x.yaml --against nowhere
like "$out" "'nowhere' cannot be read" "which is said"
fails 1 "and is an answer" romsim verify x.yaml --against base/Kraftfile
done_testing
