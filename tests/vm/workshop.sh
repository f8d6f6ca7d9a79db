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
done_testing
