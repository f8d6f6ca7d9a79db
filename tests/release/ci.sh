#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# ci: action.yml and deploy/gitlab/romsim.yml are what their languages' schemas say, and their steps,
# taken out of them, install romsim from source and from packages, run an instance, end with its
# status and keep its report; and so do the commands of docs/ci.md.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/root.sh"
python=$ROOT/build/clients/python/bin/python
packages=$ROOT/build/packages
[ -x "$python" ] || { fail "check-jsonschema is there" "'make deps-clients' fetches it"; done_testing; }
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests

# block N: the N-th block of YAML in docs/ci.md.
block() { awk -v n="$1" '/^```yaml$/ { i++; next } /^```$/ { if (i == n) exit } i == n' "$ROOT/docs/ci.md"; }
block 1 >workflow.yml
block 2 >with-image.yml
block 3 >gitlab.yml
schema() { "$python" -m check_jsonschema --builtin-schema "vendor.$1" "${@:2}"; }
ok "action.yml is an action" schema github-actions "$ROOT/action.yml"
ok "the include is one of GitLab's" schema gitlab-ci --data-transform gitlab-ci "$ROOT/deploy/gitlab/romsim.yml"
ok "docs: the workflows are some" schema github-workflows workflow.yml with-image.yml
ok "docs: the .gitlab-ci.yml is one" schema gitlab-ci --data-transform gitlab-ci gitlab.yml
sed 's/using: composite/using: something/' "$ROOT/action.yml" >wrong.yml
fails 1 "an action that is wrong" schema github-actions wrong.yml
for input in $("$python" -c 'import yaml; print(*yaml.safe_load(open("'"$ROOT"'/action.yml"))["inputs"])'); do
    like "$(cat "$ROOT/docs/ci.md")" "| \`$input\` |" "docs: $input"
done
for name in $(grep -oE '^    ROMSIM_[A-Z]+' "$ROOT/deploy/gitlab/romsim.yml"); do
    like "$(cat "$ROOT/docs/ci.md")" "\`$name\`" "docs: $name"
done

if ! need guest "the steps run"; then done_testing; fi

