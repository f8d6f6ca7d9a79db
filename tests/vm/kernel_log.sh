#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kernel_log.sh: what the guest's kernel says of ROMs and of memory is told by names that the user
# knows, and all of its log is to be had.
. "$(dirname "$0")/../lib.sh"
need guest "the guest kernel's log" || done_testing

"$SAMPLES/busybox-base.sh" base
times() { grep -c -- "$1" <<<"$out"; }

# ---- a damaged ROM, which only its reader notices
if need mkfs.erofs "a ROM with damaged data"; then
    mkdir rom
    seq 200000 >rom/numbers
    mkfs.erofs -zlz4 rom.erofs rom >/dev/null 2>&1
    head -c 100000 /dev/zero | tr '\0' '\377' |
        dd of=rom.erofs bs=4096 seek=20 conv=notrunc status=none
    cat >damaged.yaml <<'END'
name: damaged
image: ./base
args: [/bin/sh, -c, "cat /r/numbers >/dev/null; mkdir /u && mount -t erofs /dev/ukp_rom2 /u; cat /u/numbers; exit 3"]
roms: [{name: conf, image: ./rom.erofs, at: /r}, {image: ./rom.erofs}]
END
    out=$(romsim run damaged.yaml 2>&1 >/dev/null)
    is "$?" 3 "an app that reads a damaged ROM goes on"
    like "$out" "romsim: the guest's kernel says: erofs: (device ukp_rom_conf): " \
        "and the kernel's word is told with the ROM's name"
    like "$out" "says: erofs: (device ukp_rom2): " "an unnamed ROM has its number"
    # (Linux 6.12 has a line for the failed read, too.)
    is "$(times "erofs: (device ukp_rom_conf): .*failed to decompress")" 1 "once for all blocks"
    like "$out" "more such lines: --kernel-log shows all" "and how often it was said comes at the end"
    unlike "$out" "vdb" "nothing is told by the kernel's own names"
    ok "with --quiet it is not told" romsim run -q --image ./base \
        --rom name=conf,image=./rom.erofs,at=/r --args "sh -c 'cat /r/numbers >/dev/null; true'"
    unlike "$out" "says" "(it is a note)"
fi

# ---- memory
out=$(romsim run -m 100 --image ./base --args "sh -c 'echo begin; (tail /dev/zero); echo status \$?'" 2>&1)
is "$?" 0 "an app whose child takes all memory goes on"
like "$out" "status 137" "after the child's end"
like "$out" "romsim: the guest ran out of memory and its kernel killed process " "and romsim says why"
like "$out" " (tail): give it more (-m, or memory_mb in the instance)" "with its name and what helps"
is "$(times "ran out of memory")" 1 "once"
out=$(romsim run -m 100 --image ./base --args "tail /dev/zero" 2>&1)
is "$? $(times "ran out of memory")" "137 1" "an app that takes it itself is told of once, too"

# ---- what the app writes on the kernel's log
cat >forged.yaml <<'END'
image: ./base
args:
  - /bin/sh
  - -c
  - |
    echo "<3>vda: hello" >/dev/kmsg
    printf '<3>vdb: \033[31mred\n' >/dev/kmsg
    printf 'no time: vdb\nOut of memory: Killed process 1 (init)\n' >/dev/ttyS0
    for a in a b c d e f g h i j; do for b in a b c d e f g h i j; do
        echo "<3>vdb: flood $a$b" >/dev/kmsg
    done; done
    printf '\ndisk vdc 1\ndisk vda 1\n' >/dev/vport1p2 2>/dev/null
    exit 4
roms: [{name: conf, files: [{path: f, data: x}]}]
END
out=$(romsim run forged.yaml 2>&1)
is "$?" 4 "an app that writes to the kernel's log ends as it wants"
like "$out" "says: root image: hello" "the root is told as such"
like "$out" 'says: ukp_rom_conf: \x1b[31mred' "with nothing for a terminal"
unlike "$out" "no time" "what the kernel did not say is not told"
unlike "$out" "memory" "whatever it says"
is "$(times "kernel says")" 8 "a flood is a few lines"
like "$out" "the guest's kernel said 94 more such lines: --kernel-log shows all" "and a number"

# ---- all of the log
one() {
    romsim run "$@" --image ./base \
        --args "sh -c 'echo app; printf \"<3>vda: \\\\033 hello\\n\" >/dev/kmsg'"
}
one --kernel-log >stdout 2>stderr
is "$? $(cat stdout)" "0 app" "--kernel-log leaves standard output to the app"
like "$(head -n 3 stderr)" "kernel | [    0.000000] Linux version " "it begins with the first line"
like "$(tail -n 20 stderr)" ' vda: \x1b hello' "with nothing for a terminal"
is "$(grep -vc '^kernel | \|^romsim: ' stderr)" 0 "every line says whose it is"
ok "--kernel-log=FILE is silent" one -q --kernel-log=log
is "$out" app "but for the app"
is "$(head -n 1 log | cut -c 1-30)" "[    0.000000] Linux version 6" "the file has the first line, too"
is "$(grep -c $' vda: \033 hello\r$' log)" 1 "and the bytes as they are"
cat >two.yaml <<'END'
- {name: one, image: ./base, args: [/bin/echo, of one]}
- {name: other, image: ./base, args: [/bin/echo, of the other]}
END
ok "several instances have one file" romsim run -q --kernel-log=log two.yaml
is "$(sed -n 's/^\(one  \|other\) | \[.*\(Linux version\) .*/\1 \2/p' log | sort)" \
    $'one   Linux version\nother Linux version' "each line with its instance's name"
is "$(grep -vc '^\(one  \|other\) | ' log)" 0 "and nothing else is in it"

# ---- files that cannot be
fails 125 "a file that cannot be made stops the start" \
    romsim run --kernel-log=no/where --image ./base --args true
like "$out" "romsim: error: --kernel-log: cannot write 'no/where': No such file" "by its name"
mkfifo fifo
fails 125 "a fifo without a reader is not waited for" \
    romsim run --kernel-log=fifo --image ./base --args true
like "$out" "cannot write 'fifo': nobody reads it" "and that is said"
if [ -c /dev/full ]; then
    fails 7 "the app goes on without its kernel's log" \
        romsim run --kernel-log=/dev/full --image ./base --args "sh -c 'exit 7'"
    is "$(times "error: cannot write the rest of the kernel's log: No space left")" 1 \
        "and that is said once"
fi
fails 2 "an empty name is a mistake" romsim run --kernel-log= --image ./base --args true
like "$out" "the option '--kernel-log=' has nothing behind its '='" "and said to be one"
fails 2 "a log of instances that nobody follows is one" \
    romsim run --detach --kernel-log --image ./base --args true
like "$out" "--kernel-log needs somebody who reads it" "and said to be one, too"
done_testing
