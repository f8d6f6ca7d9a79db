#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Which of an index's images is taken: the one for this machine, wherever it stands among others,
# among what says its platform in part or not at all, and among what is no image.
. "$(dirname "$0")/../lib.sh"

PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'PY' || exit 1
from oci import *
layout = Layout("i")
root = tar(("bin/sh", b"#!"))

def image(name, **config):
    """An image that says its own name; what it is for stands in its entry alone."""
    return layout.image([root], config={"Cmd": ["/bin/sh"], "Env": ["CHOSEN=" + name]}, **config)

def entry(name, os="linux", architecture="amd64", variant=None, **more):
    platform = {"os": os, "architecture": architecture}
    if variant:
        platform["variant"] = variant
    return dict(image(name), platform=platform, **more)

def index(tag, *entries):
    layout.tag(tag, layout.nested(*entries))

sbom = layout.put_json({"spdxVersion": "SPDX-2.3"}, MANIFEST)
exact = entry("exact")
index("empty-architecture", dict(sbom, platform={"os": "linux", "architecture": ""}), exact)
index("no-architecture", dict(sbom, platform={"os": "linux"}), exact)
index("no-os", dict(sbom, platform={"architecture": "amd64"}), exact)
index("kraft-in-part", dict(sbom, platform={"os": "kraftcloud"}), exact)
index("no-platform", sbom, exact)
index("unknown-type", dict(sbom, mediaType="application/spdx+json", platform=exact["platform"]), exact)
index("artifact", dict(sbom, artifactType="application/spdx+json"), dict(image("exact")))
index("only-in-part", dict(image("exact"), platform={"os": "linux", "architecture": ""}))
index("only-none", dict(image("exact")))
index("case", dict(sbom, platform={"os": "linux"}), entry("exact", architecture="AMD64"))

levels = [entry(f"v{n}", variant=f"v{n}") for n in (4, 3, 2, 1)]
index("levels", *levels, entry("plain"))
index("levels-reversed", entry("plain"), *reversed(levels))
index("v3-first", levels[1], entry("plain"))
index("v3-last", entry("plain"), levels[1])
index("v3-only", levels[1])
index("v4-first", levels[0], entry("plain"))
index("v4-last", entry("plain"), levels[0])
index("v4-only", levels[0])
index("v9", entry("v9", variant="v9"), entry("odd", variant="haswell"), entry("plain"))
index("kraft-v3", entry("kraft-v3", os="kraftcloud", architecture="x86_64", variant="v3"),
      entry("plain"), entry("kraft", os="kraftcloud", architecture="x86_64"))
layout.tag("config-v4", image("config", variant="v4"))
layout.tag("config-v3", image("config", variant="v3"))
layout.write()
PY

instance() { printf 'name: x\nimage: "oci:i:%s"\n' "$1" >x.yaml; }
# chosen TAG [OPTION...]
chosen() {
    instance "$1"
    romsim plan --json "${@:2}" x.yaml 2>/dev/null | jq -r .env.CHOSEN
}

for tag in empty-architecture no-architecture no-os kraft-in-part no-platform unknown-type artifact case; do
    is "$(chosen $tag)" exact "$tag: an exact match wins over what stands before it"
done
is "$(chosen only-in-part)" exact "a platform in part is taken where there is no better"
is "$(chosen only-none)" exact "and so is none at all"

is "$(chosen levels)" v3 "of the levels of x86-64 the highest that the processor has"
is "$(chosen levels-reversed)" v3 "in whatever order they stand"
is "$(chosen v3-first)" v3 "amd64/v3 is taken before plain amd64"
is "$(chosen v3-last)" v3 "and behind it, too"
is "$(chosen v4-first)" plain "amd64/v4 before plain amd64 is passed over"
is "$(chosen v4-last)" plain "and behind it, too"
is "$(chosen v9)" plain "unknown levels are for other machines"
is "$(chosen kraft-v3)" kraft-v3 "kraftcloud goes first, its levels too"
is "$(chosen kraft-v3 --cpu v2)" kraft "as far as the processor has them"
instance v4-only
fails 1 "an image for a higher level only is refused" romsim plan x.yaml
like "$out" "the image is for linux/amd64/v4 only" "by its name"
like "$out" "v3, the level of the instance's processor (--cpu)" "with the reason"
instance config-v4
fails 1 "and so is one whose config says so" romsim plan x.yaml
like "$out" "the image is for linux/amd64/v4" "by its name, too"
is "$(chosen config-v3)" config "a config for the processor's level is taken"
is "$(romsim image inspect --json oci:i:config-v3 | jq -r .variant)" v3 "inspect shows the variant"
like "$(romsim image inspect oci:i:config-v3)" "linux/amd64/v3" "in its text, too"

# ---- --cpu: another processor, of this or another machine
for level in v1 v2 v3 v4; do
    is "$(chosen levels --cpu $level)" $level "with --cpu $level its image is chosen"
done
instance config-v4
ok "plan takes an image for a processor that only other machines have" romsim plan --cpu v4 x.yaml
ok "so does check" romsim check --cpu v4 x.yaml
fails 1 "and refuses it without" romsim check x.yaml
like "$out" "the image is for linux/amd64/v4" "by its name"
ok "inspect takes it" romsim image inspect --cpu v4 oci:i:config-v4
fails 1 "and not without" romsim image inspect oci:i:config-v4
ok "import copies it" romsim image import --cpu v4 oci:i:config-v4 --tag mine
like "$out" "imported mine" "and says so"
like "$(romsim image ls)" "linux/amd64/v4" "a list shows what is for other machines, too"
printf 'name: x\nimage: mine\n' >x.yaml
fails 1 "which is not taken for this one" romsim plan x.yaml
mkdir m
if need fuse "mount takes it with --cpu alone"; then
    instance v4-only
    fails 1 "mount refuses it" romsim mount x.yaml m
    ok "with --cpu it does not" romsim mount --cpu v4 x.yaml m
    is "$(cat m/bin/sh)" "#!" "and shows it"
    romsim umount m
fi
for command in plan check "build -o b" "mount m"; do
    # shellcheck disable=SC2086
    set -- $command
    fails 2 "$1 --cpu with what can be no processor is a wrong command line" \
        romsim "$1" --cpu 'a b' x.yaml "${@:2}"
    like "$out" "--cpu: 'a b' can be no processor" "and says so"
done

done_testing
