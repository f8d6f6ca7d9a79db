# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzing with libFuzzer, and how much of sim/erofs the tests cover.
#
#     make fuzz TIME=60                      each target for 60 seconds
#     make fuzz TIME=3600 TARGETS=image      one target
#     make fuzz TIME=3600 JOBS=2             two targets at a time
#     make coverage                          lines of sim/erofs that the unit tests run
#
# A target is tests/fuzz/fuzz_NAME.c; its seeds are in tests/fuzz/corpus/NAME (for images also those
# of tests/data/erofs-images, shrunk), its words in tests/fuzz/NAME.dict.  What it learns stays in
# build/fuzz/corpus/NAME, findings go to build/fuzz/findings and end the target's run.

TIME ?= 60
TARGETS ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BUILD := build/fuzz
FUZZ_CC ?= clang-14
FUZZ_FLAGS := -std=gnu17 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -pthread
# No piece of memory may be larger than what is promised for an input of 1 MiB; what romsim itself
# takes is asked exactly in tests/fuzz/memory.c.  The process also has ASan's shadow and quarantine
# and libFuzzer's corpus, which grows.
FUZZ_OPTIONS := -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=68 -print_final_stats=1
FUZZ_LIBRARY := $(LIBRARY_SOURCES:%.c=$(FUZZ_BUILD)/obj/%.o)

$(FUZZ_BUILD)/obj/%.o: %.c Makefile tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)$(FUZZ_CC) $(CPPFLAGS) $(PKG_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

# What tests/fuzz/memory.c looks at.
FUZZ_WRAP := LLVMFuzzerTestOneInput malloc calloc realloc
$(FUZZ_BUILD)/%: $(FUZZ_BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_BUILD)/obj/tests/fuzz/memory.o $(FUZZ_LIBRARY)
	$(call say,LINK,$@)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer $(FUZZ_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(PKG_LIBS)

-include $(FUZZ_LIBRARY:.o=.d) $(wildcard $(FUZZ_BUILD)/obj/tests/fuzz/*.d)
.PRECIOUS: $(FUZZ_BUILD)/obj/%.o

.PHONY: fuzz fuzz-programs
fuzz-programs: $(TARGETS:%=$(FUZZ_BUILD)/%)

# Targets of images share the seeds and words of `image`.
FUZZ_IMAGES := $(FUZZ_BUILD)/seeds/image
fuzz_seeds = $(patsubst rom,image,$(1))
$(FUZZ_BUILD)/shrink: $(FUZZ_BUILD)/obj/tests/fuzz/shrink.o $(FUZZ_LIBRARY)
	$(call say,LINK,$@)$(FUZZ_CC) $(FUZZ_FLAGS) -o $@ $^ $(PKG_LIBS)

$(FUZZ_IMAGES): $(FUZZ_BUILD)/shrink tests/data/erofs-images/images.tar.xz
	@rm -rf $@ $(FUZZ_BUILD)/unpacked && mkdir -p $@ $(FUZZ_BUILD)/unpacked
	@tar -C $(FUZZ_BUILD)/unpacked -xf tests/data/erofs-images/images.tar.xz
	@for image in $(FUZZ_BUILD)/unpacked/*.erofs; do \
	    XDG_CACHE_HOME="$$PWD/$(FUZZ_BUILD)/cache" $< $$image $@/$${image##*/} || exit 1; done
	@rm -r $(FUZZ_BUILD)/unpacked

JOBS ?= 1
fuzz:
	@$(MAKE) --no-print-directory deps-develop
	@$(MAKE) --no-print-directory fuzz-programs $(if $(filter image rom,$(TARGETS)),$(FUZZ_IMAGES))
	@$(MAKE) --no-print-directory -k -j$(JOBS) $(TARGETS:%=fuzz-run-%)

# The seeds are read for the first line of the log that has "cov:", the last one has all.
.PHONY: $(TARGETS:%=fuzz-run-%)
$(TARGETS:%=fuzz-run-%): fuzz-run-%:
	@mkdir -p $(FUZZ_BUILD)/corpus/$* $(FUZZ_BUILD)/findings
	@XDG_CACHE_HOME="$$PWD/$(FUZZ_BUILD)/cache" $(FUZZ_BUILD)/$* -max_total_time=$(TIME) \
	    $(patsubst %,-dict=%,$(wildcard tests/fuzz/$(call fuzz_seeds,$*).dict)) $(FUZZ_OPTIONS) \
	    -artifact_prefix=$(FUZZ_BUILD)/findings/$*- $(FUZZ_BUILD)/corpus/$* \
	    $$(ls -d tests/fuzz/corpus/$(call fuzz_seeds,$*) \
	        $(FUZZ_BUILD)/seeds/$(call fuzz_seeds,$*) 2>/dev/null) \
	    >$(FUZZ_BUILD)/$*.log 2>&1 || { tail -60 $(FUZZ_BUILD)/$*.log; exit 1; }
	@awk -f tests/fuzz/summary.awk target=$* $(FUZZ_BUILD)/$*.log

# Runs the unit tests that touch sim/erofs in a build that counts lines.
COVERAGE_TESTS ?= $(wildcard tests/unit/erofs_*.c)

.PHONY: coverage
coverage:
	@$(MAKE) --no-print-directory deps-develop
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@MUTATIONS=$${MUTATIONS:-200} $(MAKE) --no-print-directory COVERAGE=1 check-only \
	    TESTS='$(COVERAGE_TESTS)'
	@lcov --quiet --capture --initial --directory build/coverage/obj/sim/erofs \
	    --base-directory "$$PWD" --output-file build/coverage/none.info 2>/dev/null
	@lcov --quiet --capture --directory build/coverage/obj/sim/erofs --base-directory "$$PWD" \
	    --output-file build/coverage/some.info 2>/dev/null
	@lcov --quiet --add-tracefile build/coverage/none.info --add-tracefile build/coverage/some.info \
	    --output-file build/coverage/all.info
	@lcov --quiet --extract build/coverage/all.info '*/sim/erofs/*' \
	    --output-file build/coverage/erofs.info
	@lcov --list build/coverage/erofs.info
