#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# registry.sh: the registry of `romsim serve` (OCI distribution-spec 1.1): what skopeo and buildah
# push and pull, each request by hand, what is hostile, and the gc that runs meanwhile.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
. "$ROOT/tests/tracing.sh"
need jq "the registry" || done_testing
need curl "the registry" || done_testing
need python3 "the registry" || done_testing
export no_proxy='*'

store=$XDG_DATA_HOME/romsim/oci
sha() { printf 'sha256:%s' "$(sha256sum "$1" | cut -d' ' -f1)"; }

# v2 METHOD PATH [CURL-OPTIONS...]: asks the registry: $http, $out; headers by `header NAME`.
v2() {
    http=$(curl -sS -g --noproxy '*' --max-time 120 --path-as-is -X "$1" -o "$T/v2.out" \
        -D "$T/v2.headers" -w '%{http_code}' -u "anyone:$token" "${@:3}" "$url/v2/$2") || true
    out=$(tr -d '\0' <"$T/v2.out" 2>/dev/null)
}
head_() { v2 HEAD "$1" --head "${@:2}"; sent=$(sed '1,/^\r*$/d' "$T/v2.out" | wc -c); }
header() { tr -d '\r' <"$T/v2.headers" | sed -n "s/^$1: *//Ip" | tail -1; }
code() { printf '%s' "$out" | jq -r '.errors[0].code // empty' 2>/dev/null; }
answers() { is "$http $(code)" "$1" "$2"; }
location() { local at; at=$(header Location); printf '%s' "${at#/v2/}"; }

# put_blob FILE [REPOSITORY]: in one request.
put_blob() { v2 POST "${2:-org/app}/blobs/uploads/?digest=$(sha "$1")" -H 'Content-Type: application/octet-stream' --data-binary "@$1"; }
# put_manifest FILE NAME REFERENCE [TYPE]
put_manifest() { v2 PUT "$2/manifests/$3" -H "Content-Type: ${4:-$MANIFEST}" --data-binary "@$1"; }
MANIFEST=application/vnd.oci.image.manifest.v1+json
INDEX=application/vnd.oci.image.index.v1+json
TAR=application/vnd.oci.image.layer.v1.tar
ROM=application/vnd.unikraft.rom.v1
# describe TYPE FILE: a descriptor.
describe() { printf '{"mediaType":"%s","digest":"%s","size":%s}' "$1" "$(sha "$2")" "$(stat -c %s "$2")"; }
# manifest TYPE LAYER CONFIG: a manifest.
manifest() {
    printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' "$MANIFEST" \
        "$(describe application/vnd.oci.image.config.v1+json "$3")" "$(describe "$1" "$2")"
}
# config LAYER: a config that fits it.
config() {
    printf '{"os":"linux","architecture":"amd64","config":{"Cmd":["/bin/sh","-c","echo"]},"rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(sha "$1")"
}

mkdir -p base/bin rom
fake_program base/bin/sh
echo "from the ROM" >rom/file
tar -C base --owner=0 --group=0 --mtime=@0 --sort=name -cf layer.tar .
romsim rom pack rom -o rom.erofs >/dev/null
config layer.tar >config
manifest $TAR layer.tar config >manifest
printf '{"os":"kraftcloud","architecture":"x86_64","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(sha rom.erofs)" >rom.config
manifest $ROM rom.erofs rom.config >rom.manifest
# make_layout FOLDER TAG MANIFEST BLOB...
make_layout() {
    local folder=$1 tag=$2 file
    mkdir -p "$folder/blobs/sha256"
    printf '{"schemaVersion":2,"manifests":[%s]}' \
        "$(describe $MANIFEST "$3" | jq -c --arg tag "$tag" '.annotations = {"org.opencontainers.image.ref.name": $tag}')" >"$folder/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$folder/oci-layout"
    shift 2
    for file; do cp "$file" "$folder/blobs/sha256/$(sha256sum "$file" | cut -d' ' -f1)"; done
}
make_layout base.oci v1 manifest config layer.tar
make_layout rom.oci v1 rom.manifest rom.config rom.erofs

serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
host=${url#http://}

# ---- who may ask
v2 GET ''
is "$http $out $(header Docker-Distribution-API-Version)" "200 {} registry/2.0" "the registry is there"
v2 GET '' -u anyone:wrong
is "$http $(header WWW-Authenticate)" '401 Basic realm="romsim"' "a wrong password is none"
is "$(curl -sS --noproxy '*' -o out -D headers -w '%{http_code}' "$url/v2/") $(grep -ci '^www-authenticate: basic' headers)" "401 1" \
    "without a token a client is asked for one"
v2 GET _catalog
is "$http $out" '200 {"repositories":[]}' "nothing is there yet, and that is no error"
v2 GET org/app/tags/list
answers "404 NAME_UNKNOWN" "a repository without names"

# ---- a push by hand, in one request each
head_ "org/app/blobs/$(sha layer.tar)"
is "$http" 404 "a blob that is not there"
put_manifest manifest org/app v1
answers "400 MANIFEST_BLOB_UNKNOWN" "a manifest before its blobs"
put_blob layer.tar
is "$http $(location) $(header Docker-Content-Digest)" "201 org/app/blobs/$(sha layer.tar) $(sha layer.tar)" "a blob in one request"
head_ "org/app/blobs/$(sha layer.tar)"
is "$http $(header Content-Length) $(header Docker-Content-Digest)" "200 $(stat -c %s layer.tar) $(sha layer.tar)" "is there, with its size"
put_blob config
put_manifest manifest org/app v1
is "$http $(location) $(header Docker-Content-Digest)" "201 org/app/manifests/$(sha manifest) $(sha manifest)" "then the manifest is taken"
v2 GET org/app/manifests/v1 -H "Accept: $MANIFEST"
is "$http $(header Content-Type) $(header Docker-Content-Digest)" "200 $MANIFEST $(sha manifest)" "and given back by its tag"
cmp -s v2.out manifest && pass "byte for byte" || fail "byte for byte"
v2 GET "org/app/manifests/$(sha manifest)"
is "$http $(header Content-Type)" "200 $MANIFEST" "by its digest, too"
head_ org/app/manifests/v1
is "$http $(header Content-Length) $sent" "200 $(stat -c %s manifest) 0" "HEAD says the size and sends nothing"
v2 GET "org/app/blobs/$(sha layer.tar)"
cmp -s v2.out layer.tar && pass "a blob comes back as it was" || fail "a blob comes back as it was"
v2 GET _catalog
is "$out" '{"repositories":["org/app"]}' "the catalog"
v2 GET org/app/tags/list
is "$(jq -cS . <<<"$out")" '{"name":"org/app","tags":["v1"]}' "the tags"
is "$(romsim image ls --json | jq -r '.[].name')" org/app:v1 "romsim image ls has it"
is "$(romsim image inspect org/app:v1 --json | jq -r '.digest')" "$(sha manifest)" "with its digest"
printf 'name: x\nimage: org/app:v1\n' >x.yaml
ok "and an instance can be made of it" romsim check x.yaml
printf 'name: x\nimage: localhost:5000/org/app:v1\n' >x.yaml
ok "whatever registry it is said to be from" romsim check x.yaml

# ---- ranges
size=$(stat -c %s layer.tar)
range() {
    v2 GET "org/app/blobs/$(sha layer.tar)" -H "Range: $1"
    is "$http $(header Content-Range)" "$2" "range $1"
    cmp -s v2.out <(tail -c "+$(($3 + 1))" layer.tar | head -c "$4") && pass "has those bytes" || fail "has those bytes"
}
range bytes=0-0 "206 bytes 0-0/$size" 0 1
range bytes=100-199 "206 bytes 100-199/$size" 100 100
range bytes=512- "206 bytes 512-$((size - 1))/$size" 512 "$size"
range bytes=-7 "206 bytes $((size - 7))-$((size - 1))/$size" $((size - 7)) 7
range "bytes=0-99999999999" "206 bytes 0-$((size - 1))/$size" 0 "$size"
range "bytes=-99999999999" "206 bytes 0-$((size - 1))/$size" 0 "$size"
for odd in bytes=5-4 lines=1-2 bytes=1-2,4-5 bytes= bytes=a-b bytes=99999999999999999999999-; do
    range "$odd" "200 " 0 "$size"
done
for none in "bytes=$size-" bytes=-0; do
    v2 GET "org/app/blobs/$(sha layer.tar)" -H "Range: $none"
    is "$http $(header Content-Range)" "416 bytes */$size" "range $none: there is nothing"
done

# ---- an upload piece by piece
start() { v2 POST "${1:-org/app}/blobs/uploads/" -H 'Content-Length: 0'; upload=$(location); }
chunk() { v2 PATCH "$upload" -H 'Content-Type: application/octet-stream' -H "Content-Range: $1" --data-binary "@$2"; }
v2 HEAD "org/app/blobs/$(sha layer.tar)" --head -H "Range: bytes=0-9"
is "$http $(header Content-Length)" "200 $size" "HEAD has no ranges"
head -c 300000 /dev/urandom >big
head -c 100000 big >big.1; tail -c +100001 big | head -c 150000 >big.2; tail -c +250001 big >big.3
start
is "$http $(header Range) $(header Docker-Upload-UUID)" "202 0-0 ${upload##*/}" "an upload begins"
chunk 0-99999 big.1
is "$http $(header Range) $(location)" "202 0-99999 $upload" "a chunk"
chunk 150000-299999 big.2
is "$http $(header Range)" "416 0-99999" "one that is not the next"
chunk 0-99999 big.1
is "$http $(header Range)" "416 0-99999" "one again"
chunk 100000-249998 big.2
answers "400 SIZE_INVALID" "one of another size than it says"
for odd in x 100000 5-1 100000- -5 18446744073709551616-18446744073709551617 0-18446744073709551615; do
    chunk "$odd" big.2
    is "$http" 400 "Content-Range: $odd"
done
chunk "bytes 100000-249999/300000" big.2
is "$http $(header Range)" "202 0-249999" "the next one, in HTTP's form"
v2 GET "$upload"
is "$http $(header Range)" "204 0-249999" "how far it is"
v2 PUT "$upload?digest=$(sha big)" -H "Content-Range: 250000-299999" -H 'Content-Type: application/octet-stream' --data-binary @big.3
is "$http $(location)" "201 org/app/blobs/$(sha big)" "the last one with the digest"
v2 GET "org/app/blobs/$(sha big)"
cmp -s v2.out big && pass "and all of it is there" || fail "and all of it is there"
v2 GET "$upload"
answers "404 BLOB_UPLOAD_UNKNOWN" "the upload is over"
start
v2 PATCH "$upload" -H 'Transfer-Encoding: chunked' --data-binary @big
is "$http $(header Range)" "202 0-299999" "a stream without a size"
long=sha512:$(sha512sum big | cut -d' ' -f1)
v2 PUT "$upload?digest=$long" -H 'Content-Length: 0'
is "$http $(header Docker-Content-Digest)" "201 $long" "finished by its SHA-512"
head_ "org/app/blobs/$long"
is "$http $(header Content-Length)" "200 300000" "under which it is found"
start
v2 PUT "$upload?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" -H 'Content-Length: 0'
is "$http" 201 "a blob of no bytes"
v2 GET org/app/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
is "$http $(header Content-Length)" "200 0" "comes back as none"
start
v2 DELETE "$upload"
is "$http" 204 "an upload that is given up"
chunk 0-99999 big.1
answers "404 BLOB_UPLOAD_UNKNOWN" "takes nothing more"
v2 POST "org/other/blobs/uploads/?mount=$(sha big)&from=org/app" -H 'Content-Length: 0'
is "$http $(location)" "201 org/other/blobs/$(sha big)" "a blob is mounted from another repository"
v2 POST "org/other/blobs/uploads/?mount=sha256:$(printf '0%.0s' {1..64})&from=org/app" -H 'Content-Length: 0'
is "$http" 202 "what is not there begins an upload instead"
v2 DELETE "$(location)"

# ---- digests that lie
touch before
head -c 1000 big >some
v2 POST "org/app/blobs/uploads/?digest=$(sha big)" --data-binary @some
answers "400 DIGEST_INVALID" "another digest than the bytes have"
v2 GET "org/app/blobs/$(sha some)"
is "$http" 404 "and nothing is kept"
start
chunk 0-999 some
v2 PUT "$upload?digest=$(sha big)" -H 'Content-Length: 0'
answers "400 DIGEST_INVALID" "the same at the end of an upload"
v2 GET "$upload"
is "$http" 404 "which is over then"
for odd in "" sha256: sha256:abc "sha256:../../../../../../etc/passwd" md5:d41d8cd98f00b204e9800998ecf8427e \
    "sha256:$(printf 'A%.0s' {1..64})" "sha256:%2e%2e%2f$(printf '0%.0s' {1..61})"; do
    v2 POST "org/app/blobs/uploads/?digest=$odd" --data-binary @some
    answers "400 DIGEST_INVALID" "the digest '$odd'"
    start
    v2 PUT "$upload?digest=$odd" --data-binary @some
    answers "400 DIGEST_INVALID" "neither at the end"
    v2 DELETE "$upload"
done
v2 PUT "$upload" --data-binary @some
answers "400 DIGEST_INVALID" "no digest at all"
put_manifest manifest org/app "$(sha config)"
answers "400 MANIFEST_INVALID" "a manifest under another's digest"
put_manifest manifest org/app "sha256:12"
answers "400 DIGEST_INVALID" "or under none"

# ---- names that escape
for odd in ../app org/../../etc ORG/app org//app /org/app org/app. .org/app org/-app org/a..b 'org/a%00b' \
    'org/%2e%2e/app' 'org/app%0a' "$(printf 'a%.0s' {1..256})" 'org/a___b' 'örg/app'; do
    v2 PUT "$odd/manifests/v1" -H "Content-Type: $MANIFEST" --data-binary @manifest
    case $http in 400 | 404) pass "the name '${odd:0:20}' is refused" ;; *) fail "the name '$odd' is refused" "$http $out" ;; esac
    v2 POST "$odd/blobs/uploads/?digest=$(sha some)" --data-binary @some
    case $http in 400 | 404) pass "for a blob, too" ;; *) fail "the name '$odd' is refused for a blob" "$http $out" ;; esac
