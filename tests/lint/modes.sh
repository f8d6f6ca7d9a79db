#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# modes: scripts are executable in git, and nothing else is: prove runs the tests directly, and one that is
# not executable does not run in a fresh clone.  (What is in the samples is for the guest.)
set -u
cd "$(dirname "$0")/../.."
status=0

complain() { echo "$1"; status=1; }

while read -r mode _ _ file; do
    [ -f "$file" ] || continue # deleted, and not committed yet
    begins_as_script=$([ "$(head -c 2 "$file" | tr -d '\0')" = '#!' ] && echo yes)
    case $mode,$begins_as_script in
    100644,yes) complain "$file: a script that is not executable: git add --chmod=+x $file" ;;
    100755,) complain "$file: executable, and no script: git add --chmod=-x $file" ;;
    esac
    case $mode,$begins_as_script,$file in
    100644,,tests/cli/*.sh | 100644,,tests/vm/*.sh | 100644,,tests/clients/*.sh | 100644,,tests/bench/*.sh)
        complain "$file: a test without '#!/bin/bash'" ;;
    esac
done < <(git ls-files -s ':!samples/*/*')
exit $status
