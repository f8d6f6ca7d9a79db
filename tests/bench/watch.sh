#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# watch.sh: how long after a file of a ROM is saved an instance answers with it: a small server under
# `run --watch`; the Python function, of which most is Python's own start, under that and under
# `edit --watch`, and as a clone of a template that has this behind it; beside an instance that is
# started anew.
#
#     tests/bench/watch.sh [TIMES]
. "$(dirname "$0")/../lib.sh"
times=${1:-${ROUNDS:-5}}
for tool in guest python3; do
    can "$tool" || { echo "skipped: $why"; exit 0; }
done
[ -e "$ROOT/build/samples/python-base.tar" ] || { echo "skipped: make samples"; exit 0; }
"$SAMPLES/busybox-base.sh" base
trap 'romsim rm --all >/dev/null 2>&1; cleanup' EXIT
export ROMSIM ROOT TIMES=$times
python3 - <<'END'
import json, os, re, signal, statistics, subprocess, sys, time, urllib.request

ROMSIM = os.environ['ROMSIM']
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


PYTHON = {'image': os.environ['ROOT'] + '/build/samples/python-base.tar',
          'args': ['/usr/bin/python3', '-I', '-S', '/server.py'], 'memory_mb': 512}
SMALL = {'image': './base', 'args': ['httpd', '-f', '-p', '8080', '-h', '/rom'], 'memory_mb': 128}
CLONE = {'template': {'name': 'python'}}
# What runs, and how it is watched; None: it is started anew.
WAYS = {'small': (SMALL, 'run'), 'clone': (CLONE, 'run'), 'run': (PYTHON, 'run'),
        'edit': (PYTHON, 'edit'), 'cold': (PYTHON, None)}


def save(name, text):
    """As editors do it: a new file that takes the old one's place."""
    rom = 'rom-' + name
    os.makedirs(rom, exist_ok=True)
    small = WAYS[name][0] is SMALL
    with open(rom + '/.new', 'w') as file:
        file.write(text if small else 'def handler(request):\n    return "%s"\n' % text)
    os.rename(rom + '/.new', rom + ('/x' if small else '/python_function.py'))


def describe(name):
    with open(name + '.json', 'w') as file:
        json.dump({**WAYS[name][0], 'name': name,
                   'service_group': {'services': [{'port': 8080}]},
                   'roms': [{'name': 'function', 'dir': 'rom-' + name, 'at': '/rom'}]}, file)
    return name + '.json'


def follow(*words):
    return subprocess.Popen([ROMSIM, *words], text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def await_line(process, pattern):
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(pattern, line):
            return found
    sys.exit('watch: it ended early:\n' + ''.join(said))


def expect(url, text):
    found = opener.open(url + '/x', timeout=60).read().decode().strip()
    assert found == text, (found, text)
    return time.monotonic()


def end(process):
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    process.wait()


URL = r'http://127\.0\.0\.1:\d+'
with open('template.json', 'w') as file:
    json.dump({**PYTHON, 'args': PYTHON['args'] + ['--template']}, file)
subprocess.run([ROMSIM, 'template', 'create', '-q', 'python', 'template.json'], check=True)
watchers = {}
for name, (_, how) in WAYS.items():
    save(name, 'before')
    describe(name)
    if how == 'edit':
        subprocess.run([ROMSIM, 'run', '-dq', name + '.json'], check=True,
                       stdout=subprocess.DEVNULL)
        watchers[name] = follow('edit', name, '--watch')
        await_line(watchers[name], 'is watched')
    elif how == 'run':
        watchers[name] = follow('run', '--watch', name + '.json')
        expect(await_line(watchers[name], URL)[0], 'before')
taken = {name: [] for name in WAYS}
for round in range(int(os.environ['TIMES']) + 1):
    for name in WAYS:
        text = '%s %d' % (name, round)
        begin = time.monotonic()
        save(name, text)
        if name in watchers:
            url = await_line(watchers[name], 'changed, answers at (%s)' % URL)[1]
        else:
            cold = follow('run', name + '.json')
            url = await_line(cold, URL)[0]
        taken[name].append(expect(url, text) - begin)
        if name not in watchers:
            end(cold)
first = {name: times.pop(0) for name, times in taken.items()}
for watcher in watchers.values():
    end(watcher)
median = {name: statistics.median(values) for name, values in taken.items()}
print('from the saved file to the answer over HTTP (s, median of %d)' % len(taken['run']))
print('  httpd, run --watch             %8.2f' % median['small'])
print('  Python function, a clone       %8.2f (wanted: at most 1.00)' % median['clone'])
print('  Python function, run --watch   %8.2f' % median['run'])
print('  Python function, edit --watch  %8.2f, the first one %.2f' % (median['edit'], first['edit']))
print('  Python function, started anew  %8.2f' % median['cold'])
print('row: run --watch, a saved file to the answer of a small server | %.2f s | - | at most 1 s' %
      median['small'])
print('row: the same of the Python function as a clone of a template | %.2f s | %.2f s, '
      'started anew | at most 1 s' % (median['clone'], median['cold']))
print('row: the same of the Python function from its image | %.2f s | %.2f s, '
      'started anew | at most 1 s' % (median['run'], median['cold']))
print('row: edit --watch, the same | %.2f s | %.2f s, started anew | -' %
      (median['edit'], median['cold']))
END
