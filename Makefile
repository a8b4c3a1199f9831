# Every target sets itself up: a virtual environment in .venv, hash-locked, made again when the lock changes.
# ARGS are handed on: make test ARGS="tests/unit -x"

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/lock/bin/uv pip compile -q \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup run test check bench faults flights lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Set up .venv only

run: $(STAMP) ## Start everything with what is missing embedded, and show it at work; Ctrl-C ends it
	@$(BIN)/runtally up --demo $(ARGS)

test: $(STAMP) ## All tests
	@$(BIN)/python -m pytest -n 2 -rs $(ARGS)

check: $(STAMP) ## Lint, format, types, import contracts, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -n 2 -rs $(ARGS)

bench: $(STAMP) ## Measure throughput and latency here
	@$(BIN)/python -m benchmarks $(ARGS)

faults: $(STAMP) ## Break everything at full size, and count; ARGS=--quick takes seconds a fault
	@$(BIN)/python -m faults $(ARGS)

flights: $(STAMP) ## Count a year of flights; ARGS=--again sends everything twice
	@$(BIN)/python -m examples.flights $(ARGS)

# The stamp is touched last: a set-up that was interrupted starts again.
$(STAMP): requirements/dev.txt pyproject.toml
	@deploy/make-venv $(VENV)
	@echo "set-up: installing the locked requirements"
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@echo "set-up: installing runtally itself"
	@$(BIN)/pip install -q --no-build-isolation --no-deps -e .
	@touch $@

lock: $(STAMP) ## Resolve the requirements anew: for work on Runtally, for the services, for producers alone, for building
	@echo "lock: fetching uv"
	@test -x $(VENV)/lock/bin/uv || { $(BIN)/python -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install -q uv; }
	@echo "lock: resolving"
	@$(COMPILE) --upgrade --extra dev pyproject.toml -o requirements/dev.txt
	@$(COMPILE) -c requirements/dev.txt --extra cli --extra worker --extra web --extra flower pyproject.toml -o requirements/service.txt
	@$(COMPILE) -c requirements/dev.txt pyproject.toml -o requirements/base.txt
	@echo hatchling | $(COMPILE) -c requirements/dev.txt - -o requirements/build.txt

clean: ## Remove .venv and everything made by tools; .runtally, with its data, stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
