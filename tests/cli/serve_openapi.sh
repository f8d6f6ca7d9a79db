#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# serve_openapi.sh: the OpenAPI document says what is served, and all of it is.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/serving.sh"
need jq "the OpenAPI document" || done_testing
need curl "the OpenAPI document" || done_testing

some_uuid=00000000-0000-4000-8000-000000000000
serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
romsim serve --openapi >document.json
is "$(curl -sS --noproxy '*' "$url/openapi.json")" "$(cat document.json)" \
    "the document is served to who has no token, and printed by --openapi"
is "$(jq -r '.openapi' document.json)" 3.1.0 "it is one of OpenAPI 3.1"
like "$(romsim --version 2>/dev/null || true)" "$(jq -r .info.version document.json)" \
    "of romsim's version"

# A path as a request has it, and what the operation answers.
target() { sed -E "s/\{uuid\}/$some_uuid/g; s/\{[a-z_]+\}/x/g" <<<"$1"; }
code() { field '.errors[0].error'; }

missing=() open=() closed=()
operations=0
while read -r path method is_open; do
    operations=$((operations + 1))
    api "${method^^}" "$(target "$path")"
    { [ "$http" != 404 ] || [ "$(code)" != 3 ]; } && [ "$http" != 405 ] ||
        missing+=("$method $path: $http $out")
    jq -e . <<<"$out" >/dev/null 2>&1 || missing+=("$method $path is no JSON: $out")
    had=$token token=
    api "${method^^}" "$(target "$path")"
    token=$had
    if [ "$is_open" = true ]; then
        [ "$http" != 401 ] || open+=("$method $path")
    else
        [ "$http" = 401 ] || closed+=("$method $path: $http")
    fi
done < <(jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[] |
    "\($path) \(.key) \(.value.security == [])"' document.json)
is "${missing[*]-}" "" "each of the $operations operations is served"
is "${open[*]-}" "" "those that the document calls open need no token"
is "${closed[*]-}" "" "all others do"

others=()
while read -r path methods; do
    for method in get post put patch delete; do
        case " $methods " in *" $method "*) continue ;; esac
        api "${method^^}" "$(target "$path")"
        # What the cloud has and romsim does not simulate is no wrong method.
        [ "$http" = 501 ] && [ "$(code)" = 1 ] && continue
        [ "$http" = 405 ] && [ "$(code)" = 2 ] || others+=("$method $path: $http $out")
    done
done < <(jq -r '.paths | to_entries[] | "\(.key) \(.value | keys | join(" "))"' document.json)
is "${others[*]-}" "" "a method that the document does not have is refused as one (405, code 2)"
others=()
while read -r path method; do
    api "${method^^}" "$(sed -E 's/\{[a-z_]+\}/x/g' <<<"$path")"
    [ "$http $(code)" = "400 7" ] && [ "$(field .message)" = "Invalid uuid 'x'" ] ||
        others+=("$method $path: $http $out")
done < <(jq -r '.paths | to_entries[] | select(.key | contains("{uuid}")) | .key as $path |
    .value | keys[] | "\($path) \(.)"' document.json)
is "${others[*]-}" "" "what stands for a UUID in a path has to be one (400, code 7)"
api GET /v1/nosuch
is "$http $(code)" "404 3" "and a path as one (404, code 3)"

is "$(jq -r '[.. | objects | select(has("$ref")) | ."$ref"] | unique[] |
    select(startswith("#/components/schemas/") | not)' document.json)" "" \
    "all references are to schemas of its own"
is "$(jq -r '. as $all | [.. | objects | select(has("$ref")) | ."$ref" | split("/")[3]] | unique[] |
    select($all.components.schemas[.] == null)' document.json)" "" "that are there"
is "$(jq -r '. as $all | [.. | objects | select(has("$ref")) | ."$ref" | split("/")[3]] as $used |
    .components.schemas | keys[] | select(IN($used[]) | not)' document.json)" "" \
    "and each of them is used"
done_testing
