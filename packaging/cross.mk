# SPDX-License-Identifier: BSD-3-Clause
#
# What another architecture than this machine's takes (`make deps-cross` installs the compiler):
#
#     make guest ARCH=arm64      build/guest-arm64, for `romsim run --arch arm64`
#     make samples ARCH=arm64    build/samples-arm64/busybox, a base image for it
#     make ARCH=arm64            build/arm64/romsim, for such a machine
#
# Nothing of it is installed: the libraries are the distribution's for that architecture, downloaded
# and unpacked (build/ARCH/sysroot), and apt has lists of its own for it (build/ARCH/apt).  What of
# the build has to run there runs under QEMU's user emulation.

ifeq ($(filter amd64 arm64,$(ARCH)),)
$(error ARCH is '$(ARCH)'; romsim knows amd64 and arm64)
endif
FOREIGN := -$(ARCH)
CROSS := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-linux-gnu-
override CC := $(filter ccache,$(CC)) $(CROSS)gcc
CROSS_DIR := $(CURDIR)/build/$(ARCH)
SYSROOT := build/$(ARCH)/sysroot/.unpacked
SYSROOT_FLAG := --sysroot="$(CROSS_DIR)/sysroot"
CROSS_LIB := $(CROSS_DIR)/sysroot/usr/lib/$(CROSS:%-=%)
PKG_CONFIG := env PKG_CONFIG_SYSROOT_DIR="$(CROSS_DIR)/sysroot" \
	PKG_CONFIG_LIBDIR="$(CROSS_LIB)/pkgconfig" pkg-config
APT_CONF := build/$(ARCH)/apt/apt.conf
FOREIGN_BUSYBOX := BUSYBOX=build/$(ARCH)/sysroot/bin/busybox
EMULATE := qemu-$(if $(filter arm64,$(ARCH)),aarch64,x86_64)-static -L build/$(ARCH)/sysroot

build/$(ARCH)/apt/apt.conf:
	@echo "fetching the lists of packages for $(ARCH)"
	@mkdir -p $(@D)
	@packaging/foreign.sh $(ARCH) $(@D) >$(@D).log 2>&1 || { cat $(@D).log >&2; exit 1; }

# busybox is the samples'.
$(SYSROOT): packaging/sysroot.sh | $(APT_CONF)
	@echo "unpacking the libraries for $(ARCH)"
	@APT_CONFIG=$(APT_CONF) packaging/sysroot.sh $(@D) libc6-dev check busybox-static \
	    $(filter lib%-dev zlib1g-dev,$(DEPS_BUILD))
	@touch $@
