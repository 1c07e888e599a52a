import re

import pytest

from course.errors import CourseError
from course.instructor.statistics import class_statistics, writer
from course.instructor.statistics.class_statistics import (
    CellStatistics,
    ClassStatistics,
    read_statistics,
)
from tests.conftest import cell
from tests.instructor.grading.classes import ANSWER, NAME, create_course, submit

HEADING = cell("markdown", "### Exercise 1: a number (7 points)")
SHAPE = cell(
    "code",
    "from course import checks\nchecks.equal('the number', answer, 7, 'Seven is the answer.')",
    "test_seven",
    points=2,
)
SMALL = cell("code", "assert answer >= 1, f'{answer} is too small'", "test_small", points=1)
WHY = cell("markdown", "*Write your answer here.*", "why", points=4)
WHY["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
ANSWERS = {"ada": 7, "bob": 3, "cem": 4, "dan": 5, "eve": 0, "fay": -1}


@pytest.fixture(scope="module")
def course_with_grades(tmp_path_factory, course_command):
    root = create_course(tmp_path_factory.mktemp("class"), HEADING, ANSWER, SHAPE, SMALL, WHY)
    for day, (student, answer) in enumerate(ANSWERS.items(), 1):
        answered = cell("code", f"answer = {answer}", "answer")
        path = submit(root, student, HEADING, answered, SHAPE, SMALL, WHY | {"source": "Because."})
        path.with_name("timestamp.txt").write_text(f"2026-03-{day // 2 + 1:02} 12:00:00 UTC\n")
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.slow
def test_each_cell_has_its_scores_and_most_frequent_messages(course_with_grades):
    found = read_statistics(course_with_grades, NAME)
    assert found.scores == [0, 0, 1, 1, 1, 3] and found.max_score == 7
    assert found.pending == 6
    seven, small, why = found.cells
    assert (seven.exercise, seven.points) == ("Exercise 1: a number (7 points)", 2)
    assert (seven.lost, len(seven.scores)) == (5, 6)
    ((message, count),) = seven.messages
    assert count == 5, "messages that differ only in numbers count as one"
    assert re.fullmatch(r"the number: got -?\d, expected 7.*", message)
    assert seven.suspicion.startswith("Nearly everyone loses points here")
    assert small.messages[0][1] == 2 and "AssertionError" in small.messages[0][0]
    assert not small.suspicion
    assert (why.is_manual, why.pending, why.scores) == (True, 6, [])
    assert [(day, len(scores)) for day, scores in found.days] == [
        ("2026-03-01", 1),
        ("2026-03-02", 2),
        ("2026-03-03", 2),
        ("2026-03-04", 1),
    ]


@pytest.mark.slow
def test_excused_students_are_left_out(course_with_grades):
    path = course_with_grades / "excused.csv"
    path.write_text(f"assignment,student\n{NAME},ada\n{NAME},bob\n")
    try:
        assert read_statistics(course_with_grades, NAME).scores == [0, 0, 1, 1]
    finally:
        path.unlink()


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_a_page(course_with_grades, course_command):
    done = course_command("-C", course_with_grades, "statistics", NAME)
    assert done.returncode == 0, done.stderr
    assert "5 of 6" in done.stdout and "test_seven: Nearly everyone" in done.stdout
    page = (course_with_grades / "build" / "statistics" / NAME / "index.html").read_text()
    assert "6 graded submissions: median 1 of 7 points" in page
    assert "Tests to check" in page and "5 × <bdi>the number" in page
    assert "2026-03-04" in page and "<script" not in page


@pytest.mark.parametrize("command", ["statistics", "confirm"])
def test_a_missing_gradebook_is_not_created(tmp_path, course_command, command):
    root = create_course(tmp_path / "course", ANSWER, SMALL)
    done = course_command("-C", root, command)
    assert done.returncode == 1 and "gradebook.db does not exist yet" in done.stderr
    assert not list(root.glob("*.db"))


def test_without_grades_the_command_says_what_to_do(tmp_path, course_command):
    root = create_course(tmp_path / "course", ANSWER, SMALL)
    assert course_command("-C", root, "release").returncode == 0
    done = course_command("-C", root, "statistics", NAME)
    assert done.returncode == 1
    assert done.stderr == (
        f"course: no submission of {NAME} is graded: run course grade {NAME} first.\n"
    )


def test_a_test_that_strong_students_fail_is_suspicious():
    students = [f"s{number:02}" for number in range(15)]
    totals = {student: float(number) for number, student in enumerate(students)}
    strange = CellStatistics("test_strange", "", 1.0, is_manual=False)
    # The last ones, who have the most points, fail it.
    scores = {student: float(number < 11) for number, student in enumerate(students)}
    strange.scores = list(scores.values())
    found = class_statistics._suspicion(strange, scores, totals)
    assert found.startswith("80% of the strongest third lose points here, but only 0%")
    usual = {student: float(number >= 4) for number, student in enumerate(students)}
    strange.scores = list(usual.values())
    assert not class_statistics._suspicion(strange, usual, totals)
    few = dict(list(scores.items())[-4:])
    strange.scores = list(few.values())
    assert not class_statistics._suspicion(strange, few, totals), "four are too few to judge"


def test_the_distribution_has_ten_equal_parts(tmp_path):
    found = ClassStatistics(NAME, 20.0, [0.0, 1.9, 2.0, 19.0, 20.0], 0, 0, [], [])
    assert [count for _, count in found.distribution] == [2, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert found.distribution[0][0] == "90–100%"
    assert "5 graded submissions" in writer.write(tmp_path, found).read_text()


def test_text_of_a_student_is_escaped_on_the_page(tmp_path):
    each = CellStatistics("test_x", "<b>", 1.0, False, [0.0], messages=[("<script>", 1)])
    page = writer.write(tmp_path, ClassStatistics(NAME, 1.0, [0.0], 0, 0, [], [each])).read_text()
    assert "<script" not in page and "<bdi>&lt;script&gt;</bdi>" in page


def test_an_unknown_assignment_is_an_error(tmp_path):
    with pytest.raises(CourseError):
        read_statistics(create_course(tmp_path / "course", ANSWER), "99-unknown")
