# Two commands do everything on a fresh machine with Python 3.11 or newer, pip, venv and make:
#   make demo    a server with generated data, a sync, four queries; no account needed
#   make test    everything that must hold before a change is merged
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check docs bench bench-full soak clean

demo: .venv/.demo
	@$(BIN)/wandb-mirror demo

test: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto

docs: .venv/.dev
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/parity.py
	$(BIN)/python docs/pictures.py

bench: .venv/.dev
	$(BIN)/python bench/run.py

soak: .venv/.dev
	$(BIN)/python tests/soak.py

bench-full: .venv/.dev
	$(BIN)/python bench/run.py --full

clean:
	rm -rf .venv demo-mirror

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "wandb-mirror needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[sandbox]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[sandbox,pandas]' --group dev
	@touch $@ .venv/.demo