done
for odd in .hidden -x 'a b' "$(printf 'a%.0s' {1..129})" 'x@y'; do
    v2 PUT "org/app/manifests/${odd// /%20}" -H "Content-Type: $MANIFEST" --data-binary @manifest
    answers "400 TAG_INVALID" "the tag '${odd:0:20}'"
    v2 GET "org/app/manifests/${odd// /%20}"
    answers "404 MANIFEST_UNKNOWN" "which leads nowhere"
done
for target in x org/app org/app/manifests org/app/blobs/ _catalog/x org/app/tags org/app/tags/list/x; do
    v2 GET "$target"
    case $http in 404 | 400) pass "nothing at '$target'" ;; *) fail "nothing at '$target'" "$http $out" ;; esac
done
v2 DELETE org/app/tags/list
answers "405 UNSUPPORTED" "a method that is not taken"
v2 DELETE "org/app/blobs/$(sha layer.tar)"
answers "405 UNSUPPORTED" "blobs are the gc's"
find "$store" -name '.new-*' -o -name '*passwd*' >found
is "$(cat found)" "" "nothing odd is in the store"
is "$(find "$XDG_DATA_HOME" "$XDG_CACHE_HOME" -newer before -not -path "$store*" -type f)" "" "and nothing beside it"

# ---- manifests that cannot be
refuse() { # TEXT STATUS-AND-CODE JSON [TYPE]
    printf '%s' "$3" >odd.json
    put_manifest odd.json org/app odd "${4:-$MANIFEST}"
    answers "$2" "$1"
}
refuse "no JSON" "400 MANIFEST_INVALID" '{'
refuse "a name twice" "400 MANIFEST_INVALID" '{"schemaVersion":2,"schemaVersion":2}'
refuse "a list" "400 MANIFEST_INVALID" '[]'
refuse "an old version" "400 MANIFEST_INVALID" '{"schemaVersion":1}' application/vnd.docker.distribution.manifest.v1+json
refuse "a type that is none" "400 MANIFEST_INVALID" "$(cat manifest)" text/html
refuse "another type than it says" "400 MANIFEST_INVALID" "$(cat manifest)" $INDEX
refuse "an index in disguise" "400 MANIFEST_INVALID" "$(jq -c 'del(.mediaType) | .manifests = []' manifest)"
refuse "a layer that is no descriptor" "400 MANIFEST_INVALID" "$(jq -c '.layers = [1]' manifest)"
refuse "a layer whose digest is a path" "400 MANIFEST_INVALID" "$(jq -c '.layers[0].digest = "sha256:../../x"' manifest)"
refuse "a layer that is not there" "400 MANIFEST_BLOB_UNKNOWN" "$(jq -c --arg d "$(sha some)" '.layers[0].digest = $d' manifest)"
refuse "a layer of another size" "400 MANIFEST_INVALID" "$(jq -c '.layers[0].size += 1' manifest)"
refuse "an index of what is not there" "400 MANIFEST_BLOB_UNKNOWN" "{\"schemaVersion\":2,\"manifests\":[$(describe $MANIFEST some)]}" $INDEX
refuse "more layers than an image may have" "413 SIZE_INVALID" "$(jq -c '.layers = [range(600) as $i | .layers[0]]' manifest)"
# annotated BYTES: a manifest with so many in an annotation.
annotated() { head -c -1 manifest; printf ',"annotations":{"a":"'; head -c "$1" /dev/zero | tr '\0' ,; printf '"}}'; }
annotated 4190000 >large.json
put_manifest large.json org/app large
is "$http" 201 "a manifest of nearly 4 MiB"
v2 GET org/app/manifests/large
cmp -s v2.out large.json && pass "comes back as it was" || fail "comes back as it was"
ok "and is read" romsim image inspect org/app:large
v2 DELETE org/app/manifests/large
annotated 4200000 >larger.json
put_manifest larger.json org/app larger
answers "413 SIZE_INVALID" "of more than 4 MiB"
{ head -c -1 manifest; printf ',"x":['; seq -s, 100000; printf ']}'; } >many.json
put_manifest many.json org/app many
answers "413 SIZE_INVALID" "more values than are read"
like "$out" "image-values" "which says what changes that"
printf '{"a":%s' "$(printf '[%.0s' {1..5000})" >deep.json
put_manifest deep.json org/app deep
answers "400 MANIFEST_INVALID" "too deep"
v2 GET org/app/tags/list
is "$(jq -c .tags <<<"$out")" '["v1"]' "none of them has a name"
serve_end # and with it what was pushed and has no name
ok "and the gc is not confused" romsim image gc
serve || fail "the server starts again" "$(cat serve.err)"

