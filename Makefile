# One command each for what is done often. Everything is set up on first use; see README.md.

SHELL  := /bin/bash
PYTHON ?= python3
BIN    := .venv/bin
PIP    := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help migrate test lint schemas psql url stop

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

migrate: .venv/.client ## bring the database up to date (DATABASE_URL=… for one of yours, else a local one)
	@$(BIN)/atlas migrate

test: .venv/.dev ## run the tests on a server of their own (TEST_DATABASE_URL=… for a given one; ARGS=… for pytest)
	@$(BIN)/pytest $(ARGS)

lint: .venv/.dev ## check style and types of Python and SQL
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 1 migrations sql

schemas: .venv/.dev ## write the SQL that carries a metadata schema anew, from schemas/
	@$(BIN)/python -m atlas_models.schema_codegen

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
