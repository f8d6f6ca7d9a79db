#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# overlay.sh: what overlayfs makes of marks in a lower layer (whiteouts, metacopy, opaque) is the
# same in the guest and in the view, for the root and for a ROM in which a mount point was made;
# and a root whose /proc, /sys and /dev are no directories starts.
. "$(dirname "$0")/../lib.sh"
need guest "the guest's overlays" || done_testing

# Archives have device nodes and xattrs without being root.
cat >marked.py <<'END'
import io, sys, tarfile
tar = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT)
def add(name, kind, data=b"", major=0, minor=0, **marks):
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.devmajor, entry.devminor = kind, len(data), major, minor
    entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    entry.pax_headers = {"SCHILY.xattr.trusted.overlay." + mark: value for mark, value in marks.items()}
    tar.addfile(entry, io.BytesIO(data))
add("marked", tarfile.DIRTYPE)
add("marked/white", tarfile.CHRTYPE)
add("marked/tty", tarfile.CHRTYPE, major=5)
add("marked/block", tarfile.BLKTYPE)
add("marked/file", tarfile.REGTYPE, b"kept\n", origin="x")
add("marked/meta", tarfile.REGTYPE, b"data\n", metacopy="")
add("marked/opaque", tarfile.DIRTYPE, opaque="y", redirect="/etc")
add("marked/opaque/in", tarfile.REGTYPE, b"in\n")
add("marked/x", tarfile.DIRTYPE, opaque="x")
add("marked/x/white", tarfile.REGTYPE, whiteout="")
add("white", tarfile.CHRTYPE)
add("gone", tarfile.CHRTYPE)
END
python3 marked.py marked.tar
"$SAMPLES/busybox-base.sh" base
cat >base/look.sh <<'END'
cd "$1"
for at in . alone outer there; do
    for name in white gone marked/white marked/tty marked/block marked/file marked/meta \
        marked/opaque/in marked/x/white; do
        if [ -f $at/$name ]; then echo "$at/$name $(cat $at/$name 2>/dev/null || echo unreadable)"
        elif [ -e $at/$name ]; then echo "$at/$name $(stat -c %F $at/$name)"
        elif message=$(stat $at/$name 2>&1 >/dev/null); then echo "?"
        else echo "$at/$name: ${message##*: }"; fi
    done
done
cat there/marked/mark outer/new/mark gone/new/mark
END
tar -C base -cf all.tar .
tar --concatenate -f all.tar marked.tar
romsim rom pack -o marked.erofs marked.tar >/dev/null
mkdir rom view && echo mark >rom/mark
cat >x.yaml <<'END'
image: ./all.tar
args: [/bin/sh, /look.sh, /]
roms:
- {image: ./marked.erofs, at: /alone}
- {image: ./marked.erofs, at: /outer}
- {image: ./marked.erofs, at: /there}
- {dir: rom, at: /outer/new}
- {dir: rom, at: /there/marked}
- {dir: rom, at: /gone/new}
END
ok "a root and ROMs with overlayfs's marks" sh -c "'$ROMSIM' run -q x.yaml >output"
grep -v '^mount /dev/' output >guest
like "$(cat guest)" "./marked/white: No such file or directory" "a whiteout in the root is not there"
like "$(cat guest)" "alone/marked/white character special file" "one in a ROM is, while it is alone"
like "$(cat guest)" "outer/marked/white: No such file or directory" \
    "and is not where a mount point was made in the ROM"
like "$(cat guest)" "./marked/meta: Operation not permitted" "a metacopy in the root is refused"
# From Linux 6.7 on a marked file in a marked directory is a whiteout, too; the view follows 6.1.
release=$(sed -n 's/^release //p' "$ROOT/build/guest/info")
if [ "$(printf '%s\n' 6.7 "$release" | sort -V | head -n 1)" = 6.7 ]; then
    is "$(grep -c '^\(\.\|outer\)/marked/x/white: No such file' guest)" 2 \
        "a marked file is a whiteout for Linux $release"
    sed -i 's,^\(\(\.\|outer\)/marked/x/white\): No such file.*,\1 ,' guest
fi
if need fuse "the view of it"; then
    romsim mount x.yaml view
    sh base/look.sh view >host
    romsim umount view
    same host guest "the view has the same"
fi

rmdir base/proc base/sys base/dev
ln -s /somewhere base/proc
ln -s bin base/dev
echo file >base/sys
ok "a root whose /proc, /sys and /dev are no directories starts" romsim run -q --image ./base \
    --rom dir=rom,at=/rom --args "sh -c 'ls -d /proc/1 /sys/block /dev/null; cat /rom/mark'"
like "$out" "mark" "... with its ROM"
if need fuse "the view of that"; then
    printf 'image: ./base\nargs: [/bin/true]\nroms: [{dir: rom, at: /rom}]\n' >y.yaml
    romsim mount y.yaml view
    is "$(stat -c %F view/proc view/sys view/dev | sort -u)" directory "the view has directories there, too"
    romsim umount view
fi
done_testing
