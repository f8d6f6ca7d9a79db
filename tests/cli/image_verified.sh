#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What an image's descriptors say is checked, whatever is cached; digests of both algorithms; layers
# that tools write and other readers take: of no bytes, foreign; damage in the store is repaired.
. "$(dirname "$0")/../lib.sh"

store=$XDG_DATA_HOME/romsim/oci
export PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1
instance() { printf 'name: x\nimage: "%s"\nargs: [/bin/sh]\n' "$1" >x.yaml; }
root_of() { instance "$1"; romsim plan --json x.yaml 2>/dev/null | jq -r .root.sha256; }
roots() { find "$XDG_CACHE_HOME/romsim/roots" -name '*.erofs' -printf '%i\n' | sort -u | wc -l; }

python3 - <<'PY' || exit 1
import gzip
from oci import *
l1, l2 = tar(("bin/sh", b"#!"), ("etc/x", b"1")), tar(("etc/x", b"2"))
def layout(folder, *layers, algorithm="sha256", change=None, **more):
    made = Layout(folder, algorithm)
    made.tag("t", made.image(list(layers or (l1, l2)), **more))
    if change:
        change(made)
    made.write()
def with_layer(folder, **fields):
    """The second layer's descriptor has other fields."""
    made = Layout(folder)
    made.tag("t", made.image([made.put(l1, LAYER), dict(made.put(l2, LAYER), **fields)], plain=[l1, l2]))
    made.write()
def without(made, data):
    del made.files["blobs/" + digest(data, made.algorithm).replace(":", "/")]
def damage(made, data):
    name = "blobs/" + digest(data, made.algorithm).replace(":", "/")
    made.files[name] = bytes([data[0] ^ 1]) + data[1:]

layout("good")
with_layer("size-1", size=1)
with_layer("size-more", size=len(l2) + 1)
with_layer("size-huge", size=1 << 50)
with_layer("digest", digest="sha256:" + "0" * 64)
with_layer("other", **{k: v for k, v in Layout("").put(l1, LAYER).items() if k != "mediaType"})
layout("missing", change=lambda made: without(made, l2))
packed = gzip.compress(l2)
made = Layout("gzip")
made.tag("t", made.image([made.put(l1, LAYER), made.put(packed, LAYER + "+gzip")], plain=[l1, l2]))
made.write()
made = Layout("gzip-damaged")
made.tag("t", made.image([made.put(l1, LAYER), made.put(packed + b"x", LAYER + "+gzip")], plain=[l1, l2]))
damage(made, packed + b"x")
made.write()

layout("sha512", algorithm="sha512")
layout("sha512-damaged", algorithm="sha512", change=lambda made: damage(made, l1))
made = Layout("sha512-only-layer")
big = Layout("sha512-only-layer", "sha512")
made.tag("t", made.image([big.put(l1, LAYER), made.put(l2, LAYER)], plain=[l1, l2]))
made.files.update((k, v) for k, v in big.files.items() if "sha512" in k)
made.write()
layout("sha384", change=lambda made: made.index["manifests"][0].update(digest="sha384:" + "0" * 96))
layout("sha512-short", change=lambda made: made.index["manifests"][0].update(digest="sha512:" + "0" * 64))
open("docker.tar", "wb").write(docker_archive((["org/docker:1"], [l1, l2])))
open("docker-short.tar", "wb").write(docker_archive((["org/docker:1"], [l1, l2])).replace(l2, l2[:512] + b"?" * 512 + l2[1024:]))

# ---- layers of no bytes, as they are and compressed; foreign layers
layout("empty", l1, b"", l2)
for kind, data in ("+gzip", b""), ("+gzip", gzip.compress(b"")), ("+zstd", b""):
    made = Layout("empty" + kind + str(len(data)))
    made.tag("t", made.image([made.put(l1, LAYER), made.put(data, LAYER + kind), made.put(l2, LAYER)],
                             plain=[l1, b"", l2]))
    made.write()
open("empty.docker.tar", "wb").write(docker_archive((["org/docker:1"], [l1, b"", l2])))
layout("empty-only", b"")
for name, media_type in (
        ("docker", "application/vnd.docker.image.rootfs.foreign.diff.tar"),
        ("oci", "application/vnd.oci.image.layer.nondistributable.v1.tar")):
    layout("foreign-" + name, media_type=media_type)
    layout("foreign-gone-" + name, media_type=media_type, change=lambda made: without(made, l1))
    packed = gzip.compress(l1)
    made = Layout("foreign-gzip-" + name)
    made.tag("t", made.image([made.put(packed, media_type + (".gzip" if name == "docker" else "+gzip")),
                              made.put(l2, LAYER)], plain=[l1, l2]))
    made.write()
PY

# ---- nothing is accepted because its root is cached
for round in "before any root is cached" "when the root is cached"; do
    for name in size-1 size-more size-huge digest other missing gzip-damaged; do
        instance oci:$name
        fails 1 "$name is refused, $round" romsim plan x.yaml
    done
    instance docker-archive:docker-short.tar
    [ "$round" = "when the root is cached" ] || fails 1 "docker-short is refused, $round" romsim plan x.yaml
    wanted=$(root_of oci:good)
    is "${#wanted}" 64 "the good one is taken"
