# Two commands are enough: `make demo` runs the main job, `make test` the tests. Both need Python >= 3.11 with venv,
# make and a package index; everything they make stays in this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --no-cache-dir --disable-pip-version-check --quiet

export ORT_DISABLE_TELEMETRY := 1
# pip asks for rustc's version; where that is rustup's stand-in, it would write its settings below HOME.
$(VENV)/.installed: export RUSTUP_HOME := $(abspath $(VENV))/rustup

.PHONY: env demo check test lock peers vectors js mutation mutated selftest fuzz eif eif-run eif-terminate eif-describe eif-local eif-reproducible boot-test nitro-run qemu-nitro sbom audit release ci-deps clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

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
	$(BIN)/pytest -q -n 2 --ignore tests/docs --ignore tests/boot

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --output-file requirements/all.txt pyproject.toml
	uv pip compile --quiet --python-platform x86_64-manylinux_2_28 --python-version 3.13 --no-deps --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --constraint requirements/all.txt \
		--output-file requirements/enclave.txt requirements/enclave.in
	echo atheris==3.0.0 | uv pip compile --quiet --universal --python-version 3.11 --extra audit --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --constraint requirements/all.txt \
		--output-file requirements/fuzz.txt pyproject.toml -
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --output-file requirements/release.txt requirements/release.in
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

TAG_UNLESS_TOLD := strongroom-enclave
EIF_UNLESS_TOLD := strongroom.eif
CPUS_UNLESS_TOLD := 2
IMAGE_VARIABLES := TAG EIF BASE POLICY ENTRY ROLE ANY_PARENT_ROLE SIGNING_CERTIFICATE SIGNING_CERTIFICATE_KEY \
	CPUS MEMORY CID ENCLAVE RECORD
# As they were given, through the environment: no character of a name is make's or the shell's. An empty one is not given.
$(foreach name,$(IMAGE_VARIABLES),$(eval \
	eif eif-run eif-terminate eif-local eif-reproducible sbom: override export $(name) := $$(or $$(value $(name)),$$($(name)_UNLESS_TOLD))))

# `exec`: who ends make, as a supervisor does, ends the build and not a shell before it.
eif: env ## Build the enclave image file with docker and nitro-cli: make eif BASE=debian:trixie-slim@sha256:… POLICY=policy.toml ROLE=arn:…
	@exec $(BIN)/strongroom eif from-docker --docker-uri "$$TAG" --base "$$BASE" --output "$$EIF" \
		$${SIGNING_CERTIFICATE:+--signing-certificate "$$SIGNING_CERTIFICATE"} \
		$${SIGNING_CERTIFICATE_KEY:+--private-key "$$SIGNING_CERTIFICATE_KEY"} \
		$${POLICY:+--policy "$$POLICY"} $${ENTRY:+--name "$$ENTRY"} \
		$${ROLE:+--role "$$ROLE"} $${ANY_PARENT_ROLE:+--any-parent-role}

eif-run: env ## Start it with nitro-cli: make eif-run CPUS=2 MEMORY=4096 CID=16
	@deploy/nitro-enclave.sh run $(BIN)/strongroom "$$EIF" "$$CPUS" "$$MEMORY" "$$CID"

eif-terminate: ## End one: make eif-terminate ENCLAVE=ID-or-name
	@deploy/nitro-enclave.sh terminate "$$ENCLAVE"

eif-describe: ## List those that nitro-cli runs
	@deploy/nitro-enclave.sh describe

RELEASE_PYTHON := .release/venv/bin/python
# When a release is dated: its commit, unless told.
DATED := SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null)}"

sbom: .release/image.json ## Write dist/sbom.json: what is in the image (CycloneDX), Debian's packages by RECORD=.image/packages.json
	@record=$${RECORD:-$(wildcard .image/packages.json)}; \
	$(DATED) $(RELEASE_PYTHON) -m deploy.release.sbom \
		requirements/enclave.txt $< $${record:+--record "$$record"} --output dist/sbom.json

audit: .release/venv/.installed ## Hold every pinned package against the known vulnerabilities (needs their service)
	@PATH="$(abspath .release/venv/bin):$$PATH" $(RELEASE_PYTHON) -m deploy.release.audit $(wildcard requirements/*.txt)

release: ## Audit, test, then write wheel and SBOM of a checkout as committed to dist
	@unset $$(git rev-parse --local-env-vars); \
	changes=$$(git rev-parse --show-prefix && git status --porcelain --untracked-files=all && \
		git ls-files --others --exclude-per-directory=.gitignore) && [ -z "$$changes" ] || \
		{ echo "error: expected a checkout as committed, got another or none; git status names what differs" >&2; exit 1; }
	@$(MAKE) --silent audit
	@$(MAKE) test
	@$(DATED) $(BIN)/python -m hatchling build --target wheel
	@$(MAKE) --silent sbom

.release/venv/.installed: requirements/release.txt
	@echo "Installing the locked packages into .release/venv …"
	@$(PYTHON) -m venv .release/venv
	@$(RELEASE_PYTHON) -m pip --no-cache-dir --disable-pip-version-check --quiet install \
		--only-binary :all: --require-hashes --requirement $<
	@touch $@

.release/image.json: requirements/enclave.txt deploy/image-wheels.sh strongroom/image/interpreter.py .release/venv/.installed
	@echo "Asking pip for the wheels of the image …"
	@deploy/image-wheels.sh $(RELEASE_PYTHON) $< $@

eif-local: env ## Build the image without docker and nitro-cli: make eif-local RECORD=.image/packages.json
	@exec $(BIN)/strongroom eif local $${RECORD:+--record "$$RECORD"}

eif-reproducible: env ## Build it twice, as unlike as can be, and compare: make eif-reproducible RECORD=…
	@exec $(BIN)/strongroom eif reproduce $${RECORD:+--record "$$RECORD"}

boot-test: env ## Boot the image of make eif-local in QEMU: attestation, key release, an answer, refusals
	@if [ -e .image/strongroom-local.eif ]; then $(BIN)/python -m strongroom.simulator.boot_image .image; fi
	@$(BIN)/pytest -q -s tests/boot

nitro-run: env ## Run strongroom enclave run nitro, over vsock, in a machine that plays the parent instance
	@STRONGROOM_NITRO_RUN=1 $(BIN)/pytest -q -s tests/boot/test_parent_instance.py

qemu-nitro: env .qemu-nitro/.installed ## Hold our PCRs against those of QEMU's own nitro-enclave machine
	@[ -d .image/parts ] || { echo "error: expected the image that make eif-local builds in .image, got none" >&2; exit 1; }
	@$(BIN)/pytest -q -s tests/boot/test_nitro_machine.py

.qemu-nitro/.installed: deploy/qemu-nitro.sh
	@echo "Building QEMU's nitro-enclave machine in .qemu-nitro …"
	@deploy/qemu-nitro.sh .qemu-nitro
	@touch $@

ci-deps: ## Install what the tests need from Debian; make the image's Python in .trixie
	@deploy/ci-deps.sh
	@$(MAKE) --silent .trixie/.installed .release/image.json

.trixie/.installed: requirements/enclave.txt deploy/trixie-tree.sh
	@echo "Making Debian trixie's Python with the image's packages in .trixie …"
	@deploy/trixie-tree.sh .trixie
	@touch $@

clean: ## Remove everything that make has made
	rm -rf $(VENV) .trixie .image .qemu-nitro .peers .fuzz .release clients/js/node_modules .models .state .mypy_cache .ruff_cache .hypothesis dist
