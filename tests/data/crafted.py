#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""crafted.py: valid EROFS images that are small and have much in them, to standard output.

    crafted.py names COUNT    a directory with COUNT names of one file
    crafted.py deep COUNT     a directory with COUNT names of one file, 1,000 directories deep, whose
                              names have 250 bytes
    crafted.py broken COUNT   the same, but the names lead to an inode of no type
    crafted.py xattrs COUNT   COUNT files, all with the same 255 xattrs of 64 KiB that lie over each
                              other
    crafted.py lines          a text of 500,000 lines
A last argument NUMBER is put into the volume's name: the images differ, their trees do not.
"""
import struct
import sys

BLOCK = 4096
DIRECTORY, FILE = 0o40755, 0o100644
how = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
volume = sys.argv[3].encode() if len(sys.argv) > 3 else b''


def inode(mode, size, start=0, links=1, layout=0, xattr_count=0):
    """An extended inode, 64 bytes."""
    return struct.pack('<HHHHQIIIIQII16x', 1 | layout << 1, xattr_count, mode, 0, size, start, 0, 0, 0,
                       0, 0, links)


def entries(names):
    """A directory's blocks, the last one cut: names are (bytes, nid, file type), sorted."""
    blocks, row, size = [], [], 0
    for name in names + [None]:
        if name is None or size + 12 + len(name[0]) > BLOCK:
            at, head, tail = 12 * len(row), b'', b''
            for text, nid, kind in row:
                head += struct.pack('<QHBB', nid, at, kind, 0)
                tail += text
                at += len(text)
            blocks.append(head + tail)
            row, size = [], 0
        if name is not None:
            row.append(name)
            size += 12 + len(name[0])
    return b''.join(block.ljust(BLOCK, b'\0') for block in blocks[:-1]) + blocks[-1]


meta = bytearray(BLOCK)  # the superblock's block; nids count from here, and from nid 64 on are inodes
data = bytearray()


def put(what):
    """Puts an inode with what follows it, in one block; returns its nid."""
    room = -len(meta) % BLOCK
    if room < len(what):
        meta.extend(b'\0' * room)
    meta.extend(b'\0' * (-len(meta) % 32))
    nid = len(meta) // 32
    meta.extend(what)
    return nid


def wide(start_nid, parent_nid, nid, total):
    names = sorted(b'%x' % i for i in range(total))
    return entries(sorted([(b'.', start_nid, 2), (b'..', parent_nid, 2)] +
                          [(name, nid, 1) for name in names]))


xattr_block = 0
if how == 'names':
    file = put(inode(FILE, 0, links=count))
    root = file + 2
    body = wide(root, root, file, count)
    assert put(inode(DIRECTORY, len(body), start=1 << 16)) == root
    data += body
elif how in ('deep', 'broken'):
    DEPTH = 1000
    file = put(inode(FILE if how == 'deep' else 0o644, 0, links=count))
    # Each is a block's slot of 384 bytes, ten to a block; the last one has the names.
    first = -(-len(meta) // BLOCK) * (BLOCK // 32)
    nid_of = lambda i: first + i // 10 * (BLOCK // 32) + i % 10 * 12
    for i in range(DEPTH):
        meta.extend(b'\0' * (nid_of(i) * 32 - len(meta)))
        names = [(b'.', nid_of(i), 2), (b'..', nid_of(max(i - 1, 0)), 2), (b'd' * 250, nid_of(i + 1), 2)]
        body = entries(names)
        meta.extend(inode(DIRECTORY, len(body), links=3, layout=2) + body)
    meta.extend(b'\0' * (nid_of(DEPTH) * 32 - len(meta)))
    body = wide(nid_of(DEPTH), nid_of(DEPTH - 1), file, count)
    meta.extend(inode(DIRECTORY, len(body), start=1 << 16, links=2))
    data += body
    root = nid_of(0)
elif how == 'xattrs':
    names = []
    area = b''.join(struct.pack('<BBH', 4, 1, 0xffff) + b'n%03d' % i for i in range(255))
    shared = struct.pack('<IB7x', 0, 255) + b''.join(struct.pack('<I', 2 * i) for i in range(255))
    root = put(b'\0' * 64)
    for i in range(count):
        names.append((b'%06x' % i, put(inode(FILE, 0, xattr_count=256) + shared), 1))
    body = entries(sorted([(b'.', root, 2), (b'..', root, 2)] + names))
    meta[root * 32:root * 32 + 64] = inode(DIRECTORY, len(body), start=1 << 16, links=2)
    data += body + b'\0' * (-len(body) % BLOCK)
    xattr_block = len(data) // BLOCK
    data += area + b'x' * 65536
elif how == 'lines':
    body = b'\n' * 499999 + (volume or b'.')
    file = put(inode(FILE, len(body), start=1 << 16))
    root = file + 2
    names = entries([(b'.', root, 2), (b'..', root, 2), (b'text', file, 1)])
    put(inode(DIRECTORY, len(names), links=2, layout=2) + names)
    data += body

# Where the data begins is known only now.
meta.extend(b'\0' * (-len(meta) % BLOCK))
start = len(meta) // BLOCK
for at in range(BLOCK, len(meta), 32):
    if meta[at + 16:at + 20] == struct.pack('<I', 1 << 16) and meta[at] & 1:
        struct.pack_into('<I', meta, at + 16, start)
data.extend(b'\0' * (-len(data) % BLOCK))
blocks = (len(meta) + len(data)) // BLOCK
inodes = {'names': 2, 'deep': 1002, 'xattrs': count + 1, 'lines': 2}.get(how, 1001)
assert root < 1 << 16
struct.pack_into('<IIIBBHQQIIII16s16sI', meta, 1024, 0xE0F5E1E2, 0, 0, 12, 0, root, inodes, 0, 0, blocks,
                 0, xattr_block + start if xattr_block else 0, b'', volume, 0)
sys.stdout.buffer.write(meta + data)