# The source as it would be pushed, and a user's project.
export SOURCE=$T/source WORK=$T/project TEMP=$T/temp CACHES=$T/caches ARTIFACTS=$T/artifacts
mkdir source project
(cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$SOURCE" 2>/dev/null)
git -C source init -q -b main
git -C source add -A
git -C source -c user.name=x -c user.email=x@example.com commit -qm source
cp -R "$ROOT/build/samples/busybox" project/busybox
cat >project/app.yaml <<'END'
name: app
image: ./busybox
args: [/bin/sh, /rom/test.sh]
roms: [{name: test, at: /rom, dir: rom}]
END
mkdir project/rom
echo 'echo "1 test passed"' >project/rom/test.sh
steps() { "$python" "$ROOT/tests/release/ci_steps.py" "$@"; }

# ---- GitHub: from source, then from the cache, and what fails -------------------------------

ok "GitHub: an instance passes" steps github "$SOURCE/action.yml" workflow.yml
like "$out" "1 test passed" "... and is seen"
like "$out" "output status=0" "... its status is an output"
unlike "$out" "romsim is in the cache" "... romsim was built"
like "$(cat artifacts/romsim-report/romsim-junit.xml)" '<testsuite' "... the report is kept"
like "$(cat temp/summary)" "### romsim run: passed" "... the summary says so"
is "$(ls caches | wc -l)" 1 "... romsim is cached"
like "$(ls caches)" "$(cd caches/* && cat key)" "... by what it was made from"

rm -r artifacts
echo 'echo "1 test failed"; exit 3' >project/rom/test.sh
fails 1 "GitHub: an instance fails" steps github "$SOURCE/action.yml" workflow.yml
like "$out" "romsim is in the cache" "... romsim was not built again"
like "$out" "output status=3" "... with the app's status"
like "$(cat artifacts/romsim-report/romsim-junit.xml)" '<failure' "... the report is kept all the same"
like "$(cat temp/summary)" "### romsim run: failed with 3" "... the summary says so"

ok "a case is captured" env -C project "$SOURCE/build/romsim" capture -o case.tar.zst --with-root app.yaml
sed -i 's/file: app.yaml/file: case.tar.zst/; s/^\( *\)file:.*/&\n\1options: --no-fuse  -q\n\1artifact: ""/' workflow.yml
rm -r artifacts
ok "GitHub: a case is replayed, with options" steps github "$SOURCE/action.yml" workflow.yml
like "$(cat temp/summary)" "### romsim replay: passed" "... and was the same"
is "$(ls artifacts 2>/dev/null)" "" "... no artifact where none is wanted"
sed -i 's/file: .*/file: "nothing; touch ran `touch ran` $(touch ran).yaml"/' workflow.yml
fails 1 "GitHub: a file that is not there, of an odd name" steps github "$SOURCE/action.yml" workflow.yml
is "$(find . -name ran)" "" "... of which nothing is run"
sed -i '/file:/d' workflow.yml
ok "GitHub: without a file" steps github "$SOURCE/action.yml" workflow.yml
unlike "$out" "== Run" "... romsim is only installed"

# ---- the page's commands -------------------------------------------------------------------

echo 'echo "1 test passed"' >project/rom/test.sh
mkdir elsewhere && cp -R project/. elsewhere/
cp -R "$(echo caches/*)" elsewhere/installed # what was built a minute ago
ok "docs: the commands" env -C elsewhere ROMSIM_SOURCE="$SOURCE" bash -ec \
    "$(sed -n 's/^\$ //p' "$ROOT/docs/ci.md")"
like "$out" "1 test passed" "... run the instance"
like "$(cat elsewhere/romsim-junit.xml)" '<testsuite' "... and have a report"

# ---- GitLab: in a fresh root, as its image is, from packages --------------------------------

if ! need root "GitLab's job runs" || ! need mmdebstrap "GitLab's job runs"; then done_testing; fi
if [ -e "$packages/SHA256SUMS" ]; then pass "the packages have digests"
else fail "the packages have digests" "'make deb' makes them"; done_testing; fi
. /etc/os-release
fresh=$(mktemp -d /var/tmp/romsim-release.XXXXXX)
trap root_drop EXIT
ok "a fresh root of $VERSION_CODENAME" root_make "$VERSION_CODENAME" "$fresh"
mkdir -p "$fresh/srv/packages" "$fresh/srv/romsim" "$fresh/builds"
cp "$packages"/SHA256SUMS $(cut -c67- "$packages/SHA256SUMS" | sed "s,^,$packages/,") "$fresh/srv/packages/"
git clone -q --bare source "$fresh/srv/romsim/romsim.git"
cp -R project "$fresh/builds/app"
export INSIDE=$fresh WORK=/builds/app SET_ROMSIM_PACKAGES=file:///srv/packages
# What runs there as root reads a repository of root's.
chown -R 0:0 "$fresh/srv" "$fresh/builds"
ok "GitLab: an instance passes" steps gitlab "$ROOT/deploy/gitlab/romsim.yml" gitlab.yml
like "$out" "1 test passed" "... and is seen"
like "$(cat artifacts/romsim-junit.xml)" '<testsuite' "... the report is kept"
rm -r artifacts
echo 'echo "1 test failed"; exit 3' >"$fresh/builds/app/rom/test.sh"
fails 1 "GitLab: an instance fails" steps gitlab "$ROOT/deploy/gitlab/romsim.yml" gitlab.yml
like "$(cat artifacts/romsim-junit.xml)" '<failure' "... the report is kept all the same"
echo "damaged" >>"$fresh/srv/packages/romsim_$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")_amd64.deb"
fails 1 "GitLab: a package that was damaged" steps gitlab "$ROOT/deploy/gitlab/romsim.yml" gitlab.yml
like "$out" "_amd64.deb: FAILED" "... is told, and not installed"
done_testing
