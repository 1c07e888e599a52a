import pytest

from tests.conftest import cell
from tests.instructor.grading.classes import NAME, create_course

pytestmark = pytest.mark.slow

ANSWER = cell("code", "### BEGIN SOLUTION Set answer.\nanswer = 3\n### END SOLUTION", "answer")
GOOD = cell("code", "import time; time.sleep(0.1); assert answer >= 1", "test_good", points=2)
WRITTEN = cell("markdown", "*Write your answer here.*", "why", points=4)
WRITTEN["metadata"]["nbgrader"] |= {"solution": True, "locked": False}


def tried(tmp_path, course_command, *cells):
    root = create_course(tmp_path / "course", ANSWER, *cells, WRITTEN)
    before = sorted(root.rglob("*"))
    done = course_command("-C", root, "try", NAME)
    assert sorted(root.rglob("*")) == before, "nothing in the course directory changes"
    return done


def test_a_correct_assignment_passes(tmp_path, course_command):
    done = tried(tmp_path, course_command, GOOD)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{NAME}: 2 automatic and 4 manual points" in done.stdout
    (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("test_good")]
    assert row[1:4] == ["2", "2", "0"]
    assert 0.1 <= float(row[4]) < 60


def test_a_test_that_rejects_the_solution_or_rewards_nothing_is_named(tmp_path, course_command):
    wrong = cell("code", "assert answer == 4", "test_wrong", points=1)
    generous = cell("code", "assert True", "test_generous", points=1)
    done = tried(tmp_path, course_command, GOOD, wrong, generous)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"course: {NAME}: test_wrong gives the solution 0 of 1 points: correct the test or the"
        " solution.",
        f"course: {NAME}: test_generous gives the empty release 1 points: test something that an"
        " unsolved exercise does not have.",
    ]


def test_points_that_disagree_with_a_heading_stop_the_trial(tmp_path, course_command):
    heading = cell("markdown", "### Exercise 1 (3 points)")
    root = create_course(tmp_path / "course", heading, ANSWER, GOOD)
    done = course_command("-C", root, "try")
    assert done.returncode == 1
    assert "the cells under 'Exercise 1 (3 points)' have 2 points" in done.stderr
