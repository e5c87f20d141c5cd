# Covenant. Two commands are the whole set-up: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := UV_HTTP_TIMEOUT=300 $(BIN)/uv
BACKEND := $(if $(TORCH),--torch-backend=$(TORCH))
INSTALL = $(UV) pip install --python $(BIN)/python --constraint constraints.txt $(BACKEND)
ARGS ?=
LEDGER ?=
unexport PYTHONDONTWRITEBYTECODE # as containers set it: a demo's thirty processes would each compile all they import

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

demo: $(VENV)/.demo $(filter fabric,$(LEDGER)) ## install, run the main job, serve the portal (LEDGER=fabric; ARGS="--no-serve")
	@$(BIN)/covenant demo $(addprefix --ledger ,$(LEDGER)) $(ARGS)

serve: $(VENV)/.demo ## serve the portal of a demo that has run
	@$(BIN)/covenant demo $(ARGS)

test: $(VENV)/.test ## install, run everything
	@.ci/packages
	@$(BIN)/covenant network build || { [ "$${CI:-}" != true ] && echo "Tests on a real Fabric network are skipped."; }
	@.ci/checks

fabric: $(VENV)/.demo ## build Hyperledger Fabric's programs, once, for `covenant network` (needs Go)
	@$(BIN)/covenant network build

lint: $(VENV)/.test ## style, types and who imports whom
	@.ci/checks lint

bench: $(VENV)/.test $(filter fabric,$(LEDGER)) ## every performance claim, as a ratio or rate in one run (LEDGER=fabric: a Fabric network's)
	@.ci/checks bench $(addprefix --ledger ,$(LEDGER)) $(ARGS)

soak: $(VENV)/.test ## the randomised and kill tests at their full counts, every walk on either ledger
	@COVENANT_SOAK=1 .ci/checks soak

docs: $(VENV)/.test ## check the documentation's links, commands and test vectors
	@.ci/checks docs

words: $(VENV)/.test ## take up newly marked words of the pages for translation, and compile what is translated
	@$(BIN)/python -m tests.support.catalogue

clean: ## remove the environment, the demo's data and caches
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info

.DEFAULT:
	@echo "There is no '$@' to make: 'make help' lists what there is." >&2; exit 2

$(BIN)/uv:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3.11-venv make git"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python venv failed: apt-get install python3.11-venv"; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

$(VENV)/.demo: constraints.txt pyproject.toml covenant.py | $(BIN)/uv
	@echo "Installing: about 3 GB to download the first time, 6 GB on disk (TORCH=cpu: far less, where your network has that index)."
	@echo "A broken download resumes: run the same command again."
	@for try in 1 2 3; do $(INSTALL) --quiet --editable '.[training,portal]' && break; [ $$try -lt 3 ] || exit 1; done
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	@for try in 1 2 3; do $(INSTALL) --quiet --editable '.[training,portal,test]' && break; [ $$try -lt 3 ] || exit 1; done
	@touch $@

.PHONY: help demo serve test fabric lint bench soak docs words clean
