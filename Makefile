# The menu. `make demo` and `make test` need only Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PIP_REQUIRE_VIRTUALENV := 1

.PHONY: help demo test check bench docs fuzz clean

help:
	@echo "make demo    a shop on three servers, in your browser"
	@echo "make test    every test, against real servers"
	@echo "make check   lint and types"
	@echo "make bench   commands and speed, beside the peers"
	@echo "make fuzz    look for inputs that break something, for long"
	@echo "make docs    the tables in the documentation, anew from the code"

# One stamp for each set of packages; a change in pyproject.toml installs anew.
$(VENV)/pip.ok:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sessile needs Python 3.11 or newer: write make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt-get install python3-venv"; exit 1; }
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/demo.ok: $(VENV)/pip.ok pyproject.toml
	@echo "installing the demo's packages into $(VENV) ..."
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/test.ok: $(VENV)/pip.ok pyproject.toml
	@echo "installing the tests' packages into $(VENV) ..."
	@$(PIP) install --editable . --group test --group check
	@touch $@

$(VENV)/bench.ok: $(VENV)/pip.ok pyproject.toml
	@echo "installing the peers into $(VENV) ..."
	@$(PIP) install --editable . --group bench
	@touch $@

demo: $(VENV)/demo.ok
	@$(BIN)/sessile demo

test: $(VENV)/test.ok
	@sh scripts/install-servers
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/test.ok
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/bench.ok
	@sh scripts/install-servers redis-server wrk
	$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(VENV)/test.ok
	@for target in $(or $(TARGET),cookie ticket record forwarded); do \
		echo "== $$target"; $(BIN)/python -m fuzz $$target --seconds $(or $(SECONDS),900) $(ARGS) || exit 1; \
	done

docs: $(VENV)/test.ok
	$(BIN)/python scripts/tables.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
