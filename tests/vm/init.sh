#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# init: the first instance files that `romsim init` writes are right, and do what they say.
. "$(dirname "$0")/../lib.sh"

for starter in static python node config; do
    ok "romsim init -t $starter" romsim init -t "$starter" "$starter.yaml"
    ok "... which check passes" romsim check "$starter.yaml"
    is "$out" "" "... without a warning"
    is "$(romsim init -t $starter - | wc -l)" "$(wc -l <$starter.yaml)" "... and '-' prints"
    if [ "$starter" != config ]; then
        mkdir -p site app
        sed 's/^    # dir:/    dir:/; /^    files:/,/^    # In place/d' $starter.yaml >other.yaml
        touch site/index.html app/main.py
        ok "... the line in a comment is right, too" romsim check other.yaml
        like "$(cat other.yaml)" "    dir: " "..."
    fi
done
like "$(cat static.yaml)" "# yaml-language-server: \$schema=$(realpath "$BUILD")/instance.schema.json" \
    "the editor is told of the schema beside the program"
ok "without words it is a web site in instance.yaml" romsim init
same static.yaml instance.yaml "..."
echo mine >instance.yaml
fails 1 "a file that is there" romsim init
like "$out" "'instance.yaml' is there already" "... is left alone"
is "$(cat instance.yaml)" mine "..."
ln -s nowhere link.yaml
fails 1 "a link" romsim init link.yaml
fails 2 "a starter that there is not" romsim init -t ruby r.yaml
fails 1 "a folder that there is not" romsim init no/such.yaml

if ! need guest "the starters run" || ! need curl "the starters answer"; then done_testing; fi

# answer FILE IMAGE: what an instance of the file says on its port.
answer() {
    romsim run -q -d -n "$1" --image "$ROOT/build/samples/$2" "$1.yaml" >/dev/null || return 1
    local port
    port=$(romsim get -o json "$1" | sed -n 's/.*"url": "http:\/\/127.0.0.1:\([0-9]*\)".*/\1/p')
    curl -sS --noproxy '*' --retry 30 --retry-delay 1 --retry-all-errors --max-time 60 \
        "http://127.0.0.1:$port/"
    romsim rm "$1" >/dev/null
}
like "$(answer static busybox)" "<h1>Hello from a ROM!</h1>" "the site answers"
is "$(answer python python-base.tar)" "Hello from a ROM!" "the Python app answers"
ok "the configuration is read" romsim run -q --image "$ROOT/build/samples/busybox" config.yaml
like "$out" "greeting = Hello from a ROM!" "... from its ROM"
done_testing
