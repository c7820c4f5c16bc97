# The project's commands. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
# Windows keeps a virtual environment's programs in another folder.
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
ENV = $(PYTHON) start.py --venv $(VENV)
.DEFAULT_GOAL := help
.PHONY: help lab test lint format types imports unit conformance soak lessons browser notebooks bench picture fidelity wheel clean setup python

help:  ## list these commands
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: python  ## open the course in JupyterLab (the first time: make the environment too); PORT=9000 picks the port
	@$(ENV) $(if $(PORT),--port $(PORT)) $(ARGS)

test: lint types imports unit lessons browser  ## check everything: lint, types, import contracts, tests, notebooks, browser

lint: setup  ## ruff: layout and likely mistakes (`make format` mends what it can)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## lay out the code, mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup  ## mypy, strict on the packages
	$(BIN)/mypy

imports: setup  ## who may import whom
	$(BIN)/lint-imports

unit: setup  ## unit, property and conformance tests
	$(BIN)/python -m pytest -m "not browser" -n auto

conformance: setup  ## only the tests against the real systems, of those that are installed
	$(BIN)/python -m pytest -m conformance

soak: setup  ## what the brokers promise, over fifty times as many random runs as in `make test` (about an hour)
	$(BIN)/python -m pytest tests/guarantees tests/reading/test_frames_of_queues.py --hypothesis-profile soak

lessons: setup  ## run every notebook and compare the numbers its prose quotes
	$(BIN)/python -m pytest notebooks --nbval-lax --nbval-current-env --nbval-sanitize-with tools/nbval-sanitize.cfg

browser: setup  ## the widgets in a bare page, the course in a real JupyterLab
	$(BIN)/python -m pytest -m browser

notebooks: setup  ## run every notebook again and store its outputs
	$(BIN)/python -m tools.notebooks notebooks

bench: setup  ## the engine beside a hand-written loop and plain SimPy
	$(BIN)/python -m benchmarks

picture: setup  ## draw the README's animated picture from a real run
	$(BIN)/python -m tools.picture

fidelity: setup  ## write the page about what is modelled and what is not (docs/fidelity.md) from its tables
	$(BIN)/python -m tools.fidelity

wheel: setup  ## build the wheel, course included, into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: python
	@$(ENV) --setup test

python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no program called $(PYTHON): install Python 3.11 or newer, or name yours, as in: make lab PYTHON=python3.12" >&2; exit 1; }
