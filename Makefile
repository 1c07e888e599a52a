# Each of `make demo` and `make test` sets up everything. `make help` lists all targets.

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
COURSE := $(BIN)/course
DEMO := build/demo
COURSE_DIR ?= .
# TensorFlow's start-up messages would hide the output of the commands.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help demo test check lint format tree release site formgrader bench screenshots platforms colab constraints clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.instructor $(VENV)/.apt-bubblewrap $(VENV)/.apt-libseccomp2  ## set up, then take a small class from source to report
	@# Without isolation, nothing is graded unless a person sets GRADE_FLAGS=--no-isolation.
	$(if $(GRADE_FLAGS),,$(COURSE) doctor isolation)
	$(COURSE) release
	$(BIN)/python -m tests.submissions $(DEMO) 02-mnist
	@# One submission is damaged on purpose: the others are graded, and grade exits with 1.
	$(COURSE) -C $(DEMO) grade 02-mnist $(GRADE_FLAGS) || test $$? -eq 1
	$(COURSE) -C $(DEMO) feedback 02-mnist
	$(COURSE) run 02-mnist --profile smoke
	$(COURSE) report --gradebook $(DEMO)
	@printf '\nNext:\n'
	@printf '  1. Open build/report/index.html and $(DEMO)/feedback/relu-missing/02-mnist/mnist.html\n'
	@printf '  2. Work on it as a student:   $(BIN)/jupyter lab release/02-mnist/mnist.ipynb\n'
	@printf '  3. Grade the written answers: $(COURSE) -C $(DEMO) mark 02-mnist\n'

test: $(VENV)/.dev $(VENV)/.apt-bubblewrap $(VENV)/.apt-libseccomp2 $(VENV)/.apt-postgresql lint  ## set up, then lint and run every test that this machine can run
	@# Without isolation, the tests that grade submissions fail; this prints how to fix it.
	@$(COURSE) doctor isolation || true
	@# Many tests wait for a process that they started, so there is one process more than cores.
	@# tests/conftest.py sorts and groups the tests.
	$(BIN)/python -m pytest --numprocesses $$(($$(nproc) + 1)) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

check: $(VENV)/.dev  ## lint, types and the fast tests: about a minute, after each edit
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q --numprocesses $$(nproc) -m "not slow and not browser and not jax and not programs" $(CHECK_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(COURSE) release --check

format: $(VENV)/.dev  ## format code and notebooks, strip outputs
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id source/*/*.ipynb

tree: $(VENV)/.dev  ## write the tree of course/ into CONTRIBUTING.md
	$(BIN)/python -m tests.architecture --write

release: $(VENV)/.instructor  ## compile source/ into release/
	$(COURSE) release

site: $(VENV)/.site  ## build the course's web site in build/site/
	$(COURSE) site build/site

formgrader: $(VENV)/.instructor  ## grade by hand (as root: make formgrader JUPYTER_FLAGS=--allow-root)
	cd $(COURSE_DIR) && $(abspath $(BIN))/jupyter lab --LabApp.default_url=/formgrader $(JUPYTER_FLAGS)

bench: $(VENV)/.instructor $(VENV)/.apt-bubblewrap $(VENV)/.apt-libseccomp2  ## compare grading with stock nbgrader
	$(BIN)/python -m tests.benchmarks.grading $(BENCH_FLAGS)

screenshots: $(VENV)/.dev  ## write the images of the guide for instructors and of the site's tour (needs Chromium)
	$(BIN)/python -m tests.screenshots

platforms: $(VENV)/.dev $(VENV)/.apt-bubblewrap $(VENV)/.apt-libseccomp2  ## run the notebooks on every platform, or on PLATFORM=colab
	@# What no run of a notebook shows: the addresses of the badges, and the messages in the guide.
	$(BIN)/python -m pytest -q tests/test_platforms.py tests/test_student_messages.py tests/instructor/release/test_public_address.py
	$(BIN)/python -m tests.platforms $(PLATFORM)

colab: $(VENV)/.dev  ## update the versions of Colab's packages from its pip freeze, FREEZE=FILE
	$(BIN)/python -m tests.platforms.update_colab $(FREEZE)

constraints:  ## pin the newest version of every package in constraints.txt
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/pip install --quiet -e '.[dev]'
	sed '/^[^#]/d' constraints.txt > build/pins.txt
	build/pins/bin/pip freeze --exclude-editable >> build/pins.txt
	@# The same version for platforms that have no tensorflow-cpu.
	sed -n 's/^tensorflow[_-]cpu==/tensorflow==/p' build/pins.txt >> build/pins.txt
	mv build/pins.txt constraints.txt && rm -rf build/pins

clean:  ## remove .venv/ and build/, but nothing that a student submitted
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Packages that pip cannot install. make tries this once, and continues if it is not permitted.
$(VENV)/.apt-%: | $(VENV)/bin/python
	@.ci/packages $*
	@touch $@

# The demo does not wait for development tools, which it does not need.
$(VENV)/.instructor: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[instructor]'
	@touch $@

$(VENV)/.site: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[instructor,site]'
	@touch $@ $(VENV)/.instructor

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.instructor $(VENV)/.site
