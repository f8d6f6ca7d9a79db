#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# container: the image that `make container` makes runs an instance, as an ordinary user, without
# privileges and without a network, and is small enough to be fetched.
. "$(dirname "$0")/../lib.sh"
archive=$ROOT/build/packages/romsim-container.tar
if ! need root "the container runs" || ! need buildah "the container runs" || ! need skopeo "it is read"; then
    done_testing
fi
if [ -e "$archive" ]; then pass "the image is there"
else fail "the image is there" "'make container' makes $archive"; done_testing; fi

size=$(($(stat -c %s "$archive") >> 20))
if [ $size -le 150 ]; then pass "it takes 150 MiB at most ($size)"; else fail "it takes 150 MiB at most" "$size"; fi
is "$(skopeo inspect --config "oci-archive:$archive" | jq -r '.config.User, .config.Entrypoint[0]' | tr '\n' ' ')" \
    "1000:1000 /usr/bin/romsim " "it runs romsim as an ordinary user"

container=$(buildah from -q "oci-archive:$archive") || { fail "buildah takes it"; done_testing; }
trap 'buildah rm "$container" >/dev/null; cleanup' EXIT
mkdir work && cp -R "$ROOT/samples/hello/." work/ && cp -R "$ROOT/build/samples/busybox" work/busybox
sed -i 's,^image: .*,image: ./busybox,' work/instance.yaml
chmod -R a+rX work

# in_container COMMAND...: as its user, with nothing but what it has.
in_container() {
    unshare --net buildah run --isolation chroot --cap-drop all -v "$T/work:/work:ro" "$container" -- \
        "$@"
}
is "$(in_container romsim --version)" "romsim $(sed -n 's/^VERSION := //p' "$ROOT/Makefile")" "romsim is this one"
is "$(in_container id -u)" 1000 "its user is no root"
ok "samples/hello runs in it" in_container romsim run instance.yaml
like "$out" "Hello from a ROM" "... and says hello"
ok "doctor has no complaint that keeps romsim from running" in_container romsim doctor
done_testing
