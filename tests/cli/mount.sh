#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount.sh: the life of a mount: it is ready when the command returns, and nothing of it is left.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"

fails 2 "mount needs two operands" romsim mount x
fails 1 "umount refuses what is not mounted" romsim umount "$T"
like "$out" "nothing is mounted at '$T'" "and says so"
fails 1 "umount refuses another file system" romsim umount /proc
like "$out" "'/proc' is not a romsim mount" "and says so"

need fuse "everything about mounts" || done_testing

mkdir -p base/{bin,dev,etc/app} rom/sub view other work
touch work/mine
echo root >base/etc/passwd
echo wheel >base/etc/group
echo old >base/etc/app/old
echo device >base/dev/console
head -c 3000000 /dev/urandom >base/bin/big
fake_program base/bin/app
echo one >rom/a
echo two >rom/sub/b
cat >web.yaml <<'END'
name: web
image: ./base
args: [/bin/app]
roms:
  - name: conf
    dir: rom
    at: /etc/app
  - name: text
    files: [{path: x/hello.txt, data: hello}]
    at: /new/deep/place
  - name: inner
    files: [{path: z, data: zz}]
    at: /new/deep/place/x/inner
  - files: [{path: raw, data: unnamed}]
END

fails 1 "a directory with something in it is not mounted over" romsim mount web.yaml work
like "$out" "'$T/work' is not empty: a mount would hide what is in it" "and that is said"

# states: the folders of running mounts.  server DIR: the process that serves DIR.
states() { find "$XDG_RUNTIME_DIR"/romsim/{instances,mounts} -mindepth 1 -maxdepth 1 2>/dev/null; }
server() {
    jq -r --arg dir "$T/$1" 'select(.mount_point == $dir) | .owner.pid' \
        "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json
}
# A process has ended when it is a zombie, too: that it is reaped is not our business.
alive() { [ -e "/proc/$1/status" ] && grep -qs '^State:[[:space:]]*[RSDTtI]' "/proc/$1/status"; }
mounted() { awk -v t="$T/$1" '$5 == t { n++ } END { print n + 0 }' /proc/self/mountinfo; }
hash_all() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# ---- in the background

ok "mount returns" romsim mount web.yaml view
is "$out" "" "and says nothing"
is "$(cat view/etc/app/a)" one "a ROM is at its place"
is "$(ls view/etc/app)" "$(printf 'a\nsub')" "and hides what was there"
is "$(cat view/new/deep/place/x/hello.txt)" hello "an inline ROM is where there was no directory"
is "$(cat view/new/deep/place/x/inner/z)" zz "a ROM is inside of another"
is "$(cat view/etc/passwd)" root "the root image is around them"
is "$(cd view/dev && ls | tr '\n' ' ')" \
    "ukp_rom0 ukp_rom1 ukp_rom2 ukp_rom3 ukp_rom4 ukp_rom_conf ukp_rom_inner ukp_rom_text " \
    "dev has the devices, and only them"
romsim plan web.yaml --json >plan.json
is "$(sha256sum view/dev/ukp_rom? | cut -d' ' -f1)" "$(jq -r '.root.sha256, .roms[].sha256' plan.json)" \
    "the devices have the images' bytes"
is "$(findmnt -nro FSTYPE,SOURCE "$T/view")" "fuse.romsim romsim:web" "the mount tells what it is"
options=,$(findmnt -nro OPTIONS "$T/view"),
for option in ro nosuid nodev; do like "$options" ",$option," "it is $option"; done
fails 1 "nothing can be written" touch view/x
like "$out" "Read-only file system" "because it is read-only"
is "$(readlink "/proc/$(server view)/cwd")" / "the server keeps no directory"
is "$(readlink "/proc/$(server view)/fd/"[012] | sort -u)" /dev/null "and no terminal"

cp -a base base.before
echo changed >base/etc/group
rm base/bin/big
is "$(cat view/etc/group)" wheel "what is changed at the source later is not seen"
ok "be it large or small" cmp view/bin/big base.before/bin/big
rm -r base
mv base.before base

