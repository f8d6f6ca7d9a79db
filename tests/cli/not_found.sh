#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# not_found.sh: an image that is nowhere: the path that was looked at comes first, then how the
# image could come, from where its name says that it is.
. "$(dirname "$0")/../lib.sh"

mkdir -p project/build base/bin
here=$(pwd)
instance() { printf 'name: x\nimage: "%s"\nargs: [x]\nroms: [{image: "%s"}]\n' "$1" "${2-$1}" >project/x.yaml; }
# The hints for the base image and the ROM, which are the same.
hint() {
    instance "$1"
    hints=$(romsim plan project/x.yaml 2>&1 | sed -n 's/^ *hint: //p')
    [ "$(sort -u <<<"$hints" | wc -l)" = 1 ] && [ "$(wc -l <<<"$hints")" = 2 ] || echo "not the same hint twice: $hints"
    head -1 <<<"$hints"
}

# ---- paths
is "$(hint ./gone)" "looked at $here/project/gone" "a relative path: where it was looked for"
is "$(hint ../gone.tar)" "looked at $here/project/../gone.tar" "... outside of the folder"
is "$(hint build/root.tar)" "there is no file '$here/project/build/root.tar' either" \
    "what only can be a path has no advice on registries"
is "$(hint root.erofs)" "there is no file '$here/project/root.erofs' either" "... by its end"
is "$(hint build/gone)" "there is no file '$here/project/build/gone' either" "... by its folder"
is "$(hint gone/)" "there is no file '$here/project/gone' either" "... by its slash"
instance /gone
unlike "$(romsim plan project/x.yaml 2>&1)" hint: "an absolute path has been said"
fails 1 "a file to import" romsim image import gone.tar
like "$out" "there is no file '$here/gone.tar' either" "is looked for in the working directory"
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nroms: [build/gone]\n' >project/Kraftfile
fails 1 "a source of a Kraftfile" romsim image build project -t x
like "$out" "looked at $here/project/build/gone" "is looked for in the Kraftfile's folder"

# ---- names
registry() { echo "skopeo copy docker://$1 oci:DIR:TAG && romsim image import -t ${2-$1} oci:DIR:TAG"; }
is "$(hint my-org/app)" \
    "there is no file '$here/project/my-org/app' either; to build it: romsim image build DIR -t my-org/app:latest; to bring it: $(registry my-org/app:latest)" \
    "a name: the path first, then what brings it"
digest=sha256:$(printf '%064d' 0)
is "$(hint "my-org/app:v1@$digest")" \
    "there is no file '$here/project/my-org/app:v1@$digest' either; to bring it: $(registry "my-org/app@$digest" my-org/app:v1)" \
    "a name with a digest, which nobody can build"
for scheme in docker:// oci:// docker-image:// https://; do
    like "$(hint "${scheme}registry.example/a/b:1")" "to bring it: $(registry registry.example/a/b:1)" \
        "$scheme is a registry's"
    unlike "$(hint "${scheme}a/b")" "no file" "... and no path"
done
is "$(hint 'No Name')" "there is no file '$here/project/No Name' either; it cannot be a name of the local store" \
    "what cannot be a name"

# ---- transports of other tools
while IFS='|' read -r reference wanted; do
    got=$(hint "$reference")
    like "$got" "$wanted" "${reference%%:*}: has its own advice"
    unlike "$got" "docker://" "... and is not put behind docker://"
    fails 1 "... by import, too" romsim image import "$reference"
    like "$out" "$wanted" "... with the same words"
done <<'END'
docker-daemon:busybox:latest|docker-daemon: is docker's own store, which romsim does not read; to bring it: docker save -o FILE busybox:latest && romsim image import -t busybox:latest docker-archive:FILE
containers-storage:localhost/app:v1|containers-storage: is the store of podman and buildah, which romsim does not read; to bring it: podman save --format oci-archive -o FILE localhost/app:v1 && romsim image import -t localhost/app:v1 oci-archive:FILE
containers-storage:[overlay@/graph+/run]app|podman save --format oci-archive -o FILE app && romsim image import -t app oci-archive:FILE
dir:app|dir: is a folder that skopeo wrote, which romsim does not read; to bring it: skopeo copy dir:app oci:DIR:TAG
sif:app.sif|to bring it: skopeo copy sif:app.sif oci:DIR:TAG && romsim image import -t NAME oci:DIR:TAG
ostree:app|to bring it: skopeo copy ostree:app oci:DIR:TAG
oci-layout:///some/where|here that is oci:/some/where
file:///some/root.tar|file: is a path, which stands here without it: /some/root.tar
END

# ---- names that are there
if need umoci "an image in the store"; then
    umoci init --layout layout && umoci new --image layout:t
    tar -C base -cf layer.tar . && umoci raw add-layer --image layout:t layer.tar 2>/dev/null
    ok "import" romsim image import oci:layout:t -t unikraft.io/org/app:v1
    for name in unikraft.io/org/app:v1 org/app:v1 oci://unikraft.io/org/app:v1 docker://unikraft.io/org/app:v1; do
        printf 'name: x\nimage: "%s"\nargs: [x]\n' "$name" >project/x.yaml
        ok "$name is the image" romsim plan project/x.yaml
    done
    printf 'name: x\nimage: "%s"\nargs: [x]\n' "oci://unikraft.io/org/other" >project/x.yaml
    ok "check passes over what may be in the registry" romsim check project/x.yaml
fi

done_testing
