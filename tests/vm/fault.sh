#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fault.sh: what a guest sees of a ROM with which something goes wrong.
. "$(dirname "$0")/../lib.sh"
need guest "faults in a guest" || done_testing
need fuse "faults in a guest" || done_testing

"$SAMPLES/busybox-base.sh" base
mkdir rom
echo one >rom/one
head -c 20000 /dev/zero | tr '\0' x >rom/big
cat >web.yaml <<'END'
name: faulty
image: ./base
args: [/bin/sh, -c, "cat /rom/one; cat /rom/big >/dev/null && echo all of it"]
memory_mb: 128
roms: [{name: config, image: ./rom, at: /rom}]
END
fails 1 "a file that cannot be read" romsim run --fault rom=config,read=eio,path=/big web.yaml
like "$out" "made to go wrong, by --fault: rom=config,read=eio,path=/big" "the console says why"
like "$out" "one" "other files can be read"
like "$out" "Input/output error" "the app sees EIO"
romsim run --fault rom=config,mount=fail web.yaml >mount.log 2>&1
like "$(cat mount.log)" "cannot mount /dev/ukp_rom1" "an image without a superblock is not mounted"
fails 1 "a device that ends too early" romsim run --fault rom=config,truncate=12K web.yaml
like "$out" "Input/output error" "gives EIO, too"
ok "a slow one" romsim run --fault rom=config,latency=20ms,jitter=10ms,bandwidth=1M,slow-attach=1s \
    web.yaml
like "$out" "all of it" "is read to its end"
done_testing
