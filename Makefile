# SPDX-License-Identifier: BSD-3-Clause
#
# romsim's build.  The common targets are:
#
#     make            build/romsim              make check        all set-up, then the tests
#     make deps       install what is needed    make demo         all set-up, then the sample
#     make guest      build/guest (the VM's)    make bench        ratios against peers
#     make install    PREFIX, DESTDIR           make fuzz TIME=60 seconds a target
#     make deb        Debian packages           make dist         a tarball
#     make lint       format, rooms, analysis   make coverage     lines of sim/erofs covered
#     make clean
#
# V=1 shows the commands.  SANITIZE=1 builds with ASan and UBSan, in a folder of its own; WERROR=1
# makes warnings errors.  ARCH=arm64 (or amd64) builds the program, the guest or the samples for that
# architecture; see packaging/cross.mk for another one than this machine's.
# The parts of the house add their own rules in the *.mk files at the end.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

# As Debian calls them.  What is for another architecture than this machine's has its own place.
debian_arch = $(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(1)))
HOST_ARCH := $(call debian_arch,$(shell uname -m))
OTHER_ARCH := $(filter-out $(HOST_ARCH),amd64 arm64)
ARCH ?= $(HOST_ARCH)
override ARCH := $(call debian_arch,$(ARCH))
ifneq ($(ARCH),$(HOST_ARCH))
include packaging/cross.mk
endif

# ---- what it is built with ----------------------------------------------------------------

PKG_CONFIG ?= pkg-config
LIBRARIES := fuse3 libarchive yaml-0.1 jansson libcrypto liblz4 zlib liblzma libzstd libmicrohttpd

ifneq ($(FOREIGN),)
BUILD := build/$(ARCH)
OPTIMIZE := -O2 -D_FORTIFY_SOURCE=2
else ifeq ($(SANITIZE),1)
BUILD := build/sanitize
OPTIMIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
LDOPTIMIZE := -fsanitize=address,undefined
SANITIZED := build/sanitize/obj/tests/sanitized.o
else ifeq ($(COVERAGE),1)
BUILD := build/coverage
OPTIMIZE := -O0 --coverage
LDOPTIMIZE := --coverage
else
BUILD := build
OPTIMIZE := -O2 -D_FORTIFY_SOURCE=2
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wwrite-strings -Wpointer-arith -Wcast-align -Wformat=2 -Wimplicit-fallthrough -Wundef \
	-Wvla -Wnull-dereference $(if $(WERROR),-Werror)
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection \
	$(if $(filter amd64,$(ARCH)),-fcf-protection) \
	$(if $(filter arm64,$(ARCH)),-mbranch-protection=standard)
CPPFLAGS += -Iinclude -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 \
	-DROMSIM_VERSION='"$(VERSION)"'
CFLAGS += $(SYSROOT_FLAG) -std=gnu17 -g $(OPTIMIZE) $(WARNINGS) $(HARDENING) -pthread
LDFLAGS += $(SYSROOT_FLAG) -pie -Wl,-z,relro,-z,now $(LDOPTIMIZE) -pthread

# Asked for only when something is built, so that `make deps` and `make clean` work without them.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBRARIES)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES)))$(PKG_LIBS)

define newline


endef

# One short line for each step.
ifneq ($(V),1)
say = @printf '  %-4s %s\n' '$(1)' '$(2)';
endif

# ---- the program --------------------------------------------------------------------------

