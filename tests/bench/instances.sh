#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# instances.sh: what instances of one base cost this machine beyond the memory of their guests: the
# keeper of each, with its ROMs and its share of what all have in common (Pss), and, apart from
# that, QEMU without the guest's RAM.  The aim is that romsim's part is less than 8 MB an instance.
#
#     tests/bench/instances.sh [COUNT]
. "$(dirname "$0")/../lib.sh"
count_of=${1:-4}
for tool in guest python3; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done

"$SAMPLES/busybox-base.sh" base
{
    for number in $(seq "$count_of"); do
        echo "- name: i$number
  image: ./base
  args: [/bin/sh, -c, 'cat /www/f; while :; do sleep 10; done']
  roms: [{name: www, files: [{path: f, data: 'instance $number'}], at: /www}]"
    done
} >all.yaml
trap 'romsim rm --all >/dev/null 2>&1; cleanup' EXIT
romsim run -dq all.yaml >/dev/null || exit 1
romsim ps --json >ps.json
python3 - <<'END'
import json, os, re, sys

RAM_KB = 128 << 10
state = os.environ['XDG_RUNTIME_DIR'] + '/romsim/instances/%s/state.json'


def maps(pid):
    """Each mapping of a process: its size and its share, in kB."""
    sizes = {}
    for line in open('/proc/%d/smaps' % pid):
        match = re.match(r'(Size|Pss): +(\d+) kB', line)
        if match:
            sizes[match[1]] = int(match[2])
            if match[1] == 'Pss':
                yield sizes['Size'], sizes['Pss']


def rollup(pid):
    text = open('/proc/%d/smaps_rollup' % pid).read()
    value = lambda key: int(re.search(r'^%s: +(\d+)' % key, text, re.M)[1])
    return value('Pss'), value('Private_Dirty') + value('Private_Clean')


items = json.load(open('ps.json'))
print('memory of %d instances of one base, 128 MB each, beside their guests (MB)' % len(items))
print('  %-6s %12s %14s %12s %12s' % ('', 'keeper', 'its own pages', 'QEMU', 'guest'))
keepers = 0
for item in items:
    record = json.load(open(state % item['name']))
    keeper, private = rollup(record['owner']['pid'])
    qemu = record['processes'][0]['pid']
    guest = sum(pss for size, pss in maps(qemu) if size >= RAM_KB and size < 2 * RAM_KB)
    if not guest:
        sys.exit("instances: the guest's memory was not found in QEMU's")
    keepers += keeper
    print('  %-6s %12.1f %14.1f %12.1f %12.1f' %
          (item['name'], keeper / 1024, private / 1024, (rollup(qemu)[0] - guest) / 1024,
           guest / 1024))
print('ratio: memory of a keeper to 8 MB: %.2f (wanted: at most 1.00)' %
      (keepers / len(items) / 1024 / 8))
END
