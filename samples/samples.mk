# SPDX-License-Identifier: BSD-3-Clause
#
# The samples' base images, in build/samples whatever the build (SANITIZE=1 uses the same).
#
#     make samples        the base images, so that `romsim run samples/NAME/instance.yaml` works
#     make demo           all set-up, then two Python functions over one base image
#     make check-samples  what the tests need of them

SAMPLES := build/samples

.PHONY: samples check-samples demo
samples: $(SAMPLES)/.busybox $(SAMPLES)/.monitoring $(SAMPLES)/python-base.tar
check-samples: samples

# The directory's own times are fixed, hence the stamp.
$(SAMPLES)/.busybox: samples/busybox-base.sh
	samples/busybox-base.sh $(SAMPLES)/busybox
	@touch $@

$(SAMPLES)/.monitoring: samples/busybox-base.sh $(shell find samples/monitoring/base -type f)
	samples/busybox-base.sh $(SAMPLES)/monitoring samples/monitoring/base
	@touch $@

$(SAMPLES)/python-base.tar: samples/python-base.sh samples/packages.sh samples/busybox-base.sh \
		$(wildcard samples/python-functions/base/*.*)
	samples/python-base.sh $@

# Each step its own make, because the next one looks for what the one before installed.
demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) all guest samples
	@BUILD=$(BUILD) samples/demo.sh
