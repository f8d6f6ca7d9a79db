#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_limits.sh: mounts and runs with few descriptors or little memory leave nothing behind and
# say what is missing; a place that is locked or does not answer is waited for five seconds.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"
need busybox "limits" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir rom view && echo text >rom/file
printf 'image: ./base\nargs: [/bin/true]\nroms: [{dir: rom, at: /rom}]\n' >x.yaml
romsim plan x.yaml >/dev/null # the base is in the cache from now on

# What is left of ours: mounts, and folders of what runs.
left() {
    awk -v t="$T/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo
    find "$XDG_RUNTIME_DIR/romsim/instances" "$XDG_RUNTIME_DIR/romsim/mounts" -mindepth 1 2>/dev/null
}
# with_files N COMMAND...: with N descriptors at most.  What is said is in the file `said`.
with_files() { local n=$1; shift; (exec 3>said; ulimit -n "$n"; provoked exec "$ROMSIM" "$@" >&3 2>&3 3>&- </dev/null); }

# hold FILE: a process, $holder, locks it until it is killed.
hold() {
    coproc locker { exec python3 -c '
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()' "$1"; }
    holder=$locker_PID
    read -r _ <&"${locker[0]}"
}
release() { kill "$holder"; wait "$holder" 2>/dev/null; }

# ---- few descriptors
if need fuse "mounts with few descriptors"; then
    fault='' mounted=0
    for n in $(seq 8 40); do
        if with_files "$n" mount x.yaml view; then
            mounted=$((mounted + 1))
            [ "$(cat view/rom/file)" = text ] || fault+="$n: not the file; "
            with_files "$n" umount view || fault+="$n: not unmounted: $(cat said); "
        else
            grep -q "Too many open files" said && grep -q "hint: .*ulimit -n" said ||
                fault+="$n: $(cat said); "
        fi
        [ -z "$(left)" ] || fault+="$n leaves $(left); "
    done
    is "$fault" "" "with 8 to 40 descriptors a mount works, or says why not, and nothing is left"
    is "$((mounted > 5))" 1 "(some work)"
fi
if need guest "runs with few descriptors"; then
    fault='' ran=0
    # Each run that works is a boot: the last is enough.
    for n in $(seq 8 40) 64 96; do
        with_files "$n" run x.yaml
        status=$?
        case $status in
        0) ran=1 ;;
        125)
            grep -q "Too many open files" said || fault+="$n: $(cat said); "
            ! grep -q "install QEMU" said || fault+="$n: blames QEMU; " ;;
        *) fault+="$n: status $status, $(cat said); " ;;
        esac
        [ -z "$(left)" ] || fault+="$n leaves $(left); "
    done
    is "$fault" "" "with 8 to 96 descriptors a run works, or says why not, and nothing is left"
    is "$ran" 1 "(the last works)"
fi

# ---- little memory
if need fuse "a mount with little memory"; then
    fault='' refused=0
    for megabytes in $(seq 16 8 240); do
        # The shell's word about one that was aborted goes with the group's stderr.
        if { (ulimit -v $((megabytes << 10)); provoked exec "$ROMSIM" mount x.yaml view >said 2>&1); } 2>/dev/null; then
            { [ "$(cat view/rom/file)" = text ] && romsim umount view >said 2>&1; } ||
                fault+="$megabytes MB: mounted, and then not: $(cat said); "
        else
            refused=$((refused + 1))
            ! grep -q "endpoint is not connected" said || fault+="$megabytes MB: $(cat said); "
            grep -qiE "memory|thread|libfuse|shared" said || fault+="$megabytes MB: $(cat said); "
        fi
        [ -z "$(left)" ] || fault+="$megabytes MB leaves $(left); "
    done
    is "$fault" "" "with little memory a mount works, or says why not, and nothing is left"
    is "$((refused > 0))" 1 "(some are refused)"
fi

# ---- a place that somebody holds
if need fuse "a mount point that is locked"; then
    hold view
    fails 1 "a mount point that another process has locked is refused" timeout 60 "$ROMSIM" mount x.yaml view
    like "$out" "error: '$T/view' is locked by process $holder (python3, of user $(id -u))" "... and who holds it is said"
    release
    ok "then it works" romsim mount x.yaml view

    # A server that is stopped answers nothing.
    server=$(jq -r .owner.pid "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json)
    mkdir -p view2
    reader=$(pgrep -P "$server")
    stop_process "$server" "$reader"
    fails 1 "a place below a mount that does not answer is refused" timeout 60 "$ROMSIM" mount x.yaml view/new
    like "$out" "error: the mount at '$T/view' (fuse.romsim) does not answer" "... by its name"
    fails 1 "a mount over it, too" timeout 60 "$ROMSIM" mount x.yaml view
    like "$out" "its server, process $server, is stopped or too busy; 'romsim umount $T/view' ends the mount" \
        "... with the way out"
    ok "other commands go on" timeout 60 "$ROMSIM" mount x.yaml view2
    ok "and end" timeout 60 "$ROMSIM" umount view2
    ok "it can be unmounted" timeout 60 "$ROMSIM" umount view
    kill -CONT "$server" "$reader"
    until ! kill -0 "$server" 2>/dev/null; do sleep 0.05; done
    is "$(left)" "" "and then nothing is left"
fi

# A command that is stopped while it has the house's lock.
hold "$XDG_RUNTIME_DIR/romsim/lock"
ok "who looks only is not kept up by a lock of the house" timeout 60 "$ROMSIM" plan x.yaml
if need fuse "a house that is locked"; then
    fails 1 "who needs the house waits for a while" timeout 60 "$ROMSIM" mount x.yaml view
    like "$out" "romsim/lock' is locked by process $holder" "... and says who has it"
fi
release

# ---- a state folder that is reached by a link
if need fuse "a state folder behind a link"; then
    ln -s "$XDG_RUNTIME_DIR" link
    ok "a mount whose state folder is behind a link" env XDG_RUNTIME_DIR="$T/link" "$ROMSIM" mount x.yaml view
    romsim umount view
    if need guest "a run whose state folder is behind a link"; then
        ok "a run" env XDG_RUNTIME_DIR="$T/link" "$ROMSIM" run x.yaml
        is "$(left)" "" "... leaves nothing"
    fi
fi
done_testing
