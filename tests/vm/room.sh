#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# room.sh: a room full of users on one machine.  Each has instances of their own, from images that
# are shared; each is told when the machine is full, before anything is started, with what takes it;
# and what `plan --resources` says is near to what the kernel says of instances that run.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need guest "a room of users" || done_testing
need jq "a room of users" || done_testing
need curl "a room of users" || done_testing

chmod 755 "$T"
"$SAMPLES/busybox-base.sh" base
cat >app.yaml <<'END'
name: app
image: ./base
args: [/bin/sh, -c, "echo ready; while :; do sleep 1; done"]
roms: [{name: code, at: /code, files: [{path: f, data: aGVsbG8=}]}]
END
sed 's/^name: .*/name: second/' app.yaml >second.yaml
printf -- '- {name: a, image: ./base, args: [/bin/sh]}\n- {name: b, image: ./base, args: [/bin/sh]}\n' >two.yaml
own=$T/machine
# machine AVAILABLE-MIB: what this machine has, as it is told to those who ask.
machine() {
    mkdir -p "$own/proc/self"
    printf 'MemTotal: 8388608 kB\nMemAvailable: %d kB\n' $(($1 << 10)) >"$own/proc/meminfo"
}
MIB=$((1 << 20))
number() { jq "$1" <<<"$plan"; }

# ---- what is stated, and what is taken
plan=$(romsim plan --resources --json app.yaml)
ok "an instance is started" romsim run -d app.yaml
record=$XDG_RUNTIME_DIR/romsim/instances/app/state.json
keeper=$(jq .owner.pid "$record")
qemu=$(pgrep -P "$keeper" -x romsim-qemu)
# own PID...: the memory that processes have for themselves, in bytes.
own() {
    local pid
    for pid; do cat "/proc/$pid/smaps_rollup"; done |
        awk '/^Pss_Anon:|^Pss_Shmem:/ { sum += $2 } END { print sum * 1024 }'
}
if [ "${SANITIZE:-0}" = 1 ]; then
    skip "the memory of processes" "a sanitized program takes more"
else
    taken=$(own "$keeper" $(pgrep -P "$keeper"))
    stated=$(number '.instances[0].each.start')
    [ "$taken" -gt $((stated / 2)) ] && [ "$taken" -lt $((stated * 3 / 2)) ]
    is $? 0 "an instance takes about what was stated: $((taken / MIB)) MiB of $((stated / MIB))"
    taken=$(own "$keeper" $(pgrep -P "$keeper" -x romsim))
    [ "$taken" -le "$(number '.instances[0] | .keeper + .fuse')" ]
    is $? 0 "its keeper and server no more than was stated: $((taken / 1024)) KiB"
    taken=$(awk '/^Pss_File:/ { print $2 * 1024 }' "/proc/$qemu/smaps_rollup")
    [ "$taken" -le "$(number '.shared * 3 / 2')" ]
    is $? 0 "nor do the files that all share: $((taken / MIB)) MiB"
fi

# ---- full
export ROMSIM_CAPACITY_ROOT=$own
machine 100
fails 125 "an instance for which there is no room" romsim run second.yaml
like "$out" "this machine is full: the instance 'second' may take" "is refused before it is made"
like "$out" "and 100.0 MiB is free" "with what there is"
like "$out" "your instances take" "and what takes it"
like "$out" "'app' " "by name"
like "$out" "--bound overcommit=" "and what to do"
is "$(romsim ps -q --all 2>/dev/null | wc -l)" 1 "nothing is left of it"
fails 125 "several" romsim run two.yaml
like "$out" "2 instances may take" "are refused together"
ok "one that is not started yet is made" romsim create second.yaml
fails 1 "and refused when it is to start" romsim start second
like "$out" "this machine is full: the instance 'second'" "with the same words"
is "$(romsim get second -o json | jq -r .state)" stopped "it is stopped as before"
ok "who insists gets it" romsim start --bound overcommit=16G second
ok "rm" romsim rm second
ok "run, too" env ROMSIM_BOUNDS=overcommit=16G "$ROMSIM" run -d second.yaml
ok "rm again" romsim rm second
rm "$own/proc/meminfo"
ok "where nothing is known nobody is refused" romsim run -d second.yaml
ok "rm at last" romsim rm second
machine 1000
fails 125 "one that is larger than what is there" romsim run --memory 1000 second.yaml
like "$out" "may take 1.1 GiB of memory" "by the memory that it asks for"

# A control group's limit is one as well.
echo "0::/class" >"$own/proc/self/cgroup"
mkdir -p "$own/sys/fs/cgroup/class"
echo $((150 * MIB)) >"$own/sys/fs/cgroup/class/memory.max"
echo $((100 * MIB)) >"$own/sys/fs/cgroup/class/memory.current"
fails 125 "the limit of a control group" romsim run second.yaml
like "$out" "50.0 MiB is free by the limit of the control group '/class'" "is said to be one"
rm "$own/sys/fs/cgroup/class/memory.max"
echo 40 >"$own/sys/fs/cgroup/class/pids.max"
echo 30 >"$own/sys/fs/cgroup/class/pids.current"
fails 125 "a control group's number of processes" romsim run second.yaml
like "$out" "the control group '/class' may have 10 more processes" "is said, too"
rm -r "$own/sys/fs"

