PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# pyright would ask the network whether a newer one exists.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# The tests start Python some hundred times, which must not compile the same modules each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check nightly clean

help: ## list the targets
	@awk -F ' *:.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: .venv/.stamp ## make .venv with all that kinlight needs (PYTHON=python3.11 to python3.13)

demo: setup ## two nodes meet, pair, share three photos and refuse three attacks
	$(BIN)/kinlight demo

# Daemons find each other by multicast: their tests run on all cores where each worker can have a
# network of its own (root on Linux), and one after the other elsewhere.
APART := tests/cli tests/forks tests/network tests/scenario
QUICK := -m "not nightly and not wheel"

test: setup ## run the tests that take less than a minute each
	$(BIN)/python -m pytest $(QUICK) --numprocesses auto --dist loadfile $(addprefix --ignore ,$(APART))
	$(BIN)/python -m pytest $(QUICK) --numprocesses auto --dist loadfile --own-network $(APART)

check: setup ## format, lint, layers, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

nightly: setup ## run the long tests, then write docs/benchmarks.md
	$(BIN)/python -m pytest -m nightly
	$(BIN)/python benchmarks/run.py --write

clean: ## remove .venv and everything else that was made here
	rm -rf .venv build dist *.egg-info .coverage .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: pyproject.toml .ci/setup
	@sh .ci/setup "$(PYTHON)"
	@touch $@
