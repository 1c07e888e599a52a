import nbformat
import pytest

from course.errors import CourseError
from course.instructor.release.lint import check_source, find_problems
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT


def locked(source, grade_id="setup"):
    """Return a locked cell."""
    locked_cell = cell("code", source, grade_id)
    locked_cell["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    return locked_cell


def student(source, grade_id=None):
    """Return a solution cell, or an ordinary cell if it has no grade id."""
    return cell("code", source, grade_id)


def graded_test(source, grade_id="test_it"):
    return cell("code", source, grade_id, points=1)


def problems_of(*cells):
    """Return the problems of a notebook; a string stands for a student's cell."""
    cells = [student(each) if isinstance(each, str) else each for each in cells]
    return find_problems(nbformat.from_dict({"cells": cells, "metadata": {}}))


SETUP = locked("import numpy as np\nimport inspect\nfrom course import checks, plotting")


@pytest.mark.parametrize("path", sorted(ROOT.glob("source/*/*.ipynb")), ids=lambda p: p.stem)
def test_the_notebooks_of_the_course_have_no_problem(path):
    check_source(path)


def test_a_test_may_use_names_of_the_grader_and_of_the_student():
    assert not problems_of(
        cell("code", "seed = 0", tags=["parameters"]),
        SETUP,
        locked("def helper(x):\n    return np.sqrt(x) + seed\ndata = helper(4)", "data"),
        "def double(x):\n    return 2 * x + np.pi\nanswer = {'two': 2}",
        graded_test("checks.equal('it', double(helper(answer['two'])), seed + data)"),
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["anwser = 1", graded_test("print(answer)")],
        [graded_test("print(answer)"), "answer = 1"],
        ["def f():\n    answer = 1", graded_test("print(answer)")],
        [locked("%pip install -q something", "install"), graded_test("print(answer)")],
    ],
)
def test_a_name_that_no_earlier_cell_defines_is_refused(cells):
    assert problems_of(*cells) == [
        "test_it uses answer, which no earlier cell defines: correct the name, or define it in an"
        " earlier cell."
    ]


@pytest.mark.parametrize(
    "cells",
    [
        ["answer = 1", graded_test("print(answer)")],
        ["def f():\n    global answer\n    answer = 1", graded_test("print(answer)")],
        [graded_test("answer = 1", "test_other"), graded_test("print(answer)")],
        [graded_test("for answer in ():\n    pass\nprint(answer)")],
        ["from numpy import *", graded_test("print(answer)")],  # may define anything
        [
            locked("import course"),
            graded_test("assert 'keras.ops' not in course.cell_source('conv2d')"),
        ],
    ],
)
def test_a_name_that_a_cell_may_define_passes(cells):
    assert not problems_of(*cells)


CLASS = "class Scale:\n    pass"


@pytest.mark.parametrize(
    ("source", "use", "what"),
    [
        (CLASS, "Scale()", "Scale, but a class"),
        (CLASS, "assert isinstance(3, Scale)", "Scale, but a class"),
        (CLASS + "\nlayer = Scale()", "layer.size", "layer, but an instance of a class"),
        (
            "import matplotlib.pyplot as plt\npicture = plt.figure()",
            "picture",
            "picture, but a fig",
        ),
        ("fig, ax = plt.subplots(2)", "ax.get_title()", "ax, but a figure"),
        ("ax = plt.figure().add_subplot()", "ax", "ax, but a figure"),
        ("picture = plotting.image_grid(images)", "picture", "picture, but a figure"),
        ("picture = plotting.image_grid(images)\nagain = picture", "again", "again, but a figure"),
        ("file = open('a.txt')", "file.read()", "file, but an open file"),
        ("with open('a.txt') as file:\n    pass", "file.closed", "file, but an open file"),
        ("squares = (x * x for x in (1, 2))", "list(squares)", "squares, but a generator"),
        ("pairs = zip('ab', 'cd')", "list(pairs)", "pairs, but a generator"),
        ("def count():\n    yield 1", "next(count())", "count, but a generator"),
        ("import math", "math.pi", "math, but an import"),
    ],
)
def test_a_value_that_cannot_be_passed_to_a_test_is_refused(source, use, what):
    (problem,) = problems_of(
        SETUP, locked("import matplotlib.pyplot as plt"), source, graded_test(use)
    )
    assert problem.startswith(f"test_it uses {what}")
    assert " cannot be passed to the tests: " in problem


def test_the_message_names_an_alternative():
    problem = problems_of(CLASS, graded_test("Scale()"))[0]
    assert problem.endswith(
        ": test its effect through a function that takes and returns arrays, or grade by hand."
    )
    problem = problems_of("f = plt.figure()", graded_test("f.axes"))[0]
    assert problem.endswith(": test the values it was drawn from, or grade by hand.")


@pytest.mark.parametrize(
    ("source", "use"),
    [
        ("import math\nroot = math.sqrt(4)", "root"),
        (CLASS + "\ndef size():\n    return Scale().size", "size()"),
        ("square = lambda x: x * x", "square(2)"),
        ("xs, ys = zip((1, 2), (3, 4))", "xs"),
        ("squares = list(x * x for x in (1, 2))", "squares"),
        ("picture = plotting.image_grid(images)\npicture = 3", "picture"),
        ("def make():\n    def inner():\n        yield 1\n    return list(inner())", "make()"),
        ("def draw():\n    picture = plotting.filters(1)\npicture = 3", "picture"),
        ("file = open('a.txt')", "file = 3\nprint(file)"),
    ],
)
def test_a_value_that_can_be_passed_to_a_test_passes(source, use):
    assert not problems_of(SETUP, source, graded_test(use))


def test_the_graders_own_classes_and_modules_pass():
    assert not problems_of(SETUP, locked(CLASS, "scale"), graded_test("Scale()\nnp.ones(3)"))


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("apply(lambda x: x)", "a function"),
        ("apply(1, how=lambda x: x)", "a function"),
        ("apply([1, (lambda x: x,)])", "a function"),
        ("apply({'how': lambda x: x})", "a function"),
        ("apply(*[lambda x: x])", "a function"),
        ("def mine(x):\n    return x\napply(mine)", "a function"),
        ("mine = lambda x: x\napply(mine)", "a function"),
        ("apply(helper)", "a function"),
        ("apply(other)", "a function"),
        ("apply(abs)", "a function"),
        ("apply(int)", "a class"),
        ("apply(Helper)", "a class"),
        ("class Mine:\n    pass\napply(Mine)", "a class"),
        ("apply(x for x in (1, 2))", "a generator"),
        ("for i in (1, 2):\n    np.sum([apply(lambda x: i)])", "a function"),
    ],
)
def test_a_callable_for_a_students_function_is_refused(call, what):
    helpers = locked("def helper(x):\n    return x\nclass Helper:\n    pass", "helpers")
    students = "def apply(*a, **b):\n    pass\ndef other():\n    pass"
    (problem,) = problems_of(SETUP, helpers, students, graded_test(call))
    assert problem.startswith(f"test_it passes {what} to the student's apply, but {what} cannot be")


@pytest.mark.parametrize(
    "call",
    [
        "apply(np.ones(3), [1, 2], {'a': max(1, 2)})",
        "apply(helper(2))",
        "helper(lambda x: x)",
        "sorted([apply(1)], key=lambda x: x)",
        "apply([x for x in (1, 2)])",
        "max = 3\napply(max)",
    ],
)
def test_plain_values_for_a_students_function_pass(call):
    helpers = locked("def helper(x):\n    return x", "helpers")
    assert not problems_of(SETUP, helpers, "def apply(*a):\n    pass", graded_test(call))


def test_a_students_function_that_reads_what_a_test_sets_is_refused():
    cells = [graded_test("factor = 3", "test_a"), "def scale(x):\n    return factor * x"]
    assert problems_of(*cells) == [
        "test_a sets factor, which the student's function scale reads: pass it as an argument."
    ]


def test_a_test_that_sets_what_a_students_function_reads_is_refused():
    cells = [
        "factor = 2\ndef scale(x):\n    return factor * x",
        graded_test("factor = 3\nscale(1)"),
    ]
    assert problems_of(*cells) == [
        "test_it sets factor, which the student's function scale reads: pass it as an argument."
    ]


def test_an_import_for_a_students_function_belongs_in_a_locked_cell():
    (problem,) = problems_of(
        graded_test("import math", "test_a"), "def root(x):\n    return math.sqrt(x)"
    )
    assert problem.startswith("test_a sets math, ")
    assert problem.endswith("reads: import it in a locked cell.")


def test_local_names_of_a_students_function_may_equal_those_of_a_test():
    assert not problems_of(
        SETUP,
        graded_test("factor = 3", "test_a"),
        "def scale(x, factor):\n    sizes = [factor for factor in x]\n    return sizes",
        graded_test("sizes = scale([1], 2)\nimport numpy as np"),
    )


