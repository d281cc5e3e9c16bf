# A bare `make` prints what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
CAMERAS ?= 1
PORT ?= 8000
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
GROUPS := capture recorder api run

.PHONY: help run test test-unit check lint type format lock up down logs clean \
	test-faults test-system test-container test-browser soak bench

help: ## print this
	@echo "Preroll: make <target>"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run.stamp ## start all services here: make run CAMERAS=2 PORT=8000; Ctrl-C ends them
	@echo "Preroll with $(CAMERAS) drawn camera(s): http://127.0.0.1:$(PORT)/  Ctrl-C ends it."
	@PATH="$(CURDIR)/$(BIN):$$PATH" PREROLL_API_PORT=$(PORT) exec honcho start --concurrency capture=$(CAMERAS)

test: .venv/dev.stamp ## unit, integration and system tests; no Docker needed
	$(PYTEST) $(wildcard tests/unit tests/integration tests/system)

test-unit: .venv/dev.stamp ## the unit tests alone: seconds
	$(PYTEST) tests/unit

test-faults: .venv/dev.stamp ## what it must survive: kill -9, full disks, dark networks, hostile bytes
	$(PYTEST) tests/faults

test-system: .venv/dev.stamp ## the services as processes
	$(PYTEST) tests/system

test-container: .venv/dev.stamp ## the images and the compose files; needs Docker Engine
	$(PYTEST) tests/container

test-browser: .venv/dev.stamp ## the pages, in headless Chromium
	$(PYTEST) tests/browser

bench: .venv/dev.stamp ## measure beside limits and peers, minutes: make bench PARTS="ingest camera"; writes docs/benchmark.md
	$(BIN)/python -m bench $(PARTS)

soak: .venv/dev.stamp ## the long runs: memory, threads and descriptors stay flat
	$(PYTEST) -m soak tests

check: lint type test ## lint, types, direction of imports, then the tests

lint: .venv/dev.stamp ## ruff and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

type: .venv/dev.stamp ## mypy, strict
	$(BIN)/python -m mypy

format: .venv/dev.stamp ## put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One resolution for all: what a service runs with is what the tests ran with.
LOCK := pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
lock: .venv/dev.stamp ## resolve requirements/*.txt anew from pyproject.toml
	$(BIN)/uv $(LOCK) --upgrade --group dev pyproject.toml --output-file requirements/dev.txt
	for group in $(GROUPS); do \
		$(BIN)/uv $(LOCK) --group pyproject.toml:$$group --constraints requirements/dev.txt \
			--output-file requirements/$$group.txt; \
	done

up: ## build and start the containers
	docker compose up --build --detach --wait
	@echo "http://$${PREROLL_PUBLISH:-127.0.0.1}:$${PREROLL_PORT:-8000}/"

down: ## stop and remove the containers; the clips stay in their volume
	docker compose down

logs: ## follow the containers' logs
	docker compose logs --follow

clean: ## remove what was made here, clips excepted
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Preroll needs Python 3.11, 3.12 or 3.13; this is " + sys.version)'
	$(PYTHON) -m venv .venv

# Two stamps, so that a machine that only runs Preroll does not fetch what only its tests need.
.venv/run.stamp: requirements/run.txt | .venv/bin/python
	test -e .venv/dev.stamp || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

.venv/dev.stamp: requirements/dev.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@
