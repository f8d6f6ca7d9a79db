#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# instance.sh: check, request and plan on instances that are fine; bad ones are in bad_inputs.sh.
. "$(dirname "$0")/../lib.sh"

# ---- what must be accepted
for file in "$DATA"/accept/*.json "$DATA"/accept/*.yaml; do
    name=${file##*/}
    ok "check accepts $name" romsim check "$file"
    case $name in
    everything.json)
        is "$(grep -c warning: <<<"$out")" 1 "with one warning: $name" ;;
    *) is "$out" "" "silently: $name" ;;
    esac
done
like "$(romsim check "$DATA/accept/everything.json" 2>&1)" \
    "not simulated: image.credentials, image.pull_policy, service_group.domains" \
    "the warning names what is not simulated"
ok "several files at once" romsim check "$DATA"/accept/*.json

# ---- the request
for file in "$DATA"/accept/*.json; do
    is "$(romsim request "$file" 2>/dev/null | jq -S .)" "$(jq -S . "$file")" \
        "what came as JSON goes out as the same JSON: ${file##*/}"
done
for file in "$DATA"/accept/*.yaml; do
    romsim request "$file" >first.json
    ok "the request of ${file##*/} is read again" romsim request first.json
    same <(romsim request first.json) first.json "and gives the same request"
done
is "$(romsim request "$DATA/accept/configmap.yaml" | jq -r '.[0].env.PORT, .[1].env.DEBUG')" \
    $'8080\nfalse' "plain scalars become strings"

mkdir -p site/fn/sub/deeper site/fn/vanishes
fake_program site/base/bin/true
printf 'def f(): pass\n' >site/fn/f.py
printf '\000\377' >site/fn/sub/deeper/bytes
: >site/fn/sub/empty
chmod 600 site/fn/f.py
cat >site/x.yaml <<'END'
name: here
image: ./base
args: [/bin/true]
roms:
  - {dir: fn/, at: /rom}
END
is "$(romsim request site/x.yaml 2>/dev/null | jq -c .roms)" \
    '[{"files":[{"path":"f.py","encoding":"base64","data":"ZGVmIGYoKTogcGFzcwo="},{"path":"sub/deeper/bytes","encoding":"base64","data":"AP8="},{"path":"sub/empty","encoding":"base64","data":""}],"at":"/rom"}]' \
    "a dir becomes base64 files in lexical order, relative to the file; empty directories vanish"
like "$(romsim request site/x.yaml 2>&1 >/dev/null)" "warning: the cloud cannot see the image './base'" \
    "a local image is warned of"
is "$(cd site && romsim request x.yaml 2>/dev/null | jq -c '.roms[0].files | length')" 3 \
    "paths are relative to the file from anywhere"
is "$(cd site && romsim request - <x.yaml 2>/dev/null | jq -c '.roms[0].files | length')" 3 \
    "standard input is relative to the working directory"
ln -s fn site/link
sed -i s,fn/,link, site/x.yaml
ok "the dir itself may be a link" romsim check site/x.yaml

# ---- limits
cat >big.yaml <<'END'
image: x
memory_mb: 10000
roms: [{image: a}, {image: b}, {image: c}, {image: d}, {image: e}, {image: f}, {image: g}, {image: h}, {image: i}]
END
fails 1 "limits are on by default" romsim check big.yaml
ok "each can be changed" romsim check --limit roms=9 --limit memory-max=10000 big.yaml
fails 2 "an unknown limit is a matter of usage" romsim check --limit rams=9 big.yaml
like "$out" "roms, files, rom-bytes" "and the known ones are listed"

# ---- the plan
mkdir -p img/base/bin img/rom
printf '#!/bin/sh\n' >img/base/bin/app
printf 'hello\n' >img/rom/greeting
(cd img/rom && find . | cpio -o -H newc --quiet) >img/rom.cpio
truncate -s %4096 img/rom.cpio
cat >img/plan.yaml <<'END'
name: show
image: ./base
args: [/bin/app, "it's me", ""]
env: {GREETING: hello world}
memory_mb: 256
vcpus: 2
service_group: {services: [{port: 443, destination_port: 8080, handlers: [tls, http]}, {port: 22}]}
roms:
  - {name: inner, image: ./rom, at: /rom/inner}
  - {name: outer, at: /rom, files: [{path: a/b, data: x}, {path: c, data: y}]}
  - {name: archive, image: ./rom.cpio}
  - {image: ./rom}
