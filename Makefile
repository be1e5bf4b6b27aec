# `make demo` and `make test` need nothing but Python 3.11; both may be run again, from any folder, by any user.
PROJECT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
PYTHON ?= python3
VENV ?= $(PROJECT).venv
PORT ?= 8000
TEST_PROCESSES ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 2 ] && echo $$n || echo 2)
TESTS ?= tests
DATABASE_TESTS := tests/test_isolation.py tests/test_isolation_judge.py tests/test_audit_completeness.py \
    $(addprefix tests/,accounts appointments audit patients practices)
POSTGRES_15 ?= /usr/lib/postgresql/15/bin

ifdef STATE_DIR
override STATE_DIR := $(abspath $(STATE_DIR))
export STATE_DIR
endif
export PORT VENV
unexport PYTHONPATH

RUN := cd $(PROJECT) && exec $(VENV)/bin/python
WITH_SERVICES := cd $(PROJECT) && ENVIRONMENT=test exec $(VENV)/bin/python -m config.embedded run --

.PHONY: help demo install install-dev test test-pg15 bench check schema format stop clean

help:  ## what there is
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /' | column -t -s: -l 2

demo: install  ## everything started, with data, on http://localhost:$(PORT)
	@$(RUN) -m config.demo

install:  ## the virtualenv with what the project needs to run
	@$(PYTHON) $(PROJECT)config/install.py run

install-dev:
	@$(PYTHON) $(PROJECT)config/install.py dev

test: install-dev  ## the whole suite in parallel, on real PostgreSQL and Valkey
	@$(WITH_SERVICES) $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal $(TESTS)

test-pg15: install-dev  ## what leans on the database, on PostgreSQL 15 from $(POSTGRES_15)
	@STATE_DIR=$(or $(STATE_DIR),$(PROJECT).state)/pg15 EMBEDDED_POSTGRES_BIN=$(POSTGRES_15) && \
	export STATE_DIR EMBEDDED_POSTGRES_BIN && \
	$(WITH_SERVICES) $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m "not machinery" $(DATABASE_TESTS)

bench: install  ## beside the stack it replaces, plain Django and PostgreSQL itself; ARGS=--help, docs/performance.md
	@$(PYTHON) $(PROJECT)config/install.py bench
	@$(RUN) -m tests.benchmarks $(ARGS)

check: install-dev  ## style, types, import order, migrations, deployment settings, contract
	@$(WITH_SERVICES) $(VENV)/bin/python -m config.check

schema: install-dev  ## write openapi.yaml anew
	@$(WITH_SERVICES) $(VENV)/bin/python manage.py spectacular --file openapi.yaml --fail-on-warn

format: install-dev  ## let ruff rewrite what it can
	@cd $(PROJECT) && $(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

stop: install  ## stop embedded services left running (by manage.py or pytest); the data stays
	@$(RUN) -m config.embedded stop

clean:  ## forget the virtualenv and caches, keep the data
	rm -rf $(VENV) $(VENV).lock $(PROJECT).mypy_cache $(PROJECT).ruff_cache $(PROJECT).pytest_cache
