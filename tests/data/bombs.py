#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bombs.py: makes an image of `romsim rom pack` unfold to much.

    bombs.py shared IMAGE DATA   all regular files get the data and the size of the plain file DATA
    bombs.py names IMAGE DATA    all names of regular files in the root lead to the inode of DATA,
                                 whose link count stays 1

The inodes come from `rom ls -R --json IMAGE` on standard input.
"""
import json
import struct
import sys

how, path, name = sys.argv[1:]
entries = json.load(sys.stdin)
image = bytearray(open(path, 'rb').read())
meta = struct.unpack_from('<I', image, 1024 + 40)[0] * 4096


def inode(entry):
    return meta + entry['nid'] * 32


data = [e for e in entries if e['path'] == name][0]
if how == 'shared':
    for entry in entries:
        if entry['type'] == 'file':
            struct.pack_into('<Q' if entry['extended'] else '<I', image, inode(entry) + 8,
                             data['size'])
            image[inode(entry) + 16:inode(entry) + 20] = image[inode(data) + 16:inode(data) + 20]
else:
    root = struct.unpack_from('<H', image, 1024 + 14)[0]
    block = struct.unpack_from('<I', image, meta + root * 32 + 16)[0] * 4096
    for at in range(block, block + struct.unpack_from('<H', image, block + 8)[0], 12):
        if image[at + 10] == 1:
            struct.pack_into('<Q', image, at, data['nid'])
image[1024 + 8] = 0  # no checksum
open(path, 'wb').write(image)
