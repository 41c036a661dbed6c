# Two commands matter: `make demo` and `make test`. Each installs what it needs, and no more, into .venv.
PYTHON ?= python3.11
BIN := .venv/bin
LOG := .venv/install.log
# One thread per worker; where a test asks for two, the one that waits leaves its core to the other workers. A file stays
# with one worker, which makes its fixtures once. Compiled modules are kept even where the shell says not to: tests start
# some fifty processes, and compiling takes each a second.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

.PHONY: demo test campaign docs check check-lint check-format check-types check-imports bench study clean

# $(call install,WHAT): pip with the exact versions of constraints.txt; its output is kept in a file and shown on failure.
define install
@$(BIN)/python -m pip install -c constraints.txt $(1) >> $(LOG) 2>&1 || \
	{ tail -n 15 $(LOG) >&2; echo "installing failed; all of pip's output is in $(LOG)" >&2; exit 1; }
endef

demo: .venv/installed
	@echo "searching the bits of a small network on this machine: two to three minutes; the last line says where the report is"
	@$(BIN)/svit-dse demo

test: .venv/installed-test
	@CHROMIUM=$$($(BIN)/python -m tests.browser.chromium $(LOG)) || exit 2; export CHROMIUM; $(PYTEST)

# What takes longer than a change should wait for: randomised trials at length, installation for real, studies.
campaign: .venv/installed-test
	@CHROMIUM=$$($(BIN)/python -m tests.browser.chromium $(LOG)) || exit 2; \
	POSTGRESQL=$$($(BIN)/python -m tests.campaign.postgres $(LOG)) || exit 2; \
	export CHROMIUM POSTGRESQL; $(PYTEST) -m campaign

# The pages of docs/ and the docstrings as a site, without a network; a broken link or reference is an error.
docs: .venv/installed-docs
	@$(BIN)/python -m sphinx -b html -q -W --keep-going -d build/docs-read docs build/docs
	@echo "build/docs/index.html"

check: check-lint check-format check-types check-imports

check-lint: .venv/installed-dev
	$(BIN)/ruff check .

check-format: .venv/installed-dev
	$(BIN)/ruff format --check .

check-types: .venv/installed-dev
	$(BIN)/mypy costmodels dse reports sviT_models

check-imports: .venv/installed-dev
	$(BIN)/lint-imports --config setup.cfg --no-cache

bench: .venv/installed
	$(BIN)/python benchmarks/evaluator.py

# Hours: every cell of docs/study.md whose row is missing in docs/study/ or older than its strategy.
study: .venv/installed
	$(BIN)/python benchmarks/study.py core nearest budgets glyphs glyphs-nearest second second-nearest

.venv/python:
	@test "$$($(PYTHON) -c 'import sys; print(*sys.version_info[:2])' 2> /dev/null)" = "3 11" || \
		{ echo "$(PYTHON) is no Python 3.11: install one, or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv --clear .venv > /dev/null 2>&1 || \
		{ echo "$(PYTHON) makes no virtual environment: on Debian, type: sudo apt-get install python3.11-venv" >&2; exit 2; }
	@touch $@

.venv/installed: .venv/python setup.cfg constraints.txt
	@echo "installing torch and svit-dse into .venv: one to three minutes when pip has the packages, longer on a slow line"
	$(call install,torch==2.13.0)
	$(call install,-e .)
	@touch $@

# Networks of snnTorch and SpikingJelly are trained by tests, which need nothing that these libraries depend on.
.venv/installed-test: .venv/installed
	@echo "installing what the tests need: seconds"
	$(call install,-e .[test])
	$(call install,--no-deps snntorch spikingjelly)
	@touch $@

.venv/installed-docs: .venv/installed
	@echo "installing what builds the site: seconds"
	$(call install,-e .[docs])
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "installing linter, type checker and pre-commit: seconds"
	$(call install,-e .[dev])
	@touch $@

clean:
	rm -rf .venv build *.egg-info
