# Two commands matter: `make demo` and `make test`. Both create .venv when it is missing.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test check bench clean

.venv/installed: setup.cfg constraints.txt
	@echo "installing into .venv; the first time this takes a few minutes"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .[dev]
	touch $@

demo: .venv/installed
	$(BIN)/svit-dse demo

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy costmodels dse reports
	$(BIN)/lint-imports --config setup.cfg

bench: .venv/installed
	$(BIN)/python benchmarks/evaluator.py

clean:
	rm -rf .venv build *.egg-info
