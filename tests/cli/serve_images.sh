#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_images.sh: the images that `romsim serve` lists (cloud-api §1.3, "Images"), in the forms of
# the newer endpoints and of the older one, and as the vendor's clients read them.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need jq "the images" || done_testing
need curl "the images" || done_testing
need python3 "the images" || done_testing

sha() { sha256sum "$1" | cut -d' ' -f1; }
# layout FOLDER OS ARCHITECTURE LAYER-TYPE LAYER [ANNOTATION]: an image layout with one image.
layout() {
    python3 - "$@" <<'PY'
import hashlib, json, os, sys
folder, system, architecture, kind, path, *annotation = sys.argv[1:]
os.makedirs(folder + "/blobs/sha256")
def put(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    open(f"{folder}/blobs/sha256/{digest}", "wb").write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}
layer = put(open(path, "rb").read(), kind)
if annotation:
    layer["annotations"] = {annotation[0]: "/unikraft/bin/initrd"}
config = put(json.dumps({"os": system, "architecture": architecture,
    "config": {"Entrypoint": ["/bin/sh"], "Cmd": ["-c", "echo hi"], "Env": ["A=1", "B=x=y", "C="]},
    "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(),
    "application/vnd.oci.image.config.v1+json")
manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode(),
               "application/vnd.oci.image.manifest.v1+json")
manifest["annotations"] = {"org.opencontainers.image.ref.name": "t"}
json.dump({"schemaVersion": 2, "manifests": [manifest]}, open(folder + "/index.json", "w"))
open(folder + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
PY
}
TAR=application/vnd.oci.image.layer.v1.tar
mkdir -p base/bin boot/unikraft/bin rom
fake_program base/bin/sh
echo rom >rom/file
tar -C base --owner=0 --group=0 -cf base.tar .
romsim rom pack rom -o rom.erofs >/dev/null
romsim rom pack base -o boot/unikraft/bin/initrd >/dev/null
tar -C boot -cf boot.tar unikraft/bin/initrd
layout base.oci linux amd64 $TAR base.tar
layout rom.oci kraftcloud x86_64 application/vnd.unikraft.rom.v1 rom.erofs
layout boot.oci kraftcloud x86_64 $TAR boot.tar org.unikraft.kernel.initrd
layout arm.oci linux arm64 $TAR base.tar

serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
# list PATH: the images there, in $out.
list() { api GET "/v1/$1" "${2-}"; out=$(jq -c '.data.images' <<<"$out"); }
for path in images image-store images/list; do
    api GET "/v1/$path"
    is "$http $(jq -c '[.status, .data]' <<<"$out")" '200 ["success",{"images":[]}]' "$path of an empty store"
done

ok "images are imported" romsim image import oci:base.oci:t -t my-org/app:v1
for name in my-org/app:latest other/app:v1 app:v1 registry.example:5000/my-org/far:1; do
    romsim image tag my-org/app:v1 $name
done
romsim image import oci:rom.oci:t -t my-org/rom >/dev/null 2>&1
romsim image import oci:boot.oci:t -t my-org/boot >/dev/null 2>&1
digest=$(romsim image inspect my-org/app:v1 --json | jq -r .digest)
rom=$(romsim image inspect my-org/rom --json | jq -r .digest)

# ---- the newer endpoints
list images
is "$(jq -r '.[].url' <<<"$out" | sort | tr '\n' ' ')" "registry.example:5000/my-org/far@$digest unikraft.io/app@$digest unikraft.io/my-org/app@$digest unikraft.io/my-org/boot@$(romsim image inspect my-org/boot --json | jq -r .digest) unikraft.io/my-org/rom@$rom unikraft.io/other/app@$digest " \
    "an image is a manifest of a repository, with the registry that a name has, or else the cloud's"
app=$(jq -c '.[] | select(.url | startswith("unikraft.io/my-org/app@"))' <<<"$out")
is "$(jq -c '.tags' <<<"$app")" '["my-org/app:latest","my-org/app:v1"]' "with all tags that lead to it, as NAME:TAG"
is "$(jq -c '[.args, .env]' <<<"$app")" '[["/bin/sh","-c","echo hi"],{"A":"1","B":"x=y","C":""}]' "with its command and environment"
is "$(jq -c '[.size_in_bytes, .initrd_or_rom, .status]' <<<"$app")" "[$(stat -c %s base.tar),false,\"success\"]" "its size; it is no initrd"
is "$(jq -r '.created_at | test("^20[0-9-]{8}T[0-9:]{8}Z$")' <<<"$app")" true "and when it came"
is "$(jq -c '[.[] | select(.url | test("my-org/(rom|boot)@")) | .initrd_or_rom]' <<<"$out")" '[true,true]' "a ROM, and an image with a root of its own, are"
is "$(jq -c '[.[] | select(.url | test("my-org/far@")) | .tags]' <<<"$out")" '[["my-org/far:1"]]' "tags are without a registry"
list image-store
is "$(jq -c '.[] | select(.url | startswith("unikraft.io/my-org/app@")) | .tags' <<<"$out")" '["latest","v1"]' "image-store has bare tags"
for query in "digest=$digest" "digest=my-org/app@$digest" "tag=v1" "tag=my-org/app:v1" "tag=oci://unikraft.io/my-org/app:v1" "tag=my-org/app" "tag=nothing" "digest=sha256:0" "tag=v1&digest=$rom"; do
    case $query in
    "digest=$digest") wanted='["app","my-org/app","my-org/far","other/app"]' ;;
    tag=v1) wanted='["app","my-org/app","other/app"]' ;;
    tag=nothing | digest=sha256:0 | *"&"*) wanted='[]' ;;
    *) wanted='["my-org/app"]' ;;
    esac
    for path in images image-store; do
        list "$path?$query"
        is "$(jq -c '[.[].url | sub("@.*"; "") | sub("^(unikraft.io|registry.example:5000)/"; "")] | sort' <<<"$out")" "$wanted" "$path?$query"
    done
