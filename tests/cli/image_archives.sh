#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Archives of images by plain paths: what `docker save`, podman, BuildKit and skopeo write is told by
# its content, as a base, as a ROM and for import, in every compression; what only looks like one is
# left alone, and `files:` takes the files in it as they are.
. "$(dirname "$0")/../lib.sh"

export PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1
instance() { printf 'name: x\nimage: "%s"\n' "$1" >x.yaml; }
rom() { printf 'name: x\nimage: ./root\nargs: [/bin/sh]\nroms: [{name: r, image: "%s"}]\n' "$1" >x.yaml; }
plan() { romsim plan --json x.yaml 2>/dev/null | jq -r "$1"; }
root_of() { instance "$1"; [ -z "${2-}" ] || echo "args: [/bin/sh]" >>x.yaml; plan .root.sha256; }

python3 - <<'PY' || exit 1
import json, os
from oci import *
l1, l2 = tar(("bin/sh", b"#!"), ("etc/x", b"1")), tar(("etc/x", b"2"))
os.makedirs("root/bin")
open("root/bin/sh", "w").write("#!")
os.chmod("root/bin/sh", 0o755)

def docker25(*images):
    """Since its version 25 `docker save` writes a layout, with the old manifest.json beside it."""
    made, manifest = Layout(""), []
    for name, layers, cmd in images:
        entry = made.image(layers, config={"Cmd": [cmd]})
        made.tag(name.split(":")[1], entry, **{CONTAINERD_NAME: "docker.io/" + ("" if "/" in name else "library/") + name})
        config = json.loads(made.files["blobs/" + entry["digest"].replace(":", "/")])["config"]
        blob = lambda text: "blobs/" + text.replace(":", "/")
        manifest.append({"Config": blob(config["digest"]), "RepoTags": [name],
                         "Layers": [blob(digest(l)) for l in layers]})
    return made.archive(**{"manifest.json": json.dumps(manifest).encode()})

def write(name, data):
    open(name, "wb").write(data)

write("docker.tar", docker_archive((["my-org/app:1", "my-org/app:latest"], [l1, l2])))
write("docker25.tar", docker25(("my-org/app:1", [l1, l2], "/bin/sh")))
write("docker25-two.tar", docker25(("one:latest", [l1, l2], "/one"), ("my-org/two:latest", [l2, l1], "/two")))
write("docker-two.tar", docker_archive((["one:latest"], [l1, l2], {"config": {"Cmd": ["/one"]}}),
                                       (["my-org/two:latest", "my-org/two:2"], [l2, l1], {"config": {"Cmd": ["/two"]}})))
write("docker-unnamed.tar", docker_archive((None, [l1, l2])))
made = Layout("")
made.tag("v1", made.image([l1, l2]))
write("oci.tar", made.archive())
write("oci-dotted.tar", tar(*[("./" + n, d) for n, d in sorted(made.all_files().items())]))
made = Layout("")
made.tag("docker.io/my-org/podman:3", made.image([l1, l2]))
write("podman.tar", made.archive())
write("cut.tar", docker_archive((["my-org/app:1"], [l1, l2])).replace(l2, l2[:512] + b"?" * 512 + l2[1024:]))

made = Layout("")
made.tag("rom", made.image([b"\0" * 8192], media_type=ROM, plain=[]))
write("rom.tar", made.archive())

