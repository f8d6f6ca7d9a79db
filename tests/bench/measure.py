#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""measure: commands one after the other, round by round, and the medians.

    measure.py ROUNDS [--before COMMAND] NAME=COMMAND...

Commands are the shell's.  Prints for each 'NAME SECONDS PROCESSOR_SECONDS MIB': wall clock,
processor time and peak memory.  The first round only warms the caches up.
"""
import os, statistics, subprocess, sys, time


def once(command):
    start = time.monotonic()
    process = subprocess.Popen(['sh', '-c', 'exec ' + command], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = 0 # it was waited for
    if status:
        sys.exit('measure: %s: %s' % (command, said.decode()))
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    rounds, words = int(sys.argv[1]), sys.argv[2:]
    before = None
    if words[0] == '--before':
        before, words = words[1], words[2:]
    commands = [word.split('=', 1) for word in words]
    taken = {name: [] for name, _ in commands}
    for number in range(rounds + 1):
        for name, command in commands:
            if before:
                subprocess.run(before, shell=True, check=True)
            figures = once(command)
            if number > 0:
                taken[name].append(figures)
    for name, figures in taken.items():
        print(name, *('%.4f' % statistics.median(column) for column in zip(*figures)))


main()
