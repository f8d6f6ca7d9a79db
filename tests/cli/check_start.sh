#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check_start.sh: `romsim check` finds what will surely fail when an instance starts, with its
# place and the way out; what may well be right, or is not to be had here, is passed over.
. "$(dirname "$0")/../lib.sh"
need busybox "starts that fail" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir -p base/opt/App base/opt/new rom
script() { printf "$2" >"base/opt/$1"; chmod 755 "base/opt/$1"; }
script good '#!/bin/sh\n'
script by_env '#!/usr/bin/env sh\n'
script no_line 'echo a shell runs it\n'
script twice '#! /opt/good argument \n'
script App/run.py '#!/usr/bin/python3\n'
script node '#!/usr/bin/env node\n'
script crlf '#!/bin/sh\r\necho\r\n'
script by_hidden '#!/opt/hidden\n'
echo x >base/opt/hidden
# The first bytes of programs: for arm64, and for x86-64 with a dynamic linker that is not there.
python3 - <<'END'
import struct
def elf(machine, interpreter=b""):
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(interpreter), len(interpreter), 1) + interpreter
open("base/opt/arm", "wb").write(elf(183, b"/lib/ld\0"))
open("base/opt/dynamic", "wb").write(elf(62, b"/lib64/ld.so.2\0"))
open("base/opt/static", "wb").write(elf(62)[:64] + bytes(56))
END
chmod 755 base/opt/{arm,dynamic,static}
ln -s missing base/opt/dangling
ln -s /opt/good base/opt/link
ln -s "$PWD/host" base/opt/out
printf '#!/bin/sh\n' >host && chmod 755 host

# instance TEXT: x.yaml with the base, then TEXT.
instance() { printf 'image: ./base\n%b\n' "$1" >x.yaml; }
bad() { # TEXT MESSAGE HINT
    instance "$1"
    fails 1 "found: $2" romsim check x.yaml
    like "$out" "error: $2" "... and said"
    [ -z "${3:-}" ] || like "$out" "hint: $3" "... with the way out: $3"
}
good() { # WHAT TEXT
    instance "$2"
    ok "$1 is accepted" romsim check x.yaml
    is "$out" "" "... silently"
}

# ---- the command
bad '' "there is no command to run: image './base' has none"
bad 'args: [python3, x]' "the command 'python3' is in no directory of PATH (/usr/local/sbin:"
like "$out" "x.yaml:2:7: " "... at its place"
bad 'args: [ls]\nenv: {PATH: /opt}' "the command 'ls' is in no directory of PATH (/opt)"
bad 'args: [LS]' "the command 'LS' is in no directory" "there is '/bin/ls'"
bad 'args: ["ls -l"]' "the command 'ls -l' is in no" 'each argument is an entry of its own: args: ["ls", ...]'
bad 'args: [""]' "the command '' is in no directory of PATH"
bad 'args: [/opt/nothing]' "the command '/opt/nothing' is neither in the root nor in a ROM"
bad 'args: [/opt/app/run.py]' "the command '/opt/app/run.py' is neither" "there is '/opt/App/run.py'"
bad 'args: [/opt/dangling]' "the command '/opt/dangling' is neither in the root nor in a ROM"
bad 'args: [/opt/out]' "the command '/opt/out' is neither in the root nor in a ROM"
bad 'args: [/opt/good/x]' "the command '/opt/good/x' is neither in the root nor in a ROM"
bad 'args: [/opt]' "the command '/opt' is a directory"
bad 'args: [/opt/hidden]' "the command '/opt/hidden' is not executable: its mode is 0644" \
    'run it through its interpreter: args: ["/bin/sh", "/opt/hidden"]'
bad 'args: [/opt/App/run.py]' "'/opt/App/run.py' cannot be run: its interpreter '/usr/bin/python3' is neither"
bad 'args: [/opt/node]' "'/opt/node' cannot be run: its interpreter 'node' is neither"
bad 'args: [/opt/crlf]' "'/opt/crlf' cannot be run: its interpreter '/bin/sh\x0d' is neither" "the file's lines end in CR LF"
bad 'args: [/opt/by_hidden]' "the command '/opt/hidden' is not executable"
bad 'args: [/opt/arm]' "'/opt/arm' cannot be run: it is a program for arm64"
bad 'args: [/opt/dynamic]' "'/opt/dynamic' cannot be run: its dynamic linker '/lib64/ld.so.2' is neither"
inline='roms: [{name: code, at: /rom, files: [{path: run.sh, data: "#!/bin/sh"}, {path: a.py, data: ""}, {path: b, data: "#!/usr/bin/env lua"}]}]'
bad "args: [/rom/run.sh]\n$inline" \
    "the command '/rom/run.sh' is not executable: all files of an inline ROM have the mode 0644" \
    'run it through its interpreter: args: ["/bin/sh", "/rom/run.sh"]'
