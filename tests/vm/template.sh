#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# template.sh: a VM is saved, and its clones go on from there, each with its own ROMs, time,
# randomness, names and address, and nothing of the template's or of another's.
. "$(dirname "$0")/../lib.sh"
need guest "templates" || done_testing
XDG_STATE=$XDG_RUNTIME_DIR/romsim
TEMPLATES=$XDG_DATA_HOME/romsim/templates

"$SAMPLES/busybox-base.sh" base
mkdir -p own a b scripts
echo "of the template" >own/x
echo "of a" >a/x
echo "of b" >b/x
cat >scripts/app.sh <<'END'
echo "before: $(cat /t/x)"
exec 4</t/x
date +%s >/tmp/saved-at
[ "$1" = port ] && { while :; do nc -l -p 8080 </dev/null; done & }
[ "$1" = port ] || printf 1 >/uk/libukp/template_instance || exit 9
[ "$1" = port ] && while [ ! -e /rom/x ]; do sleep 0.05; done
echo "after: $(cat /rom/x 2>&1)"
echo "old: $(cat /t/x 2>&1)"
echo "kept open: $(cat <&4)"
echo "devices: $(ls /dev | grep ukp | tr '\n' ' ')"
echo "erofs: $(grep -c ' erofs ' /proc/mounts)"
echo "host: $(hostname) $(cat /etc/hostname)"
echo "address: $(ip addr show eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p') $(cat /sys/class/net/eth0/address)"
echo "random: $(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' ')"
echo "uuid: $(cat /proc/sys/kernel/random/uuid)"
echo "time: $(date +%s)"
ping -c 1 -W 5 10.0.0.1 >/dev/null && echo "gateway answers"
nslookup "$(hostname).internal" 2>/dev/null | grep -q '10\.0\.0\.' && echo "resolver answers"
[ -z "$WAIT" ] || sleep 1000
exit 7
END
cp scripts/app.sh own/app.sh
cat >template.yaml <<'END'
name: origin
image: ./base
args: [/bin/sh, /t/app.sh]
env: {OF: template}
roms: [{name: own, dir: own, at: /t}]
END

# ---- saving
ok "a template is made where the app says so" romsim template create one template.yaml
like "$out" "before: of the template" "what the app says until then is shown"
unlike "$out" "after:" "and it goes no further"
is "$(romsim template ls --json | jq -c '.[] | [.name, .state, .image, .memory_mb, .args[1]]')" \
    '["one","template","./base",128,"/t/app.sh"]' "it is listed with what is saved in it"
is "$(romsim template get one | jq -c .env)" \
    "$(romsim plan --json template.yaml | jq -c '(.app.env // .env) | to_entries | map(.key + "=" + .value)')" "and with its environment"
fails 1 "a second one of the name is refused" romsim template create one template.yaml
like "$out" "A template instance with the name 'one' already exists" "in words"
fails 1 "one without a name that can be" romsim template create ../x template.yaml
is "$(find "$TEMPLATES/new" -mindepth 1 | wc -l)" 0 "nothing half is left"
is "$(romsim ps -a | wc -l)" 1 "and no instance"

# ---- clones
fails 7 "a clone goes on, to its own end" romsim run -q --template one -n first --rom name=r,dir=a,at=/rom
first=$out
like "$first" "mount /dev/ukp_rom1 -> /rom
after: of a" "with its own ROM, which is there when the write returns"
unlike "$first" "before:" "what was before is not there again"
like "$first" "old: cat: can't open '/t/x': No such file or directory" "the template's ROM is not its"
like "$first" "kept open: of the template" "but a file that was open stays readable"
like "$first" "devices: ukp_rom0 ukp_rom1 ukp_rom_r " "its devices are the root and its own"
like "$first" "erofs: 1" "and so are its mounts"
like "$first" "host: first first" "it has its own name"
like "$first" "gateway answers
resolver answers" "and a network"
fails 7 "another" romsim run -q --template one -n second --rom name=other,dir=b,at=/rom
second=$out
like "$second" "after: of b" "has its own ROM"
like "$second" "devices: ukp_rom0 ukp_rom1 ukp_rom_other " "and none of the first's"
is "$(romsim template get one | jq -r .name)" one "the template is as it was"
for what in random uuid; do
    [ "$(grep "^$what: " <<<"$first")" != "$(grep "^$what: " <<<"$second")" ] &&
        pass "two clones differ in their $what" || fail "two clones differ in their $what" "$first" "$second"
