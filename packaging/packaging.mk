# SPDX-License-Identifier: BSD-3-Clause
#
# What is given to others, in build/packages (`make deps-release` installs what it needs):
#
#     make dist           a tarball of the source, of HEAD, and its digest
#     make deb            Debian packages: romsim, and romsim-guest, the bundle
#     make container      an image with all of it, from these packages, for podman and docker
#     make check-arm64    a guest for arm64, and romsim for such a machine with its unit tests
#     make kit            a tar file for a class whose machines have no network: these packages, what
#                         they need, images, samples, docs; CONTAINER=1: the container's image, too
#     make check-release  installs them in a fresh root, and runs an instance there without a network
#
# The same source gives the same bytes: times are those of the commit and of the changelog.

PACKAGES := build/packages
DIST := romsim-$(VERSION)

# A guest of another architecture, and romsim for such a machine, with its unit tests.
.PHONY: check-arm64
check-arm64:
	@$(MAKE) --no-print-directory deps deps-release
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@BUILD=$(BUILD) tests/run tests/release/arm64.sh

.PHONY: dist deb container kit check-release
dist:
	@mkdir -p $(PACKAGES)
	@git archive --format=tar --prefix=$(DIST)/ HEAD >$(PACKAGES)/$(DIST).tar
	@xz -9 -T1 --force $(PACKAGES)/$(DIST).tar
	@cd $(PACKAGES) && sha256sum $(DIST).tar.xz | tee $(DIST).tar.xz.sha256

# The tree as git knows it, with what is not committed, or all of the tarball that `make dist` made; the
# bundle stands where the rules look.
deb: guest
	@rm -rf $(PACKAGES)/source && mkdir -p $(PACKAGES)/source/build
	@if [ -e .git ]; then git ls-files -z; else find . -path ./build -prune -o -type f -print0; fi | \
	    while IFS= read -r -d '' file; do [ ! -e "$$file" ] || printf '%s\0' "$$file"; done | \
	    tar --create --null --files-from=- | tar --extract --directory=$(PACKAGES)/source
	@cp -R build/guest $(PACKAGES)/source/build/guest
	@mv $(PACKAGES)/source/packaging/debian $(PACKAGES)/source/debian
	@version=$$(dpkg-parsechangelog -l $(PACKAGES)/source/debian/changelog -S Version); \
	    [ "$$version" = $(VERSION) ] || { \
	    echo "the changelog has version $$version, the Makefile $(VERSION)" >&2; exit 1; }
	@cd $(PACKAGES)/source && unset MAKEFLAGS MFLAGS MAKELEVEL && \
	    dpkg-buildpackage --build=binary --no-sign -j$$(nproc) >../build.log 2>&1 || { \
	    tail -n 40 ../build.log >&2; exit 1; }
	@rm -rf $(PACKAGES)/source
	@cd $(PACKAGES) && sha256sum romsim_*.deb romsim-guest_*.deb | tee SHA256SUMS

# Packages that are there are taken.
container: $(PACKAGES)/romsim-container.tar
$(PACKAGES)/romsim-container.tar: packaging/container.sh $(PACKAGES)/romsim_$(VERSION)_amd64.deb
	packaging/container.sh $(VERSION) $@
$(PACKAGES)/romsim_$(VERSION)_amd64.deb:
	@$(MAKE) --no-print-directory deb

# Of this machine's release; KIT='trixie=FOLDER' adds another's, from the packages in the FOLDER, which
# `ROOT=DIR tests/fresh.sh trixie make deps deps-release deb` leaves in DIR/srv/romsim/build/packages.
KIT ?=
KIT_FILE := $(PACKAGES)/romsim-kit-$(VERSION).tar
kit: all samples $(PACKAGES)/romsim_$(VERSION)_amd64.deb $(if $(CONTAINER),$(PACKAGES)/romsim-container.tar)
	@CONTAINER=$(CONTAINER) packaging/kit.sh $(VERSION) $(KIT_FILE) \
	    $$(. /etc/os-release && echo $$VERSION_CODENAME)=$(PACKAGES) $(KIT)
	@cd $(PACKAGES) && sha256sum $(notdir $(KIT_FILE)) | tee $(notdir $(KIT_FILE)).sha256

check-release:
	@$(MAKE) --no-print-directory deps deps-release $(CLIENTS)/.python
	@$(MAKE) --no-print-directory -j$$(nproc) all guest samples check-programs
	@$(MAKE) --no-print-directory dist deb
	@$(MAKE) --no-print-directory container
	@$(MAKE) --no-print-directory kit
	@BUILD=$(BUILD) tests/run tests/cli/schema.sh $(sort $(wildcard tests/release/*.sh))
