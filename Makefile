PYTHON ?= python3
BIN := .venv/bin

.PHONY: install quickstart test test-fast lint clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The main job on bundled real data: a grid of six methods, and its leaderboard.
quickstart: install
	$(BIN)/ssl-bench grid experiments/quickstart.yaml

test: install
	$(BIN)/python -m pytest -n auto --dist loadgroup --max-worker-restart 0 --durations=15

test-fast: install
	$(BIN)/python -m pytest -n auto --dist loadgroup --max-worker-restart 0 -m 'not slow'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv runs
