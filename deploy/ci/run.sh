#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# run: the test of a CI job: an instance file, or cases, with a report, and the status of what ran.
#
#     deploy/ci/run.sh FILE [OPTION...]
#
# FILE is an instance file (.yaml, .yml, .json), which is run, or a case or a folder of cases, which
# are replayed.  The report is ROMSIM_REPORT (romsim-junit.xml), JUnit's XML.  GitHub shows what is
# written to GITHUB_STEP_SUMMARY, and has outputs in GITHUB_OUTPUT.
set -u
file=${1:?usage: run.sh FILE [OPTION...]}
shift
report=${ROMSIM_REPORT:-romsim-junit.xml}
case $file in
*.yaml | *.yml | *.json) command=run ;;
*) command=replay ;;
esac
mkdir -p -- "$(dirname -- "$report")" && rm -f -- "$report" || exit 125
log=$(mktemp) || exit 125
trap 'rm -f "$log"' EXIT

romsim "$command" --junit "$report" "$@" -- "$file" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

if [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
    { if [ "$status" = 0 ]; then echo "### romsim $command: passed"
      else echo "### romsim $command: failed with $status"; fi
      # Indented, so that no text of an app is taken for Markdown.
      printf '\n    $ romsim %s %s\n' "$command" "$file"
      tail -n 40 "$log" | cut -c1-500 | tr -d '\000-\010\013-\037' | sed 's/^/    /'
    } >>"$GITHUB_STEP_SUMMARY"
fi
if [ -n "${GITHUB_OUTPUT-}" ]; then printf 'status=%s\nreport=%s\n' "$status" "$report" >>"$GITHUB_OUTPUT"; fi
exit "$status"
