import pytest

from course.instructor.analysis.dependencies import cells_that_matter
from course.instructor.grading.job import Kit

TEST = {"cell_type": "code", "locked": True, "grade": True, "solution": False}
SETUP = {"cell_type": "code", "locked": True, "grade": False, "solution": False}


def left_out(*sources, test="assert double(answer) == 4"):
    """Return the sources that are left out of a notebook that ends with a test."""
    cells = [{"index": i, "grade_id": None, "source": each} for i, each in enumerate(sources)]
    cells.append({"index": len(cells), "grade_id": "test_it", "source": "# changed by a student"})
    kit = Kit(["test_it"], {"test_it": TEST | {"source": test}}, "")
    matter = cells_that_matter(cells, kit)
    return [source for place, source in enumerate(sources) if place not in matter]


def test_pictures_and_tables_are_left_out_and_what_a_test_needs_is_not():
    sources = [
        "import numpy as np\nfrom course import plotting",
        "double = lambda x: x * factor",
        "factor = 2",
        "answer = 2",
        "other = 3\nprint(other)",
        "plotting.image_grid(np.zeros((2, 8, 8)))",
    ]
    assert left_out(*sources) == sources[-2:]


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
def test_whatever_mentions_something_needed_is_run(changes):
    assert left_out("factor = 2\ndouble = lambda x: x * factor", "answer = 2", changes) == []


@pytest.mark.parametrize(
    "look",
    ["print(answer)", "shown = [answer]", "len(answer)", "other = 3\nother.append(answer)"],
)
def test_whatever_only_looks_at_something_needed_is_left_out(look):
    assert left_out("double = lambda x: x", "answer = 2", look) == [look]


def test_what_is_made_anew_before_the_test_is_left_out():
    first = "model = build()\nprint(model.summary())"
    assert left_out("double = lambda x: x", first, "answer = model = 3") == [first]


def test_what_comes_before_an_earlier_test_only_is_left_out_after_it():
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
    assert cells_that_matter(cells, Kit(list(tests), tests, "")) == {0, 3}


def test_locked_cells_are_always_run():
    cells = [
        {"index": 0, "grade_id": "setup", "source": "helper = 1"},
        {"index": 1, "grade_id": "test_it", "source": ""},
    ]
    kit = Kit(["setup", "test_it"], {"setup": SETUP, "test_it": TEST | {"source": "1"}}, "")
    assert cells_that_matter(cells, kit) == {0}
