#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# page.sh: the page of `romsim serve` in a headless Chromium: signing in, instances as they come and
# go, the console as it goes on, the plan, a ROM's files, starting, stopping and deleting, with a
# mouse and with the keyboard alone; names and bytes that would like to be more than text; room, dark
# and contrast; a server that goes away and comes back.
#
# PAGE_PICTURES=FOLDER keeps pictures of it, for somebody to look at.
. "$(dirname "$0")/clients.bash"
need guest "the page" || done_testing
need chromium "the page" || done_testing
need python3 "the page" || done_testing

make_images
romsim image tag org/base:latest app:latest >/dev/null || fail "the example's image is tagged"
start_server
judge python3 "$HERE/page.py" "$ROMSIM" "$url" "$token" "$server" "$T" ${PAGE_PICTURES:+"$PAGE_PICTURES"}
done_testing