END
ok "plan shows an instance" romsim plan img/plan.yaml
plan=$out
like "$plan" "Instance show" "its name"
like "$plan" "256 MB of memory, 2 vCPUs, restart policy never" "its size"
like "$plan" "/dev/ukp_rom3  /dev/ukp_rom_archive  -" "a device without a mount"
is "$(grep -o '/dev/ukp_rom[0-9] -> [^ ]*' <<<"$plan" | tr '\n' ' ')" \
    "/dev/ukp_rom0 -> / /dev/ukp_rom2 -> /rom /dev/ukp_rom1 -> /rom/inner " "mounts, parents first"
like "$plan" "Files of /dev/ukp_rom1
         6 B  /rom/inner/greeting" "files, as the app will see them"
like "$plan" "Files of /dev/ukp_rom4, which is not mounted
         6 B  /greeting" "and those of a ROM without 'at'"
unlike "$plan" "Files of /dev/ukp_rom3" "(an archive is not looked into)"
like "$plan" "command      /bin/app 'it'\\''s me' ''" "the command as one would type it"
like "$plan" "environment  GREETING=hello world" "the environment"
like "$plan" "443 (tls, http) -> 8080 in the guest" "the ports"
romsim plan --json img/plan.yaml >plan.json
is "$(jq -r '.roms[] | [.device, .named_device, .at, .format, .files, .inline] | @csv' plan.json)" \
    '"/dev/ukp_rom1","/dev/ukp_rom_inner","/rom/inner","erofs",1,false
"/dev/ukp_rom2","/dev/ukp_rom_outer","/rom","erofs",2,true
"/dev/ukp_rom3","/dev/ukp_rom_archive",,"cpio",,false
"/dev/ukp_rom4",,,"erofs",1,false' "the devices as JSON"
is "$(jq -c '.mounts' plan.json)" \
    '[{"device":"/dev/ukp_rom2","at":"/rom","target":"/rom","type":"erofs","read_only":true},{"device":"/dev/ukp_rom1","at":"/rom/inner","target":"/rom/inner","type":"erofs","read_only":true}]' \
    "the mounts as JSON"
is "$(jq -r '.roms[2].sha256' plan.json)" "$(sha256sum <img/rom.cpio | cut -d' ' -f1)" \
    "the digest is that of the bytes"
is "$(jq -c '[.command, .env, .ports[0].destination_port, .memory_mb]' plan.json)" \
    '[["/bin/app","it'"'"'s me",""],{"GREETING":"hello world","PATH":"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","HOME":"/root"},8080,256]' "the app as JSON"
mkdir img/many
for i in $(seq 10 29); do echo "$i" >"img/many/$i"; done
printf 'image: ./base\nargs: [x]\nroms: [{image: ./many, at: /m}]\n' >img/many.yaml
like "$(romsim plan img/many.yaml)" "         3 B  /m/25
  and 4 more" "of many files the first sixteen are shown"
cat >img/names.yaml <<'END'
image: ./base
args: [/bin/app]
roms:
  - {image: ./rom, at: /etc/my.app}
  - {image: ./rom, at: /etc/myapp}
  - {image: ./rom, at: /data}
  - {image: ./rom, name: data}
  - {image: ./rom, at: /___}
END
is "$(romsim plan --json img/names.yaml | jq -r '.roms[].named_device' | tr '\n' ' ')" \
    "/dev/ukp_rom_etc-myapp null null /dev/ukp_rom_data null " \
    "an unnamed ROM has the name that its 'at' gives, if that is free"
{ cat img/plan.yaml; echo ---; cat img/plan.yaml; } | sed '0,/show/s//first/' >img/two.yaml
is "$(romsim plan --json img/two.yaml | jq -r '.[].name' | tr '\n' ' ')" "first show " \
    "several instances are a JSON array"
is "$(romsim plan img/two.yaml | grep -c '^Instance')" 2 "and follow each other as text"
is "$(romsim plan --json img/plan.yaml | sha256sum)" "$(sha256sum <plan.json)" \
    "the same plan each time"
done_testing
