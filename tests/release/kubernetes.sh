#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kubernetes: what deploy/kubernetes has is right by the schemas of Kubernetes, and runs as it is by
# podman, which takes the same files: a class's server, and a job that replays cases.  podman knows no
# Job: its pod is run.  It has no Service either: the server is asked by the name that one would have.
. "$(dirname "$0")/../lib.sh"
K=$ROOT/deploy/kubernetes
version=$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")
archive=$ROOT/build/packages/romsim-container.tar
is "$(grep -h 'image:' "$K"/*.yaml "$K"/*/*.yaml | sort -u | awk '{ print $2 }')" "localhost/romsim:$version" \
    "they name this version's image"

# ---- by the schemas ------------------------------------------------------------------------------

cp "$K/server/server.yaml" "$K/replay.yaml" .
if need kubectl "the files are put together"; then
    for folder in $(sed -n 's/^\$ kubectl .*apply -k \(deploy[^ ]*\).*/\1/p' "$ROOT/docs/farm.md"); do
        ok "$folder is one for kubectl" sh -c 'kubectl kustomize "$0" >"${0##*/}.yaml"' "$ROOT/$folder"
    done
    is "$(ls server-kvm.yaml)" server-kvm.yaml "docs/farm.md has it with KVM"
    like "$(cat server-kvm.yaml)" 'devices.kubevirt.io/kvm: "1"' "which asks for /dev/kvm"
    like "$(kubectl create secret generic romsim --from-literal=token=x --dry-run=client -o yaml)" \
        "token: eA==" "a Secret is made as the page says"
fi
# The schemas of kubernetes-validate, which are Kubernetes' own; a part that they do not know is wrong.
echo "kubernetes-validate==1.37.0 --hash=sha256:85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9" >wanted
if ! need python3 "they are right by the schemas"; then :
elif ! python3 -m pip download -q --no-deps --require-hashes -r wanted -d . >pip.out 2>&1; then
    skip "they are right by the schemas" "no kubernetes-validate from PyPI: $(tail -n 1 pip.out)"
else
    python3 -m zipfile -e kubernetes_validate-*.whl schemas
    cat >validate.py <<'PYTHON'
import json, pathlib, sys
import jsonschema, yaml
folder = pathlib.Path("schemas/kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict").absolute()
for part in yaml.safe_load_all(open(sys.argv[1])):
    *group, version = part["apiVersion"].split("/")
    name = "-".join([part["kind"].lower(), *(one.split(".")[0] for one in group), version])
    schema = json.loads((folder / f"{name}.json").read_text())
    # Nothing is asked for over the network.
    definitions = json.loads((folder / "_definitions.json").read_text())
    resolver = jsonschema.RefResolver("", schema, store={"https://kubernetes.io/api/_definitions.json": definitions})
    for error in jsonschema.Draft7Validator(schema, resolver=resolver).iter_errors(part):
        sys.exit(f"{part['kind']}: {'/'.join(map(str, error.path))}: {error.message}")
    print(part["kind"])
PYTHON
    # Debian's Python has Debian's jsonschema and yaml.
    ok "replay.yaml is right" /usr/bin/python3 validate.py replay.yaml
    is "$out" Job "... and a Job"
    for file in server.yaml $(ls server-kvm.yaml 2>/dev/null); do
        ok "$file is right" /usr/bin/python3 validate.py "$file"
        is "$(sort <<<"$out" | tr '\n' ' ')" "Deployment PersistentVolumeClaim Service " "... and all of it"
    done
    sed 's/backoffLimit/backofLimit/' replay.yaml >wrong.yaml
    fails 1 "what is wrong is seen" /usr/bin/python3 validate.py wrong.yaml
fi

# ---- by podman -----------------------------------------------------------------------------------

for what in root podman crun catatonit nsenter curl jq guest; do
    need $what "podman runs them" || done_testing
done
if [ -e "$archive" ]; then pass "the image is there"
else fail "the image is there" "'make container' makes $archive"; done_testing; fi

# A storage of the test's own; mounts in a namespace that ends with it.  crun takes cgroups of version
# 1 or 2, and not both side by side.
P=$(mktemp -d /var/tmp/romsim-kubernetes.XXXXXX)
unshare --mount sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec sleep infinity' &
holder=$!
cat >"$P/containers.conf" <<'END'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
END
pod() {
    local status
    CONTAINERS_CONF=$P/containers.conf nsenter --mount --target $holder --wd="$PWD" podman --root "$P/store" \
        --runroot "$P/run" --tmpdir "$P/tmp" --volumepath "$P/volumes" --storage-driver vfs "$@" \
        2>"$P/said"
    status=$?
    grep -v 'CNI config' "$P/said" >&2 # which is in no pipe that who watches a container would keep open
    return $status
}
end_pods() {
    local status=$?
    [ ! -d "$P" ] || {
        pod pod rm -f -t 5 -a >/dev/null 2>&1
        kill $holder
        wait $holder
        rm -rf --one-file-system "$P"
    } 2>/dev/null
    (exit $status)
}
trap 'end_pods; cleanup' EXIT
until_true() {
    local end=$((SECONDS + 180))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}
