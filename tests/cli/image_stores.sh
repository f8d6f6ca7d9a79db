#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several image stores, and such as one may only read: names are found in the user's own store
# first, then in those of ROMSIM_IMAGE_STORES; only the own one is written; and a lock that cannot be
# had is never "No image with name".
. "$(dirname "$0")/../lib.sh"

export PYTHONPATH=$ROOT/tests PYTHONDONTWRITEBYTECODE=1
own=$XDG_DATA_HOME/romsim/oci
instance() { printf 'name: x\nimage: "%s"\nargs: [/bin/sh]\n' "$1" >x.yaml; }
chosen() { instance "$1"; romsim plan --json x.yaml 2>/dev/null | jq -r .env.FROM; }
names() { romsim image ls --json | jq -r '.[] | .name + " " + .store' | sed "s|$T/||" | sort | tr '\n' ','; }
all_files() { (cd "$1" && find . -printf '%P %s %T@ %m\n' | sort); }

python3 - <<'PY' || exit 1
from oci import *
told_apart("own.oci", org_both="own", org_mine="own")
told_apart("shared", org_both="shared", org_shared="shared")
told_apart("more", org_shared="more", org_more="more")
PY

# ---- one store, from nothing
is "$(romsim image ls --json | jq -c .)" "[]" "without a store there is no image"
instance org/mine
fails 1 "and no name is found" romsim plan x.yaml
like "$out" "No image with name 'org/mine'" "as it is said"
is "$(ls -A "$XDG_DATA_HOME")" "" "looking makes nothing"
ok "import of all its images" romsim image import ./own.oci

# ---- several
export ROMSIM_IMAGE_STORES=$T/shared::$T/more:
all_files shared >shared.before
all_files more >more.before
is "$(names)" "org/both:latest .xdg/data/romsim/oci,org/both:latest shared,org/mine:latest .xdg/data/romsim/oci,org/more:latest more,org/shared:latest more,org/shared:latest shared," \
    "ls --json says which store has an image"
out=$(romsim image ls)
like "$out" "STORE" "and so does ls"
like "$out" "$T/more" "by its path"
is "$(chosen org/mine)" own "a name is found in the own store"
is "$(chosen org/both)" own "which goes before the others"
is "$(chosen org/shared)" shared "then in the others, in order"
is "$(chosen org/more)" more "to the last"
is "$(chosen registry.example/org/more)" more "a name with a registry, too"
is "$(romsim image inspect --json org/shared | jq -r '.env[0]')" FROM=shared "inspect finds it"
instance org/share
fails 1 "a name that is nearly right" romsim plan x.yaml
like "$out" "org/shared:latest" "is shown those of all stores"
fails 1 "rm of another store's image" romsim image rm org/more
like "$out" "it is in the image store '$T/more', which is only read" "says where it is"
ok "tag of another store's image" romsim image tag org/more my/copy
is "$(ROMSIM_IMAGE_STORES='' chosen my/copy)" more "copies it into the own one"
ok "rm of an own image" romsim image rm org/both
is "$(chosen org/both)" shared "uncovers the one below"
ok "gc" romsim image gc
is "$(chosen org/shared)" shared "spares the others"
all_files shared >shared.after
all_files more >more.after
same shared.after shared.before "nothing is written to the others"
same more.after more.before "not to any"

# ---- those that cannot be read
for bad in "$T/nowhere" "relative" "$T/own.oci/index.json" "$T"; do
    export ROMSIM_IMAGE_STORES=$T/shared:$bad
    is "$(chosen org/shared)" shared "what stands before a store that is none is found"
    instance org/more
    fails 1 "what is not found may be in it" romsim plan x.yaml
    unlike "$out" "No image with name" "so that is not what is said"
    like "$out" "ROMSIM_IMAGE_STORES" "but where the store is named"
    fails 1 "ls fails" romsim image ls
    like "$out" "org/shared:latest" "and lists what there is"
done
export ROMSIM_IMAGE_STORES=$T/shared
echo '{' >shared/index.json
instance org/shared
fails 1 "a damaged index" romsim plan x.yaml
like "$out" "'$T/shared/index.json'" "is named"
cp -r more shared.new && rm -r shared && mv shared.new shared
is "$(chosen org/more)" more "and replaced"

# ---- locks that others hold
unset ROMSIM_IMAGE_STORES
mkfifo held
(exec 9>>"$own/lock-use" && flock -x 9 && echo >held && exec sleep 1000) &
holder=$!
read -r _ <held
ok "a gc that does not end holds nobody up who reads" timeout 60 "$ROMSIM" image ls
instance org/mine
ok "not at a start" timeout 60 "$ROMSIM" plan x.yaml
kill $holder
wait $holder 2>/dev/null

# ---- a store that one may only read
romsim image ls >ls.before
read_only() {
    local text=$1
    ok "ls, $text" "${as[@]}" "$ROMSIM" image ls
    same <(printf '%s\n' "$out") ls.before "shows the same, $text"
    instance org/mine
    ok "plan, $text" "${as[@]}" "$ROMSIM" plan x.yaml
    instance org/nothing
    fails 1 "a name that it does not have, $text" "${as[@]}" "$ROMSIM" plan x.yaml
    like "$out" "No image with name 'org/nothing'" "is said to be nowhere, $text"
    fails 1 "rm, $text" "${as[@]}" "$ROMSIM" image rm org/mine
    like "$out" "image store" "says what cannot be written, $text"
    fails 1 "import, $text" "${as[@]}" "$ROMSIM" image import ./own.oci
    fails 1 "gc, $text" "${as[@]}" "$ROMSIM" image gc
}
as=(env)
if can root; then
    if mount --bind "$own" "$own" 2>/dev/null && mount -o remount,bind,ro "$own" 2>/dev/null; then
        read_only "on a file system that is read-only"
        umount "$own"
        rm "$own"/lock-*
        mount --bind "$own" "$own" && mount -o remount,bind,ro "$own"
        read_only "without the files of its locks"
        umount "$own"
    else
        umount "$own" 2>/dev/null
        skip "a store on a read-only file system" "cannot mount here"
    fi
    chmod 755 "$T" && chmod -R a+rX "$T/.xdg/data" own.oci x.yaml
    mkdir -p "$T/nobody" && chown nobody "$T/nobody"
    as=(setpriv --reuid nobody --clear-groups env "XDG_CACHE_HOME=$T/nobody/cache" "XDG_RUNTIME_DIR=$T/nobody")
    if "${as[@]}" true 2>/dev/null; then
        chmod 644 "$own"/lock-* 2>/dev/null
        read_only "as another user"
        chmod 600 "$own"/lock-* 2>/dev/null
        read_only "as another user whose locks are not to be read"
        chmod 700 "$own"
        instance org/mine
        fails 1 "a store that is closed to the user" "${as[@]}" "$ROMSIM" plan x.yaml
        like "$out" "cannot open the image store" "is said to be, and not to lack the image"
    else
        skip "a store of another user" "cannot become one"
    fi
else
    chmod -R a-w "$own"
    read_only "without the permission to write"
    chmod u+w "$own" && rm -f "$own"/lock-* && chmod u-w "$own"
    read_only "without the files of its locks"
    chmod 000 "$own"
    instance org/mine
    fails 1 "a store that is closed to the user" romsim plan x.yaml
    like "$out" "cannot open the image store" "is said to be, and not to lack the image"
    chmod -R u+rwX "$own"
fi

done_testing
