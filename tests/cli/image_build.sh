#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# image_build.sh: images from Kraftfiles, in every form, as other tools see them.
. "$(dirname "$0")/../lib.sh"

umask 022
kraftfile() { mkdir -p "$1"; { echo "spec: v0.7"; cat; } >"$1/Kraftfile"; }
# The only manifest of a layout, its config, and the blob of a layer (from 0).
blob() { echo "$1/blobs/sha256/${2#sha256:}"; }
manifest() { blob "$1" "$(jq -r '.manifests[0].digest' "$1/index.json")"; }
config() { blob "$1" "$(jq -r '.config.digest' "$(manifest "$1")")"; }
layer() { blob "$1" "$(jq -r ".layers[$2].digest" "$(manifest "$1")")"; }
# All files of an EROFS image with mode, owner and content.
listing() { (cd "$1" && find . -printf '%P %y %m %U:%G %l\n' | sort; find . -type f -exec sha256sum {} + | sort); }
extract() { rm -rf "$2"; mkdir "$2"; fsck.erofs --extract="$2" --preserve --overwrite "$1" >/dev/null; }

mkdir -p data/sub root/bin
echo hello >data/a.txt
echo sub >data/sub/b
ln -s a.txt data/link
chmod 640 data/sub/b
echo '#!/bin/sh' >root/bin/app
chmod 755 root/bin/app
find data root -exec touch -h -d @1700000000 {} +
head -c 5000 /dev/zero | tr '\0' 'x' >blob
(cd data && tar -cf ../data.tar --owner=7 --group=8 --sort=name . && gzip -nk ../data.tar &&
    find . | LC_ALL=C sort | cpio -o -H newc --quiet >../data.cpio)
mkfs.erofs --quiet -T0 data.erofs data >/dev/null 2>&1

# ---- a ROM ----------------------------------------------------------------------------------
kraftfile rom <<'END'
targets: [kraftcloud/x86_64]
roms:
  - ../data
END
ok "a ROM is built into a layout" romsim image build rom -o oci:rom.oci
like "$out" "rom   ../data  x86_64  erofs" "the table names it"
is "$(jq -c '[.manifests[0].platform, .manifests[0].annotations]' rom.oci/index.json)" \
    '[{"architecture":"x86_64","os":"kraftcloud"},{"org.opencontainers.image.ref.name":"latest"}]' \
    "the index has the cloud's platform and the tag"
is "$(jq -c '[.layers[].mediaType]' "$(manifest rom.oci)")" '["application/vnd.unikraft.rom.v1"]' \
    "its layer has the ROM's media type"
is "$(jq -c '[.os, .architecture, (.rootfs.diff_ids | length)]' "$(config rom.oci)")" \
    '["kraftcloud","x86_64",1]' "its config is the cloud's"
is "$(sha256sum <"$(layer rom.oci 0)" | cut -c1-64)" \
    "$(jq -r '.layers[0].digest[7:]' "$(manifest rom.oci)")" "the layer is named by its digest"
ok "the layer is the raw EROFS image" fsck.erofs "$(layer rom.oci 0)"
if need root "files belong to root:root, with their modes"; then
    chown -R 1234:1234 data
    romsim image build rom -o oci:rom2.oci >/dev/null
    same rom.oci/index.json rom2.oci/index.json "the owner of the sources does not matter"
    extract "$(layer rom.oci 0)" x
    chown -R 0:0 data
    is "$(listing x)" "$(listing data)" "the files are there, root:root, with their modes"
fi
(umask 077; TZ=Asia/Tokyo romsim image build rom -o oci:rom3.oci >/dev/null)
same rom.oci/index.json rom3.oci/index.json "the same bytes under another umask and time zone"

# ---- every form of a source -------------------------------------------------------------------
kraftfile forms <<'END'
name: forms
targets:
  - plat: kraftcloud
    arch: amd64
    kconfig: {CONFIG_EROFS_FS: "y"}
rootfs: ../root
cmd: ["/bin/app", "--port", "8080"]
env: {ZETA: z, ALPHA: a}
labels: {org.example/x: y}
roms:
  - ../data
  - source: ../data
    format: cpio
  - source: ../data.tar
  - source: {path: ../data.tar.gz, type: tarball}
  - source: ../data.cpio
    format: cpio
  - ../data.erofs
  - ../blob
  - source: ../blob
    format: erofs
  - source: {path: ../rom.oci, type: oci}
  - {source: ../rom.oci}
