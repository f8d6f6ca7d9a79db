#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# standby.sh: how long who connects to an instance in standby waits for the answer, saved or not, and
# what the keeper that serves its ports costs one that is awake, beside QEMU that serves them.
#
#     tests/bench/standby.sh [TIMES]
. "$(dirname "$0")/../lib.sh"
times=${1:-5}
for tool in guest python3; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done
"$SAMPLES/busybox-base.sh" base
mkdir www
echo hello >www/x
head -c 100M /dev/zero >www/large
trap 'romsim rm --all >/dev/null 2>&1; cleanup' EXIT
for name in saved cold plain; do
    romsim run -q -d -n "$name" --image ./base --args 'httpd -f -p 8080 -h /rom' -p 8080 -m 256 \
        --rom name=www,image=./www,at=/rom --scale-to-zero \
        "policy=$([ $name = plain ] && echo off || echo on),cooldown-time=100,stateful=$([ $name = cold ] && echo false || echo true)" \
        >/dev/null || exit 1
done
export ROMSIM TIMES=$times
python3 - <<'END'
import json, os, statistics, subprocess, time, urllib.request

ROMSIM = os.environ['ROMSIM']
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def url(name):
    item = json.loads(subprocess.run([ROMSIM, 'get', name, '-o', 'json'], capture_output=True,
                                     check=True).stdout)
    return (item[0] if isinstance(item, list) else item)['romsim']['ports'][0]['url']


def timed(name, path):
    begin = time.monotonic()
    size = len(opener.open(url_of[name] + path, timeout=60).read())
    return time.monotonic() - begin, size


def woken(name):
    subprocess.run([ROMSIM, 'wait', name, '--state', 'standby'], check=True, capture_output=True)
    return timed(name, '/x')[0]


url_of = {name: url(name) for name in ('saved', 'cold', 'plain')}
taken = {name: [] for name in url_of}
rates = {name: [] for name in url_of}
for _ in range(int(os.environ['TIMES'])):
    for name in ('saved', 'cold'):
        taken[name].append(woken(name))
    taken['plain'].append(timed('plain', '/x')[0])
    for name in ('saved', 'plain'):
        took, size = timed(name, '/large')
        rates[name].append(size / took / 1e6)
print('to the answer over HTTP (s, median of %d)' % len(taken['plain']))
print('  from standby, saved     %8.3f (wanted: at most 0.40)' % statistics.median(taken['saved']))
print('  from standby, not saved %8.3f' % statistics.median(taken['cold']))
print('  awake                   %8.3f' % statistics.median(taken['plain']))
print('row: an instance in standby, saved, to its answer | %.3f s | %.3f s, not saved | at most 0.4 s' %
      (statistics.median(taken['saved']), statistics.median(taken['cold'])))
print('ratio: what a port that the keeper serves carries, to one of QEMU: %.2f' %
      (statistics.median(rates['saved']) / statistics.median(rates['plain'])))
END
