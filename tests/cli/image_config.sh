#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# image_config.sh: what an image's config says of its app, as `plan` shows it.
. "$(dirname "$0")/../lib.sh"

# image NAME CONFIG: what `docker save` would write of the folder root/.
image() {
    tar -C root -cf layer.tar .
    printf '{"architecture":"amd64","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$2" "$(sha256sum <layer.tar | cut -c1-64)" >config.json
    echo '[{"Config":"config.json","RepoTags":["x:y"],"Layers":["layer.tar"]}]' >manifest.json
    tar -cf "$1" manifest.json config.json layer.tar
}
plan() { romsim plan "$@"; }

mkdir -p root/bin
echo '#!/bin/sh' >root/bin/app
chmod 755 root/bin/app

# ---- variables that stand there twice -----------------------------------------------------------
image twice.tar '{"Cmd":["/bin/app"],"Env":["A=1","PATH=/a","B=b","A=2","PATH=/b","A=3"]}'
cat >twice.yaml <<END
name: twice
image: docker-archive:twice.tar
END
is "$(plan twice.yaml | grep -c ' A=')" 1 "a variable that the image has three times is there once"
like "$(plan twice.yaml)" "A=3" "with its last value"
like "$(plan twice.yaml)" "PATH=/b" "and so is PATH"
echo "env: {A: 4}" >>twice.yaml
is "$(plan twice.yaml | grep -o 'A=.')" "A=4" "the instance's comes later"

done_testing
