# Two commands set everything up: make demo, make test. `make help` lists the rest.

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
COURSE := $(BIN)/course
DEMO := build/demo
COURSE_DIR ?= .
# TensorFlow's start-up messages would drown what the commands say.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help demo test check lint format tree release formgrader bench constraints clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.instructor $(VENV)/.apt-bubblewrap  ## set up, then take a small class from source to report
	@# Without isolation nothing is graded, unless a person types GRADE_FLAGS=--no-isolation.
	$(if $(GRADE_FLAGS),,$(COURSE) doctor isolation)
	$(COURSE) release
	$(BIN)/python -m tests.submissions $(DEMO) 02-mnist
	@# One submission is damaged on purpose: the class is graded all the same, and grade exits with 1.
	$(COURSE) -C $(DEMO) grade 02-mnist $(GRADE_FLAGS) || test $$? -eq 1
	$(COURSE) -C $(DEMO) feedback 02-mnist
	$(COURSE) run 02-mnist --profile smoke
	$(COURSE) report --gradebook $(DEMO)
	@printf '\nNext:\n'
	@printf '  1. open build/report/index.html and $(DEMO)/feedback/relu-missing/02-mnist/mnist.html\n'
	@printf '  2. do it as a student would:  $(BIN)/jupyter lab release/02-mnist/mnist.ipynb\n'
	@printf '  3. grade the written answers: $(MAKE) formgrader COURSE_DIR=$(DEMO)\n'

test: $(VENV)/.dev $(VENV)/.apt-bubblewrap $(VENV)/.apt-postgresql lint  ## set up, then lint and run every test that this machine can
	@# Without isolation the tests that grade fail; here stands what to do about it.
	@$(COURSE) doctor isolation || true
	@# A file's tests stay together: they share what took long to make. Many wait for a process that
	@# they started, so one more goes on than there are cores; tests/conftest.py has their order.
	$(BIN)/python -m pytest --numprocesses $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(VENV)/.dev  ## the tests to run after each edit, in about a minute
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q --numprocesses $$(nproc) -m "not slow and not browser and not jax" $(CHECK_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(COURSE) release --check

format: $(VENV)/.dev  ## format code and notebooks, strip outputs
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id source/*/*.ipynb

tree: $(VENV)/.dev  ## write the tree of course/ into CONTRIBUTING.md
	$(BIN)/python -m tests.architecture --write

release: $(VENV)/.instructor  ## compile source/ into release/
	$(COURSE) release

formgrader: $(VENV)/.instructor  ## grade by hand (as root: make formgrader JUPYTER_FLAGS=--allow-root)
	cd $(COURSE_DIR) && $(abspath $(BIN))/jupyter lab --LabApp.default_url=/formgrader $(JUPYTER_FLAGS)

bench: $(VENV)/.instructor $(VENV)/.apt-bubblewrap  ## measure grading against stock nbgrader
	$(BIN)/python -m tests.benchmarks.grading $(BENCH_FLAGS)

constraints:  ## pin anew: newest versions of everything, written to constraints.txt
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/pip install --quiet -e '.[dev]'
	sed '/^[^#]/d' constraints.txt > build/pins.txt
	build/pins/bin/pip freeze --exclude-editable >> build/pins.txt
	@# The same version where there is no tensorflow-cpu.
	sed -n 's/^tensorflow[_-]cpu==/tensorflow==/p' build/pins.txt >> build/pins.txt
	mv build/pins.txt constraints.txt && rm -rf build/pins

clean:  ## remove what make made, but no student's work
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# What pip cannot install. Tried once; where this machine does not allow it, make goes on without.
$(VENV)/.apt-%: | $(VENV)/bin/python
	@.ci/packages $*
	@touch $@

# The demo needs no development tools, so it does not wait for them.
$(VENV)/.instructor: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[instructor]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.instructor
