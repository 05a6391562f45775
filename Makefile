# Two commands do everything on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# pyvips has no wheel. Where a system libvips has its headers, building it would bind to that one and overwrite
# the library of pyvips-binary; an empty pkg-config path keeps the build away from it.
PIP := PKG_CONFIG_LIBDIR=/nonexistent $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help install serve test test-slow lint lock bench bench-peers clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(READY)  ## only the set-up that serve and test do first

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "derivproxy needs Python 3.11 or newer; make PYTHON=/path/to/python3.11 names another one" >&2; exit 1; }
	@echo "setting up $(VENV) (a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(BIN)/python -m derivproxy.derive.libvips 2>/dev/null || \
	  { $(PIP) --require-hashes --force-reinstall --no-cache-dir --no-deps --no-build-isolation -r requirements.lock; \
	    $(BIN)/python -m derivproxy.derive.libvips; }
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

serve: $(READY)  ## serve the sample photos at http://127.0.0.1:8080/
	@$(BIN)/derivproxy serve samples --log-format console

test: $(READY)  ## the whole default test suite
	@$(BIN)/python -m pytest

test-slow: $(READY)  ## the tests that take longer
	@$(BIN)/python -m pytest -m slow --timeout 1800

lint: $(READY)  ## format check, lint, types, floors
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

lock: $(READY)  ## resolve the ranges of pyproject.toml into requirements.lock
	@test -x $(BIN)/uv || $(PIP) uv
	@$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

bench: $(READY)  ## the benchmarks, side by side with whatever peers are installed
	@$(BIN)/python benchmarks/run.py

bench-peers: $(READY)  ## install the peers that a registry carries
	@$(BIN)/python benchmarks/peers.py

clean:  ## the environment and what tools left; never data
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
