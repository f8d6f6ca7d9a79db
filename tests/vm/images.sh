#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# images.sh: container images made by real tools run: a root in two layers with a whiteout by umoci,
# by each transport of skopeo and from the store, and one by buildah.
. "$(dirname "$0")/../lib.sh"
need guest "images in the guest" || done_testing
if ! need umoci "images by umoci" || ! need skopeo "images by skopeo"; then done_testing; fi

"$SAMPLES/busybox-base.sh" base
mkdir -p top/srv base/srv
echo "the first layer" >base/srv/gone
echo "the second layer" >top/srv/said
: >top/srv/.wh.gone
for layer in base top; do
    tar -C $layer --owner=0 --group=0 --numeric-owner --format=posix -cf $layer.tar .
done
umoci init --layout image
umoci new --image image:t
for layer in base top; do umoci raw add-layer --image image:t $layer.tar 2>/dev/null; done
umoci config --image image:t --config.entrypoint /bin/sh --config.entrypoint -c \
    --config.cmd 'pwd; ls; cat said; echo $WORD' --config.env WORD=word --config.workingdir /srv

skopeo --insecure-policy copy -q oci:image:t oci:copy:u
skopeo --insecure-policy copy -q oci:image:t oci-archive:image.oci.tar:v
skopeo --insecure-policy copy -q oci:image:t docker-archive:image.docker.tar:my-org/image:1
ok "the docker archive is imported" romsim image import docker-archive:image.docker.tar
wanted="/srv
said
the second layer
word"
gzip -k image.docker.tar
for reference in oci:image:t oci:copy:u oci-archive:image.oci.tar docker-archive:image.docker.tar \
    my-org/image:1 ./image.oci.tar ./image.docker.tar.gz; do
    is "$(romsim run -q --image $reference 2>errors)" "$wanted" "$reference runs, as its config says"
done
is "$(romsim run -q --image my-org/image:1 -e WORD=other --args 'echo\ $WORD' 2>errors)" other \
    "with the user's own args and environment"

mv "$XDG_DATA_HOME/romsim/oci" "$T/shared"
is "$(ROMSIM_IMAGE_STORES=$T/shared romsim run -q --image my-org/image:1 2>errors)" "$wanted" \
    "and from another store than one's own"

if need root "an image by buildah runs" && need buildah "an image by buildah runs"; then
    export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
    b() { buildah --root "$T/containers" --runroot "$T/containers.run" --storage-driver vfs "$@"; }
    if container=$(b from scratch 2>buildah.log); then
        b copy -q "$container" base / >/dev/null
        b config --cmd "/bin/cat /srv/gone" "$container"
        b commit -q --format docker "$container" oci:built:b >/dev/null 2>>buildah.log
        is "$(romsim run -q --image oci:built:b 2>errors)" "the first layer" \
            "an image by buildah runs"
        b rm -a >/dev/null; b rmi -a -f >/dev/null 2>&1
    else
        skip "an image by buildah runs" "buildah: $(tail -1 buildah.log)"
    fi
fi

done_testing