def test_a_name_of_a_test_belongs_to_the_student_once_a_students_cell_uses_it():
    cells = [SETUP, "def build():\n    return 1", graded_test("model = build()", "test_build")]
    assert not problems_of(*cells, "width = model + 1", graded_test("print(model, width)"))
    (problem,) = problems_of(*cells, "model = plotting.filters(model)", graded_test("print(model)"))
    assert "model, but a figure" in problem


def test_a_locked_cell_that_uses_student_names_counts_as_the_students():
    cells = ["def build():\n    return 1", locked("class Tall:\n    size = build()", "tall")]
    (problem,) = problems_of(*cells, graded_test("Tall()"))
    assert "Tall, but a class" in problem


def test_a_value_derived_from_the_students_is_refused():
    cells = [SETUP, "def double(x):\n    return 2 * x"]
    cells += [locked("expected = double(3)", "expectation"), "answer = 6"]
    assert problems_of(*cells, graded_test("checks.equal('it', answer, expected)")) == [
        "test_it uses expected, which the locked cell expectation computes from the student's"
        " values, so that a student can choose its value: compute it in the test."
    ]
    assert not problems_of(*cells, "expected = 6", graded_test("print(expected)"))
    assert not problems_of(*cells, graded_test("expected = 6\nprint(answer == expected)"))


def test_a_locked_name_that_a_student_redefines_is_refused():
    data = locked("images = [1, 2]", "data")
    assert problems_of(data, "images = [3]", graded_test("print(images)")) == [
        "test_it uses images, which a locked cell defines and a student's cell redefines, but the"
        " tests use the locked cell's value: rename the student's."
    ]
    assert not problems_of(data, "images = [3]", graded_test("print(3)"))
    assert not problems_of(SETUP, "import numpy as np", graded_test("print(np.pi)"))


def test_a_students_name_that_shadows_a_builtin_is_refused():
    (problem,) = problems_of("def sum(a, b):\n    return a + b", graded_test("sum(1, 2)"))
    assert problem.startswith("test_it uses sum, which a student's cell defines, but")
    assert not problems_of("def add(a, b):\n    return a + b", graded_test("sum([add(1, 2)])"))


@pytest.mark.parametrize(
    "use",
    [
        "inspect.getsource(scale)",
        "inspect.getsourcelines(scale)",
        "inspect.getfile(scale)",
        "from inspect import getsource\ngetsource(scale)",
        "scale.__code__",
        "In[-1]",
        "Out",
        "_ih",
        "get_ipython().history_manager",
    ],
)
def test_the_source_of_a_students_code_comes_from_cell_source(use):
    (problem,) = problems_of(SETUP, "def scale(x):\n    return x", graded_test(use))
    assert problem.startswith("test_it ") and problem.endswith(
        ': use course.cell_source("grade-id").'
    )


def test_the_source_of_the_graders_own_code_may_be_read():
    helper = locked("def helper():\n    pass", "helper")
    assert not problems_of(SETUP, helper, graded_test("inspect.getsource(helper)"))


@pytest.mark.parametrize(
    "source", ["exec('x = 1')", "from numpy import *", "%run it.py", "globals()", "def f(:"]
)
def test_a_test_whose_names_cannot_be_determined_is_refused(source):
    (problem,) = problems_of(graded_test(source))
    assert problem.startswith("test_it ")
    assert problem.endswith(": write it as plain Python, so that its names can be determined.")
    assert not problems_of(source), "a student's cell may"


def test_solutions_graded_by_hand_and_text_are_not_tests():
    by_hand = student("print(nowhere)", "by_hand")
    by_hand["metadata"]["nbgrader"] |= {"grade": True, "points": 1}
    assert not problems_of(by_hand, cell("markdown", "print(nowhere)", "text", points=1))


def test_each_problem_comes_with_the_path(tmp_path):
    cells = [graded_test("first", "test_a"), graded_test("second", "test_b")]
    path = write_notebook(tmp_path / "source.ipynb", cells)
    with pytest.raises(CourseError) as error:
        check_source(path)
    lines = str(error.value).splitlines()
    assert [line.split(" uses ")[0] for line in lines] == [f"{path}: test_a", f"{path}: test_b"]


def test_a_file_that_is_not_a_notebook_is_refused(tmp_path):
    path = tmp_path / "source.ipynb"
    path.write_text("not JSON")
    with pytest.raises(
        CourseError, match=r"cannot read the notebook .*source.ipynb \(\w+\): restore it from git"
    ):
        check_source(path)
