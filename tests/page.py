#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""page.py PAGE FOLDER: what a page of docs tells its reader to do, as files for tests/pages.sh.

A block between ```console and ``` has commands behind "$ ", which end in "\\" where they go on in the
next line, and below each the lines of its output that matter.  A block ```yaml NAME (or another
language) is the file NAME.  Before a block may stand, on lines of their own:

    <!-- skip: REASON -->     it is not run here
    <!-- fails -->            what its commands say is what counts: they may fail
    <!-- stays -->            its last command goes on, until <!-- end --> or the page's end
    <!-- run: COMMAND -->     run by the test, not shown: what the reader was told to do by words

The steps are N.run, N.hidden, N.fails, N.stays, N.file (with N.name), N.skip (with N.why), N.end; N.lines
is what has to be seen of the output.
"""

import re
import sys


def main():
    page, folder = sys.argv[1:]
    count = 0
    marks = {}
    problems = []

    def step(kind, text, **more):
        nonlocal count
        count += 1
        for suffix, content in {kind: text, **more}.items():
            with open(f"{folder}/{count:03}.{suffix}", "w", encoding="utf-8") as file:
                file.write(content)

    def take_block(info, lines, where):
        language, _, name = info.partition(" ")
        if language != "console":
            if name and "skip" not in marks:
                step("file", "".join(lines), name=name)
            elif language in ("", "sh", "bash", "shell") and "skip" not in marks:
                problems.append(f"line {where}: a block that is neither ```console nor skipped")
            return
        commands = []
        for line in lines:
            if commands and commands[-1][0].endswith("\\\n"):
                commands[-1][0] += line
            elif line.startswith("$ "):
                commands.append([line[2:], ""])
            elif commands:
                commands[-1][1] += line
            else:
                problems.append(f"line {where}: output before a command")
        for i, (command, shown) in enumerate(commands):
            if "skip" in marks:
                step("skip", command, why=marks["skip"] + "\n")
            elif "fails" in marks:
                step("fails", command, lines=shown)
            else:
                is_last = i == len(commands) - 1
                step("stays" if is_last and "stays" in marks else "run", command, lines=shown)

    block = None
    before = "\n"
    with open(page, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            mark = re.fullmatch(r"<!-- (skip|fails|stays|run|end)(?:: (.*))? -->\n", line)
            if block is not None:
                if line == "```\n":
                    take_block(info, block, where)
                    block, marks = None, {}
                else:
                    block.append(line)
            elif line.startswith("```"):
                info, block, where = line[3:].strip(), [], number
            elif mark and mark[1] == "run":
                step("hidden", mark[2] + "\n")
            elif mark and mark[1] == "end":
                step("end", "")
            elif mark:
                marks[mark[1]] = mark[2] or ""
            elif line.startswith("<!--"):
                problems.append(f"line {number}: an unknown mark")
            elif line.startswith("    ") and before == "\n":
                problems.append(f"line {number}: an indented block, which nobody runs")
            before = line
    if block is not None or marks:
        problems.append("the page ends within a block, or behind a mark")
    print("\n".join(problems))


main()
