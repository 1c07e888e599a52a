"""The text of a submitted cell, in a student's own notebook and in grading."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course import cell_source, notebook_cells
from course.errors import CourseError


@pytest.fixture
def notebook(monkeypatch):
    """Return a function that runs a cell in a notebook of its own."""
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


def test_the_last_run_counts(notebook):
    notebook("answer = 1")
    notebook("answer = 2")
    notebook("y = answer")
    assert cell_source("answer") == "answer = 2"


def test_cells_that_are_no_python_are_passed_over(notebook):
    notebook("answer = 1")
    notebook("%matplotlib inline\nanswer = 2" if False else "answer = = 2")
    assert cell_source("answer") == "answer = 1"


def test_a_cell_that_was_not_run_is_asked_for(notebook):
    notebook("x = 1")
    with pytest.raises(CourseError, match="no cell that defines answer was run: run it"):
        cell_source("answer")


def test_outside_of_a_notebook_there_is_none():
    with pytest.raises(CourseError, match="run it"):
        cell_source("answer")


def test_grading_provides_the_texts_by_grade_id(notebook, monkeypatch):
    monkeypatch.setattr(notebook_cells, "_provided", None)
    notebook("answer = 1")
    notebook_cells.provide({"answer": "answer = 2"}.get)
    assert cell_source("answer") == "answer = 2"
    with pytest.raises(CourseError, match="no cell that defines other"):
        cell_source("other")
