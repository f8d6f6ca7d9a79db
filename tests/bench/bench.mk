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

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(SANITIZED) $(BUILD)/libromsim.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS)

-include $(BUILD)/obj/tests/bench/seam.d

bench-only: $(BUILD)/romsim $(BUILD)/tests/bench/seam
	@BUILD=$(BUILD) tests/bench/run $(BENCH)
