# Two commands are enough: `make demo` runs the main job, `make test` the tests. Both need Python >= 3.11 with venv,
# make and a package index; everything they make stays in this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --no-cache-dir --disable-pip-version-check --quiet
TAG ?= strongroom-enclave
EIF ?= strongroom.eif

export ORT_DISABLE_TELEMETRY := 1
# pip asks for rustc's version; where that is rustup's stand-in, it would write its settings below HOME.
$(VENV)/.installed: export RUSTUP_HOME := $(abspath $(VENV))/rustup

.PHONY: env demo check test lock peers vectors js mutation mutated selftest fuzz eif ci-deps clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(VENV)/.installed ## Make .venv from the lock file, hashes required

$(VENV)/.installed: requirements/all.txt pyproject.toml
	@echo "Installing the locked packages into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements/all.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: env ## Run the whole appliance on the simulator and answer a prompt: PROMPT="…" make demo
	@$(BIN)/strongroom demo

check: env ## Lint, types, import contracts, examples of the docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/docs

test: check js ## Everything that must hold
	$(BIN)/pytest -q -n 2 --ignore tests/docs

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --output-file requirements/all.txt pyproject.toml
	uv pip compile --quiet --python-platform x86_64-manylinux_2_28 --python-version 3.13 --no-deps --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --constraint requirements/all.txt \
		--output-file requirements/enclave.txt requirements/enclave.in
	echo atheris==3.0.0 | uv pip compile --quiet --universal --python-version 3.11 --extra audit --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --constraint requirements/all.txt \
		--output-file requirements/fuzz.txt pyproject.toml -
	for peer in benchmarks/peers/*.in; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
			--no-emit-index-url --output-file $${peer%.in}.txt $$peer || exit 1; \
	done

PEERS := $(patsubst benchmarks/peers/%.txt,.peers/%/.installed,$(wildcard benchmarks/peers/*.txt))

peers: $(PEERS) ## Make an environment for each peer that the benchmarks compare with

.peers/%/.installed: benchmarks/peers/%.txt
	@echo "Installing the locked packages into .peers/$* …"
	@$(PYTHON) -m venv .peers/$*
	@.peers/$*/bin/python -m pip --no-cache-dir --disable-pip-version-check --quiet install \
		--only-binary :all: --require-hashes --requirement $<
	@touch $@

vectors: env ## Write the vectors of documents and of the protocol anew
	@$(BIN)/python -m tests.attestation.vectors generate
	@$(BIN)/python -m tests.protocol.vectors

JS := clients/js/node_modules/.installed

js: ## Install the packages of the JavaScript client, where there is npm
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --silent $(JS); \
	else echo "no npm: the tests of clients/js are skipped (on Debian: make ci-deps)"; fi

$(JS): clients/js/package-lock.json
	@echo "Installing the locked packages into clients/js/node_modules …"
	@cd clients/js && npm ci --silent
	@touch $@

CASES ?= 1000000
SEED ?= 2

mutation: env ## Judge a million mutated documents: make mutation CASES=… SEED=…
	@$(BIN)/python -m tests.attestation.mutation --cases $(CASES) --seed $(SEED)

mutated: env ## Send mutated sealed requests to a simulated enclave: make mutated CASES=2000000 SEED=…
	@$(BIN)/python -m tests.enclave.mutated --cases $(CASES) --seed $(SEED)

TRIALS ?= 200000

selftest: env ## Attack client and enclaves as an evil parent would: make selftest TRIALS=… SEED=…
	@$(BIN)/strongroom selftest --adversarial --trials $(TRIALS) --seed $(SEED) --json

TARGET ?= document
SECONDS ?= 60

fuzz: .fuzz/.installed ## Fuzz one parser with atheris: make fuzz TARGET=cbor SECONDS=60
	@.fuzz/venv/bin/python -m tests.fuzz $(TARGET) --seconds $(SECONDS)

.fuzz/.installed: requirements/fuzz.txt
	@$(PYTHON) -m venv .fuzz/venv
	@.fuzz/venv/bin/python -m pip --no-cache-dir --disable-pip-version-check --quiet install \
		--require-hashes --requirement $<
	@touch $@

eif: ## Build the enclave image file: make eif BASE=debian:trixie-slim@sha256:…
	@deploy/build-eif.sh "$(TAG)" "$(EIF)" "$(BASE)"

ci-deps: ## Install what the tests need from Debian; make the image's Python in .trixie
	@deploy/ci-deps.sh
	@$(MAKE) --silent .trixie/.installed

.trixie/.installed: requirements/enclave.txt deploy/trixie-tree.sh
	@echo "Making Debian trixie's Python with the image's packages in .trixie …"
	@deploy/trixie-tree.sh .trixie
	@touch $@

clean: ## Remove everything that make has made
	rm -rf $(VENV) .trixie .peers .fuzz clients/js/node_modules .models .state .mypy_cache .ruff_cache .hypothesis dist
