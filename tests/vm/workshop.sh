#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# workshop.sh: docs/workshop.md, walked from its first line to its last: each exercise's check passes
# when it is done, and has said before what is missing.
. "$(dirname "$0")/../alone.sh"
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/pages.sh"

need guest "the workshop" || done_testing
need fuse "the workshop" || done_testing
need curl "the workshop" || done_testing
SOLUTIONS=$DATA/workshop
walk_page docs/workshop.md

# An app may take long before it listens, on a machine that is busy; one that has ended never will.
romsim workshop start 1 2>/dev/null
sed 's/exec httpd/sleep 15; exec httpd/' "$SOLUTIONS/1/hello.yaml" >workshop-1/hello.yaml
ok "an app that is slow" romsim run -d workshop-1/hello.yaml
ok "is waited for" romsim workshop check 1
romsim rm hello >/dev/null
sed 's/exec httpd.*site/sleep 5/' "$SOLUTIONS/1/hello.yaml" >workshop-1/hello.yaml
ok "and one that ends" romsim run -d workshop-1/hello.yaml
fails 1 "no longer than it runs" romsim workshop check 1
romsim rm --all >/dev/null
done_testing
