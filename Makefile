PYTHON ?= python3
BIN := .venv/bin
# Processes of tests, one more than there are cores: those of commands and of clusters mostly wait.
TESTERS := $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))

.PHONY: install quickstart test test-fast lint docs generate notebook clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The main job on bundled real data: a grid of six methods, and its leaderboard.
quickstart: install
	$(BIN)/ssl-bench grid experiments/quickstart.yaml

test: install
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadgroup --max-worker-restart 0 --durations=15

test-fast: install
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadgroup --max-worker-restart 0 -m 'not slow'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, to be read without a server: build/site/index.html.
docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

# The generated parts that are committed: pictures, the README's results, the table of rooms.
generate: install
	$(BIN)/python -m ssl_bench.docs

# The notebook's outputs, which are committed.
notebook: install
	$(BIN)/python -m ssl_bench.docs.notebook

clean:
	rm -rf .venv runs build
