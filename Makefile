# The commands that people and CI use. Each sets up .venv when it is missing.
# The one prerequisite beside Python 3.11 is a C compiler (pyradiomics builds from source).

PYTHON ?= python3.11
VENV ?= .venv
comma := ,
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --retries 10 --timeout 60 -c constraints.txt

.PHONY: demo test slow lint bench setup setup-dev clean

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

# $(1): the extras. The demo needs no test tools, so its installation is the lighter one.
# A network that fails is asked once more.
define install
	@command -v $(PYTHON) >/dev/null || { echo "sarcfeat needs Python 3.11: set PYTHON=/path/to/python"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "sarcfeat needs a C compiler (pyradiomics builds from source): install gcc"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[$(1)]' || { sleep 30; $(PIP) -e '.[$(1)]'; }
	touch $@
endef

$(VENV)/.installed: pyproject.toml constraints.txt
	$(call install,radiomics)

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	$(call install,radiomics$(comma)deep$(comma)wsi$(comma)dev)

demo: setup
	$(BIN)/sarcfeat demo $(DEMO_FLAGS)

# One process a core, and each with one thread, or they fight for the cores. A file's
# tests stay together, so its fixtures are made once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

test: setup-dev
	$(PYTEST) -m "not slow and not network" $(PYTEST_FLAGS)

slow: setup-dev
	$(PYTEST) -m slow $(PYTEST_FLAGS)

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup-dev
	$(BIN)/python -m benchmarks.nomograms
	$(BIN)/python -m benchmarks.leakage

clean:
	rm -rf $(VENV) reports
