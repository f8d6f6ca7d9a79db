# SPDX-License-Identifier: BSD-3-Clause
#
# The guest bundle: build/guest/{vmlinux,initrd,info}, the same for plain and sanitized builds; and
# with KERNEL=tiny one with another kernel (tiny.mk), build/guest-tiny, which romsim takes if
# ROMSIM_GUEST names it.
#
# The kernel is the distribution's own, from its package: downloaded with apt (no root needed) and
# unpacked into the build folder, never installed.  KERNEL_DEB=FILE takes a package that is there
# already (with KERNEL=tiny one of its source).  The initramfs holds init (static) and the modules
# that it loads, in the order of their dependencies; without debug data and signatures, whose check
# costs more than the rest of loading.
# Releases differ: modules lie in lib/modules or (since Debian 13) in usr/lib/modules, plain or
# compressed, and depmod looks in the one of its own release; so both names lead to them.

ifneq ($(filter-out tiny,$(KERNEL)),)
$(error KERNEL is '$(KERNEL)'; without it the kernel is the distribution's, and there is 'tiny')
endif
GUEST := build/guest$(KERNEL:%=-%)
GUEST_WORK := build/guest$(KERNEL:%=-%)-work
KERNEL_PACKAGE ?= $(if $(KERNEL),linux-source,linux-image-cloud-amd64)
KERNEL_DEB ?=
GUEST_MODULES := virtio_pci virtio_blk virtio_net virtio_console erofs overlay fuse
# Of a volume's file system: loaded only if there is a volume.  Debian's cloud kernel has it built in.
GUEST_MODULES_EXT4 := ext4
GUEST_CC ?= musl-gcc
GUEST_CFLAGS := -std=gnu17 -static -Os -s -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -D_GNU_SOURCE $(if $(WERROR),-Werror)
GUEST_SOURCES := $(sort $(wildcard sim/guest/*.c))
GUEST_PATH := $$PATH:/usr/sbin:/sbin

.PHONY: guest guest-tiny
guest: $(GUEST)/info

guest-tiny:
	@$(MAKE) --no-print-directory guest KERNEL=tiny

# A path with blanks cannot be a prerequisite: a package that is given is compared instead.
.PHONY: kernel-deb-given
kernel-deb-given:
$(GUEST_WORK)/kernel.deb: export KERNEL_DEB := $(KERNEL_DEB)

# The meta package names the kernel of the day.
$(GUEST_WORK)/kernel.deb: $(if $(KERNEL_DEB),kernel-deb-given)
	@mkdir -p $(@D)
	@if [ -n "$$KERNEL_DEB" ]; then \
	    cmp -s -- "$$KERNEL_DEB" $@ || cp -- "$$KERNEL_DEB" $@; exit; fi; \
	rm -f $(@D)/*.deb; \
	command -v apt-get >/dev/null || { echo "make guest needs apt-get," \
	    "or KERNEL_DEB=FILE with a Debian kernel package" >&2; exit 1; }; \
	name() { apt-cache depends --important $(KERNEL_PACKAGE) 2>/dev/null | \
	    sed -n 's/^ *Depends: \(linux-[a-z]*-[0-9].*\)/\1/p' | head -n 1; }; \
	fetch() { [ -n "$$(name)" ] && echo "downloading $$(name)" && \
	    (cd $(@D) && apt-get -q -q -o APT::Sandbox::User=root download "$$(name)"); }; \
	fetch || { $(SUDO) apt-get -q -q update && fetch; } || { \
	    echo "cannot download $(KERNEL_PACKAGE): is Debian's archive reachable?" >&2; exit 1; }; \
	mv $(@D)/linux-*.deb $@

ifneq ($(KERNEL),)
include sim/guest/tiny.mk
else
$(GUEST_WORK)/unpacked: $(GUEST_WORK)/kernel.deb
	@rm -rf $@ $@.new
	dpkg-deb -x $< $@.new
	@cd $@.new && if [ -d usr/lib/modules ]; then ln -sfn usr/lib lib; \
	else mkdir -p usr && ln -sfn ../lib usr/lib; fi && \
	release=$$(ls lib/modules) && PATH=$(GUEST_PATH) depmod -b . "$$release"
	@mv $@.new $@
	@touch $@

GUEST_UNPACK := $(BUILD)/unpack-kernel
$(GUEST_UNPACK): $(BUILD)/obj/sim/guest/host/unpack-kernel.o $(BUILD)/libromsim.a
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

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
	    objcopy -D --strip-debug --remove-section=.BTF ../module.ko "$$file" && \
	    echo "$$file" >>"$$list" || exit 1; \
	done <../list
	@mv $@.new $@
endif

$(GUEST_WORK)/init: $(GUEST_SOURCES) $(wildcard sim/guest/*.h)
	@mkdir -p $(@D)
	@command -v $(GUEST_CC) >/dev/null || { \
	    echo "the guest's init needs '$(GUEST_CC)': run 'make deps'" >&2; exit 1; }
	$(call say,CC,$@)$(GUEST_CC) $(GUEST_CFLAGS) -o $@ $(GUEST_SOURCES)

# The archive has fixed times, owners and order: the same package gives the same bytes.
$(GUEST)/initrd: $(GUEST_WORK)/init $(GUEST_WORK)/module-files
	@mkdir -p $(@D)
	@rm -rf $(GUEST_WORK)/initrd && mkdir $(GUEST_WORK)/initrd
	@cd $(GUEST_WORK)/initrd && cp -R ../module-files modules && cp ../init init && chmod 755 init && \
	find . -exec touch -h -d @0 {} + && \
	find . -mindepth 1 | LC_ALL=C sort | \
	    cpio -o -H newc -R 0:0 --reproducible --quiet >../initrd.new
	@mv $(GUEST_WORK)/initrd.new $@

$(GUEST)/info: $(GUEST)/vmlinux $(GUEST)/initrd $(GUEST_WORK)/release
	@{ echo "release $$(cat $(GUEST_WORK)/release)"; \
	   echo "package $$(dpkg-deb -f $(GUEST_WORK)/kernel.deb Package Version | \
	       sed 's/^[A-Za-z]*: //' | tr '\n' ' ' | sed 's/ $$//')"; } >$@
	@echo "the guest is in $(GUEST): $$(sed -n 's/^package //p' $@)"
