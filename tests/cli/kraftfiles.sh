#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# kraftfiles.sh: the Kraftfiles that people have.  Each form that the public ones of the vendor's
# catalog and examples contain, in our own words, builds or fails as the vendor's packers do; what
# differs is in docs/parity.md.
. "$(dirname "$0")/../lib.sh"

umask 022

# ---- a project: a Dockerfile, and roots and ROMs in every form ---------------------------------
mkdir -p project/rootfs/bin project/docker project/data fake
echo '#!/bin/sh' >project/rootfs/bin/app
chmod 755 project/rootfs/bin/app
echo rom >project/data/file
(cd project/rootfs && tar -czf ../root.tar.gz . && find . | cpio -o -H newc --quiet >../root.cpio)
mkfs.erofs --quiet -T0 project/root.erofs project/rootfs >/dev/null 2>&1
head -c 3000 /dev/urandom >project/blob

# A builder of Dockerfiles that builds no Dockerfile: all of them become this image.
image() { docker_archive fake/image.tar project/rootfs "$1"; } # CONFIG
cat >fake/buildah <<END
#!/bin/sh
echo "\$*" >>$T/fake/log
case \$1 in push) cat $T/fake/image.tar ;; esac
END
chmod 755 fake/buildah
PATH=$T/fake:$PATH
touch project/Dockerfile project/app.Dockerfile project/docker/Dockerfile.prod

# What was built: the platforms, the root's format, and the command; config.json and layers are the
# first platform's.  All JSON blobs go to jq at once.
blob() { echo "built/blobs/sha256/${1#sha256:}"; }
summary() {
    local file layer format=none
    for file in built/blobs/sha256/*; do
        [ "$(head -c 1 "$file" | tr -d '\0')" = "{" ] && printf '{"sha256:%s":%s}\n' "${file##*/}" "$(cat "$file")"
    done | jq -s --slurpfile index built/index.json 'add as $blobs |
        $blobs[$index[0].manifests[0].digest] | [.manifests[]?.digest // empty | $blobs[.]] as $several |
        (if $several == [] then [.] else $several end) as $manifests |
        {manifests: $manifests, configs: [$manifests[] | $blobs[.config.digest]]}' >built.json
    jq -r '.configs[0], ([.configs[] | .os + "/" + .architecture] | join(" ")),
        ([.manifests[0].layers[] | select(.annotations) | .digest][0] // "none"),
        (.configs[0].config | (.Entrypoint // []) + (.Cmd // []))
        | if type == "string" then . else tojson end' built.json >lines
    { read -r config; read -r platforms; read -r layer; read -r command; } <lines
    if [ "$layer" != none ]; then
        tar -xOf "$(blob "$layer")" unikraft/bin/initrd >initrd
        case $(head -c 6 initrd | tr -d '\0') in
        070701) format=cpio ;; *) fsck.erofs initrd >/dev/null && format=erofs ;; esac
    fi
    printf "%s\n" "$config" >config
    echo "$platforms $format $command"
}
config() { jq -c "$1" config; }

build() { romsim image build "$project" -o oci:built 2>warnings; }
# builds TEXT SUMMARY [WARNING] < Kraftfile: the form is built, with no warning but this one (and
# those of the runtime and the platforms, which are in all of them).
builds() {
    local got
    rm -rf built
    cat >"${file:=project/Kraftfile}"
    if ! got=$(build 2>&1); then fail "$1" "$(cat warnings)"; return; fi
    got=$(summary)
    if [ "$got" != "$2" ]; then fail "$1" "got:    $got" "wanted: $2"; return; fi
    got=$(grep -v -e 'not used: runtime$' -e 'does not run images' warnings | grep warning:)
    case $got in
    "") if [ -z "${3-}" ]; then pass "$1"; else fail "$1" "no warning '$3'"; fi ;;
    *) if [ -z "${3-}" ]; then fail "$1" "warned of: $got"; else like "$got" "$3" "$1"; fi ;;
    esac
}
# refused TEXT MESSAGE < Kraftfile
refused() {
    cat >project/Kraftfile
    if build >/dev/null; then fail "$1" "it was built"; else like "$(cat warnings)" "$2" "$1"; fi
}

project=project
image '{"Env":["A=1"],"Entrypoint":["/entry.sh"],"Cmd":["/bin/app","from-image"]}'
cloud=kraftcloud/x86_64

