import time

import pytest

from course.instructor.analysis.cell_dependencies import find_required_cells
from course.instructor.grading.reference_notebook import ReferenceNotebook, hash_of_code

TEST = {"cell_type": "code", "locked": True, "grade": True, "solution": False}
SETUP = {"cell_type": "code", "locked": True, "grade": False, "solution": False}


def skipped_cells(*sources, test="assert double(answer) == 4", changed=()):
    """Return the sources that grading skips in a notebook that ends with a test.

    All cells but the `changed` ones are as students get them.
    """
    cells = [{"index": i, "grade_id": None, "source": each} for i, each in enumerate(sources)]
    cells.append({"index": len(cells), "grade_id": "test_it", "source": "# changed by a student"})
    hashes = [hash_of_code(each) for each in sources if each not in changed]
    tests = {"test_it": TEST | {"source": test}}
    reference = ReferenceNotebook(["test_it"], tests, "", ungraded=hashes)
    required = find_required_cells(cells, reference)
    return [source for index, source in enumerate(sources) if index not in required]


def test_plots_and_tables_are_skipped_and_what_a_test_needs_is_not():
    sources = [
        "import numpy as np\nfrom course import plotting",
        "double = lambda x: x * factor",
        "factor = 2",
        "answer = 2",
        "other = 3\nprint(other)",
        "plotting.image_grid(np.zeros((2, 8, 8)))",
    ]
    assert skipped_cells(*sources) == sources[-2:]


@pytest.mark.parametrize(
    "changes",
    [
        "answer += 1",
        "answer.append(3)",
        "answer[0] = 3",
        "answer.units = 3",
        "double(answer)",
        "history = double(numbers=answer)",
        "del factor",
        "exec('answer = 3')",
        "%run other.py",
        "def change():\n    global answer\n    answer = 3",
    ],
)
def test_a_cell_that_may_modify_a_needed_object_is_required(changes):
    assert skipped_cells("factor = 2\ndouble = lambda x: x * factor", "answer = 2", changes) == []


def test_a_function_from_a_helper_file_may_modify_what_it_gets():
    double = "double = lambda x: x"
    imports = "from helpers import change"
    assert skipped_cells(double, imports, "answer = [2]", "change(answer)") == []
    library = "from random import shuffle as change"
    assert skipped_cells(double, library, "answer = [2]", "change(answer)") == ["change(answer)"]


@pytest.mark.parametrize(
    "reading",
    ["print(answer)", "shown = [answer]", "len(answer)", "other = 3\nother.append(answer)"],
)
def test_a_cell_that_only_reads_a_needed_object_is_skipped(reading):
    assert skipped_cells("double = lambda x: x", "answer = 2", reading) == [reading]


def test_a_cell_whose_name_is_bound_again_before_the_test_is_skipped():
    first = "model = build()\nprint(model.summary())"
    assert skipped_cells("double = lambda x: x", first, "answer = model = 3") == [first]


def test_a_cell_that_only_an_earlier_test_needs_is_skipped_after_it():
    cells = [
        {"index": 0, "grade_id": None, "source": "first = 1"},
        {"index": 1, "grade_id": "test_first", "source": ""},
        {"index": 2, "grade_id": None, "source": "print(first)"},
        {"index": 3, "grade_id": None, "source": "second = 2"},
        {"index": 4, "grade_id": "test_second", "source": ""},
    ]
    tests = {
        name: TEST | {"source": f"assert {name[5:]}"} for name in ("test_first", "test_second")
    }
    hashes = [hash_of_code(each["source"]) for each in cells]
    reference = ReferenceNotebook(list(tests), tests, "", ungraded=hashes)
    assert find_required_cells(cells, reference) == {0, 3}


def test_a_cell_that_the_student_has_written_or_changed_is_never_skipped():
    cells = ["double = lambda x: table.get(x, 0)", "table = {}", "answer = 2"]
    through_another_name = ["alias = table", "alias[2] = 4", "print(answer)"]
    assert skipped_cells(*cells, *through_another_name) == through_another_name
    assert skipped_cells(*cells, *through_another_name, changed=through_another_name) == []


def test_a_cell_above_one_that_may_read_any_name_is_never_skipped():
    cells = ["hidden = 3", "double = lambda x: x", "answer = eval('hid' + 'den')", "after = 1"]
    assert skipped_cells(*cells) == ["after = 1"]


@pytest.mark.parametrize(
    "reader",
    [
        "f = lambda x: x * factor\ndouble = f",
        "class A:\n    def f(self, x):\n        return x * factor\ndouble = A().f",
        "double = {2: lambda x: x * factor}[2]",
        "def f(x):\n    return x * factor\nif f is None:\n    factor = 5\ndouble = f",
    ],
)
def test_what_a_function_reads_when_a_test_calls_it_by_any_name_is_required(reader):
    cells = ["factor = 3", reader, "answer = 2", "factor = 2", "figure = 1"]
    assert skipped_cells(*cells) == ["figure = 1"]


def test_a_function_that_may_read_any_name_requires_every_cell():
    cells = ["double = lambda x: x * globals()['fac' + 'tor']", "answer = 2", "factor = 2"]
    assert skipped_cells(*cells) == []


def test_a_cell_does_not_replace_an_earlier_one_since_it_may_fail():
    assert skipped_cells("double = lambda x: 2 * x", "answer = 2", "answer = int('2')") == []


def test_locked_cells_are_always_required():
    cells = [
        {"index": 0, "grade_id": "setup", "source": "helper = 1"},
        {"index": 1, "grade_id": "test_it", "source": ""},
    ]
    reference = ReferenceNotebook(
        ["setup", "test_it"], {"setup": SETUP, "test_it": TEST | {"source": "1"}}, ""
    )
    assert find_required_cells(cells, reference) == {0}


def test_the_search_for_required_cells_has_a_limit():
    chain = "".join(f"f{number} = lambda: f{number + 1}\n" for number in range(2000))
    readers = [f"f0\na{number} = 1" for number in range(400)]
    own = [chain, *readers]
    assert skipped_cells("print(1)", "answer = 2", *own[:3], changed=own) == ["print(1)"]
    start = time.process_time()
    assert skipped_cells("print(1)", "answer = 2", *own, changed=own) == []
    assert time.process_time() - start < 4
