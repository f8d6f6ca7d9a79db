#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mirror: the archive that this machine's apt has Debian from, for mmdebstrap.  MIRROR=URL is another.
set -eu
[ -z "${MIRROR-}" ] || { echo "$MIRROR"; exit; }
sed -n 's/^URIs: *\(.*debian\)$/\1/p; s/^deb \(\[.*\] \)\{0,1\}\([^ ]*\/debian\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1
