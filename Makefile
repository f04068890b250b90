# Finch for Go. `make help` lists what there is to run; `make test` is what CI runs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Every module of go.work, so that a new one is tested without a change here.
MODULES = $(shell go list -m -f '{{.Dir}}')
PACKAGES = $(addsuffix /...,$(MODULES))
TOOL_SOURCES := $(wildcard tools/go.mod tools/go.sum tools/*/*.go)

FUZZTIME ?= 20s
export FINCH_CI

## help: show this list
.PHONY: help
help:
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^## \([a-z0-9-]*\): /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

## test: everything that must hold before a change is merged
.PHONY: test
test: need fmt-check mod vet lint unit cross client-ts e2e soak-briefly chaos-short
	@echo; echo 'All is well.'

## need: install what the tests need, or say what is missing and the command that installs it
.PHONY: need
need:
	@tools/need/need.sh

## fmt: format every Go file
.PHONY: fmt
fmt:
	@git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -w

.PHONY: fmt-check
fmt-check:
	@echo '== gofmt'
	@bad=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	if [ -n "$$bad" ]; then echo "not formatted; run: make fmt"; echo "$$bad"; exit 1; fi

## mod: each module's go.mod and go.sum are complete, and it builds without the workspace
.PHONY: mod
mod:
	@echo '== go.mod and go.sum of each module'
	@for m in $(MODULES); do ( cd "$$m" && go mod tidy -diff && GOWORK=off go build ./... ); done

## vet: go vet over all modules
.PHONY: vet
vet:
	@echo '== go vet'
	@go vet $(PACKAGES)
	@GOWORK=off go vet -C tools ./...

## lint: staticcheck with the rules of staticcheck.conf
.PHONY: lint
lint: bin/staticcheck
	@echo '== staticcheck'
	@bin/staticcheck $(PACKAGES)

# The tests of e2e run a program that go test's cache does not see; make e2e runs them.
## unit: go test -race over all modules; fuzz targets run their seeds
.PHONY: unit
unit: bin/gotest
	@echo '== go test -race (whole log: .out/unit.log)'
	@mkdir -p .out
	@bin/gotest -log .out/unit.log -race $(filter-out %/e2e/...,$(PACKAGES))
	@norace="$$(git grep -l '^//go:build !race' -- '*_test.go' | xargs -r -n 1 dirname | sort -u | sed 's|^|./|' || true)"; \
	if [ -n "$$norace" ]; then \
		echo '== go test, where files say that the race detector cannot run them (whole log: .out/unit-norace.log)'; \
		bin/gotest -log .out/unit-norace.log $$norace; \
	fi
	@GOWORK=off go test -C tools ./...

## e2e: the demo with Chromium, Node's ws, Python's websockets and coder/websocket
.PHONY: e2e
e2e: e2e/node_modules/.package-lock.json
	@echo '== e2e (logs and screenshots: .out)'
	@go run ./e2e

## client-ts: the TypeScript client: types, units, sizes, a real browser, and the suite for clients
.PHONY: client-ts
client-ts: clients/ts/node_modules/.package-lock.json
	@echo '== clients/ts'
	@npm --prefix clients/ts test --silent
	@echo '== the suite for clients, with clients/ts in Node and in Chromium'
	@go run ./clients/suite -lacks http_status -driver 'node clients/ts/test/node-driver.mjs'
	@go run ./clients/suite -lacks http_status -driver 'node clients/ts/test/page-driver.mjs'

clients/ts/node_modules/.package-lock.json: clients/ts/package.json clients/ts/package-lock.json
	@echo '== npm ci in clients/ts'
	@npm --prefix clients/ts ci --no-audit --no-fund --loglevel=error
	@touch $@

e2e/node_modules/.package-lock.json: e2e/package.json e2e/package-lock.json
	@echo '== npm ci'
	@npm --prefix e2e ci --no-audit --no-fund --loglevel=error
	@touch $@

## cross: the code and its tests compile for macOS and Windows too
.PHONY: cross
cross:
	@echo '== darwin and windows'
	@GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet $(PACKAGES)
	@GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go vet $(PACKAGES)

## fuzz: fuzz every target for FUZZTIME (20s) each
.PHONY: fuzz
fuzz:
	@git grep -n -E '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go' | sed -E 's/^([^:]*):[0-9]+:func (Fuzz[A-Za-z0-9_]*).*/\1 \2/' | \
	while read -r file name; do \
		echo "== $$name in $$(dirname "$$file")"; \
		( cd "$$(dirname "$$file")" && go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) . </dev/null ); \
	done

## bench: Finch beside other servers, 20 minutes; BENCH=-quick: three; BENCH=-docs: into the docs
.PHONY: bench
bench:
	@go run ./bench $(BENCH)

## bench-cluster: two nodes with each broker beside Centrifuge, half an hour; BENCH=-quick: five minutes
.PHONY: bench-cluster
bench-cluster:
	@go run ./bench/cluster $(BENCH)

## soak: let good and bad clients at servers for SOAK (10m), and look at what is left
SOAK ?= 10m
.PHONY: soak
soak:
	@go run ./bench/soak -for $(SOAK)

.PHONY: soak-briefly
soak-briefly:
	@echo '== soak, 20 seconds of it'
	@go run ./bench/soak -for 20s

## chaos: break a cluster for CHAOS (10m) while clients use it; BROKER (nats) and SEED (drawn) choose; see chaos/README.md
CHAOS ?= 10m
BROKER ?= nats
SEED ?= 0
.PHONY: chaos
chaos:
	@go run ./chaos -broker $(BROKER) -for $(CHAOS) -seed $(SEED)

# The seed is the same each time, so that what fails here was done by the change.
## chaos-short: less than a minute of it; SEED chooses other faults
.PHONY: chaos-short
chaos-short:
	@echo '== chaos, less than a minute of it'
	@go run ./chaos -broker nats,redis -for 7s -open 6 -seed $(if $(filter-out 0,$(SEED)),$(SEED),308)

## chaos-prove: show that products which lack a protection are found by the chaos test, 8 minutes
.PHONY: chaos-prove
chaos-prove:
	@go run ./chaos -prove all -seed $(SEED)

## clean: remove what these targets built
.PHONY: clean
clean:
	@rm -rf bin .out

# The tools have a module of their own, outside the workspace, so that no
# module that people import carries their requirements.
bin/staticcheck: tools/go.mod tools/go.sum
	@echo '== building staticcheck'
	@GOWORK=off go build -C tools -o ../bin/ honnef.co/go/tools/cmd/staticcheck
	@touch $@

bin/gotest: $(TOOL_SOURCES)
	@GOWORK=off go build -C tools -o ../bin/ ./gotest
	@touch $@
