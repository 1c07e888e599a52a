"""What the tests share: course directories of their own, the command, a graded class."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from functools import lru_cache
from pathlib import Path

import absl.logging
import pytest
from hypothesis import HealthCheck, settings

from tests.chromium import launched
from tests.cluster import dask_cluster
from tests.postgres import find_programs, postgres_server
from tests.submissions import ROOT, create_fixture_class

# Generated inputs are the same in each run, and starting processes takes as long as it takes.
settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("repeatable")

BIN = Path(sys.executable).parent
# By seconds in one process, longest first; those that are not listed take less than a minute.
LONGEST_FILES = (
    "test_both_engines.py", "test_submissions.py", "test_stopped.py", "test_attacks.py",
    "test_notebook_execution.py", "test_defects.py", "test_cifar10_scenes.py", "test_collection.py",
    "test_class_grader.py", "test_train.py", "test_scheduler.py", "test_postgres.py",
    "test_term.py", "test_declared_minimum.py",
)  # fmt: skip
# Their tests share the graded example class of an assignment, whose name is in their IDs.
GRADING_FILES = {"test_both_engines.py", "test_submissions.py"}
ASSIGNMENT = re.compile(rf"\[({'|'.join(sorted(p.name for p in ROOT.glob('source/*/')))})\b")
# Most of their tests start commands or kernels or train networks: `make check` leaves them out.
PROGRAM_FILES = {
    "test_build.py", "test_train.py", "test_packing.py", "test_class_grader.py", "test_publish.py",
    "test_notebook_repair.py", "test_evidence_measurement.py", "test_recipe.py",
    "test_similarity.py", "test_notebook_execution.py", "test_public_files.py", "test_cli.py",
    "test_evidence.py", "test_seed_variation.py", "test_forkserver.py",
    "test_forkserver_client.py", "test_plugins.py", "test_cell_execution.py", "test_publisher.py",
    "test_files.py", "test_isolation.py", "test_signals.py",
    "test_code_analysis.py", "test_limited_call.py", "test_limited_renderer.py",
    "test_notebook_parser.py", "test_leaderboard.py", "test_warm_forkserver.py",
    "test_notebook_run.py",
}  # fmt: skip


def pytest_configure(config):
    """Let SIGINT reach this process and those that it starts, and let absl use the real stderr.

    A shell without job control starts `make test &` with SIGINT ignored, children inherit that, and
    a test that interrupts a command would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Without such a folder, no forkserver outlives the command of a test.
    os.environ["XDG_RUNTIME_DIR"] = os.devnull
    # Keras logs with absl, whose handler would keep pytest's capture of stderr. nbgrader's database
    # migration closes all handlers, and with it the capture, if a test uses capsys.
    absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Have each group of tests run in one process, because it shares what takes long to create.

    A group is a file, or the tests of one assignment in the files that grade its example class.
    """
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            assignment = ASSIGNMENT.search(test) if Path(file).name in GRADING_FILES else None
            return assignment[1] if assignment else file

    return GroupScheduling(config, log)


def pytest_collection_modifyitems(items):
    """Put the longest files first, so that no process goes on long after the others."""
    for item in items:
        if item.path.name in PROGRAM_FILES:
            item.add_marker("programs")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    longest = {name: position for position, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: (longest.get(item.path.name, len(longest)), item.path not in slow))
    # The later assignments train larger networks.
    engines = [item for item in items if item.path.name == LONGEST_FILES[0]]
    items[: len(engines)] = reversed(engines)


@pytest.fixture(scope="session")
def course_command():
    """Run `course` as a user does; returns the finished process with its text output."""

    def run(*arguments, cwd=ROOT, **environment):
        return run_command(BIN / "course", *arguments, cwd=cwd, **environment)

    return run


def run_command(*command, cwd=ROOT, **environment):
    """Run a command to its end; it must not be stuck for ten minutes."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="session")
def graded_class_of(tmp_path_factory, course_command):
    """Grade an assignment's fixture class once; returns its directory and the finished command."""

    @lru_cache
    def grade(assignment):
        root = create_fixture_class(tmp_path_factory.mktemp("class"), assignment)
        return root, course_command("-C", root, "grade", assignment)

    return grade


@pytest.fixture(scope="session")
def graded_class(graded_class_of):
    """Grade the fixture class of 02-mnist once; returns its directory and the finished command."""
    return graded_class_of("02-mnist")


@pytest.fixture
def cluster(tmp_path_factory):
    """Return the address of a Dask scheduler with two workers on loopback, and the workers."""
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="session")
def server():
    """Start a PostgreSQL server that listens only on a private socket; return its folder."""
    folder_of_programs = find_programs()
    if folder_of_programs is None:
        pytest.skip("PostgreSQL's initdb is not installed (Debian: apt-get install postgresql)")
    with postgres_server(folder_of_programs) as folder:
        yield folder


@pytest.fixture
def gradebook_url(server):
    """Create a new database and return its URL."""
    import psycopg

    name = f"course_{uuid.uuid4().hex}"
    with psycopg.connect(f"host={server} user=teacher dbname=postgres", autocommit=True) as one:
        one.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://teacher@/{name}?host={server}"


def cell(kind, source, grade_id=None, points=None, tags=()):
    """Return a notebook cell as JSON has it; a grade id makes it one of nbgrader's."""
    content = {
        "cell_type": kind,
        "id": (grade_id or f"c{abs(hash(source))}")[:60],
        "source": source,
    }
    content["metadata"] = {"tags": list(tags)} if tags else {}
    if kind == "code":
        content |= {"outputs": [], "execution_count": None}
    if grade_id:
        content["metadata"]["nbgrader"] = {
            "grade_id": grade_id,
            "grade": points is not None,
            "solution": points is None,
            "locked": points is not None,
            "task": False,
            "schema_version": 3,
        } | ({} if points is None else {"points": points})
    return content


def write_notebook(path, cells):
    """Write a notebook of the cells to a path and return the path."""
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture
def small_course(tmp_path):
    """Return a function that makes a course directory with one small assignment, free of Keras."""

    def make(*cells, name="01-small"):
        shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
        write_notebook(tmp_path / "source" / name / "small.ipynb", list(cells))
        return tmp_path

    return make


@pytest.fixture(scope="module")
def browser():
    """Return a Chromium, which all tests of a module share."""
    with launched() as found:
        yield found
