# Two commands matter: make demo, make test.
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: help demo test lint ui readme lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(STAMP) ## Simulate, fit, check, recommend, log to MLflow; under a minute
	@$(VENV)/bin/mmx demo

test: $(STAMP) ## Lint, type-check and run the whole test suite
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy
	@$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(STAMP) ## Format the code, then lint and type-check it
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix . && $(VENV)/bin/mypy

ui: $(STAMP) ## Open the MLflow server on this project's runs
	@$(VENV)/bin/mmx ui

readme: $(STAMP) ## Run the demo and put its table and figure into the README
	@$(PY) scripts/refresh_readme.py

lock: ## Write requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.12 --generate-hashes \
	  --no-header --no-annotate --upgrade -o requirements.lock

clean: ## Remove the environment and caches, not the runs in mlruns
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache

$(STAMP): requirements.lock pyproject.toml
	@sh scripts/make_env.sh $(VENV)
	@touch $(STAMP)