END
ok "sources of every form" romsim image build forms -o oci:forms.oci:v1
is "$(jq -c '[.layers[].size % 4096]' "$(manifest forms.oci)")" \
    "$(jq -c '[.layers[0].size % 4096] + [range(10) | 0]' "$(manifest forms.oci)")" \
    "all ROMs are a multiple of 4096 bytes"
is "$(tar -tvf "$(layer forms.oci 0)" | tr -s ' ' | cut -d' ' -f1,2,6)" \
    "-rw-r--r-- 0/0 unikraft/bin/initrd" "the root is a tar of one file"
is "$(jq -c '.layers[0].annotations' "$(manifest forms.oci)")" \
    '{"org.unikraft.kernel.initrd":"/unikraft/bin/initrd"}' "with the cloud's annotation"
is "$(jq -c '.config' "$(config forms.oci)")" \
    '{"Env":["ALPHA=a","ZETA=z"],"Cmd":["/bin/app","--port","8080"],"Labels":{"org.example/x":"y"}}' \
    "the config has command, environment and labels"
is "$(jq -c '.["os.features"]' "$(config forms.oci)")" '["CONFIG_EROFS_FS=y"]' \
    "and the target's options as features"
tar -xOf "$(layer forms.oci 0)" unikraft/bin/initrd >root.erofs
ok "the root is an EROFS image" fsck.erofs root.erofs
is "$(dd if="$(layer forms.oci 2)" bs=6 count=1 status=none)" 070701 "format: cpio makes a cpio archive"
is "$(cpio -t --quiet <"$(layer forms.oci 2)" 2>/dev/null | LC_ALL=C sort | tr '\n' ' ')" \
    ". a.txt link sub sub/b " "which cpio reads"
is "$(jq -r '.layers[3].digest' "$(manifest forms.oci)")" \
    "$(jq -r '.layers[1].digest' "$(manifest forms.oci)")" "a tar makes the same bytes as the folder"
is "$(jq -r '.layers[4].digest' "$(manifest forms.oci)")" \
    "$(jq -r '.layers[1].digest' "$(manifest forms.oci)")" "and so does a compressed one"
ok "a cpio archive is taken as it is" cmp -n "$(stat -c %s data.cpio)" data.cpio "$(layer forms.oci 5)"
ok "an EROFS image is taken as it is" cmp data.erofs "$(layer forms.oci 6)"
ok "a file is taken as it is" cmp -n 5000 blob "$(layer forms.oci 7)"
is "$(tail -c +5001 "$(layer forms.oci 7)" | tr -d '\0' | wc -c)" 0 "and padded with zeros"
extract "$(layer forms.oci 8)" x
is "$(ls x)" blob "with format: erofs it is the only file of an image"
is "$(jq -r '.layers[9].digest, .layers[10].digest' "$(manifest forms.oci)" | sort -u)" \
    "$(jq -r '.layers[1].digest' "$(manifest forms.oci)")" "a layout's ROM is the layout's ROM"

# ---- where it goes ----------------------------------------------------------------------------
digest=$(jq -r '.manifests[0].digest' forms.oci/index.json)
ok "into the local store" romsim image build forms -t my-org/forms:v1
like "$out" "my-org/forms:v1 $digest" "the same image as in the layout"
ok "the store knows it" romsim image inspect my-org/forms:v1
ok "a second image goes into the same layout" romsim image build rom -o oci:forms.oci:v2
ok "a tag moves" romsim image build rom -o oci:forms.oci:v1
is "$(jq -c '[.manifests[].annotations[]]' forms.oci/index.json)" '["v2","v1"]' "and stands there once"
ok "into a tar" romsim image build forms -o forms.tar -t my-org/forms:v1 --json
is "$(echo "$out" | jq -r .digest)" "$digest" "with the same digest"
is "$(tar -tvf forms.tar | awk '{ print $2, $4, $5 }' | sort -u)" "0/0 1970-01-01 00:00" "and nothing of this host"
cp forms.tar before.tar
romsim image build forms -o forms.tar -t my-org/forms:v1 >/dev/null
ok "twice the same bytes" cmp before.tar forms.tar
is "$(find . -name '.new-*')" "" "nothing is left beside"
mkdir -p precious && echo x >precious/file
fails 1 "a folder with something else is not touched" romsim image build rom -o oci:precious
like "$out" "is no OCI image layout" "and said to be none"
is "$(ls precious)" file "nothing was written"
fails 1 "a folder is no tar" romsim image build rom -o precious
like "$out" "oci:precious" "the hint names the transport"
fails 2 "it needs a place" romsim image build rom
like "$out" "--tag REF or --output" "and says so"

