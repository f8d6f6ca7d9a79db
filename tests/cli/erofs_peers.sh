#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# erofs_peers: what romsim writes, as the kernel, fsck.erofs and cpio see it.
. "$(dirname "$0")/../lib.sh"

# ---- a source with everything that an ordinary user can make, and more as root ----------------

DEEP=deep/$(printf 'd/%.0s' {1..300})

make_source() {
    mkdir -p src/{bin,empty,odd,sizes,special} "src/$DEEP"
    printf '#!/bin/sh\necho hi\n' >src/bin/hi
    chmod 755 src/bin/hi
    ln src/bin/hi src/bin/hi-again
    ln src/bin/hi src/odd/hi-elsewhere
    for size in 0 1 4095 4096 4097 65536 100000; do
        head -c "$size" /dev/zero | tr '\0' 'x' >"src/sizes/$size"
    done
    seq 1 60000 >src/sizes/numbers
    { seq 1 9000; head -c 300000 /dev/urandom; seq 1 9000; } >src/sizes/mixed
    ln -s ../bin/hi src/odd/link
    ln -s "$(printf 'l%.0s' {1..4095})" src/odd/long-link
    ln -s nowhere "src/odd/dangling"
    : >"src/odd/#first"
    : >"src/odd/..."
    : >"src/odd/with space"
    : >$'src/odd/new\nline'
    : >$'src/odd/\xff\xfe'
    : >"src/odd/$(printf 'n%.0s' {1..255})"
    echo text >"src/odd/-rf"
    echo bottom >"src/${DEEP}file"
    chmod 4711 src/sizes/1
    chmod 1777 src/empty
    mkfifo -m 600 src/special/fifo
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("src/special/sock")'
    if can root; then
        mknod -m 620 src/special/null c 1 3
        mknod -m 660 src/special/disk b 259 1048575
        chown 100000:4294967294 src/sizes/4096
        chmod 000 src/sizes/0
    fi
    find src -depth -exec touch -h -d '2021-03-04 05:06:07.123456789Z' {} +
    touch -h -d '1969-12-31 23:00:00Z' src/sizes/1
    touch -h -d '2242-03-16 12:56:32Z' src/odd/link
}

# All that one can see of a tree but owners.  A directory's size and link count differ from file
# system to file system.
listing() {
    (
        cd "$1" || exit
        find . -mindepth 1 \( -type d -printf '%P %y %m %T@\n' \) -o \
            -printf '%P %y %m %T@ %n %s %l\n' | LC_ALL=C sort
        find . -type f -exec sha256sum {} + | LC_ALL=C sort
        find . \( -type b -o -type c \) -exec stat -c '%n %F %t %T' {} + | LC_ALL=C sort
    )
}

mount_image() {
    mkdir -p mnt
    mount -t erofs -o loop,ro "$1" mnt
}

make_source
ok "a directory is packed" romsim rom pack src -o all.erofs
like "$out" "all.erofs: erofs, " "what was made is said"
ok "the same with inline data" romsim rom pack src -o inline.erofs --inline
ok "and compressed" romsim rom pack src -o lz4.erofs --compress lz4
like "$out" "ratio" "with the ratio"
ok "and both, harder" romsim rom pack src -o lz4hc.erofs --compress lz4hc:12 --inline

for image in all inline lz4 lz4hc; do
    ok "romsim's own checker finds it clean ($image)" romsim rom check $image.erofs
done
if need fsck.erofs "fsck.erofs finds the images clean"; then
    for image in all inline lz4 lz4hc; do
        ok "fsck.erofs finds the image clean ($image)" fsck.erofs --extract $image.erofs
    done
    fsck.erofs --extract=extracted all.erofs >/dev/null 2>&1
    for part in sizes bin; do
        ok "fsck.erofs extracts the same files ($part)" diff -r src/$part extracted/$part
    done
fi

if need loop "the kernel shows the same tree"; then
    listing src >want
    for image in all inline lz4 lz4hc; do
        mount_image $image.erofs
        listing mnt >got
        same want got "the kernel shows the same tree ($image)"
        is "$(find mnt ! -user 0 -o ! -group 0 | wc -l)" 0 "everything belongs to root ($image)"
        is "$(stat -c %h mnt/bin)" 4 "a directory has its entries and two as links ($image)"
        ok "names are found, not only listed ($image)" test -e "mnt/odd/#first" -a \
            -e $'mnt/odd/new\nline' -a ! -e mnt/odd/none
        umount mnt
    done
fi

# ---- extended attributes ----------------------------------------------------------------------

attributes() { (cd "$1" && getfattr -h -R -d -m - --absolute-names . | LC_ALL=C sort); }

if need loop "xattrs reach the kernel" && need setfattr "xattrs reach the kernel"; then
    mkdir -p attrs/dir
    for file in a b c dir/d; do
        echo "$file" >"attrs/$file"
        setfattr -n user.shared -v "the same everywhere" "attrs/$file"
        setfattr -n "user.own.${file##*/}" -v "$file" "attrs/$file"
    done
    setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 attrs/a
    setfattr -n trusted.empty attrs/b
    setfattr -n user.large -v "$(printf 'v%.0s' {1..3000})" attrs/c
    setfattr -n system.posix_acl_access -v \
        0x0200000001000600ffffffff020004000100000004000400ffffffff10000600ffffffff20000400ffffffff \
        attrs/c
    setfattr -n user.on.directory -v yes attrs/dir
    attributes attrs >want
    for options in "" --inline; do
        romsim rom pack attrs -o attrs.erofs $options >/dev/null
        mount_image attrs.erofs
        attributes mnt >got
        same want got "xattrs reach the kernel${options:+ ($options)}"
        umount mnt
    done
    like "$(cat want)" "security.capability" "a capability was among them"
    like "$(cat want)" "posix_acl_access" "and an access list"
    if need fsck.erofs "fsck.erofs accepts xattrs"; then
        ok "fsck.erofs accepts xattrs" fsck.erofs attrs.erofs
    fi
    ok "cpio cannot keep them" romsim rom pack attrs -o attrs.cpio --format cpio
    like "$out" "5 files and directories lost theirs" "which is said"
