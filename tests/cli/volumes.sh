#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# volumes.sh: `romsim volume`, and volumes in plan, check, request and mount.
. "$(dirname "$0")/../lib.sh"
PATH=$PATH:/usr/sbin:/sbin
store=$XDG_DATA_HOME/romsim/volumes

# ---- create, ls, rm -------------------------------------------------------------------------------
ok "there is no volume at first" romsim volume ls
like "$out" "NAME" "and the table says so"
is "$(romsim volume ls --json | jq -c .)" "[]" "in JSON, too"
ok "a volume is made" romsim volume create data --size 1G
is "$out" "" "silently"
ok "and another" romsim volume create small -s 16
is "$(romsim volume ls --json | jq -c '[.[] | [.name, .size_mb, .state, .persistent, .attached_to]]')" \
    '[["data",1024,"available",true,[]],["small",16,"available",true,[]]]' "they are listed by name"
is "$(romsim volume ls --json | jq '.[0].used_bytes < 16000000')" true "a new one is sparse"
is "$(romsim volume ls | awk '{ print $1 }' | tr '\n' ' ')" "NAME data small " "as a table"
ok "its image is a sound ext4" e2fsck -fn "$store/ready/data/image"
like "$(dumpe2fs -h "$store/ready/small/image" 2>/dev/null)" "has_journal" "with a journal"
is "$(stat -c %a "$store/ready/data" "$store/ready/data/image" | tr '\n' ' ')" "700 600 " \
    "nobody else sees it"
fails 1 "a name is given once" romsim volume create data --size 1G
like "$out" "A volume with the name 'data' already exists" "as the message says"
fails 1 "a path is no name" romsim volume create ../data --size 1G
like "$out" "Invalid volume name '../data'" "which is said"
fails 1 "a name does not begin with a dash" romsim volume create --size 1G -- -data
like "$out" "0-9 . _ -, and no - in front" "which is said, too"
fails 2 "a volume has a size" romsim volume create x
fails 2 "one that is a size" romsim volume create x --size large
fails 1 "of some megabytes" romsim volume create x --size 1M
like "$out" "from 8 MB to 1048576" "and not of too many"
ok "one that is not needed any more is removed" romsim volume rm small
fails 1 "it is not there then" romsim volume rm small
like "$out" "No volume with name 'small'" "and that is said"
echo '{"uuid": 7}' >"$store/ready/data/volume.json"
fails 1 "a damaged record is told of" romsim volume ls
like "$out" "the volume 'data' is damaged" "by its name"
ok "and can be removed" romsim volume rm data
is "$(find "$store" -mindepth 2 | wc -l)" 0 "nothing is left"
ok "mke2fs is found where an ordinary user's PATH does not lead" \
    env PATH=/usr/bin:/bin "$ROMSIM" volume create x --size 8
romsim volume rm x

# ---- import ---------------------------------------------------------------------------------------
mkdir -p dir/sub
echo content >dir/sub/file
echo secret >secret
ln -s ../secret dir/link
head -c 40M /dev/zero | tr '\0' x >dir/large
for i in $(seq 1 3000); do : >"dir/sub/empty$i"; done
ok "a directory becomes a volume" romsim volume import dir full
ok "as large as it has to be" e2fsck -fn "$store/ready/full/image"
is "$(debugfs -R 'cat /sub/file' "$store/ready/full/image" 2>/dev/null)" content "with its files"
like "$(debugfs -R 'stat /link' "$store/ready/full/image" 2>/dev/null)" "Type: symlink" \
    "a link stays one and is not followed"
ok "a size may be given" romsim volume import dir larger --size 1G
is "$(romsim volume ls --json | jq '.[1].size_mb')" 1024 "and is taken"
fails 1 "what does not fit is refused" romsim volume import dir tight --size 16
like "$out" "mke2fs cannot make the volume" "with mke2fs's own words"
truncate -s 20M image.ext4
mke2fs -q -t ext4 -d dir/sub image.ext4
ok "an image becomes a volume" romsim volume import image.ext4 copy
cmp image.ext4 "$store/ready/copy/image" && pass "byte for byte" || fail "byte for byte"
fails 1 "an image keeps its size" romsim volume import image.ext4 other --size 1G
head -c 4M /dev/urandom >random
fails 1 "what is no ext4 is refused" romsim volume import random other
like "$out" "'random' is no ext4 image" "and that is said"
head -c 10M image.ext4 >short.ext4
fails 1 "so is an image that was cut" romsim volume import short.ext4 other
like "$out" "is cut short" "and that is said"
mkfifo fifo
fails 1 "a fifo is not waited for" timeout 20 "$ROMSIM" volume import fifo other
fails 1 "nor is what is not there" romsim volume import nothing other
is "$(romsim volume ls --json | jq -r '[.[].name] | join(" ")')" "copy full larger" \
    "of all these nothing is left"
