"""Grading of notebooks that import the student's helper files, with real commands."""

import json

import pytest

from tests.conftest import BIN, cell, run_command
from tests.instructor.grading import classes
from tests.instructor.grading.test_class_grader import cell_scores

pytestmark = pytest.mark.slow
ANSWER = "### BEGIN SOLUTION\ndef double(x):\n    return 2 * x\n### END SOLUTION"
# The grader's process has none of the helper files, and its course is the real one.
TESTS = [
    cell("code", "from course import checks\nchecks.equal('double', double(3), 6)", "test_double",
         points=1),
    cell(
        "code",
        "### BEGIN HIDDEN TESTS\nimport os, sys\nassert double(4) == 8\n"
        "assert not [name for name in os.listdir() if name.endswith('.py')]\n"
        "assert not {'helpers', 'numbers_of'} & sys.modules.keys()\n### END HIDDEN TESTS",
        "test_hidden",
        points=2,
    ),
]  # fmt: skip
HELPERS = "import numbers_of\n\ndef double(x):\n    return numbers_of.TWO * x\n"
USE = cell("code", "from helpers import double", "double")
READ_ONLY = """
from helpers import double
for change in ("open('helpers.py', 'a')", "open('numbers_of.py', 'w')"):
    try:
        eval(change)
        double = None
    except OSError:
        pass
"""
SHADOWS = """
import random, statistics, colorsys, numpy, google
from helpers import double
if any(hasattr(module, "SHADOW") for module in (random, statistics, colorsys, numpy, google)):
    double = None
"""
WRITTEN = cell("code", "%%writefile helpers.py\ndef double(x):\n    return 2 * x", "write")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade a class whose students use helper files, and write its pages."""
    root = classes.create_course(
        tmp_path_factory.mktemp("helpers") / "course", cell("code", ANSWER, "double"), *TESTS
    )
    good = {"helpers.py": HELPERS, "numbers_of.py": "TWO = 2\n"}
    shadows = dict.fromkeys(
        ("random.py", "statistics.py", "colorsys.py", "numpy.py", "google.py"), "SHADOW = 1\n"
    )
    students = {
        "ada": ([USE], good),
        "read-only": ([cell("code", READ_ONLY, "double")], good),
        "shadows": ([cell("code", SHADOWS, "double")], good | shadows),
        "written": ([WRITTEN, USE], {"helpers.py": "an older version"}),
        "missing": ([USE], {}),
    }
    for student, (cells, files) in students.items():
        path = classes.submit(root, student, *cells, *TESTS)
        for name, text in files.items():
            (path.parent / name).write_text(text)
    finished = [
        run_command(BIN / "course", "-C", root, *arguments)
        for arguments in (["grade"], ["feedback"])
    ]
    assert [each.returncode for each in finished] == [0, 0], finished
    return root


@pytest.mark.parametrize("student", ["ada", "read-only", "shadows", "written"])
def test_functions_of_helper_files_reach_the_tests(graded, student):
    assert cell_scores(graded, student) == {"test_double": (1, 1), "test_hidden": (2, 2)}


def test_the_page_names_the_helper_files(graded):
    page = (graded / "feedback" / "ada" / classes.NAME / "small.html").read_text()
    assert "Graded with the helper files helpers.py, numbers_of.py." in page
    page = (graded / "feedback" / "missing" / classes.NAME / "small.html").read_text()
    assert "helper file" not in page
    assert "No module named" in page and "helpers" in page


def test_the_graded_folder_has_the_helper_files_and_none_that_shadows_a_module(graded):
    folder = graded / "autograded" / "shadows" / classes.NAME
    assert {path.name for path in folder.glob("*.py")} == {"helpers.py", "numbers_of.py"}
    metadata = json.loads((folder / "small.ipynb").read_text())["metadata"]
    assert metadata["helper_files"] == ["helpers.py", "numbers_of.py"]


def test_a_changed_helper_file_is_graded_again(graded):
    path = graded / "submitted" / "ada" / classes.NAME / "numbers_of.py"
    path.write_text("TWO = 3\n")
    done = run_command(BIN / "course", "-C", graded, "grade", classes.NAME, "--student", "ada")
    assert "graded" in done.stdout and "already graded" not in done.stdout
    assert cell_scores(graded, "ada") == {"test_double": (0, 1), "test_hidden": (0, 2)}
