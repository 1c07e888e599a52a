import nbformat
import pytest

from course.errors import CourseError
from course.instructor.release.lint import check, problems
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT


def given(source, grade_id="setup"):
    """Return a locked cell."""
    made = cell("code", source, grade_id)
    made["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    return made


def student(source, grade_id=None):
    """Return a solution cell, or one without a grade where it has no id."""
    return cell("code", source, grade_id)


def the_test(source, grade_id="test_it"):
    return cell("code", source, grade_id, points=1)


def found(*cells):
    """Return the problems of a notebook; a string is a student's cell."""
    cells = [student(each) if isinstance(each, str) else each for each in cells]
    return problems(nbformat.from_dict({"cells": cells, "metadata": {}}))


SETUP = given("import numpy as np\nimport inspect\nfrom course import checks, plotting")


@pytest.mark.parametrize("path", sorted(ROOT.glob("source/*/*.ipynb")), ids=lambda p: p.stem)
def test_the_courses_own_notebooks_are_without_a_problem(path):
    check(path)


def test_a_test_may_use_what_the_grader_has_and_the_student_made():
    assert not found(
        cell("code", "seed = 0", tags=["parameters"]),
        SETUP,
        given("def helper(x):\n    return np.sqrt(x) + seed\ndata = helper(4)", "data"),
        "def double(x):\n    return 2 * x + np.pi\nanswer = {'two': 2}",
        the_test("checks.equal('it', double(helper(answer['two'])), seed + data)"),
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["anwser = 1", the_test("print(answer)")],
        [the_test("print(answer)"), "answer = 1"],
        ["def f():\n    answer = 1", the_test("print(answer)")],
        [given("%pip install -q something", "install"), the_test("print(answer)")],
    ],
)
def test_a_name_that_nothing_sets_before_is_refused(cells):
    assert found(*cells) == [
        "test_it needs answer, which no cell before it sets: correct the name, or set it further"
        " up."
    ]


@pytest.mark.parametrize(
    "cells",
    [
        ["answer = 1", the_test("print(answer)")],
        ["def f():\n    global answer\n    answer = 1", the_test("print(answer)")],
        [the_test("answer = 1", "test_other"), the_test("print(answer)")],
        [the_test("for answer in ():\n    pass\nprint(answer)")],
        ["from numpy import *", the_test("print(answer)")],  # nobody knows
        [
            given("import course"),
            the_test("assert 'keras.ops' not in course.cell_source('conv2d')"),
        ],
    ],
)
def test_a_name_that_something_may_set_passes(cells):
    assert not found(*cells)


CLASS = "class Scale:\n    pass"


