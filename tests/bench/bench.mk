# SPDX-License-Identifier: BSD-3-Clause
#
# make bench: ratios against peers and between ways of doing the same, on this machine.  Each
# tests/bench/*.sh prints a table of its own, and a line for each ratio that matters:
#
#     ratio: WHAT: VALUE (wanted: at most 0.73)
#
# They are printed again at the end.  BENCH='tests/bench/boot.sh' runs some.

BENCH ?= $(sort $(wildcard tests/bench/*.sh))

.PHONY: bench bench-only
bench:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest samples
	@$(MAKE) --no-print-directory bench-only

bench-only: $(BUILD)/romsim
	@BUILD=$(BUILD) tests/bench/run $(BENCH)
