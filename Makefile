# Everything a newcomer needs: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/sh
VENV := .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)
PYTEST := $(VENV)/bin/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-spark run test check format prove bench lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Create the environment (.venv) from the lock

$(VENV)/.ready: requirements.lock pyproject.toml package-lock.json
	@if [ -z "$(PYTHON)" ]; then echo "Click2Cart needs Python 3.11 or newer on the PATH, or make PYTHON=/path/to/python" >&2; exit 2; fi
	@echo "[1/4] creating $(VENV) with $(PYTHON)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing; on Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 2; }
	@echo "[2/4] installing what the lock names (a minute or two the first time)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "[3/4] installing click2cart itself"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "[4/4] fetching what pages take from npm"
	@$(VENV)/bin/python -m web.front_end
	@touch $@

setup-spark: setup ## Add Apache Spark for `match run --engine spark` (needs Java 17 or newer; half a gigabyte)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock

run: setup ## Run the whole thing with its demo stores at http://127.0.0.1:5000 (PORT changes it)
	@exec $(VENV)/bin/click2cart demo

test: setup ## Run the tests (under ten minutes on two cores)
	@$(PYTEST) -n 2 --dist loadfile

check: setup ## Format, lint, types and import contracts, in seconds
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: setup ## Format the code and mend what can be mended by itself
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

prove: setup ## Run the long proofs of which `make test` holds a sample
	@$(PYTEST) -m prove -n 2 -v

bench: setup ## Measure, and print the tables of docs/benchmarks.md (DATA= a folder of public matching sets)
	@$(VENV)/bin/python -m benchmarks $(if $(DATA),--data $(DATA))

lock: ## Write requirements.lock anew (needs uv on the PATH)
	@uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade -o requirements.lock

clean: ## Remove the environment and caches; the data directory stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