# ---- what the examples have -------------------------------------------------------------------
builds "a runtime, a Dockerfile, a command" "$cloud erofs"' ["/server"]' "'cmd' runs alone" <<'END'
spec: v0.6

runtime: base:latest

rootfs: ./Dockerfile

cmd: ["/server"]
END
is "$(config '[.config.Entrypoint, .config.Cmd]')" '[null,["/server"]]' \
    "the Kraftfile's command runs alone, without the image's ENTRYPOINT"
like "$(cat warnings)" "Kraftfile:7:6: warning: 'cmd' runs alone, without the ENTRYPOINT of './Dockerfile': /entry.sh" \
    "which is said, with the place"
builds "no command: the image's whole one" "$cloud erofs"' ["/entry.sh","/bin/app","from-image"]' <<'END'
spec: v0.6
name: with-a-name
runtime: node:21
rootfs: ./Dockerfile
END
builds "an empty command: the image's ENTRYPOINT" "$cloud erofs"' ["/entry.sh"]' <<'END'
spec: v0.6
runtime: node:21
rootfs: Dockerfile
cmd: []
END
builds "an image as the root" "$cloud erofs"' ["/server"]' "without the ENTRYPOINT of '../fake/image.tar': /entry.sh" <<'END'
spec: v0.7
runtime: base-compat:latest
rootfs: {source: {path: ../fake/image.tar, type: oci}}
cmd: ["/server"]
END
image '{"Env":["B=1","PATH=/bin","B=2","A=image","B=3"],"Cmd":["/bin/app"]}'
builds "variables of the image that stand there twice" "$cloud erofs"' ["/bin/app"]' <<'END'
spec: v0.6
runtime: node:21
rootfs: Dockerfile
env: {A: mine}
END
is "$(config .config.Env)" '["A=mine","B=3","PATH=/bin"]' "the last of each counts, once"
image '{"Cmd":["/bin/app"]}'
builds "a Dockerfile of another name" "$cloud erofs"' ["/bin/app"]' <<'END'
spec: v0.6
runtime: base-compat:latest
rootfs: ./app.Dockerfile
END
builds "a folder as the root" "$cloud erofs"' ["/usr/bin/caddy","run"]' <<'END'
spec: v0.6
runtime: caddy:2.7
rootfs: ./rootfs
cmd: ["/usr/bin/caddy", "run"]
END
builds "a folder, and no command at all" "$cloud erofs"' []' <<'END'
spec: v0.6
runtime: caddy:2.7
rootfs: ./rootfs/
END
builds "a list over several lines" "$cloud erofs"' ["/usr/bin/haproxy","-f","/etc/haproxy.cfg"]' <<'END'
spec: v0.6
runtime: haproxy:2.8
rootfs: ./Dockerfile
cmd: [
  "/usr/bin/haproxy",
  "-f", "/etc/haproxy.cfg",
]
END
builds "a list with dashes" "$cloud erofs"' ["/usr/bin/node","/srv/server.js"]' <<'END'
spec: v0.6
runtime: node:latest
rootfs: ./Dockerfile
cmd:
- /usr/bin/node
- /srv/server.js
END
builds "a command in one item stays one" "$cloud erofs"' ["/usr/bin/php /srv/server.php"]' <<'END'
spec: v0.6
runtime: base:latest
rootfs: ./Dockerfile
cmd: ["/usr/bin/php /srv/server.php"]
END
builds "a command as one text" "$cloud erofs"' ["/usr/bin/python3","-c","print( 1 )"]' <<'END'
spec: v0.6
runtime: python:3.12
rootfs: ./Dockerfile
cmd: /usr/bin/python3 -c "print( 1 )"
END
builds "arguments for what the runtime runs" "$cloud erofs"' ["-c","/nginx/nginx.conf"]' <<'END'
spec: v0.6
runtime: nginx:1.25
rootfs: ./rootfs
cmd: ["-c", "/nginx/nginx.conf"]
END
builds "labels of scale-to-zero, one of them a number" "$cloud erofs"' ["/server"]' <<'END'
spec: v0.6

runtime: base-compat:latest

labels:
  cloud.unikraft.v1.instances/scale_to_zero.policy: "on"
  cloud.unikraft.v1.instances/scale_to_zero.stateful: true
  cloud.unikraft.v1.instances/scale_to_zero.cooldown_time_ms: 1000

rootfs: ./Dockerfile

cmd: ["/server"]
END
is "$(config '[.config.Labels[]]')" '["1000","on","true"]' \
    "the labels are texts in the image"