is "$(ls "$store/new" | wc -l)" 0 "not even a draft"
romsim volume rm larger

# ---- in an instance -------------------------------------------------------------------------------
fake_program base/bin/app
mkdir -p base/var/lib/app base/etc/full/x
cat >web.yaml <<'END'
name: web
image: ./base
args: [/bin/app, --data=/var/lib/app/db]
roms:
  - {name: config, files: [{path: a, data: a}], at: /var/lib/app/etc}
volumes:
  - {name: copy, at: /var/lib/app}
  - {name: full, at: /srv/read, readonly: true}
  - {size_mb: 64, at: /scratch}
END
ok "plan shows volumes" romsim plan web.yaml
like "$out" "ext4    20.0 MiB      -  -             volume copy" "as devices"
like "$out" "/dev/ukp_vol0 -> /var/lib/app      ext4, read-write" "as mounts"
like "$out" "/dev/ukp_vol1 -> /srv/read         ext4, read-only" "which may be for reading only"
like "$out" "a new volume" "and new ones"
is "$(romsim plan --json web.yaml | jq -c '[.mounts[] | [.device, .at, .type, .read_only]]')" \
    '[["/dev/ukp_vol0","/var/lib/app","ext4",false],["/dev/ukp_rom1","/var/lib/app/etc","erofs",true],["/dev/ukp_vol1","/srv/read","ext4",true],["/dev/ukp_vol2","/scratch","ext4",false]]' \
    "a ROM in a volume is mounted after it"
is "$(romsim plan --json web.yaml | jq -c '[.volumes[] | [.volume, .role, .read_only, .size, .new]]')" \
    '[["copy","volume",false,20971520,false],["full","volume",true,'"$(stat -c %s "$store/ready/full/image")"',false],[null,"volume",false,67108864,true]]' \
    "the volumes as JSON"
is "$(romsim request web.yaml 2>/dev/null | jq -c .volumes)" \
    '[{"name":"copy","at":"/var/lib/app"},{"name":"full","at":"/srv/read","readonly":true},{"size_mb":64,"at":"/scratch"}]' \
    "the request has them as they came"
is "$(romsim volume ls | wc -l)" 3 "to plan makes none"
uuid=$(romsim volume ls --json | jq -r '.[0].uuid')
sed "s/name: copy/uuid: $uuid/" web.yaml >uuid.yaml
is "$(romsim plan --json uuid.yaml | jq -r '.volumes[0].volume')" copy "a uuid finds a volume, too"

sed 's/name: full/name: lost/' web.yaml >lost.yaml
fails 1 "a volume that is not there is an error" romsim plan lost.yaml
like "$out" "lost.yaml:8:12: error: No volume with name 'lost'" "at its place"
like "$out" "romsim volume create lost --size 1G" "with the way out"
ok "the cloud may have it" romsim check lost.yaml
fails 1 "but not with --local" romsim check --local lost.yaml
sed 's/size_mb: 64/name: copy, size_mb: 64/; s/name: copy, at/name: full, at/; s/name: full, at: .srv/name: other, at: \/srv/' \
    web.yaml >made.yaml
romsim volume create other --size 8
fails 1 "one that is to be made must not be there" romsim plan made.yaml
like "$out" "A volume with the name 'copy' already exists" "which is said"
sed 's|at: /scratch|at: /etc/full|' web.yaml >over.yaml
fails 1 "a volume is not mounted over files" romsim plan over.yaml
like "$out" "there is 'x' in the directory" "one of which is named"
like "$out" "an empty or a new directory" "with what would be right"

if need fuse "volumes in the view"; then
    mkdir view
    ok "the view is mounted without them" romsim mount web.yaml view
    like "$out" "the volume at '/var/lib/app' is not shown" "and says so"
    is "$(ls view/var/lib/app)" etc "the directory has only the ROM in it"
    is "$(cat view/var/lib/app/etc/a)" a "which is shown"
    is "$(ls view/dev | tr '\n' ' ')" "ukp_rom0 ukp_rom1 ukp_rom_config " "dev/ has the images"
    romsim umount view
fi

fails 2 "a volume of a flag has a place" romsim run --image ./base -v copy
like "$out" "NAME:PATH" "as the hint says"
fails 2 "and is no directory" romsim run --image ./base -v ./dir:/data
like "$out" "romsim volume import PATH NAME" "whose way is another"
fails 125 "one of a flag is looked for, too" romsim run --image ./base -v nothing:/data:ro
like "$out" "error: --volume: No volume with name 'nothing'" "and the flag is named"
done_testing
