#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# streams.sh: standard streams that are closed, full or gone, and folders that cannot be written.
. "$(dirname "$0")/../lib.sh"

mkdir src base
echo content >src/file
fake_program base/app
romsim rom pack -o a.erofs src >pack.out || exit 1
echo more >src/other
romsim rom pack -o b.erofs src >pack.out || exit 1
printf 'image: ./base\nargs: [/app]\nroms: [{image: ./a.erofs, at: /r}]\n' >x.yaml

# without STREAMS COMMAND...: run with those streams closed; what is said is in the file `said`.
without_output() { "$ROMSIM" "$@" >&- 2>said; }
without_all() { "$ROMSIM" "$@" <&- >&- 2>&-; }
to_full() { "$ROMSIM" "$@" >/dev/full 2>said; }

# A file that romsim opens would get the number of the closed stream, and the words go into it.
for command in "rom cat a.erofs /file" "rom ls a.erofs" "plan x.yaml" "build -o out x.yaml"; do
    # shellcheck disable=SC2086
    fails 1 "$command with closed output fails" without_output $command
    like "$(cat said)" "Bad file descriptor" "... and says so"
    # shellcheck disable=SC2086
    fails 1 "$command with all streams closed fails, too" without_all $command
done
fails 1 "an error without a stream for it is still one" without_all rom check src
ok "a silent command needs no stream" without_all check x.yaml
is "$(romsim rom cat a.erofs /file)" content "nothing was written into an image"

# ---- a full disk
for command in "rom cat a.erofs /file" "rom ls a.erofs" "rom diff a.erofs b.erofs" "plan --json x.yaml"; do
    # shellcheck disable=SC2086
    fails 1 "$command to a full disk fails" to_full $command
    like "$(cat said)" "No space left on device" "... and says so"
done

# ---- a reader that has gone
for i in $(seq 2000); do : >"src/a_name_that_helps_to_fill_the_pipe_$i"; done
romsim rom pack -o many.erofs src >pack.out || exit 1
romsim rom ls many.erofs 2>said | head -n 1 >first
is "${PIPESTATUS[0]} $(cat said)" "141 " "a reader that goes ends the command silently"

# ---- signals before there is anything to end
# asked SIGNAL...: `run` reads its file from a pipe that nobody writes to.
asked() {
    rm -f wait && mkfifo wait
    "$ROMSIM" run - <wait &
    local pid=$! status
    exec {writer}>wait
    # It has begun when it, and no shell any more, catches SIGTERM.
    until [ "/proc/$pid/exe" -ef "$ROMSIM" ] &&
        [ $((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$pid/status) >> 14 & 1)) = 1 ]
    do :; done
    kill "-$1" $pid
    wait $pid
    status=$?
    exec {writer}>&-
    return $status
}
for signal in INT TERM HUP; do
    # Under nohup it is ignored, and stays so.
    if [ $signal = HUP ] && [ $((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/$$/status) & 1)) = 1 ]
    then
        skip "SIGHUP while an instance is read" "SIGHUP is ignored here"
        continue
    fi
    fails 143 "SIG$signal while an instance is read ends as a stop does" asked $signal
done

# ---- folders
ok "a XDG_CACHE_HOME that is a file is no hindrance" env "XDG_CACHE_HOME=$T/x.yaml" "$ROMSIM" plan x.yaml
like "$out" "built images are not kept: '$T/x.yaml' is not a directory (XDG_CACHE_HOME chooses another" "... but named"
fails 1 "a XDG_DATA_HOME that is a file" env "XDG_DATA_HOME=$T/x.yaml" "$ROMSIM" image ls
like "$out" "x.yaml' is not a directory" "... is refused by its name"
like "$out" "XDG_DATA_HOME chooses another" "... with a hint"
fails 1 "a place that cannot be unpacked into" romsim rom extract -o x.yaml/out a.erofs
is "$out" "romsim: error: cannot unpack into 'x.yaml/out': Not a directory" "... is named"
done_testing
