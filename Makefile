# The whole interface of this checkout: `make` lists it. Needs Python 3.11 or newer, pip and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS := profiles_pipeline_tests
CHROMIUM := /usr/bin/chromium
# The project that `make dev` opens and `make demo` builds.
PROJECT ?= demo/ecommerce
# Processes that share the tests.
WORKERS ?= 2

# An environment that forbids bytecode makes every start of Dagster compile it again: three times slower.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help .venv demo dev test law check bench clean chromium postgresql java

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z.]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## Install, build the e-commerce example on DuckDB and print some profiles
	@$(BIN)/profiles init project --example ecommerce -o $(PROJECT) --force
	@$(BIN)/profiles run -p $(PROJECT)
	@echo; echo "Who is who: the identity graph of three people (profiles query)"
	@$(BIN)/profiles query -p $(PROJECT) "select * from user_id_stitcher where user_main_id in (select user_main_id from user_id_stitcher group by 1 having count(distinct other_id_type) = 3 order by 1 limit 3) order by 1, 3, 2"
	@echo; echo "Customer 360: one row per person"
	@$(BIN)/profiles query -p $(PROJECT) "select * from user_profile limit 10"
	@echo
	@echo "The project is in $(PROJECT). Run 'make dev' to open it in the Dagster UI."
	@echo "For the command 'profiles' itself: source $(BIN)/activate"

dev: $(STAMP) ## Open the demo project in the Dagster UI (another one: make dev PROJECT=path)
	@$(BIN)/profiles dev -p $(PROJECT)

test: $(STAMP) chromium postgresql java ## Run every test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

law: $(STAMP) ## Prove that runs equal full rebuilds, over thousands of histories (fewer: make law LAW_EXAMPLES=100)
	@HYPOTHESIS_PROFILE=deep LAW_EXAMPLES=$(LAW_EXAMPLES) $(BIN)/python -m pytest $(TESTS)/law

check: $(STAMP) ## Lint, format, types, import layers, dead code
	@echo "check: ruff, mypy, import-linter, vulture"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Formatting differs: run '$(BIN)/ruff format .'" >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/vulture

bench: $(STAMP) ## Measure the engine and print a table
	@$(BIN)/python -m $(TESTS).bench

clean: ## Remove the environment, the demo and every cache
	@rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: $(STAMP)

# The first Python that is new enough and can make environments (Debian ships ensurepip in a package of its own).
$(STAMP): pyproject.toml constraints.txt
	@python=; \
	for candidate in $${PYTHON:-} python3.11 python3.12 python3.13 python3; do \
	    if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "No Python 3.11 or newer with venv and ensurepip was found." >&2; \
	    echo "On Debian or Ubuntu: apt-get install python3-venv. Or name one: make PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	echo "Installing the pinned packages into $(VENV) with $$("$$python" --version) (about a minute, once)"; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --compile -c constraints.txt -e '.[dev]'
	@touch $@

# Browser tests drive the system's Chromium. Where it cannot be installed they are skipped, and pytest says so.
chromium:
	@if [ ! -x $(CHROMIUM) ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium for the browser tests"; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
	        || echo "Chromium could not be installed; browser tests will be skipped" >&2; \
	fi

# The tests of deploy/ and of PostgreSQL as a warehouse run a server of their own, likewise.
postgresql:
	@if ! command -v initdb >/dev/null && ! ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 \
	    && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing PostgreSQL for the tests that run a server"; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null 2>&1 \
	        || echo "PostgreSQL could not be installed; these tests will be skipped" >&2; \
	fi

# The SQL for Databricks is executed by Spark, which needs Java, likewise.
java:
	@if ! command -v java >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Java for the test that runs Spark"; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; } >/dev/null 2>&1 \
	        || echo "Java could not be installed; this test will be skipped" >&2; \
	fi
