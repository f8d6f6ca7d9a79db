#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The local image store: import, ls, inspect, tag, rm, gc; names in an instance; two commands at
# once, and commands that are killed; ROM images and bootable images by name.
. "$(dirname "$0")/../lib.sh"

store=$XDG_DATA_HOME/romsim/oci
instance() { printf 'name: x\nimage: "%s"\nargs: [/bin/sh]\n' "$1" >x.yaml; }
rom() { printf 'name: x\nimage: ./base\nargs: [x]\nroms: [{name: r, image: "%s"}]\n' "$1" >x.yaml; }
plan() { romsim plan --json x.yaml 2>/dev/null | jq -r "$1"; }
sha() { sha256sum "$1" | cut -d' ' -f1; }

# make_layout FOLDER TAG LAYER...: an image layout; a layer is MEDIA-TYPE[,ANNOTATION]=FILE.
make_layout() {
    python3 - "$@" <<'PY'
import hashlib, json, os, sys
folder, tag, *layers = sys.argv[1:]
os.makedirs(folder + "/blobs/sha256", exist_ok=True)
def put(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    open(f"{folder}/blobs/sha256/{digest}", "wb").write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}
descriptors = []
for layer in layers:
    kind, path = layer.split("=")
    kind, _, annotation = kind.partition(",")
    descriptor = put(open(path, "rb").read(), kind)
    if annotation:
        descriptor["annotations"] = {annotation: "/unikraft/bin/x"}
    descriptors.append(descriptor)
config = put(json.dumps({"os": "kraftcloud", "architecture": "x86_64",
    "config": {"Cmd": ["/app", "arg"], "Env": ["A=1"]},
    "rootfs": {"type": "layers", "diff_ids": [d["digest"] for d in descriptors]}}).encode(),
    "application/vnd.oci.image.config.v1+json")
manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": descriptors}).encode(),
               "application/vnd.oci.image.manifest.v1+json")
manifest["annotations"] = {"org.opencontainers.image.ref.name": tag}
index = {"schemaVersion": 2, "manifests": []}
if os.path.exists(folder + "/index.json"):
    index = json.load(open(folder + "/index.json"))
index["manifests"].append(manifest)
json.dump(index, open(folder + "/index.json", "w"))
open(folder + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
PY
}
TAR=application/vnd.oci.image.layer.v1.tar
ROM=application/vnd.unikraft.rom.v1

mkdir -p base/bin one two
echo '#!/bin/sh' >base/bin/sh
echo 1 >one/f; echo 2 >two/f
tar -C base --owner=0 --group=0 -cf base.tar .
mkfs.erofs -Enoinline_data --quiet one.erofs one >/dev/null 2>&1
mkfs.erofs -Enoinline_data --quiet two.erofs two >/dev/null 2>&1
head -c 8192 /dev/zero >raw
make_layout images base $TAR=base.tar
make_layout images rom $ROM=one.erofs
make_layout images roms $ROM=one.erofs $ROM=two.erofs
make_layout images raw $ROM=raw
make_layout images both $TAR=base.tar $ROM=one.erofs
mkdir -p u/unikraft/bin k/unikraft/bin
mkfs.erofs -Enoinline_data --quiet u/unikraft/bin/initrd base >/dev/null 2>&1
head -c 5000 /dev/urandom >k/unikraft/bin/kernel
tar -C u -cf root.tar unikraft/bin/initrd
tar -C k -cf kernel.tar unikraft/bin/kernel
make_layout images unikraft $TAR,org.unikraft.kernel.image=kernel.tar $TAR,org.unikraft.kernel.initrd=root.tar
(cd base && find . | cpio -o -H newc --quiet | gzip) >u/unikraft/bin/initrd
tar -C u -cf cpio-root.tar unikraft/bin/initrd
make_layout images cpio $TAR,org.unikraft.kernel.initrd=cpio-root.tar

# ---- images in the cloud's form, straight from a layout
rom oci:images:rom
is "$(plan '.roms[0].sha256')" "$(sha one.erofs)" "a ROM image is its layer, byte for byte"
is "$(plan '.roms[0].format')" erofs "of its own format"
rom oci:images:roms
is "$(plan '.roms[0].sha256')" "$(sha two.erofs)" "of several ROM layers the last one counts"
ok "that is a warning" romsim plan x.yaml
like "$out" "has 2 ROM layers; the last one is used" "which says so"
rom oci:images:raw
is "$(plan '.roms[0].format')" raw "a ROM may be raw"
rom oci:images:both
fails 1 "a bootable image with ROMs is no ROM" romsim plan x.yaml
instance oci:images:unikraft
is "$(plan .root.sha256)" "$(sha <(tar -xOf root.tar unikraft/bin/initrd))" \
    "a Unikraft image's root is the file in its layer"
is "$(plan .image_kernel)" true "its kernel is seen"
printf 'name: x\nimage: "oci:images:unikraft"\n' >x.yaml
is "$(plan '.command | join(" ")')" "/app arg" "and its command"
instance ./images:base
ok "the path of a layout is taken as one" romsim plan x.yaml
instance oci:images:cpio
ok "a root as a compressed cpio archive is unpacked" romsim plan x.yaml

# ---- the store
fails 1 "a name that is not there is an error" romsim image inspect my-org/app
ok "import" romsim image import oci:images:base -t my-org/app
like "$out" "imported my-org/app:latest" "says what it did"
ok "import of a ROM" romsim image import oci:images:rom -t my-org/config:v1
ok "import from the path of a layout" romsim image import ./images:base -t my-org/app:path
ok "ls" romsim image ls
like "$out" "my-org/app:latest" "lists names"
like "$out" "rom" "and kinds"
is "$(romsim image ls --json | jq -r '.[] | .name + " " + .kind' | tr '\n' ',')" \
    "my-org/app:latest base,my-org/app:path base,my-org/config:v1 rom," "ls --json lists the same"
