# What a contributor and the CI run. `make help` lists it.

CARGO ?= cargo
# Runs what cargo built; interop tests and the demonstration as root.
RUNNER := --config "target.'cfg(unix)'.runner='scripts/run-built-program'"
# Interop tests wait more than they compute.
export RUST_TEST_THREADS ?= 6

MINUTES ?= 30

.DEFAULT_GOAL := help
RUN_AS_ROOT = $(CARGO) $(RUNNER) test --package postern --test

.PHONY: help demo test test-ring interop-stock abuse abuse-stock worlds fuzz stress bench soak bench-steps bench-issue bench-pki dependencies monitors format format-check lint docs pkilint deny

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: dependencies ## Show the main job: connect two stock clients, revoke one, watch its live tunnel end
	$(CARGO) build --package postern --package test-support
	$(CARGO) $(RUNNER) run --quiet --package test-support --bin demo

test: dependencies monitors ## Run every test, the interop tests and pkilint included (the former as root)
	$(CARGO) $(RUNNER) test --workspace --no-fail-fast
	$(MAKE) pkilint

test-ring: dependencies ## Run the tests that cryptography decides, with the ring crypto backend
	$(CARGO) $(RUNNER) test --no-fail-fast --no-default-features --features ring \
		--package pki-core --package vpn-proto --package vpn-server
	$(CARGO) $(RUNNER) test --no-fail-fast --no-default-features --features ring --package postern \
		--test interop_connect --test interop_matrix --test interop_renegotiation --test interop_revocation

interop-stock: dependencies ## Run the interop scenarios against a stock OpenVPN server: proves the harness
	INTEROP_SERVER=openvpn $(CARGO) $(RUNNER) test --package postern --no-fail-fast \
		--test interop_connect --test interop_lifecycle --test interop_renegotiation --test interop_transfer \
		-- --skip by_postern

abuse: dependencies ## Attack a running server at length and print what it did to everybody else
	ABUSE=full RUST_TEST_THREADS=1 $(RUN_AS_ROOT) interop_abuse -- --nocapture

abuse-stock: dependencies ## The same attacks on a stock OpenVPN server, for comparison
	ABUSE=full INTEROP_SERVER=openvpn RUST_TEST_THREADS=1 $(RUN_AS_ROOT) interop_abuse -- --nocapture

worlds: ## Live in 10,000 simulated worlds; make test does so in 1,000
	POSTERN_WORLDS=10000 $(CARGO) test --package vpn-proto --test simulator worlds

fuzz: ## Fuzz every target for SECONDS_EACH seconds (60)
	scripts/fuzz

stress: dependencies ## Kill, crowd, fill up and write-protect the PKI for longer than `make test` does (as root)
	PKI_STRESS=1 $(CARGO) $(RUNNER) test --package postern --test pki -- disturbed

bench: dependencies ## Measure the server side by side with stock OpenVPN, release build (as root; BENCH_ARGUMENTS chooses)
	$(CARGO) build --release --package postern --package postern-bench
	bench/side_by_side.py $(BENCH_ARGUMENTS)

soak: dependencies ## Keep a server busy for MINUTES (30), release build: nothing may grow or get lost (as root)
	$(CARGO) build --release --package postern --package postern-bench
	bench/soak.py --minutes $(MINUTES) $(SOAK_ARGUMENTS)

bench-steps: ## Measure single steps of the data plane, release build
	$(CARGO) bench --package vpn-server --bench dataplane

bench-issue: dependencies ## Time issuing a certificate against easy-rsa, release build
	$(CARGO) build --release --package postern --package test-support
	$(CARGO) run --release --quiet --package test-support --bin bench-issue

bench-pki: dependencies ## Time the PKI commands with 100,000 and 1,000,000 certificates against easy-rsa, release build
	$(CARGO) build --release --package postern --package test-support
	$(CARGO) run --release --quiet --package test-support --bin bench-pki

dependencies: ## Install the Debian or Ubuntu packages that the tests need, if any is missing
	@scripts/install-test-dependencies

monitors: dependencies ## Install the monitors that the tests read a server with, below target/
	@scripts/install-monitors

format: ## Format the code
	$(CARGO) fmt --all

format-check: ## Check the format of the code
	$(CARGO) fmt --all --check

lint: ## Run clippy on everything, with both crypto backends
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) clippy --workspace --all-targets --no-default-features --features ring -- --deny warnings

docs: ## Build the documentation of the library crates, private items included
	RUSTDOCFLAGS='--deny warnings' $(CARGO) doc --workspace --lib --no-deps --document-private-items

pkilint: dependencies ## Have certificates and lists of each kind of key judged by pkilint and by openssl's strict checks
	$(CARGO) build --package postern
	scripts/pkilint $${CARGO_TARGET_DIR:-target}/debug/postern

deny: ## Check licences, banned crates and sources of dependencies
	scripts/cargo-deny --all-features check licenses sources
	scripts/cargo-deny check bans
