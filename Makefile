# One command each for what is done often. Everything is set up on first use; see README.md.

SHELL  := /bin/bash
PYTHON ?= python3
BIN    := .venv/bin
REPORT := docs/model_artifacts/migration_report_ws1.md
PIP    := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help migrate test test-long lint bench backfill report schemas client docs reference psql url stop

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

migrate: .venv/.client ## bring the database up to date (DATABASE_URL=… for one of yours, else a local one)
	@$(BIN)/atlas migrate

# Each process has a server of its own; a given server has roles for one only.
PYTEST := $(BIN)/pytest $(if $(TEST_DATABASE_URL),,--numprocesses auto --maxprocesses 4)

test: .venv/.dev ## run the tests on servers of their own (TEST_DATABASE_URL=… for a given one; ARGS=… for pytest)
	@$(PYTEST) $(ARGS)

test-long: .venv/.dev .venv/.bench .venv/.docs ## run the proofs that take longer
	@$(PYTEST) -m long $(ARGS)

lint: .venv/.dev .venv/.docs ## check style and types of Python and SQL, and that the documentation builds
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 1 migrations sql
	@PYTHONPATH=tests $(BIN)/python -m lint_database
	@$(MAKE) --no-print-directory docs

backfill: .venv/.client ## turn the legacy models of an adopted table into versions (ARGS=… for atlas backfill)
	@$(BIN)/atlas backfill $(ARGS)

report: .venv/.client ## write what became of every legacy row into docs/model_artifacts/
	@mkdir -p $(dir $(REPORT))
	@$(BIN)/atlas report $(REPORT)

bench: .venv/.dev .venv/.bench ## measure against plain statements and MLflow, into docs/benchmarks.md (ARGS=--quick or the name of a part: less)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(ARGS)

schemas: .venv/.dev ## write the SQL that carries a metadata schema anew, from schemas/
	@$(BIN)/python -m atlas_models.schema_codegen

client: .venv/.dev ## write the synchronous client anew, from the asynchronous one
	@$(BIN)/python -m atlas_models.client_codegen

docs: .venv/.docs ## build the documentation as a website, into build/docs; a broken link or any warning fails
	@$(BIN)/sphinx-build -c docs -b html --fail-on-warning --keep-going --fresh-env --quiet . build/docs
	@echo "build/docs/index.html"

reference: .venv/.dev ## write the reference of SQL and metadata anew, from a fresh database and schemas/
	@PYTHONPATH=tests $(BIN)/python -m reference_pages

psql: .venv/.client ## open psql on the local database
	@$(BIN)/atlas local psql

url: .venv/.client ## print the local database's URL (make -s url prints nothing else)
	@$(BIN)/atlas local url

stop: .venv/.client ## stop the local server; its data stay
	@$(BIN)/atlas local stop

# The Python environment: what the command needs, and with .dev what the tests need on top.
.venv/.client: pyproject.toml
	@echo "setting up the Python environment in .venv" >&2
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@$(PIP) install --editable .
	@touch $@

.venv/.dev: pyproject.toml .venv/.client
	@echo "adding the development tools to .venv" >&2
	@$(PIP) install --editable '.[dev]'
	@touch $@

.venv/.bench: pyproject.toml .venv/.client
	@echo "adding what the benchmarks need to .venv" >&2
	@$(PIP) install --editable '.[bench]'
	@touch $@

.venv/.docs: pyproject.toml .venv/.client
	@echo "adding what builds the documentation to .venv" >&2
	@$(PIP) install --editable '.[docs]'
	@touch $@
