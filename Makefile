# Everything a developer does, by name. `make` alone builds the binary.

GO ?= go
PKGS ?= ./...
FUZZTIME ?= 10m

.PHONY: build test race difftest lint fuzz soak bench generate clean

build:            ## the binary, in ./bin
	$(GO) build -o bin/spanlite ./cmd/spanlite

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

soak: build       ## the long crash and recovery run: three processes, kill -9, 20 rounds
	SPANLITE_SOAK_ROUNDS=20 $(GO) test -count=1 -timeout 60m -v ./server/crashtest

bench: build      ## pgbench against spanlite and, if installed, PostgreSQL in turn
	./testdata/bench/pgbench.sh

generate:         ## regenerate checked-in generated code
	$(GO) generate $(PKGS)

clean:
	rm -rf bin
