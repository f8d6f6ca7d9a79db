#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# watch.sh: `run --watch`: what is saved is live; what is broken leaves what runs alone.
. "$(dirname "$0")/../lib.sh"
need guest "instances in the guest" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir rom image
echo one >rom/text
echo image-one >image/text
cat >instance.yaml <<'END2'
name: watched
image: ./base
args: [/bin/sh, -c, "cat /rom/text /image/text; echo env-$V; exec httpd -f -p 8080 -h /rom"]
service_group: {services: [{port: 443, destination_port: 8080}]}
roms:
  - {name: inline, dir: rom, at: /rom}
  - {name: built, image: ./image, at: /image}
END2

echo V=one >vars
"$ROMSIM" run --watch --env-file vars instance.yaml >out 2>err &
watcher=$!

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

fetch() {
    curl -sS --max-time 20 --retry 3 --retry-connrefused "$(sed -n 's/.*answers at \(http[^ ]*\).*/\1/p' err | tail -n 1)/text"
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

starts=$(romsim get -o json watched | jq .start_count)
is "$starts" 3 "each change was one start"
touch rom/text
sed 's/^name/# a comment\nname/' instance.yaml >new && mv new instance.yaml
sleep 2
is "$(romsim get -o json watched | jq .start_count)" 3 "what changes nothing starts nothing"

echo V=two >vars
ok "a file of variables that is saved" appears err "watched: vars changed, answers at"
like "$(cat out)" env-two "is read again"

echo 'bad: [' >>instance.yaml
ok "a file that is broken" appears err "what runs goes on as it was"
like "$(cat err)" "instance.yaml:" "is reported with its place"
is "$(fetch)" two "and the old instance goes on"
sed -i '$d' instance.yaml

sed -i 's/exec httpd/exit 3; exec httpd/' instance.yaml
ok "an app that ends" appears err "the app ended with status 3; a change starts it again"
is "$(romsim ps -a --json | jq -r '.[].state')" stopped "is stopped, and still there"
sed -i 's/exit 3; exec httpd/exec httpd/' instance.yaml
ok "the next change starts it" appears err "instance.yaml changed, answers at"
is "$(fetch)" two "as it is now"

before=$(grep -c "more changed, answers at" err)
rm -r rom/text
mkdir rom/sub
echo three >rom/sub/text
ok "new folders" appears err "more changed, answers at" $((before + 1))
echo four >rom/sub/text
ok "are watched as well" appears err "watched: text changed, answers at" 2

kill -INT $watcher
wait $watcher
is "$(romsim ps -a --json)" "[]" "ctrl-C ends it, and nothing is left"

fails 2 "--watch with --detach is a contradiction" romsim run --watch --detach instance.yaml
done_testing
