# SPDX-License-Identifier: BSD-3-Clause
#
# make bench: ours and the peers', side by side and in the same run, on this machine: medians of
# interleaved rounds.  Each tests/bench/*.sh prints what it likes, and a line for each figure:
#
#     row: WHAT | OURS UNIT | PEER UNIT, WHO | at most 1.0
#     ratio: WHAT: VALUE (wanted: at most 0.73)
#
# The end is a table of all of them.  BENCH='tests/bench/boot.sh' runs some, ROUNDS=N as many rounds;
# BENCH_JSON=FILE writes the table there as JSON, too.  The peer for EROFS is Debian's erofs-utils,
# or the build that EROFS_UTILS=DIR names (DIR/bin/mkfs.erofs, DIR/bin/erofsfuse).
#
# make bench-doc: the same, and the table of docs/performance.md is the new one.

BENCH ?= $(sort $(wildcard tests/bench/*.sh))

.PHONY: bench bench-doc bench-only
bench-doc: export BENCH_DOC = docs/performance.md
bench bench-doc:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest samples
	@$(MAKE) --no-print-directory bench-only

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(SANITIZED) $(BUILD)/libromsim.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS)

-include $(BUILD)/obj/tests/bench/seam.d $(BUILD)/obj/tests/bench/inline.d

BENCH_COMMAND ?= $(strip make $(MAKECMDGOALS) $(foreach name,BENCH ROUNDS,\
	$(if $(findstring command,$(origin $(name))),$(name)='$($(name))')) \
	$(if $(EROFS_UTILS),EROFS_UTILS=$(notdir $(EROFS_UTILS))))
override EROFS_UTILS := $(abspath $(EROFS_UTILS))
export BENCH_COMMAND ROUNDS EROFS_UTILS BENCH_JSON

bench-only: $(BUILD)/romsim $(BUILD)/tests/bench/seam $(BUILD)/tests/bench/inline
	@BUILD=$(BUILD) tests/bench/run $(BENCH)
