#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# inputs.sh: inputs that are no plain files on a good disk: pipes, sparse files, files that somebody
# changes, full disks, folders that cannot be written.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"

mkdir -p tree/bin
printf '\177ELF' >tree/bin/app
chmod +x tree/bin/app
tar cf tree.tar -C tree .
head -c 5000 /dev/urandom >raw
romsim rom pack tree -o tree.erofs >/dev/null
romsim rom pack raw -o raw.rom >/dev/null
cat >x.yaml <<'EOF'
image: ./tree.tar
memory_mb: 64
args: [/bin/app]
roms: [{name: r, image: ./raw.rom}]
EOF

# ---- pipes

from_stdin() { "$ROMSIM" rom pack - -o out; }
ok "rom pack - packs standard input" from_stdin <raw
ok "as the file" cmp out raw.rom
piped() { cat "$1" | "$ROMSIM" rom pack "${2:--}" -o out; }
ok "also from a pipe" piped raw
ok "as the file" cmp out raw.rom
ok "an archive from a pipe becomes EROFS" piped tree.tar /dev/stdin
romsim rom pack tree.tar -o file >/dev/null
ok "as the file does" cmp out file
substituted() { "$ROMSIM" rom pack <(cat raw) -o out; }
ok "a process substitution is read" substituted
ok "as the file" cmp out raw.rom
from_fifo() { mkfifo fifo; cat raw >fifo & "$ROMSIM" rom pack fifo -o out; }
ok "rom pack waits for a fifo" from_fifo
ok "and packs what comes" cmp out raw.rom
skipped() { { head -c 4096 >/dev/null; "$ROMSIM" rom pack - -o out; } <raw; }
tail -c +4097 raw >tail
romsim rom pack tail -o file >/dev/null
ok "standard input is read from where it stands" skipped
ok "to its end" cmp out file
fails 1 "nothing is no ROM" piped /dev/null
like "$out" "'/dev/stdin' is empty, a ROM is not" "and it is said"
ok "the other commands read pipes, too" bash -c "cat tree.erofs | '$ROMSIM' rom ls - bin"
is "$out" app "all of it"
romsim rom pack tree.tar -o file >/dev/null
ok "rom diff reads two pipes" bash -c "'$ROMSIM' rom diff <(cat file) <(cat tree.tar)"
is "$out" "" "which hold the same"
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [./tree]\n' >Kraftfile
romsim image build -o image.tar . >/dev/null 2>&1
ok "image import - reads an archive" bash -c "cat image.tar | '$ROMSIM' image import -t from/stdin -"
built() { "$ROMSIM" image build -o piped.tar <(cat Kraftfile); }
ok "a Kraftfile may come through a pipe" built
ok "and is the same project" cmp image.tar piped.tar
if need script "a terminal is no ROM"; then
    fails 1 "a terminal is no ROM" script -qec "'$ROMSIM' rom pack - -o out" /dev/null </dev/null
    like "$out" "'/dev/stdin' is a terminal or device" "which is said at once"
fi
image_piped() { sed 's,\./tree.tar,/dev/stdin,' x.yaml >p.yaml; cat tree.tar | "$ROMSIM" plan p.yaml; }
ok "an image may come from standard input" image_piped
like "$out" "$("$ROMSIM" plan x.yaml | sed -n 's,.*(root) .* erofs  *\([0-9.]* .iB\).*,\1,p')" "in full"
file_piped() { "$ROMSIM" check <(cat x.yaml); }
ok "so may the instance file" file_piped
mkfifo nobody
sed 's,\./raw.rom,./nobody,' x.yaml >f.yaml
fails 1 "a fifo in an instance file is not waited for" timeout 60 "$ROMSIM" plan f.yaml
like "$out" "'./nobody' is not a regular file" "but refused"

# ---- sparse files

truncate -s 10T huge
sed 's,\./raw.rom,./huge,' x.yaml >h.yaml
mkdir -p holes && truncate -s 10T holes/file
for what in "plan h.yaml" "rom pack huge -o out" "rom pack holes -o out"; do
    # shellcheck disable=SC2086 # words
    fails 1 "$what: ten TiB are refused" romsim $what
    like "$out" "--bound file-bytes=VALUE allows more than 68719476736" "by the bound's name"
done
like "$out" "'holes/file': a file of 10.0 TiB" "with the file's"
if truncate -s 200G large 2>/dev/null; then
    printf data | dd of=large bs=1 seek=123456789 conv=notrunc status=none
    ok "a large sparse file becomes a ROM" \
        timeout 60 "$ROMSIM" rom pack large -o out --bound file-bytes=1T
    like "$out" "out: raw, 200.0 GiB, most of it a hole" "whose digest nobody waits for"
    is "$(($(stat -c %b out) * 512 < 10000000))" 1 "holes stay holes in it"
    is "$(dd if=out bs=1 skip=123456789 count=4 status=none)" data "and data is where it was"
    sed 's,\./raw.rom,./large,' x.yaml >l.yaml
    ok "plan takes it" timeout 60 "$ROMSIM" plan l.yaml --bound file-bytes=1T
    ok "plan --json, too" timeout 60 "$ROMSIM" plan --json l.yaml --bound file-bytes=1T
    like "$out" '"sha256": null' "without a digest"
    ok "as the only file of an image" \
        timeout 60 "$ROMSIM" rom pack --format erofs large -o out --bound file-bytes=1T
    is "$(($(stat -c %b out) * 512 < 10000000))" 1 "it stays sparse"
    rm -f large out
