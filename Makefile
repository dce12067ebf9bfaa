# Two commands do everything on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PACKS := $(patsubst %/pyproject.toml,--editable %,$(wildcard packs/*/pyproject.toml))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# Hundreds of processes start in the tests: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-matrix check fmt clean

help:
	@echo "make quickstart   install, then fine-tune a real model on real data (about 6 minutes)"
	@echo "make test         install what the tests need, then run them"
	@echo "make test-matrix  every method x adapter x family x quantization on tiny models, as a table"
	@echo "make check        lint, types and import contracts"
	@echo "make fmt          format the code"
	@echo "make clean        remove the environment"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt $(wildcard packs/*/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable ".[train,web3,hosted-migration]" --editable packs/finewright-web3 \
		--editable packs/finewright-hosted-migration --editable packs/finewright-export \
		--editable packs/finewright-tune
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP_INSTALL) --editable ".[train,web3,hosted-migration,dev]" $(PACKS)
	@touch $@

quickstart: $(VENV)/.installed
	$(BIN)/finewright quickstart

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-matrix: $(VENV)/.dev
	$(BIN)/python -m pytest -m matrix

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)
