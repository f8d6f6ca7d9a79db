#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tidy: clang-tidy without its chatter about suppressed warnings.
#
#     tests/lint/tidy.sh CHECKS COMPILER-FLAG... -- FILE...
set -u
checks=$1
shift
flags=()
while [ "$1" != -- ]; do flags+=("$1"); shift; done
shift
clang-tidy-14 --quiet --warnings-as-errors='*' --checks="$checks" "$@" -- "${flags[@]}" \
    2> >(grep -vE '^[0-9]+ (warnings?|errors?)( and [0-9]+ errors?)? generated|^Suppressed |^Use -header' >&2)
