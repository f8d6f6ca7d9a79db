#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# slurm: a Slurm of one node, of the test's own, replays a folder of cases with deploy/slurm, and there
# is one report of them, whatever has become of each.
. "$(dirname "$0")/../lib.sh"
for what in root guest slurmctld slurmd munged jq zstd pgrep; do
    need $what "Slurm replays a folder of cases" || done_testing
done
/usr/bin/python3 -c 'import junitparser' 2>/dev/null || why="no python3-junitparser on this machine"
if [ -n "$why" ]; then
    if [ "${MUST_RUN:-0}" = 1 ]; then fail "the reports are put together" "MUST_RUN=1, but $why"
    else skip "the reports are put together" "$why"; fi
    done_testing
fi
unset SLURM_CONF ROMSIM_HOST
mkdir -m 700 tmp
export ROMSIM TMPDIR=$T/tmp # sbatch passes both on, and what a task leaves would be there

# ---- a cluster ---------------------------------------------------------------------------------

S=$(mktemp -d /var/tmp/romsim-slurm.XXXXXX) # munge wants no folder above it that others write to
chmod 755 "$S"
mkdir "$S"/{state,spool,munge,node}
# munge wants all to come to its socket.
head -c 1024 /dev/urandom >"$S/munge/key" && chmod 400 "$S/munge/key"
daemons=()
end_cluster() {
    local status=$? pid
    [ -z "${SLURM_CONF-}" ] || scancel --state=PENDING --state=RUNNING --user=root 2>/dev/null
    # A batch step is ended by its slurmd; who is left then is looked for below.
    for ((pid = ${#daemons[@]} - 1; pid >= 0; pid--)); do
        kill "${daemons[pid]}" 2>/dev/null
        wait "${daemons[pid]}" 2>/dev/null
    done
    daemons=()
    rm -rf --one-file-system "$S"
    (exit $status)
}
trap 'end_cluster; cleanup' EXIT

# start NAME COMMAND...: in the background, with its output in a file.
start() {
    local name=$1
    shift
    "$@" >"$S/$name.out" 2>&1 </dev/null &
    daemons+=($!)
}
# until_true COMMAND...: waits for it, two minutes at most.
until_true() {
    local end=$((SECONDS + 120))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}
host=$(hostname -s)
read -r controller node < <(python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
cat >"$S/slurm.conf" <<END
ClusterName=romsim
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$S/munge/socket
CredType=cred/munge
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool
SlurmctldPidFile=$S/slurmctld.pid
SlurmdPidFile=$S/slurmd.pid
SlurmctldLogFile=$S/slurmctld.log
SlurmdLogFile=$S/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MaxArraySize=3
KillWait=30
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$node CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
start munged munged --foreground --socket="$S/munge/socket" --key-file="$S/munge/key" \
    --pid-file="$S/munge/pid" --log-file="$S/munge/log" --seed-file="$S/munge/seed"
until_true munge -n --socket="$S/munge/socket" && pass "munge is there" ||
    { fail "munge is there" "$(cat "$S/munged.out")"; done_testing; }
export SLURM_CONF=$S/slurm.conf
start slurmctld slurmctld -D -i
until_true scontrol ping
start slurmd slurmd -D -N node1
until_true sh -c 'sinfo --noheader --format=%T | grep -qx idle' && pass "its node is idle" ||
    { fail "its node is idle" "$(tail -n 20 "$S"/*.out "$S"/*.log)"; done_testing; }

# ---- cases ---------------------------------------------------------------------------------------

mkdir cases long
ln -s "$ROOT/build/samples/busybox" base
cat >app.yaml <<'END'
name: farmed
image: ./base
memory_mb: 200
args: [/bin/sh, -c, "echo here; exit 3"]
END
ok "a case is captured" romsim capture -q app.yaml --with-root -o cases/a-same.tar.zst
mkdir x && tar -C x --zstd -xf cases/a-same.tar.zst
jq '.outcome.exit_code = 4' x/case.json >head.json && mv head.json x/case.json
tar -C x --zstd -cf "cases/b other's.tar.zst" .
head -c 1000 cases/a-same.tar.zst >cases/c-cut.tar.zst
cp cases/a-same.tar.zst cases/d-same.tar.zst
# One that would go on for ever: its console is never what it was.
sed 's/exit 3/sleep 1000000/' app.yaml >long.yaml
ok "a case of an app that runs on" romsim capture -q long.yaml --with-root --for 5s -o long/on.tar.zst
rm -rf x && mkdir x && tar -C x --zstd -xf long/on.tar.zst
echo "and more" >>x/console.log
jq --arg sum "sha256:$(sha256sum <x/console.log | cut -c1-64)" '.parts["console.log"] = $sum' \
    x/case.json >head.json && mv head.json x/case.json && tar -C x --zstd -cf long/on.tar.zst .

# ---- what is asserted ----------------------------------------------------------------------------

# What a reader of JUnit's XML makes of it: a line for each test.
junit() {
    python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
for suite in tree.parse(sys.argv[1]).getroot():
    print(*(suite.get(key) for key in ("name", "tests", "failures", "errors")))
    for case in sorted(suite, key=lambda case: case.get("name")):
        problem = [part for part in case if part.tag != "system-out"]
        print(case.get("name").rpartition("/")[2],
              *(f"{part.tag}: {part.get('message')}" for part in problem))
PYTHON
}
# The commands of the page that has it.
ln -s "$ROOT/deploy" deploy
mapfile -t commands < <(sed -n 's/^\$ \(deploy\/slurm\/.*\)/\1/p' "$ROOT/docs/farm.md")
is ${#commands[@]} 2 "docs/farm.md has two commands"
replay_all() { timeout 900 "$ROOT/deploy/slurm/replay-all" "$@"; }

fails 125 "a folder with what cannot be run" timeout 900 ${commands[0]}
like "$out" "replays 4 cases in 3 tasks" "is an array, of no more tasks than the cluster allows"
like "$out" "4 cases: 2 the same, 1 with a difference, 1 that could not be run" "and its sums are told"
is "$(junit out/report.xml)" "romsim replay 4 1 1
a-same.tar.zst
b other's.tar.zst failure: exit: exit status 4 there, exit status 3 here
c-cut.tar.zst error: '$T/cases/c-cut.tar.zst' cannot be decompressed: it ends too early
d-same.tar.zst" "the report has all of them"
is "$(cd out && ls [0-9]*.xml | tr '\n' ' ')" "0.xml 1.xml 2.xml " "from one of each task"
like "$(cat out/1.log)" "differs  $T/cases/b other's.tar.zst" "and each task has its log"
like "$(cat "$S/slurmctld.log")" "WEXITSTATUS 125" "Slurm knows of the tasks' exit statuses"

rm cases/c-cut.tar.zst
fails 1 "a folder with a difference" replay_all cases out-1 --time=10
is "$(junit out-1/report.xml | head -n 1)" "romsim replay 3 1 0" "... has no error"
rm cases/b*
ok "a folder in which all is the same, with an option of replay" timeout 900 ${commands[1]}
is "$(junit out-emulated/report.xml | head -n 1)" "romsim replay 2 0 0" "... has no failure"

# Slurm holds to what it was told: 200 MB of the guest, and 256 beside.
is "$(grep -o 'mem=[0-9]*M' <(scontrol show job --oneliner) | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')" \
    "mem=456M" "a task has the memory that its case needs"

fails 125 "more than any node has" replay_all cases out-3 --mem=100G
like "$out" "the array was not submitted" "is told"
fails 125 "a folder without a case" replay_all x out-3
like "$out" "there is no case in '$T/x'" "is told"
is "$(ls -d out-3 2>/dev/null)" "" "and nothing is left of either"

# Who is not patient has a report.
"$ROOT/deploy/slurm/replay-all" long out-4 --time=60 -- --for 60m >said 2>&1 &
replaying=$!
until_true test -e out-4/0.xml && pass "a case that does not end has begun" ||
    fail "a case that does not end has begun" "$(cat said)" "$(squeue)"
until_true compgen -G "$T/tmp/*/romsim/instances/*"
kill -TERM $replaying
wait $replaying
is $? 125 "who is asked to end cancels it"
like "$(junit out-4/report.xml)" "on.tar.zst error: " "and there is a report, of a case that did not end"

# A task that was lost leaves none.
mkdir out-5 && printf '%s\0' cases/lost.tar.zst >out-5/cases
fails 125 "a task without a report" "$ROOT/deploy/slurm/collect" out-5 1
is "$(junit out-5/report.xml)" "romsim replay 1 0 1
lost.tar.zst error: its task has left no report" "is an error in it"

pids=("${daemons[@]}")
until_true sh -c '! pgrep -f "[r]eplay --junit '"$T"'"' # what was cancelled has its time to end
until_true sh -c '! squeue --noheader | grep -q .'
is "$(squeue --noheader)" "" "no job is left"
end_cluster
is "$(for pid in "${pids[@]}"; do ps -o args= -p "$pid"; done; pgrep -af "$S|[s]lurmstepd|[r]eplay .*$T")" \
    "" "and no process"
is "$(ls -A tmp)" "" "and no folder of a task"
done_testing