builds "variables as a list" "$cloud erofs"' ["/server"]' <<'END'
spec: v0.6
runtime: base:latest
rootfs: ./rootfs
env:
- PORT=8080
- HOME=/
- PORT=9090
cmd: ["/server"]
END
is "$(config .config.Env)" '["PORT=9090","HOME=/"]' "the last of a name counts, once"
builds "variables as a map" "$cloud erofs"' ["/server"]' <<'END'
spec: v0.6
runtime: base:latest
rootfs: ./rootfs
env:
  PORT: 8080
  DEBUG: false
  NONE:
cmd: ["/server"]
END
is "$(config .config.Env)" '["DEBUG=false","NONE=","PORT=8080"]' "in the order of their names"
builds "no runtime, but targets" "$cloud erofs"' ["/server"]' <<'END'
spec: v0.6
rootfs: ./rootfs
targets: [kraftcloud/x86_64]
cmd: ["/server"]
END

# ---- what the library has: unikernels that are built -------------------------------------------
builds "a template with its trees" "fc/x86_64 qemu/x86_64 erofs"' ["/fallback"]' \
    "not used: template, unikraft, libraries" <<'END'
spec: v0.6
template:
  source: https://example.com/elfloader.git
  version: staging
rootfs: ./Dockerfile
cmd: ["/fallback"]
unikraft:
  version: staging
  kconfig:
    # a comment
    CONFIG_A: 'y'
    CONFIG_PAGES: 128
    CONFIG_BASE: '0x400000000'
    CONFIG_ORDER: 4 # pages
    CONFIG_PATH: "PATH=/bin"
    # CONFIG_DEBUG: 'y'
libraries:
  lwip:
    source: https://example.com/lwip.git
    version: staging
    kconfig:
      CONFIG_TCP: 'y'
      CONFIG_COUNT: 64
  libelf:
    source: https://example.com/libelf.git
targets:
- fc/x86_64
- qemu/x86_64
END
like "$(cat warnings)" "'unikraft build' refuses them" "and it is said which of the vendor's tools takes them"
: >fake/log
builds "two targets of one architecture" "fc/x86_64 qemu/x86_64 erofs"' ["/bin/app"]' <<'END'
spec: v0.6
rootfs: ./Dockerfile
targets: [fc/x86_64, qemu/x86_64]
END
is "$(grep -c '^bud ' fake/log)" 1 "build their Dockerfile once"
builds "versions in short" "qemu/x86_64 qemu/arm64 fc/x86_64 fc/arm64 erofs"' ["/helloworld.lua"]' \
    "not used: unikraft, libraries" <<'END'
spec: v0.6
name: lua
rootfs: ./rootfs
cmd: ["/helloworld.lua"]
unikraft: stable
libraries:
  musl: stable
  lua:
    version: stable
targets:
- qemu/x86_64
- qemu/arm64
- fc/x86_64
- fc/arm64
END
builds "an option twice" "qemu/x86_64 erofs"' ["/redis.conf"]' \
    "Kraftfile:8:5: warning: Duplicate member 'CONFIG_9P': this one counts, not that in line 6" <<'END'
spec: v0.6
rootfs: ./rootfs
cmd: ["/redis.conf"]
unikraft:
  kconfig:
    CONFIG_9P: 'y'
    CONFIG_BUS: y
    CONFIG_9P: 'y'
targets:
- qemu/x86_64
END
builds "options as lists" "qemu/x86_64 erofs"' ["/a"]' "not used: unikraft" <<'END'
spec: v0.6
rootfs: ./rootfs
cmd: ["/a"]
unikraft: {version: stable, kconfig: [CONFIG_A=y, CONFIG_B=n]}
targets: [qemu/x86_64]
END
builds "volumes" "$cloud erofs"' ["/a"]' "not used: runtime, volumes" <<'END'
spec: v0.6
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
volumes:
- ./rootfs/html:/nginx/html
- {source: ./src, destination: /dest, driver: 9pfs, readonly: false}
END
builds "one volume as a text" "$cloud erofs"' ["/a"]' "not used: runtime, volumes" <<'END'
spec: v0.6
runtime: base:latest
volumes: ./src:/dest
rootfs: ./rootfs
cmd: ["/a"]
END
builds "a target with a name and options" "qemu/x86_64 erofs"' ["/a"]' <<'END'
spec: v0.6
rootfs: ./rootfs
cmd: ["/a"]
targets:
- name: a-qemu-x86_64
  plat: qemu
  arch: x86_64
  kconfig:
    CONFIG_FS: "9pfs"
