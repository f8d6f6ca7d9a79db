#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# demo: the cloud guide's walk-through, two instances of one base image with a Python function each
# as a ROM: builds the images, starts both instances, asks each over HTTP, prints the answers and
# stops them.  `make demo` does the set-up first.  The images go into a store of the demo's own.
set -eu -o pipefail
cd "$(dirname "$0")/.."
romsim=${BUILD:-build}/romsim
project=samples/python-functions
instances=$project/instance.yaml
export no_proxy=127.0.0.1
export XDG_DATA_HOME=$PWD/build/samples/store

while read -r folder name; do
    echo "\$ romsim image build $project/$folder -t $name"
    "$romsim" image build "$project/$folder" -t "$name" | sed 's/^/  /'
done <<END
base my-org/http-python:latest
rom1 my-org/my-rom1:latest
rom2 my-org/my-rom2:latest
END

echo "\$ romsim run $instances"
exec {output}< <(exec "$romsim" run "$instances" 2>&1)
pid=$!
trap 'kill -TERM "$pid" 2>/dev/null || true' EXIT

# romsim prints a service's URL once its port accepts connections.
urls=()
while [ ${#urls[@]} -lt 2 ] && read -r -u "$output" line; do
    echo "  $line"
    if [[ $line =~ http://127\.0\.0\.1:[0-9]+ ]]; then urls+=("${BASH_REMATCH[0]}"); fi
done
if [ ${#urls[@]} -lt 2 ]; then
    echo "demo: romsim ended before both functions could be asked" >&2
    exit 1
fi

answers=
for url in "${urls[@]}"; do
    echo "\$ curl $url"
    answer=$(curl --silent --show-error --fail --max-time 60 "$url")
    echo "$answer"
    answers+="$answer"$'\n'
done

kill -TERM "$pid"
sed 's/^/  /' <&"$output"
wait "$pid" || true # ended by a signal, as asked
trap - EXIT

expected=$'Hi from 1st ROM!\nHi from 2nd ROM!\n'
if [ "$(sort <<<"${answers%$'\n'}")"$'\n' != "$expected" ]; then
    echo "demo: these are not the two functions' answers" >&2
    exit 1
fi
echo "Both functions answered; both instances are stopped."
