# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# alone.sh: gives a test all ports of 127.0.0.1, for pages that name theirs.
#
#     . "$(dirname "$0")/../alone.sh"       # before lib.sh: the test begins anew
#
# In a network namespace where root can make one; elsewhere the test takes its chance, as the page's
# reader does.
if [ -z "${ROMSIM_TEST_IS_ALONE-}" ] && [ "$(id -u)" = 0 ] && command -v ip >/dev/null &&
    unshare --net true 2>/dev/null; then
    ROMSIM_TEST_IS_ALONE=1 exec unshare --net bash -c 'ip link set lo up && exec "$@"' sh bash "$0" "$@"
fi
unset ROMSIM_TEST_IS_ALONE
