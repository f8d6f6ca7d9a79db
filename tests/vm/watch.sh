#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# watch.sh: `run --watch`: what is saved is live; what is broken leaves what runs alone.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need guest "instances in the guest" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir rom image
echo one >rom/text
echo image-one >image/text
cat >instance.yaml <<'END2'
name: watched
image: ./base
args: [/bin/sh, -c, "cat /rom/text /image/text; echo env-$V; echo random-$(od -An -N8 -tx1 /dev/urandom | tr -d ' '); exec httpd -f -p 8080 -h /rom"]
service_group: {services: [{port: 443, destination_port: 8080}]}
roms:
  - {name: inline, dir: rom, at: /rom}
  - {name: built, image: ./image, at: /image}
END2

# watching COMMAND...: in the background; its words are in new files, where none of before is taken
# for one of them.
watching() {
    : >out
    : >err
    "$@" >out 2>err &
    watcher=$!
}

echo V=one >vars
watching "$ROMSIM" run --watch --verbose --env-file vars instance.yaml

# Waits until a file has a text so many times.
appears() {
    local i
    for ((i = 0; i < 900; i++)); do
        [ "$(grep -c -- "$2" "$1")" -ge "${3:-1}" ] && return
        kill -0 $watcher 2>/dev/null || return
        sleep 0.2
    done
    return 1
}

url() { sed -n 's/.*answers at \(http[^ ]*\).*/\1/p' err | tail -n 1; }
fetch() { curl --noproxy '*' -sS --max-time 20 --retry 3 --retry-connrefused "$(url)/text"; }
# serves PATH TEXT: waits until that is there.
serves() {
    local i
    for ((i = 0; i < 900; i++)); do
        [ "$(curl --noproxy '*' -sS --max-time 20 "$(url)/$1" 2>/dev/null)" = "$2" ] && return
        kill -0 $watcher 2>/dev/null || return
        sleep 0.2
    done
    return 1
}

ok "it starts" appears err "watched answers at http"
is "$(fetch)" one "and serves what is there"

echo two >rom/text
ok "a file of a directory that is saved" appears err "watched: text changed, answers at .* after [0-9.]* s"
is "$(fetch)" two "is live"

# Editors write a new file and rename it into place.
echo image-two >image/.text.new
mv image/.text.new image/text
ok "a file of an image's directory that is renamed into place" appears out image-two
ok "is live, too" appears err " changed, answers at .* after [0-9.]* s" 2

is "$(grep -c ' s  hello$' err)" 1 "neither was a boot: the VM that was saved before its app began goes on"
starts=$(romsim get -o json watched | jq .start_count)
is "$starts" 3 "each change was one start"
touch rom/text
sed 's/^name/# a comment\nname/' instance.yaml >new && mv new instance.yaml
sleep 2
is "$(romsim get -o json watched | jq .start_count)" 3 "what changes nothing starts nothing"

echo V=two >vars
ok "a file of variables that is saved" appears err "watched: vars changed, answers at"
like "$(cat out)" env-two "is read again"
is "$(grep -c ' s  hello$' err)" 2 "and what was saved with it is made anew, by a boot"

echo 'bad: [' >>instance.yaml
ok "a file that is broken" appears err "what runs goes on as it was"
like "$(cat err)" "instance.yaml:" "is reported with its place"
is "$(fetch)" two "and the old instance goes on"
sed -i '$d' instance.yaml

sed -i 's/exec httpd/exit 3; exec httpd/' instance.yaml
ok "an app that ends" appears err "the app ended with status 3; a change starts it again"
is "$(romsim ps -a --json | jq -r '.[].state')" stopped "is stopped, and still there"
sed -i 's/exit 3; exec httpd/exec httpd/' instance.yaml
ok "the next change starts it" appears err "instance.yaml.* changed, answers at"
is "$(fetch)" two "as it is now"
is "$(sed -n 's/^random-//p' out | sort | uniq -d)" "" "no two starts have drawn the same numbers"

# Two changes at once may be seen as one, or one after the other: what counts is what is live.
rm -r rom/text
mkdir rom/sub
echo three >rom/sub/text
ok "new folders" serves sub/text three
echo four >rom/sub/text
ok "are watched as well" serves sub/text four
mkdir -p rom/a/b
echo five >rom/a/b/text
ok "and those in them, with what was there before they were" serves a/b/text five

kill -INT $watcher
wait $watcher
is "$(romsim ps -a --json)" "[]" "ctrl-C ends it, and nothing is left"

# ---- many ROMs
{
    printf 'name: many\nimage: ./base\nargs: [/bin/sh, -c, "cat /r1/x; sleep 1000"]\nroms:\n'
    for i in $(seq 13); do printf '  - {name: r%s, at: /r%s, files: [{path: x, data: "rom-%s\\n"}]}\n' "$i" "$i" "$i"; done
} >many.yaml
watching "$ROMSIM" run --watch --limit roms=20 many.yaml
ok "one with many ROMs starts" appears out rom-1
sed -i 's/rom-1\\n/rom-one\\n/' many.yaml
ok "and a change is live" appears out rom-one
is "$(grep -c 'each start boots' err)" 0 "a saved VM has room for all of them"
kill -INT $watcher
wait $watcher

fails 2 "--watch with --detach is a contradiction" romsim run --watch --detach instance.yaml

