#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# libukp.sh: /uk/libukp in the guest, by which an app speaks with the platform.
. "$(dirname "$0")/../lib.sh"
need guest "apps that speak with the platform" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir scripts
cat >scripts/talk.sh <<'END'
cd /uk/libukp
ls -l | awk 'NR > 1 { print $1, $NF }'
stat -f . >/dev/null && echo "statfs is answered"
try() { if printf "$1" 2>/dev/null >scale_to_zero_disable; then cat scale_to_zero_disable; else echo "refused $1"; fi; }
cat scale_to_zero_disable
try +; try +4; try '-\n'; try =7; try -7; try -; try =; try 5; try =x; try +1x; try =9999999999; try '=2147483647'; try +; try '=0\n'
try "=0000000000000000000000000000000000001"
head -c 1 scale_to_zero_disable; echo
dd if=scale_to_zero_disable bs=1 skip=1 2>/dev/null
cat template_instance 2>/dev/null; echo "reading it: $?"
(echo 2 >template_instance) 2>/dev/null; echo "writing 2: $?"
(echo 1 >template_instance) 2>/dev/null; echo "writing 1: $?"
(printf 1 >template_instance) 2>/dev/null; echo "again: $?"
(echo x >other) 2>/dev/null; echo "another file: $?"
(mkdir d || rm scale_to_zero_disable || mv template_instance x) 2>/dev/null; echo "changing names: $?"
i=0; while [ $i -lt 300 ]; do echo 1 >template_instance; i=$((i + 1)); done; echo "300 times"
exit 5
END
cat >talk.yaml <<'END'
image: ./base
args: [/bin/sh, /s/talk.sh]
roms: [{name: scripts, dir: scripts, at: /s}]
END
fails 5 "an app speaks with the platform, and ends" timeout 120 "$ROMSIM" run -q talk.yaml
printf '%s\n' "$out" | grep -v '^mount' >got
cat >wanted <<'END'
-rw-r--r-- scale_to_zero_disable
--w------- template_instance
statfs is answered
=0
=1
=5
=4
=7
=0
refused -
refused =
refused 5
refused =x
refused +1x
refused =9999999999
=2147483647
refused +
=0
refused =0000000000000000000000000000000000001
=
0
reading it: 0
writing 2: 1
writing 1: 0
again: 0
another file: 1
changing names: 1
300 times
END
same got wanted "a count that is changed in five ways, and a write of 1 that returns"

# ---- one that waits there is ended all the same, and so is one whose image has a file there
cat >stuck.yaml <<'END'
image: ./base
args: [/bin/sh, -c, "cd /uk/libukp; (while :; do echo 1; done >template_instance) & (while :; do cat scale_to_zero_disable; done >/dev/null) & sleep 1; exit 6"]
END
fails 6 "who is busy with it does not hold up the end" timeout 60 "$ROMSIM" run -q stuck.yaml
mkdir -p other && cp -a base other/ && echo file >other/base/uk
cat >file.yaml <<'END'
image: ./other/base
args: [/bin/sh, -c, "cat /uk"]
END
ok "an image that has a file there keeps it" timeout 60 "$ROMSIM" run -q file.yaml
like "$out" "file" "and it is seen"
done_testing
