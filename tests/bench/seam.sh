#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# seam.sh: the price of the seam where there is nothing in it (seam.c), in process: a bench of FUSE
# would not show it for its noise.
exec "${BUILD:-build}/tests/bench/seam"