# By HTTP.
machine 100
docker_archive image.tar base '{"Cmd":["/bin/sh","-c","echo ready; while :; do sleep 1; done"]}'
ok "an image for a server" romsim image import --tag class/app docker-archive:image.tar
if serve; then
    pass "a server"
    api POST /v1/instances '{"name":"late","image":"class/app","autostart":true}'
    like "$out" "this machine is full" "an instance that it has no room for is refused"
    is "$(field '.errors[0].error')" 19 "by the cloud's code of a quota"
    is "$(romsim ps -q --all | grep -c late)" 0 "and nothing is left"
    api POST /v1/instances '{"name":"late","image":"class/app","autostart":false}'
    is "$(field .status)" success "one that is not to start is made"
    api PUT /v1/instances/start '[{"name":"late"}]'
    like "$out" "this machine is full" "and refused at its start"
    is "$(field '.data.instances[0].error')" 19 "by the same code"
    serve_end
    serve --bound overcommit=16G
    api PUT /v1/instances/start '[{"name":"late"}]'
    like "$out" "this machine is full" "an instance keeps the bound that it was made with"
    api POST /v1/instances '{"name":"later","image":"class/app","autostart":true}'
    is "$(field .status)" success "a server with a bound of its own starts it"
    serve_end
else
    fail "a server" "$(cat "$T/serve.err")"
fi
unset ROMSIM_CAPACITY_ROOT
romsim rm --all >/dev/null 2>&1

# ---- several users
if need user "several users"; then
    export ROMSIM_SHARED_STORE=$T/images
    ok "root fills the store that all read" romsim image import --shared --tag class/app docker-archive:image.tar
    users=(nobody daemon games)
    # as USER COMMAND...: with folders of the user's own.
    as() {
        local user=$1; shift
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env "HOME=$T/$user" \
            "XDG_CACHE_HOME=$T/$user/cache" "XDG_DATA_HOME=$T/$user/data" \
            "XDG_RUNTIME_DIR=$T/$user/run" "TMPDIR=$T/$user" "$@"
    }
    printf 'name: mine\nimage: class/app\n' >mine.yaml
    chmod 644 mine.yaml
    for user in "${users[@]}"; do
        mkdir -p -m 700 "$user" "$user/run"
        chown -R "$user" "$user"
        as "$user" "$ROMSIM" run -d mine.yaml >"$user.out" 2>&1 &
    done
    wait
    uuids=
    for user in "${users[@]}"; do
        like "$(cat "$user.out")" mine "$user starts an instance, all at once, and all of one name"
        is "$(as "$user" "$ROMSIM" ps -q --all | wc -l)" 1 "$user sees one"
        is "$(as "$user" "$ROMSIM" get mine -o json | jq -r .state)" running "which runs"
        uuids+="$(as "$user" "$ROMSIM" get mine -o json | jq -r .uuid) "
        is "$(find "$user" -name '*.erofs' | wc -l)" 0 "and has the root that all have"
        is "$(stat -c %a "$user/run/romsim/instances")" 700 "which nobody else can look into"
    done
    is "$(tr ' ' '\n' <<<"$uuids" | grep . | sort -u | wc -l)" 3 "they are three"
    read -r uuid _ <<<"$uuids"
    fails 1 "another user's instance, by its UUID" as daemon "$ROMSIM" stop "$uuid"
    fails 1 "or by the folder of its owner" as daemon env "XDG_RUNTIME_DIR=$T/nobody/run" "$ROMSIM" stop mine
    is "$(as nobody "$ROMSIM" get mine -o json | jq -r .state)" running "goes on"
    machine 100
    fails 125 "what others have is not told by name" as games env "ROMSIM_CAPACITY_ROOT=$own" \
        "$ROMSIM" run --name more mine.yaml
    like "$out" "your instances take" "but the own ones are"
    like "$out" "Those of others take" "and the others' as a sum"
    is "$(grep -o "'mine'" <<<"$out" | wc -l)" 1 "one name, of three"
    fails 125 "a limit of the user's processes" as games prlimit --nproc=20 "$ROMSIM" run --name more mine.yaml
    like "$out" "processes" "is named"

    # Who has no /dev/fuse gets the files as they are.
    if unshare -m true 2>/dev/null; then
        export -f as
        export T ROMSIM
        ok "a user without /dev/fuse" unshare -m bash -c 'mount --bind /dev/null /dev/fuse &&
            as games timeout 120 "$ROMSIM" run --name bare --args "/bin/echo all the same" mine.yaml'
        like "$out" "all the same" "gets an instance"
        like "$out" "FUSE" "and is told what it is without"
    else
        skip "a user without /dev/fuse" "no mount namespace here"
    fi
    for user in "${users[@]}"; do
        ok "$user ends what is $user's" as "$user" "$ROMSIM" rm --all
    done
    is "$(pgrep -c -f "$T/.*instances/mine")" 0 "and nothing is left"
fi

done_testing