done
now=$(date +%s) then=$(sed -n 's/^time: //p' <<<"$second")
# An emulated clock may run ahead on a busy machine; what matters is that it was set.
[ $((now - then)) -le 60 ] && [ $((then - now)) -le 60 ] && pass "its clock is right" ||
    fail "its clock is right" "$then, and here it is $now"
fails 7 "one without ROMs" romsim run -q --template one
like "$out" "devices: ukp_rom0 
erofs: 0" "has none, neither the template's"

# ---- over HTTP
. "$ROOT/tests/serving.sh"
serve && pass "a server" || fail "a server" "$(cat "$T/serve.err")"
uuid=$(romsim template get one | jq -r .uuid)
api GET /v1/instances/templates
is "$(field '.data.instances[] | [.name, .uuid, .state, .image, .env.OF] | join(" ")')" \
    "one $uuid template ./base template" "lists it"
api GET "/v1/instances/templates/$uuid"
is "$(field .status) $(field '.data.instances[0].name')" "success one" "shows it"
api GET /v1/instances/templates '[{"name": "two"}]'
is "$http $(field '.data.instances[0] | [.name, .error, .message] | join(" ")')" \
    "200 two 8 No template instance with name 'two'" "misses one that is not there, in the cloud's words"
api POST /v1/instances '{"name": "remote", "template": {"name": "one"}, "autostart": true, "timeout_s": 60,
    "roms": [{"name": "r", "at": "/rom", "files": [{"path": "x", "data": "by HTTP"}]}]}'
is "$http $(field .status)" "200 success" "makes a clone"
ok "which ends by itself" romsim wait remote --state stopped --timeout 60
like "$(romsim logs remote)" "after: by HTTP" "and had its ROM"
api POST /v1/instances '{"template": {"name": "one"}, "image": "x"}'
is "$http" 400 "refuses what is locked"
like "$out" "Cannot specify 'image' when creating an instance from a template" "in the cloud's words"
api POST /v1/instances '{"template": {"name": "two"}}'
like "$out" "No template instance with name 'two'" "and a template that is not there"
romsim rm remote >/dev/null
cp -r "$TEMPLATES/ready/one" "$TEMPLATES/ready/copy" && sed -i "s/$uuid/00000000-0000-4000-8000-000000000001/" "$TEMPLATES/ready/copy/template.json"
api DELETE /v1/instances/templates '[{"name": "copy"}, {"name": "two"}]'
is "$(field .status) $(field '.data.instances[] | [.name, .status] | join("=")' | tr '\n' ' ')" \
    "partial_success copy=success two=error " "and deletes them"
serve_end

# ---- several at a time
pids=()
for i in 1 2 3 4 5 6; do
    romsim run -q --template one -n "clone-$i" --rom "name=r,dir=$([ $((i % 2)) = 0 ] && echo a || echo b),at=/rom" \
        >"clone-$i.log" 2>&1 &
    pids+=($!)
done
status=
for pid in "${pids[@]}"; do wait "$pid"; status+=" $?"; done
is "$status" " 7 7 7 7 7 7" "six at a time"
is "$(cat clone-?.log | grep -c '^after: of a$')/$(cat clone-?.log | grep -c '^after: of b$')" 3/3 "each has its ROM"
is "$(cat clone-?.log | grep '^address: ' | sort -u | wc -l)" 6 "each has its address"
is "$(cat clone-?.log | grep '^random: ' | sort -u | wc -l)" 6 "and its randomness"

# ---- what is locked
fails 125 "the image is the template's" romsim run --template one --image ./base
like "$out" "Cannot specify 'image' when creating an instance from a template" "in the cloud's words"
for flag in "args --args ls" "env -e A=b" "memory_mb -m 256" "vcpus --vcpus 2"; do
    read -r member rest <<<"$flag"
    # shellcheck disable=SC2086 # words
    fails 125 "so is $member" romsim run --template one $rest
    like "$out" "Cannot specify '$member' when creating an instance from a template" "in the same words"