# ---- indexes
cp config other.config; echo >>other.config
manifest $TAR layer.tar other.config >other
put_blob other.config
put_manifest other org/multi "$(sha other)"
is "$http" 201 "a manifest by its digest"
v2 GET "org/multi/manifests/$(sha other)"
is "$http $(header Content-Type)" "200 $MANIFEST" "is there before it has a name"
v2 GET org/multi/tags/list
is "$http" 404 "but makes no tag"
jq -cn --argjson a "$(describe $MANIFEST other)" --argjson b "$(describe $MANIFEST manifest)" \
    '{schemaVersion: 2, manifests: [($a + {platform: {os: "linux", architecture: "arm64"}}), ($b + {platform: {os: "linux", architecture: "amd64"}})]}' >index
put_manifest index org/multi latest $INDEX
is "$http" 201 "an index of two platforms"
v2 GET org/multi/manifests/latest
is "$http $(header Content-Type)" "200 $INDEX" "comes back as one"
is "$(romsim image inspect org/multi --json | jq -r .digest)" "$(sha manifest)" "romsim takes the platform that it runs"
ok "the gc keeps all of it" romsim image gc # the push left nothing without a name
v2 GET "org/multi/manifests/$(sha other)"
is "$http" 200 "also the image for others"
v2 GET "org/app/manifests/$(sha other)"
answers "404 MANIFEST_UNKNOWN" "which no other repository has"
jq -cn --argjson a "$(describe text/html other)" '{schemaVersion: 2, manifests: [$a]}' >page
put_manifest page org/page latest $INDEX
v2 GET "org/page/manifests/$(sha other)"
is "$http $(header Content-Type)" "200 application/octet-stream" "what an index calls a page is sent as none"
v2 DELETE org/page/manifests/latest

# ---- pages
for tag in a b c; do put_manifest manifest org/app $tag; done
v2 GET 'org/app/tags/list?n=2'
is "$(jq -c .tags <<<"$out") $(header Link)" '["a","b"] </v2/org/app/tags/list?n=2&last=b>; rel="next"' "a page of tags"
v2 GET 'org/app/tags/list?n=2&last=b'
is "$(jq -c .tags <<<"$out") $(header Link)" '["c","v1"] ' "and the last one"
v2 GET 'org/app/tags/list?n=0'
is "$http $(jq -c .tags <<<"$out") $(header Link)" '200 [] ' "a page of none"
v2 GET 'org/app/tags/list?last=zzz'
is "$(jq -c .tags <<<"$out")" '[]' "behind the end"
v2 GET '_catalog?n=1'
is "$(jq -c .repositories <<<"$out") $(header Link)" '["org/app"] </v2/_catalog?n=1&last=org/app>; rel="next"' "a page of the catalog"
v2 GET 'org/app/tags/list?n=-1'
answers "400 PAGINATION_NUMBER_INVALID" "a page of -1"

