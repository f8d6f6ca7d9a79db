#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# messages.sh: what is said on a terminal: nothing foreign reaches it raw, lines with a caret fit
# it, and a wrong flag is the flag's fault.
. "$(dirname "$0")/../lib.sh"

# raw FILE TEXT: it has no control character but newlines, and none of those of UTF-8.
raw() {
    if LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]' "$1"; then
        fail "$2" "$(LC_ALL=C od -c "$1" | head -20)"
    else pass "$2"; fi
}

# ---- nothing raw
odd=$'\e[31m\x7f\u009b31m\u202e'
for arguments in "plan -$odd" "plan -"$'\e' "plan --$odd" "plan --json=$odd x" "run -m $odd --image x" \
    "run --accel $odd --image x" "run --cpu $odd --image x" "plan --cpu $odd x" "run --rom $odd --image x" "run -p $odd --image x" "run -e $odd --image x" \
    "run --name $odd --image x" "$odd" "rom $odd" "image $odd" "help $odd" "rom ls $odd" "rom info $odd" \
    "rom check $odd" "rom pack $odd -o $odd/x" "rom pack --format $odd -o x $odd" "umount $odd" \
    "mount x $odd" "check $odd" "plan --limit $odd x" "plan --bound $odd x" "image rm $odd" \
    "image inspect $odd" "image import $odd" "image tag $odd $odd" "image build $odd"; do
    # shellcheck disable=SC2086
    romsim $arguments >said 2>&1
    [ -s said ] || fail "something is said of $(printf %q "$arguments")"
    raw said "it is safe: $(printf %q "$arguments")"
done
fails 2 "an option that is a control" romsim plan "-$odd"
is "${out%% (*}" 'romsim plan: unknown option '"'-\\x1b'" "is shown as others are"
fails 2 "one that is a part of a character" romsim plan -é
is "${out%% (*}" 'romsim plan: unknown option '"'-\\xc3'" "too"
ROMSIM_GUEST=$'/\u009b31m' XDG_CACHE_HOME=$T/$'c\u009b' romsim doctor >said 2>&1
raw said "what doctor says of folders is safe"

printf 'name: a\nimage: "x\\x9b\\u202ey"\nargs: ["a\\x9b\\x7f\\e\\u00e9\\u2028"]\nenv: {A: "\\x85"}\n' >x.yaml
romsim request x.yaml >body 2>said
raw body "a request is safe on a terminal"
raw said "and what is said of it"
is "$(jq -r '.image, .args[0], .env.A' body)" $'x\u009b\u202ey\na\u009b\x7f\e\u00e9\u2028\n\u0085' "and the same text"
like "$(cat body)" 'é\u2028' "with letters as they are"
mkdir old new
printf 'a\n' >old/text; printf 'a\r\u202eb\tc\n' >new/text
printf 'a\n' >old/csi; printf '\u009b31m\n' >new/csi
romsim rom diff --content old new >lines
like "$(cat lines)" $'+a\r\u202eb\tc' "the lines of a diff are the files' own in a file"
is "$(grep -A1 csi lines | tail -1 | tr -d ' ')" "(nottext)" "but a file with controls is no text"
if need script "the lines of a diff on a terminal"; then
    script -qec "'$ROMSIM' rom diff --content old new" /dev/null </dev/null >shown
    like "$(cat shown)" '+a\x0d\xe2\x80\xaeb'$'\tc' "on a terminal they are safe"
fi

