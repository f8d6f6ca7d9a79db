# SPDX-License-Identifier: BSD-3-Clause
#
# The guest bundle: build/guest/{vmlinux,initrd,initrd.shell,info}, the same for plain and sanitized builds; and
# with KERNEL=tiny one with another kernel (tiny.mk), build/guest-tiny, which romsim takes if
# ROMSIM_GUEST names it; and with KERNEL=host one with the kernel that this machine runs, or that
# BOOT=DIR has, which looks like the root of a machine (host/host-kernel.sh): build/guest-host, which
# romsim takes where there is no build/guest.  With ARCH=arm64 (or amd64, where that is another than
# this machine's) it is the one for `romsim run --arch arm64`, build/guest-arm64.
#
# The kernel is the distribution's own, from its package: downloaded with apt (no root needed) and
# unpacked into the build folder, never installed.  KERNEL_DEB=FILE takes a package that is there
# already (with KERNEL=tiny one of its source).  The initramfs holds init (static) and the modules
# that it loads, in the order of their dependencies; without debug data and signatures, whose check
# costs more than the rest of loading.  `info` is its manifest: the architecture, the kernel's
# release, the package and the source package that it is from, and the digests.
# Releases differ: modules lie in lib/modules or (since Debian 13) in usr/lib/modules, plain or
# compressed, and depmod looks in the one of its own release; so both names lead to them.

