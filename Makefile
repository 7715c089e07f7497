# Everything a developer does, by name. `make` alone builds the binary.

GO ?= go
PKGS ?= ./...
FUZZTIME ?= 10m
COMMIT ?= $(shell git rev-parse --short=10 HEAD 2>/dev/null)
SIM_SEED ?= 1000
SIM_RUNS ?= 200

.PHONY: build test race difftest lint fuzz soak mutations bench generate clean

build:            ## the binary, in ./bin
	$(GO) build -ldflags "-X github.com/spanlite/spanlite/server.commit=$(COMMIT)" -o bin/spanlite ./cmd/spanlite

test:             ## unit and system tests: what CI runs
	$(GO) test -timeout 15m $(PKGS)

race:             ## the same under the race detector
	$(GO) test -race -short -timeout 30m $(PKGS)

difftest:         ## against PostgreSQL 15: all files, TPC-H, and 100,000 random queries
	SPANLITE_DIFFTEST_QUERIES=100000 $(GO) test -count=1 -timeout 60m -v ./server/difftest

lint:             ## gofmt, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi
	$(GO) vet $(PKGS)
	$(GO) tool staticcheck $(PKGS)

fuzz:             ## every fuzz target for FUZZTIME
	@for pkg in $$($(GO) list $(PKGS)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done

soak: build       ## long random runs: simulated clusters (SIM_RUNS seeds of a minute), processes with kill -9
	SPANLITE_SIM_SEED=$(SIM_SEED) SPANLITE_SIM_RUNS=$(SIM_RUNS) SPANLITE_SIM_SECONDS=60 $(GO) test -count=1 -timeout 6h -run TestRandom ./server/sim
	SPANLITE_SOAK_ROUNDS=20 $(GO) test -count=1 -timeout 60m -v ./server/crashtest

mutations:        ## builds that lack one protection each: the checkers must notice
	$(GO) test -count=1 -timeout 60m -tags mutation -run TestMutations -v ./server/sim

bench: build      ## pgbench against spanlite and, if installed, PostgreSQL in turn
	./testdata/bench/pgbench.sh

clients:          ## drivers, ORMs and tools of other languages against a node (those that are installed)
	@if command -v npm >/dev/null && [ ! -d testdata/clients/node/node_modules ]; then cd testdata/clients/node && npm install --no-audit --no-fund; fi
	SPANLITE_CLIENTS=1 $(GO) test -count=1 -timeout 20m -v -run 'TestPrograms|TestCorpus|TestPsql|TestDump' ./server/clienttest

generate:         ## regenerate checked-in generated code
	$(GO) generate $(PKGS)

clean:
	rm -rf bin