find view -type f -print0 | sort -z | xargs -0 sha256sum >sums
for i in 1 2 3 4 5 6; do sha256sum --quiet -c sums >"log$i" 2>&1 & done
wait
is "$(cat log[1-6])" "" "six readers at once read the same"

fails 1 "a second mount in the same directory is refused" romsim mount web.yaml view
like "$out" "'$T/view' is a romsim mount already" "with the reason"
is "$(mounted view)" 1 "and leaves the first alone"
ok "a second mount elsewhere is fine" romsim mount web.yaml other
pid=$(server view)
same <(hash_all view) <(hash_all other) "and shows the same"
pid=$(server view)
sed 's/name: web/name: race/' web.yaml >race.yaml
mkdir race
for i in 1 2 3 4 5; do romsim mount race.yaml race 2>"race.$i" & done
wait
is "$(mounted race)" 1 "of five mounts at once in one directory, one is made"
is "$(cat race.[1-5] | grep -c 'is a romsim mount already')" 4 "and four say why not"
ok "it is unmounted" romsim umount race
is "$(states | wc -l)" 2 "and nothing is left of the others"

ok "the first is unmounted" romsim umount view
fails 1 "its process has ended" alive "$pid"
is "$(mounted view) $(mounted other)" "0 1" "the second stays"
pid=$(server other)
ok "the server of the second gets SIGTERM" kill -TERM "$pid"
await_end 20 "$pid"
is "$(mounted other)$(states)" 0 "and unmounts"

# ---- in the foreground

mkfifo words
for signal in INT TERM HUP; do
    # A background process of a script ignores SIGINT, unless it is told otherwise.
    env --default-signal=INT "$ROMSIM" mount -f web.yaml view 2>words &
    pid=$!
    read -r word <words
    is "$word" "romsim: '$T/view' shows the instance 'web' until ctrl-C" "-f stays"
    is "$(cat view/etc/passwd)" root "and answers"
    kill "-$signal" $pid
    wait $pid
    is "$? $(mounted view)$(states)" "0 0" "SIG$signal ends and unmounts it"
done

# ---- ends that nobody planned

ok "a mount" romsim mount web.yaml view
pid=$(server view)
kill_server "$pid"
fails 2 "whose server is killed does not answer" ls view
is "$(mounted view)" 1 "and is still there"
ok "the next command" romsim check web.yaml
is "$(mounted view)$(states)" 0 "removes it"

romsim mount web.yaml view
pid=$(server view)
kill_server "$pid"
ok "mount takes the place of a dead one" romsim mount web.yaml view
is "$(mounted view) $(cat view/etc/passwd)" "1 root" "for good"
pid=$(server view)
kill_server "$pid"
ok "umount ends a dead one" romsim umount view
is "$(mounted view)$(states)" 0 "completely"

romsim mount web.yaml view
pid=$(server view)
exec 7<view/bin/big
ok "a mount that is in use is unmounted" romsim umount view
like "$out" "is in use" "with a note"
is "$(mounted view)" 0 "it is gone from the directory"
ok "the open file can be read on" cmp base/bin/big - <&7
ok "another mount takes the place" romsim mount web.yaml view
is "$(cat view/etc/passwd)" root "and answers"
exec 7<&-
await_end 20 "$pid"
fails 1 "the first server ends with its last user" alive "$pid"
is "$(mounted view) $(states | wc -l)" "1 1" "and leaves the second one alone"
ok "which is unmounted" romsim umount view
is "$(mounted view)$(states)" 0 "without a rest"

# ---- what cannot be mounted

