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
.PHONY: help setup demo test check nightly train-integrity train-verdict clean

help: ## list the targets
	@awk -F ' *:.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: .venv/.stamp ## make .venv with all that kinlight needs (PYTHON=python3.11 to python3.13)

demo: setup ## two nodes meet, pair, share three photos and refuse three attacks
	$(BIN)/kinlight demo

# Daemons find each other by multicast: their tests run on all cores where each worker can have a
# network of its own (root on Linux), and one after the other elsewhere.
APART := tests/cli tests/forks tests/network tests/scenario
QUICK := -m "not nightly and not wheel"

test: setup ## run the tests that take less than a minute each
	$(BIN)/python -m pytest $(QUICK) --numprocesses auto --dist loadfile --in-memory $(addprefix --ignore ,$(APART))
	$(BIN)/python -m pytest $(QUICK) --numprocesses auto --dist loadfile --in-memory --own-network $(APART)

check: setup ## format, lint, layers, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

nightly: setup ## run the long tests, then write docs/benchmarks.md
	$(BIN)/python -m pytest -m nightly
	$(BIN)/python benchmarks/run.py --write

MINUTES ?= 120
DATA ?= ../shared/data
RUN ?= build/integrity
WEIGHTS ?= $(RUN)/weights
DRAWS ?= 2
PHOTOS := --data $(DATA) --data build/more --cache build/photos

train-integrity: setup build/more ## train the integrity network, or go on (MINUTES=120 DATA=... RUN=...)
	$(BIN)/python -m kinlight.ml.train_integrity $(PHOTOS) --run $(RUN) --minutes $(MINUTES)
	$(BIN)/python -m kinlight.ml.evaluate_integrity $(PHOTOS) --run $(RUN) --release $(RUN)/weights

LOOK := -m kinlight.ml.whole_photos $(PHOTOS) --weights $(WEIGHTS)
SEEN := --weights $(WEIGHTS) --release $(WEIGHTS)

train-verdict: setup build/more ## fit the verdict on whole photos to those weights, measure it (WEIGHTS=... DRAWS=2)
	$(BIN)/python $(LOOK) --seen $(RUN)/drawn --folds 1 2 3 4 --draws $(DRAWS)
	$(BIN)/python -m kinlight.ml.train_verdict --seen $(RUN)/drawn $(SEEN)
	$(BIN)/python $(LOOK) --seen $(RUN)/fixed --folds 0 --edits 2
	$(BIN)/python $(LOOK) --seen $(RUN)/fixed --folds 0 --roles portrait processed
	$(BIN)/python $(LOOK) --seen $(RUN)/fixed --folds 1 2 3 4 --roles original processed
	$(BIN)/python -m kinlight.ml.evaluate_verdict --drawn $(RUN)/drawn --fixed $(RUN)/fixed $(SEEN)

build/more: ml/manifests/integrity.csv
	$(BIN)/python -m pip download -qq --no-deps -d build/packages scikit-image==0.26.0 scikit-learn==1.9.1
	$(BIN)/python -m kinlight.ml.package_photos build/packages $@

clean: ## remove .venv and everything else that was made here
	rm -rf .venv build dist *.egg-info .coverage .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: pyproject.toml .ci/setup
	@sh .ci/setup "$(PYTHON)"
	@touch $@
