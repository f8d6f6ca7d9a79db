#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""trees.py: directory trees by seed, the same on every machine, for tests/clients/packer.sh.

    trees.py SEED DIRECTORY     makes the tree of this seed (a number) in a new directory
    trees.py --count            how many seeds stand for a shape of their own

The first seeds are shapes that a packer may stumble over, one each; all others are mixtures.
Everything that a packer keeps is from the seed: names, bytes, modes, times, links.
"""
import hashlib
import os
import sys

BLOCK = 4096


class Source:
    """Numbers and bytes from a seed; Python's own generator may change between versions."""

    def __init__(self, seed):
        self.seed = seed
        self.count = 0

    def bytes(self, size):
        self.count += 1
        return hashlib.shake_256(b"%d/%d" % (self.seed, self.count)).digest(size)

    def below(self, limit):
        return int.from_bytes(self.bytes(8), "little") % limit

    def pick(self, choices):
        return choices[self.below(len(choices))]


class Tree:
    def __init__(self, seed, root):
        self.source = Source(seed)
        self.root = os.fsencode(root)
        os.mkdir(self.root)

    def path(self, name):
        path = os.path.join(self.root, name.encode() if isinstance(name, str) else name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def file(self, name, size, mode=0o644):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(self.source.bytes(size))
        os.chmod(path, mode)

    def directory(self, name, mode=0o755):
        os.makedirs(self.path(name))
        os.chmod(self.path(name), mode)

    def link(self, name, target):
        os.symlink(target, self.path(name))

    def hard_link(self, name, to):
        os.link(self.path(to), self.path(name))

    def finish(self):
        """Times last: each entry made changes its directory's.  Ordinary modes for directories that
        were made on the way, whatever the umask was."""
        paths = [self.root]
        for top, directories, files in os.walk(self.root):
            directories.sort()
            paths += [os.path.join(top, name) for name in sorted(directories + files)]
        for path in reversed(paths):
            nanoseconds = (self.source.below(2**31) + 1) * 10**9 + self.source.below(10**9)
            os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


def empty(tree):
    pass


def one_file(tree):
    tree.file("rom.py", 300)


def deep(tree):
    tree.file("/".join(["d%d" % i for i in range(60)] + ["leaf"]), 10)


def wide(tree):
    for i in range(1000):
        tree.file("file-%d" % i, 0 if i % 7 == 0 else i % 5)


def sizes(tree):
    for near in (0, BLOCK, 2 * BLOCK, 16 * BLOCK):
        for size in range(max(near - 2, 0), near + 3):
            tree.file("s%06d" % size, size)


def large(tree):
    tree.file("large", 3 * 1024 * 1024 + 17)
    tree.file("small", 5)


def empties(tree):
    for name in ("a", "dir/b", "dir/c", "z"):
        tree.file(name, 0)
    for name in ("empty", "dir/empty", "dir/more/empty"):
        tree.directory(name)
    tree.file("dir/last", 1)


def symlinks(tree):
    for size in (1, 59, 60, 61, 255, 1000, 4000, 4031, 4032, 4033, 4094, 4095):
        tree.link("link-%04d" % size, ("x" * 99 + "/") * (size // 100) + "t" * (size % 100))
    tree.link("to-nothing", "nowhere/at/all")
    tree.link("to-self", "to-self")
    tree.link("up", "../../..")


def hard_links(tree):
    tree.file("m", 5000)
    for name in ("a", "dir/m", "z", "dir/deeper/n"):
        tree.hard_link(name, "m")
    tree.file("dir/two", 3)
    tree.hard_link("other/two", "dir/two")
    tree.link("dir/symlink", "two")
    os.link(tree.path("dir/symlink"), tree.path("other/symlink"), follow_symlinks=False)


def modes(tree):
    for mode in (0o400, 0o600, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o1644, 0o7777, 0o444):
        tree.file("f%04o" % mode, mode % 50, mode)
    for mode in (0o700, 0o755, 0o777, 0o1777, 0o2775):
        tree.directory("d%04o" % mode, mode)


def bytes_of_names(tree):
    """All bytes but NUL and '/', as far as they are ASCII, and characters of two to four bytes."""
    for byte in range(1, 128):
        if chr(byte) not in "/.":
            tree.file(bytes([byte]), byte % 3)
            tree.file(b"n" + bytes([byte]) + b"m", 1)
    for name in ("é", "ß/ü", "日本語", "😀", "..a", "...", ".hidden", "a.", " "):
        if not os.path.lexists(tree.path(name)):
            tree.file(name, 2)


def dirent_blocks(tree):
    """Names of such lengths that the last name of a block ends at, before and behind its end."""
    for extra in range(8):
        for i in range(20):
            tree.file("d%d/%02d%s" % (extra, i, "n" * (186 + (extra if i == 3 else 0))), 0)
    for i in range(40):
        tree.file("long/%03d%s" % (i, "l" * 252), 1)


def inode_blocks(tree):
    """Symlinks beside inodes, so that inodes stand all over the blocks of metadata."""
    for i in range(120):
        tree.link("l%03d" % i, "t" * (1 + i * 37 % 4000))
        tree.directory("d%03d" % i)


def devices(tree):
    os.mkfifo(tree.path("fifo"), 0o644)
    os.chmod(tree.path("fifo"), 0o644)
    os.mknod(tree.path("null"), 0o020666, os.makedev(1, 3))
    os.mknod(tree.path("disk"), 0o060660, os.makedev(259, 1048575))
    os.chmod(tree.path("null"), 0o666)
    os.chmod(tree.path("disk"), 0o660)
    tree.file("between", 9)


def mixture(tree):
    source = tree.source
    directories, files = [""], []
    for i in range(20 + source.below(120)):
        name = source.pick(directories) + source.pick(("a", "Z", ".", "é", "_", "n" * 60)) + str(i)
        kind = source.below(10)
        if kind == 0:
            tree.link(name, source.pick(("x", "../y", "z" * 200, "/abs")) + str(i))
        elif kind == 1 and files:
            tree.hard_link(name, source.pick(files))
        elif kind <= 3:
            tree.directory(name, source.pick((0o755, 0o700, 0o777)))
            directories.append(name + "/")
        else:
            size = source.pick((0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, source.below(9 * BLOCK)))
            tree.file(name, size, source.pick((0o644, 0o755, 0o600)))
            files.append(name)


SHAPES = (empty, one_file, deep, wide, sizes, large, empties, symlinks, hard_links, modes,
          bytes_of_names, dirent_blocks, inode_blocks, devices)


def main():
    if sys.argv[1:] == ["--count"]:
        print(len(SHAPES))
        return
    os.umask(0o022)
    seed = int(sys.argv[1])
    tree = Tree(seed, sys.argv[2])
    (SHAPES[seed] if seed < len(SHAPES) else mixture)(tree)
    tree.finish()


main()
