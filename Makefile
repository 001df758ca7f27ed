# What a developer and the CI machine run. `make help` lists it.
# Needs Go, gcc (for the race detector) and make; `make test` installs the rest.

GO           ?= go
FUZZTIME     ?= 10s
LINT_VERSION := v2.15.0
LINT         := $(CURDIR)/.bin/golangci-lint-$(LINT_VERSION)
SUDO         := $(if $(filter-out 0,$(shell id -u)),sudo)

# Modules of their own below the root. They are absent in some checkouts.
NESTED := $(patsubst %/go.mod,%,$(wildcard bench/go.mod))

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# in-modules runs a command in the root module and in each nested one.
in-modules = for module in . $(NESTED); do (cd $$module && $(1)) || exit 1; done

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The root module's tests come last, so that the output ends with their summary. Three packages at a time, as several wait
# for processes and clocks most of the time.
.PHONY: test
test: redis fmt-check vet lint ## Check everything: format, vet, lint, tests with the race detector
	@for module in $(NESTED); do (cd $$module && $(GO) test -race ./...) || exit 1; done
	$(GO) test -race -p 3 ./...

# Vet and lint build with the race detector as the tests do, so that Caddy is compiled once and not twice: on a fresh
# machine with two cores that saves two minutes.
.PHONY: vet
vet: ## Run go vet
	$(call in-modules,$(GO) vet -race ./...)

.PHONY: lint
lint: $(LINT) ## Run golangci-lint by the rules of .golangci.yml
	$(call in-modules,GOFLAGS="$${GOFLAGS:-} -race" $(LINT) run ./...)

.PHONY: fmt
fmt: ## Format all Go files
	gofmt -w .

.PHONY: fmt-check
fmt-check:
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default 10s)
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' * | sort | while IFS=: read -r file func; do \
		echo "== $${func#func } in $$(dirname $$file)"; \
		$(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "./$$(dirname $$file)" </dev/null; \
	done

# BENCH takes the program's flags: make bench BENCH='--quick --only overhead,cut', or BENCH=--json.
.PHONY: bench
bench: redis ## Measure every bar that is promised, in one table (a quarter of an hour)
	@cd bench && $(GO) run . $(BENCH)

# It takes the same flags: make test-faults BENCH=--quick.
.PHONY: test-faults
test-faults: redis ## Break a fleet's Redis in every way: 1,000 random schedules, then with traffic on (under ten minutes)
	SWITCHBACK_SCHEDULES_HUNDREDS=10 $(GO) test -race -count=1 -run TestSchedules -v ./rollout | grep -v '^=== '
	@cd bench && $(GO) run . --only faults $(BENCH)

.PHONY: test-clients
test-clients: e2e/clients/node_modules/.package-lock.json ## Let the protocols' own clients talk through a proxy (needs Node 20)
	@cd e2e/clients && SWITCHBACK_CLIENTS=1 $(GO) test -count=1

# The packages that are locked and no others; none of them gets to run a script of its own.
e2e/clients/node_modules/.package-lock.json: e2e/clients/package-lock.json
	@if ! command -v npm >/dev/null; then echo "make test-clients needs Node 20 or newer and npm on the PATH"; exit 1; fi
	@cd e2e/clients && npm ci --engine-strict --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: sim
sim: ## Run the simulations in full
	$(GO) run ./sim/failback

.PHONY: sim-rollouts
sim-rollouts: ## Roll out in virtual time: by the default plan, and 2,000 random schedules (half an hour)
	SWITCHBACK_SIM_ROLLOUTS=1 SWITCHBACK_SIM_ROLLOUTS_HUNDREDS=20 $(GO) test -count=1 -timeout 2h \
		-run 'TestDays|TestStories|TestRolloutSchedules' -v ./sim | grep -v '^=== '

# ROLLOUTS says how many: make chaos-rollout ROLLOUTS=100.
ROLLOUTS ?= 20
.PHONY: chaos-rollout
chaos-rollout: redis ## Kill real proxies at random moments while they roll out, ROLLOUTS times (ten minutes)
	SWITCHBACK_CHAOS_ROLLOUTS=$(ROLLOUTS) $(GO) test -count=1 -timeout 2h -run TestRolloutOutlivesItsProxies -v ./e2e | grep -v '^=== '

.PHONY: plots
plots: ## Draw what docs/judge.md shows anew (two minutes); PLOTS=-check says whether it is up to date
	$(GO) run ./sim/plots $(PLOTS)

.PHONY: demo
demo: ## Show a canary failing and being switched back, in 40 seconds
	$(GO) run ./cmd/switchback demo

.PHONY: build
build: ## Build ./switchback
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o switchback ./cmd/switchback

.PHONY: clean
clean: ## Remove what was built and the tools in .bin
	rm -rf switchback .bin

# The version is part of the file's name: a new pin is a new file, and nobody lints by an old one.
$(LINT):
	@echo "installing golangci-lint $(LINT_VERSION) (two to four minutes, once)"
	@GOBIN=$(CURDIR)/.bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv .bin/golangci-lint $@

# Tests start servers of their own on free ports, so the service that Debian's package starts is stopped and disabled
# again; a Redis that was here before is left alone.
.PHONY: redis
redis:
	@if command -v redis-server >/dev/null; then exit 0; fi; \
	if command -v apt-get >/dev/null && { [ -z "$(SUDO)" ] || command -v sudo >/dev/null; }; then \
		$(SUDO) apt-get update -qq; \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server </dev/null; \
		if [ -d /run/systemd/system ]; then $(SUDO) systemctl disable --now redis-server; \
		elif redis-cli ping >/dev/null 2>&1; then $(SUDO) service redis-server stop; fi; \
	elif command -v brew >/dev/null; then brew install redis; \
	else \
		echo "make test needs redis-server (7.0 or newer) on the PATH, and found neither apt-get with root or sudo, nor brew:"; \
		echo "install it by hand, see https://redis.io/docs/latest/operate/oss_and_stack/install/"; \
		exit 1; \
	fi
