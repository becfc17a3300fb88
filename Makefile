# The few commands people type. `make demo` and `make test` do all set-up themselves.
.DEFAULT_GOAL := help
.PHONY: help install demo down clean test check bench lock format

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.installed

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

install: packages $(STAMP) ## Make .venv from the pinned requirements
.PHONY: packages packages-test
packages:
	@deploy/system-packages.sh runtime
packages-test:
	@deploy/system-packages.sh test

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode requirements.txt requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## Start everything here and run the main job on synthetic studies
	@$(BIN)/dicomanon demo

down: $(STAMP) ## Stop the local stack; its data stays
	@$(BIN)/dicomanon stack down

clean: $(STAMP) ## Stop the local stack and forget its data and keys
	@$(BIN)/dicomanon stack clean

test: packages-test $(STAMP) lint ## Run all tests on real servers
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --no-loadscope-reorder

check: $(STAMP) lint ## Formatter, linter, types, lock in step
	@$(BIN)/python deploy/check_lock.py

.PHONY: lint
lint: $(STAMP)
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

format: $(STAMP) ## Format and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP) ## Make requirements*.txt from requirements*.in
	@$(BIN)/python deploy/check_lock.py --write

bench: install ## Measure the whole chain against a plain copy, the engine against others
	@$(BIN)/python bench/chain.py
	@$(BIN)/python bench/deidentify.py
