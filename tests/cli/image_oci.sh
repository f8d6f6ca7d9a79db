#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Container images made by real tools: the root that romsim makes of their layers is what
# `umoci unpack` makes of them, by every transport; and what the config says is what runs.
. "$(dirname "$0")/../lib.sh"

export HOME=$T XDG_CONFIG_HOME=$T/.config
mkdir -p "$T/.config/containers"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$T/.config/containers/policy.json"
can root && rootless= || rootless=--rootless

instance() { printf 'name: x\nimage: "%s"\n' "$1" >x.yaml; }
plan() { romsim plan --json x.yaml | jq -r "$1"; }

# The file in the cache with the root of the instance.
root_file() {
    local wanted
    wanted=$(plan .root.sha256)
    sha256sum "$XDG_CACHE_HOME"/romsim/roots/*.erofs | sed -n "s/^$wanted  //p" | head -1
}

# Everything there is to say of a tree.  Directories' sizes and link counts are the file systems'.
listing() {
    (cd "$1" && find . -mindepth 1 \( -type d -printf '%P|d|%m|%U:%G|%T@\n' \) -o \
        -printf '%P|%y|%m|%U:%G|%n|%s|%T@|%l\n' | sort
     find . \( -type b -o -type c \) -exec stat -c '%n %t:%T' {} + | sort
     find . -type f -print0 | sort -z | xargs -0r sha256sum
     # Not -R: that has the file system's order.
     find . -print0 | sort -z | xargs -0r getfattr -h -d -m '^(user|security\.capability|trusted)' 2>/dev/null)
}
# What an ordinary user's tools can unpack: no owners, no hard links, no devices.
short_listing() {
    (cd "$1" && find . -mindepth 1 \( -type d -printf '%P|d|%m\n' \) -o \
        \( -type f -o -type l \) -printf '%P|%y|%m|%s|%l\n' | sort
     find . -type f -print0 | sort -z | xargs -0r sha256sum)
}

# same_as_umoci LAYOUT:TAG TEXT: the instance's root against what umoci unpacks.
same_as_umoci() {
    local image
    rm -rf bundle unpacked
    umoci unpack $rootless --image "$1" bundle >umoci.log 2>&1 || { fail "$2" "$(cat umoci.log)"; return; }
    image=$(root_file)
    if can loop; then
        mkdir unpacked
        mount -o loop,ro -t erofs "$image" unpacked
        listing bundle/rootfs >wanted.list
        listing unpacked >got.list
        umount unpacked
    else
        (umask 0; fsck.erofs --extract=unpacked "$image") >/dev/null 2>&1
        short_listing bundle/rootfs >wanted.list
        short_listing unpacked >got.list
    fi
    same got.list wanted.list "$2"
    echo "# $(wc -l <wanted.list) lines compared"
    chmod -R u+w bundle unpacked 2>/dev/null
    rm -rf bundle unpacked
}

# layers LAYOUT DIR...: an image by umoci, a layer from each tar.
layers() {
    local layout=$1 layer; shift
    umoci init --layout "$layout"
    umoci new --image "$layout:t"
    for layer; do umoci raw add-layer --image "$layout:t" "$layer" 2>/dev/null; done
}
pack() { tar -C "$1" --xattrs --xattrs-include='*' --format=posix --numeric-owner -cf "$2" .; }

if ! need umoci "umoci and romsim make the same root" || ! need skopeo "by every transport"; then
    done_testing
fi

# ---- a root with everything, and two layers over it
mkdir -p l1/{bin,etc,var/lib/app,run,opaque/deep,to-file,usr/share/"name with spaces"} l2 l3
echo busybox >l1/bin/busybox && chmod 4755 l1/bin/busybox
for name in sh ls cat; do ln l1/bin/busybox l1/bin/$name; done
ln -s busybox l1/bin/link
ln -s ../run l1/var/run
echo gone >l1/etc/gone; echo kept >l1/etc/kept; echo old >l1/etc/changed
echo x >l1/opaque/deep/x; echo y >l1/opaque/y; echo z >l1/to-file/z; echo file >l1/to-dir
printf 'p\303\244th' >l1/usr/share/$'\303\244\342\202\254'
long=$(printf 'n%.0s' {1..200})
mkdir -p "l1/$long/$long" && echo long >"l1/$long/$long/$long"
truncate -s 5M l1/sparse && echo end >>l1/sparse
mkfifo l1/pipe
: >l1/zero
chmod 1777 l1/run
setfattr -n user.color -v blue l1/etc/kept 2>/dev/null
if can root; then
    mknod l1/null c 1 3 && mknod l1/disk b 259 65537
    chown 1234:5678 l1/etc/kept && chown -h 12:34 l1/bin/link
    setcap cap_net_raw+ep l1/etc/changed 2>/dev/null
fi
touch -d '2001-02-03 04:05:06.789012345 UTC' l1/etc/kept
touch -h -d '1999-12-31 23:59:59.5 UTC' l1/bin/link
mkdir -p l2/{etc,opaque,to-dir,bin,var/run}
: >l2/etc/.wh.gone; echo new >l2/etc/changed; : >l2/opaque/.wh..wh..opq; echo n >l2/opaque/new
echo in >l2/to-dir/in; echo 'a file now' >l2/to-file; : >l2/.wh.zero; echo pid >l2/var/run/pid
tar -C l1 -cf /dev/null . # the layers are read once, so access times do not differ
pack l1 l1.tar
pack l2 l2.tar
# A link to a file of the layer below, which tar will not write by itself.
python3 - <<'PY'
import tarfile
with tarfile.open("l3.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    def add(name, kind, link="", **more):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode, info.mtime = kind, link, 0o644, 1e9
        for key, value in more.items():
            setattr(info, key, value)
        tar.addfile(info)
    add("bin/more", tarfile.LNKTYPE, "bin/busybox")
    add("bin/.wh.sh", tarfile.REGTYPE)
    add("var/run/in-run", tarfile.SYMTYPE, "x", mode=0o777)
PY
layers all l1.tar l2.tar l3.tar
umoci config --image all:t --config.entrypoint /bin/sh --config.entrypoint -c --config.cmd 'echo hi' \
    --config.env A=1 --config.env B=2 --config.workingdir /srv
instance oci:all:t
ok "an image of three layers is a base image" romsim plan x.yaml
same_as_umoci all:t "umoci unpacks the same tree as romsim's root"
is "$(plan '.command | join(" ")')" "/bin/sh -c echo hi" "Entrypoint and Cmd make the command"
is "$(plan .env.A)" 1 "the environment is the image's"
is "$(plan .working_dir)" /srv "and so is the directory"
printf 'args: [other]\nenv: {B: "3"}\n' >>x.yaml
is "$(plan '.command | join(" ")')" "/bin/sh -c other" "args replace Cmd and leave Entrypoint"
is "$(plan .env.B)" 3 "the instance's environment is over the image's"

# ---- the same image by every transport makes the same root, from the cache
instance oci:all:t
wanted=$(plan .root.sha256)
roots() { find "$XDG_CACHE_HOME/romsim/roots" -name '*.erofs' -printf '%i\n' | sort -u | wc -l; }
roots=$(roots)
skopeo --insecure-policy copy -q oci:all:t oci:copy:u
skopeo --insecure-policy copy -q oci:all:t oci-archive:all.oci.tar:v
skopeo --insecure-policy copy -q oci:all:t docker-archive:all.docker.tar:my-org/all:1
skopeo --insecure-policy copy -q --dest-compress-format zstd oci:all:t oci:zstd:z
for reference in oci:copy:u oci:copy oci-archive:all.oci.tar:v oci-archive:all.oci.tar \
    docker-archive:all.docker.tar docker-archive:all.docker.tar:my-org/all:1 oci:zstd:z; do
    instance "$reference"
    is "$(plan .root.sha256)" "$wanted" "$reference has the same root"
done
# What `docker save` writes since its version 25: a layout and the old manifest.json in one tar, the
# layers compressed as they were pulled.
cp -r copy saved
python3 - <<'PY'
import json
def blob(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")
index = json.load(open("saved/index.json"))
manifest = json.load(open("saved/" + blob(index["manifests"][0])))
json.dump([{"Config": blob(manifest["config"]), "RepoTags": ["my-org/saved:25"],
            "Layers": [blob(layer) for layer in manifest["layers"]]}], open("saved/manifest.json", "w"))
PY
tar -C saved -cf saved.tar .
for reference in docker-archive:saved.tar docker-archive:saved.tar:my-org/saved:25 oci-archive:saved.tar; do
    instance "$reference"
    is "$(plan .root.sha256)" "$wanted" "$reference, in docker's newer form, too"
done
is "$(roots)" "$roots" "and it was built once"

# ---- real roots: Debian's packages, and busybox with its links
if need dpkg-query "a root of Debian's packages"; then
    dpkg-query -L base-files dash passwd perl-base mount tzdata 2>/dev/null | sort -u |
        while read -r file; do [ -e "$file" ] || [ -L "$file" ] && echo "$file"; done >files
    tar --no-recursion --xattrs --numeric-owner --format=posix -cf d1.tar -T files 2>/dev/null
    mkdir -p d2/usr/share/zoneinfo d2/etc d2/usr/share/doc
    : >d2/usr/share/.wh.zoneinfo; : >d2/usr/share/doc/.wh..wh..opq; echo romsim >d2/etc/hostname
    rmdir d2/usr/share/zoneinfo
    pack d2 d2.tar
    layers debian d1.tar d2.tar
    instance oci:debian:t
    printf 'args: [/bin/sh]\n' >>x.yaml
    ok "a Debian root of two layers" romsim plan x.yaml
    same_as_umoci debian:t "is what umoci makes of it"
fi
if need busybox "a root of busybox"; then
    mkdir -p bb/bin bb2/bin
    cp "$(command -v busybox)" bb/bin/busybox
    for applet in $(busybox --list | grep -vx busybox | head -200); do ln -s /bin/busybox "bb/bin/$applet"; done
    pack bb bb.tar
    for applet in $(busybox --list | grep -vx busybox | head -100); do : >"bb2/bin/.wh.$applet"; done
    pack bb2 bb2.tar
    layers bb.oci bb.tar bb2.tar
    instance oci:bb.oci:t
    printf 'args: [/bin/sh]\n' >>x.yaml
    ok "a busybox root of two layers" romsim plan x.yaml
    same_as_umoci bb.oci:t "is what umoci makes of it"
fi

# ---- buildah, from scratch
if need root "an image by buildah from scratch" && need buildah "an image by buildah from scratch"; then
    export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
    b() { buildah --root "$T/containers" --runroot "$T/containers.run" --storage-driver vfs "$@"; }
    if container=$(b from scratch 2>buildah.log); then
        b copy -q "$container" l1/etc /etc >/dev/null
        b config --cmd /etc/kept --env X=y "$container"
        b commit -q --format oci "$container" oci:built:b >/dev/null 2>buildah.log
        instance oci:built:b
        ok "an image by buildah is a base image" romsim plan x.yaml
        same_as_umoci built:b "is what umoci makes of it"
        is "$(plan '.command[0]')" /etc/kept "with buildah's command"
        b rm -a >/dev/null; b rmi -a -f >/dev/null 2>&1
    else
        skip "an image by buildah is a base image" "buildah: $(tail -1 buildah.log)"
    fi
fi

# ---- platforms
python3 - <<'PY'
import hashlib, json, os
index = json.load(open("all/index.json"))
amd64 = index["manifests"][0]
def put(value):
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    open("all/blobs/sha256/" + digest, "wb").write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}
manifest = json.load(open("all/blobs/" + amd64["digest"].replace(":", "/")))
def variant(os_, arch):
    config = json.load(open("all/blobs/" + manifest["config"]["digest"].replace(":", "/")))
    config.update(os=os_, architecture=arch)
    config["config"]["Env"] = [f"PLATFORM={os_}/{arch}"]
    changed = dict(manifest, config=dict(manifest["config"], **put(config)))
    return dict(put(changed), mediaType=amd64["mediaType"], platform={"os": os_, "architecture": arch})
def tag(name, *entries):
    nested = put({"schemaVersion": 2, "manifests": list(entries)})
    index["manifests"].append(dict(nested, mediaType="application/vnd.oci.image.index.v1+json",
                                   annotations={"org.opencontainers.image.ref.name": name}))
    return dict(nested, mediaType="application/vnd.oci.image.index.v1+json")
attestation = dict(put({}), mediaType=amd64["mediaType"], platform={"os": "unknown", "architecture": "unknown"})
tag("linux", attestation, variant("linux", "arm64"), variant("linux", "amd64"))
tag("both", variant("linux", "amd64"), variant("kraftcloud", "arm64"), variant("kraftcloud", "x86_64"))
tag("arm", variant("linux", "arm64"), variant("kraftcloud", "arm64"))
tag("nested", tag("inner", variant("linux", "amd64")))
json.dump(index, open("all/index.json", "w"))
PY
instance oci:all:linux
is "$(plan .env.PLATFORM)" "linux/amd64" "linux/amd64 is chosen from an index"
instance oci:all:both
is "$(plan .env.PLATFORM)" "kraftcloud/x86_64" "kraftcloud/x86_64 goes first"
instance oci:all:nested
is "$(plan .env.PLATFORM)" "linux/amd64" "an index in an index is followed"
instance oci:all:arm
fails 1 "an image for another architecture is refused" romsim plan x.yaml
like "$out" "linux/arm64, kraftcloud/arm64" "by its name"
instance oci:all
fails 1 "several images and no tag is an error" romsim plan x.yaml
like "$out" "the tags are: t, linux" "that lists the tags"

done_testing
