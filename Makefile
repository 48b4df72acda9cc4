PYTHON ?= python3
VENV ?= .venv
COLAB_PYTHON ?= $(PYTHON)
BIN := $(VENV)/bin
BOOK := _build/html/index.html
# What the checks read; the notebooks' code included.
SOURCES := dctutor scripts tests notebooks book/_ext
# One worker per processor. Each has tests that stand together, so that a page or a fitted model serves several.
PYTEST := $(BIN)/pytest -n auto --dist worksteal

AUDIT ?= $(BIN)/

.PHONY: audit book lint check test notebooks serve bench dist colab clean

# Rebuilt whenever a pin or a dependency changes.
$(BIN)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "dctutor needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d: say, for instance, make book PYTHON=python3.13" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[book,dev]"
	touch $@

book: $(BIN)/.installed
	$(BIN)/jupyter-book build . --warningiserror --keep-going
	@echo "The book is at $(CURDIR)/$(BOOK)"

lint: $(BIN)/.installed
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

# Needs zizmor and sp-repo-review; what is argued rather than mended stands in pyproject.toml.
audit:
	$(AUDIT)zizmor --offline --persona pedantic --min-severity medium .github
	$(AUDIT)sp-repo-review .

# What is quick; `make test` is everything.
check: lint
	$(PYTEST) -m "not slow"

test: lint
	$(PYTEST)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout=900 notebooks

notebooks: $(BIN)/.installed
	$(BIN)/python scripts/run_notebooks.py

serve: book
	$(BIN)/python -m http.server --directory _build/html 8000

bench: $(BIN)/.installed
	$(BIN)/python tests/benchmarks/training_epoch.py
	$(BIN)/python tests/benchmarks/import_time.py

dist: $(BIN)/.installed
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

# Every chapter alone in an empty folder, with the versions that Colab ships. Its first cell installs the last commit.
colab: $(BIN)/.installed
	$(BIN)/python scripts/run_in_colab.py --python $(COLAB_PYTHON)

clean:
	rm -rf _build dist