fails 2 "a tag that no registry takes" romsim image build rom -o "oci:rom.oci:a b"
like "$out" "'a b' cannot be a tag" "is refused"
fails 2 "no folder" romsim image build rom -o oci:
fails 2 "no file" romsim image build rom -o ""
fails 2 "a name with a digest" romsim image build rom -t "x@sha256:$(printf '%064d' 0)"
fails 1 "a name that cannot be one" romsim image build rom -t "my org"

# Several at once: every tag and name is there in the end.
for i in 1 2 3 4 5 6; do
    romsim image build rom -o "oci:many.oci:v$i" >/dev/null 2>&1 &
    romsim image build forms -t "many:v$i" >/dev/null 2>&1 &
done
wait
is "$(jq -r '[.manifests[].annotations[]] | sort | join(" ")' many.oci/index.json)" "v1 v2 v3 v4 v5 v6" \
    "six builds into one layout at once lose nothing"
is "$(romsim image ls | grep -c '^many:v[1-6] ')" 6 "nor do six into the store"
is "$(ls many.oci/blobs/sha256 | wc -l)" 3 "and there is no blob too many"

if need skopeo "skopeo reads what was built"; then
    ok "skopeo inspects a layout" skopeo inspect oci:forms.oci:v2
    like "$out" '"Os": "kraftcloud"' "and sees the cloud's platform"
    ok "skopeo inspects a tar" skopeo inspect oci-archive:forms.tar
    ok "skopeo copies it" skopeo copy oci:forms.oci:v2 dir:copied
    is "$(sha256sum <copied/manifest.json | cut -c1-64)" "$(jq -r '.manifests[0].digest[7:]' rom.oci/index.json)" \
        "and all is verified on the way"
fi

# ---- several platforms ------------------------------------------------------------------------
kraftfile two <<'END'
targets: [kraftcloud/x86_64, kraftcloud/arm64]
roms: [../data]
END
ok "two targets" romsim image build two -o oci:two.oci
is "$(jq -c '[.manifests[].platform.architecture]' "$(manifest two.oci)")" '["x86_64","arm64"]' \
    "make an index over two manifests"
if need skopeo "skopeo reads the index"; then
    ok "skopeo copies both" skopeo copy --all oci:two.oci dir:both
fi
ok "--arch takes one" romsim image build two --arch aarch64 -o oci:arm.oci
is "$(jq -r '.architecture' "$(config arm.oci)")" arm64 "the right one"
kraftfile bare <<'END'
roms: [../data]
END
fails 1 "a ROM without a target" romsim image build bare -t x
like "$out" "no platform targets specified" "is refused as the cloud does"
ok "--arch stands for the target" romsim image build bare --arch x86_64 -o oci:bare.oci
same rom.oci/index.json bare.oci/index.json "with the same result"
kraftfile run <<'END'
runtime: base-compat:latest
roms: [../data]
END
ok "a runtime stands for a target" romsim image build run -o oci:run.oci
like "$out" "warning: accepted, but not used: runtime" "and is said to be unused"
same rom.oci/index.json run.oci/index.json "with the same result, again"
fails 1 "an architecture that no target has" romsim image build rom --arch arm64 -t x
like "$out" "no target with architecture arm64: targets are kraftcloud/x86_64" "is refused"