is_apart() { [ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/$holder/ns/mnt)" ] && [ "$(ps -o comm= -p $holder)" = sleep ]; }
until_true is_apart
ok "podman takes the image" pod load -q -i "$archive"

# A Secret of Kubernetes is JSON to podman.
printf '{"token":"%s"}' "$(printf a-class | base64)" | pod secret create romsim - >/dev/null
ok "server.yaml is played" pod kube play --network none server.yaml
[ "$failed" = 0 ] || done_testing
server=$(pod ps -a --filter label=app=romsim --filter name=serve --format '{{.ID}}')
pid=$(pod inspect "$server" --format '{{.State.Pid}}')
# ask PATH [CURL-OPTIONS...]: the status and the body, as another pod would by the Service.
ask() {
    nsenter --net --target "$pid" curl -s --noproxy '*' -w '\n%{http_code}' \
        -H 'Host: romsim.class-7b.svc.cluster.local' "${@:2}" "http://127.0.0.1:8080$1"
}
ready() { [ "$(ask /v1/healthz | tail -n 1)" = 200 ]; }
until_true ready && pass "it is ready, by what the probe asks" ||
    { fail "it is ready, by what the probe asks" "$(pod logs "$server" 2>&1)"; done_testing; }
is "$(ask /v1/instances | tail -n 1)" 401 "who has no token is told"
is "$(ask /v1/instances -H 'Authorization: Bearer a-class' | tail -n 1)" 200 "who has it is answered, by the Service's name"
is "$(pod exec "$server" /usr/bin/id -u)" 1000 "its user is no root"
is "$(pod inspect "$server" --format '{{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}}')" "true []" \
    "its root cannot be written, and it has no capability"
fails 2 "... really" pod exec "$server" /bin/sh -c 'echo x >/etc/x'

"$SAMPLES/busybox-base.sh" base
printf 'spec: v0.7\ntargets: [kraftcloud/x86_64]\nrootfs: ./base\ncmd: [/bin/sh, /rom/app.sh]\n' >Kraftfile
ok "a base is built here" romsim image build . -t org/base:latest
mkdir rom && echo 'echo "hello from a pod"; while :; do sleep 1; done' >rom/app.sh
printf 'name: web\nimage: org/base:latest\nmemory_mb: 128\nroms: [{name: rom, at: /rom, dir: ./rom}]\nautostart: true\n' >web.yaml
remote() {
    nsenter --net --target "$pid" env no_proxy='*' ROMSIM_HOST=http://127.0.0.1:8080 ROMSIM_TOKEN=a-class "$ROMSIM" "$@"
}
ok "it is pushed to the class's server" remote image push org/base:latest
ok "an instance is made there" remote create web.yaml
says_hello() { remote logs web | grep -q 'hello from a pod'; }
until_true says_hello && pass "and runs in the pod, emulated" ||
    fail "and runs in the pod, emulated" "$(remote logs web 2>&1)" "$(pod logs "$server" 2>&1)"
ok "it is removed" remote rm web
zombies() { ps -o stat= --pid "$(pgrep --ns "$pid" --nslist pid -d,)" | grep -c Z; }
no_zombies() { [ "$(zombies)" = 0 ]; }
until_true no_zombies && pass "and nothing of it is left, no zombie either" || fail "nothing of it is left" "$(zombies)"
ok "the pod is taken down" pod kube down server.yaml
is "$(pod ps -aq)" "" "and is gone"

# podman wants no claim that is there; Kubernetes leaves it as it is.
/usr/bin/python3 -c 'import sys, yaml
print(yaml.safe_dump(next(part for part in yaml.safe_load_all(sys.stdin) if part["kind"] == "Deployment")))
' <server.yaml >deployment.yaml
ok "another one is played" pod kube play --network none deployment.yaml
pid=$(pod inspect "$(pod ps -a --filter label=app=romsim --filter name=serve --format '{{.ID}}')" --format '{{.State.Pid}}')
until_true ready
like "$(ask /v2/_catalog -u romsim:a-class)" '"org/base"' "the store has outlived the pod"
ok "and taken down" pod kube down deployment.yaml

# ---- the job -------------------------------------------------------------------------------------

/usr/bin/python3 - replay.yaml >job.yaml <<'PYTHON'
import sys, yaml
job = yaml.safe_load(open(sys.argv[1]))
template = job["spec"]["template"]
template["metadata"]["name"] = job["metadata"]["name"]
print(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", **template}))
PYTHON
printf 'name: job\nimage: ./base\nargs: [/bin/sh, -c, "echo done; exit 3"]\n' >app.yaml
pod volume create romsim-cases >/dev/null
work=$(pod volume inspect romsim-cases --format '{{.Mountpoint}}')
mkdir "$work/cases" && chmod -R a+rwX "$work" # in the place of fsGroup, of which podman knows nothing
ok "a case is captured" romsim capture -q app.yaml --with-root -o "$work/cases/same.tar.zst"
chmod a+r "$work"/cases/*
# replayed: plays the job's pod; its exit status and what it has said.
replayed() {
    pod kube play --network none job.yaml >/dev/null || return
    status=$(pod wait romsim-replay-replay)
    said=$(pod logs romsim-replay-replay 2>&1)
    pod kube down job.yaml >/dev/null
}
replayed
is "$status" 0 "a case in which the same happens: the job has succeeded"
like "$said" "same     /work/cases/same.tar.zst" "and says so"
mkdir x && tar -C x --zstd -xf "$work/cases/same.tar.zst"
jq '.outcome.exit_code = 4' x/case.json >head.json && mv head.json x/case.json
tar -C x --zstd -cf "$work/cases/other.tar.zst" .
replayed
is "$status" 1 "a case with a difference: it has failed, by its exit status"
like "$(cat "$work/report.xml")" 'tests="2" failures="1" errors="0"' "the volume has the report"
head -c 1000 "$work/cases/same.tar.zst" >"$work/cases/other.tar.zst"
replayed
is "$status" 125 "one that cannot be run is told apart"
is "$(pod ps -aq)" "" "no container is left"
end_pods
is "$(pgrep -af "$P"; ls -d "$P" 2>/dev/null)" "" "and nothing of podman's"
done_testing