# ---- taking names away
v2 DELETE org/app/manifests/a
is "$http" 202 "a tag is deleted"
v2 GET org/app/manifests/a
answers "404 MANIFEST_UNKNOWN" "and leads nowhere"
v2 DELETE org/app/manifests/a
answers "404 MANIFEST_UNKNOWN" "deleting it again"
v2 DELETE "org/app/manifests/$(sha manifest)"
is "$http" 202 "a manifest is deleted with all its tags"
v2 GET org/app/tags/list
answers "404 NAME_UNKNOWN" "no tag is left"
v2 GET "org/app/manifests/$(sha manifest)"
answers "404 MANIFEST_UNKNOWN" "nor is it there by its digest"
v2 GET "org/multi/manifests/$(sha manifest)"
is "$http" 200 "but where another name leads to it"

# ---- what is about an image: signatures and the like
printf '{}' >empty
put_blob empty sig/app
put_blob layer.tar sig/app
put_blob config sig/app
printf 'a signature' >signature
put_blob signature sig/app
jq -cn --arg type application/vnd.example.signature --argjson config "$(describe application/vnd.oci.empty.v1+json empty)" \
    --argjson layer "$(describe text/plain signature)" --argjson subject "$(describe $MANIFEST manifest)" \
    '{schemaVersion: 2, artifactType: $type, config: $config, layers: [$layer], subject: $subject, annotations: {by: "me"}}' >signed
v2 GET "sig/app/referrers/$(sha manifest)"
is "$http $(header Content-Type) $(jq -c .manifests <<<"$out")" "200 $INDEX []" "nothing is about an image that nobody knows"
put_manifest signed sig/app "$(sha signed)"
is "$http $(header OCI-Subject)" "201 $(sha manifest)" "a signature, before what it signs"
put_manifest manifest sig/app v1
is "$http" 201 "which comes then"
v2 GET "sig/app/referrers/$(sha manifest)"
is "$http $(jq -c '.manifests' <<<"$out")" "200 [$(describe $MANIFEST signed | jq -c '. + {artifactType: "application/vnd.example.signature", annotations: {by: "me"}}')]" \
    "the signature is found by what it is about"
v2 GET "sig/app/referrers/$(sha manifest)?artifactType=other"
is "$(jq -c .manifests <<<"$out") $(header OCI-Filters-Applied)" '[] artifactType' "and not by another type"
v2 GET "sig/app/referrers/$(sha manifest)?artifactType=application/vnd.example.signature"
is "$(jq '.manifests | length' <<<"$out")" 1 "but by its own"
v2 GET sig/app/referrers/x
answers "400 DIGEST_INVALID" "referrers of what is no digest"
jq -c '.subject.digest = "x"' signed >unsigned
put_manifest unsigned sig/app v2
answers "400 MANIFEST_INVALID" "a subject that is no descriptor"
is "$(romsim image ls --json | jq -r '[.[].name | select(startswith("sig/"))] | join(" ")')" sig/app:v1 "a signature is no image of romsim's"
serve_end
ok "the gc" romsim image gc
serve || fail "the server starts again" "$(cat serve.err)"
v2 GET "sig/app/manifests/$(sha signed)"
is "$http" 200 "keeps what is about an image that stays"
v2 GET "sig/app/blobs/$(sha signature)"
is "$out" "a signature" "with what it has"
put_manifest signed sig/app "$(sha signed)"
ok "a signature of what is there holds nothing up" romsim image gc
romsim image rm sig/app:v1 org/multi:latest >/dev/null
ok "the gc of a store without the image" romsim image gc
v2 GET "sig/app/manifests/$(sha signed)"
answers "404 MANIFEST_UNKNOWN" "takes what was about it"
v2 GET "sig/app/referrers/$(sha manifest)"
is "$(jq -c .manifests <<<"$out")" '[]' "and the list of it"
for file in empty layer.tar config signature; do put_blob $file sig/app; done
put_manifest signed sig/app "$(sha signed)"
v2 DELETE "sig/app/manifests/$(sha signed)"
is "$http" 202 "a signature is deleted by its digest"
v2 GET "sig/app/referrers/$(sha manifest)"
is "$(jq -c .manifests <<<"$out")" '[]' "and is about nothing then"

# ---- other stores are read
mkdir other-store && cp -r rom.oci/. other-store/
sed -i 's|"v1"|"shared/rom:v1"|' other-store/index.json
old=$url
serve_end
host=
export ROMSIM_IMAGE_STORES=$T/other-store
serve || fail "the server starts with another store" "$(cat serve.err)"
is "$([ "$url" != "$old" ] || echo same)" "" "a new server"
host=${url#http://}
v2 GET shared/rom/manifests/v1
is "$http $(header Docker-Content-Digest)" "200 $(sha rom.manifest)" "an image of a store that is only read is pulled"
v2 GET "shared/rom/blobs/$(sha rom.erofs)"
cmp -s v2.out rom.erofs && pass "with its blobs" || fail "with its blobs"
v2 DELETE shared/rom/manifests/v1
answers "405 UNSUPPORTED" "but not deleted"
put_manifest rom.manifest my/rom v2
is "$http" 201 "its manifest is pushed, which brings the blobs"
unset ROMSIM_IMAGE_STORES
is "$(romsim image inspect my/rom:v2 --json | jq -r '.layers[0].digest')" "$(sha rom.erofs)" "they are in the own store then"

# ---- many at once
# What asks on one connection, for who asks much: status, headers, bytes.
cat >v2.py <<'PY'
import base64, http.client, sys, urllib.parse
url, token = sys.argv[1:3]
auth = {"Authorization": "Basic " + base64.b64encode(("x:" + token).encode()).decode()}
c = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=300)
def ask(method, path, body=None, headers={}):
    c.request(method, path, body, {**auth, **headers})
    r = c.getresponse()
    return r.status, r.headers, r.read()