is "$(romsim image inspect my-org/config:v1 --json | jq -r '.layers[0].digest')" "sha256:$(sha one.erofs)" \
    "inspect shows the layers"
printf 'name: x\nimage: my-org/app\nargs: [x]\nroms: [{name: r, image: my-org/config:v1}]\n' >x.yaml
ok "an instance names them" romsim plan x.yaml
is "$(plan '.roms[0].sha256')" "$(sha one.erofs)" "and gets the ROM"
instance my-org/app
wanted=$(plan .root.sha256)
digest=$(romsim image inspect my-org/app --json | jq -r .digest)
instance "my-org/app@$digest"
is "$(plan .root.sha256)" "$wanted" "a name with a digest"
instance "my-org/app@sha256:$(printf '0%.0s' {1..64})"
fails 1 "but not with another digest" romsim plan x.yaml
instance "registry.example/my-org/app:latest"
is "$(plan .root.sha256)" "$wanted" "a name with a registry finds the same without"
instance my-org/ap
fails 1 "a name that is nearly right" romsim plan x.yaml
like "$out" "the local store has my-org/app:latest" "is shown what there is"
like "$out" "skopeo copy docker://my-org/ap:latest oci:" "and how it would come"
like "$out" "x.yaml:2:8" "at its place"
instance docker://my-org/other:3
fails 1 "a registry is not asked" romsim plan x.yaml
like "$out" "skopeo copy docker://my-org/other:3 oci:" "but the command for it is said"
fails 1 "import does not ask one either" romsim image import docker://my-org/other:3
like "$out" "skopeo copy docker://my-org/other:3 oci:" "and says the command, too"
mkdir my-dir && echo x >my-dir/x
instance my-dir
ok "a name that the store does not have may be a path" romsim plan x.yaml
ok "tag" romsim image tag my-org/app registry.example/other/app:2
instance other/app:2
is "$(plan .root.sha256)" "$wanted" "a name without a registry finds the one with"
fails 1 "a name that cannot be" romsim image tag my-org/app '../x'
fails 1 "rm of what is not there" romsim image rm nothing
ok "rm" romsim image rm my-org/config:v1
before=$(ls "$store/blobs/sha256" | wc -l)
ok "gc" romsim image gc
is "$((before - $(ls "$store/blobs/sha256" | wc -l)))" 3 "removes manifest, config and layer of that image"
ok "gc spares what has a name" romsim image inspect my-org/app
if need skopeo "skopeo reads the store"; then
    ok "skopeo reads the store" skopeo --insecure-policy inspect "oci:$store:my-org/app:latest"
    ok "and copies from it" skopeo --insecure-policy copy -q "oci:$store:my-org/app:latest" docker-archive:saved.tar:my-org/saved:3
    ok "what it wrote can be imported" romsim image import docker-archive:saved.tar
    instance my-org/saved:3
    is "$(plan .root.sha256)" "$wanted" "under the name that it has in there"
    is "$(romsim image inspect docker-archive:saved.tar --json | jq -r .kind)" base "inspect takes transports, too"
fi
fails 1 "import without any name" romsim image import oci:images:base
like "$out" "-t" "says how to give one"

# ---- at once, and killed
for n in 1 2 3 4 5 6; do romsim image import oci:images:base -t "many/app:$n" 2>/dev/null & done
romsim image gc >/dev/null & romsim image ls >/dev/null &
wait
is "$(romsim image ls --json | jq -r '.[].name' | grep -c '^many/app:')" 6 "six imports and a gc at once: all are there"
for n in 1 2 3 4 5 6; do romsim image rm "many/app:$n" & romsim image tag my-org/app "more/app:$n" & done
wait
is "$(romsim image ls --json | jq -r '.[].name' | grep -c '^more/app:')" 6 "names come and go at once"
head -c 30000000 /dev/urandom >big && tar -cf big.tar big
make_layout large big $TAR=big.tar
for delay in 0.005 0.01 0.02 0.03 0.05 0.08; do
    # The shell's own word about the kill goes with the group's stderr.
    { timeout -s KILL $delay "$ROMSIM" image import oci:large:big -t killed/big; } >/dev/null 2>&1
    romsim image ls --json >ls.json || fail "ls after a kill" "$(cat ls.json)"
done
(cd "$store/blobs/sha256" && sha256sum -- * | awk '$1 != $2') >wrong
is "$(cat wrong)" "" "after kills every blob is what its name says"
ok "and import works" romsim image import oci:large:big -t killed/big
ok "and so does gc" romsim image gc

# ---- damage
blob=$store/blobs/sha256/$(romsim image inspect killed/big --json | jq -r '.layers[0].digest' | cut -d: -f2)
# (The layer is random: one byte would be what it is now and then.)
printf 'what it never was' | dd of="$blob" bs=1 seek=1000 conv=notrunc 2>/dev/null
instance killed/big
fails 1 "a damaged blob is found out" romsim plan x.yaml
like "$out" "is damaged" "and named"
echo '{' >"$store/index.json"
fails 1 "a damaged index is an error" romsim image ls
like "$out" "index.json is damaged" "that names it"
fails 1 "gc then removes nothing" romsim image gc
ok "not one blob" test -e "$blob"

done_testing
