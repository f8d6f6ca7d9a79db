#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks every #include against the table of rooms.

    rooms.py docs/hacking.md FILE...

The table says what each room may use.  A room that it may use brings the rooms along which that
one may use; libraries are not inherited.  No room may reach itself that way.
"""

import re
import sys

LIBRARIES = {
    "libyaml": r"yaml\.h", "jansson": r"jansson\.h", "libcrypto": r"openssl/.*",
    "liblz4": r"lz4.*\.h", "zlib": r"zlib\.h", "liblzma": r"lzma\.h", "libzstd": r"zstd.*\.h",
    "libarchive": r"archive.*\.h", "libfuse3": r"fuse.*\.h",
    "libmicrohttpd": r"microhttpd\.h",
}
# Whose a header is, by its first word (erofs.h and erofs_check.h are erofs's); the others are
# base's.
HEADER_ROOMS = {"fs": "fuse", "vm": "vm", "erofs": "erofs", "image": "image",
                "document": "document", "schema": "document", "json": "document",
                "instance": "instance", "kraftfile": "image", "layout": "layout", "view": "layout", "seam": "seam", "trace": "seam", "fault": "seam", "explain": "layout", "verify": "layout",
                "build": "image", "store": "image", "rom": "rom", "state": "state", "volume": "state", "ledger": "state", "group": "state", "template": "state",
                "link": "vm", "needs": "vm", "api": "api", "parts": "image", "case": "case"}
# What the guest's init shares with its keeper.
SHARED = {"sim/guest/manifest.h", "sim/vm/manifest.h"}


def read_table(path):
    """room -> what it may use, from the rows `| `sim/NAME/` | ... | uses |`."""
    table = {}
    for line in open(path, encoding="utf-8"):
        row = re.match(r"\| `(?:sim/)?(\w+)/` \|.*\| ([^|]*) \|$", line)
        if row and row[1] != "include":
            words = re.sub(r"\([^)]*\)|'s header", "", row[2]).split(",")
            table[row[1]] = {word.strip() for word in words}
    if "base" not in table or "cli" not in table:
        sys.exit(f"{path}: the table of rooms is not there")
    return table


def closure(table, room):
    """The rooms that `room` may use, and those that they may use."""
    if "all" in table[room]:
        return set(table)
    reached, new = set(), {use for use in table[room] if use in table}
    while new:
        reached |= new
        new = {use for each in new for use in table[each] if use in table} - reached
    return reached


def room_of(path):
    part = path.split("/")
    if path.startswith("include/romsim/"):
        return HEADER_ROOMS.get(re.split(r"[_.]", part[2])[0], "base")
    if path.startswith("sim/guest/host/"):
        return "vm"  # tools that make the guest bundle: they run on the host
    if part[0] == "sim" and len(part) > 2:
        return part[1]
    return "fuse" if part[0] == "fuse" else None


def library_of(header):
    for library, pattern in LIBRARIES.items():
        if re.fullmatch(pattern, header):
            return library
    return None


def allowed(table, room, path, header):
    """None if `path` of `room` may include `header`, else why not."""
    if header in SHARED or header.startswith("tests/"):
        return None
    own = room_of(header) if "/" in header else room
    if header.startswith("romsim/"):
        own = room_of("include/" + header)
        if own != room and own not in closure(table, room):
            return f"{room} may not use {own}"
    elif header.startswith(("sim/", "fuse/")):
        if own != room and room != "cli":
            return f"{header} is {own}'s own"
    else:
        library = library_of(header)
        if library and library not in table[room] and "all" not in table[room]:
            return f"{room} may not use {library}"
    return None


def main():
    table = read_table(sys.argv[1])
    faults = [f"docs/hacking.md: {room} uses itself in a circle"
              for room in table if "all" not in table[room] and room in closure(table, room)]
    for path in sys.argv[2:]:
        room = room_of(path)
        if room is None:
            continue
        if room not in table:
            faults.append(f"{path}: the room {room} is not in the table")
            continue
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            include = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            fault = include and allowed(table, room, path, include[1])
            if fault:
                faults.append(f"{path}:{number}: {fault} (docs/hacking.md has the table)")
    print(*faults, sep="\n", end="\n" if faults else "")
    sys.exit(bool(faults))


main()
