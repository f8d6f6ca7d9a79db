# SPDX-License-Identifier: BSD-3-Clause
#
# The judges of `romsim serve`: clients that no one here wrote.  docs/clients.md tells which.
#
#     make deps-clients   fetches them into build/clients: what the lock files here say, by digest
#     make check-clients  tests/clients/*.sh; needs what `make check` has made
#
# Each of the package managers can be missing: then its clients are, and their tests say so.

CLIENTS := build/clients
CLIENT_LOCKS := tests/clients
DEPS_CLIENTS := chromium python3-venv skopeo buildah jq curl
CLIENT_TESTS ?= $(sort $(wildcard tests/clients/*.sh))

.PHONY: deps-clients check-clients
deps-clients:
	$(call install_packages,$(DEPS_CLIENTS))
	@$(MAKE) --no-print-directory $(CLIENTS)/.python $(CLIENTS)/.node $(CLIENTS)/.go

# $(call fetch_with,PROGRAM,WHAT,COMMANDS): or says that there is no such program.
define fetch_with
@mkdir -p $(CLIENTS)
@if command -v $(1) >/dev/null; then echo "fetching $(2)"; $(3) && touch $@; \
else echo "no $(1) on this machine: $(2) will not be there"; fi
endef

$(CLIENTS)/.python: $(CLIENT_LOCKS)/requirements.txt
	$(call fetch_with,python3,the clients in Python,rm -rf $(CLIENTS)/python && \
	    python3 -m venv $(CLIENTS)/python && $(CLIENTS)/python/bin/pip install -q --no-deps \
	    --disable-pip-version-check --only-binary :all: --require-hashes -r $<)

$(CLIENTS)/.node: $(CLIENT_LOCKS)/package-lock.json $(CLIENT_LOCKS)/package.json $(CLIENT_LOCKS)/.npmrc
	$(call fetch_with,npm,the clients in JavaScript,rm -rf $(CLIENTS)/node && \
	    mkdir $(CLIENTS)/node && cp $^ $(CLIENTS)/node && \
	    (cd $(CLIENTS)/node && npm ci --silent))

$(CLIENTS)/.go: $(CLIENT_LOCKS)/go.mod $(CLIENT_LOCKS)/go.sum
	$(call fetch_with,go,the clients in Go,export GOFLAGS=-mod=readonly && \
	    go build -C $(CLIENT_LOCKS) -trimpath -o ../../$(CLIENTS)/crane \
	    github.com/google/go-containerregistry/cmd/crane && \
	    go build -C $(CLIENT_LOCKS) -trimpath -o ../../$(CLIENTS)/oci-conformance \
	    github.com/opencontainers/distribution-spec/conformance)

check-clients: $(BUILD)/romsim
	@BUILD=$(BUILD) SANITIZE=$(SANITIZE) tests/run $(CLIENT_TESTS)
