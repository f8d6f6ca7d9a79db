#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# python_sdk.sh: the cloud's Python SDK creates, lists, follows, waits for, changes and deletes
# instances of `romsim serve`, and has its error classes for what goes wrong.
. "$(dirname "$0")/clients.bash"
need guest "the Python SDK" || done_testing
need_client python/bin/python "the Python SDK" || done_testing

make_images
start_server
judge "$CLIENTS/python/bin/python" "$HERE/python_sdk.py" "$url" "$token"
done_testing