ifneq ($(filter-out tiny host,$(KERNEL)),)
$(error KERNEL is '$(KERNEL)'; without it the kernel is the distribution's, and there are 'tiny' and 'host')
endif
ifneq ($(and $(KERNEL),$(or $(FOREIGN),$(and $(filter tiny,$(KERNEL)),$(filter-out amd64,$(ARCH))))),)
$(error there is no KERNEL=$(KERNEL) for ARCH=$(ARCH))
endif
GUEST := build/guest$(FOREIGN)$(KERNEL:%=-%)
GUEST_WORK := $(GUEST)-work
KERNEL_PACKAGE ?= $(if $(KERNEL),linux-source,linux-image-cloud-$(ARCH))
KERNEL_DEB ?=
BOOT ?=
GUEST_MODULES := virtio_pci virtio_blk virtio_net virtio_console erofs overlay fuse
# Of a volume's file system: loaded only if there is a volume.  Debian's cloud kernel has it built in.
GUEST_MODULES_EXT4 := ext4
GUEST_CC ?= $(if $(FOREIGN),$(CROSS)gcc,musl-gcc)
GUEST_APT := $(if $(FOREIGN),env APT_CONFIG="$(CURDIR)/$(APT_CONF)")
GUEST_CFLAGS := -std=gnu17 -static -Os -s -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -D_GNU_SOURCE $(if $(WERROR),-Werror)
# The shell of `romsim run --shell`: static, and of the kind that starts its applets without a PATH.
# Without one there is no initrd.shell, and no shell.
ifneq ($(FOREIGN),)
GUEST_BUSYBOX := build/$(ARCH)/sysroot/bin/busybox
$(GUEST_BUSYBOX): $(SYSROOT)
endif
ifndef GUEST_BUSYBOX
GUEST_BUSYBOX := $(shell file=$$(command -v busybox) && \
	! readelf -l "$$file" 2>/dev/null | grep -q INTERP && \
	env -i PATH=/nonexistent "$$file" sh -c 'ls / >/dev/null' 2>/dev/null && echo "$$file")
endif
GUEST_SOURCES := $(sort $(wildcard sim/guest/*.c))
GUEST_PATH := $$PATH:/usr/sbin:/sbin

HOST_KERNEL := sim/guest/host/host-kernel.sh

.PHONY: guest guest-tiny guest-host $(OTHER_ARCH:%=guest-%)
guest: $(GUEST)/info

# A bundle that is there is kept with its kernel.
guest-host:
	@$(MAKE) --no-print-directory guest KERNEL=host HOST_KERNEL_STAYS=1

guest-tiny:
	@$(MAKE) --no-print-directory guest KERNEL=tiny

$(OTHER_ARCH:%=guest-%): guest-%:
	@$(MAKE) --no-print-directory guest ARCH=$*

# A path with blanks cannot be a prerequisite: a package that is given is compared instead.
.PHONY: kernel-deb-given
kernel-deb-given:
$(GUEST_WORK)/kernel.deb: export KERNEL_DEB := $(KERNEL_DEB)

# The meta package names the kernel of the day.
$(GUEST_WORK)/kernel.deb: $(if $(KERNEL_DEB),kernel-deb-given) | $(if $(FOREIGN),$(APT_CONF))
	@mkdir -p $(@D)
	@if [ -n "$$KERNEL_DEB" ]; then \
	    cmp -s -- "$$KERNEL_DEB" $@ || cp -- "$$KERNEL_DEB" $@; exit; fi; \
	rm -f $(@D)/*.deb; \
	command -v apt-get >/dev/null || { echo "make guest needs apt-get," \
	    "or KERNEL_DEB=FILE with a Debian kernel package" >&2; \
	    $(HOST_KERNEL) ways $(KERNEL_PACKAGE) $(GUEST_MODULES); exit 1; }; \
	name() { $(GUEST_APT) apt-cache depends --important $(KERNEL_PACKAGE) 2>/dev/null | \
	    sed -n 's/^ *Depends: \(linux-[a-z]*-[0-9].*\)/\1/p' | head -n 1; }; \
	fetch() { [ -n "$$(name)" ] && echo "downloading $$(name)" && \
	    (cd $(@D) && $(GUEST_APT) apt-get -q -q -o APT::Sandbox::User=root download "$$(name)"); }; \
	fetch || { $(or $(GUEST_APT),$(SUDO)) apt-get -q -q update && fetch; } || { \
	    echo "cannot download $(KERNEL_PACKAGE): is Debian's archive reachable?" >&2; \
	    $(HOST_KERNEL) ways $(KERNEL_PACKAGE) $(GUEST_MODULES); exit 1; }; \
	mv $(@D)/linux-*.deb $@

ifeq ($(KERNEL),tiny)
include sim/guest/tiny.mk
else
ifeq ($(KERNEL),host)
# What is chosen is described, and taken anew if that differs.
.PHONY: host-kernel-given
host-kernel-given:
$(GUEST_WORK)/described $(GUEST_WORK)/unpacked: export BOOT := $(BOOT)

$(GUEST_WORK)/described: $(if $(HOST_KERNEL_STAYS),,host-kernel-given)
	@mkdir -p $(@D)
	@$(HOST_KERNEL) describe "$$BOOT" $(GUEST_MODULES) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(GUEST_WORK)/unpacked: $(GUEST_WORK)/described
	@rm -rf $@ $@.new
	@$(HOST_KERNEL) take $@.new "$$BOOT" $(GUEST_MODULES)
	@cd $@.new && mkdir usr && ln -s ../lib usr/lib && release=$$(ls lib/modules) && \
	if [ ! -L "lib/modules/$$release" ]; then PATH=$(GUEST_PATH) depmod -b . "$$release"; fi
	@mv $@.new $@
	@touch $@
else
$(GUEST_WORK)/unpacked: $(GUEST_WORK)/kernel.deb
	@rm -rf $@ $@.new
	dpkg-deb -x $< $@.new
	@cd $@.new && if [ -d usr/lib/modules ]; then ln -sfn usr/lib lib; \
	else mkdir -p usr && ln -sfn ../lib usr/lib; fi && \
	release=$$(ls lib/modules) && PATH=$(GUEST_PATH) depmod -b . "$$release"
	@mv $@.new $@
	@touch $@
endif

# A tool of this machine.
GUEST_UNPACK := $(if $(FOREIGN),build,$(BUILD))/unpack-kernel
ifneq ($(FOREIGN),)
$(GUEST_UNPACK):
	@$(MAKE) --no-print-directory ARCH=$(HOST_ARCH) CC=$(if $(filter ccache,$(CC)),"ccache gcc",gcc) $@
else
$(GUEST_UNPACK): $(BUILD)/obj/sim/guest/host/unpack-kernel.o $(BUILD)/libromsim.a
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
endif

# Made before there are two makes that would.
guest-host: $(GUEST_UNPACK)

$(GUEST)/vmlinux: $(GUEST_WORK)/unpacked | $(GUEST_UNPACK)
	@mkdir -p $(@D)
	$(call say,MAKE,$@)$(GUEST_UNPACK) $</boot/vmlinuz-* $@

# Prints "LIST MODULE".  modules.dep has, behind each module, what it needs, what is needed first
# last.  A module may also be a part of the kernel (modules.builtin, which is read first).
define make_modules
awk -v base='$(GUEST_MODULES)' -v ext4='$(GUEST_MODULES_EXT4)' ' \
    { gsub(":", "", $$1); name = $$1; sub(".*/", "", name); \
      sub("\\.ko(\\.[a-z0-9]+)?$$", "", name); \
      line = ""; for (i = NF; i >= 1; i--) line = line " " $$i; \
      lines[name] = FILENAME ~ /builtin$$/ ? "" : line } \
    function add(list, wanted) { \
        count = split(wanted, names, " "); \
        for (i = 1; i <= count; i++) { \
            if (!(names[i] in lines)) { \
                print "the kernel has no module " names[i] >"/dev/stderr"; exit 1 } \
            many = split(lines[names[i]], paths, " "); \
            for (j = 1; j <= many; j++) if (!seen[paths[j]]++) print list, paths[j] } } \
    END { add("order", base); add("order.ext4", ext4) }'
endef

$(GUEST_WORK)/release: $(GUEST_WORK)/unpacked
	@ls $</lib/modules >$@

$(GUEST_WORK)/module-files: $(GUEST_WORK)/unpacked
	@rm -rf $@ $@.new && mkdir -p $@.new
	@modules=$(GUEST_WORK)/unpacked/lib/modules; release=$$(ls $$modules); \
	cd $@.new && modules=../unpacked/lib/modules/$$release && \
	echo "$$release" | tee order >order.ext4 && \
	$(make_modules) "$$modules/modules.builtin" "$$modules/modules.dep" >../list && \
	while read -r list path; do \
	    file=$${path##*/}; \
	    case $$file in \
	    *.xz) file=$${file%.xz}; xz -dc "$$modules/$$path" ;; \
	    *.zst) file=$${file%.zst}; zstd -dcq "$$modules/$$path" ;; \
	    *.gz) file=$${file%.gz}; gzip -dc "$$modules/$$path" ;; \
	    *) cat "$$modules/$$path" ;; \
	    esac >../module.ko && \
	    $(CROSS)objcopy -D --strip-debug --remove-section=.BTF ../module.ko "$$file" && \
	    echo "$$file" >>"$$list" || exit 1; \
	done <../list
	@mv $@.new $@
