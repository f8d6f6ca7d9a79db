#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# schema: the JSON Schema that `romsim schema` prints says what the parser says: over all texts of the
# unit tests, compared by Python's jsonschema, and over the samples.
. "$(dirname "$0")/../lib.sh"

fails 2 "a schema that there is not" romsim schema instances
like "$out" "did you mean 'instance'" "... the nearest is named"
is "$(romsim schema)" "$(romsim schema instance)" "without a word it is that of instances"
for kind in instance kraftfile request; do
    ok "romsim schema $kind" romsim schema "$kind"
    romsim schema "$kind" >"$kind.json"
done

# Debian's Python has Debian's packages; the first in PATH may be another.
python=/usr/bin/python3
"$python" -c 'import jsonschema' 2>/dev/null || python=python3
if ! "$python" -c 'import jsonschema' 2>/dev/null; then
    skip "schema and parser agree" "there is no jsonschema for Python: 'make deps'"
    done_testing
fi
for unit in instance instance_bad instance_source kraftfile; do
    UNIT_TEXTS=$T/texts.jsonl "$BUILD/tests/unit/$unit" >/dev/null 2>&1 || fail "the texts of $unit"
done
ok "the schemas are ones" "$python" "$ROOT/tests/cli/schema.py" texts.jsonl \
    instance=instance.json kraftfile=kraftfile.json request=request.json
is "$(sed 1,3d <<<"$out")" "" "schema and parser agree about every text of the unit tests"
while read -r kind fitting others; do
    if [ "$fitting" -ge 20 ] && [ "$others" -ge 5 ]; then pass "of $kind: $fitting fit, $others do not"
    else fail "of $kind there are enough texts" "$fitting fit, $others do not"; fi
done < <(sed -n 1,3p <<<"$out")
done_testing
