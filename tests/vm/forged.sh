#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# forged.sh: the app is root in the guest and may write on init's own line to the host what it wants:
# that does no more than the app could do anyway, and the end is still the app's.
. "$(dirname "$0")/../lib.sh"
need guest "forged reports" || done_testing
need gcc "forged reports" || done_testing

"$SAMPLES/busybox-base.sh" base
gcc -std=gnu17 -static -O2 -D_GNU_SOURCE -o base/bin/tool "$ROOT/tests/vm/guest_tool.c" || exit 1

# forged REPEATS TEXT STATUS WHAT: the app writes that, and ends with 7.
forged() {
    cat >forged.yaml <<END
image: ./base
args: [/bin/sh, -c, 'tool forge "\$1" "\$2" && exit 7', sh, "$1", '$2']
service_group: {services: [{port: 443, destination_port: 8080}]}
END
    fails "$3" "$4" timeout 100 "$ROMSIM" run --verbose forged.yaml
}
times() { grep -c -- "$1" <<<"$out"; }

forged 1 'no end' 7 "a line without an end does not swallow init's report"
forged 2000 '\0' 7 "nor does a very long one"
forged 1 'failed to be true\n' 7 "'failed' after the app's start is no failed boot"
unlike "$out" "to be true" "and is not believed"
forged 20000 'port 8080\nphase app\nphase hello\nerror one\nerror other\nloopback 8080\nport 1\n' 7 \
    "a flood of reports"
is "$(times "answers at") $(times " app$") $(times " hello$") $(times "error: ") $(times "listens on")" \
    "1 1 1 1 1" "is one line each"
forged 1 'exit what\nexit 999 1\nnonsense\n' 7 "a report that cannot be is passed over"
fails 3 "one of a console without end does not make the run one" timeout 100 "$ROMSIM" run -q \
    --image ./base --args "sh -c 'tool forge 1 \"exit 3 99999999999\n\"; exec yes'"
done_testing