PY
uploads() { # N: the same blob by N uploads at once, by chunks
    local i pids=()
    for ((i = 0; i < $1; i++)); do
        python3 - "$url" "$token" big <<'PY' &
import hashlib, sys
from v2 import ask
data = open(sys.argv[3], "rb").read()
digest = "sha256:" + hashlib.sha256(data).hexdigest()
status, headers, _ = ask("POST", "/v2/par/app/blobs/uploads/")
assert status == 202, status
place = headers["Location"]
for at in range(0, len(data), 50000):
    part = data[at:at + 50000]
    status, headers, body = ask("PATCH", place, part, {"Content-Range": f"{at}-{at + len(part) - 1}"})
    assert status == 202, (status, body)
status, headers, body = ask("PUT", place + "?digest=" + digest)
assert status == 201, (status, body)
status, headers, body = ask("GET", "/v2/par/app/blobs/" + digest)
assert status == 200 and body == data, status
PY
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || return 1; done
}
ok "twenty uploads of one blob at once" uploads 20
two_at_once() { # of two who go on with one upload, each chunk is taken once
    local one two
    start par/app
    curl -sS --noproxy '*' -o /dev/null -w '%{http_code}\n' -u "x:$token" -X PATCH "$url/v2/$upload" -H 'Content-Range: 0-299999' --data-binary @big >one &
    curl -sS --noproxy '*' -o /dev/null -w '%{http_code}\n' -u "x:$token" -X PATCH "$url/v2/$upload" -H 'Content-Range: 0-299999' --data-binary @big >two
    wait $!
    one=$(cat one) two=$(cat two)
    v2 GET "$upload"
    one="$one $two $(header Range)"
    echo "$one"
    v2 DELETE "$upload"
    case $one in '202 416 0-299999' | '416 202 0-299999' | '202 409 0-299999' | '409 202 0-299999') ;; *) false ;; esac
}
ok "two who go on with one upload at once" two_at_once
refused_in_turn() { # who has been refused a chunk may go on with the upload at once
    python3 - "$url" "$token" <<'PY'
from v2 import ask
digest = "?digest=sha256:" + "0" * 64
begun = {"Content-Range": "100-199"}
for i in range(5):
    status, headers, _ = ask("POST", "/v2/turn/app/blobs/uploads/")
    place, said = headers["Location"], [status]
    for method, path, headers in (("PATCH", place, begun), ("GET", place, {}),
                                  ("PUT", place + digest, begun), ("GET", place, {}),
                                  ("PUT", place + digest, {}), ("GET", place, {})):
        said.append(ask(method, path, None if method == "GET" else b"x" * 100, headers)[0])
    assert said == [202, 416, 204, 416, 204, 400, 404], (i, said)
PY
}
# Each thread of the server that has woken another one, as one does that has replied, is held up then.
turn="who was refused a chunk goes on with the upload at once"
if need strace "$turn"; then
    if traced "$server" -o trace.txt -e trace=write -e inject=write:delay_exit=20000 -- \
        refused_in_turn >turn.txt 2>&1 && grep -q DELAYED trace.txt; then
        pass "$turn"
    elif [ -n "$why" ]; then
        skip "$turn" "$why"
    else
        fail "$turn" "$(cat turn.txt)"
    fi
fi
many() { # no more uploads than there may be; quickly: one of half a minute makes room for a new one
    python3 - "$url" "$token" >begun <<'PY'
import json
from v2 import ask
for i in range(140):
    status, headers, body = ask("POST", "/v2/many/app/blobs/uploads/")
    if status != 202:
        break
    print(headers["Location"].removeprefix("/v2/"))
assert (i, status) == (128, 429), (i, status)
assert json.loads(body)["errors"][0]["code"] == "TOOMANYREQUESTS", body
assert headers["Retry-After"], headers
PY
}
ok "uploads are bounded" many
while read -r upload; do v2 DELETE "$upload"; done <begun
start
is "$http" 202 "and there is room again"
v2 DELETE "$upload"

