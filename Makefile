# Everything a fresh machine with Python and make needs: `make run`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: run test check format faults lock clean

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

run: .venv/installed ## start the daemon (config.toml, else the example)
	$(BIN)/monitor run $(ARGS)
