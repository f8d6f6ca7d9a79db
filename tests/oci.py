# SPDX-License-Identifier: BSD-3-Clause
"""Container images for the tests, byte by byte: what no tool would write, too.

    PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'PY'
    from oci import *
    layout = Layout("images")
    layout.tag("t", layout.image([tar(("bin/sh", b"#!"))], os="linux", architecture="amd64"))
    layout.write()
    PY
"""
import hashlib, io, json, os, tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ROM = "application/vnd.unikraft.rom.v1"
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def tar(*entries):
    """A tar: (name, bytes), (name, None) for a folder, (name, "hard"|"sym", target)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, what, *more in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if what is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(what, bytes):
                info.size = len(what)
            else:
                info.type = {"hard": tarfile.LNKTYPE, "sym": tarfile.SYMTYPE}[what]
                info.linkname = more[0]
            archive.addfile(info, io.BytesIO(what) if isinstance(what, bytes) else None)
    return out.getvalue()


def digest(data, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, data).hexdigest()


class Layout:
    """An OCI image layout in memory."""

    def __init__(self, folder, algorithm="sha256"):
        self.folder, self.algorithm = folder, algorithm
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}

    def put(self, data, media_type, **more):
        """Keeps a blob; its descriptor."""
        name = digest(data, self.algorithm)
        self.files["blobs/" + name.replace(":", "/")] = data
        return dict({"mediaType": media_type, "digest": name, "size": len(data)}, **more)

    def put_json(self, value, media_type, **more):
        return self.put(json.dumps(value).encode(), media_type, **more)

    def image(self, layers, platform=None, media_type=LAYER, plain=None, **config):
        """An image of layers (bytes, or descriptors with their plain bytes in `plain`); the
        descriptor of its manifest."""
        plain = plain or layers
        full = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/sh"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(p, self.algorithm) for p in plain]}}
        full.update(config)
        descriptors = [self.put(l, media_type) if isinstance(l, bytes) else l for l in layers]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": self.put_json(full, CONFIG), "layers": descriptors}
        more = {"platform": platform} if platform else {}
        return self.put_json(manifest, MANIFEST, **more)

    def nested(self, *entries):
        return self.put_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}, INDEX)

    def tag(self, name, entry, **annotations):
        """An entry of index.json; a name of None is none."""
        notes = dict({REF_NAME: name} if name else {}, **annotations)
        self.index["manifests"].append(dict(entry, annotations=notes) if notes else dict(entry))

    def all_files(self):
        return dict(self.files, **{"index.json": json.dumps(self.index).encode()})

    def write(self):
        for name, data in self.all_files().items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "wb").write(data)

    def archive(self, **more):
        """The layout as a tar; `more` are further files."""
        files = dict(self.all_files(), **more)
        return tar(*sorted(files.items()))


def docker_archive(*images):
    """What `docker save` wrote up to its version 24.  An image is (tags, layers, config members)."""
    files, manifest = {}, []
    for tags, layers, *more in images:
        config = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/sh"]},
                  "rootfs": {"type": "layers", "diff_ids": [digest(l) for l in layers]}}
        config.update(more[0] if more else {})
        data = json.dumps(config).encode()
        name = hashlib.sha256(data).hexdigest() + ".json"
        files[name] = data
        paths = []
        for layer in layers:
            path = hashlib.sha256(layer + b"v1").hexdigest() + "/layer.tar"
            files[path] = layer
            paths.append(path)
        manifest.append({"Config": name, "RepoTags": tags, "Layers": paths})
    files["manifest.json"] = json.dumps(manifest).encode()
    return tar(*sorted(files.items()))


def told_apart(folder, **images):
    """Makes a layout of images which differ in their environment: org_name="text" is org/name, with
    FROM=text."""
    made = Layout(folder)
    root = tar(("bin/sh", b"#!"))
    for name, text in images.items():
        made.tag(name.replace("_", "/") + ":latest", made.image([root], config={"Env": ["FROM=" + text]}))
    made.write()
