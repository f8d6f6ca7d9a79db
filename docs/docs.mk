# SPDX-License-Identifier: BSD-3-Clause
#
# make install and uninstall: the program, its man pages, the completion for bash and the guest
# bundle, under DESTDIR and PREFIX.  What they do not find built they build first.
#
# Where they go is the shell's variable $to, from the environment: a path may have blanks, quotes
# and a leading '-', and no text of it becomes part of a command.  What is taken away are the files
# that were installed and the folders that are ours and empty then, never a tree.

INSTALL_PAGES := $(sort $(wildcard docs/*.1 docs/*.5))
INSTALL_GUEST := vmlinux initrd info
page_folder = share/man/man$(subst .,,$(suffix $(1)))
INSTALLED := bin/romsim share/bash-completion/completions/romsim \
	$(foreach page,$(INSTALL_PAGES),$(call page_folder,$(page))/$(notdir $(page))) \
	$(INSTALL_GUEST:%=lib/romsim/guest/%)

.PHONY: install install-only uninstall
install-only uninstall: export to = $(DESTDIR)$(PREFIX)

# put FILE MODE PLACE
put = @echo "install $(1) $$to/$(3)" && install -DT -m $(2) -- $(1) "$$to/$(3)"

install: all guest
	@$(MAKE) --no-print-directory install-only

install-only:
	$(call put,$(BUILD)/romsim,0755,bin/romsim)
	$(call put,docs/romsim.bash,0644,share/bash-completion/completions/romsim)
	$(foreach page,$(INSTALL_PAGES),$(call put,$(page),0644,$(call page_folder,$(page))/$(notdir $(page)))$(newline))
	$(foreach file,$(INSTALL_GUEST),$(call put,build/guest/$(file),0644,lib/romsim/guest/$(file))$(newline))

uninstall:
	@for file in $(INSTALLED); do echo "rm $$to/$$file"; rm -f -- "$$to/$$file"; done
	@rmdir --ignore-fail-on-non-empty -- "$$to/lib/romsim/guest" "$$to/lib/romsim" 2>/dev/null || :