endif

$(GUEST_WORK)/init: $(GUEST_SOURCES) $(wildcard sim/guest/*.h)
	@mkdir -p $(@D)
	@command -v $(GUEST_CC) >/dev/null || { \
	    echo "the guest's init needs '$(GUEST_CC)': run 'make deps'" >&2; exit 1; }
	$(call say,CC,$@)$(GUEST_CC) $(GUEST_CFLAGS) -o $@ $(GUEST_SOURCES)

# Makes of the folder its argument the archive NAME.new.  It has fixed times, owners and order: the
# same packages give the same bytes.
define make_archive
@cd $(GUEST_WORK)/$(1) && find . -exec touch -h -d @0 {} + && \
find . -mindepth 1 | LC_ALL=C sort | \
    cpio -o -H newc -R 0:0 --reproducible --quiet >../$(1).new
endef

$(GUEST)/initrd: $(GUEST_WORK)/init $(GUEST_WORK)/module-files
	@mkdir -p $(@D)
	@rm -rf $(GUEST_WORK)/initrd && mkdir $(GUEST_WORK)/initrd
	@cd $(GUEST_WORK)/initrd && cp -R ../module-files modules && cp ../init init && chmod 755 init
	$(call make_archive,initrd)
	@mv $(GUEST_WORK)/initrd.new $@

# The same and one archive more, which the kernel unpacks behind it: only who asks for a shell pays
# for it.
$(GUEST)/initrd.shell: $(GUEST)/initrd $(wildcard $(GUEST_BUSYBOX))
	@rm -rf $(GUEST_WORK)/shell && mkdir $(GUEST_WORK)/shell
	@cp -L -- "$(GUEST_BUSYBOX)" $(GUEST_WORK)/shell/busybox && chmod 755 $(GUEST_WORK)/shell/busybox
	$(call make_archive,shell)
	@cat $< $(GUEST_WORK)/shell.new >$@.new && rm $(GUEST_WORK)/shell.new && mv $@.new $@

GUEST_SHELL := $(if $(GUEST_BUSYBOX),$(GUEST)/initrd.shell)

# Where the kernel is from.
ifeq ($(KERNEL),host)
GUEST_ORIGIN := cat $(GUEST_WORK)/described
else
GUEST_ORIGIN = echo "release $$(cat $(GUEST_WORK)/release)"; \
	   echo "kernel $(or $(KERNEL),package)"; \
	   echo "package $$(dpkg-deb -f $(GUEST_WORK)/kernel.deb Package Version | \
	       sed 's/^[A-Za-z]*: //' | tr '\n' ' ' | sed 's/ $$//')"; \
	   echo "source $$(dpkg-deb -W --showformat='$${source:Package} $${source:Version}' \
	       $(GUEST_WORK)/kernel.deb)"
endif

$(GUEST)/info: $(GUEST)/vmlinux $(GUEST)/initrd $(GUEST_SHELL) $(GUEST_WORK)/release sim/guest/guest.mk
	@{ echo "arch $(ARCH)"; $(GUEST_ORIGIN); \
	   $(if $(GUEST_SHELL),dpkg-query -W \
	       -f='source $${source:Package} $${source:Version}\n' busybox-static 2>/dev/null;) \
	   cd $(GUEST) && sha256sum vmlinux initrd $(notdir $(GUEST_SHELL)) | sed 's/^/sha256 /'; } >$@
	@echo "the guest is in $(GUEST): $$(sed -n 's/^package //p' $@)"
