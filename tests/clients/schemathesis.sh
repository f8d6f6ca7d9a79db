#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# schemathesis.sh: requests that schemathesis makes of the OpenAPI document, good and bad ones: no
# answer is one that the document does not tell of, and none is an error of the server.
# EXAMPLES=200 tries more of each operation, SEED=7 others.
. "$(dirname "$0")/clients.bash"
need_client python/bin/schemathesis "schemathesis" || done_testing

# Nothing starts: there is no image in the store, so that no instance can be made.
start_server
# What is not simulated is refused with 501, as it should be.
cat >schemathesis.toml <<'END'
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]
END
"$CLIENTS/python/bin/schemathesis" --config-file schemathesis.toml run "$url/openapi.json" \
    --workers 1 --mode all --max-examples "${EXAMPLES:-20}" --seed "${SEED:-1}" --request-timeout 60 --phases examples,coverage,fuzzing \
    --checks all --exclude-checks positive_data_acceptance,missing_required_header,unsupported_method,allow_header_conformance \
    -H "Authorization: Bearer $token" --no-color >schemathesis.out 2>&1
found=$?
is "$found" 0 "schemathesis finds nothing"
[ $found = 0 ] || sed 's/^/# /' schemathesis.out | tail -600
sed -n 's/^ *\(Test cases:.*\|.*[0-9] generated.*\)/# \1/p' schemathesis.out
kill -0 "$server" 2>/dev/null && pass "and the server still runs" || fail "and the server still runs"
api GET /v1/instances
is "$http $(field .status)" "200 success" "and answers"
serve_end
is "$status $(cat serve.err)" "0 " "and ends well"
done_testing