LIBRARY_SOURCES := $(sort $(foreach room,base document instance erofs image rom layout seam case state vm api,$(wildcard sim/$(room)/*.c)) \
	$(wildcard fuse/*.c) sim/guest/manifest.c)
PROGRAM_SOURCES := $(sort $(wildcard sim/cli/*.c))
LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/obj/%.o)
PROGRAM_OBJECTS := $(PROGRAM_SOURCES:%.c=$(BUILD)/obj/%.o)

# The guest's init and the program speak one protocol: a guest that is there is kept in step.
.PHONY: all
all: $(BUILD)/romsim $(if $(wildcard build/guest$(FOREIGN)/info),guest) \
	$(if $(FOREIGN),,$(if $(wildcard build/guest-tiny/info),guest-tiny) \
	$(if $(wildcard build/guest-host/info),guest-host) \
	$(foreach arch,$(OTHER_ARCH),$(if $(wildcard build/guest-$(arch)/info),guest-$(arch))))

# One plain sentence about each missing package, before the compiler's pages about them.
$(BUILD)/packages-present: Makefile $(SYSROOT)
	@mkdir -p $(@D)
	@for tool in pkg-config $(CC); do command -v $$tool >/dev/null || { \
	    echo "romsim needs '$$tool': run 'make deps' (as root or with sudo)" >&2; exit 1; }; done
	@missing=0; for library in $(LIBRARIES); do $(PKG_CONFIG) --exists $$library || { missing=1; \
	    echo "romsim needs the development files of '$$library': run 'make deps'" >&2; }; done; \
	    exit $$missing
	@touch $@

$(BUILD)/obj/%.o: %.c $(BUILD)/packages-present
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libromsim.a: $(LIBRARY_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)ar rcs $@ $^

$(BUILD)/romsim: $(PROGRAM_OBJECTS) $(SANITIZED) $(BUILD)/libromsim.a
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Files are in them (romsim/embed.h), which the compiler does not tell.
$(BUILD)/obj/sim/api/page.o build/fuzz/obj/sim/api/page.o: $(wildcard sim/api/page/*)
$(BUILD)/obj/sim/cli/trace_report.o: $(wildcard sim/cli/report/*)
$(BUILD)/obj/sim/cli/cmd_init.o: $(wildcard sim/cli/init/*)
$(BUILD)/obj/sim/cli/cmd_workshop.o: docs/workshop.md
$(BUILD)/obj/sim/cli/manual.o: docs/romsim.1 docs/romsim-instance.5
$(BUILD)/obj/sim/cli/workshop_exercises.o: $(shell find sim/cli/workshop -type f)

-include $(LIBRARY_OBJECTS:.o=.d) $(PROGRAM_OBJECTS:.o=.d)

# ---- what it needs ------------------------------------------------------------------------

DEPS_BUILD := gcc make pkg-config musl-tools kmod cpio libfuse3-dev libarchive-dev libyaml-dev \
	libjansson-dev libssl-dev liblz4-dev zlib1g-dev liblzma-dev libzstd-dev libmicrohttpd-dev
DEPS_RUN := fuse3 qemu-system-x86 e2fsprogs busybox-static curl xz-utils zstd lz4 python3 uidmap
DEPS_CHECK := check perl erofs-utils attr umoci skopeo buildah netavark mandoc git file patch \
	strace procps util-linux jq iproute2 python3-jsonschema zsh fish
DEPS_LINT := clang-format-14 clang-tidy-14 cppcheck
# Of the architecture that is not the machine's: its compiler, and QEMU for its guests.
DEPS_CROSS := $(if $(filter arm64,$(OTHER_ARCH)),gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
	qemu-system-arm,gcc-x86-64-linux-gnu libc6-dev-amd64-cross qemu-system-x86)
DEPS_TINY := flex bison bc libelf-dev
DEPS_FRESH := mmdebstrap
DEPS_RELEASE := build-essential debhelper dpkg-dev fakeroot lintian clang $(DEPS_FRESH) $(DEPS_CROSS) \
	qemu-user-static \
	slurm-wlm munge python3-junitparser podman crun catatonit python3-yaml
DEPS_DEVELOP := clang-14 libclang-rt-14-dev llvm-14 lcov time

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Installs only what is missing, and asks apt only then.
define install_packages
@missing=$$(dpkg-query -W -f='$${db:Status-Status} $${Package}\n' $(1) 2>/dev/null | \
    awk '$$1 == "installed" { print $$2 }' | sort | comm -13 - <(printf '%s\n' $(1) | sort)); \
if [ -n "$$missing" ]; then \
    echo "installing:" $$missing; \
    $(SUDO) apt-get update -qq && \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $$missing >/dev/null; \
fi
endef

.PHONY: deps deps-lint deps-tiny deps-cross deps-fresh deps-release deps-develop
deps:
	$(call install_packages,$(DEPS_BUILD) $(DEPS_RUN) $(DEPS_CHECK))
# No more than building and running needs.
.PHONY: deps-build
deps-build:
	$(call install_packages,$(DEPS_BUILD) $(DEPS_RUN))
deps-lint:
	$(call install_packages,$(DEPS_LINT))
deps-tiny:
	$(call install_packages,$(DEPS_TINY))
deps-fresh:
	$(call install_packages,$(DEPS_FRESH))
deps-cross:
	$(call install_packages,$(DEPS_BUILD) $(DEPS_CROSS))
deps-release:
	$(call install_packages,$(DEPS_BUILD) $(DEPS_RELEASE))
deps-develop:
	$(call install_packages,$(DEPS_DEVELOP))

.PHONY: clean
clean:
	rm -rf build

# ---- the other parts of the house ---------------------------------------------------------

include sim/guest/guest.mk
include samples/samples.mk
include tests/tests.mk
include tests/clients/clients.mk
include tests/lint/lint.mk
include tests/fuzz/fuzz.mk
include tests/bench/bench.mk
include docs/docs.mk
include packaging/packaging.mk
