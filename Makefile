# The two commands for a start: make demo, make test. Each creates .venv first if it is missing.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check fast check-slow check-browser fuzz slow docs translations screenshots chaos upgrade bench bench-signup bench-redis lint types imports lock clean

# Tests start Python hundreds of times, and without bytecode files each start compiles every module.
unexport PYTHONDONTWRITEBYTECODE

TESTS := $(BIN)/pytest -n auto --dist worksteal

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/run ## Run the whole service in one process, from sign-ups to an unsubscribe (ARGS="--once --json")
	@$(BIN)/newsletter demo $(ARGS)

test: .venv/dev ## Run every test; tests that need a missing server are skipped and listed (ARGS="-k feed")
	@$(TESTS) $(ARGS)

check: .venv/dev ## For every commit: check format, lint, types, imports and documentation, and run all but the slow tests
	@$(MAKE) --no-print-directory --jobs=2 fast docs lint types imports

# Beside the other checks, which use the time in which tests wait.
fast: .venv/dev
	@$(TESTS) -m "not slow" $(ARGS)

check-slow: .venv/dev ## Run the slow tests, as CI does after `make check`: chaos, demos, benchmark, image
	@$(TESTS) -m "slow and not browser" $(ARGS)

check-browser: .venv/dev ## Run the slow tests in Chromium and Firefox, as CI does last: every page and host page at every width
	@$(TESTS) -m "slow and browser" $(ARGS)

fuzz: .venv/dev ## Run the tests that draw examples with new ones; other runs draw the same each time (ARGS="-k links")
	@$(TESTS) -m hypothesis --hypothesis-profile=new $(ARGS)

slow: .venv/dev ## Run every test and print the slowest 20
	@$(TESTS) --durations=20 --durations-min=0.1 $(ARGS)

docs: .venv/dev ## Build the documentation into docs/_site; warnings and broken links are errors
	@rm -rf docs/_site
	@$(BIN)/sphinx-build -q -E -a -W --keep-going -b html -d docs/_site/.doctrees docs docs/_site
	@$(BIN)/python -m tests.docs.site docs/_site

translations: .venv/tools ## Collect the texts of code and templates and update the catalogues (a new language: ARGS=el)
	@$(BIN)/python -m tests.languages.translations $(ARGS)

screenshots: .venv/dev ## Take the screenshots of README and docs; draw the desk, and forms beside their evidence, into var
	@$(BIN)/python -m tests.docs.screenshots --desk
	@EXHIBIT_PICTURES=var/exhibits $(BIN)/pytest -q tests/browser/embed/test_exhibits.py

chaos: .venv/dev ## Kill and freeze processes and servers while an issue is sent (ARGS="--seed 7 --scenario sigkill --json")
	@$(BIN)/python -m tests.chaos $(ARGS)

upgrade: .venv/dev ## Let the release BEFORE=REVISION and this one send the same issues (or BEFORE_FOLDER=TREE)
	@$(BIN)/python -m tests.upgrade $(if $(BEFORE_FOLDER),--before-folder $(BEFORE_FOLDER),--before $(or $(BEFORE),$(error name the release before: make upgrade BEFORE=REVISION))) $(ARGS)

bench: .venv/run ## Measure how fast this machine sends letters, compared with smtp-source (ARGS="--letters 20000 --json")
	@$(BIN)/newsletter bench delivery $(ARGS)

bench-redis: .venv/dev ## Measure sign-ups while Redis is healthy, frozen, killed or emptied
	@$(BIN)/python -m tests.bench.redis_states $(ARGS)

lint: .venv/dev ## Check format and lint with ruff
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: .venv/dev ## Check types with mypy --strict
	@$(BIN)/mypy

imports: .venv/dev ## Check that imports follow the layers
	@$(BIN)/lint-imports --no-cache

lock: .venv/dev ## Pin the newest package versions, with hashes
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-header --group build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-header --group build --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean: ## Remove .venv, the built documentation and everything the service wrote into var/
	@rm -rf .venv docs/_site var

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/packages: .venv/bin/python requirements.lock
	@echo "Installing the pinned packages into .venv ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# Installing the project compiles the catalogues.
CATALOGUES := $(wildcard newsletter/locale/*.pot newsletter/locale/*/LC_MESSAGES/*.po)

.venv/run: .venv/packages pyproject.toml hatch_build.py $(CATALOGUES)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# `make translations` needs only these: catalogues that are behind the texts cannot be compiled before it has run.
.venv/tools: requirements-dev.lock | .venv/packages
	@echo "Installing the pinned packages for development into .venv ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.venv/dev: .venv/tools .venv/run
	@touch $@
