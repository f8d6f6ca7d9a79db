#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_page.sh: the page of `romsim serve`, as its server sees it: its files and their headers, the
# stream of events, and looking into an instance's images, whatever is in them.  tests/clients/page.sh
# has a browser.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need jq "the page" || done_testing
need curl "the page" || done_testing

page=$ROOT/sim/api/page
header() { tr -d '\r' <"$T/api.headers" | sed -n "s/^$1: //Ip"; }

# A guest that is never started.
mkdir guest && : >guest/vmlinux >guest/initrd && echo "release 6.1.0" >guest/info
export ROMSIM_GUEST=$T/guest
fake_program base/bin/app

serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
secret=$token

# ---- the files ----------------------------------------------------------------------------------
token=
for file in index.html style.css script.js icon.svg; do
    path=/page/$file type=
    case $file in
    index.html) path=/ type="text/html; charset=utf-8" ;;
    style.css) type="text/css; charset=utf-8" ;;
    script.js) type="text/javascript; charset=utf-8" ;;
    icon.svg) type=image/svg+xml ;;
    esac
    api GET $path "" -H 'Accept: text/html'
    is "$http $(header content-type)" "200 $type" "$path is there for who has no token"
    ok "as it is in the source" cmp "$T/api.out" "$page/$file"
    is "$(header content-security-policy)" "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'" \
        "with a policy that lets nothing run but the page's own script"
    is "$(header x-content-type-options), $(header referrer-policy), $(header cache-control)" \
        "nosniff, no-referrer, no-cache" "and what else browsers should know"
done
api GET /page/../page/script.js "" -H 'Accept: text/html'
is "$http" 401 "and no other way to its files"
api GET /
is "$http" 401 "who reads no pages is asked for the token, as the cloud does"