END
is "$(config '.["os.features"]')" '["CONFIG_FS=9pfs"]' "the options are features of the image"
builds "two targets that differ in their options" "qemu/x86_64 qemu/x86_64 erofs"' ["/a"]' <<'END'
spec: v0.7
rootfs: ./rootfs
cmd: ["/a"]
targets:
- {platform: qemu, architecture: x86_64, kconfig: {CONFIG_FS: 9pfs}}
- {platform: qemu, architecture: x86_64, kconfig: {CONFIG_FS: initrd}}
END
builds "a target twice" "$cloud erofs"' ["/a"]' "4:32: warning: Duplicate target kraftcloud/x86_64 is built once" <<'END'
spec: v0.7
rootfs: ./rootfs
cmd: ["/a"]
targets: [kraftcloud/x86_64,   kraftcloud/amd64]
END

# ---- older specs ------------------------------------------------------------------------------
builds "until v0.6 the type is the format" "$cloud erofs"' ["/bin/app"]' <<'END'
spec: v0.6
runtime: base-compat:latest
rootfs:
  source: ./Dockerfile
  type: erofs
END
builds "and so it is for cpio" "$cloud cpio"' ["/a"]' <<'END'
spec: v0.6
runtime: base:latest
rootfs: {source: ./rootfs, type: cpio}
cmd: ["/a"]
END
builds "v0.5, with the long words" "kvm/x86_64 erofs"' ["/a"]' "not used: unikraft, libraries" <<'END'
specification: '0.5'
name: helloworld
unikraft:
  version: 0.10.0
libraries:
  newlib: stable
targets:
  - name: default
    architecture: x86_64
    platform: kvm
rootfs: ./rootfs
cmd: ["/a"]
END
builds "a runtime that is spelt out" "$cloud erofs"' ["/a"]' <<'END'
spec: v0.6
runtime:
  source: unikraft.org/nginx
  version: latest
  kconfig: {CONFIG_LIB9PFS: 'y'}
rootfs: ./rootfs
cmd: ["/a"]
END
builds "a spec that is a number" "$cloud erofs"' ["/a"]' <<'END'
spec: 0.6
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
END
builds "line ends of Windows" "$cloud erofs"' ["/a"]' < <(sed 's/$/\r/' <<'END'
spec: v0.6

runtime: base:latest

rootfs: ./rootfs

cmd: ["/a"]
END
)
builds "a document that is begun" "$cloud erofs"' ["/a"]' <<'END'
# SPDX-License-Identifier: BSD-3-Clause
---
spec: v0.6
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
END

# ---- v0.7 -------------------------------------------------------------------------------------
builds "a format" "$cloud erofs"' ["tail","-f","/dev/null"]' <<'END'
spec: v0.7
name: sandbox
runtime: base-compat:latest
rootfs:
  format: erofs
  source: ./Dockerfile
cmd: ["tail", "-f", "/dev/null"]
END
builds "a Dockerfile in its folder" "$cloud cpio"' ["/bin/app"]' <<'END'
spec: v0.7
runtime: base-compat:latest
rootfs:
  source:
    path: .
    dockerfile: docker/Dockerfile.prod
  format: cpio
END
like "$(tail -3 fake/log)" "-f project/./docker/Dockerfile.prod -- project/." "and the folder is the context"
builds "a root that is packed" "$cloud erofs"' ["/a"]' <<'END'
spec: v0.7
targets: [kraftcloud/x86_64]
rootfs: {source: ./root.erofs, format: erofs, type: erofs}
cmd: ["/a"]
END
builds "a cpio archive" "$cloud cpio"' ["/a"]' <<'END'
spec: v0.7
targets: [kraftcloud/x86_64]
rootfs: ./root.cpio
cmd: ["/a"]
END
builds "a tar archive" "$cloud erofs"' ["/a"]' <<'END'
spec: v0.7
targets: [kraftcloud/x86_64]
rootfs: {source: {path: ./root.tar.gz, type: tarball}, format: erofs}
cmd: ["/a"]
END
builds "a ROM alone" "$cloud none"' []' <<'END'
spec: v0.7
targets: [kraftcloud/x86_64]
roms:
  - ./data
END
builds "a root and ROMs in every form" "$cloud erofs"' ["cat","/rom/file"]' <<'END'
spec: v0.7
runtime: base-compat:latest
rootfs:
  source: ./Dockerfile
