#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# clone.sh: how long the Python function takes to its first answer over HTTP, from a cold start and
# as a clone of a template; and what ten clones at once take of this machine's memory.
#
#     tests/bench/clone.sh [TIMES]
. "$(dirname "$0")/../lib.sh"
times=${1:-${ROUNDS:-5}}
for tool in guest python3; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done
functions=$SAMPLES/python-functions
[ -e "$ROOT/build/samples/python-base.tar" ] || { echo "skipped: make samples"; exit 0; }
romsim image build "$functions/base" -t my-org/http-python:latest >/dev/null || exit 1
romsim image build "$functions/rom1" -t my-org/my-rom1:latest >/dev/null || exit 1
romsim image build "$functions/rom2" -t my-org/my-rom2:latest >/dev/null || exit 1
romsim template create -q python "$functions/template.yaml" || exit 1
trap 'romsim rm --all >/dev/null 2>&1; cleanup' EXIT
export ROMSIM TIMES=$times
python3 - <<'END'
import json, os, re, signal, statistics, subprocess, time, urllib.request

ROMSIM = os.environ['ROMSIM']
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def start(what, rom):
    instance = dict(what, service_group={'services': [{'port': 8080}]},
                    roms=[{'name': 'python_function', 'image': 'my-org/my-rom%d:latest' % rom,
                           'at': '/rom'}])
    process = subprocess.Popen([ROMSIM, 'run', '-'], stdin=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(json.dumps(instance))
    process.stdin.close()
    return process


def answer(process, rom):
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r'http://127\.0\.0\.1:\d+', line)
        if found:
            text = opener.open(found[0], timeout=60).read().decode()
            assert ('1st' if rom == 1 else '2nd') in text, text
            return time.monotonic()
    raise SystemExit('clone: an instance ended before it could be asked:\n' + ''.join(said))


def end(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.stderr.read()
        process.wait()


def once(what):
    begin = time.monotonic()
    process = start(what, 1)
    took = answer(process, 1) - begin
    end([process])
    return took


def guests_kb():
    """The share of each page that all QEMUs of this user's instances have."""
    total = 0
    ps = json.loads(subprocess.run([ROMSIM, 'ps', '--json'], capture_output=True).stdout)
    for item in ps:
        record = json.load(open('%s/romsim/instances/%s/state.json' %
                                (os.environ['XDG_RUNTIME_DIR'], item['name'])))
        for process in record['processes']:
            text = open('/proc/%d/smaps_rollup' % process['pid']).read()
            total += int(re.search(r'^Pss: +(\d+)', text, re.M)[1])
    return len(ps), total


COLD = {'image': 'my-org/http-python:latest', 'memory_mb': 512}
CLONE = {'template': {'name': 'python'}}
cold, clone = [], []
for _ in range(int(os.environ['TIMES'])):
    cold.append(once(COLD))
    clone.append(once(CLONE))
print('to the first answer over HTTP (s, median of %d)' % len(cold))
print('  cold start %8.2f' % statistics.median(cold))
print('  clone      %8.2f (wanted: at most 0.50)' % statistics.median(clone))
print('row: a clone of the Python function to its first answer | %.2f s | %.2f s, cold start | '
      'at most 0.20' % (statistics.median(clone), statistics.median(cold)))
print('row: the same, as seconds | %.2f s | - | at most 0.5 s' % statistics.median(clone))

begin = time.monotonic()
processes = [start(CLONE, 1 + i % 2) for i in range(10)]
for i, process in enumerate(processes):
    last = answer(process, 1 + i % 2)
count, total = guests_kb()
print('ten clones at once: all have answered after %.2f s; QEMUs with their guests: %.0f MB each' %
      (last - begin, total / 1024 / count))
print('ratio: memory of ten clones to ten guests of 512 MB: %.2f' % (total / 1024 / count / 512))
end(processes)
END
