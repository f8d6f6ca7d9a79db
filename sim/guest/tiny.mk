# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel of `make guest KERNEL=tiny`: the distribution's source with what tiny.config names, and
# nothing else; no modules.  It needs `make deps-tiny`, and is built in minutes.

# The same source and compiler give the same kernel: it has fixed times, and nobody's name.
LINUX_MAKE = $(MAKE) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)) -s -C $(GUEST_WORK)/source \
	O=$(abspath $(GUEST_WORK)/linux) ARCH=x86_64 CC="$(CC)" KBUILD_BUILD_USER=romsim \
	KBUILD_BUILD_HOST=romsim KBUILD_BUILD_TIMESTAMP=@0
LINUX_TOOLS := flex bison bc

$(GUEST_WORK)/source: $(GUEST_WORK)/kernel.deb
	@rm -rf $@ $@.new && mkdir -p $@.new
	$(call say,MAKE,$@)dpkg-deb --fsys-tarfile $< | \
	    tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | tar -xJ -C $@.new --strip-components=1
	@mv $@.new $@
	@touch $@

# What the file asks for and this kernel does not have is said: it would be missed later.
$(GUEST_WORK)/linux/.config: sim/guest/tiny.config $(GUEST_WORK)/source
	@mkdir -p $(@D)
	@for tool in $(LINUX_TOOLS); do command -v $$tool >/dev/null || { \
	    echo "the tiny kernel needs '$$tool': run 'make deps-tiny'" >&2; exit 1; }; done
	@KCONFIG_ALLCONFIG=$(abspath $<) $(LINUX_MAKE) allnoconfig >/dev/null
	@! grep '^CONFIG_' $< | grep -vxFf $@ >&2 || { \
	    echo "$<: this kernel has not got that" >&2; rm $@; exit 1; }

$(GUEST)/vmlinux: $(GUEST_WORK)/linux/.config
	@mkdir -p $(@D)
	+$(call say,MAKE,$@)$(LINUX_MAKE) vmlinux
	@strip -o $@ $(GUEST_WORK)/linux/vmlinux

$(GUEST_WORK)/release: $(GUEST)/vmlinux
	@cp $(GUEST_WORK)/linux/include/config/kernel.release $@

$(GUEST_WORK)/module-files:
	@mkdir -p $@