bad "args: [/rom/a.py]\n$inline" "the command '/rom/a.py' is not executable" 'run it through its interpreter: args: ["python3", "/rom/a.py"]'
bad "args: [/rom/b]\n$inline" "the command '/rom/b' is not executable" 'run it through its interpreter: args: ["lua", "/rom/b"]'
for command in busybox /bin/busybox bin/ls ./opt/good /opt/link /opt/by_env /opt/no_line /opt/twice /opt/static \
    /slash/../bin/ls /dev/nothing /proc/self/exe; do
    [ "$command" = /slash/../bin/ls ] && command=/opt/../bin/ls
    good "$command" "args: [$command]"
done
good "a command in a ROM" 'args: [/rom/new/good]\nroms: [{image: ./base/opt, at: /rom/new}]'
good "a script of an inline ROM with its interpreter" "args: [sh, /rom/run.sh]\n$inline"
rm base/bin/sh
bad 'args: [/opt/no_line]' "'/opt/no_line' cannot be run: its shell '/bin/sh' is neither"
ln -s busybox base/bin/sh

# ---- what the arguments name
code='roms: [{name: code, files: [{path: run.sh, data: ""}]}]'
bad "args: [/app/run.sh]\n$code" "the command '/app/run.sh' is neither" "the ROM ukp_rom_code has it, but no 'at': mount it at /app"
warned() { # TEXT MESSAGE HINT
    instance "$1"
    ok "warned of: $2" romsim check x.yaml
    like "$out" "warning: $2" "... in words"
    like "$out" "hint: $3" "... with the way out: $3"
}
warned "args: [sh, /app/run.sh]\n$code" "the command names '/app/run.sh', and the ROM that has it, ukp_rom_code, has no 'at'" "mount it at /app"
warned "args: [sh, -c, \"cd /; exec sh --file=/opt/sub/run.sh\"]\n$code" "the command names '/opt/sub/run.sh'" "mount it at /opt/sub"
warned 'args: [sh, /opt/app/run.py]' "the command names '/opt/app/run.py', which is not there" "there is '/opt/App/run.py'"
warned 'args: [ls]\nroms: [{image: ./rom, at: /Etc/app}]' "'/Etc' is made for the ROM at '/Etc/app'" "there is '/etc'"
warned 'args: [ls]\nroms: [{image: ./rom, at: /opt/app}]' "'/opt/app' is made for the ROM at '/opt/app'" "there is '/opt/App'"
good "a ROM that the command mounts" "args: [sh, -c, \"mount -t erofs /dev/ukp_rom_code /app; exec sh /app/run.sh\"]\n$code"
good "a path that the app may make" 'args: [sh, -c, "echo x >/tmp/out; cat /var/log/new https://x.example/opt/app/run.py"]'
good "an 'at' where a directory is" 'args: [ls]\nroms: [{image: ./rom, at: /opt/App}]'

# ---- a ROM within another one
inner='{name: inner, at: /app/conf, files: [{path: a, data: x}]}'
outer='{name: outer, at: /app, files: [{path: conf/a, data: y}, {path: conf/b, data: y}]}'
warned "args: [ls]\nroms: [$inner, $outer]" "the ROM at '/app/conf' hides '/app/conf/b' of the ROM at '/app'" \
    "a ROM within another one is mounted after it, whatever their order"
good "one behind it in the request, which is meant so" "args: [ls]\nroms: [$outer, $inner]"
good "one that has all of the names" "args: [ls]\nroms: [$inner, {name: outer, at: /app, files: [{path: conf/a, data: y}]}]"
good "one where nothing was" "args: [ls]\nroms: [$inner, {name: outer, at: /app, files: [{path: x, data: y}]}]"

# ---- images
printf 'image: ./nowhere\nargs: [ls]\n' >x.yaml
fails 1 "a base path that is not there" romsim check x.yaml
like "$out" "x.yaml:1:8: error: no base image './nowhere'" "... is an error"
printf 'image: org/far:1\nargs: [ls]\nroms: [{image: org/code:1, at: /rom}]\n' >x.yaml
ok "names that may be in the cloud's registry" romsim check x.yaml
is "$out" "" "... are accepted, silently"
fails 1 "... but not with --local" romsim check --local x.yaml
is "$(grep -c "error: No image with name 'org/" <<<"$out")" 2 "... which names them"
instance 'args: [/rom/x/y]\nroms: [{image: org/code:1, at: /rom}]'
ok "what may be in a ROM that is not here" romsim check x.yaml
is "$out" "" "... is accepted, silently"
printf 'template: {name: t}\nroms: [{image: ./rom, at: /rom}]\n' >x.yaml
ok "an instance of a template" romsim check x.yaml
instance 'args: [ls]\nroms: [{image: ./raw, at: /rom}]'
head -c 4096 /dev/urandom >raw
fails 1 "an 'at' on raw data" romsim check x.yaml
like "$out" "error: the ROM at '/rom' is raw data, no EROFS image: it cannot be mounted" "... is an error"

# ---- the plan says the same, as warnings
instance 'args: [python3]'
ok "the plan of a command that is not there" romsim plan x.yaml
like "$out" "x.yaml:2:7: warning: the command 'python3' is in no directory of PATH" "... has a warning"
done_testing