fails 1 "a missing directory is an error" romsim mount web.yaml missing
like "$out" "mkdir -p 'missing'" "with the remedy"
fails 1 "a file is no place for a mount" romsim mount web.yaml web.yaml
like "$out" "'web.yaml' is not a directory" "says why"
fails 1 "a missing instance file is an error" romsim mount missing.yaml view
sed 's|at: /etc/app|at: /etc/passwd|' web.yaml >file-at.yaml
fails 1 "an 'at' on a file is an error" romsim mount file-at.yaml view
like "$out" "ukp_rom1 cannot be mounted at '/etc/passwd'" "that names the ROM"
is "$(mounted view)$(states)" 0 "and leaves nothing"
ok "its devices can be seen nevertheless" romsim mount --devices file-at.yaml view
is "$(ls view) $(ls view/dev | wc -l)" "dev 8" "and nothing else"
ok "and unmounted" romsim umount view
{ cat web.yaml; echo ---; sed 's/name: web/name: second/' web.yaml; } >both.yaml
fails 1 "a file with two instances needs a choice" romsim mount both.yaml view
ok "which --instance makes" romsim mount --instance second both.yaml view
is "$(findmnt -nro SOURCE "$T/view")" romsim:second "as asked"
ok "two directories are unmounted by one command" \
    sh -c "'$ROMSIM' mount -i 1 both.yaml other && '$ROMSIM' umount view other"
is "$(mounted view)$(mounted other)$(states)" 00 "and gone"

truncate -s 8192 raw.img
cat >cpio.yaml <<'END'
name: cpio
image: ./base
args: [/bin/app]
roms: [{name: raw, image: ./raw.img}, {name: mounted, image: ./raw.img, at: /raw}]
END
ok "a ROM that is no file system" romsim mount cpio.yaml view
like "$out" warning "gives a warning if it has an 'at'"
ok "and is a device" cmp raw.img view/dev/ukp_rom_raw
romsim umount view

# ---- the process that reads the images

ok "a mount" romsim mount web.yaml view
reader=$(pgrep -P "$(server view)")
lacks=$(romsim doctor | grep -c "of a sandbox\|without a sandbox")
if [ "$lacks" = 0 ]; then
    is "$(grep -E '^(NoNewPrivs|Seccomp|CapEff|CapPrm):' "/proc/$reader/status" | tr -d '[:space:]')" \
        "CapPrm:0000000000000000CapEff:0000000000000000NoNewPrivs:1Seccomp:2" \
        "who reads the images has no privileges and a filter"
    is "$(cat /proc/"$reader"/task/*/status | grep -c '^Seccomp:[[:space:]]*2')" \
        "$(find /proc/"$reader"/task -mindepth 1 -maxdepth 1 | wc -l)" "all its threads have"
else
    skip "who reads the images has no privileges and a filter" "$(romsim doctor | grep sandbox)"
fi
is "$(find /proc/"$reader"/fd -lname '/*' ! -lname /dev/fuse ! -lname /dev/null)" "" \
    "it has no file or folder open"
pid=$(server view)
kill -KILL "$reader"
await_end 20 "$pid"
is "$(mounted view)$(states)" 0 "if it crashes, the mount is ended, too"
"$ROMSIM" mount -f web.yaml view 2>said &
pid=$!
until [ -e view/dev ]; do sleep 0.05; done
kill -KILL "$(pgrep -P "$pid")"
wait "$pid"
is "$?" 1 "and that is a failure"
like "$(cat said)" "error: the mount at '$T/view': the process that reads the images was ended by Killed" \
    "which is said"
romsim mount web.yaml view
pid=$(server view) reader=$(pgrep -P "$(server view)")
stop_process "$reader"
kill -TERM "$pid"
await_end 20 "$pid"
is "$(mounted view)$(states)" 0 "one that hangs does not keep the mount from its end"
await_end 20 "$reader"
fails 1 "and is ended with it" alive "$reader"

weird=$'a b\n\\c"é'
mkdir "$weird"
ok "a mount point may have any name" romsim mount web.yaml "$weird"
is "$(cat "$weird/etc/passwd")" root "and works"
pid=$(jq -r .owner.pid "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json)
kill_server "$pid"
romsim check web.yaml
is "$(grep -c "$T" /proc/self/mountinfo)$(states)" 0 "and is cleaned up like others"
done_testing
