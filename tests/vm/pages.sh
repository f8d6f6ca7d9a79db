#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# pages.sh: the pages of docs for users, walked as their readers would (workshop.sh and reproduce.sh
# walk theirs), and the picture of the README.
. "$(dirname "$0")/../alone.sh"
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/pages.sh"

# No page with commands is forgotten.
for page in README.md $(cd "$ROOT" && grep -l '^```console' docs/*.md); do
    if grep -qrF "$page" "$ROOT"/tests/{vm,release}; then pass "$page is walked by a test"
    else fail "$page is walked by a test"; fi
done

need guest "the pages" || done_testing
need fuse "the pages" || done_testing
need curl "the pages" || done_testing
for page in ${PAGES:-README.md docs/developer.md docs/teacher.md docs/cases.md docs/clients.md}; do
    walk_page "$page"
done

# The picture is of what the commands print today.
cd "$ROOT" || exit 1
docs/terminal.py "$ROMSIM" >"$T/terminal.svg"
same docs/terminal.svg "$T/terminal.svg" "the picture of the README is of a run of today"
done_testing
