#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# image_growth.sh: what an archive or inline files become is in proportion to what they are: neither
# the memory for names nor the image itself grows without end, whatever command reads them.  What is
# refused names the bound, and goes through with another.
. "$(dirname "$0")/../lib.sh"

export ROOT
python3 - <<'END' || exit 1
import gzip, lzma, os, sys, tarfile

def tar(entries):
    pieces = []
    for name, kind, link, data in entries:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(data)
        pieces.append(info.tobuf(tarfile.PAX_FORMAT) + data + b"\0" * (-len(data) % 512))
    return b"".join(pieces) + b"\0" * 1024

def write(name, data):
    with (lzma.open(name, "wb", preset=0) if name.endswith("xz") else
          gzip.open(name, "wb", compresslevel=1)) as file:
        file.write(data)

FILE, DIR, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
write("names.tar.xz", tar((f"f{i}", FILE, "", b"") for i in range(180000)))
write("dirs.tar.xz", tar((f"d{i}", DIR, "", b"") for i in range(20000)))
write("links.tar.gz", tar((f"l{i}", LINK, "x", b"") for i in range(20000)))
write("bytes.tar.gz", tar((f"b{i}", FILE, "", b"x") for i in range(20000)))
# Under a name of 3,800 bytes, which is told once: cpio writes it for each of them.
deep = "/".join(["d" * 200] * 19)
write("paths.tar.xz", tar([(deep, DIR, "", b""), ("s", LINK, deep, b"")] +
    [(f"s/f{i}", FILE, "", b"") for i in range(20000)]))
write("fair-dirs.tar.xz", tar((f"d{i}", DIR, "", b"") for i in range(8000)))
write("fair-names.tar.xz", tar((f"f{i}", FILE, "", b"") for i in range(100000)))
# The same file 300,000 times: what is replaced still takes memory until the end.
write("again.tar.xz", tar(("f", FILE, "", b"") for i in range(300000)))

def instance(name, parents, roms):
    with open(name, "w") as file:
        file.write("name: x\nimage: ./root\nargs: [/x]\nroms:\n")
        for rom in range(roms):
            file.write(f"- name: r{rom}\n  at: /r{rom}\n  files:\n")
            for i in range(16):
                path = "/".join([chr(97 + i)] + ["d"] * (parents - 1) + ["f"])
                file.write(f"  - {{path: {path}, data: ''}}\n")

instance("inline.yaml", 1000, 8)
instance("one.yaml", 1000, 1)
instance("fair.yaml", 60, 8)

# Images: what counts is the files that are left when all layers are there.
sys.path.insert(0, os.environ["ROOT"] + "/tests")
sys.dont_write_bytecode = True
import oci

def dirs(first, count, *more):
    return tar([*more, *((f"{more[0][0] + '/' if more else ''}d{i}", DIR, "", b"") for i in range(first, first + count))])

images = {
    "names": [tar((f"f{i}", FILE, "", b"") for i in range(180000))],
    "parts": [dirs(4000 * i, 4000) for i in range(5)],  # each alone is fair
    "same": [dirs(0, 4000)] * 5,
    # Each layer's hide the last one's.
    "hidden": [dirs(4000 * i, 4000, ("v", DIR, "", b""), ("v/.wh..wh..opq", FILE, "", b"")) for i in range(5)],
}
for name, layers in images.items():
    config = {"config": {"Cmd": ["/x"]}}
    layout = oci.Layout("layout-" + name)
    packed = [gzip.compress(layer, 9) for layer in layers]
    layout.tag("t", layout.image(packed, media_type=oci.LAYER + "+gzip", plain=layers, **config))
    layout.write()
    write(f"oci-{name}.tar.xz", layout.archive())
    write(f"docker-{name}.tar.xz", oci.docker_archive((["t:t"], layers, config)))
    for kind, image in (("layout", f"oci:layout-{name}:t"), ("oci", f"./oci-{name}.tar.xz"),
                        ("docker", f"./docker-{name}.tar.xz"), ("stored", f"stored/{name}:t")):
        with open(f"{kind}-{name}.yaml", "w") as file:
            file.write(f"name: x\nimage: {image}\nargs: [/x]\n")
END
mkdir root && printf '#!/bin/sh\n' >root/x && chmod +x root/x
for name in names.tar.xz dirs.tar.xz links.tar.gz bytes.tar.gz; do
    printf 'name: x\nimage: ./%s\nargs: [/x]\n' "$name" >"${name%%.*}.yaml"
    mkdir "kraft-${name%%.*}"
    printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ../%s\ncmd: [/x]\n' "$name" \
        >"kraft-${name%%.*}/Kraftfile"
done
mkdir mnt

