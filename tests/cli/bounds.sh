#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bounds.sh: each bound of romsim(1) can be changed, and what it refuses says which one it was.
# (Those on kernels, walks and JSON are looked at where these are: vm_kernel.c, rom_bombs.sh.)
. "$(dirname "$0")/../lib.sh"

export PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1
python3 - <<'PY' || exit 1
import io, lzma, os, tarfile
from oci import *
layers = [tar(("bin/sh", b"#!")), tar(("etc/x", b"1"))]
layout = Layout("image")
layout.tag("t", layout.image(layers, config={"Cmd": ["/bin/sh", "-c", "x"]}))
layout.write()
nested = Layout("nested")
inner = nested.image(layers, {"os": "linux", "architecture": "amd64"})
nested.tag("t", nested.nested(nested.nested(inner)))
nested.write()
open("docker.tar", "wb").write(docker_archive((["a/x:1", "a/x:2", "a/y:1"], layers)))
with tarfile.open("some.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    def add(name, data=b"", **more):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in more.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(data))
    add("f", b"data", pax_headers={"SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.b": "2"})
    add("s", type=tarfile.SYMTYPE, linkname="dir/dir/dir")
    add("s/f", b"x")
open("some.tar.xz", "wb").write(lzma.compress(open("some.tar", "rb").read()))
with tarfile.open("acls.tar.xz", "w:xz", format=tarfile.PAX_FORMAT) as archive:
    info = tarfile.TarInfo("f")
    entries = ["u::r", "g::r", "o::r", "m::r"] + [f"u:{i}:r" for i in range(1000)]
    info.pax_headers = {"SCHILY.acl.access": ",".join(entries)}
    archive.addfile(info)
open("zeros.tar.xz", "wb").write(lzma.compress(tar(("f", b"\0" * (1 << 20)))))
PY
mkdir root dir && touch root/a root/b dir/a dir/b

printf -- '- {name: a, image: ./root, args: [/x]}\n- {name: b, image: ./root, args: [/x]}\n' >two.yaml
printf '%%TAG !x! tag:x,2000:\n---\nname: x\nimage: ./root\n' >tag.yaml
printf 'name: x\nimage: ./root\nargs: [/x]\nroms: [{name: r, dir: dir}]\n' >dir.yaml
printf 'name: x\nimage: "oci:image:t"\n' >oci.yaml
printf 'name: x\nimage: "oci:nested:t"\nargs: [/bin/sh]\n' >nested.yaml
mkdir kraft
echo 'spec: v0.7
targets: [kraftcloud/x86_64, kraftcloud/arm64]
rootfs: ../root
env: {A: "1", B: "2"}' >kraft/Kraftfile
truncate -s 2M sparse && tar --sparse -cf sparse.tar sparse

# bound NAME LOW HIGH COMMAND...: refused by name with LOW (or more, where it is not less than what
# the input's size justifies), taken with HIGH.
bound() {
    local name=$1 low=$2 high=$3; shift 3
    fails 1 "$name=$low refuses" romsim "$@" --bound "$name=$low"
    like "$out" "--bound $name=VALUE allows more than $low" "$name: by its name"
    ok "$name=$high lets it pass" romsim "$@" --bound "$name=$high"
}
bound files 6 7 rom pack some.tar -o x.rom
bound data-bytes 4 5 rom pack some.tar -o x.rom
bound xattrs 1 2 rom pack some.tar -o x.rom
bound link-bytes 10 11 rom pack some.tar -o x.rom
bound node-bytes 0 10K rom pack some.tar.xz -o x.rom
bound image-bytes 1000 40K rom pack some.tar.xz -o x.rom
bound acl-steps 0 2M rom pack acls.tar.xz -o x.rom
bound unpack-memory 0 9M rom pack some.tar.xz -o x.rom
bound unpack-bytes 0 2M rom pack zeros.tar.xz -o x.rom
bound hole-bytes 0 2M rom pack sparse.tar -o x.rom
bound file-bytes 2000 1M rom pack some.tar -o x.rom
bound layers 1 2 plan oci.yaml
bound layers 1 2 image import docker.tar -t x:1
bound image-names 2 3 image import docker.tar
bound image-json 100 10K plan oci.yaml
bound image-values 10 100 plan oci.yaml
bound image-strings 2 3 plan oci.yaml
bound manifests 0 1 plan oci.yaml
bound index-depth 1 2 plan nested.yaml
bound dir-entries 2 3 plan dir.yaml
bound values 5 100 request two.yaml
bound instances 1 2 request two.yaml
bound tag-lines 0 1 request tag.yaml
bound kraftfile-bytes 50 1K image build kraft -o oci:built
bound kraftfile-pairs 1 2 image build kraft -o oci:built
bound targets 1 2 image build kraft -o oci:built
bound store-index 10 1M image ls
bound store-blobs 1 100 image gc

done_testing