# ---- uploads that are cut
cut_off() { # TEXT OF A REQUEST: sends it and half of the body that it announces
    python3 - "$host" "$token" "$1" <<'PY'
import base64, socket, sys
host, token, target = sys.argv[1:]
name, port = host.split(":")
auth = base64.b64encode(("x:" + token).encode()).decode()
s = socket.create_connection((name, int(port)), timeout=60)
method, path = target.split(" ")
s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {auth}\r\nContent-Length: 1000000\r\n\r\n".encode())
s.sendall(b"x" * 500000)
s.close()
PY
}
start cut/app
cut_off "PATCH /v2/$upload"
tries=0
until v2 GET "$upload"; [ "$http" = 204 ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
is "$http $(header Range)" "204 0-0" "of a chunk that was cut nothing is kept"
chunk 0-999 some
is "$http" 202 "and the upload goes on"
v2 PUT "$upload?digest=$(sha some)" -H 'Content-Length: 0'
is "$http" 201 "to its end"
cut_off "POST /v2/cut/app/blobs/uploads/?digest=$(sha big)"
cut_off "PUT /v2/cut/app/manifests/x"
v2 GET ''
is "$http" 200 "the server goes on"

# ---- the gc meanwhile
romsim image rm my/rom:v2 >/dev/null
put_blob layer.tar gc/app
put_blob config gc/app
fails 1 "a gc waits for blobs that have no name yet" romsim image gc
like "$out" "romsim serve" "and says who has them"
put_manifest manifest gc/app v1
is "$http" 201 "so the push is not disturbed"
v2 DELETE par/app/manifests/x
# What is still held: the blobs of pushes that nobody will finish.  The next server knows nothing of them.
serve_end
serve || fail "the server starts again" "$(cat serve.err)"
host=${url#http://}
ok "when nothing is under way the gc has the store" romsim image gc
v2 GET "gc/app/blobs/$(sha layer.tar)"
is "$http" 200 "and takes nothing that a name leads to"
v2 GET "par/app/blobs/$(sha big)"
is "$http" 404 "but what was left of others"
start gc/app
fails 1 "an open upload keeps it, too" romsim image gc
v2 DELETE "$upload"
ok "until it is given up" romsim image gc
head_ "gc/app/blobs/$(sha layer.tar)"
fails 1 "and so does who asks whether a blob is there" romsim image gc
put_manifest manifest gc/app v2
ok "until the manifest has come" romsim image gc
gc_storm() { # pushes and collections at once: no push fails, no image is broken
    local i bad=0
    (until [ -e storm.over ]; do romsim image gc >/dev/null 2>&1; done) &
    for ((i = 0; i < 15; i++)); do
        head -c $((1000 + i)) big >storm.$i
        printf '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(sha storm.$i)" >storm.config
        manifest $TAR storm.$i storm.config >storm.manifest
        put_blob storm.$i storm/app; [ "$http" = 201 ] || { bad=1; echo "blob $i: $http $out"; }
        put_blob storm.config storm/app; [ "$http" = 201 ] || { bad=1; echo "config $i: $http $out"; }
        put_manifest storm.manifest storm/app t$i; [ "$http" = 201 ] || { bad=1; echo "manifest $i: $http $out"; }
    done
    touch storm.over
    wait
    for ((i = 0; i < 15; i++)); do
        romsim image inspect "storm/app:t$i" >/dev/null || bad=1
        cmp -s storm.$i "$store/blobs/sha256/$(sha256sum storm.$i | cut -d' ' -f1)" || { bad=1; echo "blob $i is not there"; }
    done
    return $bad
}
ok "pushes while collections run one after another" gc_storm

# ---- the server's end in an upload
start kill/app
chunk 0-99999 big.1
cut_off "PATCH /v2/$upload"
(python3 - "$host" "$token" "/v2/$upload" <<'PY'
import base64, socket, sys, time
host, token, path = sys.argv[1:]
name, port = host.split(":")
auth = base64.b64encode(("x:" + token).encode()).decode()
s = socket.create_connection((name, int(port)), timeout=60)
s.sendall(f"PATCH {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {auth}\r\nContent-Length: 100000000\r\n\r\n".encode())
try:
    while True:
        s.sendall(b"x" * 100000)
        open("sending", "w").close()
        time.sleep(0.01)
except OSError:
    pass
PY
) &
sender=$!
tries=0
until [ -e sending ] || [ $((tries += 1)) -gt 600 ]; do sleep 0.1; done
put_blob some kill/app
before=$(ls -A "$store/blobs/sha256" | sort)
serve_end KILL
wait $sender
is "$(ls -A "$store/blobs/sha256" | sort)" "$before" "a server that is killed in an upload leaves nothing of it"
is "$(find "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$XDG_RUNTIME_DIR" -size +90k -type f -newer storm.over)" "" "nowhere"
ok "and no lock" romsim image gc
serve || fail "the server starts again" "$(cat serve.err)"
host=${url#http://}
v2 GET "$upload"
answers "404 BLOB_UPLOAD_UNKNOWN" "a new one knows nothing of the upload"
ok "the images are whole" romsim image inspect gc/app:v1

# ---- a disk that is full
full() {
    local here=$XDG_DATA_HOME
    serve_end
    mkdir small && mount -t tmpfs -o size=2M none small || return 1
    export XDG_DATA_HOME=$T/small
    serve || return 1
    head -c 4000000 /dev/urandom >four
    v2 POST "full/app/blobs/uploads/?digest=$(sha four)" -H 'Expect:' --data-binary @four
    is "$http" 507 "a blob that finds no room"
    start full/app
    v2 PATCH "$upload" --data-binary @big
    v2 PATCH "$upload" -H 'Expect:' --data-binary @four
    is "$http" 507 "a chunk that finds none"
    v2 GET "$upload"
    is "$http $(header Range)" "204 0-299999" "leaves the upload as it was"
    v2 PUT "$upload?digest=$(sha big)" -H 'Content-Length: 0'
    is "$http" 201 "which can be finished"
    serve_end
    umount small
    export XDG_DATA_HOME=$here
    serve && host=${url#http://}
}
if can root && mkdir try && mount -t tmpfs -o size=2M none try 2>/dev/null; then
    umount try
    full || fail "a server on a small disk" "$(cat serve.err)"
else
    skip "a disk that is full" "no tmpfs can be mounted here"
fi

# ---- what others push and pull
creds=(--dest-tls-verify=false --dest-creds "org:$token")
source_creds=(--src-tls-verify=false --src-creds "org:$token")
quiet=(skopeo --insecure-policy copy -q)
if need skopeo "skopeo pushes"; then
    ok "skopeo pushes a base" "${quiet[@]}" --preserve-digests "${creds[@]}" oci:base.oci:v1 "docker://$host/team/base:1"
    ok "and a ROM" "${quiet[@]}" --preserve-digests "${creds[@]}" oci:rom.oci:v1 "docker://$host/team/rom:1"
    printf 'name: x\nimage: team/base:1\nroms: [{name: r, image: "team/rom:1", at: /rom}]\n' >x.yaml
    ok "which an instance is made of" romsim check x.yaml
    is "$(romsim plan --json x.yaml | jq -r '.roms[0].sha256')" "$(sha256sum rom.erofs | cut -d' ' -f1)" "the ROM byte for byte"
    is "$(romsim image inspect team/rom:1 --json | jq -r '.kind + " " + .digest')" "rom $(sha rom.manifest)" "and known as one"
    ok "skopeo pulls the ROM" "${quiet[@]}" --preserve-digests "${source_creds[@]}" "docker://$host/team/rom:1" oci:back:v1
    ok "and the base" "${quiet[@]}" --preserve-digests "${source_creds[@]}" "docker://$host/team/base:1" oci:back:base
    for file in rom.manifest rom.config rom.erofs manifest config layer.tar; do
        cmp -s $file "back/blobs/sha256/$(sha256sum $file | cut -d' ' -f1)" && pass "$file is the same" || fail "$file is the same"
    done
    ok "what romsim has is pulled as well" romsim image tag team/base:1 local/name:2
    ok "by the name that it has there" "${quiet[@]}" "${source_creds[@]}" "docker://$host/local/name:2" oci:back:again
    ok "skopeo compresses layers on the way" "${quiet[@]}" "${creds[@]}" --dest-compress-format gzip oci:base.oci:v1 "docker://$host/team/base:gzip"
    ok "and writes docker's form" "${quiet[@]}" "${creds[@]}" --format v2s2 oci:base.oci:v1 "docker://$host/team/base:docker"
    v2 GET team/base/manifests/docker
    is "$(header Content-Type)" application/vnd.docker.distribution.manifest.v2+json "which stays that"
    for tag in gzip docker; do
        printf 'name: x\nimage: team/base:%s\n' $tag >x.yaml
        is "$(romsim plan --json x.yaml | jq -r .root.sha256)" \
            "$(printf 'name: x\nimage: team/base:1\n' >y.yaml; romsim plan --json y.yaml | jq -r .root.sha256)" "$tag has the same root"
    done
    fails 1 "a wrong password pushes nothing" "${quiet[@]}" --dest-tls-verify=false --dest-creds org:wrong oci:base.oci:v1 "docker://$host/team/base:no"
    is "$(skopeo list-tags --tls-verify=false --creds "org:$token" "docker://$host/team/base" | jq -c '.Tags')" '["1","docker","gzip"]' "skopeo lists the tags"
    ok "skopeo deletes an image" skopeo delete --tls-verify=false --creds "org:$token" "docker://$host/team/base:docker"
    fails 1 "which is gone then" romsim image inspect team/base:docker
fi
if can root && need buildah "buildah pushes"; then
    buildah() { command buildah --root "$T/buildah" --runroot "$T/buildah-run" --storage-driver vfs "$@"; }
    ok "buildah pulls" buildah pull -q --tls-verify=false --creds "org:$token" "docker://$host/team/base:1"
    ok "and pushes" buildah push -q --tls-verify=false --creds "org:$token" "$host/team/base:1" "docker://$host/team/built:3"
    printf 'name: x\nimage: team/built:3\n' >x.yaml
    ok "what an instance is made of" romsim check x.yaml
    like "$(romsim image inspect team/built:3)" "/bin/sh" "with its command"
fi
ok "nothing is under way any more" romsim image gc

# ---- the registry where the cloud's CLIs look for it: index.NAME, on port 80 (docs/clients.md)
by_name() { # in a network and with a hosts file of its own
    unshare --net --mount bash -s <<'END'
set -e
ip link set lo up
echo '127.0.0.1 api.romsim.localhost index.romsim.localhost' >hosts
mount --bind hosts /etc/hosts
"$ROMSIM" serve --listen 127.0.0.1:80 --org team --token secret >named.out 2>&1 &
trap "kill $!; wait" EXIT
until grep -q '^the page' named.out; do kill -0 $!; sleep 0.05; done
curl -sSf -o /dev/null -H 'Authorization: Bearer secret' http://api.romsim.localhost/v1/image-store
skopeo --insecure-policy copy -q --dest-tls-verify=false --dest-creds team:secret oci:base.oci:v1 \
    docker://index.romsim.localhost/team/named:1
"$ROMSIM" image inspect index.romsim.localhost/team/named:1
END
}
if can root && can skopeo && can ip && unshare --net --mount true 2>/dev/null; then
    export ROMSIM
    ok "a push to index.NAME of an endpoint api.NAME" by_name
else
    skip "a push to index.NAME of an endpoint api.NAME" "not root, or no skopeo, ip or unshare"
fi
serve_end
is "$status" 0 "the server ends"
if command -v skopeo >/dev/null; then
    is "$(romsim image ls --json | jq -r '[.[] | select(.name | startswith("team/"))] | length > 2')" true "and the images stay"
fi
done_testing