# ---- what its script may do ---------------------------------------------------------------------
found=$(grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write|[^a-zA-Z]eval\(|new Function|srcdoc|setTimeout\(.[a-z]*["'\'']|javascript:' \
    "$page/script.js")
is "$found" "" "no line of the script makes markup or code of a string"
found=$(grep -nEi ' on[a-z]+=| style=|<style|<script>' "$page/index.html")
is "$found" "" "nothing stands in the page that the policy forbids"
found=$(grep -noE '(https?:)?//[a-zA-Z0-9.-]+\.[a-z]+[^ "'\'']*' "$page"/* | grep -v 'http://www.w3.org/2000/svg')
is "$found" "" "and no address of another machine"

# ---- who may ask --------------------------------------------------------------------------------
token=$secret
api POST / "{}"
is "$http" 405 "nothing can be sent to the page"
romsim create --image ./base --name first --args /bin/app >said 2>&1 || fail "an instance is made" "$(cat said)"
uuid=$(romsim get first -o json | jq -r .uuid)
at=/romsim/instances/$uuid
token=
refused=()
for path in /romsim/events $at/console $at/plan $at/images/ukp_rom0 $at/images/ukp_rom0/list \
    $at/images/ukp_rom0/file; do
    api GET "$path" "" -H 'Accept: text/html'
    [ "$http" = 401 ] || refused+=("$path: $http")
done
is "${refused[*]-}" "" "what the page asks for needs the token"
token=$secret
api GET $at/plan "" -H 'Origin: http://evil.example'
is "$http" 403 "and is not for other pages"
api GET /romsim/instances/00000000-0000-4000-8000-000000000000/plan
is "$http $(field '.errors[0].error')" "404 8" "an instance that is not there is none"
api GET /romsim/instances/first/plan
is "$http" 404 "a name is no UUID"

# ---- events -------------------------------------------------------------------------------------
# events FILE PATH: follows a stream into a file, as long as the test likes.
events() {
    curl -sN --noproxy '*' -H "Authorization: Bearer $token" -D "$1.headers" "$url$2" >"$1" &
    follower=$!
}
# until_has FILE TEXT
until_has() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        grep -qF "$2" "$1" && return 0
        sleep 0.05
    done
    return 1
}
events seen /romsim/events
ok "the stream says when it has told all" until_has seen "event: all"
is "$(tr -d '\r' <seen.headers | sed -n 's/^content-type: //Ip')" text/event-stream "as server-sent events"
is "$(sed -n '1p' seen)" "event: instance" "before that each instance"
is "$(sed -n '2s/^data: //p' seen | jq -r '"\(.name) \(.uuid) \(.state)"')" "first $uuid stopped" \
    "with what GET shows of it, in one line"
is "$(sed -n '3p' seen)" "" "and an empty line"
romsim create --image ./base --name second --args /bin/app >said 2>&1
ok "one that is made is told" until_has seen '"second"'
romsim rm second >said 2>&1
ok "and one that goes" until_has seen "event: gone"
is "$(sed -n '/^event: gone/{n;s/^data: //p;}' seen)" '{"name":"second"}' "by its name"
kill $follower && wait $follower 2>/dev/null

events console "$at/console?offset=0"
ok "a console's stream begins" until_has console "event: begin"
ok "and says when it has caught up" until_has console "event: live"
romsim rm first >said 2>&1
wait $follower # not in the subshell of ok, which is not its parent
is $? 0 "it ends with the instance"
is "$(tail -3 console | head -1)" "event: end" "and says so"
api GET "$at/console"
is "$http" 404 "of which there is none then"

# ---- the plan -----------------------------------------------------------------------------------
mkdir rom && echo "some text" >rom/text.txt
cat >instance.yaml <<'END'
name: planned
image: ./base
args: [/bin/app]
roms:
  - {name: one, at: /deep/er, dir: rom}
  - {name: two, at: /deep, dir: rom}
  - {name: three, dir: rom}
END
romsim create instance.yaml >said 2>&1 || fail "an instance with ROMs is made" "$(cat said)"
uuid=$(romsim get planned -o json | jq -r .uuid)
at=/romsim/instances/$uuid
api GET $at/plan
is "$(field '.data | del(.. | .sha256?) | tojson')" \
    "$(romsim plan --json instance.yaml 2>/dev/null | jq -c 'del(.. | .sha256?)')" \
    "the plan is that of 'romsim plan --json', without the digests"
is "$(field '[.data.mounts[].at] | join(" ")')" "/deep /deep/er" "with the mounts in their order"
api GET $at/images/ukp_rom1
is "$(field .data.sha256)" "$(romsim plan --json instance.yaml 2>/dev/null | jq -r '.roms[0].sha256')" \
    "an image's digest is told when it is asked for"
is "$(field '.data.erofs.inodes')" 2 "and what is in its superblock"
api GET $at/images/ukp_rom_two/list
is "$(field '[.data.entries[].name] | join(" ")')" text.txt "a device has its other name, too"
api GET "$at/images/ukp_rom1/file?path=/text.txt"
is "$out" "some text" "a file can be read"
is "$(header content-type), $(header content-disposition), $(header romsim-size)" \
    "application/octet-stream, attachment, 10" "as bytes that no browser takes for a page"
for device in ukp_rom9 ukp_vol0 .. '%00' 'ukp_rom1%2f' ''; do
    api GET "$at/images/$device/list"
    is "$http" 404 "'$device' is no device of it"
done
romsim rm planned >said 2>&1

# ---- names that are no text, and files that are none --------------------------------------------
mkdir hostile
i=0
for name in '<img src=x onerror=alert(1)>' $'two\nlines' $'\xff\xfe bytes' '%41 %2e%2e' ' blanks ' \
    $'\u202egnp.exe' $'\e[31mred' '"quotes"' "it's" '&amp;' 'a#b?c' '\x41' "$(printf 'l%.0s' {1..255})"; do
    i=$((i + 1))
    printf 'file %d' $i >"hostile/$name"
done
ln -s /etc/passwd hostile/out
ln -s ../../../../../../etc/passwd hostile/up
ln -s loop hostile/loop
ln -s text hostile/link
echo linked >hostile/text
mkdir hostile/dir && ln -s dir hostile/to-dir && echo inner >hostile/dir/inner
mkfifo hostile/fifo 2>/dev/null
romsim rom pack hostile -o hostile.erofs >said 2>&1 || fail "the image is packed" "$(cat said)"
cat >hostile.yaml <<'END'
name: hostile
image: ./base
args: [/bin/app]
roms: [{name: x, image: ./hostile.erofs}]
END
romsim create hostile.yaml >said 2>&1 || fail "an instance with it is made" "$(cat said)"
at=/romsim/instances/$(romsim get hostile -o json | jq -r .uuid)/images/ukp_rom1
escape() { jq -rn --arg text "$1" '$text | @uri'; }
# read_file RAW-PATH: the file, as the page asks for it.
read_file() { api GET "$at/file?path=$(escape "$1")"; }

api GET "$at/list"
cp "$T/api.out" list.json
ok "the list is JSON whatever is in it" jq -e . list.json
is "$(LC_ALL=C grep -c $'[\x01-\x09\x0b-\x1f\x7f]' list.json)" 0 "without a control"
unlike "$(cat list.json)" $'\u202e' "nor what turns text around"
is "$(jq -r '[.data.entries[] | select(.type == "file")] | length' list.json)" 14 "all files are there"
wrong=() contents=()
while read -r raw; do
    read_file "/$raw"
    [ "$http" = 200 ] || wrong+=("$raw: $http")
    contents+=("$out")
done < <(jq -r '.data.entries[] | select(.type == "file") | .raw' list.json)
is "${wrong[*]-}" "" "each can be asked for by the name that the list has for it"
is "$(printf '%s\n' "${contents[@]}" | sort -V | tr '\n' ,)" \
    "file 1,file 2,file 3,file 4,file 5,file 6,file 7,file 8,file 9,file 10,file 11,file 12,file 13,linked," \
    "and is what was packed"
is "$(jq -r '.data.entries[] | select(.name == "up") | .target' list.json)" \
    ../../../../../../etc/passwd "a link says where it leads"
for path in /out /up /../../../etc/passwd /dir/../../etc/passwd; do
    read_file $path
    is "$http" 404 "$path leads to nothing outside of the image"
done
read_file /loop
is "$http" 400 "a link to itself leads nowhere"
read_file /link
is "$out" linked "one inside of the image to its file"
read_file /to-dir/inner
is "$out" inner "also on the way"
read_file /dir
is "$http" 400 "a directory is no file"
read_file /text/
is "$http" 400 "a file is no directory"
api GET "$at/list?path=/to-dir"
is "$(field '.data.entries[0].name')" inner "a link to a directory can be listed"
api GET "$at/list?path=/text"
is "$http" 400 "a file cannot"
for path in '/%2500' '/%25zz' '/%25' '/%254' "/$(printf 'x%.0s' {1..300})" \
    "$(printf '/d%.0s' {1..6000})"; do
    api GET "$at/file?path=$path"
    case $http in 400 | 404 | 414 | 431) ;; *) fail "a path that cannot be: ${path:0:40}" "$http" ;; esac
done
pass "paths that cannot be are refused"
api GET "$at/file?path=/text&offset=2&size=3"
is "$out" nke "a part of a file"
api GET "$at/file?path=/text&offset=7"
is "$http $(stat -c %s "$T/api.out")" "200 0" "nothing is behind its end"
api GET "$at/file?path=/text&offset=9223372036854775807&size=1048576"
is "$http $(stat -c %s "$T/api.out")" "200 0" "however far"
refused=()
for query in offset=-1 offset=x offset= size=0 size=-1 size=1048577 size=99999999999999999999; do
    api GET "$at/file?path=/text&$query"
    [ "$http" = 400 ] || refused+=("$query: $http")
done
is "${refused[*]-}" "" "numbers that cannot be are refused"
api GET "$at/file?offset=1024&size=4"
is "$(od -An -tx1 "$T/api.out")" " e2 e1 f5 e0" "without a path it is the image itself"
romsim rm hostile >said 2>&1

# ---- images that are no images, or damaged ------------------------------------------------------
printf 'no image at all' >raw.bin
truncate -s 8192 raw.bin
mkdir many && (cd many && seq -f 'f%05g' 1200 | xargs touch)
romsim rom pack many -o many.erofs >said 2>&1
python3 "$DATA/crafted.py" broken 700 >broken.erofs
head -c 4096 many.erofs >cut.erofs
cat >odd.yaml <<'END'
name: odd
image: ./base
args: [/bin/app]
roms:
  - {name: raw, image: ./raw.bin}
  - {name: many, image: ./many.erofs}
  - {name: broken, image: ./broken.erofs}
  - {name: cut, image: ./cut.erofs}
END
romsim create odd.yaml >said 2>&1 || fail "an instance with odd images is made" "$(cat said)"
at=/romsim/instances/$(romsim get odd -o json | jq -r .uuid)/images
api GET "$at/ukp_rom_raw"
is "$http $(field .data.format) $(field .data.sha256)" "200 raw $(sha256sum <raw.bin | cut -d' ' -f1)" \
    "what is no image has a digest"
api GET "$at/ukp_rom_raw/list"
is "$http $(field '.errors[0].error')" "501 1" "and no files"
api GET "$at/ukp_rom_raw/file?size=15"
is "$out" "no image at all" "but bytes"
cursor=0 pages=0 names=()
while [ -n "$cursor" ] && [ $pages -lt 10 ]; do
    api GET "$at/ukp_rom_many/list?cursor=$cursor"
    mapfile -t -O ${#names[@]} names < <(field '.data.entries[].name')
    cursor=$(field .data.next)
    pages=$((pages + 1))
done
is "$(printf '%s\n' "${names[@]}" | sha256sum)" "$(seq -f 'f%05g' 1200 | sha256sum)" \
    "a long directory comes in pages, each name once"
is "$pages" 3 "of a bounded size"
api GET "$at/ukp_rom_many/list?cursor=123456789012"
is "$http $(field '.data.entries | length')" "200 0" "any cursor is safe"
path=
for ((i = 0; i < 40; i++)); do
    api GET "$at/ukp_rom_broken/list?path=$path"
    [ "$(field '.data.entries[0].type')" = directory ] || break
    path=$path/$(field '.data.entries[0].raw')
done
is "$http" 200 "a path as deep as one likes"
api GET "$at/ukp_rom_cut"
like "$http $(field .data.problem)" "200 " "a cut image says what is wrong with it"
api GET "$at/ukp_rom_cut/list"
case $http in 200 | 501) pass "and its list what can be said of it" ;;
*) fail "a cut image's list" "$http $out" ;; esac
kill -0 "$server"
is $? 0 "the server is there at the end"
romsim rm --all >said 2>&1
serve_end
is "$status" 0 "and ends well"
is "$(cat serve.err)" "" "with nothing to say"
done_testing