else
    skip "a large sparse file becomes a ROM" "this file system has no files of 200 GiB"
fi
truncate -s 3G sparse
mkdir s && mv sparse s/
ok "holes become holes in a cpio archive" romsim rom pack --format cpio s -o out
is "$(($(stat -c %b out) * 512 < 10000000))" 1 "of the same size"
zeros() { head -c 100000000 /dev/zero | "$ROMSIM" rom pack - -o out; }
ok "zeros from a pipe" zeros
is "$(($(stat -c %b out) * 512 < 10000000))" 1 "become holes"
truncate -s 20G kernel
if need guest "a kernel has a bound"; then
    fails 125 "a kernel has a bound" romsim run --kernel kernel x.yaml
    like "$out" "'kernel' has more than 1.0 GiB" "that is said"
    like "$out" "--bound kernel-bytes=VALUE" "by its name"
fi
for command in check plan request; do
    fails 1 "$command: an instance file has one" romsim $command huge
    like "$out" "huge" "... that is said"
done

# ---- full disks

# on_tmpfs SIZE COMMAND...: with a cache in a tmpfs of that size.
on_tmpfs() {
    mkdir -p cache
    # shellcheck disable=SC2016 # the inner shell's
    unshare -rm sh -c 'mount -t tmpfs -o size="$0" none cache && XDG_CACHE_HOME=$PWD/cache "$@"' "$@"
}
if unshare -rm mount -t tmpfs none /mnt 2>/dev/null; then
    # An image of holes: all of the tmpfs is taken by what is no hole, and more is read.
    mkdir -p full
    for i in $(seq 300); do echo "$i" >"full/$i"; done
    truncate -s 30M full/hole
    romsim rom pack full -o full.erofs >/dev/null
    blocks=$(($(stat -c %b full.erofs) / 2 + 8))
    read_hole() { on_tmpfs "${blocks}k" "$ROMSIM" rom cat full.erofs hole >hole; }
    ok "holes of a copy on a full tmpfs can be read" read_hole
    is "$(sha256sum <hole)" "$(head -c 30M /dev/zero | sha256sum)" "all of them"
    ok "and hashed" on_tmpfs "${blocks}k" "$ROMSIM" rom info full.erofs
    like "$out" "$(sha256sum <full.erofs | cut -d' ' -f1)" "rightly"
    cat >m.yaml <<'EOF'
image: ./full
memory_mb: 64
args: [/x]
roms: [{name: r, image: ./full.erofs, at: /r}]
EOF
    # The sums of a hole in the root and in a ROM and of the device, with the cache's disk full.
    cat >shown <<'EOF'
mkdir -p shown.d && "$1" mount m.yaml shown.d >/dev/null || exit
cat /dev/zero >cache/fill 2>/dev/null
cat shown.d/hole shown.d/r/hole shown.d/dev/ukp_rom1 | sha256sum
"$1" umount shown.d
EOF
    if need fuse "a mount shows holes of a copy on a full tmpfs"; then
        is "$(on_tmpfs "$((3 * blocks))k" sh ./shown "$ROMSIM")" \
            "$(cat full/hole full/hole full.erofs | sha256sum)" \
            "a mount shows holes of a copy on a full tmpfs"
    fi
    head -c 400k /dev/urandom >tree/large
    tar cf large.tar -C tree .
    sed 's,tree.tar,large.tar,' x.yaml >l.yaml
    fails 1 "a root that the cache has no room for" on_tmpfs 600k "$ROMSIM" plan l.yaml
    like "$out" "cannot write the image in '$T/cache/romsim/roots': No space left on device" "names the folder"
    like "$out" "let XDG_CACHE_HOME name a folder on a larger disk" "and what helps"
    gzip -k large.tar
    fails 1 "an archive that the cache has no room for" on_tmpfs 440k "$ROMSIM" plan <(sed 's,tree.tar,large.tar.gz,' x.yaml)
    like "$out" "'$T/cache/romsim/scratch': No space left on device" "names it, too"
    big_pipe() { head -c 1000000 /dev/urandom | on_tmpfs 440k "$ROMSIM" rom pack - -o out; }
    fails 1 "a pipe that the cache has no room for" big_pipe
    like "$out" "cannot copy '/dev/stdin' in '$T/cache/romsim/scratch': No space left on device" "likewise"
else
    skip "holes of a copy on a full tmpfs can be read" "no user namespaces here"
fi

# ---- a disk that gives a page no more

