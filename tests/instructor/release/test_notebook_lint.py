"""Lint rules for a source notebook as a whole, by `course release` and `course run`."""

import json

import nbformat
import pytest

from course.instructor.cli.main import main
from course.instructor.release.notebook_lint import find_wrong_points
from tests.conftest import cell

SOLUTION = cell("code", "### BEGIN SOLUTION Set two to 2.\ntwo = 2\n### END SOLUTION", "two")
TEST = cell("code", "assert two == 2", "test_two", points=1)
PICTURE = {"image/png": "iVBORw0KGgo="}


@pytest.fixture
def change_source(small_course):
    """Return a function that makes a course, changes its source notebook, and returns the path."""

    def make(*cells, **metadata):
        root = small_course(*cells, SOLUTION, TEST)
        path = root / "source/01-small/small.ipynb"
        notebook = json.loads(path.read_text())
        notebook["metadata"] |= metadata
        path.write_text(json.dumps(notebook))
        return root

    return make


def error_of(capsys, root, *command):
    """Run a command that must fail with one sentence about the source, and return it."""
    assert main(["-C", str(root), *command]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    prefix = f"course: {root}/source/01-small/small.ipynb: "
    assert line.startswith(prefix)
    return line.removeprefix(prefix)


@pytest.mark.parametrize("command", [["release"], ["run", "--profile", "smoke"]])
@pytest.mark.parametrize(
    "kernel",
    [
        {},
        {"name": "python3"},
        {"name": "python3", "display_name": "Python 3"},
        {"name": "julia", "display_name": "Julia", "language": "julia"},
        {"name": 3, "display_name": "Python 3", "language": "python"},
    ],
)
def test_a_source_without_a_python_kernel_is_refused(change_source, capsys, kernel, command):
    assert error_of(capsys, change_source(kernelspec=kernel), *command) == (
        "the metadata does not name a Python kernel (kernelspec): open the notebook in JupyterLab,"
        " choose the kernel Python 3, and save it."
    )


PARAMETERS = "profile = None\nseed = 0"


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ([["paramters"]], "the tag 'paramters' of cell 1 is misspelled: write parameters."),
        ([["Parameters"]], "the tag 'Parameters' of cell 1 is misspelled: write parameters."),
        ([["hide"]], "cell 1 sets profile but does not have the tag parameters: add the tag."),
        ([[]], "cell 1 sets profile but does not have the tag parameters: add the tag."),
        (
            [["parameters"], ["parameters"]],
            "the cells 1 and 2 have the tag parameters: remove all but one.",
        ),
    ],
)
@pytest.mark.parametrize("command", [["release"], ["run", "--profile", "smoke"]])
def test_unclear_parameters_are_one_sentence(change_source, capsys, tags, problem, command):
    setup = cell("code", "size = seed + 1", "setup")
    setup["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    cells = [cell("code", PARAMETERS, tags=each) | {"id": f"c{i}"} for i, each in enumerate(tags)]
    root = change_source(*cells, setup)
    assert error_of(capsys, root, *command) == problem


def test_files_that_only_secret_parts_use_are_refused(change_source, capsys):
    shown = cell("markdown", "![](shown.png) and ![](both.png)")
    answer = "### BEGIN SOLUTION\n![](secret.png) ![](both.png)\n### END SOLUTION"
    secret = cell("markdown", answer, "explain", points=1)
    secret["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    scheme = cell("markdown", "=== BEGIN MARK SCHEME ===\n![](scheme.png)\n=== END MARK SCHEME ===")
    test = "assert True\n### BEGIN HIDDEN TESTS\nopen('hidden.csv')\n### END HIDDEN TESTS"
    root = change_source(shown, secret, scheme, cell("code", test, "test_more", points=1))
    for name in ("shown.png", "both.png", "secret.png", "scheme.png", "hidden.csv", "unused.txt"):
        (root / "source/01-small" / name).write_text("x")
    assert main(["-C", str(root), "release"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[-2].split(" is used only in ")[0] for line in lines] == [
        "hidden.csv",
        "scheme.png",
        "secret.png",
    ]
    assert not (root / "release").exists()


def test_pictures_of_solutions_and_mark_schemes_are_not_released(change_source, capsys):
    question = cell(
        "markdown",
        "![](attachment:my%20question.png)\n"
        "=== BEGIN MARK SCHEME ===\n![](attachment:scheme.png)\n=== END MARK SCHEME ===",
        "question",
    )
    question["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    question["attachments"] = {"my question.png": PICTURE, "scheme.png": PICTURE}
    answer = cell("markdown", "![](attachment:model.png)", "answer", points=2)
    answer["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    answer["attachments"] = {"model.png": PICTURE}
    root = change_source(question, answer)
    assert main(["-C", str(root), "release"]) == 0
    printed = capsys.readouterr().out
    reason = "because no text for students refers to it"
    assert f"not released, {reason}: model.png, scheme.png" in printed
    released = json.loads((root / "release/01-small/small.ipynb").read_text())["cells"]
    assert [each.get("attachments") for each in released[:2]] == [
        {"my question.png": PICTURE},
        None,
    ]
    source = json.loads((root / "source/01-small/small.ipynb").read_text())["cells"]
    assert list(source[1]["attachments"]) == ["model.png"]
    assert main(["-C", str(root), "release", "--check"]) == 0


HEADING = "### Exercise 1: a sum (3 points)"


def problems_of_points(*cells):
    return list(find_wrong_points(nbformat.from_dict({"cells": cells, "metadata": {}})))


@pytest.mark.parametrize(
    ("heading", "points", "problem"),
    [
        (HEADING, (1, 2), ""),
        (HEADING, (1, 1), "under 'Exercise 1: a sum (3 points)' have 2 points"),
        ("### Exercise 1: a sum", (1, 1), ""),
        ("### Exercise 1 (1.5 points)", (1, 0.5), ""),
        ("# Task\n\n**What is graded:** 4 points, 3 of them", (1, 2), "the cells have 3 points"),
        ("# Task\n\n**What is graded:** 3 points.", (1, 2), ""),
        (HEADING + "\n\n### Something else", (1, 2), "have 0 points"),
    ],
)
def test_points_in_the_text_that_disagree_with_the_cells_are_refused(heading, points, problem):
    graded = [
        cell("code", "assert 1", f"test_{number}", points=each)
        for number, each in enumerate(points)
    ]
    found = problems_of_points(cell("markdown", heading), *graded)
    assert [problem in each for each in found] == [True] * bool(problem)


def test_a_release_with_wrong_points_is_refused(small_course, course_command):
    test = cell("code", "assert answer", "test_answer", points=2)
    answer = cell("code", "### BEGIN SOLUTION\nanswer = 1\n### END SOLUTION", "answer")
    root = small_course(cell("markdown", HEADING), answer, test)
    done = course_command("-C", root, "release")
    assert done.returncode == 1
    assert "the cells under 'Exercise 1: a sum (3 points)' have 2 points" in done.stderr