# costs INPUT COMMAND...: runs it, prints what it says, and fails if it takes more than 64 MiB and 4
# times the input, or 5 seconds of the processor.
costs() {
    python3 - "$@" <<'END'
import os, resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sanitized = os.environ.get("SANITIZE") == "1"  # then the numbers say nothing
if not sanitized and used.ru_maxrss * 1024 > (64 << 20) + 4 * os.path.getsize(sys.argv[1]):
    sys.exit(f"it takes {used.ru_maxrss >> 10} MiB of memory")
if not sanitized and used.ru_utime + used.ru_stime > 5:
    sys.exit(f"it takes {used.ru_utime + used.ru_stime} seconds")
print("status", status)
END
}

refused() { # INPUT BOUND COMMAND...
    local input=$1 bound=$2; shift 2
    ok "$* keeps within bounds" costs "$input" "$ROMSIM" "$@"
    like "$out" "--bound $bound=VALUE allows more" "$*: is refused, and the bound is named"
    unlike "$out" "status 0" "$*: fails"
}

for name in names.tar.xz dirs.tar.xz links.tar.gz bytes.tar.gz; do
    bound=image-bytes
    [ "$name" != names.tar.xz ] || bound=node-bytes
    refused "$name" $bound rom pack "$name" -o x.rom
    refused "$name" $bound plan "${name%%.*}.yaml"
done
for name in names dirs; do
    bound=image-bytes
    [ "$name" != names ] || bound=node-bytes
    refused $name.tar.xz $bound check $name.yaml
    refused $name.tar.xz $bound mount $name.yaml mnt
    refused $name.tar.xz $bound run $name.yaml
    refused $name.tar.xz $bound image build kraft-$name -o oci:out
    refused $name.tar.xz $bound rom pack --compress lz4 $name.tar.xz -o x.rom
    refused $name.tar.xz $bound rom diff $name.tar.xz root
done
refused names.tar.xz node-bytes image import names.tar.xz
refused paths.tar.xz image-bytes rom pack --format cpio paths.tar.xz -o x.rom
refused again.tar.xz node-bytes rom pack again.tar.xz -o x.rom
for command in check plan "build -o out" "mount" run; do
    operands=
    [ "$command" != mount ] || operands=mnt
    # shellcheck disable=SC2086
    refused inline.yaml image-bytes $command inline.yaml $operands
done
refused one.yaml image-bytes plan one.yaml

# The layers of an image, wherever it is: in a layout, in an archive, in the store, which keeps them
# compressed as they were in a layout.
for name in names parts; do
    for kind in docker oci; do
        ok "image import $kind-$name.tar.xz keeps within bounds" \
            costs "$kind-$name.tar.xz" "$ROMSIM" image import -t "stored/$name:t" "$kind-$name.tar.xz"
        like "$out" "status 0" "image import $kind-$name.tar.xz: succeeds, what the layers become is no matter"
    done
done
for kind in layout oci docker stored; do
    for name in names parts; do
        case $kind in
        oci | docker) input=$kind-$name.tar.xz ;;
        *) input=layout-$name/index.json ;;
        esac
        bound=image-bytes
        [ "$name" != names ] || bound=node-bytes
        refused "$input" $bound plan $kind-$name.yaml
    done
    case $kind in oci | docker) refused "$input" image-bytes rom pack "$input" -o x.rom ;; esac
    refused "$input" image-bytes check $kind-parts.yaml
    refused "$input" image-bytes mount $kind-parts.yaml mnt
    refused "$input" image-bytes run $kind-parts.yaml
done

# What is in proportion goes through, and keeps the promise, too.
fair() { # INPUT COMMAND...
    local input=$1; shift
    ok "$* keeps within bounds" costs "$input" "$ROMSIM" "$@"
    like "$out" "status 0" "$*: succeeds"
}
fair fair-dirs.tar.xz rom pack fair-dirs.tar.xz -o x.rom
fair fair-names.tar.xz rom pack fair-names.tar.xz -o x.rom
fair fair.yaml plan fair.yaml
fair fair.yaml build fair.yaml -o out
for name in same hidden; do
    fair layout-$name/index.json plan layout-$name.yaml
    fair docker-$name.tar.xz plan docker-$name.yaml
done

# And what is wanted all the same.
ok "node-bytes can be raised" romsim rom pack --bound node-bytes=1G names.tar.xz -o x.rom
ok "image-bytes, too" romsim rom pack --bound image-bytes=1G dirs.tar.xz -o x.rom
is "$(romsim rom info --json x.rom | jq '.inodes // .[0].inodes')" 20001 "and then all is there"
ok "for inline files as well" romsim build --bound image-bytes=1G one.yaml -o out
fails 1 "files can be lowered" romsim rom pack --bound files=1000 fair-dirs.tar.xz -o x.rom
like "$out" "more than 1000 files and directories" "and say so"
fails 1 "so can data-bytes" romsim rom pack --bound data-bytes=5 root -o x.rom
like "$out" "more than 5 B of data" "and say so, too"

done_testing
