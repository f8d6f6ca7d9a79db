#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The store that all users of a machine read: root fills it (`image import --shared`), everybody
# finds its names behind the own ones, and the roots that its images become, which nobody builds
# again.  It is believed only if nobody but root and the user could have put something there.
. "$(dirname "$0")/../lib.sh"

export PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1
shared=$T/images
instance() { printf 'name: x\nimage: "%s"\nargs: [/bin/sh]\n' "$1" >x.yaml; }
chosen() { instance "$1"; romsim plan --json x.yaml 2>/dev/null | jq -r .env.FROM; }
roots() { find "$1" -name '*.erofs' 2>/dev/null | wc -l; }

python3 - <<'PY' || exit 1
from oci import *
told_apart("own.oci", org_both="own")
told_apart("class.oci", org_both="class", org_class="class")
told_apart("named", org_both="named", org_class="named")
PY

# ---- none
fails 1 "without a shared store none is filled" romsim image import --shared ./class.oci
like "$out" "ROMSIM_SHARED_STORE is empty" "and it is said why"
export ROMSIM_SHARED_STORE=$shared
is "$(romsim image ls --json | jq -c .)" "[]" "one that was never filled is none"
is "$(ls -A "$T" | grep -c images)" 0 "and looking does not make it"

# ---- filled
(umask 077 && romsim image import --shared ./class.oci >out 2>&1)
is $? 0 "import --shared"
like "$(cat out)" "imported org/class:latest" "says what it did"
is "$(find "$shared" -type d ! -perm 755 | wc -l)" 0 "all its folders can be read by all, whatever the umask"
is "$(find "$shared" -type f ! -name 'lock-*' ! -perm 644 | wc -l)" 0 "and all its files but the locks"
is "$(ls -A "$XDG_DATA_HOME/romsim/oci" 2>/dev/null)" "" "nothing went to the own store"
is "$(roots "$shared/roots")" 2 "the root that its images become is there, by both its keys"
is "$(chosen org/class)" class "a name of it is found"
ok "import of an own image" romsim image import ./own.oci
is "$(chosen org/both)" own "the own store goes before it"
ROMSIM_IMAGE_STORES=$T/named
export ROMSIM_IMAGE_STORES
is "$(chosen org/class)" named "and those of ROMSIM_IMAGE_STORES do, too"
unset ROMSIM_IMAGE_STORES
is "$(romsim image ls --json | jq -r '.[] | select(.name == "org/class:latest").store')" "$shared" "ls says where it is"
rm -rf "$XDG_CACHE_HOME/romsim"
is "$(chosen org/class)" class "with an empty cache of one's own"
is "$(roots "$XDG_CACHE_HOME")" 0 "its root is not built again"
fails 1 "rm without --shared" romsim image rm org/class
like "$out" "'$shared', which is only read" "says where the image is"
printf 'spec: v0.7\nrootfs:\n  source: ./root\n  format: erofs\ntargets: [kraftcloud/x86_64]\n' >Kraftfile
mkdir root && echo x >root/x
ok "build --shared" romsim image build --shared -t org/built .
like "$(romsim image ls)" "org/built:latest" "is listed"
fails 2 "build to two places" romsim image build --shared -t org/built -o oci:there .

# ---- who reads it
reader() { "$ROMSIM" "$@"; }
cache=$XDG_CACHE_HOME
if can user; then
    cache=$T/nobody/cache
    chmod 755 "$T" && mkdir nobody && chown nobody nobody
    reader() {
        setpriv --reuid nobody --clear-groups env "XDG_CACHE_HOME=$T/nobody/cache" \
            "XDG_DATA_HOME=$T/nobody/data" "XDG_RUNTIME_DIR=$T/nobody" "$ROMSIM" "$@"
    }
    instance org/class
    chmod 644 x.yaml
    ok "an ordinary user reads it" reader plan x.yaml
    is "$(roots nobody)" 0 "without building its root again"
    fails 1 "an ordinary user who fills it" reader image import --shared ./class.oci
    like "$out" "only root fills" "is told who does"
else
    skip "another user reads it" "$why"
fi

# ---- who could have put something there
distrust() {
    instance org/class
    fails 1 "$1: nothing is taken from it" reader plan x.yaml
    like "$out" "not to be trusted: $2" "and it is said why, $1"
    fails 1 "ls fails, $1" reader image ls
}
for part in . oci-layout index.json blobs blobs/sha256; do
    before=$(stat -c %a "$shared/$part")
    chmod g+w "$shared/$part"
    what="its '$part'"
    [ $part != . ] || what=it
    distrust "a $part that a group may write" "$what can be written by others"
    chmod "$before" "$shared/$part"
done
mv "$shared/index.json" index.json && ln -s "$T/index.json" "$shared/index.json"
distrust "an index that is a link" "its 'index.json'"
mv index.json "$shared/index.json"
chmod o+w "$shared/roots"/*.erofs
instance org/class
ok "a root that others may write" reader plan x.yaml
is "$(roots "$cache")" 2 "is not taken: the reader builds its own"
chmod o-w "$shared/roots"/*.erofs
if can user; then
    stranger=$(id -u daemon)
    for part in . index.json blobs/sha256; do
        chown "$stranger" "$shared/$part"
        what="its '$part'"
        [ $part != . ] || what=it
        distrust "a $part of a stranger" "$what belongs to another user"
        chown 0 "$shared/$part"
    done
    # One that the user has named may be somebody's; it is his, and nobody else's.
    chown -R "$stranger" named && chmod -R a+rX named
    unset ROMSIM_SHARED_STORE
    export ROMSIM_IMAGE_STORES=$T/named ROMSIM_SHARED_STORE=
    instance org/class
    ok "a store of somebody that was named is read" reader plan x.yaml
    chown games named/index.json
    fails 1 "with the index of a third one it is not" reader plan x.yaml
    like "$out" "belongs to another user" "which is said"
    chown "$stranger" named/index.json && chmod o+w named/index.json
    fails 1 "nor with one that anybody can write" reader plan x.yaml
    unset ROMSIM_IMAGE_STORES
    export ROMSIM_SHARED_STORE=$shared
else
    skip "a store of a stranger" "$why"
fi
instance org/class
ok "it is read again" reader plan x.yaml

# ---- emptied
ok "rm --shared" romsim image rm --shared org/class org/both
ok "gc --shared" romsim image gc --shared
is "$(roots "$shared/roots")" 0 "takes the roots that no name leads to"
is "$(chosen org/both)" own "the own one is still there"
instance org/class
fails 1 "the other is gone" romsim plan x.yaml
ROMSIM_SHARED_STORE=relative
fails 1 "a relative path" romsim image import --shared ./class.oci
like "$out" "no absolute path" "is none"

done_testing
