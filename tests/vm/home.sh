#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# home.sh: a boot where there is no home, or one that may only be read.
. "$(dirname "$0")/../lib.sh"
need guest "boots without a home" || done_testing

"$SAMPLES/busybox-base.sh" base
tar cf base.tar -C base .
mkdir rom readonly
echo content >rom/file
chmod 555 readonly
[ "$(id -u)" != 0 ] || mount -t tmpfs -o ro none readonly 2>/dev/null # root writes anywhere else

homeless() { env -u XDG_CACHE_HOME -u XDG_DATA_HOME -u XDG_RUNTIME_DIR HOME="$1" "${@:2}"; }
for home in /proc/none "$T/readonly"; do
    ok "a boot with the home $home" homeless "$home" "$ROMSIM" run --image ./base.tar \
        --rom name=r,image=./rom,at=/r --args "cat /r/file"
    like "$out" "content" "reaches the app"
    is "$(grep -c 'built images are not kept' <<<"$out")" 1 "and says once that nothing is kept"
    ok "and another one, quietly" homeless "$home" "$ROMSIM" run -q --image ./base.tar --args "true"
    is "$out" "" "without a word"
done
done_testing
