#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fault_matrix.sh: each fault, in an instance that boots and in a clone of a template, of a ROM that
# the app reads from its device and of one that is mounted for it: the guest gets the errno that a
# bad ROM gives, nothing hangs, and all of it ends as it should.
#
# One instance has a ROM for each fault, so that there are few boots; what stops a boot has its own.
. "$(dirname "$0")/../lib.sh"
need guest "faults in a guest" || done_testing
need fuse "faults in a guest" || done_testing

"$SAMPLES/busybox-base.sh" base
# Says of each ROM what came of reading its device, of mounting it and of reading its file.  The
# kernel's words for an errno are those of libc.
cat >base/look.sh <<'END'
[ "$1" != template ] || printf 1 >/uk/libukp/template_instance || exit 9
said() { sed -n 's/.*: //; $p'; }
for name in fine eio inode sum cut odd super gone slow other; do
    at=/rom/$name mount=yes raw=$(cat /dev/ukp_rom_$name 2>&1 >/dev/null | said)
    if [ ! -d $at ]; then
        at=/mnt/$name && mkdir -p $at
        mount=$(mount -t erofs -o ro /dev/ukp_rom_$name $at 2>&1 | said)
    fi
    file=$(cat $at/file 2>&1 >/dev/null | said)
    echo "$name: ${raw:-good}, ${mount:-yes}, ${file:-$(md5sum <$at/file | cut -c1-4)}"
done
echo looked
END
mkdir rom new
# So many that the file's inode is not in the block that the superblock's checksum is of.
touch $(seq -f rom/a%g 100)
seq 1000 >rom/file
seq 2000 2999 >new/file
ok "an image" romsim rom pack rom -o rom.erofs
ok "and its next version" romsim rom pack new -o new.erofs
old_sum=$(md5sum <rom/file | cut -c1-4) new_sum=$(md5sum <new/file | cut -c1-4)
nid=$(romsim rom stat rom.erofs /file --json | jq -r '.[0].nid // .nid')

names=(fine eio inode sum cut odd super gone slow other)
declare -A faults=(
    [eio]=read=eio,path=/file
    [inode]=corrupt=$((nid * 32 + 5)):0xf0 # the type of the file in its mode
    [sum]=corrupt=1100:1 # in the superblock
    [cut]=truncate=$(($(stat -c %s rom.erofs) - 4096)) # without its last block
    [odd]=unaligned
    [super]=mount=fail
    [gone]=missing
    [slow]=latency=20ms,jitter=10ms,bandwidth=256K,slow-attach=1s
    [other]=swap=$T/new.erofs)
options=(--limit roms=10)
for name in "${names[@]:1}"; do options+=(--fault "rom=$name,${faults[$name]}"); done

# instance KIND FIRST-LINES NAME...: KIND.yaml, an instance with these ROMs; with `at` for all but
# those of the kind "device".
instance() {
    local kind=$1 name
    printf 'name: %s\n%b\nroms:\n' "$kind" "$2" >"$kind.yaml"
    shift 2
    for name in "$@"; do
        case $kind in
        *device) echo "  - {name: $name, image: ./rom.erofs}" ;;
        *) echo "  - {name: $name, image: ./rom.erofs, at: /rom/$name}" ;;
        esac >>"$kind.yaml"
    done
}

cold='image: ./base\nargs: [/bin/sh, /look.sh]\nmemory_mb: 128'
clone='template: {name: looker}'
printf 'name: looker\nimage: ./base\nargs: [/bin/sh, /look.sh, template]\nmemory_mb: 128\n' >template.yaml
ok "a template" timeout 200 "$ROMSIM" template create looker template.yaml

# run KIND TEXT OPTIONS...: an instance that ends by itself; its output is in $out.
run() {
    local kind=$1 text=$2 status
    shift 2
    out=$(timeout -k 10 200 "$ROMSIM" run -q "$@" "$kind.yaml" 2>&1 </dev/null)
    status=$?
    is "$status" "$expected" "$text: it ends" || printf '%s\n' "$out" | tail -n 20 | sed 's/^/#   /'
}
# saw NAME WHAT: what the guest said of a ROM.
saw() { is "$(sed -n "s/^$1: //p" <<<"$out")" "$2" "$way: $1"; }

for start in cold clone; do
    instance "$start-device" "${!start}" "${names[@]}"
    instance "$start-mounted" "${!start}" fine eio inode cut odd slow other
    for bad in super sum gone; do instance "$start-$bad" "${!start}" fine "$bad"; done

    expected=0 way="$start, from the device"
    run "$start-device" "$way" "${options[@]}"
    saw fine "good, yes, $old_sum"
    saw eio "Input/output error, yes, Input/output error"
    saw inode "good, yes, Structure needs cleaning"
    saw sum "good, Bad message, No such file or directory"
    saw cut "good, yes, Input/output error"
    saw odd "good, yes, $old_sum"
    saw super "good, Invalid argument, No such file or directory"
    saw gone "No such file or directory, No such file or directory, No such file or directory"
    saw slow "good, yes, $old_sum"
    saw other "good, yes, $new_sum"

    way="$start, mounted"
    mounted=("${options[@]:0:2}")
    for name in eio inode cut odd slow other; do mounted+=(--fault "rom=$name,${faults[$name]}"); done
    run "$start-mounted" "$way" "${mounted[@]}"
    saw fine "good, yes, $old_sum"
    saw eio "Input/output error, yes, Input/output error"
    saw inode "good, yes, Structure needs cleaning"
    saw cut "good, yes, Input/output error"
    saw odd "good, yes, $old_sum"
    saw slow "good, yes, $old_sum"
    saw other "good, yes, $new_sum"

    # What cannot be mounted stops the boot.
    expected=125
    run "$start-super" "$way, without a superblock" --fault "rom=super,${faults[super]}"
    like "$out" "cannot mount /dev/ukp_rom2 -> /rom/super: it is not an EROFS image" "with its reason"
    run "$start-sum" "$way, with a wrong checksum" --fault "rom=sum,${faults[sum]}"
    like "$out" "cannot mount /dev/ukp_rom2 -> /rom/sum: Bad message" "with its reason"
    run "$start-gone" "$way, not there" --fault "rom=gone,${faults[gone]}"
    like "$out" "cannot mount /dev/ukp_rom2 -> /rom/gone: No such device" "with its reason"
    unlike "$out" "looked" "and the app has not begun"
done

# A read that is being waited for holds up no end.
instance stuck "$cold" slow
"$ROMSIM" run --verbose --fault rom=slow,slow-attach=10s,latency=10s stuck.yaml >stuck.log 2>&1 &
pid=$!
for _ in $(seq 600); do
    grep -q 'devices' stuck.log && break
    sleep 0.1
done
kill -TERM $pid
timeout 60 tail --pid=$pid -f /dev/null && pass "an instance whose read is waited for can be ended" ||
    { fail "an instance whose read is waited for can be ended" "$(cat stuck.log)"; kill -KILL $pid; }
wait $pid 2>/dev/null
is "$(romsim ps -aq | wc -l)" 0 "no instance is left"
is "$(find "$XDG_RUNTIME_DIR/romsim" -name drives 2>/dev/null | wc -l)" 0 "and no mount"
done_testing
