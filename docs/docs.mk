# SPDX-License-Identifier: BSD-3-Clause
#
# make install and uninstall: the program, its man pages, schemas and completions, and the guest
# bundle, under DESTDIR and PREFIX.  What they do not find built they build first.
#
# Where they go is the shell's variable $to, from the environment: a path may have blanks, quotes
# and a leading '-', and no text of it becomes part of a command.  What is taken away are the files
# that were installed and the folders that are ours and empty then, never a tree.

INSTALL_PAGES := $(sort $(wildcard docs/*.1 docs/*.5))
INSTALL_GUEST := vmlinux initrd initrd.shell info
INSTALL_SCHEMAS := instance kraftfile
page_folder = share/man/man$(subst .,,$(suffix $(1)))
INSTALLED := bin/romsim share/bash-completion/completions/romsim \
	share/zsh/site-functions/_romsim share/fish/vendor_completions.d/romsim.fish \
	$(INSTALL_SCHEMAS:%=share/romsim/%.schema.json) \
	$(foreach page,$(INSTALL_PAGES),$(call page_folder,$(page))/$(notdir $(page))) \
	$(INSTALL_GUEST:%=lib/romsim/guest/%) \
	$(foreach arch,$(OTHER_ARCH),$(INSTALL_GUEST:%=lib/romsim/guest-$(arch)/%))
# The bundles that are there for guests of another architecture.
INSTALL_OTHERS := $(if $(FOREIGN),,$(foreach arch,$(OTHER_ARCH),$(wildcard $(INSTALL_GUEST:%=build/guest-$(arch)/%))))

.PHONY: schemas
SCHEMAS := $(INSTALL_SCHEMAS:%=$(BUILD)/%.schema.json)
all check-programs schemas: $(SCHEMAS)
$(SCHEMAS): $(BUILD)/%.schema.json: $(BUILD)/romsim
	$(call say,GEN,$@)$(EMULATE) $< schema $* >$@

.PHONY: install install-only uninstall
install-only uninstall: export to = $(DESTDIR)$(PREFIX)

# put FILE MODE PLACE
put = @echo "install $(1) $$to/$(3)" && install -DT -m $(2) -- $(1) "$$to/$(3)"

install: all guest
	@$(MAKE) --no-print-directory install-only

install-only:
	$(call put,$(BUILD)/romsim,0755,bin/romsim)
	$(call put,docs/romsim.bash,0644,share/bash-completion/completions/romsim)
	$(call put,docs/romsim.zsh,0644,share/zsh/site-functions/_romsim)
	$(call put,docs/romsim.fish,0644,share/fish/vendor_completions.d/romsim.fish)
	$(foreach kind,$(INSTALL_SCHEMAS),$(call put,$(BUILD)/$(kind).schema.json,0644,share/romsim/$(kind).schema.json)$(newline))
	$(foreach page,$(INSTALL_PAGES),$(call put,$(page),0644,$(call page_folder,$(page))/$(notdir $(page)))$(newline))
	$(foreach file,$(filter-out initrd.shell,$(INSTALL_GUEST)) $(notdir $(wildcard $(GUEST)/initrd.shell)),$(call put,$(GUEST)/$(file),0644,lib/romsim/guest/$(file))$(newline))
	$(foreach file,$(INSTALL_OTHERS),$(call put,$(file),0644,lib/romsim/$(file:build/%=%))$(newline))

uninstall:
	@for file in $(INSTALLED); do echo "rm $$to/$$file"; rm -f -- "$$to/$$file"; done
	@rmdir --ignore-fail-on-non-empty -- "$$to/lib/romsim/guest" $(OTHER_ARCH:%="$$to/lib/romsim/guest-%") "$$to/lib/romsim" "$$to/share/romsim" 2>/dev/null || :
