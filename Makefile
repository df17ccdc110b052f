# Plain make, 3.81 or newer: the work is in cargo and scripts/.

BIN = $(or $(CARGO_TARGET_DIR),target)/release/codeout
ARGS =
# Per fuzz target, for `make fuzz`.
SECONDS ?= 600
# Kills at random, for `make crash`.
CRASHES ?= 500

.PHONY: help build run test lint bench load engines screenshots fuzz model verify mutants crash repro sbom

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

build: ## the release binary, target/release/codeout
	@scripts/release build -p codeout

run: build ## build, then start the daemon here; ARGS="..." goes to codeout
	$(BIN) $(ARGS)

test: ## every check and every test; the last line counts them
	@scripts/test

lint: ## the checks alone, without running tests
	@scripts/test fmt clippy docs weblint deny dependencies law words claims

bench: build ## the whole-system benchmarks; those of the page need Chromium
	scripts/release run -p codeout-bench
	cd web && CODEOUT_BIN=$(abspath $(BIN)) npm run bench

load: build ## crowds, floods and hostile devices against a real daemon: what it holds and refuses
	scripts/release run -p codeout-bench load

engines: ## the app in Firefox and in WebKit, as `make test` does
	@scripts/test engines

screenshots: build ## pictures of every view of the app, into docs/; needs Chromium
	cd web && CODEOUT_BIN=$(abspath $(BIN)) npm run screenshots

fuzz: ## each fuzz target for SECONDS=600; needs a nightly toolchain
	@FUZZ_SECONDS=$(SECONDS) scripts/test fuzz

model: ## every history of pairing, connecting and revoking, within the larger bounds
	scripts/release run -p codeout-model

verify: ## the symbolic models of both handshakes, and what is found in broken ones
	@scripts/verify

mutants: ## whether the tests notice small changes of the protocol, the list and the offers; hours
	@scripts/mutants

crash: ## kill -9 at every system call that matters and CRASHES=500 times at random; bad disks, files, limits
	@CRASHES=$(CRASHES) scripts/crash

repro: ## builds the release twice, in two directories, and compares the bytes; ARGS=--quick: unoptimised
	@scripts/repro $(ARGS)

sbom: ## bills of materials of the program and the app, in CycloneDX, into target/sbom
	@scripts/sbom