# ---- lines with a caret
{ printf 'image: x\nroms: [{name: "%s", image: z, imag: y}]\n' "$(printf 'n%.0s' {1..50})"
} >wide.yaml
window() { COLUMNS=$1 romsim check "$2" 2>&1 | grep -A1 '^ *2 | '; }
# under_caret WINDOW: the text from the caret on.
under_caret() {
    local line=${1%%$'\n'*} below=${1##*$'\n'}
    python3 -c 'import sys, unicodedata
line, column = sys.argv[1], len(sys.argv[2]) - 1
for i, c in enumerate(line):
    if column <= 0: print(line[i:]); break
    column -= 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1' "$line" "$below"
}
columns_of() { python3 -c 'import sys, unicodedata
print(max(sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
    for c in line) for line in sys.argv[1].split("\n")))' "$1"; }
for width in 200 90 80 60 40 24 20; do
    out=$(window $width wide.yaml)
    is "$(($(columns_of "$out") <= width))" 1 "the line fits $width columns"
    like "$(under_caret "$out" | cut -c1-4)" imag "and the caret is under the word at $width"
done
like "$(window 200 wide.yaml)" 'n", image: z, imag: y}]' "a line that fits is whole"
like "$(window 40 wide.yaml)" "| ..." "what is left out is dots"
printf 'image: x\nroms: [{image: "%s", imag: y, at: "/%s"}]\n' "日本語日本語é̂a" "$(printf '語%.0s' {1..50})" >wide.yaml
for width in 120 80 50 30; do
    out=$(window $width wide.yaml)
    is "$(($(columns_of "$out") <= width))" 1 "wide characters fit $width columns"
    like "$(under_caret "$out" | cut -c1-4)" imag "and the caret is under the word at $width"
done
printf 'image: x\nroms: [{name: n, image: z,\t\timag: y}]\n' >wide.yaml
like "$(under_caret "$(window 80 wide.yaml)")" imag "tabs are counted"
if need script "a terminal's own width"; then
    printf 'image: x\nroms: [{name: "%s", image: z, imag: y}]\n' "$(printf 'n%.0s' {1..50})" >wide.yaml
    (unset COLUMNS; script -qec "stty cols 50; '$ROMSIM' check wide.yaml" /dev/null </dev/null >shown)
    out=$(tr -d '\r' <shown | grep -A1 '^ *2 | ')
    is "$(columns_of "$out") $(under_caret "$out" | cut -c1-4)" "50 imag" "a terminal's own width counts"
fi

# ---- a wrong flag
mkdir base; echo x >base/app
printf 'name: a\nimage: ./base\nargs: [/app]\nmemory_mb: 128\nroms: [{name: r, image: ./nowhere, at: /r}]\n' >x.yaml
# blamed TEXT LINE FLAG...: run's first line.
blamed() {
    local text=$1 line=$2; shift 2
    fails 125 "$text" romsim run x.yaml "$@"
    is "$(head -n 1 <<<"$out" | uncoded)" "romsim: error: $line" "is the flag's fault"
}
blamed "a name" "--name: Invalid name 'a b'" --name 'a b'
blamed "too much memory" "--memory: Invalid memory_mb 16384" -m 16G
blamed "too little" "--memory: Invalid memory_mb 1" --memory 1
blamed "a ROM's name" "--rom: Invalid ROM name 'a b'" --rom 'name=a b,image=x'
blamed "a mount point" "--rom: Invalid mount point '/dev'" --rom image=x,at=/dev
blamed "the same mount point" "--rom: Duplicate mount point '/r'" --rom name=b,image=x,at=/r
blamed "a folder" "--rom: Invalid dir 'nowhere': 'nowhere': No such file or directory" --rom dir=nowhere
blamed "too many ROMs" "--rom: Too many ROMs: 2, at most 1" --rom image=x,at=/x --limit roms=1
sed -i 5d x.yaml
blamed "an image" "--image: no base image './gone': No such file or directory" --image ./gone
fails 2 "a limit" romsim run x.yaml --limit roms=x
like "$out" "romsim: error: --limit: no value for the limit 'roms'" "too"
echo nothing >kernel
fails 125 "a kernel" romsim run x.yaml --kernel ./gone
like "$out" "--kernel" "too"

# ---- -m with a suffix
memory() { romsim run --image ./base --limit memory-max=1 -m "$1" 2>&1 | head -1; }
for pair in 512:512 512M:512 256Mi:256 1G:1024 2Gi:2048 1048576K:1024; do
    is "$(memory "${pair%:*}" | uncoded)" "romsim: error: --memory: Invalid memory_mb ${pair#*:}" "-m ${pair%:*}"
done
for bad in 0 1K 1.5G 12x -1 512MB "" 1m; do
    fails 2 "-m '$bad' is no size" romsim run --image ./base -m "$bad"
    like "$out" "--memory: no amount of memory in '$bad'" "it is said"
done
like "$out" "megabytes, or a size of whole ones: 512, 512M, 1G, 256Mi" "and what would be right"
done_testing
