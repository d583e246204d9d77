# Everything a fresh machine with Python and make needs: `make demo`, `make run`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=
N ?= 3
# Tests of what a fresh machine may not have: `make unit`, `make alerts`
ELSEWHERE := --ignore tests/deploy/systemd --ignore tests/deploy/prometheus
# Harnesses that hold one time against another, or a promise in seconds: with nothing beside them
TIMED := tests/faults/promises tests/faults/steady tests/faults/clock tests/faults/network
PYTEST := pytest -p tests.collecting --dist worksteal
LOCK := --all-extras --universal --generate-hashes --python-version 3.11 --no-header --quiet
# Many tests wait, for a hang to show or a daemon to end: one more worker than a small machine has cores
WORKERS := 3

# The tests start hundreds of programs: none is to compile the whole house anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo run test covered slowest steady unit alerts check format faults day bench docs pictures lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing the monitor into .venv, once: 25 MB to fetch, half a minute besides"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@$(PYTHON) -m venv --clear .venv
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/developed: .venv/installed requirements-dev.lock
	@echo "Installing what the tests need besides, once: 60 MB to fetch, 10 seconds besides"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

setup: .venv/installed ## install the monitor into .venv and nothing else
	@echo "Ready: .venv/bin/monitor --help"

demo: .venv/installed ## the whole path on one screen, no key needed: make demo ARGS='--duration 30s'
	$(BIN)/monitor demo $(ARGS)

run: .venv/installed ## start the daemon: config.toml when there is one, else the example
	$(BIN)/monitor run --config $(firstword $(wildcard config.toml) config.example.toml) $(ARGS)

test: .venv/developed ## all checks and all tests, Postgres included, with coverage
	@$(MAKE) --no-print-directory check > .check.log 2>&1 & check=$$!; \
	trap "kill $$check" INT TERM; \
	$(MAKE) --no-print-directory covered; covered=$$?; \
	wait $$check; check=$$?; \
	cat .check.log; exit $$((covered | check))

covered:
	rm -f .coverage.*
	$(BIN)/$(PYTEST) -n $(WORKERS) -p tests.covered $(ELSEWHERE) $(ARGS)
	$(BIN)/python -m tests.covered

slowest: .venv/developed ## run all tests, and print the slowest twenty
	$(BIN)/$(PYTEST) -n $(WORKERS) -p tests.slowest $(ELSEWHERE) tests $(ARGS)

steady: .venv/developed ## make test again and again beside four busy loops: make steady N=3
	$(BIN)/python -m tests.steady $(N)

unit: .venv/developed ## what systemd says of the unit files (needs its tools)
	$(BIN)/pytest tests/deploy/systemd $(ARGS)

alerts: .venv/developed ## what Prometheus says of the alert rules (needs promtool)
	$(BIN)/pytest tests/deploy/prometheus $(ARGS)

check: .venv/developed ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/developed ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: .venv/developed ## the fault harnesses in full, and whether they catch planted bugs (hours)
	MONITOR_FAULTS=full $(BIN)/pytest $(TIMED) $(ARGS)
	MONITOR_FAULTS=full $(BIN)/$(PYTEST) -n 2 $(TIMED:%=--ignore %) tests/faults tests/planted tests/hostile/test_generated.py $(ARGS)

day: .venv/developed ## a day of 50 batches in a minute, and what a day of 200 costs in polls
	MONITOR_DAY_GRAIN=5 MONITOR_DAY_SECONDS=60 $(BIN)/pytest -s tests/days

bench: .venv/developed ## speed and memory against bare loops, target by target (10 minutes)
	$(BIN)/python -m tests.benchmarks $(ARGS)

docs: .venv/developed ## write the generated parts of docs/ anew, and draw what Slack shows
	$(BIN)/python -m docs.generate

pictures: .venv/developed ## write them, and film the pictures of screens anew (3 minutes)
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.generate.screens

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --group dev -o requirements-dev.lock $(LOCK)
	uv pip compile pyproject.toml --group build -c requirements-dev.lock -o requirements.lock $(LOCK)

clean: ## remove what make made
	rm -rf .venv .coverage* .check.log .steady .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist
