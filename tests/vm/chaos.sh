#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# chaos.sh: a dozen instances of one base, to which everything happens at random; 'ps' tells the
# truth all the time, and when they are deleted nothing is left.
#
#     CHAOS_SECONDS=20        how long; `make chaos` takes two minutes
#     CHAOS_SEED=N            the same actions again (what they meet depends on the time they take)
#     CHAOS_INSTANCES=12      fewer where memory is short, which is said
. "$(dirname "$0")/../lib.sh"
need guest "chaos" || done_testing
need fuse "chaos" || done_testing # QEMU is found by the drives that it opens

export TMPDIR=$T/tmp ROMSIM
mkdir "$TMPDIR"
"$SAMPLES/busybox-base.sh" base
romsim run -q --image ./base --args true || exit 1 # the base is built once, the accelerator is known

cat >chaos.py <<'END'
import json, os, random, re, signal, subprocess, sys, threading, time, urllib.request

romsim = os.environ['ROMSIM']
folder = os.environ['XDG_RUNTIME_DIR'] + '/romsim/instances'
seconds = int(os.environ.get('CHAOS_SECONDS') or 20)
seed = int(os.environ.get('CHAOS_SEED') or random.randrange(1 << 31))
available = int(re.search(r'MemAvailable: *(\d+)', open('/proc/meminfo').read())[1]) >> 10
wanted = int(os.environ.get('CHAOS_INSTANCES') or 12)
count = max(2, min(wanted, available // 240)) # 128 MB each, and what QEMU takes, and some for others
if count < wanted:
    print('# %d MB of memory are free: %d instances, not %d' % (available, count, wanted))
print('# CHAOS_SEED=%d CHAOS_SECONDS=%d, %d instances' % (seed, seconds, count), flush=True)
random.seed(seed)
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
names = ['c%d' % number for number in range(count)]
problems, done = [], {}
lock = threading.Lock()
LIVE = ('starting', 'running', 'draining', 'stopping')
ORDER = LIVE + ('stopped',)


def problem(text):
    with lock:
        problems.append(text)
    print('# problem: ' + text, flush=True)


def run(*words):
    """A command ends with 0, or with 1 and an error that is one: never otherwise, never not at all."""
    try:
        result = subprocess.run((romsim,) + words, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        problem('%s did not end' % ' '.join(words))
        return False
    if result.returncode not in (0, 1) or \
            (result.returncode == 1 and 'romsim: error: ' not in result.stderr):
        problem('%s: %d, %s' % (' '.join(words), result.returncode, result.stderr.strip()))
    with lock:
        key = words[0] + (' ok' if result.returncode == 0 else ' refused')
        done[key] = done.get(key, 0) + 1
    return result.returncode == 0


def make(name):
    number = int(name[1:])
    with open(name + '.yaml', 'w') as file:
        json.dump({'name': name, 'image': './base', 'memory_mb': 128,
                   'restart_policy': ('never', 'always', 'on-failure')[number % 3],
                   'args': ['/bin/sh', '-c', 'httpd -f -p 8080 -h /www'],
                   'service_group': {'services': [{'port': 443, 'destination_port': 8080}]},
                   'roms': [{'name': 'www', 'at': '/www',
                             'files': [{'path': 'index.html', 'data': 'I am ' + name}]}]}, file)
    return run('create', '-q', name + '.yaml')


def record(name):
    try:
        with open('%s/%s/state.json' % (folder, name)) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def qemus():
    """The instances that have a QEMU, by what its command line opens."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            line = open('/proc/%s/cmdline' % pid).read()
            alive = open('/proc/%s/stat' % pid).read().rpartition(')')[2].split()[0] not in 'ZX'
        except OSError:
            continue
        match = re.search(re.escape(folder) + r'/(\w+)/', line)
        if match and alive and 'qemu' in line.split('\0')[0]:
            found[match[1]] = int(pid)
    return found


def ps():
    result = subprocess.run((romsim, 'ps', '-a', '--json'), capture_output=True, text=True)
    if result.returncode:
        problem('ps: ' + result.stderr)
        return []
    return json.loads(result.stdout)


def answers(item):
    """Does the instance serve its own page?"""
    try:
        url = item['romsim']['ports'][0]['url'] + '/index.html'
        return direct.open(url, timeout=30).read().decode() == 'I am ' + item['name']
    except OSError as error:
        item['said'] = str(error)
        return False


# ---- who watches

class Watch(threading.Thread):
    """Looks at `ps`, and at what is there before and after it."""
    def __init__(self):
        super().__init__()
        self.ends, self.looks, self.seen = False, 0, set()
        self.last, self.wrong = {}, {}

    def look(self):
        before = qemus()
        items = ps()
        after = qemus()
        self.looks += 1
        for item in items:
            name, state, starts = item['name'], item['state'], item['start_count']
            self.seen.add(state)
            if state not in ORDER:
                problem('%s is %s' % (name, state))
                continue
            # Of one start the states come in their order, and a start is never undone.
            last = self.last.get(item['uuid'])
            if last and (starts, ORDER.index(state)) < (last[0], ORDER.index(last[1])):
                problem('%s was %s (start %d) and is %s (start %d)' %
                        (name, last[1], last[0], state, starts))
            self.last[item['uuid']] = (starts, state)
            lies = (state in LIVE) != (name in before) and (state in LIVE) != (name in after)
            wrong = (item['uuid'], state, starts)
            since, looks, said = self.wrong.get(name, (None, 0, None))
            if not lies:
                self.wrong.pop(name, None)
            elif said != wrong:
                self.wrong[name] = (time.monotonic(), 1, wrong)
            elif looks == 4 and time.monotonic() - since > 2:
                problem('%s is %s, but has %s QEMU' % (name, state, 'a' if name in after else 'no'))
                self.wrong.pop(name)
            else:
                self.wrong[name] = (since, min(looks + 1, 4), wrong)

    def run(self):
        while not self.ends:
            self.look()
            time.sleep(0.2)


# ---- what happens

def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, TypeError):
        pass


def kill_keeper(name):
    kill(record(name).get('owner', {}).get('pid'))
    make(name)
    run('start', '-q', name)


def kill_qemu(name):
    kill(qemus().get(name))


def end_mount(name):
    point = record(name).get('mount_point')
    if point:
        tool = ('umount', '-l') if os.geteuid() == 0 else ('fusermount3', '-uz')
        subprocess.run(tool + (point,), capture_output=True)


def make_anew(name):
    run('rm', name)
    make(name)
    run('start', '-q', name)


ACTIONS = [
    (4, lambda name: run('start', '-q', name)),
    (2, lambda name: run('stop', '--timeout', '3', name)),
    (1, lambda name: run('stop', '--drain', '1', name)),
    (2, lambda name: run('stop', '--force', name)),
    (2, lambda name: run('restart', '-q', name)),
    (2, kill_qemu),
    (2, kill_keeper),
    (1, end_mount),
    (1, make_anew),
]

for name in names:
    make(name)
watch = Watch()
watch.start()
for name in names:
    run('start', '-q', name)
for item in ps():
    for _ in range(60):
        if answers(item):
            break
        time.sleep(0.5)
    else:
        problem('%s does not answer: %s; its log: %s' % (
            item['name'], item.get('said'), subprocess.run(
                (romsim, 'logs', item['name']), capture_output=True, text=True).stdout))

end = time.monotonic() + seconds
threads = []
while time.monotonic() < end:
    action = random.choices([each[1] for each in ACTIONS], [each[0] for each in ACTIONS])[0]
    thread = threading.Thread(target=action, args=(random.choice(names),))
    pause = random.random()
    thread.start()
    threads.append(thread)
    time.sleep(pause)
    threads = [each for each in threads if each.is_alive()]
    while len(threads) >= 4:
        threads[0].join()
        threads = [each for each in threads if each.is_alive()]
for thread in threads:
    thread.join()
watch.ends = True
watch.join()

# What still runs serves its own page, unless its mount was taken from it.
still = [item for item in ps() if item['state'] == 'running']
for item in still:
    if record(item['name']).get('mount_point') and \
            os.path.ismount(record(item['name'])['mount_point']) and not answers(item):
        for _ in range(60):
            time.sleep(0.5)
            if answers(item):
                break
        else:
            problem('%s runs and does not answer' % item['name'])
if not run('rm', '--all'):
    problem('rm --all failed')
print('# %d looks, states: %s; %s; %d ran to the end' %
      (watch.looks, ' '.join(sorted(watch.seen)),
       ', '.join('%s %d' % each for each in sorted(done.items())), len(still)))
sys.exit(1 if problems else 0)
END
ok "no lie, no hang, no wrong state" python3 -u chaos.py
printf '%s\n' "$out" | grep '^#'
is "$(ls "$XDG_RUNTIME_DIR/romsim/instances")" "" "no folder is left"
is "$(grep -c " $T/" /proc/self/mountinfo)" 0 "no mount"
is "$(pgrep -fc "$XDG_RUNTIME_DIR/romsim/instances")" 0 "no QEMU"
is "$(grep -c "$XDG_RUNTIME_DIR" /proc/net/unix)" 0 "no socket"
is "$(find "$TMPDIR" -mindepth 1)" "" "no temporary file"
# A keeper is a romsim with this test's runtime folder in its environment; it holds the ports.
keepers() {
    local process
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/exe")" = "$(readlink -f "$ROMSIM")" ] &&
            grep -qzxF "XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR" "$process/environ" 2>/dev/null &&
            echo "${process#/proc/}"
    done
}
is "$(keepers)" "" "no keeper, and so no port"
done_testing
