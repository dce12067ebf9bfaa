# Two commands do everything on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
TASK ?= intents
BIN := $(VENV)/bin
CORE := packages/finewright
PACKAGES := $(patsubst %/pyproject.toml,--editable %,$(wildcard packages/*/pyproject.toml))
PIP := $(BIN)/python -m pip
# Every package but torch is the file whose hash is in locked/: torch is another file for each machine (CPU, CUDA,
# ROCm), so it and what it brings come from the index that pip is set up for, checked by that index's own hashes.
INSTALL_LOCKED := $(PIP) install --quiet --no-deps --require-hashes --requirement
INSTALL_HERE := $(PIP) install --quiet --no-deps --no-build-isolation
TORCH := $(shell sed -n 's/^  "\(torch[<>=][^"]*\)".*/\1/p' $(CORE)/pyproject.toml)
LOCK := uv pip compile --constraint constraints.txt --universal --python-version 3.11.5 --generate-hashes \
	--no-annotate --no-header --quiet

# Hundreds of processes start in the tests: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-days test-matrix smallest site wheels pictures check fmt lock sbom licenses audit clean

# What reads dated facts: prices, deadlines, laws, licences.
DATED := $(addprefix $(CORE)/tests/, test_commands.py catalog workbench/test_catalog.py estimate/test_freshness.py \
	lm/test_day.py) $(wildcard packages/finewright-advice/tests/test_price_*.py) \
	$(addprefix packages/finewright-advice/tests/, decide/test_commands.py decide/test_stage.py decide/test_law.py \
	cost/test_cost.py) "$(CORE)/tests/golden/test_commands.py::test_a_command_gives_what_it_gave[catalog_list_apis]"
# Tomorrow, when prices age, when they are stale; a leap day; a year that ends while the tests run.
CLOCKS := "+1d" "+60d" "+400d" "@2028-02-29 12:00:00" "@2027-12-31 23:59:50"

help:
	@echo "make quickstart   install, then learn and measure intents (4 minutes); TASK=extract, answers, transactions"
	@echo "make test         install what the tests need, then run them"
	@echo "make test-days    the tests of what is dated, with the clock set forward (needs faketime)"
	@echo "make smallest     every benchmark and example at its smallest size"
	@echo "make test-matrix  every method x adapter x family x quantization on tiny models, as a table"
	@echo "make site         build the docs as a site that opens from a folder: site/index.html"
	@echo "make check        lint, types and import contracts"
	@echo "make fmt          format the code"
	@echo "make lock         write locked/*.txt anew: versions of constraints.txt with hashes (needs uv)"
	@echo "make pictures     the pictures of the README, made of a real run"
	@echo "make wheels       build, check and try what a release installs"
	@echo "make sbom         write sbom.cdx.json: what is installed, as CycloneDX"
	@echo "make licenses     list the licences of what is installed"
	@echo "make audit        ask the vulnerability database of PyPI about what is installed"
	@echo "make clean        remove the environment"

setup: $(VENV)/.installed

$(VENV)/.installed: locked/setup.txt $(wildcard packages/*/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL_LOCKED) locked/setup.txt
	$(PIP) install --quiet "$(TORCH)"
	$(INSTALL_HERE) --editable "$(CORE)" --editable packages/finewright-advice --editable packages/finewright-bridge \
		--editable packages/finewright-rag --editable packages/finewright-trust --editable packages/finewright-web3
	$(PIP) check
	@touch $@

$(VENV)/.dev: $(VENV)/.installed locked/test.txt
	$(INSTALL_LOCKED) locked/test.txt
	$(INSTALL_HERE) $(PACKAGES)
	$(PIP) check
	@touch $@

lock: locked/setup.txt.new locked/test.txt.new locked/site.txt.new
	for name in setup test site; do mv locked/$$name.txt.new locked/$$name.txt; done

# torch and what it brings are left out, and finewright itself, whose folder has no hash.
locked/%.txt.new: locked/%.in FORCE
	$(LOCK) $< --output-file $@.all > /dev/null
	echo "# Made by \`make lock\` from constraints.txt and $<, for Python 3.11 to 3.13, without torch and what it brings:" > $@
	echo "# $(LOCK) $<" >> $@
	awk '/^[^ ]/ {keep = !/^(-e|torch=|triton=|nvidia-|cuda-)/} keep' $@.all >> $@
	rm $@.all
FORCE:

# The pictures of the README, from the last run of the quickstart in runs/, or a new one.
pictures: $(VENV)/.installed
	$(BIN)/python docs/pictures.py .

# What a release is: built, checked, and tried in an environment that has no clone. Needs the package index.
wheels:
	rm -rf dist && $(PYTHON) -m venv dist/venv
	dist/venv/bin/pip install --quiet build twine "hatchling>=1.25"
	for folder in packages/*/; do dist/venv/bin/python -m build --no-isolation --outdir dist $$folder || exit 1; done
	dist/venv/bin/twine check --strict dist/*.whl dist/*.tar.gz
	dist/venv/bin/python locked/try_wheels.py dist

sbom: $(VENV)/.dev
	$(BIN)/cyclonedx-py environment --pyproject $(CORE)/pyproject.toml --output-file sbom.cdx.json $(BIN)/python

licenses: $(VENV)/.dev
	$(BIN)/pip-licenses --python $(BIN)/python --with-urls --order license

audit: $(VENV)/.dev
	$(BIN)/python locked/audit.py $(BIN)/pip-audit

quickstart: $(VENV)/.installed
	$(BIN)/finewright quickstart --task $(TASK)

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

site: $(VENV)/.installed
	$(INSTALL_LOCKED) locked/site.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)
