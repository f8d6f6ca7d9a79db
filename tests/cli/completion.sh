#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# completion: what Tab offers, in bash, zsh and fish as they are on this machine (help.sh compares it
# with the help of every command).
. "$(dirname "$0")/../lib.sh"
PATH=$(dirname "$ROMSIM"):$PATH

# offered WORD...: the candidates for the last word, on one line.
offered() { romsim complete -- "$@" | cut -f1 | tr '\n' ' '; }

is "$(offered pl)" "plan " "a command's name is ended"
is "$(offered help sch)" "schema " "behind 'help', too"
is "$(offered run --accel '')" "auto kvm tcg " "an argument that is a choice"
is "$(offered run --cpu '')" "v1 v2 v3 v4 " "one of these or something else"
is "$(offered rom pack --format c)" "cpio " "... ended"
is "$(offered schema k)" "kraftfile " "an operand that is a choice"
is "$(offered run -d --det)" "--detach " "an option behind another one"
is "$(offered run --timings --acc)" "--accel " "behind one whose argument may be left out"
is "$(offered run '')" "" "nothing where a file stands"
is "$(offered run --kernel '')" "" "nor for an option's file"
is "$(offered nothing '')$(offered rom nothing '')" "" "nothing behind what there is not"
like "$(romsim complete -- ru)" "run	start instances" "candidates have a word about them"
is "$(romsim --help | grep -c complete)" 0 "the help has no word about this"

mkdir site && echo hello >site/index.html
romsim rom pack site -o site.erofs >/dev/null
printf 'spec: v0.7\nname: site\ntargets: [kraftcloud/x86_64]\nroms: [./site]\n' >Kraftfile
romsim image build . -t my-org/site:v1 >/dev/null
romsim volume create -s 8M disk >/dev/null
is "$(offered image inspect '')" "my-org/site:v1 " "the images of the store"
is "$(offered run --image my)" "my-org/site:v1 " "... for --image, too"
is "$(offered volume rm '')" "disk " "the volumes"

in_bash() {
    bash -c '. "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _romsim
             printf "%s " "${COMPREPLY[@]}"' bash "$ROOT/docs/romsim.bash" "$1"
}
is "$(in_bash "romsim image insp")" "inspect " "bash: a command"
is "$(in_bash "romsim run --accel ")" "auto kvm tcg " "bash: an argument"
is "$(in_bash "romsim image rm my-org/site:")" "v1 " "bash: behind a colon"

if need fish "completion of fish"; then
    in_fish() { HOME=$T fish -c 'source $argv[1]; complete -C $argv[2]' "$ROOT/docs/romsim.fish" "$1"; }
    like "$(in_fish "romsim image insp")" "inspect	" "fish: a command, with a word about it"
    is "$(in_fish "romsim run --accel " | tr '\n' ' ')" "auto kvm tcg " "fish: an argument"
    like "$(in_fish "romsim run site")" "site.erofs" "fish: a file"
fi
if need zsh "completion of zsh" && need python3 "completion of zsh"; then
    # Only a terminal has it complete.
    in_zsh() {
        HOME=$T TERM=dumb timeout 60 python3 - "$ROOT/docs/romsim.zsh" "$1" <<'PYTHON'
import os, pty, re, sys, time
child, terminal = pty.fork()
if child == 0:
    os.execvp("zsh", ["zsh", "-f", "-i"])
def until(pattern, seconds=30):
    said, end = b"", time.monotonic() + seconds
    while not re.search(pattern, said) and time.monotonic() < end:
        said += os.read(terminal, 4096)
    return said
def send(text):
    os.write(terminal, text.encode())
send("PS1='> '; autoload -Uz compinit; compinit -u -D; "
     "source '%s'; print lo''aded\n" % sys.argv[1])
until(rb"loaded")
# The finished line is kept, and said by the shell itself.
send("finished() { print -r -- \"<$BUFFER>\"; BUFFER=; zle .accept-line; }; zle -N finished; "
     "bindkey '^X' finished; print re''ady\n")
until(rb"ready\r")
send(sys.argv[2] + "\t\x18")
print(re.search(rb"<(romsim[^>]*)>", until(rb"<romsim[^>]*>"))[1].decode().strip())
os.close(terminal)
PYTHON
    }
    is "$(in_zsh "romsim image insp")" "romsim image inspect" "zsh: a command"
    is "$(in_zsh "romsim run --accel k")" "romsim run --accel kvm" "zsh: an argument"
    is "$(in_zsh "romsim image inspect my")" "romsim image inspect my-org/site:v1" "zsh: behind a colon"
    is "$(in_zsh "romsim run site.e")" "romsim run site.erofs" "zsh: a file"
fi
done_testing
