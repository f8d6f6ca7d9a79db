#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Malformed images: each gives one clear error and status 1, in a bounded time, and nothing is
# written outside of the cache.
. "$(dirname "$0")/../lib.sh"

# Each case is a folder bad/NAME with an image layout `i` or an archive `i.tar`, the reference in
# `reference`, and in `says` what the error has to say.  ROM cases have a file `rom`.
python3 - <<'PY' || exit 1
import copy, gzip, hashlib, io, json, os, tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ROM = "application/vnd.unikraft.rom.v1"

def tar(*entries, **options):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, *more in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            data = b""
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = more[0]
            elif kind == tarfile.REGTYPE:
                data = more[0] if more else b""
                info.size = len(data)
            info.pax_headers = options.get("pax", {})
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()

REG, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
GOOD = tar(("bin/sh", REG, b"#!"))

class Image:
    """A good image, which the cases then damage."""
    def __init__(self, *layers, media_type=LAYER):
        self.blobs = {}
        self.config = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/sh"]},
                       "rootfs": {"type": "layers", "diff_ids": []}}
        self.manifest = {"schemaVersion": 2, "config": None, "layers": []}
        for layer in layers or (GOOD,):
            self.manifest["layers"].append(self.put(layer, media_type))
            self.config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(layer).hexdigest())
        self.index = {"schemaVersion": 2, "manifests": []}
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.sealed = False

    def put(self, data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return dict({"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}, **more)

    def put_json(self, value, media_type, **more):
        return self.put(json.dumps(value).encode(), media_type, **more)

    def seal(self):
        """Config, manifest and index, unless a case has made its own."""
        if self.manifest["config"] is None:
            self.manifest["config"] = self.put_json(self.config, CONFIG)
        if not self.index["manifests"]:
            self.index["manifests"].append(self.put_json(self.manifest, MANIFEST))
        self.files.setdefault("index.json", json.dumps(self.index).encode())
        self.sealed = True
        return self

    def write(self, folder):
        if not self.sealed:
            self.seal()
        os.makedirs(folder + "/blobs/sha256")
        for digest, data in self.blobs.items():
            open(f"{folder}/blobs/sha256/{digest}", "wb").write(data)
        for name, data in self.files.items():
            if data is not None:
                open(f"{folder}/{name}", "wb").write(data)

def case(name, says, image, reference="oci:bad/%s/i", rom=False):
    os.makedirs("bad/" + name)
    if isinstance(image, bytes):
        open(f"bad/{name}/i.tar", "wb").write(image)
    else:
        image.write(f"bad/{name}/i")
    open(f"bad/{name}/reference", "w").write(reference % name if "%" in reference else reference)
    open(f"bad/{name}/says", "w").write(says)
    if rom:
        open(f"bad/{name}/rom", "w").close()

def changed(function, *layers, **more):
    image = Image(*layers, **more)
    function(image)
    return image

def first_layer(image):
    return image.manifest["layers"][0]

# ---- the layout and its index
case("no-layout", "it is no OCI image layout", changed(lambda i: i.files.update({"oci-layout": None})))
case("no-index", "index.json", changed(lambda i: i.files.update({"index.json": b""})))
case("index-cut", "no valid JSON", changed(lambda i: i.files.update({"index.json": b'{"manifests":['})))
case("index-binary", "no valid JSON", changed(lambda i: i.files.update({"index.json": bytes(range(256))})))
case("index-list", "no list of manifests", changed(lambda i: i.files.update({"index.json": b"[]"})))
case("index-empty", "there is no image in it", changed(lambda i: i.files.update({"index.json": b'{"manifests":[]}'})))
case("index-duplicate", "no valid JSON",
     changed(lambda i: i.files.update({"index.json": b'{"manifests":[],"manifests":[]}'})))
case("index-deep", "no valid JSON", changed(lambda i: i.files.update({"index.json": b"[" * 50000})))
case("index-huge", "of JSON", changed(lambda i: i.files.update({"index.json": b" " * (5 << 20) + b"{}"})))
case("index-many", "more than 1000", changed(lambda i: i.files.update(
    {"index.json": json.dumps({"manifests": [{"digest": "sha256:0"}] * 2000}).encode()})))
case("no-tag", "no image is tagged 'nope'", Image(), "oci:bad/%s/i:nope")

def nested(image, depth):
    image.manifest["config"] = image.put_json(image.config, CONFIG)
    at = image.put_json(image.manifest, MANIFEST)
    for _ in range(depth):
        at = image.put_json({"schemaVersion": 2, "manifests": [at]}, INDEX)
    image.index["manifests"].append(at)
case("index-nested", "nested more than", changed(lambda i: nested(i, 20)))

def loop(image):
    # A real loop would need a collision of SHA-256: this one has the name, not the content.
    fake = {"mediaType": INDEX, "digest": "sha256:" + "a" * 64, "size": 0}
    data = json.dumps({"manifests": [fake]}).encode()
    fake["size"] = len(data)
    image.blobs["a" * 64] = json.dumps({"manifests": [fake]}).encode()
    fake["size"] = len(image.blobs["a" * 64])
    image.blobs["a" * 64] = json.dumps({"manifests": [fake]}).encode()
    image.index["manifests"].append(fake)
case("index-loop", "is damaged: its digest is", changed(loop))

# ---- digests and sizes
def point(image, **fields):
    image.manifest["config"] = image.put_json(image.config, CONFIG)
    entry = dict(image.put_json(image.manifest, MANIFEST), **fields)
    image.index["manifests"].append(entry)
case("digest-algorithm", "no digest that can be verified", changed(lambda i: point(i, digest="md5:" + "0" * 32)))
case("digest-path", "no digest that can be verified",
     changed(lambda i: point(i, digest="sha256:../../../../../../../../etc/passwd" + "0" * 27)))
case("digest-upper", "no digest that can be verified", changed(lambda i: point(i, digest="sha256:" + "A" * 64)))
case("digest-missing", "has no digest", changed(lambda i: point(i, digest=None)))
case("digest-number", "has no digest", changed(lambda i: point(i, digest=12)))
case("size-negative", "no valid size", changed(lambda i: point(i, size=-1)))
case("size-text", "no valid size", changed(lambda i: point(i, size="345")))
case("size-wrong", "not the 1 that", changed(lambda i: point(i, size=1)))
case("size-2-63", "of JSON", changed(lambda i: point(i, size=(1 << 63) - 1)))
case("size-2-64", "no valid JSON", changed(lambda i: i.files.update(
    {"index.json": b'{"manifests":[{"digest":"sha256:%s","size":18446744073709551616}]}' % (b"0" * 64)})))
case("blob-missing", "cannot open", changed(lambda i: point(i, digest="sha256:" + "0" * 64)))

def damage(image, what):
    image.seal()
    digest = what(image).split(":")[1]
    data = bytearray(image.blobs[digest])
    data[len(data) // 2] ^= 1
    image.blobs[digest] = bytes(data)
def truncate(image):
    image.seal()
    digest = first_layer(image)["digest"].split(":")[1]
    image.blobs[digest] = image.blobs[digest][:100]
case("manifest-damaged", "is damaged", changed(lambda i: damage(i, lambda i: i.index["manifests"][0]["digest"])))
case("config-damaged", "is damaged", changed(lambda i: damage(i, lambda i: i.manifest["config"]["digest"])))
case("layer-damaged", "is damaged", changed(lambda i: damage(i, lambda i: first_layer(i)["digest"])))
case("layer-truncated", "has 100 bytes", changed(truncate))
case("diff-id-wrong", "not what the config says",
     changed(lambda i: i.config["rootfs"].update(diff_ids=["sha256:" + "1" * 64])))
case("diff-id-missing", "lists 0 layers, the manifest 1", changed(lambda i: i.config["rootfs"].update(diff_ids=[])))
case("diff-id-garbage", "diff_id 1 of the config", changed(lambda i: i.config["rootfs"].update(diff_ids=[{}])))

# ---- manifest and config
case("manifest-version", "schema version 2", changed(lambda i: i.manifest.update(schemaVersion=1)))
case("manifest-layers", "no list of layers", changed(lambda i: i.manifest.update(layers={"a": 1})))
case("manifest-layer", "is no descriptor", changed(lambda i: i.manifest.update(layers=[7])))
case("manifest-many", "more than 512", changed(lambda i: i.manifest.update(layers=[first_layer(i)] * 600)))
case("manifest-index", "an index in disguise", changed(lambda i: i.manifest.update(manifests=[])))
case("manifest-no-config", "the config is no descriptor", changed(lambda i: i.manifest.update(config="x")))
case("layer-type", "of the media type 'application/x-evil'", changed(lambda i: first_layer(i).update(mediaType="application/x-evil")))
case("layer-type-long", "media type of", changed(lambda i: first_layer(i).update(mediaType="x" * 5000)))
case("config-list", "the config is no object", changed(lambda i: i.manifest.update(config=i.put(b"[]", CONFIG))))
case("config-cmd", "Cmd is no list of strings", changed(lambda i: i.config["config"].update(Cmd="/bin/sh")))
case("config-env", "Env is no list of strings", changed(lambda i: i.config["config"].update(Env=[1])))
case("config-nul", "no valid JSON", changed(lambda i: i.config["config"].update(Cmd=["a\0b"])))
case("config-arm", "the image is for linux/riscv64", changed(lambda i: i.config.update(architecture="riscv64")))
case("config-escape", "\\x1b", changed(lambda i: i.config.update(architecture="\x1b[31m")))

# ---- layers
case("layer-under-file", "is not a directory", Image(tar(("a", REG, b"x"), ("a/b", REG, b"y"))))
case("layer-link-out", "a hard link to", Image(tar(("a", LNK, "../../../../etc/passwd"))))
case("layer-link-absolute", "a hard link to '/etc/shadow'", Image(tar(("a", LNK, "/etc/shadow"))))
case("layer-whiteout", "a whiteout that names nothing", Image(tar(("d/.wh.", REG))))
case("layer-loop", "symbolic links", Image(tar(("a", SYM, "b"), ("b", SYM, "a"), ("a/x", REG))))
case("layer-deep", "nested more than", Image(tar(("d/" * 2000 + "x", REG))))
case("layer-name", "bytes, more than 255", Image(tar(("n" * 300, REG))))
case("layer-size", "cannot be read", Image(GOOD[:124] + b"77777777777\0" + GOOD[136:]))
case("layer-garbage", "not an archive", Image(os.urandom(5000)))
case("layer-zip", "a zip archive", Image(b"PK\3\4" + b"x" * 600))
case("layer-gzip-cut", "cannot be decompressed", Image(gzip.compress(GOOD * 50)[:150]))
case("layer-bomb", "grows beyond", Image(gzip.compress(gzip.compress(b"\0" * (1 << 22))) if False else
     b"".join([gzip.compress(b"\0" * (1 << 24))] * 80)))
case("no-layers", "it has no root file system", changed(lambda i: (i.manifest.update(layers=[]), i.config["rootfs"].update(diff_ids=[]))))

# ---- ROMs and bases
case("rom-as-base", "it is a ROM, which cannot be a base image", Image(b"\0" * 4096, media_type=ROM))
case("base-as-rom", "it is a bootable image, not a ROM", Image(), rom=True)
case("rom-unaligned", "Invalid size 5000 of ROM image", Image(b"\0" * 5000, media_type=ROM), rom=True)
def unikraft(image):
    first_layer(image)["annotations"] = {"org.unikraft.kernel.initrd": "/unikraft/bin/initrd"}
case("root-two-files", "not a tar of one file", changed(unikraft, tar(("a", REG, b"x"), ("b", REG, b"x"))))
case("root-garbage", "cannot be a base image", changed(unikraft, tar(("unikraft/bin/initrd", REG, b"garbage"))))

# ---- archives
case("archive-garbage", "not an archive", b"garbage", "oci-archive:bad/%s/i.tar")
case("archive-no-layout", "it is no OCI image layout", GOOD, "oci-archive:bad/%s/i.tar")
case("docker-none", "nothing that `docker save` wrote", GOOD, "docker-archive:bad/%s/i.tar")
def docker(manifest, *more):
    return tar(("manifest.json", REG, json.dumps(manifest).encode()), *more)
GOOD_CONFIG = json.dumps({"os": "linux", "architecture": "amd64",
                          "rootfs": {"diff_ids": ["sha256:" + hashlib.sha256(GOOD).hexdigest()]}}).encode()
case("docker-empty", "lists no image", docker([]), "docker-archive:bad/%s/i.tar")
case("docker-no-config", "names no config", docker([{"Layers": []}]), "docker-archive:bad/%s/i.tar")
case("docker-config-missing", "there is no file", docker([{"Config": "c.json", "Layers": []}]), "docker-archive:bad/%s/i.tar")
case("docker-layer-missing", "there is no file 'l.tar'",
     docker([{"Config": "c.json", "Layers": ["l.tar"]}], ("c.json", REG, GOOD_CONFIG)), "docker-archive:bad/%s/i.tar")
case("docker-layer-host", "there is no file '../../../../etc/passwd'",
     docker([{"Config": "c.json", "Layers": ["../../../../etc/passwd"]}], ("c.json", REG, GOOD_CONFIG)),
     "docker-archive:bad/%s/i.tar")
case("docker-layer-loop", "there is no file",
     docker([{"Config": "c.json", "Layers": ["l"]}], ("c.json", REG, GOOD_CONFIG), ("l", SYM, "l")),
     "docker-archive:bad/%s/i.tar")
case("docker-layer-wrong", "not what the config says",
     docker([{"Config": "c.json", "Layers": ["l.tar"]}], ("c.json", REG, GOOD_CONFIG),
            ("l.tar", REG, tar(("other", REG)))), "docker-archive:bad/%s/i.tar")
case("docker-config-digest", "is damaged",
     docker([{"Config": "0" * 64 + ".json", "Layers": ["l.tar"]}], ("0" * 64 + ".json", REG, GOOD_CONFIG)),
     "docker-archive:bad/%s/i.tar")
several = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": []}, {"Config": "c.json", "RepoTags": ["b:1"], "Layers": []}]
case("docker-several", "there are 2 images", docker(several), "docker-archive:bad/%s/i.tar")
case("docker-no-tag", "no image is tagged 'c:1'", docker(several), "docker-archive:bad/%s/i.tar:c:1")
PY

# The layout's own link to the host's files must not be followed out of it.
mkdir -p bad/link-out
cp -r bad/blob-missing/i bad/link-out/i
ln -s /etc/passwd "bad/link-out/i/blobs/sha256/$(printf '0%.0s' {1..64})"
echo -n "oci:bad/link-out/i" >bad/link-out/reference
echo -n "cannot open" >bad/link-out/says

mkdir base && echo x >base/x
# All but the cache, the state folder and this test's own two files.
snapshot() {
    find "$T" -mindepth 1 -path "$T/.xdg/*" -prune -o ! -name x.yaml ! -name '*.list' \
        -printf '%P %s %T@ %m\n' | sort
}
snapshot >before.list
total=0
for folder in bad/*/; do
    name=$(basename "$folder")
    reference=$(cat "$folder/reference")
    says=$(cat "$folder/says")
    total=$((total + 1))
    if [ -e "$folder/rom" ]; then
        printf 'name: x\nimage: ./base\nargs: [x]\nroms: [{name: r, image: "%s"}]\n' "$reference" >x.yaml
    else
        printf 'name: x\nimage: "%s"\nargs: [x]\n' "$reference" >x.yaml
    fi
    out=$(timeout 20 "$ROMSIM" plan x.yaml 2>&1 >/dev/null)
    status=$?
    if [ $status != 1 ]; then fail "$name is refused" "status $status" "$out"
    elif [ "$(grep -c 'error: ' <<<"$out")" != 1 ]; then fail "$name gives one error" "$out"
    elif [[ $out != *"$says"* ]]; then fail "$name says: $says" "$out"
    elif [[ $out == *$'\e'* ]]; then fail "$name does not reach the terminal" "$out"
    else pass "$name: $says"; fi
done
snapshot >after.list
same after.list before.list "nothing is written outside of the cache"
is "$([ $total -ge 70 ] && echo enough)" enough "$total malformed images were tried"
is "$(find "$XDG_CACHE_HOME/romsim" -type f ! -name 'lock-*' | grep -v erofs)" "" "nothing half is left"

done_testing
