# SPDX-License-Identifier: BSD-3-Clause
#
# The samples' base images, in build/samples whatever the build (SANITIZE=1 uses the same).
#
#     make samples        the base images, so that `romsim run samples/NAME/instance.yaml` works
#     make demo           all set-up, then two Python functions over one base image
#     make samples ARCH=arm64, if that is another architecture: build/samples-arm64/busybox
#     make workshop       the base images of docs/workshop.md, in your image store
#     make check-samples  what the tests need of them

SAMPLES := build/samples$(FOREIGN)

.PHONY: samples check-samples demo workshop workshop-only
samples: $(SAMPLES)/.busybox $(if $(FOREIGN),,$(SAMPLES)/.monitoring $(SAMPLES)/.till \
		$(SAMPLES)/words.cpio $(SAMPLES)/model/weights $(SAMPLES)/python-base.tar)
check-samples: samples

# The directory's own times are fixed, hence the stamp.
$(SAMPLES)/.busybox: samples/busybox-base.sh $(SYSROOT)
	$(FOREIGN_BUSYBOX) samples/busybox-base.sh $(SAMPLES)/busybox
	@touch $@

$(SAMPLES)/.monitoring: samples/busybox-base.sh $(shell find samples/monitoring/base -type f)
	samples/busybox-base.sh $(SAMPLES)/monitoring samples/monitoring/base
	@touch $@

$(SAMPLES)/.till: samples/busybox-base.sh $(shell find samples/bugs/hidden-directory/base -type f)
	samples/busybox-base.sh $(SAMPLES)/till samples/bugs/hidden-directory/base
	@touch $@

$(SAMPLES)/words.cpio: samples/bugs/cpio-at/words/words
	cd $(<D) && echo words | busybox cpio -o -H newc -R 0:0 >$(CURDIR)/$@.new
	truncate -s %4096 $@.new # as the packer pads it
	@mv $@.new $@

$(SAMPLES)/model/weights: samples/samples.mk
	@mkdir -p $(@D)
	seq -f 'weight %06g' 1 4000 >$@

$(SAMPLES)/python-base.tar: samples/python-base.sh samples/packages.sh samples/busybox-base.sh \
		$(wildcard samples/python-functions/base/*.*)
	samples/python-base.sh $@

# Each step its own make, because the next one looks for what the one before installed.
demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest samples
	@BUILD=$(BUILD) samples/demo.sh

workshop:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest samples
	@$(MAKE) --no-print-directory workshop-only

# In the image store of whoever runs it.
workshop-only:
	@for base in busybox python; do \
	    $(BUILD)/romsim image build samples/workshop/$$base -t $$base:latest || exit 1; done
