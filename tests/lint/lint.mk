# SPDX-License-Identifier: BSD-3-Clause
#
# make lint: what a compiler and a test do not see.  Every part looks at the files that git knows,
# so a scratch file in the checkout fails nothing.  A finding that is wrong is silenced where it
# stands (NOLINT, cppcheck-suppress), with the reason.

LINT_C = $(shell git ls-files '*.c' '*.h')
LINT_UNITS = $(filter sim/%.c fuse/%.c,$(LINT_C))
LINT_PAGES = $(shell git ls-files 'docs/*.1' 'docs/*.5')

# Neither tool knows __attribute__((cleanup)): their leak checks only see ghosts, the sanitized
# tests see the real ones.  The path-sensitive part of clang does not know, across files, that
# romsim_error_set() returns -1, and takes minutes: only its checks of the syntax are used.
LINT_CPPCHECK := --enable=warning,performance,portability --inline-suppr \
	--suppress=memleak --suppress=resourceLeak --suppress=uninitdata --suppress=internalAstError \
	--suppress=readdirCalled --suppress=getpwuidCalled --suppress=memleakOnRealloc
LINT_TIDY := -*,$\
	bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,$\
	-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions,$\
	-bugprone-implicit-widening-of-multiplication-result,-bugprone-branch-clone,$\
	-bugprone-macro-parentheses,-bugprone-misplaced-widening-cast,-bugprone-sizeof-expression,-bugprone-suspicious-include

.PHONY: lint lint-format lint-rooms lint-words lint-modes lint-cppcheck lint-tidy lint-pages
lint: lint-format lint-rooms lint-words lint-modes lint-pages lint-cppcheck lint-tidy
	@echo "lint: clean"

lint-format:
	@clang-format-14 --dry-run -Werror $(LINT_C)

# The table in docs/hacking.md: which room may include what.
lint-rooms:
	@tests/lint/rooms.py docs/hacking.md $(LINT_C)

lint-words:
	@tests/lint/words.sh

# What begins with #! is run directly, and what is run directly begins with #!.
lint-modes:
	@tests/lint/modes.sh

lint-pages:
	@$(if $(LINT_PAGES),mandoc -T lint -W warning $(LINT_PAGES))

lint-cppcheck:
	@cppcheck --quiet --error-exitcode=1 --std=c11 --language=c -j2 $(LINT_CPPCHECK) \
	    --library=posix --library=gnu --platform=unix64 -D_GNU_SOURCE -D__GNUC__=12 \
	    -D__x86_64__ -DROMSIM_VERSION='""' -Iinclude -I. $(LINT_UNITS)

lint-tidy:
	@printf '%s\n' $(LINT_UNITS) | xargs -P2 -n4 tests/lint/tidy.sh '$(LINT_TIDY)' \
	    $(CPPFLAGS) $(PKG_CFLAGS) -std=gnu17 --
