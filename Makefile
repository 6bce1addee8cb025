# Every command that the README names. Needs Python 3.11 or newer, make and git; `make` alone lists the targets.

# Another interpreter than the first that fits: make setup PYTHON=/path/to/python
PYTHON ?=
# For `make demo`: auto (the `pulumi` on the PATH, else OfflineStack), pulumi, offline or download.
ENGINE ?= auto
# For the tests: most of them wait for processes that they start, so there are more workers than a small machine's cores.
WORKERS ?= 4
# For the tests: make test PYTEST_ARGS="-k digest". A part of them does not cover enough for `make test-all`.
PYTEST_ARGS ?=
# For `make chaos`: CHAOS_ARGS="--runs 20 --engine offline", or one run again: CHAOS_ARGS="--runs 1 --seed 4".
CHAOS_ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all bench chaos check docs format build wheel clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## Make .venv with the package, its extras and all tools; done once

# The interpreters are tried, not only looked up: a shim of a version manager may stand for nothing, and a system's
# Python may come without venv.
$(INSTALLED): pyproject.toml
	@if ! $(RUN) -m pip --version >/dev/null 2>&1; then \
		for python in "$(PYTHON)" python3 python3.14 python3.13 python3.12 python3.11; do \
			if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				echo "making $(VENV) with $$("$$python" --version)"; \
				exec "$$python" -m venv --clear $(VENV); \
			fi; \
		done; \
		echo "error: no Python 3.11 or newer with venv found; name one: make setup PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi
	@echo "installing about 700 MB of packages into $(VENV), once; this takes 1 to 5 minutes"
	@$(RUN) -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	@if [ -t 1 ]; then quiet=; else quiet=--quiet; fi; \
		$(RUN) -m pip install $$quiet --disable-pip-version-check --editable ".[aws,kubernetes,simulator,stack,testing]" --group dev
	@touch $(INSTALLED)

demo: setup ## Show a migration from preview to destroy against a simulator (ENGINE=download gets the pulumi command for it)
	@$(RUN) -m examples.demo --engine "$(ENGINE)"

# The tests start hundreds of interpreters, which need not compile the package each. The programs that tests write are
# never cached: a change within a second would go unseen.
PYTEST = PYTHONDONTWRITEBYTECODE=1 $(RUN) -m pytest -n $(WORKERS) --dist worksteal

test: setup ## Run the tests but for the slow proofs: about 5 minutes on 2 idle cores
	@echo "the tests but for the slow proofs (make test-all): about 5 minutes on 2 idle cores"
	@$(RUN) -m compileall -q ocean_migration_pulumi
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-all: setup ## Run all tests, properties at depth, with branch coverage: about 17 minutes on 2 idle cores
	@echo "all tests, with branch coverage: about 17 minutes on 2 idle cores"
	@$(RUN) -m compileall -q ocean_migration_pulumi
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-deep} $(PYTEST) --cov --cov-report=term $(PYTEST_ARGS)

bench: setup ## Measure what is promised, and write benchmarks/RESULTS.md
	$(RUN) -m benchmarks --write

chaos: setup ## Kill everything and let the service lie at random moments, in 500 runs, and see that nothing is lost or claimed
	$(RUN) -m tests.chaos $(CHAOS_ARGS)

# What passes says nothing: each tool prints only what it finds.
check: setup docs ## Run ruff, mypy, import-linter, the linters of the pipelines, and build the docs
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --check --quiet .
	@$(RUN) -m mypy --no-error-summary
	@found=$$($(VENV)/bin/lint-imports --no-logo 2>&1) || { echo "$$found"; exit 1; }
	@$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-workflows examples/pull_request/github/ocean-migration.yml
	@$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.gitlab-ci examples/pull_request/gitlab/.gitlab-ci.yml
	@$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug_report.yml .github/ISSUE_TEMPLATE/feature_request.yml
	@$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(VENV)/bin/zizmor --offline --quiet --persona pedantic examples/pull_request/github/ocean-migration.yml

# Every warning is an error: a link to a page or heading that does not exist is one, and so is an unknown name.
docs: setup ## Build the documentation site into build/docs/ and check its links
	$(RUN) -m sphinx --builder html --fail-on-warning --keep-going --nitpicky --quiet --fresh-env --write-all docs build/docs

format: setup ## Format the code and sort its imports
	$(RUN) -m ruff check --select I --fix .
	$(RUN) -m ruff format .

build: setup ## Build the wheel and the source distribution into dist/
	$(RUN) -m build --no-isolation

wheel: setup ## Build the wheel alone
	$(RUN) -m build --no-isolation --wheel

clean: ## Remove all that these targets made
	rm -rf $(VENV) .demo build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
