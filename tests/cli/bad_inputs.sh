#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# bad_inputs.sh: files, directories and images that cannot be used, each with its message and
# place.  Bad texts are in tests/unit/instance_bad.c, OCI images in tests/cli/image_bad.sh.
. "$(dirname "$0")/../lib.sh"

# refused COMMAND "INSTANCE" "FIRST LINE" TEXT: x.yaml with this in it gives this first line.
refused() {
    printf '%b' "$2" >x.yaml
    fails 1 "$4" romsim "$1" x.yaml
    is "$(head -n 1 <<<"$out" | uncoded)" "$3" "... with its message and place"
    like "${out%%$'\n'*}" " [R" "... and a code"
}

mkdir -p good link fifo socket many empty/only/empty large base nested/a plain
echo x >good/file
ln -s ../good/file link/name
mkfifo fifo/pipe
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket/s")'
for i in $(seq 17); do echo "$i" >"many/$i"; done
head -c 1048577 /dev/zero >large/file
echo x >base/app
echo text >file
head -c 1000 /dev/zero >unaligned
yes raw | head -c 4096 >raw
: >nothing
printf 'caf\351' >"plain/$(printf 'caf\351')"

# ---- the file itself
fails 1 "a missing file is refused" romsim check nowhere.yaml
is "$out" "romsim: error: 'nowhere.yaml' cannot be read: No such file or directory" "... by its name"
fails 1 "a directory is refused" romsim check good
is "$out" "romsim: error: 'good' cannot be read: Is a directory" "... by its name"
fails 1 "an empty file is refused" romsim check nothing
is "$(uncoded <<<"${out%%$'\n'*}")" "nothing:1:1: error: there is no instance in the file" "... with its place"
fails 1 "a device without end is refused" romsim check /dev/zero
like "$out" "the text is larger than 16777216 bytes" "... for its size"
head -c 100000 "$ROMSIM" >binary
fails 1 "a binary is refused" romsim check binary
like "$out" ":1:" "... with the place of its first bad byte"
fails 1 "one bad file among good ones is enough" romsim check "$DATA/accept/inline.json" nothing
fails 2 "no file at all is a matter of usage" romsim check
fails 2 "two files are one too many for plan" romsim plan x.yaml y.yaml

# ---- dir
refused check 'image: x\nroms: [{dir: nowhere}]\n' \
    "x.yaml:2:14: error: Invalid dir 'nowhere': 'nowhere': No such file or directory" "a missing dir"
refused check 'image: x\nroms: [{dir: file}]\n' \
    "x.yaml:2:14: error: Invalid dir 'file': it is no directory" "a file as dir"
refused check 'image: x\nroms: [{dir: empty}]\n' \
    "x.yaml:2:14: error: Invalid dir 'empty': it has no files" "a dir with empty directories only"
refused check 'image: x\nroms: [{dir: link}]\n' \
    "x.yaml:2:14: error: Invalid dir 'link': 'link/name' is a symbolic link" "a link in a dir"
refused check 'image: x\nroms: [{dir: fifo}]\n' \
    "x.yaml:2:14: error: Invalid dir 'fifo': 'fifo/pipe' is a fifo" "a fifo in a dir"
refused check 'image: x\nroms: [{dir: socket}]\n' \
    "x.yaml:2:14: error: Invalid dir 'socket': 'socket/s' is a socket" "a socket in a dir"
refused check 'image: x\nroms: [{name: m, dir: many}]\n' \
    "x.yaml:2:23: error: Too many files in ROM 'm': 17, at most 16" "a dir with 17 files"
refused check 'image: x\nroms: [{name: l, dir: large}]\n' \
    "x.yaml:2:23: error: ROM 'l' is too large: 1048577 bytes, at most 1048576" "a dir of 1 MB and a byte"
refused check 'image: x\nroms: [{dir: plain}]\n' \
    "x.yaml:2:14: error: Invalid dir 'plain': the name 'caf\\xe9' is not UTF-8" "a name in Latin 1"
printf 'image: x\nroms: [{dir: /dev}]\n' >x.yaml
fails 1 "a system directory" romsim check x.yaml
like "$out" "x.yaml:2:14: error: Invalid dir '/dev'" "... is refused, whatever comes first in it"
refused check 'image: x\nroms: [{dir: good}, {dir: empty}, {dir: link}]\n' \
    "x.yaml:2:27: error: Invalid dir 'empty': it has no files" "of several dirs"
is "$(grep -c error: <<<"$out")" 2 "... every bad one"
if [ "$(id -u)" != 0 ]; then
    mkdir -m 0 locked
    refused check 'image: x\nroms: [{dir: locked}]\n' \
        "x.yaml:2:14: error: Invalid dir 'locked': cannot open the directory 'locked': Permission denied" "a locked dir"
    chmod 700 locked
else
    skip "a locked dir" "root can open it"
fi

# ---- images (the messages are sim/image's and sim/layout's)
refused plan 'image: ./nowhere\nargs: [x]\n' \
    "x.yaml:1:8: error: no base image './nowhere': No such file or directory" "a missing base image"
refused plan 'image: ./base\n' \
    "x.yaml:1:8: error: there is no command to run: image './base' has none" "a base without a command"
refused plan 'image: ./raw\nargs: [a]\n' \
    "x.yaml:1:8: error: './raw' is a file of an unknown kind, which cannot be a base image" "a base that is no file system"
refused plan 'image: ./base\nargs: [a]\nroms: [{image: ./nowhere}]\n' \
    "x.yaml:3:16: error: no ROM image './nowhere': No such file or directory" "a missing ROM image"
refused plan 'image: ./base\nargs: [a]\nroms: [{image: ./unaligned}]\n' \
    "x.yaml:3:16: error: Invalid size 1000 of ROM image './unaligned'" "a ROM of 1000 bytes"
like "$out" "4096" "... and says what would be right"
refused plan 'image: ./base\nargs: [a]\nroms: [{image: ./nothing}]\n' \
    "x.yaml:3:16: error: Invalid size 0 of ROM image './nothing'" "an empty ROM"
refused plan 'name: t\ntemplate: {name: t}\n' \
    "x.yaml:2:11: error: No template instance with name 't'" "a clone of no template"
refused plan 'name: t\nbranch_from: {name: t}\n' \
    "x.yaml:2:14: error: a branch is made of what the other instance is at that moment" "a branch, which there is not yet"
refused plan 'name: t\ncheckpoint: {name: t}\n' \
    "x.yaml:2:13: error: No checkpoint with name 't'" "a clone of no checkpoint"
printf 'image: ./base\nargs: [a]\nroms: [{image: ./raw, at: /x}]\n' >x.yaml
ok "an 'at' on a raw ROM is warned of" romsim plan x.yaml
like "$out" "x.yaml:3:27: warning: the ROM at '/x' is raw data" "... with its place"
printf 'image: ./nowhere\nargs: [x]\nroms: [{image: ./nowhere2}, {image: ./unaligned}]\n' >x.yaml
fails 1 "every bad image is reported" romsim plan x.yaml
is "$(grep -c error: <<<"$out")" 3 "... in one pass"
# ---- run's flags, before anything is started
printf 'image: ./base\nargs: [/app]\n' >x.yaml
fails 2 "a bad limit for run" romsim run --limit roms=-1 x.yaml
like "$out" "no value for the limit 'roms'" "... is a matter of usage"
fails 125 "a bad image for run" romsim run --image ./raw x.yaml
is "$(uncoded <<<"${out%%$'\n'*}")" "romsim: error: --image: './raw' is a file of an unknown kind, which cannot be a base image" \
    "... is the flag's, not the file's"
fails 2 "a ROM without a source for run" romsim run --rom name=a x.yaml
like "$out" "--rom: it needs one of image and dir" "... is a matter of usage"
done_testing
