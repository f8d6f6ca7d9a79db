#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# timings.sh: `run --timings` says how long each step of a start took.
. "$(dirname "$0")/../lib.sh"
need guest "the steps of a start" || done_testing
need jq "timings in JSON" || done_testing

"$SAMPLES/busybox-base.sh" base
steps() { jq -r '.steps[].step' "$1" | tr '\n' ' '; }
# QEMU answers while the guest boots: that step's place is no one's.
ordered() { steps "$1" | sed 's/ qemu / /'; }

romsim run --timings --image ./base --args "echo begun" >stdout 2>stderr
is "$? $(cat stdout)" "0 begun" "--timings leaves standard output to the app"
like "$(cat stderr)" "romsim: how long the start took, in milliseconds:" "it is a table on stderr"
is "$(sed -n 's/^ *[0-9]*\.[0-9]  \(in all\|[a-z]*\) .*/\1/p' stderr | sort | tr '\n' ' ')" \
    "app begin devices drives firmware images in all instance kernel lines modules mounts network output processor qemu root " \
    "with a row for each step and the sum"
is "$(awk '/^ *[0-9]+\.[0-9]  / { gsub("\\.", "", $1); if ($2 == "in") all = $1; else sum += $1 }
    END { off = all - sum; print off * off <= 17 * 17 }' stderr)" 1 "which it is, but for the digits"

ok "--timings=FILE is silent" romsim run -q --timings=one.json --image ./base --args true
is "$out" "" "on the terminal"
is "$(jq -r .name one.json | wc -l)" 1 "and an object in the file"
is "$(ordered one.json)" \
    "instance processor images begin drives firmware kernel modules lines devices root network mounts app " \
    "with the steps in their order; who says nothing has no output"
is "$(jq '([.steps[].time_us] | add) == .time_us and all(.steps[]; .time_us >= 0)' one.json)" true \
    "and the sum of their times"

# ---- with ports it is over when the first of them answers, and several have their own
cat >two.yaml <<'END'
- name: one
  image: ./base
  args: [/bin/sh, -c, "echo a line; exec httpd -f -p 80"]
  service_group: {services: [{port: 443, destination_port: 80}]}
- {name: other, image: ./base, args: [/bin/echo, of the other]}
END
ok "what is not followed any more is timed until it runs" \
    romsim run --detach --timings=two.json two.yaml
is "$(jq -r .name two.json | sort | tr '\n' ' ')" "one other " "each has its line"
is "$(jq -s 'all(.[]; any(.steps[]; .step == "app"))' two.json)" true "up to its app"
romsim stop one other >/dev/null 2>&1
romsim rm one other >/dev/null 2>&1
mkfifo output
"$ROMSIM" run --timings=three.json two.yaml >/dev/null 2>output &
pid=$!
# To its end: who does not read on ends the instances.
while read -r line; do
    case $line in *"one answers at"*) kill -INT $pid ;; esac
done <output
wait $pid
is "$(jq -r 'select(.name == "one").steps[].step' three.json | grep -c '^port$')" 1 \
    "with a port the start is over when that accepts connections"

# ---- a clone's boot was done before
ok "a template" romsim template create saved --at-init --image ./base --args "echo a clone"
ok "a clone" romsim run -q --timings=clone.json --template saved
is "$(ordered clone.json)" "instance processor images begin drives app output " \
    "begins where its template was saved"
romsim template rm saved

# ---- what cannot be
fails 125 "a file that cannot be made stops the start" \
    romsim run --timings=no/where --image ./base --args true
like "$out" "romsim: error: --timings: cannot write 'no/where': No such file" "by its name"
if [ -c /dev/full ]; then
    fails 7 "the app goes on without its timings" \
        romsim run --timings=/dev/full --image ./base --args "sh -c 'exit 7'"
    like "$out" "error: cannot write the timings: No space left" "and that is said"
fi
done_testing