@pytest.mark.parametrize(
    ("source", "use", "what"),
    [
        (CLASS, "Scale()", "Scale, but a class"),
        (CLASS, "assert isinstance(3, Scale)", "Scale, but a class"),
        (CLASS + "\nlayer = Scale()", "layer.size", "layer, but an object of a class"),
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
def test_what_cannot_be_handed_to_a_test_is_refused(source, use, what):
    (problem,) = found(SETUP, given("import matplotlib.pyplot as plt"), source, the_test(use))
    assert problem.startswith(f"test_it uses {what}")
    assert " cannot be handed to the tests: " in problem


def test_what_to_do_instead_is_said():
    problem = found(CLASS, the_test("Scale()"))[0]
    assert problem.endswith(": test its effect through a function on arrays, or grade by hand.")
    problem = found("f = plt.figure()", the_test("f.axes"))[0]
    assert problem.endswith(": test the numbers it was made from, or grade by hand.")


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
def test_what_can_be_handed_to_a_test_passes(source, use):
    assert not found(SETUP, source, the_test(use))


def test_the_graders_own_classes_and_modules_pass():
    assert not found(SETUP, given(CLASS, "scale"), the_test("Scale()\nnp.ones(3)"))


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
    helpers = given("def helper(x):\n    return x\nclass Helper:\n    pass", "helpers")
    students = "def apply(*a, **b):\n    pass\ndef other():\n    pass"
    (problem,) = found(SETUP, helpers, students, the_test(call))
    assert problem.startswith(f"test_it hands {what} to the student's apply, but {what} cannot be")


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
    helpers = given("def helper(x):\n    return x", "helpers")
    assert not found(SETUP, helpers, "def apply(*a):\n    pass", the_test(call))


def test_a_students_function_that_reads_what_a_test_sets_is_refused():
    cells = [the_test("factor = 3", "test_a"), "def scale(x):\n    return factor * x"]
    assert found(*cells) == [
        "test_a sets factor, which the student's function scale reads: pass what a function needs"
        " as an argument."
    ]


def test_a_test_that_sets_what_a_students_function_reads_is_refused():
    cells = ["factor = 2\ndef scale(x):\n    return factor * x", the_test("factor = 3\nscale(1)")]
    assert found(*cells) == [
        "test_it sets factor, which the student's function scale reads: pass what a function needs"
        " as an argument."
    ]


def test_an_import_of_a_test_for_a_students_function_belongs_into_a_locked_cell():
    (problem,) = found(the_test("import math", "test_a"), "def root(x):\n    return math.sqrt(x)")
    assert problem.startswith("test_a sets math, ")
    assert problem.endswith("reads: import it in a locked cell.")


def test_a_students_function_may_have_names_of_its_own_like_those_of_a_test():
    assert not found(
        SETUP,
        the_test("factor = 3", "test_a"),
        "def scale(x, factor):\n    sizes = [factor for factor in x]\n    return sizes",
        the_test("sizes = scale([1], 2)\nimport numpy as np"),
    )


def test_a_students_cell_may_go_on_with_what_a_test_made_and_owns_it_then():
    cells = [SETUP, "def build():\n    return 1", the_test("model = build()", "test_build")]
    assert not found(*cells, "width = model + 1", the_test("print(model, width)"))
    (problem,) = found(*cells, "model = plotting.filters(model)", the_test("print(model)"))
    assert "model, but a figure" in problem


def test_a_locked_cell_that_needs_the_student_is_the_students():
    cells = ["def build():\n    return 1", given("class Tall:\n    size = build()", "tall")]
    (problem,) = found(*cells, the_test("Tall()"))
    assert "Tall, but a class" in problem


def test_what_a_locked_cell_makes_of_the_students_is_no_truth_for_a_test():
    cells = [SETUP, "def double(x):\n    return 2 * x"]
    cells += [given("expected = double(3)", "expectation"), "answer = 6"]
    assert found(*cells, the_test("checks.equal('it', answer, expected)")) == [
        "test_it uses expected, which the locked expectation makes of what the student's cells"
        " made, so that a student can choose it: make it in the test."
    ]
    assert not found(*cells, "expected = 6", the_test("print(expected)"))
    assert not found(*cells, the_test("expected = 6\nprint(answer == expected)"))


def test_a_locked_name_that_a_student_sets_anew_is_refused():
    data = given("images = [1, 2]", "data")
    assert found(data, "images = [3]", the_test("print(images)")) == [
        "test_it uses images, which a locked cell sets and a student's cell sets anew, but the"
        " tests see the first value: give the second another name."
    ]
    assert not found(data, "images = [3]", the_test("print(3)"))
    assert not found(SETUP, "import numpy as np", the_test("print(np.pi)"))


def test_a_students_name_that_is_pythons_too_is_refused():
    (problem,) = found("def sum(a, b):\n    return a + b", the_test("sum(1, 2)"))
    assert problem.startswith("test_it uses sum, which a student's cell sets")
    assert not found("def add(a, b):\n    return a + b", the_test("sum([add(1, 2)])"))


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
def test_the_text_of_a_students_code_comes_from_cell_source(use):
    (problem,) = found(SETUP, "def scale(x):\n    return x", the_test(use))
    assert problem.startswith("test_it ") and problem.endswith(
        ': use course.cell_source("grade-id").'
    )


def test_the_graders_own_code_may_be_looked_at():
    helper = given("def helper():\n    pass", "helper")
    assert not found(SETUP, helper, the_test("inspect.getsource(helper)"))


@pytest.mark.parametrize(
    "source", ["exec('x = 1')", "from numpy import *", "%run it.py", "globals()", "def f(:"]
)
def test_a_test_whose_names_cannot_be_seen_is_refused(source):
    (problem,) = found(the_test(source))
    assert problem.startswith("test_it ")
    assert problem.endswith(": write it plainly, so that the names it uses can be seen.")
    assert not found(source), "a student's cell may"


def test_solutions_graded_by_hand_and_text_are_not_tests():
    by_hand = student("print(nowhere)", "by_hand")
    by_hand["metadata"]["nbgrader"] |= {"grade": True, "points": 1}
    assert not found(by_hand, cell("markdown", "print(nowhere)", "text", points=1))


def test_check_names_the_file_with_each_problem(tmp_path):
    cells = [the_test("first", "test_a"), the_test("second", "test_b")]
    path = write_notebook(tmp_path / "source.ipynb", cells)
    with pytest.raises(CourseError) as error:
        check(path)
    lines = str(error.value).splitlines()
    assert [line.split(" needs ")[0] for line in lines] == [f"{path}: test_a", f"{path}: test_b"]


def test_check_of_what_is_no_notebook_is_a_sentence(tmp_path):
    path = tmp_path / "source.ipynb"
    path.write_text("no JSON")
    with pytest.raises(CourseError, match="is not a readable notebook"):
        check(path)