# ---- an instance that lives -------------------------------------------------------------------------
await_start() { appears err "what '.*' is made of is watched"; }
item() { romsim get "$1" -o json | jq -c "$2"; }
# Does its QEMU go on from a saved VM?
is_clone() {
    local pid
    pid=$(jq '.processes[0].pid' "$XDG_RUNTIME_DIR/romsim/instances/$1/state.json") || return
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- ' -incoming '
}
state_becomes() { # STATE NAME
    local i
    for ((i = 0; i < 900; i++)); do
        [ "$(item "$2" .state)" = "\"$1\"" ] && return
        sleep 0.2
    done
    return 1
}
mkdir elsewhere
echo one >rom/text
ok "an instance is made" romsim run -dq --env-file vars instance.yaml
watching env -C elsewhere "$ROMSIM" edit --watch watched
ok "edit --watch watches what it was made from, from anywhere" await_start
echo two >rom/text
ok "what is saved becomes an edit, and starts it again" appears err "watched: text changed, answers at http.* after [0-9.]* s"
is "$(fetch)" two "and is live"
is "$(item watched .start_count)" 2 "by one start: what was as it was has not started it"
ok "it goes on from a VM that was saved before its app began" is_clone watched
ok "and is suspended" romsim suspend watched
ok "and goes on" romsim start watched
is "$(fetch)" two "as the clone that it was"
echo three >rom/text
ok "the next change is live" appears err "watched: text changed, answers at" 2
is "$(fetch)" three "in one that goes on from there, too"
is "$(sed -n 's/^random-//p' <(romsim logs watched) | sort | uniq -d)" "" "no two have drawn the same numbers"
echo V=three >vars
ok "a file of variables is one of them" appears err "watched: vars changed, answers at"
is "$(item watched '.env.V')" '"three"' "and what it says is the instance's"
romsim stop watched
ok "one that the user stops" state_becomes stopped watched
echo other >rom/text
ok "is edited, and stays so" appears err "watched: text changed, edited after"
is "$(item watched .state)" '"stopped"' "is stopped"
kill -INT $watcher
wait $watcher
is "$?" 0 "ctrl-C ends the watching"
echo four >rom/text
romsim start -q watched
is "$(is_clone watched && echo yes)" "" "without who follows it, its start is a boot"
watching "$ROMSIM" edit --watch watched
ok "what has changed before it is caught up with" appears err "watched: what it is made of changed, answers at"
is "$(fetch)" four "and is live"
sed -i 's/exec httpd/exit 3; exec httpd/' instance.yaml
ok "an app that ends by itself" appears err "watched: the app ended with status 3"
sed -i 's/exit 3; exec httpd/exec httpd/' instance.yaml
ok "is tried again with the next change" appears err "instance.yaml.* changed, answers at"
echo 'bad: [' >>instance.yaml
ok "a file that is broken changes nothing" appears err "what runs goes on as it was"
is "$(fetch)" four "what runs goes on"
sed -i '$d' instance.yaml
romsim rm watched >/dev/null
wait $watcher
is "$?" 0 "when the instance is deleted the watching ends"
like "$(cat err)" "'watched' was deleted" "and says why"

# What the run of before says is not taken for the next one's: here its app listens when the change
# has been seen, and its keeper, which stood still, has not heard of it.
cat >late.yaml <<'END2'
name: late
image: ./base
args: [/bin/sh, -c, "sleep 3; exec httpd -f -p 8080 -h /rom"]
service_group: {services: [{port: 443, destination_port: 8080}]}
roms: [{name: r, dir: rom, at: /rom}]
END2
romsim run -dq late.yaml >/dev/null
watching "$ROMSIM" edit --watch late
ok "one whose app listens late is watched" await_start
keeper=$(jq .owner.pid "$XDG_RUNTIME_DIR/romsim/instances/late/state.json")
stop_process "$keeper"
echo late >rom/text
sleep 5
kill -CONT "$keeper"
ok "it is said to answer" appears err "late: text changed, answers at"
is "$(fetch)" late "when it does, with what has changed"
is "$(item late .start_count)" 2 "by the start that the change was for"
kill -INT $watcher
wait $watcher
romsim rm late >/dev/null

fails 2 "--watch is no edit beside others" romsim edit watched --watch --set memory_mb=256
fails 1 "there has to be an instance" romsim edit none --watch
romsim create -q -n piped - <instance.yaml >/dev/null
fails 1 "what was read from a pipe cannot be read again" romsim edit piped --watch
like "$out" "'piped' was not made from files of this machine that could be watched" "and that is said"
romsim rm piped >/dev/null
# Of a file with several, one is watched.
printf -- '- {name: a, image: ./base, args: [sleep, "1000"], roms: [{name: r, dir: rom, at: /rom}]}\n- {name: b, image: ./base, args: [sleep, "1000"], replicas: 1, roms: [{name: r, dir: rom, at: /rom}]}\n' >two.yaml
romsim run -dq two.yaml >/dev/null
replica=$(romsim ps -q | grep -vx 'a\|b')
watching "$ROMSIM" edit --watch "$replica"
ok "a replica can be watched" await_start
echo five >rom/text
ok "it is started again" appears err "$replica: text changed, runs again after"
is "$(item a .start_count)$(item b .start_count)$(item "$replica" .start_count)" 112 "and no other is"
kill -INT $watcher
wait $watcher
romsim rm --all >/dev/null
is "$(romsim ps -a --json)" "[]" "nothing is left"
done_testing
