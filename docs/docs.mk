# SPDX-License-Identifier: BSD-3-Clause
#
# make install and uninstall: the program, its man pages, the completion for bash and the guest
# bundle, under DESTDIR and PREFIX.  What they do not find built they build first.

INSTALL_PAGES := $(sort $(wildcard docs/*.1 docs/*.5))
INSTALL_GUEST = $(addprefix build/guest/,vmlinux initrd info)
INSTALL_ROOT = $(DESTDIR)$(PREFIX)
COMPLETIONS = share/bash-completion/completions
INSTALLED = bin/romsim $(COMPLETIONS)/romsim lib/romsim/guest \
	$(foreach page,$(INSTALL_PAGES),share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

.PHONY: install install-only uninstall
install: all guest
	@$(MAKE) --no-print-directory install-only

install-only:
	install -D -m 0755 $(BUILD)/romsim $(INSTALL_ROOT)/bin/romsim
	install -D -m 0644 docs/romsim.bash $(INSTALL_ROOT)/$(COMPLETIONS)/romsim
	@for page in $(INSTALL_PAGES); do \
	    echo install -m 0644 $$page $(INSTALL_ROOT)/share/man/man$${page##*.}; \
	    install -D -m 0644 -t $(INSTALL_ROOT)/share/man/man$${page##*.} $$page; done
	install -D -m 0644 -t $(INSTALL_ROOT)/lib/romsim/guest $(INSTALL_GUEST)

uninstall:
	rm -rf $(addprefix $(INSTALL_ROOT)/,$(INSTALLED))
	-@rmdir --ignore-fail-on-non-empty $(INSTALL_ROOT)/lib/romsim 2>/dev/null
