#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# image_bombs.sh: small inputs that would keep romsim busy for minutes are refused, by name.
. "$(dirname "$0")/../lib.sh"

python3 - <<'END'
import hashlib, io, json, os, tarfile

def tar(name, entries):
    with tarfile.open(name, "w", format=tarfile.PAX_FORMAT) as archive:
        for path, kind, more in entries:
            info = tarfile.TarInfo(path)
            info.type = kind
            for key, value in more.items():
                setattr(info, key, value)
            archive.addfile(info)

tar("layer.tar", [("a", tarfile.REGTYPE, {})])
tar("links.tar", [("s", tarfile.SYMTYPE, {"linkname": "./" * 2000})] +
    [("s/" * 39 + f"f{i}", tarfile.REGTYPE, {}) for i in range(20000)])
xattrs = {f"SCHILY.xattr.user.{i:05}": "v" for i in range(20000)}
tar("xattrs.tar", [(f"f{i}", tarfile.REGTYPE, {"pax_headers": xattrs}) for i in range(10)])

def layout(folder, layer, media_type, diff_id, count):
    os.makedirs(folder + "/blobs/sha256")
    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{folder}/blobs/sha256/{digest}", "wb") as file:
            file.write(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest,
                "size": len(data)}
    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs":
                  {"type": "layers", "diff_ids": ["sha256:" + diff_id] * count}}).encode(),
                  "config.v1+json")
    manifest = blob(json.dumps({"schemaVersion": 2, "config": config,
                    "layers": [blob(layer, media_type)] * count}).encode(), "manifest.v1+json")
    for name, value in (("index.json", {"schemaVersion": 2, "manifests": [manifest]}),
                        ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(f"{folder}/{name}", "w") as file:
            json.dump(value, file)

plain = open("layer.tar", "rb").read()
layout("index", plain, "layer.v1.tar", hashlib.sha256(plain).hexdigest(), 1)
os.truncate("index/index.json", 1 << 40)

def zeros(folder, mebibytes, count):
    """Layers that are one tar with a file of zeros, compressed to a thousandth."""
    import subprocess
    os.truncate(os.open("zeros", os.O_CREAT | os.O_RDWR), mebibytes << 20)
    with tarfile.open("zeros.tar", "w") as archive:
        archive.add("zeros")
    subprocess.run(["zstd", "-q", "-f", "zeros.tar"], check=True)
    digest = hashlib.sha256(open("zeros.tar", "rb").read()).hexdigest()
    layout(folder, open("zeros.tar.zst", "rb").read(), "layer.v1.tar+zstd", digest, count)
    os.unlink("zeros.tar")

zeros("bomb", 260, 1)
zeros("bombs", 100, 500)

# A docker archive that names one layer of zeros by many names.
import shutil
folder = "docker"
os.makedirs(folder)
shutil.copy("zeros.tar.zst", folder + "/layer0")
digest = json.load(open([f"bombs/blobs/sha256/{name}" for name in os.listdir("bombs/blobs/sha256")
    if b"diff_ids" in open(f"bombs/blobs/sha256/{name}", "rb").read()][0]))["rootfs"]["diff_ids"][0]
for i in range(1, 300):
    os.link(folder + "/layer0", f"{folder}/layer{i}")
for name, value in (("config.json", {"architecture": "amd64", "os": "linux",
                     "rootfs": {"type": "layers", "diff_ids": [digest] * 300}}),
                    ("manifest.json", [{"Config": "config.json", "RepoTags": ["x:1"],
                     "Layers": [f"layer{i}" for i in range(300)]}])):
    with open(f"{folder}/{name}", "w") as file:
        json.dump(value, file)
END
tar -C docker -cf docker.tar .
truncate -s 900G sparse && tar --sparse --format=posix -cf sparse.tar sparse && rm sparse
for i in 1 2 3 4 5; do truncate -s 120M "part$i"; done
tar --sparse -cf parts.tar part? && rm part?

refused() { # IMAGE MESSAGE TEXT
    printf 'name: x\nimage: %s\nargs: [/x]\n' "$1" >bomb.yaml
    fails 1 "$3" romsim plan bomb.yaml
    like "$out" "$2" "$3: the message"
}
refused oci:index "'index.json' has 1.0 TiB, more than" "an index that is a sparse file of a terabyte"
refused oci:bomb "grows beyond 256.0 MiB" "a layer of zeros"
fails 1 "the same layer by many names" romsim image import docker-archive:docker.tar
like "$out" "layer 6: the layers grow beyond 512.0 MiB" "the same layer by many names: the message"
refused oci:bombs "the layers grow beyond 512.0 MiB" "the same small layer many times"
refused ./sparse.tar "the files have more than 512.0 MiB" "a sparse file of 900 gigabytes in a small tar"
refused ./parts.tar "entry 'part5': the files have more than" "several large sparse files"
refused ./links.tar "symbolic links of more than 4096 bytes" "long links in many names"
refused ./xattrs.tar "more than 4096 extended attributes" "a flood of extended attributes"

# A name of 3.75 GiB, says its header (found by the fuzzer).  Under the sanitizers the number says
# nothing.
python3 - <<'END'
fields = ["070701"] + ["%08X" % n for n in (1, 0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xF0000000, 0)]
open("name.cpio", "wb").write("".join(fields).encode() + b"name\0" * 100)
END
refused ./name.cpio "no whole name behind the header at byte 0" "a name longer than its archive"
peak() {
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)' "$@"
}
[ "${SANITIZE:-}" = 1 ] || ok "and costs no memory" test "$(peak "$ROMSIM" plan bomb.yaml)" -lt 64

done_testing
