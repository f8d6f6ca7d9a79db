#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# flags: what the options of run and create make of a file, variables from files, and hints for who
# is used to other tools.  Nothing is started: the image is nowhere, which is found out last.
. "$(dirname "$0")/../lib.sh"

# made TEXT OPTION...: the options are fine, so the one error is the image's.
made() {
    local text=$1; shift
    fails 125 "$text" romsim run -q "$@"
    is "$(grep -c 'error: ' <<<"$out")" 1 "with one error"
    like "$out" "no base image './gone'" "which is the image's"
}

# ---- the file, amended
printf 'name: a b\nmemory_mb: 1\n' >bad.yaml
fails 125 "a file without an image is refused" romsim run -q bad.yaml
is "$(grep -c 'error: ' <<<"$out")" 3 "for all that is wrong with it"
made "but not where the options have it all" bad.yaml --image ./gone -n a -m 512
fails 125 "what they leave is told once" romsim run -q bad.yaml --image ./gone --name a
is "$(grep 'error: ' <<<"$out" | uncoded)" "bad.yaml:2:12: error: Invalid memory_mb 1" "with its line"
printf 'image: ./gone\n---\nimage: ./gone\n' >two.yaml
fails 2 "two instances cannot be changed at once" romsim run -q two.yaml -n a
like "$out" "the file has 2 instances, and flags change one" "it is said"
fails 2 "nor can none be made" romsim run -q -n a
printf 'image: ./gone\n' >good.yaml
for option in "--vcpus 4" "-m 512M" "-m 1G" "-m 256Mi" "-m 1Gi" "--restart on-failure" "--env HOME" \
    "--scale-to-zero idle" "--scale-to-zero policy=on,cooldown-time=2000,stateful=true"; do
    made "$option" good.yaml $option
done
refused() {
    local said=$1; shift
    fails 2 "$* is refused" romsim run -q good.yaml "$@"
    like "$out" "$said" "it is said"
}
refused "--vcpus: no number of processors in '1.5'" --vcpus 1.5
refused "--vcpus: no number of processors in '0'" --vcpus 0
refused "--vcpus: no number of processors in '1K'" --vcpus 1K
refused "the cloud calls that never" --restart no
refused "never, always or on-failure" --restart sometimes
refused "on, off or idle" --scale-to-zero yes
refused "on, off or idle" --scale-to-zero policy=yes
refused "unknown part 'cool'" --scale-to-zero policy=on,cool=1
refused "cooldown-time takes a number" --scale-to-zero policy=on,cooldown-time=soon
refused "stateful takes true or false" --scale-to-zero stateful=1
refused "the variable 'NOT_SET' is not set here" -e NOT_SET

# ---- variables from files
printf '# all of this is fine\n\n  A=1\nQUOTED="x y"\r\nHOME\nNOT_SET\nEMPTY=' >good.env
made "a file of variables" good.yaml --env-file good.env --env-file /dev/null
printf 'A=1\nexport B=2\n=3\nC D=4\nE =5\n\xff=6\n' >bad.env
fails 2 "a bad one" romsim run -q good.yaml --env-file bad.env
is "$(grep -o '^bad.env:[0-9]*:1: error' <<<"$out" | tr '\n' ' ')" \
    "bad.env:2:1: error bad.env:3:1: error bad.env:4:1: error bad.env:5:1: error bad.env:6:1: error " \
    "has all of its errors told, with their lines"
refused "--env-file: 'nowhere' cannot be read: No such file" --env-file nowhere
refused "--env-file: '.' cannot be read: Is a directory" --env-file .
seq -f 'A%.0f=' 10002 >many.env
refused "many.env:10001:1: error: too many variables: more than 10000" --env-file many.env
truncate -s 3M large.env
refused "--env-file: 'large.env' has more than 2097152 bytes" --env-file large.env
echo A=1 >.env
fails 125 "a .env beside the file is not read" romsim run good.yaml
like "$out" "'.env' is not read" "which is said"
mkdir sub; echo A=1 >sub/.env; cp good.yaml sub/
out=$(romsim run sub/good.yaml 2>&1)
like "$out" "--env-file 'sub/.env' reads it" "with the option that does"
out=$(romsim run --env-file .env good.yaml 2>&1)
unlike "$out" "is not read" "unless it is"

