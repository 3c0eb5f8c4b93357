# Everything runs in .venv, which the first target makes from constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test test-all check chaos clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

setup: $(READY)

demo: $(READY)
	rm -rf demo.db demo.db-wal demo.db-shm demo.db.tunefast
	$(BIN)/tunefast study run digits -n 2 --storage sqlite:///demo.db

test: $(READY)
	$(BIN)/pytest -n auto --dist worksteal -m 'not slow'

test-all: $(READY)
	$(BIN)/pytest -n auto --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(READY)
	$(BIN)/python -m tests.chaos --budget 240

clean:
	rm -rf .venv demo.db demo.db-wal demo.db-shm demo.db.tunefast
