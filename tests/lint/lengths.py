#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reports the lengths of functions and files: one line of figures, one warning a long one.

    lengths.py FILE...

A function's body stands between `{` and `}` in the first column, as clang-format puts them.
"""

import re
import sys

LONG_FUNCTION, LONG_FILE = 100, 600


def functions(lines):
    """(name, first line, lines of the body) of each function."""
    start = name = None
    for number, line in enumerate(lines, 1):
        if start is None and line == "{\n":
            start = number
        elif start is not None and line.startswith("}"):
            if line == "}\n" and name:
                yield name, start, number - start - 1
            start = name = None
        elif start is None:
            found = re.match(r"[a-zA-Z_].*?(\w+)\(", line)
            name = found[1] if found else name


def main():
    lengths, warnings = [], []
    for path in sys.argv[1:]:
        lines = open(path, encoding="utf-8").readlines()
        if len(lines) > LONG_FILE:
            warnings.append(f"{path}: {len(lines)} lines (over {LONG_FILE})")
        for name, start, length in functions(lines):
            lengths.append(length)
            if length > LONG_FUNCTION:
                warnings.append(f"{path}:{start}: {name}: {length} lines (over {LONG_FUNCTION})")
    for warning in warnings:
        print("warning:", warning)
    if lengths:
        lengths.sort()
        print(f"lengths: {len(lengths)} functions, median {lengths[len(lengths) // 2]},"
              f" p90 {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]} lines")


main()
