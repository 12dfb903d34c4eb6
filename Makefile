# Needs python3 >= 3.11 with its venv module, and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
EXAMPLES := line linear-chain two-three-one four-layer
BACKWARD := docs/notes/backward.py::backward docs/notes/backward.py::backward_wrong
N ?= 10000

# $(call judged,NAME,EXIT,PATHS,OPTIONS,ONCE): the reports on hand-written notes or code. EXIT is the
# exit code that is right: 1 for what has slips on purpose. ONCE goes to the first run only. A report
# appears when it is whole, so a failure leaves the old one.
define judged
set -e; mkdir -p output/notes; unset FORCE_COLOR; once="$(5)"; \
for form in text:txt json:json; do \
  report=output/notes/$(1).report.$${form#*:}; code=0; \
  PYTHONUTF8=1 $(BIN)/symbackprop verify $(3) $(4) $$once --report $${form%:*} \
    > $$report.part || code=$$?; \
  if [ $$code -ne $(2) ]; then \
    rm -f $$report.part; \
    echo "verify $(3): exit code $$code, expected $(2)" >&2; exit 1; \
  fi; \
  mv $$report.part $$report; echo "wrote $$report" >&2; once=; \
done
endef

.PHONY: venv derive test test-quick check bench bench-verify bench-real fuzz clean help

venv: $(READY)  ## the environment in .venv, with the command .venv/bin/symbackprop

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "symbackprop needs Python 3.11 or newer: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
	  || { echo "install the venv module first (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

derive: $(READY)  ## the shipped examples and judgements, into output/
	@set -e; for name in $(EXAMPLES); do $(BIN)/symbackprop derive $$name -o output/; done
	@$(call judged,two-layer,0,docs/notes/two-layer.md,,--annotate output/notes/)
	@$(call judged,two-layer-slips,1,docs/notes/two-layer-slips.md,,--annotate output/notes/)
	@$(call judged,backward,1,$(BACKWARD),--spec docs/notes/two-layer.toml)

test: $(READY)  ## every test
	$(BIN)/python -m pytest -n auto --dist loadfile

test-quick: $(READY)  ## most rooms in a minute and a half: no test that is marked slow
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

check: $(READY)  ## formatter, linter, types, floors and every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist loadfile

bench: $(READY)  ## speed, as ratios against SymPy and hand-written NumPy
	$(BIN)/python -m tests.bench

bench-verify: $(READY)  ## how well notes and code are judged
	$(BIN)/python -m tests.bench_verify

bench-real: $(READY)  ## the judge on public notes, TEXTS=folder with copies
	$(BIN)/python -m tests.bench_real $(if $(TEXTS),--texts $(TEXTS))

fuzz: $(READY)  ## random networks, derived and compared; N=10000
	$(BIN)/python -m tests.fuzz $(N)

clean:  ## removes .venv and all caches
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf tests/render/node_modules
	find symbackprop tests -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## */\1|/p' $(firstword $(MAKEFILE_LIST)) \
	  | awk -F '|' '{ printf "make %-13s %s\n", $$1, $$2 }'
