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
index("v9", entry("v9", variant="v9"), entry("odd", variant="haswell"), entry("plain"))
index("kraft-v3", entry("kraft-v3", os="kraftcloud", architecture="x86_64", variant="v3"),
      entry("plain"), entry("kraft", os="kraftcloud", architecture="x86_64"))
layout.tag("config-v3", image("config", variant="v3"))
layout.tag("config-v2", image("config", variant="v2"))
layout.write()
PY

instance() { printf 'name: x\nimage: "oci:i:%s"\n' "$1" >x.yaml; }
chosen() { instance "$1"; romsim plan --json x.yaml 2>/dev/null | jq -r .env.CHOSEN; }

for tag in empty-architecture no-architecture no-os kraft-in-part no-platform unknown-type artifact case; do
    is "$(chosen $tag)" exact "$tag: an exact match wins over what stands before it"
done
is "$(chosen only-in-part)" exact "a platform in part is taken where there is no better"
is "$(chosen only-none)" exact "and so is none at all"

is "$(chosen levels)" v2 "of the levels of x86-64 the highest that the processor has"
is "$(chosen levels-reversed)" v2 "in whatever order they stand"
is "$(chosen v3-first)" plain "amd64/v3 before plain amd64 is passed over"
is "$(chosen v3-last)" plain "and behind it, too"
is "$(chosen v9)" plain "unknown levels are for other machines"
is "$(chosen kraft-v3)" kraft "kraftcloud goes first, on its own level"
instance v3-only
fails 1 "an image for a higher level only is refused" romsim plan x.yaml
like "$out" "the image is for linux/amd64/v3 only" "by its name"
like "$out" "v2, the level of the instance's processor" "with the reason"
instance config-v3
fails 1 "and so is one whose config says so" romsim plan x.yaml
like "$out" "the image is for linux/amd64/v3" "by its name, too"
is "$(chosen config-v2)" config "a config for the processor's level is taken"
is "$(romsim image inspect --json oci:i:config-v2 | jq -r .variant)" v2 "inspect shows the variant"
like "$(romsim image inspect oci:i:config-v2)" "linux/amd64/v2" "in its text, too"

done_testing