done
before=$(roots)
for name in oci:gzip oci:sha512-only-layer docker-archive:docker.tar; do
    is "$(root_of $name)" "$wanted" "$name has the same root"
    is "$(root_of $name)" "$wanted" "and has it from the cache, too"
done
is "$(roots)" "$before" "which was built once"
instance oci:gzip
layer=$(romsim image inspect --json oci:gzip | jq -r '.layers[1].digest' | cut -d: -f2)
ok "with the root cached" env ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -y -o trace \
    -e trace=openat,openat2,read,pread64,mmap,copy_file_range,ioctl,sendfile "$ROMSIM" plan x.yaml
like "$(grep openat trace)" "$layer" "a layer that was checked is looked at"
is "$(grep "$layer" trace | grep -v openat)" "" "and not read again"
romsim image gc --all >/dev/null

# ---- digests
instance oci:sha512-damaged
fails 1 "a damaged blob of SHA-512 is refused" romsim plan x.yaml
like "$out" "is damaged: its digest is sha512:" "by its digest"
is "$(root_of oci:sha512)" "$wanted" "an image of SHA-512 has the same root"
for name in sha384 sha512-short; do
    instance oci:$name
    fails 1 "$name is no digest that can be verified" romsim plan x.yaml
    like "$out" "or 'sha512:' and 128" "the hint says which are"
done
ok "an image of SHA-512 is imported" romsim image import oci:sha512:t -t my-org/long
is "$(root_of my-org/long)" "$wanted" "and has its root from the store"
digest=$(romsim image inspect --json my-org/long | jq -r .digest)
like "$digest" "sha512:" "inspect has the digest as it is"
is "$(root_of "my-org/long@$digest")" "$wanted" "which leads to it"
ok "gc" romsim image gc
is "$(root_of my-org/long)" "$wanted" "spares it"
is "$(find "$store/blobs/sha512" -type f | wc -l)" 4 "manifest, config and two layers"
romsim image rm my-org/long
ok "gc" romsim image gc
is "$(find "$store/blobs/sha512" -type f | wc -l)" 0 "removes it, when nothing leads to it"

# ---- odd layers
for name in empty empty+gzip0 empty+gzip20 empty+zstd0; do
    is "$(root_of oci:$name)" "$wanted" "$name: a layer of no bytes changes nothing"
done
is "$(root_of docker-archive:empty.docker.tar)" "$wanted" "nor in a docker-archive"
instance oci:empty-only
ok "an image of an empty layer alone is an empty root" romsim plan x.yaml
for kind in docker oci; do
    is "$(root_of oci:foreign-$kind)" "$wanted" "a foreign layer ($kind) whose blob is there is one like others"
    is "$(root_of oci:foreign-gzip-$kind)" "$wanted" "and so is a compressed one"
    instance oci:foreign-gone-$kind
    fails 1 "one whose blob is not there is refused" romsim plan x.yaml
    like "$out" "it is a foreign layer" "with the reason"
done

# ---- damage in the store
damage() { printf '\1' | dd of="$1" bs=1 seek=20 conv=notrunc 2>/dev/null; }
blob_of() { echo "$store/blobs/$(romsim image inspect --json my-org/app | jq -r "$1" | tr : /)"; }
for import in oci:good:t docker-archive:docker.tar; do
    romsim image import $import -t my-org/app 2>/dev/null
    layer=$(blob_of '.layers[1].digest') manifest=$(blob_of .digest)
    config=$store/blobs/$(jq -r .config.digest "$manifest" | tr : /)
    for blob in "$layer" "$manifest" "$config"; do
        romsim image gc --all >/dev/null
        chmod u+w "$blob"
        damage "$blob"
        instance my-org/app
        fails 1 "a damaged blob is found out" romsim plan x.yaml
        like "$out" "import the image again" "and the hint says what repairs it"
        ok "the sound image is imported again ($import)" romsim image import $import -t my-org/app
        is "$(root_of my-org/app)" "$wanted" "which repairs it"
        damage "$blob"
        romsim image gc --all >/dev/null 2>&1
        ok "image rm" romsim image rm my-org/app
        ok "and import" romsim image import $import -t my-org/app
        is "$(root_of my-org/app)" "$wanted" "repair it, too"
        : >"$blob"
        ok "import of what was cut short" romsim image import $import -t my-org/app
        is "$(root_of my-org/app)" "$wanted" "repairs that"
    done
    romsim image rm my-org/app
done

# The same for what is written for other tools.
mkdir -p project/rootfs && echo x >project/rootfs/x
printf 'spec: v0.7\nruntime: base:latest\nrootfs: ./rootfs\ncmd: [/x]\n' >project/Kraftfile
ok "an image is built into a layout" romsim image build project -o oci:out:t
for blob in out/blobs/sha256/*; do damage "$blob"; done
ok "and again, over damaged blobs" romsim image build project -o oci:out:t
(cd out/blobs/sha256 && sha256sum -- * | awk '$1 != $2') >wrong
is "$(cat wrong)" "" "which are sound then"
ok "the store's, too: build" romsim image build project -t my-org/built
(cd "$store/blobs/sha256" && for blob in *; do damage "$blob"; done)
ok "build again" romsim image build project -t my-org/built
ok "and it can be read" romsim image inspect my-org/built

done_testing