done
fails 125 "a template that is not there" romsim run --template two
like "$out" "No template instance with name 'two'" "is missed by its name"
printf 'template: {name: one}\nroms: [{name: r, dir: a, at: /rom}]\n' >clone.yaml
ok "a file names it" romsim check clone.yaml
ok "its layout is known" romsim plan clone.yaml
fails 7 "and it runs" romsim run -q clone.yaml
printf 'template: {uuid: %s}\n' "$(romsim template get one | jq -r .uuid)" >uuid.yaml
fails 7 "by its uuid, too" romsim run -q uuid.yaml
printf 'template: {name: one, uuid: %s}\n' "$(romsim template get one | jq -r .uuid)" >both.yaml
fails 1 "not by both" romsim check both.yaml
like "$out" "Cannot specify 'name' when 'uuid' is set" "which is said"
printf 'template: {}\n' >neither.yaml
fails 1 "nor by neither" romsim check neither.yaml
like "$out" "Missing member name" "which is said, too"
printf 'image: ./base\nargs: [ls]\nvolumes: [{at: /v, size_mb: 16}]\n' >volumes.yaml
fails 1 "a template has no volumes" romsim template create v volumes.yaml
like "$out" "its clones may have some" "but its clones may"
fails 7 "a clone with a volume" romsim run -q --template one --rom name=r,dir=a,at=/rom -n voluminous \
    "$(romsim volume create vol --size 16M && echo --volume=vol:/vol)"
like "$out" "mount /dev/ukp_vol0 -> /vol" "has it mounted"

# ---- a clone is an instance as any other
ok "a clone in the background" romsim run -q -d --template one -n longer --rom name=r,dir=a,at=/rom
is "$(romsim get longer -o json | jq -r '.image + " " + (.memory_mb | tostring)')" "./base 128" "shows what it is made of"
ok "it is started again" romsim restart longer
ok "it takes another ROM" romsim edit longer --set "roms=[{\"name\":\"r\",\"at\":\"/rom\",\"dir\":\"$T/b\"}]"
romsim wait longer --state stopped --timeout 30 >/dev/null 2>&1
ok "and goes on from the template with it" romsim restart longer
romsim wait longer --state stopped --timeout 30 >/dev/null 2>&1
like "$(romsim logs longer)" "after: of b" "which its app sees"
ok "it is removed" romsim rm longer

# ---- other places
cat >port.yaml <<'END'
image: ./base
args: [/bin/sh, /t/app.sh, port]
service_group: {services: [{port: 8080}]}
roms: [{name: own, dir: own, at: /t}]
END
ok "an app that says nothing is saved when its port accepts connections" timeout 120 "$ROMSIM" template create port port.yaml
fails 7 "and a clone goes on" timeout 60 "$ROMSIM" run -q --template port --rom name=r,dir=a,at=/rom
like "$out" "after: of a" "with its ROM"
cat >early.yaml <<'END'
image: ./base
args: [/bin/sh, -c, 'echo started; cat /rom/x; exit 3']
END
ok "one is saved before its app starts" romsim template create early --at-init early.yaml
unlike "$out" "started" "which does not start"
fails 3 "its clones start it" romsim run -q --template early --rom name=r,dir=b,at=/rom
like "$out" "started
of b" "with their ROM"
cat >never.yaml <<'END'
image: ./base
args: [/bin/sh, -c, 'exit 4']
END
fails 1 "an app that ends before it is saved gives no template" romsim template create never never.yaml
like "$out" "ended, with status 4, before it could be saved" "which is said"
is "$(romsim template ls | awk 'NR > 1 { print $1 }' | sort | tr '\n' ' ')" "early one port " "and is not listed"

# ---- nothing is left of who is killed
romsim template create killed --at-init early.yaml >/dev/null 2>&1 &
pid=$!
for ((i = 0; i < 600; i++)); do [ -n "$(find "$TEMPLATES/new" -name state 2>/dev/null)" ] && break; sleep 0.05; done
keeper=$(pgrep -P "$pid") # what it has begun is its as well, until it has ended
kill -KILL "$pid"
wait "$pid" 2>/dev/null
for ((i = 0; i < 600; i++)); do kill -0 $keeper 2>/dev/null || break; sleep 0.05; done
is "$(romsim ps -a | wc -l)" 1 "of a romsim that was killed while it made one no instance is left"
romsim template create later --at-init early.yaml >/dev/null 2>&1
is "$(find "$TEMPLATES/new" -mindepth 1 | wc -l)" 0 "nor a file, once another one is made"
ok "what is not wanted is removed" romsim template rm early port later
romsim run -q -d --template one -n orphan --rom name=r,dir=a,at=/rom >/dev/null
ok "even while a clone of it is there" romsim template rm one
fails 1 "then it is gone" romsim template get one
like "$out" "No template instance with name 'one'" "and missed"
romsim rm --all >/dev/null 2>&1
romsim template ls --json | jq -r '.[].name' | xargs -r "$ROMSIM" template rm
is "$(find "$TEMPLATES" -type f ! -path "$TEMPLATES/lock" | wc -l)" 0 "nothing is left of any"
is "$(ls "$XDG_STATE/instances" 2>/dev/null | wc -l)" 0 "and no instance"
done_testing
