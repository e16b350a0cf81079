# Every task of the project. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

# What the demo is asked for: more residents, or an end after the summary.
RESIDENTS ?= 100000
EXIT ?=
# STACK=real: the demo on the stack of make stack. BROKERS=3: a Kafka cluster whose leaders can change.
STACK ?=
BROKERS ?= 1
# One benchmark by name (way-in), or all of them.
BENCH ?=
# Passed on to pytest: make test ARGS="-k quarantine"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test faults stack stack-test stack-stop check format bench nightly reference lock clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

install: $(STAMP) ## create .venv and install the locked packages, checked by hash; instant when nothing changed
	@echo "install: .venv is up to date with requirements.lock"

demo: $(STAMP) $(if $(STACK),stack) ## start the hub with eleven filled datasets until Ctrl-C (RESIDENTS=100000, EXIT=1 ends, STACK=real)
	@$(if $(STACK),env $$(cat .stack/hub.env)) $(BIN)/python -m seeds.demo --residents $(RESIDENTS) \
	  $(if $(EXIT),--exit) $(if $(STACK),--folder .stack/demo)

# Tests start hundreds of processes: what is compiled once is kept, whatever the environment says.
test faults demo stack-test: export PYTHONDONTWRITEBYTECODE :=

test: $(STAMP) ## run the tests (ARGS="-k word" picks some)
	@$(BIN)/pytest -n 3 --dist worksteal --ignore=tests/nightly --ignore=tests/bench --ignore=tests/faults \
	  --ignore=tests/stack $(ARGS)
	@echo "test: passed. Left out: kill -9 of every process at seeded moments (make faults); Kafka and Keycloak, which"
	@echo "test: need Java 17 and Maven (make stack-test)"

faults: $(STAMP) ## kill -9 of every process at seeded moments of the demo (FAULT_SEEDS=6)
	@$(BIN)/pytest -n 2 --maxschedchunk 1 tests/faults $(ARGS)

stack: $(STAMP) ## start Kafka, Keycloak and PostgreSQL as processes on the loopback; they run until make stack-stop (BROKERS=3)
	@$(BIN)/python -m deploy.stack start --brokers $(BROKERS)

# kafka-python leaves sockets to the garbage collector, which warns of each.
stack-test: stack ## run the log's contract, the worker and all acceptance over the stack's Kafka, then the broker's faults
	@STACK_ENV=$(CURDIR)/.stack/hub.env $(BIN)/pytest -W ignore:unclosed:ResourceWarning -n 3 --dist worksteal \
	  tests/contract tests/integration/test_worker.py tests/acceptance $(ARGS)
	@STACK_ENV=$(CURDIR)/.stack/hub.env $(BIN)/pytest -W ignore:unclosed:ResourceWarning tests/stack $(ARGS)

stack-stop: $(STAMP) ## end what make stack started, and nothing else
	@$(BIN)/python -m deploy.stack stop

check: $(STAMP) ## lint, format, types and architecture
	@echo "ruff: lint";        $(BIN)/ruff check .
	@echo "ruff: format";      $(BIN)/ruff format --check .
	@echo "basedpyright";      $(BIN)/basedpyright
	@echo "architecture";      $(BIN)/pytest -q tests/test_architecture.py tests/test_documentation.py

format: $(STAMP) ## format the code and repair what lint can repair
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(STAMP) ## measure (BENCH=way-in, or all); the last line of each is one JSON object
	@set -e; for file in $(if $(BENCH),tests/bench/$(subst -,_,$(BENCH)).py,tests/bench/[a-z]*.py); do \
	  echo "bench: $$file"; PYTHONPATH=tests/support $(BIN)/python $$file; done

# A run that was cut short goes on where it stopped, as long as the commit is the same; docs/nightly.md is its table.
nightly: $(STAMP) ## what takes too long for every change: files of many gigabytes, three brokers whose leaders die
	@status=0; $(BIN)/pytest tests/nightly $(ARGS) || status=$$?; \
	  $(BIN)/python -m deploy.stack start --folder .stack/three --brokers 3 || exit 1; \
	  trap '$(BIN)/python -m deploy.stack stop --folder .stack/three' EXIT; \
	  STACK_ENV=$(CURDIR)/.stack/three/hub.env $(BIN)/pytest -W ignore:unclosed:ResourceWarning \
	    tests/nightly/test_leader_change.py $(ARGS) || status=$$?; \
	  case $$status in 0|5) exit 0;; *) exit $$status;; esac  # 5: all of it has passed already

reference: $(STAMP) ## write docs/reference.md from the code
	@$(BIN)/python tests/support/reference_document.py

lock: $(STAMP) ## resolve pyproject.toml into requirements.lock, and that of the image, again
	@$(BIN)/uv pip compile --quiet --upgrade --extra dev --universal --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --constraints requirements.lock pyproject.toml --output-file deploy/image/requirements.lock

clean: ## remove the environment, the demo's data and all caches
	@for folder in .stack/three .stack; do [ ! -e $$folder ] || $(BIN)/python -m deploy.stack stop --folder $$folder; done
	@rm -rf .venv .demo .bench .nightly .stack .ruff_cache .pytest_cache .hypothesis build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is taken from the lock itself. It is quick but does not read pip's configuration, so where only pip knows the way
# to a package index, pip does the work.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make install PYTHON=python3.12"; exit 1; }
	@echo "install: creating .venv"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv || \
	  { echo "the venv module is missing; on Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	@echo "install: packages of requirements.lock, each checked by its hash"
	@awk '/^uv==/ { found = 1 } found; found && !/\\$$/ { exit }' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock || \
	  { echo "install: uv could not, pip tries"; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@echo "install: the project itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
