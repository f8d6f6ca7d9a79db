# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzing with libFuzzer, and how much of sim/erofs the tests cover.
#
#     make fuzz TIME=60                      each target for 60 seconds
#     make fuzz TIME=3600 TARGETS=image      one target
#     make coverage                          lines of sim/erofs that the unit tests run
#
# A target is tests/fuzz/fuzz_NAME.c; its seeds are in tests/fuzz/corpus/NAME (for images also those
# of tests/data/erofs-images), its words in tests/fuzz/NAME.dict.  What it learns stays in build/fuzz/corpus/NAME, findings go to
# build/fuzz/findings and end the run.

TIME ?= 60
TARGETS ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BUILD := build/fuzz
FUZZ_CC ?= clang-14
FUZZ_FLAGS := -std=gnu17 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -pthread
# libarchive takes memory for a cpio name of up to 4 GiB before it sees that the archive is shorter;
# it touches none of it.
FUZZ_OPTIONS := -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=6144 -print_final_stats=1
FUZZ_LIBRARY := $(LIBRARY_SOURCES:%.c=$(FUZZ_BUILD)/obj/%.o)

$(FUZZ_BUILD)/obj/%.o: %.c Makefile tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)$(FUZZ_CC) $(CPPFLAGS) $(PKG_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_BUILD)/%: $(FUZZ_BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_LIBRARY)
	$(call say,LINK,$@)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

-include $(FUZZ_LIBRARY:.o=.d) $(wildcard $(FUZZ_BUILD)/obj/tests/fuzz/*.d)
.PRECIOUS: $(FUZZ_BUILD)/obj/tests/fuzz/%.o

.PHONY: fuzz fuzz-programs
fuzz-programs: $(TARGETS:%=$(FUZZ_BUILD)/%)

fuzz:
	@$(MAKE) --no-print-directory deps-develop
	@$(MAKE) --no-print-directory fuzz-programs
	@mkdir -p $(FUZZ_BUILD)/seeds/image && \
	    tar -C $(FUZZ_BUILD)/seeds/image -xf tests/data/erofs-images/images.tar.xz
	@for target in $(TARGETS); do \
	    mkdir -p $(FUZZ_BUILD)/corpus/$$target $(FUZZ_BUILD)/findings; \
	    dictionary=tests/fuzz/$$target.dict; \
	    [ -e $$dictionary ] && dictionary=-dict=$$dictionary || dictionary=; \
	    echo "fuzz: $$target, $(TIME) s"; \
	    XDG_CACHE_HOME=$(CURDIR)/$(FUZZ_BUILD)/cache $(FUZZ_BUILD)/$$target -max_total_time=$(TIME) \
	        $$dictionary $(FUZZ_OPTIONS) \
	        -artifact_prefix=$(FUZZ_BUILD)/findings/$$target- \
	        $(FUZZ_BUILD)/corpus/$$target $$(ls -d tests/fuzz/corpus/$$target $(FUZZ_BUILD)/seeds/$$target 2>/dev/null) \
	        >$(FUZZ_BUILD)/$$target.log 2>&1 || { tail -60 $(FUZZ_BUILD)/$$target.log; exit 1; }; \
	    grep -E 'cov:|stat::(number_of_executed_units|average_exec)' $(FUZZ_BUILD)/$$target.log | \
	        tail -3; \
	done

# Runs the unit tests that touch sim/erofs in a build that counts lines.
COVERAGE_TESTS ?= $(wildcard tests/unit/erofs_*.c)

.PHONY: coverage
coverage:
	@$(MAKE) --no-print-directory deps-develop
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@MUTATIONS=$${MUTATIONS:-200} $(MAKE) --no-print-directory COVERAGE=1 check-only \
	    TESTS='$(COVERAGE_TESTS)'
	@lcov --quiet --capture --initial --directory build/coverage/obj/sim/erofs \
	    --base-directory $(CURDIR) --output-file build/coverage/none.info 2>/dev/null
	@lcov --quiet --capture --directory build/coverage/obj/sim/erofs --base-directory $(CURDIR) \
	    --output-file build/coverage/some.info 2>/dev/null
	@lcov --quiet --add-tracefile build/coverage/none.info --add-tracefile build/coverage/some.info \
	    --output-file build/coverage/all.info
	@lcov --quiet --extract build/coverage/all.info '*/sim/erofs/*' \
	    --output-file build/coverage/erofs.info
	@lcov --list build/coverage/erofs.info
