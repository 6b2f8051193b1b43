# The commands that people and CI use. Each sets up .venv when it is missing.
# The one prerequisite beside Python 3.11 is a C compiler (pyradiomics builds from source).

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test slow lint bench setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "sarcfeat needs Python 3.11: set PYTHON=/path/to/python"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "sarcfeat needs a C compiler (pyradiomics builds from source): install gcc"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[radiomics,dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/sarcfeat demo $(DEMO_FLAGS)

test: setup
	$(BIN)/python -m pytest -m "not slow and not network" $(PYTEST_FLAGS)

slow: setup
	$(BIN)/python -m pytest -m slow $(PYTEST_FLAGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks.nomograms
	$(BIN)/python -m benchmarks.leakage

clean:
	rm -rf $(VENV) reports
