# Needs only Python 3.11–3.13 and make. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := . $(wildcard plugins/*)
SOURCES := $(shell grep -l register_sources plugins/*/src/*/__init__.py | cut -d/ -f2)

.PHONY: demo test lint bench format clean

demo: $(VENV)/installed
	@rm -rf demo
	@for source in $(SOURCES); do \
	  $(BIN)/nwbridge demo $$source demo/$$source && \
	  $(BIN)/nwbridge convert demo/$$source/* demo/$$source.nwb --source $$source --set 'Subject.species=Mus musculus' && \
	  $(BIN)/nwbridge validate demo/$$source.nwb && echo || exit 1; \
	done
	@$(BIN)/nwbridge process register,denoise demo/neurofinder.nwb demo/denoised.nwb
	@echo
	@echo "Made and checked: a file for each of $(SOURCES) in demo/, from the made-up recordings beside them."
	@echo "Next: $(BIN)/nwbridge convert YOUR-RECORDING OUT.nwb"

test: $(VENV)/test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src plugins/*/src
	$(BIN)/lint-imports

format: $(VENV)/lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/test
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@echo "Installing nwbridge and its plugins into $(VENV)/ (once; a minute or two) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix -e ,$(PROJECTS))
	@touch $@

$(VENV)/test: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV)/ (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	@touch $@

$(VENV)/lint: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,lint]"
	@touch $@

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache
