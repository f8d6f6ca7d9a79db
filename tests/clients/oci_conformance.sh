#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# oci_conformance.sh: the conformance suite of the OCI distribution-spec, version 1.1, with the
# registry of `romsim serve`: all but what a registry may leave out (deleting blobs), and what no
# client may count on (an index of manifests that are not there).
. "$(dirname "$0")/clients.bash"
need_client oci-conformance "the OCI conformance suite" || done_testing

serve || { fail "the server starts" "$(cat serve.err)"; done_testing; }
suite() {
    OCI_REGISTRY=${url#http://} OCI_TLS=disabled OCI_USERNAME=org OCI_PASSWORD=$token OCI_VERSION=1.1 \
        OCI_API_BLOBS_UPLOAD_CANCEL=true OCI_API_BLOBS_DIGEST_HEADER=true \
        OCI_API_MANIFESTS_DIGEST_HEADER=true OCI_API_BLOBS_DELETE=false "$CLIENTS/oci-conformance"
}
suite >suite.out 2>suite.err
is $? 0 "the suite is content"
# Its summary has a line for each part: "  Blob get......................:       Pass".
while IFS=$'\t' read -r what verdict; do
    case $verdict in
    Pass) pass "$what" ;;
    Disabled) ;;
    Skip) skip "$what" "the suite skips it" ;;
    *) fail "$what" "$verdict" "$(cut -c1-300 suite.err)" ;;
    esac
done < <(sed -nE '/^API conformance:/,$ s/^  ([A-Za-z0-9+ -]+)\.*: +([A-Za-z]+)$/\1\t\2/p' suite.out)
[ "$count" -gt 40 ] && pass "of all parts" || fail "of all parts" "$count" "$(tail -60 suite.out)"
serve_end
ok "the gc can read what it has left in the store" romsim image gc
done_testing