# ---- habits
hint() {
    local said=$1; shift
    fails 2 "romsim $*" romsim "$@"
    like "$out" "hint: $said" "has a hint"
}
hint "--vcpus N" run --cpus=2
hint "'run' in the foreground leaves" run --rm -it x
hint "'run' in the foreground leaves" run -it --rm x
hint "each service of the file has a port" create -P x
hint "--rom dir=DIR,at=PATH" run --mount type=bind,source=/x x
hint "--args TEXT" run --entrypoint /bin/sh x
hint "did you mean '--memory'" run --memroy 1 x
hint "'romsim create FILE'" cloud instance create x
hint "'romsim ps -a'" instance list
hint "'romsim run FILE', with --detach" up -d
hint "'romsim image ls'" images
hint "'romsim image ls'" image list
hint "'romsim stop --force NAME'" kill x
hint "a guest runs its one app" exec -it x sh
hint "'romsim get NAME'" inspect x
hint "did you mean 'plan'" paln
fails 2 "an option of another command is none of this one" romsim check --rm x
unlike "$out" "hint" "and has no hint"

for image in alpine registry/org/name:1.2 ./gone .; do
    fails 125 "an image as an operand" romsim run "$image"
    like "$out" "romsim run --image $image" "is an option's matter"
done
fails 125 "a file that is not there" romsim run gone.yaml
unlike "$out" "--image" "is one"

# ---- an instance that is there: paths are of the folder in which one says them
if need guest "edits from another folder"; then
    mkdir -p home/base/bin away/rom; cp /bin/true home/base/bin; echo hello >away/rom/file
    printf 'name: edited\nimage: ./base\nargs: [/bin/true]\n' >home/i.yaml
    ok "an instance is created" romsim create home/i.yaml
    ok "a ROM is added from elsewhere" env -C away "$ROMSIM" edit edited \
        --add rom=name=r,dir=rom,at=/r --set image=../home/base
    like "$(romsim get edited)" "image: $T/away/../home/base" "an image of there is found"
    ok "it is removed" romsim rm edited
fi

# A habit is a word that is no command, and what it hints at is one.
habits=$ROOT/sim/cli/habits.c wrong=
while read -r words; do
    romsim $words --help 2>&1 | grep -q "^usage: romsim $words" && wrong+=" '$words'"
done < <(sed -n '/^} commands/,/^};/s/^    {"\([a-z ]*\)", .*/\1/p' "$habits")
is "$wrong" "" "no habit hides a command"
while read -r command option; do
    [ "$command" = NULL ] && command=run
    romsim "$command" --help | grep -q -e "^ *$option[, ]" -e "^ *-.,* $option[ =[]" \
        -e " $option[, ]" && wrong+=" '$command $option'"
done < <(sed -n '/^} options/,/^};/s/^    {"*\(NULL\|[a-z]*\)"*, "\(-[-a-z0-9A-Z]*\)".*/\1 \2/p' "$habits")
is "$wrong" "" "or an option"
while read -r first second; do
    case $first in
    *-*) ;;
    rom | image) [[ $second == -* ]] || romsim "$first" --help | grep -q "^  $second " || wrong+=" '$first $second'" ;;
    *) romsim --help | grep -qE "^  ([a-z]+, )?$first[, ]" || wrong+=" '$first'" ;;
    esac
done < <(grep -o "'romsim [a-z-]*[^' ]*[^']*'" "$habits" | sed "s/'romsim \([a-z-]* *[a-z-]*\).*/\1/")
is "$wrong" "" "and hints name commands that there are"
done_testing
