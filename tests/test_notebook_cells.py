"""The source code of a cell, in a student's notebook and during grading."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course import cell_source, notebook_cells
from course.errors import CourseError


@pytest.fixture
def notebook(monkeypatch):
    """Return a function that runs a cell in a new notebook."""
    shell = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    yield lambda source: shell.run_cell(source, store_history=True, silent=False)
    shell.history_manager.end_session()


@pytest.mark.parametrize(
    "source",
    ["def conv2d(x):\n    return x", "conv2d = lambda x: x", "class conv2d:\n    pass",
     "if True:\n    conv2d = 5", "conv2d, y = 1, 2", "y = 1\nfor conv2d in [1]:\n    pass"],
)  # fmt: skip
def test_the_cell_that_defines_the_name_is_found(notebook, source):
    notebook("x = 1")
    notebook(source)
    notebook("print(conv2d)\n")
    assert cell_source("conv2d") == source


def test_the_latest_execution_counts(notebook):
    notebook("answer = 1")
    notebook("answer = 2")
    notebook("y = answer")
    assert cell_source("answer") == "answer = 2"


def test_cells_that_are_not_valid_python_are_skipped(notebook):
    notebook("answer = 1")
    notebook("answer = = 2")
    assert cell_source("answer") == "answer = 1"


def test_a_cell_that_was_not_run_is_an_error(notebook):
    notebook("x = 1")
    with pytest.raises(
        CourseError, match="the cell that defines answer has not been run: run that cell"
    ):
        cell_source("answer")


def test_outside_a_notebook_no_cell_is_found():
    with pytest.raises(CourseError, match="run that cell"):
        cell_source("answer")


def test_grading_looks_up_cells_by_grade_id(notebook, monkeypatch):
    monkeypatch.setattr(notebook_cells, "_lookup", None)
    notebook("answer = 1")
    notebook_cells.set_source_lookup({"answer": "answer = 2"}.get)
    assert cell_source("answer") == "answer = 2"
    with pytest.raises(CourseError, match="the cell that defines other has not been run"):
        cell_source("other")
