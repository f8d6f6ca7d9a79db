#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# image_config.sh: what an image's config says of its app, as `plan` shows it.
. "$(dirname "$0")/../lib.sh"

plan() { romsim plan "$@"; }

mkdir -p root/bin
fake_program root/bin/app

# ---- variables that stand there twice -----------------------------------------------------------
docker_archive twice.tar root '{"Cmd":["/bin/app"],"Env":["A=1","PATH=/a","B=b","A=2","PATH=/b","A=3"]}'
cat >twice.yaml <<END
name: twice
image: docker-archive:twice.tar
END
is "$(plan twice.yaml | grep -c ' A=')" 1 "a variable that the image has three times is there once"
like "$(plan twice.yaml)" "A=3" "with its last value"
like "$(plan twice.yaml)" "PATH=/b" "and so is PATH"
echo "env: {A: 4}" >>twice.yaml
is "$(plan twice.yaml | grep -o 'A=.')" "A=4" "the instance's comes later"

# ---- the directory that the app starts in -------------------------------------------------------
mkdir -p root/srv root/data rom/inside
echo x >root/file
ln -s srv root/link
ln -s nowhere root/dangling
echo rom >rom/mark && echo x >rom/inside/file
directory() { # WORKINGDIR: what plan says of it
    docker_archive dir.tar root '{"Cmd":["/bin/app"],"WorkingDir":"'"$1"'"}'
    out=$(romsim plan --json dir.yaml 2>warnings | jq -r '[.working_dir, .working_dir_is_made] | join(" ")')
}
cat >dir.yaml <<END
name: dir
image: docker-archive:dir.tar
roms: [{dir: rom, at: /rom}]
END
for case in "/ false" "/srv false" "/link false" "/app true" "/app/deep true" "/srv/app true" \
    "/link/app true" "/rom false" "/rom/inside false" "/tmp/../srv false" "relative true"; do
    directory "${case% *}"
    is "$out" "$case" "${case% *}: is it made? ${case#* }"
    is "$(cat warnings)" "" "... with no warning"
done
directory ""
is "$out" "/ false" "none is the root"
directory /srv/app
like "$(plan dir.yaml)" "/srv/app  (made: the image does not have it)" "the plan says what is made"
directory /srv
unlike "$(plan dir.yaml)" "(made" "and nothing of what is there"
for case in "/file 'file' is there, and not a directory" "/file/x 'file' is there, and not a directory" \
    "/dangling a symbolic link on the way leads nowhere" "/rom/new there is no 'new' in the ROM, which is read-only" \
    "/etc/hostname 'hostname' is a file that the platform writes"; do
    directory "${case%% *}"
    like "$(cat warnings)" "dir.yaml:2:8: warning: the app cannot be started in its directory '${case%% *}': ${case#* }" \
        "${case%% *} cannot be, which is said"
done
if need fuse "a directory that is made is in the view"; then
    directory /srv/new/dir
    mkdir view
    ok "the view" romsim mount dir.yaml view
    is "$(stat -c '%F %a %u:%g' view/srv/new/dir 2>&1)" "directory 755 0:0" "a directory that is made is in the view"
    is "$(cat view/rom/mark)" rom "beside all else"
    romsim umount view
    directory /file
    ok "one that cannot be does not stop a look" romsim mount dir.yaml view
    is "$(cat view/file)" x "which shows what is there"
    romsim umount view
fi

done_testing
