# SPDX-License-Identifier: BSD-3-Clause
#
# The tests.  Each is a program that speaks TAP: tests/unit/*.c with Check, tests/cli/*.sh and
# tests/vm/*.sh on the whole program.  tests/run runs them and prints the totals.
# TESTS='tests/unit/tree.c tests/cli/plan.sh' runs some; MUST_RUN=1 makes skips failures.

UNIT_SOURCES := $(sort $(wildcard tests/unit/*.c))
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/unit/%)
CHECK_CFLAGS = $(eval CHECK_CFLAGS := $(shell $(PKG_CONFIG) --cflags check))$(CHECK_CFLAGS)
CHECK_LIBS = $(eval CHECK_LIBS := $(shell $(PKG_CONFIG) --libs check))$(CHECK_LIBS)
TESTS ?= $(UNIT_SOURCES) $(sort $(wildcard tests/cli/*.sh)) $(sort $(wildcard tests/vm/*.sh))

$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/packages-present
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CHECK_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(SANITIZED) $(BUILD)/libromsim.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS)

-include $(UNIT_SOURCES:%.c=$(BUILD)/obj/%.d)
.PRECIOUS: $(BUILD)/obj/tests/%.o

.PHONY: check-programs check-only check check-brief
check-programs: $(BUILD)/romsim $(UNIT_PROGRAMS)

# The tests alone, for when all set-up is there.
check-only: check-programs
	@BUILD=$(BUILD) SANITIZE=$(SANITIZE) tests/run $(TESTS)

# Two minutes of what `make check` does for twenty seconds.
.PHONY: chaos
chaos: $(BUILD)/romsim
	@BUILD=$(BUILD) CHAOS_SECONDS=$${CHAOS_SECONDS:-120} tests/vm/chaos.sh

# What another release is tried with (.ci/run): all unit tests, and one boot.
check-brief:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest $(SAMPLES)/.busybox check-programs
	@MUTATIONS=200 $(MAKE) --no-print-directory check-only TESTS='$(UNIT_SOURCES)'
	@set -o pipefail; $(BUILD)/romsim run samples/hello/instance.yaml | grep "Hello from a ROM"

# Each step its own make, because the next one looks for what the one before installed.
check:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest
	@$(MAKE) --no-print-directory check-samples
	@$(MAKE) --no-print-directory -j$$(nproc) check-programs
	@$(MAKE) --no-print-directory check-only
