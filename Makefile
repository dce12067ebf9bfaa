# Two commands do everything on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PACKS := $(patsubst %/pyproject.toml,--editable %,$(wildcard packs/*/pyproject.toml))
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# Hundreds of processes start in the tests: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-days test-matrix smallest check fmt clean

# What reads dated facts: prices, deadlines, laws, licences.
DATED := tests/test_commands.py tests/catalog tests/workbench/test_catalog.py tests/estimate/test_freshness.py \
	tests/features/decide/test_commands.py tests/features/decide/test_stage.py tests/features/decide/test_law.py \
	tests/features/cost/test_cost.py tests/lm/test_day.py packs/finewright-prices/tests \
	"tests/golden/test_commands.py::test_a_command_gives_what_it_gave[catalog_list_apis]"
# Tomorrow, when prices age, when they are stale; a leap day; a year that ends while the tests run.
CLOCKS := "+1d" "+60d" "+400d" "@2028-02-29 12:00:00" "@2027-12-31 23:59:50"

help:
	@echo "make quickstart   install, then fine-tune a real model on real data (about 6 minutes)"
	@echo "make test         install what the tests need, then run them"
	@echo "make test-days    the tests of what is dated, with the clock set forward (needs faketime)"
	@echo "make smallest     every benchmark and example at its smallest size"
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

test-days: $(VENV)/.dev
	for clock in $(CLOCKS); do echo "$$clock" && \
		faketime -f "$$clock" $(BIN)/python -m pytest -n 2 --dist loadfile $(DATED) || exit 1; done

smallest: $(VENV)/.dev
	$(BIN)/python benchmarks/smallest.py

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
