"""What a platform run notices in a notebook, shown with the Python of these tests."""

import sys
from pathlib import Path

import pytest
from nbformat import v4

from tests.platforms.environment import Environment
from tests.platforms.notebook_run import run_notebook
from tests.platforms.platform_run import INSTALL_COMMAND, untouched_problems
from tests.platforms.table import Platform
from tests.test_platforms import install_cell

IDS = ("given", "answer", "check")


@pytest.fixture
def run(tmp_path):
    """Return a function that runs cells as a platform does."""

    def run_cells(*sources, notebook="file", **environment):
        row = Platform("here", "3.11", notebook, environment=environment)
        here = Environment(row, tmp_path)
        here.python = Path(sys.executable)
        here.home.mkdir()
        (tmp_path / "work").mkdir()
        cells = [v4.new_code_cell(each) if isinstance(each, str) else each for each in sources]
        content = v4.new_notebook(cells=cells)
        return run_notebook(content, "small.ipynb", here, tmp_path / "work")

    return run_cells


def test_red_text_is_found_in_both_streams_but_plain_text_is_not(run):
    found = run(
        "import os, sys, warnings\nprint('fine', 'ERROR: no line of its own')",
        "print('\\x1b[31mERROR: pip cannot\\x1b[0m\\nrest')",
        "warnings.warn('int64 is not available')",
        "_ = os.write(2, b'a log line of a library')",
    )
    red = [line.partition(": ")[2] for line in found.red]
    assert found.error == "" and len(found.seconds) == 4
    assert "ERROR: pip cannot" in red and "a log line of a library" in red
    assert any("UserWarning: int64 is not available" in line for line in red)
    assert not any("fine" in line or "no line of its own" in line for line in red)


def test_a_run_stops_at_the_first_error(run):
    found = run("1 / 0", "print('later')")
    assert found.error == "ZeroDivisionError: division by zero" and len(found.seconds) == 1


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        (["x = 1", "raise NotImplementedError", "x"], []),
        (["x = 1", "y = None", "assert y"], []),
        (
            ["1 / 0", "raise NotImplementedError"],
            ["given fails: ZeroDivisionError: division by zero"],
        ),
        (["x = 1", "y = 2"], ["no cell fails without an answer"]),
        (
            ["import os\n_ = os.write(2, b'a log line')", "raise NotImplementedError"],
            ["red text in given: a log line"],
        ),
    ],
)
def test_an_untouched_notebook_shows_no_error_before_the_first_exercise(run, sources, problem):
    cells = [v4.new_code_cell(source, id=name) for source, name in zip(sources, IDS, strict=False)]
    cells[1].metadata["nbgrader"] = {"solution": True}
    notebook = v4.new_notebook(cells=cells)
    assert untouched_problems(notebook, run(*cells)) == problem


def test_a_kernel_has_the_variables_of_the_platform_and_none_of_this_course(run, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", "/nowhere")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    names = "('COLAB_RELEASE_TAG', 'COURSE_DATA_DIR', 'KAGGLE_KERNEL_RUN_TYPE', 'COURSE_PROFILE')"
    found = run(
        f"import os\nraise ValueError([os.environ.get(name) for name in {names}])",
        COLAB_RELEASE_TAG="x",
    )
    assert found.error == "ValueError: ['x', None, None, 'smoke']"


def test_the_command_that_a_laptop_is_given_is_the_one_that_is_run(run):
    hidden = "import importlib.metadata\nimportlib.metadata.distributions = lambda **_: iter(())\n"
    found = run(hidden + install_cell())
    assert INSTALL_COMMAND.search(found.error)[2] == "cnn-course @ git+https://example.org/course"