# The copy that a listing reads is cut short while the listing waits for its reader.
mkdir names
(cd names && seq 5000 | xargs touch)
romsim rom pack names -o names.erofs >/dev/null
lost() {
    local fd lister
    coproc { exec "$ROMSIM" rom ls -R --json names.erofs 2>said; }
    lister=$COPROC_PID
    exec 5<&"${COPROC[0]}"
    head -c 10 <&5 >/dev/null
    for fd in "/proc/$lister/fd/"*; do
        case $(readlink "$fd") in *'/romsim/scratch/'*) : >"$fd" ;; esac
    done
    cat <&5 >/dev/null
    wait "$lister"
}
fails 1 "a page that cannot be had is an error, not a crash" lost
like "$(cat said)" "a file cannot be read on: the disk is full or damaged, or it was cut short" "that is said"

# ---- no cache

homeless() { env -u XDG_CACHE_HOME -u XDG_DATA_HOME -u XDG_RUNTIME_DIR HOME="$1" "${@:2}"; }
mkdir readonly
chmod 555 readonly
[ "$(id -u)" != 0 ] || mount -t tmpfs -o ro none readonly 2>/dev/null # root writes anywhere else
for home in /proc/none "$T/readonly"; do
    ok "plan works with the home $home" homeless "$home" "$ROMSIM" plan x.yaml
    is "$(grep -c 'built images are not kept' <<<"$out")" 1 "and says once that nothing is kept"
    ok "check, too" homeless "$home" "$ROMSIM" check x.yaml
    is "$out" "" "without a word"
    if need fuse "mount works with the home $home"; then
        mkdir -p mnt
        ok "mount works with the home $home" homeless "$home" "$ROMSIM" mount x.yaml mnt
        ok "and shows the root" test -x mnt/bin/app
        homeless "$home" "$ROMSIM" umount mnt
    fi
done

# ---- a command that stands still

# What a command that was stopped (control-Z) might hold: nobody waits for it.
mkdir -p "$XDG_CACHE_HOME/romsim/roots"
exec 9<"$XDG_CACHE_HOME/romsim/roots"
flock 9
for lock in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
    exec {fd}>"$XDG_CACHE_HOME/romsim/roots/lock-$lock"
    flock "$fd"
done
echo new >tree/new
tar cf tree.tar -C tree .
ok "no lock in the cache is waited for" timeout 60 "$ROMSIM" plan x.yaml
both() {
    local one two
    touch tree.tar
    "$ROMSIM" plan x.yaml >one & one=$!
    "$ROMSIM" plan x.yaml >two & two=$!
    wait "$one" && wait "$two" && cmp one two
}
ok "two commands build one root at once" both

# Where something is waited for, a process that is stopped is named, with what helps.
stopped_with() { # FILE: $holder has it locked, and has stopped itself
    python3 -c '
import fcntl, os, signal, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
os.kill(os.getpid(), signal.SIGSTOP)' "$1" &
    holder=$!
    until_stopped $holder
}
release() { kill -KILL $holder; wait $holder 2>/dev/null; }

store=$XDG_DATA_HOME/romsim/oci
mkfifo slow
"$ROMSIM" image import -t slow/app - <slow 2>said & holder=$!
exec 8>slow
until ! flock -n "$store/lock-use" true; do sleep 0.05; done
stop_process $holder
fails 1 "image gc does not wait for an import that is stopped" timeout 60 "$ROMSIM" image gc
like "$out" "error: the image store: '$store' is locked by process $holder (romsim image import, of user $(id -u)), which is stopped" "it says who is"
like "$out" "hint: to let it go on: kill -CONT $holder" "and how it goes on"
kill -CONT $holder
fails 1 "nor for one that runs" timeout 60 "$ROMSIM" image gc
like "$out" "is locked by process $holder (romsim image import, of user $(id -u))" "which is said, too"
like "$out" "hint: try again when nobody uses the store" "with what helps then"
exec 8>&-
wait $holder
like "$(cat said)" "'/dev/stdin' is an empty file" "(the import ends)"
ok "when it has ended, there is nothing to wait for" romsim image gc

stopped_with "$store/lock-use"
fails 1 "nobody waits for a gc that is stopped" timeout 60 "$ROMSIM" image rm from/stdin
like "$out" "process $holder (python3, of user $(id -u)), which is stopped" "that is said"
release
stopped_with "$store/lock-index"
fails 1 "nor for who changes the names" timeout 60 "$ROMSIM" image rm from/stdin
like "$out" "process $holder (python3, of user $(id -u)), which is stopped" "that is said, too"
release
ok "then the name goes" romsim image rm from/stdin

ok "an OCI layout" romsim image build -o oci:layout:one .
stopped_with layout
fails 1 "nor is an OCI layout waited for" timeout 60 "$ROMSIM" image build -o oci:layout:two .
like "$out" "'layout' is locked by process $holder (python3, of user $(id -u)), which is stopped" "it is named"
like "$out" "kill -CONT $holder" "with the way out"
release
ok "then it gets its tag" romsim image build -o oci:layout:two .
is "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' layout/index.json | xargs)" \
    "one two" "beside the first"

done_testing