cmd: ["cat", "/rom/file"]
roms:
  - ./data
  - {source: ./root.erofs, format: erofs, type: erofs}
  - source: {path: ./data, type: dir}
    format: cpio
END
is "$(jq '.manifests[0].layers | length' built.json)" 4 "three ROMs beside the root"
builds "members that are anyone's own" "$cloud erofs"' ["/a"]' <<'END'
spec: v0.7
x-owner: me
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
END
builds "an unknown member" "$cloud erofs"' ["/a"]' "5:1: warning: Unknown member 'maintainer' is ignored" <<'END'
spec: v0.7
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
maintainer: me
END
builds "a newer spec" "$cloud erofs"' ["/a"]' "spec 'v0.8' is newer" <<'END'
spec: v0.8
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
END

# ---- other names of the file --------------------------------------------------------------------
rm project/Kraftfile
project=project/Kraftfile.ls file=$project
builds "one of several Kraftfiles, by its path" "$cloud erofs"' ["/usr/bin/ls"]' <<'END'
spec: v0.6
name: ls
rootfs: ./Dockerfile
cmd: ["/usr/bin/ls"]
runtime: base:latest
END
for name in kraft.yaml kraft.yml Kraftfile.yaml Kraftfile.yml; do
    project=project file=project/$name
    builds "$name" "$cloud erofs"' ["/a"]' <<'END'
spec: v0.6
runtime: base:latest
rootfs: ./rootfs
cmd: ["/a"]
END
    rm "$file"
done

# ---- what the packers refuse, too -----------------------------------------------------------------
refused "no spec" "Missing member spec" <<'END'
rootfs: ./rootfs
END
refused "a spec that is no version" "Kraftfile:1:7: error: Invalid spec version 'latest'" <<'END'
spec: latest
rootfs: ./rootfs
END
refused "an empty file" "the Kraftfile is empty" </dev/null
refused "a root that is not there" "Kraftfile:3:9: error: no source './root'" <<'END'
spec: v0.6
runtime: base:latest
rootfs: ./root
END
refused "a list of roots" "Member 'rootfs' must be a string, not a list" <<'END'
spec: v0.6
runtime: base:latest
rootfs: [./rootfs]
END
refused "no source" "Missing member source" <<'END'
spec: v0.7
runtime: base:latest
rootfs: {format: erofs}
END
refused "an unknown format" "Invalid format 'squashfs'" <<'END'
spec: v0.7
runtime: base:latest
rootfs: {source: ./rootfs, format: squashfs}
END
refused "since v0.7 the type is the source's" "'./Dockerfile' is a Dockerfile" <<'END'
spec: v0.7
runtime: base:latest
rootfs: {source: ./Dockerfile, type: erofs}
END
like "$(cat warnings)" "what becomes of it is 'format: erofs'" "and what was meant is said"
refused "two types" "Cannot specify 'type' when the source has a 'type'" <<'END'
spec: v0.7
runtime: base:latest
rootfs: {source: {path: ./root.erofs, type: erofs}, type: erofs}
END
refused "a Dockerfile that its folder does not have" "no Dockerfile" <<'END'
spec: v0.7
runtime: base:latest
rootfs: {source: {path: ./docker, dockerfile: Dockerfile.dev}}
END
refused "numbers as a command" "must be a list of strings" <<'END'
spec: v0.7
runtime: base:latest
rootfs: ./rootfs
cmd: [1, 2]
END
refused "a runtime that is spelt out in v0.7" "Member 'runtime' must be a string" <<'END'
spec: v0.7
runtime: {source: unikraft.org/nginx}
rootfs: ./rootfs
END
refused "a platform without an architecture" "Invalid target 'kraftcloud'" <<'END'
spec: v0.7
rootfs: ./rootfs
targets: [kraftcloud]
END
refused "a ROM without a target" "no platform targets specified" <<'END'
spec: v0.7
roms: [./data]
END
refused "a unikernel without a root" "neither 'rootfs' nor 'roms': nothing to build" <<'END'
spec: v0.6
name: helloworld
unikraft: stable
targets: [qemu/x86_64, fc/x86_64]
END
refused "a runtime alone" "neither 'rootfs' nor 'roms': nothing to build" <<'END'
spec: v0.6
runtime: imaginary:1.2
cmd: ["/usr/bin/imaginary", "-p", "8080"]
END
like "$(cat warnings)" "what a runtime has in it is in the cloud's registry only" "which a packer with the registry builds"

done_testing
