#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# install: what `make install` puts under DESTDIR works, is documented, and goes with `make uninstall`.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
build=${BUILD#"$ROOT"/}
make_here() { make -s -C "$ROOT" "BUILD=$build" "DESTDIR=$T/root" PREFIX=/opt/romsim "$@"; }

if ! need make "it can be installed"; then done_testing; fi
ok "make install" make_here install-only
cd "$T/root/opt/romsim" || { fail "it installs under DESTDIR and PREFIX"; done_testing; }
is "$(cd "$T/root" && ls -A)" opt "nothing lands outside PREFIX"
ok "the installed program runs" ./bin/romsim --version
is "$out" "$(romsim --version)" "and is the one that was built"
for page in "$ROOT"/docs/*.[15]; do
    name=$(basename "$page")
    same "$page" "share/man/man${name##*.}/$name" "$name is installed"
done
same "$ROOT/docs/romsim.bash" share/bash-completion/completions/romsim "the completion for bash is installed"
same "$ROOT/docs/romsim.zsh" share/zsh/site-functions/_romsim "... for zsh"
same "$ROOT/docs/romsim.fish" share/fish/vendor_completions.d/romsim.fish "... for fish"
for kind in instance kraftfile; do
    is "$(cat "share/romsim/$kind.schema.json")" "$(romsim schema $kind)" "the schema of $kind is installed"
done
if [ -e "$ROOT/build/guest/initrd" ]; then
    for file in $(ls "$ROOT/build/guest"); do
        if cmp -s "$ROOT/build/guest/$file" "lib/romsim/guest/$file"; then
            pass "the guest bundle's $file is installed"
        else fail "the guest bundle's $file is installed"; fi
    done
    out=$(./bin/romsim doctor 2>&1)
    like "$out" "$T/root/opt/romsim/bin/../lib/romsim/guest" "the installed program finds its guest"
    like "$out" "($(sed -n 's/^package //p' "$ROOT/build/guest/info"))" \
        "and says what its kernel was made from"
else
    skip "the guest bundle is installed" "there is none: 'make guest'"
fi
is "$(find . -perm /022 ! -type l)" "" "nobody but the owner may write"

cd "$T" || exit 1
ok "make uninstall" make_here uninstall
is "$(find root ! -type d)" "" "no file is left"
is "$(find root -name '*romsim*' -path '*/opt/romsim/*')" "" "nor a folder of ours"

# Any path is one path: what is installed is there and nowhere else, and what is taken away is what
# was installed.  The rules are those of a copy, since a relative PREFIX is relative to them.
source="$T/it's a \"source\""
mkdir "$source"
(cd "$ROOT" && cp --parents -t "$source" Makefile ./*/*.mk ./*/*/*.mk docs/*.[15] docs/romsim.{bash,zsh,fish})
[ -e "$source/sim/guest/guest.mk" ] || fail "the rules are copied"
mkdir -p bundle/guest
touch bundle/guest/{vmlinux,initrd,info}
ln -s "$T/bundle" "$source/build"

# at PREFIX DESTDIR TARGET...: as somebody whose home is here, too.
at() { HOME=$T make -s -C "$source" -o all -o guest "BUILD=$BUILD" "PREFIX=$1" "DESTDIR=$2" "${@:3}"; }

# any_path TEXT PREFIX [DESTDIR]: next to it are folders whose names a shell would make of it.
any_path() {
    local text=$1 prefix=$2 root=${3-} where
    rm -rf beside
    mkdir beside beside/my beside/a
    echo mine | tee beside/my/file beside/a/file >beside/file
    where=$(cd "$source" && realpath -m -- "${root}${prefix//\$\$/$}")
    ok "install: $text" at "$prefix" "$root" install
    is "$(cd "$where" && find . ! -type d | wc -l)" 11 "... all of it in one place"
    echo mine >"$where/lib/romsim/guest/other"
    ok "... and uninstall" at "$prefix" "$root" uninstall
    is "$(cd "$where" && find . ! -type d)" ./lib/romsim/guest/other "... which takes what was installed"
    rm -r -- "$where"
    is "$(find beside -type f | sort | tr '\n' ' ')" "beside/a/file beside/file beside/my/file " \
        "... and touches nothing beside"
}
any_path "a PREFIX with blanks" "$T/beside/my own  place"
any_path "a DESTDIR with blanks" /usr "$T/beside/my own"
any_path "quotes" "$T/beside/a \"b\" c's"
any_path "a leading '-'" -x
any_path "a pattern" "$T/beside/*"
# Harmless where it is run, since the rules may be wrong: all it could do is to make a file.
any_path "what a shell would run" "$T/beside/a;touch ran;\`touch ran\`\$\$(touch ran)&touch ran"
is "$(find "$T" "$source" -name ran)" "" "... and does not run it"
echo package >"$T/the \"kernel's\" package.deb"
ok "a KERNEL_DEB with blanks and quotes" at /usr "" build/guest-work/kernel.deb \
    "KERNEL_DEB=$T/the \"kernel's\" package.deb"
is "$(cat bundle/guest-work/kernel.deb)" package "... is taken"
ok "one of the tiny kernel's source" at /usr "" build/guest-tiny-work/kernel.deb KERNEL=tiny \
    "KERNEL_DEB=$T/the \"kernel's\" package.deb"
is "$(cat bundle/guest-tiny-work/kernel.deb)" package "... is another's"
fails 2 "a kernel that there is not" at /usr "" guest KERNEL=huge
like "$out" "KERNEL is 'huge'; without it the kernel is the distribution's, and there are 'tiny' and 'host'" \
    "... is refused, with those that there are"
is "$(cd "$source" && ls -A | tr '\n' ' ')" "Makefile build docs packaging samples sim tests " "nothing is left with the rules"
done_testing
