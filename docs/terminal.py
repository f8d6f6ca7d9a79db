#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""terminal.py ROMSIM >docs/terminal.svg: the picture of the README, of a real run.

To be run in the checkout's folder, with `make all guest samples` done.  The commands are run as they
are shown, with ROMSIM for `romsim`; tests/vm/pages.sh compares what they print with the picture.
"""

import html
import subprocess
import sys

COMMANDS = [
    "cat samples/bugs/no-exec-bit/instance.yaml",
    "romsim check samples/bugs/no-exec-bit/instance.yaml",
    "romsim run --args '/bin/sh /app/start.sh' samples/bugs/no-exec-bit/instance.yaml",
]
COLUMNS, LINE, LETTER, MARGIN = 100, 18, 8.0, 16
COLOURS = [("mount /dev/", "#8b949e"), ("  hint:", "#8b949e")]


def lines_of(romsim):
    """Each command behind "$ ", and what it prints, at most COLUMNS wide."""
    for command in COMMANDS:
        yield "$ " + command
        run = subprocess.run(["bash", "-c", f'romsim() {{ "{romsim}" "$@"; }}; {command}'],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             stdin=subprocess.DEVNULL, check=False)
        for line in run.stdout.strip().splitlines():
            while line:
                yield line[:COLUMNS]
                line = line[COLUMNS:]
        yield ""


def colour_of(line):
    if line.startswith("$ "):
        return "#58a6ff"
    if ": error: " in line:
        return "#ff7b72"
    return next((colour for begin, colour in COLOURS if line.startswith(begin)), "#e6edf3")


def main():
    lines = list(lines_of(sys.argv[1]))[:-1]
    width, height = COLUMNS * LETTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
          f'viewBox="0 0 {width:.0f} {height}" role="img">')
    print("<title>romsim in a terminal: an instance file, an error that check tells, a run</title>")
    print(f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#0d1117"/>')
    print('<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13" '
          'xml:space="preserve">')
    for number, line in enumerate(lines, 1):
        if line:
            print(f'<text x="{MARGIN}" y="{MARGIN + number * LINE - 5}" textLength="'
                  f'{len(line) * LETTER:.0f}" fill="{colour_of(line)}">{html.escape(line)}</text>')
    print("</g>\n</svg>")


main()