# ---- Dockerfiles ------------------------------------------------------------------------------
mkdir -p docker
cat >docker/Dockerfile <<'END'
FROM scratch
COPY app /bin/app
ENV A=1 B=2
WORKDIR /srv
ENTRYPOINT ["/bin/app"]
CMD ["from", "the", "image"]
END
cp root/bin/app docker/app
touch -d @1700000000 docker/app
kraftfile docker <<'END'
runtime: base-compat:latest
rootfs: ./Dockerfile
env: {B: 3}
END
mkdir -p empty-path
PATH=$PWD/empty-path fails 1 "a Dockerfile without a builder" "$ROMSIM" image build docker -t x
like "$out" "docker/Kraftfile:3:9: error: a Dockerfile needs buildah, podman or docker" "says what it needs"
if need buildah "buildah builds a Dockerfile" && need root "buildah builds a Dockerfile"; then
    # A store of its own: into the machine's others may build at the same time.
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$PWD/store" "$PWD/store-run" \
        >storage.conf
    export CONTAINERS_STORAGE_CONF=$PWD/storage.conf
    images=$(buildah images -aq | sort)
    if out=$(romsim image build docker -o oci:docker.oci 2>&1); then
        pass "buildah builds a Dockerfile"
        is "$(jq -c '.config' "$(config docker.oci)" | sed 's/"PATH=[^"]*",//')" \
            '{"Env":["B=3","A=1"],"Entrypoint":["/bin/app"],"Cmd":["from","the","image"],"WorkingDir":"/srv"}' \
            "the image's config and the Kraftfile's become one"
        tar -xOf "$(layer docker.oci 0)" unikraft/bin/initrd >docker.erofs
        extract docker.erofs x
        is "$(cd x && find . -type f)" ./bin/app "the root has the Dockerfile's files"
        is "$(buildah images -aq | sort)" "$images" "the builder's image is gone again"
        echo "COPY nothing /x" >>docker/Dockerfile
        fails 1 "a Dockerfile that does not build" romsim image build docker -t x
        like "$out" "'buildah bud' failed with status" "says who failed"
        like "$out" "nothing" "and how"
        is "$(buildah images -aq | sort)" "$images" "and leaves no image"
    else
        skip "buildah builds a Dockerfile" "buildah cannot build here: $(echo "$out" | tail -1)"
    fi
fi

# ---- what is wrong ----------------------------------------------------------------------------
wrong() { # TEXT MESSAGE < Kraftfile's lines
    kraftfile wrong
    fails 1 "refused: $1" romsim image build wrong -t x
    like "$out" "$2" "$1: the message"
    is "$(romsim image ls 2>&1 | grep -c '^x:')" 0 "$1: nothing in the store"
}
wrong "a mistyped member" "wrong/Kraftfile:2:1: warning: Unknown member 'rom' is ignored" <<<"rom: [./x]"
wrong "no source" "wrong/Kraftfile:3:8: error: no source './x'" <<<$'targets: [kraftcloud/x86_64]\nroms: [./x]'
wrong "a wrong type" "Invalid type 'erofs': '../data.tar' is a tar archive" \
    <<<$'targets: [kraftcloud/x86_64]\nroms: [{source: {path: ../data.tar, type: erofs}}]'
wrong "cpio where EROFS is the default" "Unsupported format mismatch: '../data.cpio' is cpio, the format is erofs by default" \
    <<<$'targets: [kraftcloud/x86_64]\nroms: [../data.cpio]'
wrong "EROFS said to be cpio" "wrong/Kraftfile:3:40: error: Unsupported format mismatch" \
    <<<$'targets: [kraftcloud/x86_64]\nroms: [{source: ../data.erofs, format: cpio}]'
wrong "a file as a root" "Could not detect rootfs type of '../blob'" \
    <<<$'targets: [kraftcloud/x86_64]\nrootfs: ../blob'
wrong "a ROM as a root" "it is a ROM, which cannot be a root" \
    <<<$'targets: [kraftcloud/x86_64]\nrootfs: ../rom.oci'
wrong "nothing to build" "neither 'rootfs' nor 'roms'" <<<'targets: [kraftcloud/x86_64]'
wrong "a name that is nowhere" "No image with name 'no-org/nothing:v1'" \
    <<<$'targets: [kraftcloud/x86_64]\nroms: [{source: {path: "no-org/nothing:v1", type: oci}}]'
wrong "all that is wrong at once" "3:17: error: no source './y'" \
    <<<$'targets: [kraftcloud/x86_64]\nroms: [./x,     ./y]'
mkfifo pipe
wrong "a fifo" "neither a file nor a folder" <<<$'targets: [kraftcloud/x86_64]\nroms: [../pipe]'
cp -r rom.oci broken.oci
printf x >>"$(layer broken.oci 0)"
wrong "a damaged layout" "not the" <<<$'targets: [kraftcloud/x86_64]\nroms: [../broken.oci]'
mkdir -p no
fails 1 "a folder without a Kraftfile" romsim image build no -t x
like "$out" "no Kraftfile in 'no'" "says so"
ok "a Kraftfile by its path" romsim image build rom/Kraftfile -o oci:path.oci
mv rom/Kraftfile rom/kraft.yml
ok "kraft.yml is one, too" romsim image build rom -o oci:yml.oci
same rom.oci/index.json yml.oci/index.json "with the same result"

done_testing
