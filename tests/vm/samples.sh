#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# samples: every sample runs as its instance.yaml says, and its app says what it should.
. "$(dirname "$0")/../lib.sh"

if ! need guest "the samples run"; then done_testing; fi

# prints SAMPLE WANT TEXT: the app ends with 0 and the console is WANT.
prints() {
    local got status
    got=$(romsim run "$SAMPLES/$1/instance.yaml" 2>"$T/stderr"); status=$?
    is "$got" "$2" "$3" || cat "$T/stderr"
    is "$status" 0 "$1 ends with its app's status"
}

# answers FILE WANT...: each function of the file answers over HTTP with its own text, in order.
answers() {
    local file=$1 line got=() output pid
    shift
    exec {output}< <(exec "$ROMSIM" run "$SAMPLES/python-functions/$file" 2>&1)
    pid=$!
    while [ ${#got[@]} -lt $# ] && read -r -t 120 -u "$output" line; do
        printf '%s\n' "$line" >>"$T/$file.log"
        if [[ $line =~ http://127\.0\.0\.1:[0-9]+ ]]; then
            got+=("$(curl --noproxy '*' -sS --fail --max-time 60 "${BASH_REMATCH[0]}" 2>&1)")
        fi
    done
    is "$(printf '%s\n' "${got[@]-}" | sort)" "$(printf '%s\n' "$@")" "$file: each function answers" ||
        sed 's/^/#   /' "$T/$file.log"
    kill -TERM "$pid" 2>/dev/null
    cat <&"$output" >>"$T/$file.log"
    exec {output}<&-
    wait "$pid"
}

hello=$(romsim run "$SAMPLES/hello/instance.yaml" 2>"$T/stderr")
is "$(head -2 <<<"$hello")" "mount /dev/ukp_rom1 -> /rom
Hello from a ROM!" "hello: the app comes from the ROM"
like "$hello" "I am /rom/hello.sh on hello," "hello: the host name is the instance's"
like "$hello" "/dev/ukp_rom1 /rom erofs ro," "hello: the ROM is mounted read-only at its place"

prints monitoring "\
mount /dev/ukp_rom1 -> /etc/prometheus
mount /dev/ukp_rom2 -> /var/lib/grafana/dashboards
/etc/prometheus:
  alerts.yml
  prometheus.yml
/var/lib/grafana/dashboards:
  functions.json
  team-a/overview.json
targets: [function-1:8080, function-2:8080]" "monitoring: ROMs hide what existing directories held"

prints configmap "\
mount /dev/ukp_rom1 -> /app
client.yaml = retries: 3
timeout: 10s
greeting = Hello from a ConfigMap
log-level = debug" "configmap: a ROM on a directory that the root does not have"

prints mixed "\
mount /dev/ukp_rom1 -> /app
mount /dev/ukp_rom2 -> /config
Good evening, world!
key: 00010203ff" "mixed: an executable image ROM, an inline ROM with text and base64"

if need curl "the Python functions answer"; then
    functions=$SAMPLES/python-functions
    ok "the base image is built" romsim image build "$functions/base" -t my-org/http-python:latest
    ok "the first ROM is built" romsim image build "$functions/rom1" -t my-org/my-rom1:latest
    ok "the second ROM is built" romsim image build "$functions/rom2" -t my-org/my-rom2:latest
    answers instance.yaml "Hi from 1st ROM!" "Hi from 2nd ROM!"
    answers manual.yaml "Hi from 1st ROM!"
    answers inline.yaml "Hi from an inline ROM!"
    ok "a template is made of the server" timeout 200 "$ROMSIM" template create python "$functions/template.yaml"
    answers clones.yaml "Hi from 1st ROM!" "Hi from 2nd ROM!"
fi
done_testing
