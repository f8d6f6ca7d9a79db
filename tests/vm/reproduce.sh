#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# reproduce.sh: every command of docs/reproduce.md says what the page shows.
. "$(dirname "$0")/../alone.sh"
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/pages.sh"

page=$(cat "$ROOT/docs/reproduce.md")
is "$(cd "$SAMPLES/bugs" && ls | wc -l)" 8 "there are eight bugs"
for bug in "$SAMPLES"/bugs/*/; do
    name=$(basename "$bug")
    like "$page" "samples/bugs/$name/instance.yaml" "the page has $name"
    like "$(cat "$bug/README.md")" "samples/bugs/$name/instance.yaml" "and its README the command"
done

need guest "the bugs are reproduced" || done_testing
need fuse "the bugs are reproduced" || done_testing
walk_page docs/reproduce.md
done_testing
