#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# workshop: the lesson's commands, as far as they need no instance: what is written, what is missing
# of each exercise as it begins, and what cannot be (tests/vm/workshop.sh does the exercises).
. "$(dirname "$0")/../lib.sh"

ok "the exercises are listed" romsim workshop list
is "$(wc -l <<<"$out")" 8 "there are eight"
minutes=0
for n in $(sed -nE 's/.*\(([0-9]+) minutes\)$/\1/p' <<<"$out"); do minutes=$((minutes + n)); done
is "$minutes" 45 "they take 45 minutes"

# Images by these names, whatever is in them.
fake_program "$T/base/bin/busybox"
mkdir -p base/usr/bin base/app
for name in bin/sh usr/bin/python3; do cp base/bin/busybox "base/$name"; done
ok "an exercise begins" romsim workshop start 4
fails 1 "the starter's errors are told" romsim workshop check 4
like "$out" "workshop-4/mend.yaml:12:9: error: Invalid mount point 'site' [R017]" "... with their places"
like "$out" "[ ] the cloud would take mend.yaml" "... and what is not done"
like "$out" "hint: take them one by one" "... with a hint"
cp "$DATA/workshop/4/mend.yaml" workshop-4
fails 1 "a base image that is not there" romsim workshop check 4
like "$out" "'make workshop'" "... is told with where to get it"
for name in busybox python; do
    printf 'spec: v0.7\nname: %s\ntargets: [kraftcloud/x86_64]\nrootfs: ./base\n' $name >Kraftfile
    romsim image build . -t $name:latest >/dev/null
done

# begins N TEXT: the exercise as it begins lacks this, and nothing else is said of what comes behind.
begins() {
    [ -e "workshop-$1" ] || ok "exercise $1 begins" romsim workshop start "$1"
    ok "exercise $1 has a task" romsim workshop show "$1"
    like "$out" "## $1. " "... with its title"
    unlike "$out" "<!--" "... and without marks for the test"
    fails 1 "exercise $1 is not done" romsim workshop check "$1"
    is "$(grep -A1 '^\[ \]' <<<"$out")" "$2" "... and what is missing is named"
    like "$(tail -n 1 <<<"$out")" "    hint: " "... with a hint"
}
begins 1 "[ ] in the file 'hello' has a ROM at '/site'
    it has no ROM"
begins 2 "[ ] 'menu' runs
    there is no instance 'menu'"
begins 3 "[ ] in the file 'quotes' has a ROM at '/app/data'
    it has ROMs, and none of them there"
begins 4 "[ ] 'mend' runs
    there is no instance 'mend'"
begins 5 "[ ] in the file the ROM at '/site' is an image
    it is inline: its files go along in the request"
begins 6 "[ ] 'life' runs
    there is no instance 'life'"
begins 7 "[ ] there is a template 'greeter'
    No template instance with name 'greeter'"
begins 8 "[ ] case.tar.zst is a case of a shop that failed
    cannot open 'workshop-8/case.tar.zst': No such file or directory"

[ -x workshop-5/clock/site/cgi-bin/clock ] && pass "a program is one" || fail "a program is one"
echo junk >workshop-8/case.tar.zst
fails 1 "what is no case is none" romsim workshop check 8
like "$out" "[ ] case.tar.zst is a case" "... which is said"
rm workshop-1/hello.yaml
fails 1 "a file that is gone is no crash" romsim workshop check 1
like "$out" "hello.yaml' cannot be read: No such file" "... but an error"

fails 1 "a folder that is there is left alone" romsim workshop start 1
like "$out" "'workshop-1': File exists" "... and named"
is "$(ls workshop-1)" "" "... as it was"
ok "any folder will do" romsim workshop start 1 "my own"
is "$(ls "my own")" hello.yaml "... and has the files"
fails 1 "it is checked by its name, too" romsim workshop check 1 "my own"
like "$out" "in the file 'hello'" "... and read"
fails 1 "a folder that is not there" romsim workshop check 2 nowhere
like "$out" "'romsim workshop start 2' makes it" "... is told with what makes it"
if [ "$(id -u)" != 0 ]; then
    mkdir closed && chmod 555 closed
    fails 1 "where nothing can be written" romsim workshop start 1 closed/one
    is "$(ls closed)" "" "... nothing is"
fi
for number in 0 9 -1 one 1x "" 99999999999999999999; do
    fails 2 "there is no exercise '$number'" romsim workshop show -- "$number"
done
fails 1 "a full disk" bash -c 'ulimit -f 0; trap "" XFSZ; exec "$0" workshop start 3 full' "$ROMSIM"
[ ! -e full ] && pass "... leaves no half of an exercise" || fail "... leaves no half" "$(find full)"
done_testing
