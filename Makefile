# Needs python3 >= 3.11 with its venv module, and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
EXAMPLES := line linear-chain two-three-one four-layer
N ?= 10000

.PHONY: venv derive test check bench bench-verify fuzz clean

venv: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "symbackprop needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
	  || { echo "install the venv module first (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

derive: $(READY)
	@set -e; for name in $(EXAMPLES); do $(BIN)/symbackprop derive $$name -o output/; done

test: $(READY)
	$(BIN)/python -m pytest -n auto

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto

bench: $(READY)
	$(BIN)/python -m tests.bench

bench-verify: $(READY)
	$(BIN)/python -m tests.bench_verify

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(N)

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf tests/render/node_modules
	find symbackprop tests -name __pycache__ -type d -prune -exec rm -rf {} +
