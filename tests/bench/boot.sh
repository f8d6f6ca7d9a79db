#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# boot.sh: cold start of samples/hello under TCG, from `romsim run` to the app's first output, and,
# in the same run, of the same guest on the plain distribution kernel: its bzImage, on QEMU's
# default machine, with -cpu max.  Absolute figures depend on the machine, the ratio counts: the
# aim is 3.5 s where the plain one takes 4.8 s (0.73).  With a tiny kernel (`make guest KERNEL=tiny`)
# that one starts, too: the aim is 0.8 s where the distribution's takes 1.1 s.
#
#     tests/bench/boot.sh [ROUNDS]
set -eu
cd "$(dirname "$0")/../.."
exec python3 - "${BUILD:-build}/romsim" "${1:-${ROUNDS:-5}}" <<'END'
import glob, json, os, re, socket, subprocess, sys, tempfile, time

romsim, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2])
guest = os.path.abspath('build/guest')
tiny = os.path.abspath('build/guest-tiny')
with open('sim/guest/manifest.h') as header:
    speaks = re.search('MANIFEST_GREETING +"(.*)"', header.read())[1].encode()
bzimage = glob.glob('build/guest-work/unpacked/boot/vmlinuz-*')
if not bzimage or not os.path.exists('build/samples/busybox'):
    sys.exit("boot: run 'make guest samples' first")
folder = tempfile.mkdtemp(prefix='romsim-bench.')
os.environ.update(XDG_CACHE_HOME=folder, XDG_RUNTIME_DIR=folder, XDG_DATA_HOME=folder)
hello = 'samples/hello/instance.yaml'
greeting = b'Hello from a ROM!'


def record(key, value):
    return b'%s %d\n%s\n' % (key.encode(), len(value), value.encode())


def plain():
    """The plain kernel: seconds from QEMU's start to the greeting."""
    body = b''.join(record(k, v) for k, v in (
        ('hostname', 'hello'), ('address', '10.0.2.15/24'), ('gateway', '10.0.2.2'),
        ('root', 'ukp_rom0'), ('device', 'ukp_rom0 ro '), ('device', 'ukp_rom1 ro ukp_rom_app'),
        ('mount', 'ukp_rom1 erofs ro /rom'), ('cwd', '/'),
        ('arg', '/bin/sh'), ('arg', '/rom/hello.sh'), ('env', 'PATH=/bin')))
    lines = {}
    command = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-no-reboot',
               '-display', 'none', '-accel', 'tcg', '-cpu', 'max', '-m', '128',
               '-kernel', bzimage[0], '-initrd', guest + '/initrd',
               '-append', 'console=ttyS0 quiet panic=-1 rdinit=/init',
               '-serial', 'null', '-device', 'virtio-serial-pci',
               '-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n,romfile=']
    theirs = []
    for name in ('console', 'control'):
        lines[name], end = socket.socketpair()
        os.set_inheritable(end.fileno(), True)
        theirs.append(end)
        command += ['-chardev', 'socket,id=%s,fd=%d' % (name, end.fileno()), '-device',
                    'virtserialport,chardev=%s,name=romsim.%s' % (name, name)]
    for index, image in enumerate((root, folder + '/built/app.erofs')):
        command += ['-drive', 'if=none,id=d%d,format=raw,readonly=on,file=%s' % (index, image),
                    '-device', 'virtio-blk-pci,drive=d%d,serial=ukp_rom%d' % (index, index)]
    start = time.monotonic()
    qemu = subprocess.Popen(command, close_fds=False)
    for end in theirs:
        end.close()
    lines['control'].sendall(b'%s%d\n%s' % (speaks, len(body), body))
    text = b''
    while greeting not in text:
        piece = lines['console'].recv(4096)
        if not piece:
            sys.exit('boot: the plain guest ended early')
        text += piece
    elapsed = time.monotonic() - start
    qemu.kill()
    qemu.wait()
    return elapsed


def ours(bundle):
    """romsim: seconds to the greeting, and its steps with their seconds."""
    timings = folder + '/timings'
    start = time.monotonic()
    run = subprocess.Popen([romsim, 'run', '--quiet', '--timings=' + timings, '--accel', 'tcg',
                            hello], env={**os.environ, 'ROMSIM_GUEST': bundle},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while greeting not in (line := run.stdout.readline()):
        if not line:
            sys.exit('boot: ' + run.stderr.read().decode())
    elapsed = time.monotonic() - start
    run.communicate()
    with open(timings) as file:
        return elapsed, {step['step']: step['time_us'] / 1e6 for step in json.load(file)['steps']}


subprocess.run([romsim, 'build', hello, '-o', folder + '/built'], check=True,
               stdout=subprocess.DEVNULL)
ours(guest)  # builds the root and fills the caches, for both
root = max(glob.glob(folder + '/romsim/**/*', recursive=True), key=os.path.getsize)
own = {'romsim': guest}
if os.path.exists(tiny + '/info'):
    own['tiny'] = tiny
figures = {'plain': [], **{name: [] for name in own}}
best = {}
for _ in range(rounds):
    figures['plain'].append(plain())
    for name, bundle in own.items():
        elapsed, steps = ours(bundle)
        figures[name].append(elapsed)
        if elapsed == min(figures[name]):
            best[name] = steps
print('cold start of samples/hello to its first output, TCG, %d rounds (seconds: best, median)'
      % rounds)
for name, text in (('plain', 'bzImage, -cpu max'), ('romsim', 'romsim run'),
                   ('tiny', '... the tiny kernel')):
    times = sorted(figures.get(name, []))
    if times:
        print('  %-20s %5.2f  %5.2f' % (text, times[0], times[len(times) // 2]))
    else:
        print("  %-20s none: 'make guest KERNEL=tiny'" % text)
median = {name: sorted(times)[len(times) // 2] for name, times in figures.items()}
print('row: cold start of samples/hello to its first output, TCG | %.2f s | %.2f s, '
      'bzImage with -cpu max | at most 0.73' % (median['romsim'], median['plain']))
print('row: the same, as seconds | %.2f s | - | at most 1.1 s' % median['romsim'])
if 'tiny' in own:
    print('row: the same with the tiny kernel | %.2f s | %.2f s, the distribution\'s kernel | '
          'at most 0.73' % (median['tiny'], median['romsim']))
    print('row: the same with the tiny kernel, as seconds | %.2f s | - | at most 0.8 s' %
          median['tiny'])
for name, steps in best.items():
    print('the steps of %s (the best round, milliseconds):' % name)
    for step, seconds in steps.items():
        print('  %-9s %7.1f' % (step, 1000 * seconds))
    print('  before QEMU %5.1f' % (1000 * sum(
        steps[step] for step in ('instance', 'processor', 'images', 'begin', 'drives'))))
subprocess.run(['rm', '-rf', folder])
END
