#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mount_user.sh: mounts by an ordinary user, through fusermount3.  Root becomes one for it, in a mount
# namespace of its own where /dev/fuse lets users in: the machine's stays as it is.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/waiting.sh"

# as_user COMMAND...: runs it as the user.
if [ "$(id -u)" = 0 ]; then
    need user "mounts by an ordinary user" || done_testing
    if [ "${IN_NAMESPACE:-}" != 1 ]; then
        mknod -m 666 "$T/fuse" c 10 229 2>/dev/null && : <>"$T/fuse" 2>/dev/null ||
            { skip "mounts by an ordinary user" "no device nodes here"; done_testing; }
        unshare --mount --propagation private true 2>/dev/null ||
            { skip "mounts by an ordinary user" "no mount namespaces here"; done_testing; }
        IN_NAMESPACE=1 FUSE_NODE=$T/fuse unshare --mount --propagation private "$BASH" "$ROOT/tests/cli/mount_user.sh"
        exit
    fi
    mount --bind "$FUSE_NODE" /dev/fuse || { fail "a /dev/fuse for users"; done_testing; }
    cp "$ROMSIM" "$T/romsim"
    ROMSIM=$T/romsim
    chmod 755 "$T"
    chown -R nobody "$T"
    as_user() { setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "$@"; }
else
    need fuse "mounts by an ordinary user" || done_testing
    as_user() { "$@"; }
fi
need fusermount3 "mounts by an ordinary user" || done_testing
romsim() { as_user "$ROMSIM" "$@"; }
mounted() { awk -v t="$T/view" '$5 == t { n++ } END { print n + 0 }' /proc/self/mountinfo; }
states() { find "$XDG_RUNTIME_DIR"/romsim/mounts -mindepth 1 -maxdepth 1 2>/dev/null; }

as_user mkdir -p base/etc view
as_user sh -c 'umask 077; echo private >base/etc/key; umask 022; echo open >base/etc/file'
fake_program base/bin/app
cat >web.yaml <<'END'
name: web
image: ./base
args: [/bin/app]
roms: [{name: a, files: [{path: f, data: "rom\n"}], at: /rom}]
END

ok "a user mounts" romsim mount web.yaml view
is "$(as_user cat view/rom/f view/etc/file)" "$(printf 'rom\nopen')" "and reads"
is "$(as_user cat view/etc/key)" private "a private file of the image, too, which is root's there"
is "$(as_user stat -c '%U %a' view/etc/key)" "root 600" "and shown as such"
ok "devices can be read" as_user cmp view/dev/ukp_rom1 view/dev/ukp_rom_a
options=,$(findmnt -nro OPTIONS "$T/view"),
for option in ro nosuid nodev; do like "$options" ",$option," "it is $option"; done
if [ "$(id -u)" = 0 ]; then
    fails 1 "others cannot look, root neither" cat view/etc/file
    like "$out" "Permission denied" "as the kernel says"
fi
fails 1 "a second mount in the same directory is refused" romsim mount web.yaml view
ok "the user unmounts" romsim umount view
is "$(mounted)$(states)" 0 "completely"

romsim mount web.yaml view
pid=$(jq -r .owner.pid "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json)
kill_server "$pid"
is "$(mounted)" 1 "a killed server leaves its mount"
ok "the next command" romsim check web.yaml
is "$(mounted)$(states)" 0 "removes it"

romsim mount web.yaml view
pid=$(jq -r .owner.pid "$XDG_RUNTIME_DIR"/romsim/mounts/*/state.json)
mkfifo words
as_user sh -c 'exec 8<view/etc/file; echo $$; exec sleep 1000' >words 2>/dev/null &
disown
read -r holder <words
ok "a mount that is in use is unmounted" romsim umount view
like "$out" "is in use" "with a note"
is "$(mounted)" 0 "and gone from the directory"
kill "$holder" 2>/dev/null
await_end 20 "$pid"
is "$(states)" "" "its server ends with the last user"

if [ "$(id -u)" = 0 ] && ! grep -qs '^user_allow_other' /etc/fuse.conf; then
    fails 1 "--allow-other needs the administrator's leave" romsim mount --allow-other web.yaml view
    like "$out" "user_allow_other" "the error says which"
fi
as_user mkdir locked
as_user chmod 500 locked
fails 1 "a directory that the user cannot write is refused" romsim mount web.yaml locked
like "$out" "fusermount3: " "by fusermount3, in its words"
is "$(mounted)$(states)" 0 "and nothing is left"

# ---- where a set-uid program gets no rights
if command -v setpriv >/dev/null; then
    romsim_bound() { as_user setpriv --no-new-privs "$ROMSIM" "$@"; }
    like "$(romsim_bound doctor)" "less     fuse         nothing that is started here may mount" "doctor knows NoNewPrivileges"
    fails 1 "a mount" romsim_bound mount web.yaml view
    like "$out" "nothing that is started here may mount" "says so, too"
fi

# ---- Ubuntu's AppArmor, by what fusermount3 and buildah say there
as_user mkdir refusing
as_user tee refusing/fusermount3 refusing/buildah >/dev/null <<'END'
#!/bin/sh
case $0 in
*fusermount3) echo "fusermount3: mount failed: Permission denied" >&2 ;;
*) echo 'error parsing PID "": strconv.Atoi' >&2
    echo "(Unable to determine exit status): unable to start in a user namespace" >&2 ;;
esac
exit 1
END
as_user chmod 755 refusing/fusermount3 refusing/buildah
refused() { PATH=$T/refusing:$PATH romsim "$@"; }
fails 1 "a mount that AppArmor refuses" refused mount web.yaml view
like "$out" "fusermount3: mount failed: Permission denied" "is an error with fusermount3's words"
like "$out" "AppArmor may refuse the place" "and says who it may have been"
is "$(mounted)$(states)" 0 "and nothing is left"
user=$(as_user id -un)
if [ "$(id -u)" = 0 ] && [ -e /etc/subuid ]; then
    echo "$user:100000:65536" >subuid
    mount --bind subuid /etc/subuid
fi
if grep -qs "^$user:" /etc/subuid; then
    said=$(refused doctor | grep -A 1 ' subuids ')
    like "$said" "less     subuids      buildah cannot build a Dockerfile without root" \
        "doctor says what buildah cannot do"
    like "$said" ": (Unable to determine" "and what it said last"
    like "$said" "kernel.apparmor_restrict_unprivileged_userns" "and what forbids it"
else
    skip "doctor says what buildah cannot do" "the user has no range in /etc/subuid"
fi
done_testing