done
api GET '/v1/images?nonsense=1'
is "$http $(field '.warnings[0].type')" "200 unknown_parameter" "what is not known is ignored, and said"

# ---- the older one
list images/list
app=$(jq -c '.[] | select(.digest | startswith("my-org/app@"))' <<<"$out")
is "$(jq -c '[.digest, .tags, .initrd, .size_in_bytes]' <<<"$app")" "[\"my-org/app@$digest\",[\"my-org/app:latest\",\"my-org/app:v1\"],false,$(stat -c %s base.tar)]" \
    "images/list has digests behind names"
is "$(jq -c '[.args, .kernel_args, .labels]' <<<"$app")" '["/bin/sh -c echo hi","",{}]' "and the command as one string"
list 'images/list?namespace=my-org'
is "$(jq -c '[.[].digest | sub("@.*"; "")] | sort' <<<"$out")" '["my-org/app","my-org/boot","my-org/rom","registry.example:5000/my-org/far"]' "of one organization"
list 'images/list?namespace=my'
is "$out" '[]' "and not of one whose name begins alike"
list images/list '[{"tag":"my-org/rom"}]'
is "$(jq -c '[.[] | .tags]' <<<"$out")" '[["my-org/rom:latest"]]' "by a tag in the body"
list images/list "[{\"digest\":\"my-org/rom@$rom\"}]"
is "$(jq -c '[.[] | .initrd]' <<<"$out")" '[true]' "by a digest"
api GET /v1/images/list '[{"tag":"my-org/rom"},{"tag":"no/such:1"},{"digest":"no@sha256:1"}]'
is "$http $(jq -c '[.status, [.data.images[] | [.status, .error]]]' <<<"$out")" \
    '200 ["partial_success",[["success",null],["error",8],["error",8]]]' "what is not there is an item of its own"
is "$(jq -c '.data.images[1]' <<<"$out")" "{\"status\":\"error\",\"tag\":\"no/such:1\",\"message\":\"No image with tag 'no/such:1'\",\"error\":8}" "named as it was asked for"
api GET /v1/images/list '[{"name":"x"}]'
is "$http $(field '.errors[0].error')" "400 16" "an unknown member is refused"
api GET /v1/images/list "[$(printf '{"tag":"a"},%.0s' {1..100}){\"tag\":\"a\"}]"
is "$http $(field '.errors[0].error')" "400 5" "as are more than a hundred"

# ---- odd images
romsim image rm my-org/boot >/dev/null
mkdir layouts && mv arm.oci layouts/arm && mkdir other-store && cp -r layouts/arm/. other-store/
sed -i 's|"t"|"their-org/arm:1"|' other-store/index.json
serve_end
export ROMSIM_IMAGE_STORES=$T/other-store
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
api GET /v1/images
is "$http $(field .status)" "200 success" "an image for other machines does no harm"
is "$(jq -c '[.data.images[] | select(.url | test("arm")) | [.status, .tags, .args]]' <<<"$out")" '[["success",["their-org/arm:1"],null]]' "and is listed, from a store that is only read"
like "$(field '.warnings[0].message')" "linux/arm64" "with a word about it"
printf x >>"$XDG_DATA_HOME/romsim/oci/blobs/sha256/${rom#sha256:}"
api GET /v1/images
is "$http $(field .status) $(jq '.data.images | length' <<<"$out")" "200 success 6" "neither does one that is damaged"
unset ROMSIM_IMAGE_STORES
serve_end

# ---- what romsim does not do
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
for method in POST DELETE; do # which pin an image, and let go of it
    api $method /v1/images '[{"digest":"x","timeout_s":1}]'
    is "$http $(field '.errors[0].error')" "501 1" "pinning is not supported: $method"
done
api PATCH /v1/images
is "$http $(field '.errors[0].error')" "405 2" "images are not changed"
token=
api GET /v1/images
is "$http" 401 "a token is needed"
serve_end
done_testing