# Roots that only look like archives of images.
write("web.tar", tar(("bin/sh", b"#!"), ("manifest.json", b'{"name": "extension", "manifest_version": 3}')))
write("list.tar", tar(("bin/sh", b"#!"), ("manifest.json", b'[{"src": "icon.png"}]')))
write("bad.tar", tar(("bin/sh", b"#!"), ("manifest.json", b'[{')))
write("mark.tar", tar(("bin/sh", b"#!"), ("oci-layout", b"what is where"), ("index.json", b"{}")))
write("deep.tar", tar(("bin/sh", b"#!"), ("images/oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("images/index.json", b"{}")))
# One that is none, though it has the marks; padded to what a ROM has.
marks = tar(("bin/sh", b"#!"), ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", b'{"manifests":[]}'))
write("marks.tar", marks + b"\0" * (-len(marks) % 4096))
PY

# ---- a base
wanted=$(root_of docker-archive:docker.tar)
is "${#wanted}" 64 "a docker-archive by its transport"
for name in docker docker25 oci oci-dotted podman; do
    for pack in cat "gzip -c" "xz -c" "zstd -qc"; do
        $pack $name.tar >$name.packed
        is "$(root_of ./$name.packed)" "$wanted" "$name, by its path: $pack"
    done
    is "$(root_of $name.tar)" "$wanted" "$name, by a path without ./"
done
cp docker.tar misleading.erofs
is "$(root_of ./misleading.erofs)" "$wanted" "a file's name does not matter"
instance ./docker.tar
is "$(plan '.command | join(" ")')" /bin/sh "and the image's command is the instance's"
ok "check takes it" romsim check x.yaml
is "$(root_of ./docker.tar:my-org/app:1)" "$wanted" "a path may have a tag"
is "$(root_of docker.tar:my-org/app:latest)" "$wanted" "another one of the same image"
instance ./docker.tar:my-org/app:7
fails 1 "a tag that it does not have" romsim plan x.yaml
like "$out" "no image is tagged 'my-org/app:7'" "is said"
like "$out" "my-org/app:1, my-org/app:latest" "with those that it has"
for name in docker-two docker25-two; do
    instance ./$name.tar:one
    fails 1 "$name: a name without its tag is not guessed" romsim plan x.yaml
    instance ./$name.tar:one:latest
    is "$(plan '.command[0]')" /one "$name: each of two images"
    instance ./$name.tar:my-org/two:latest
    is "$(plan '.command[0]')" /two "has its own command"
    instance ./$name.tar
    fails 1 "$name: no tag and several images" romsim plan x.yaml
    like "$out" "there are " "is an error, not the first of them"
done
instance ./docker25-two.tar:latest
fails 1 "nor does a tag of both choose one" romsim plan x.yaml
like "$out" "several images are tagged 'latest'" "which is said"
romsim image gc --all >/dev/null
instance ./cut.tar
fails 1 "a damaged one is no root of blobs" romsim plan x.yaml
like "$out" "not what the config says" "but damaged"
if need fuse "mount shows its files"; then
    instance ./docker25.tar
    mkdir mnt
    ok "mount" romsim mount x.yaml mnt
    is "$(cat mnt/etc/x)" 2 "shows its files"
    romsim umount mnt
fi

# ---- what only looks like one, and the files in one
for name in web list bad mark deep; do
    is "$(root_of ./$name.tar args | wc -c)" 65 "$name.tar is a root like others"
done
instance ./marks.tar
fails 1 "an archive with the marks of a layout and no image" romsim plan x.yaml
like "$out" "there is no image in it" "is an error"
like "$out" "files:PATH takes the files in it as they are" "that says the way out"
plain=$(root_of files:docker.tar args)
is "${#plain}" 64 "files: takes the archive's own files"
is "$([ "$plain" != "$wanted" ] && echo other)" other "which are others than the image's"
is "$(root_of ./docker.tar)" "$wanted" "and the path is still the image"
is "$(root_of files:./docker.tar args)" "$plain" "whatever is cached"
mkdir layout && tar -C layout -xf oci.tar
is "$(root_of ./layout)" "$wanted" "a folder with a layout is its image"
is "$(root_of files:./layout args | wc -c)" 65 "files: takes the folder's files"
is "$([ "$(root_of files:./layout args)" != "$wanted" ] && echo other)" other "here, too"
instance files:nothing
fails 1 "files: of what is not there" romsim plan x.yaml

is "$(romsim image inspect --json docker.tar | jq -r .kind)" base "inspect takes a path"
is "$(romsim image inspect --json docker25-two.tar:one:latest | jq -r '.cmd[0]')" /one "with a tag, too"
is "$(romsim image inspect --json layout:v1 | jq -r .kind)" base "and a folder"

# ---- a ROM
head -c 8192 /dev/zero >raw
for pack in cat "gzip -c" "xz -c" "zstd -qc"; do
    $pack rom.tar >rom.packed
    rom ./rom.packed
    is "$(plan '.roms[0].sha256')" "$(sha256sum raw | cut -d' ' -f1)" "a ROM image by its path: $pack"
done
ok "check takes it" romsim check x.yaml
rom ./docker.tar
fails 1 "a bootable image is no ROM" romsim plan x.yaml
like "$out" "it is a bootable image, not a ROM" "by its path, too"
rom files:marks.tar
is "$(plan '.roms[0].format')" raw "files: attaches an archive as it is"
rom ./marks.tar
fails 1 "which by its path is an image" romsim plan x.yaml
rom ./marks.tar:x
fails 1 "with a tag, too" romsim plan x.yaml
rom ./raw:x
fails 1 "a tag of what has none" romsim plan x.yaml
like "$out" "is no archive of images, and has no tag 'x'" "is an error"
tar -cf plain.tar root && truncate -s %4096 plain.tar
rom ./plain.tar
is "$(plan '.roms[0].format')" raw "an archive of files is a raw ROM"
gzip -k plain.tar && truncate -s %4096 plain.tar.gz
rom ./plain.tar.gz
is "$(plan '.roms[0].format')" raw "and so is a compressed one"

# ---- rom pack and rom diff, which see the image as all others do
mkdir -p image/bin image/etc
printf '#!' >image/bin/sh && printf 2 >image/etc/x && chmod 755 image/bin/sh image/etc/x
touch -d @0 image/bin/sh image/etc/x image/bin image/etc image
romsim rom pack image -o image.rom >/dev/null
for name in docker docker25 oci podman; do
    ok "$name: rom pack" romsim rom pack $name.tar -o x.rom
    ok "packs the image" romsim rom diff image.rom x.rom
    xz -k $name.tar
    ok "$name: rom diff compares it" romsim rom diff image $name.tar.xz
done
is "$(romsim rom pack docker.tar:my-org/app:1 -o x.rom | sed 's/.*sha256/sha256/')" \
    "$(romsim rom pack docker.tar -o x.rom | sed 's/.*sha256/sha256/')" "a tag names it"
fails 1 "several images without one" romsim rom pack docker-two.tar -o none.rom
like "$out" "the tags are: one:latest" "are an error"
is "$([ -e none.rom ] || echo none)" none "that leaves nothing"
ok "with a tag" romsim rom diff docker-two.tar:my-org/two:latest docker25-two.tar:my-org/two:latest
fails 1 "a tag of what has none" romsim rom pack web.tar:x -o x.rom
like "$out" "is no archive of images, and has no tag 'x'" "is an error"
fails 1 "a tag of no archive" romsim rom pack raw:x -o x.rom
like "$out" "'raw' is no archive of images, and has no tag 'x'" "also"
ok "files: packs the archive's own files" romsim rom pack files:docker.tar -o x.rom
like "$(romsim rom ls x.rom)" manifest.json "which are blobs and lists"
fails 1 "and compares them" romsim rom diff files:docker.tar docker.tar
like "$out" "removed  /manifest.json" "with the image"
ok "rom pack of a layout's folder" romsim rom pack layout -o x.rom
ok "packs its image" romsim rom diff image.rom x.rom
ok "files: of one" romsim rom pack files:layout -o x.rom
is "$(romsim rom ls x.rom | xargs)" "blobs index.json oci-layout" "its files"
ok "an image of a ROM" romsim rom pack rom.tar -o x.rom
ok "is the ROM" cmp x.rom raw
ok "--format raw takes any file as it is" romsim rom pack --format raw docker.tar -o x.rom
ok "byte by byte" cmp -n "$(stat -c %s docker.tar)" x.rom docker.tar
fails 1 "but no image" romsim rom pack --format raw docker.tar:my-org/app:1 -o x.rom
for name in web list bad mark deep; do
    ok "rom pack $name.tar" romsim rom pack $name.tar -o x.rom
    ok "packs its files" romsim rom diff x.rom files:$name.tar
done
fails 1 "a damaged image" romsim rom pack cut.tar -o x.rom
like "$out" "not what the config says" "is damaged"

# ---- import, under the names that are in there
names() { romsim image ls --json | jq -r '.[].name' | sort | tr '\n' ' '; }
import() {
    rm -rf "$XDG_DATA_HOME/romsim"
    ok "import $*" romsim image import "$@"
}
for file in docker.tar docker-archive:docker.tar; do
    import $file
    is "$(names)" "my-org/app:1 my-org/app:latest " "all its RepoTags"
    instance my-org/app
    is "$(plan .root.sha256)" "$wanted" "lead to the image"
done
import ./docker.tar:my-org/app:1
is "$(names)" "my-org/app:1 " "the one that was named"
gzip -k docker25.tar
for file in docker25.tar oci-archive:docker25.tar docker-archive:docker25.tar ./docker25.tar.gz; do
    import $file
    is "$(names)" "my-org/app:1 " "containerd's annotation, as Docker shows it"
done
import podman.tar
is "$(names)" "my-org/podman:3 " "podman's name"
for file in docker-two.tar docker25-two.tar; do
    import $file
    like "$(names)" "my-org/two:latest one:latest " "all images of an archive"
    instance one
    is "$(plan '.command[0]')" /one "each under its own name"
    instance my-org/two
    is "$(plan '.command[0]')" /two "each under its own name"
    instance docker.io/library/one
    is "$(plan '.command[0]')" /one "Docker's long form finds it"
done
import docker25-two.tar:one:latest
is "$(names)" "one:latest " "one of several"
import oci-archive:docker25.tar:1
is "$(names)" "my-org/app:1 " "a tag alone leads to the name"
import docker-two.tar:one:latest -t other/name
is "$(names)" "other/name:latest " "-t names it"
fails 1 "-t with several images" romsim image import docker-two.tar -t other/name
for file in oci.tar docker-unnamed.tar; do
    fails 1 "import of $file, which has no name" romsim image import $file
    like "$out" "name it with -t org/name:tag" "says how to give one"
    ok "and that is done" romsim image import $file -t my-org/named
done
fails 1 "import of files" romsim image import files:docker.tar
fails 1 "import of a root" romsim image import web.tar

# ---- a Kraftfile
mkdir -p project
cp docker.tar project/
printf 'spec: v0.7\nruntime: base:latest\nrootfs: ./docker.tar\n' >project/Kraftfile
ok "a Kraftfile's root may be one" romsim image build project -o oci:built:t
instance oci:built:t
is "$(plan '.command | join(" ")')" /bin/sh "with its command"
printf 'spec: v0.7\nruntime: base:latest\nrootfs: {source: ./docker.tar, type: tarball}\n' >project/Kraftfile
ok "type: tarball takes its files" romsim image build project -o oci:built:files

done_testing