fi

# ---- the same bytes from everywhere -----------------------------------------------------------

digest() { sha256sum <"$1"; }

settle() { # DIR: the modes and times that an inline ROM's files have
    find "$1" -type d -exec chmod 755 {} +
    find "$1" -type f -exec chmod 644 {} +
    find "$1" -exec touch -d @0 {} +
}

mkdir -p plain/lib
printf 'one\n' >plain/b.py
printf 'two\n' >plain/a.py
printf 'three\n' >plain/lib/c.py
settle plain
romsim rom pack plain -o plain.erofs >/dev/null
want=$(digest plain.erofs)

mkdir -p other/lib
for file in lib/c.py a.py b.py; do cp "plain/$file" "other/$file"; done
settle other
(umask 077 && TZ=Asia/Kathmandu LC_ALL=C romsim rom pack other -o other.erofs >/dev/null)
is "$(digest other.erofs)" "$want" "directory order, umask, time zone and locale do not matter"

tar -C plain --sort=name --numeric-owner --owner=5 --group=6 -cf plain.tar .
romsim rom pack plain.tar -o tar.erofs >/dev/null
is "$(digest tar.erofs)" "$want" "a tar gives the same bytes"
tar -C plain --no-recursion -czf backwards.tar.gz ./lib/c.py ./lib ./b.py ./a.py .
romsim rom pack backwards.tar.gz -o backwards.erofs >/dev/null
is "$(digest backwards.erofs)" "$want" "so does a compressed tar in another order"

# ---- large ------------------------------------------------------------------------------------

mkdir many huge
(cd many && seq -f 'name-of-an-entry-%06g' 100000 | xargs touch -d @0)
romsim rom pack many -o many.erofs >/dev/null
truncate -s 5G huge/large
printf 'the end' >>huge/large
ok "a sparse file beyond 4 GiB is packed" romsim rom pack huge -o huge.erofs
# Some file systems give out megabytes at a time (tmpfs with huge pages).
is "$(($(stat -c %b huge.erofs) < 100000))" 1 "and the image is sparse as well"
if need fsck.erofs "fsck.erofs reads a directory of 100,000"; then
    ok "fsck.erofs reads a directory of 100,000" fsck.erofs many.erofs
fi
if need loop "the kernel reads them"; then
    mount_image many.erofs
    is "$(find mnt -mindepth 1 | wc -l)" 100000 "the kernel lists 100,000 entries"
    ok "and finds some by name" test -e mnt/name-of-an-entry-000001 -a \
        -e mnt/name-of-an-entry-054321 -a -e mnt/name-of-an-entry-100000
    umount mnt
    mount_image huge.erofs
    is "$(stat -c %s mnt/large)" $((5 * 1024 * 1024 * 1024 + 7)) "the kernel sees its size"
    is "$(tail -c 7 mnt/large)" "the end" "and its end"
    umount mnt
fi

# ---- cpio and raw -----------------------------------------------------------------------------

ok "a directory becomes a cpio archive" romsim rom pack src -o all.cpio --format cpio
is "$(($(stat -c %s all.cpio) % 4096))" 0 "padded to 4096 bytes"
if need cpio "cpio reads it"; then
    mkdir unpacked
    (cd unpacked && cpio -idm --quiet <../all.cpio 2>/dev/null)
    ok "cpio unpacks the same files" diff -r src/bin unpacked/bin
    ok "of all sizes" cmp src/sizes/100000 unpacked/sizes/100000
    is "$(stat -c %h unpacked/bin/hi)" 3 "and the same hard links"
    is "$(cat "unpacked/${DEEP}file")" bottom "and deep trees"
    is "$(readlink unpacked/odd/long-link | wc -c)" 4096 "and long links"
    if can root; then is "$(stat -c %t:%T unpacked/special/null)" 1:3 "and devices"; fi
    mkdir trailer between && touch trailer/{a,TRAILER!!!,z}
    ok "a file TRAILER!!! is packed" romsim rom pack trailer -o trailer.cpio --format cpio
    (cd between && cpio -idm --quiet <../trailer.cpio 2>/dev/null)
    is "$(ls between)" "$(ls trailer)" "and ends the archive for no reader"
fi
printf 'raw bytes' >raw.bin
ok "any file becomes a raw ROM" romsim rom pack raw.bin -o raw.rom
is "$(stat -c %s raw.rom):$(head -c 9 raw.rom)" "4096:raw bytes" "padded with zeros"

# ---- what cannot be packed --------------------------------------------------------------------

fails 1 "what is not there" romsim rom pack nothing -o x.erofs
fails 1 "a directory as raw bytes" romsim rom pack plain -o x.rom --format raw
like "$out" "cannot become a raw ROM" "is refused"
fails 2 "an unknown format" romsim rom pack plain -o x.rom --format zip
fails 2 "no output" romsim rom pack plain
fails 1 "an output that is no file" romsim rom pack plain -o /dev/null
like "$out" "no regular file" "is refused"
fails 1 "an output in no folder" romsim rom pack plain -o none/x.erofs
is "$(find . -maxdepth 1 \( -name 'x.*' -o -name '.x.*' \) | wc -l)" 0 "nothing is left behind"

done_testing
