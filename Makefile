# The suite's commands; `make help` lists them. S=maas selects one service, ONCE=1 makes `run` stop after the journeys,
# ARGS="…" is passed on to the tool.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

BIN := .venv/bin
PYTHON := $(BIN)/python
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml \
	deploy/*/pyproject.toml tests-integration/pyproject.toml))
CHOSEN := $(if $(S),services/$(S),$(MEMBERS))
PACKAGES := $(patsubst %/__init__.py,%,$(wildcard $(addsuffix /*/__init__.py,$(CHOSEN))))
TESTS := $(wildcard $(addsuffix /tests,$(CHOSEN)))

empty :=
export MYPYPATH := $(subst $(empty) $(empty),:,$(MEMBERS))

ifneq ($(S),)
ifeq ($(wildcard services/$(S)/pyproject.toml),)
$(error there is no service $(S); there are: $(notdir $(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml))))
endif
endif

.PHONY: help setup run test check format lint types arch bench migrate dead-tasks lock openapi

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 \t/p' Makefile | expand -t 14
	@echo; sed -n 's/^# //p' Makefile

setup: ## make .venv from requirements.lock (nothing when it is right)
	@bash deploy/local/setup.sh

run: setup ## start everything, play the journeys, serve until Ctrl-C
	@exec $(PYTHON) -m local_stack run $(if $(ONCE),--once) $(ARGS)

test: check ## everything CI runs: lint, types, arch, then unit and integration tests
	@$(PYTHON) -m pytest -n 2 --dist loadfile $(if $(S),services/$(S)) $(ARGS)

check: lint types arch ## what needs no server: lint, types, arch

format: setup ## put every file into its form
	@$(BIN)/ruff check --quiet --fix-only $(CHOSEN)
	@$(BIN)/ruff format --quiet $(CHOSEN)

lint: setup ## ruff: rules and form
	@$(BIN)/ruff check --quiet $(CHOSEN)
	@$(BIN)/ruff format --quiet --check $(CHOSEN)
	@echo "lint: good"

types: setup ## mypy --strict: the packages, then each folder of tests
	@$(BIN)/mypy $(PACKAGES)
	@for folder in $(TESTS); do $(BIN)/mypy --no-error-summary "$$folder"; done

arch: setup ## import-linter: who may import whom
	@$(BIN)/lint-imports

openapi: setup ## write the description of each service (S=maas for one) into its openapi.yaml
	@for folder in $(if $(S),services/$(S),$(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml))); do \
		name=$${folder##*/}; $(PYTHON) -m $${name//-/_} openapi > $$folder/openapi.yaml; done

bench: setup ## measure, side by side; prints a table, never fails
	@-$(PYTHON) tests-integration/bench $(ARGS)

migrate: setup ## bring the databases of the running stack up to date
	@$(PYTHON) -m local_stack migrate $(if $(S),--service $(S)) $(ARGS)

dead-tasks: setup ## list the dead tasks of the running stack
	@$(PYTHON) -m local_stack dead-tasks $(if $(S),--service $(S)) $(ARGS)

lock: setup ## make requirements.lock anew from the pyproject.toml files (ARGS=--upgrade for newer ones)
	@sh deploy/local/lock.sh $(ARGS)
