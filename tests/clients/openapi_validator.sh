#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# openapi_validator.sh: the document is one of OpenAPI, and the server's real answers are what it
# says: no member that it does not know, none missing that it promises, and its examples of bad
# bodies are refused.
. "$(dirname "$0")/clients.bash"
need guest "the OpenAPI document" || done_testing
need_client python/bin/openapi-spec-validator "the OpenAPI document" || done_testing

romsim serve --openapi >document.json
ok "openapi-spec-validator takes the document" \
    "$CLIENTS/python/bin/openapi-spec-validator" --errors all document.json
make_images
start_server
judge "$CLIENTS/python/bin/python" "$HERE/openapi_answers.py" "$url" "$token"
done_testing
