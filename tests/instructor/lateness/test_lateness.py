import csv
import re
from datetime import datetime

import pytest
from traitlets import TraitError
from traitlets.config import Config

from course.errors import CourseError
from course.instructor.course_dir import open_api
from course.instructor.lateness.due_dates import FILE_NAME, read_due_dates
from course.instructor.lateness.late_policy import LatePolicy, describe_delay
from tests.conftest import cell
from tests.instructor.grading.classes import ANSWER, NAME, create_course, submit

HOUR, DAY = 3600, 86_400
TEST = cell("code", "assert answer > 1", "test_answer", points=6)
WHY = cell("markdown", "*Write your answer here.*", "why", points=4)
WHY["metadata"]["nbgrader"] |= {"solution": True, "locked": False}


def policy(**settings):
    return LatePolicy(config=Config({"LatePolicy": settings}))


@pytest.mark.parametrize(
    ("late", "percent"),
    [
        (0, 0),
        (1, 0),
        (15 * 60, 0),
        (15 * 60 + 1, 10),
        (DAY, 10),
        (DAY + 16 * 60, 20),
        (9 * DAY, 50),
    ],
)
def test_each_day_that_has_begun_costs_a_share_of_the_score(late, percent):
    rule = policy(percent_per_day=10, max_percent=50, grace_minutes=15)
    assert rule.percent(late) == percent
    assert (rule.late_submission_penalty("ada", 8.0, late) or 0) == 8 * percent / 100


def test_the_rule_is_a_sentence():
    assert policy().rule() == ""
    assert policy(percent_per_day=10).rule() == (
        "Each day or part of a day after the due date costs 10% of the score."
    )
    assert policy(percent_per_day=5, max_percent=50, grace_minutes=15).rule() == (
        "Each day or part of a day after the due date costs 5% of the score, 50% at most; the first"
        " 15 minutes cost nothing."
    )


def test_by_default_lateness_costs_nothing_and_the_rule_of_nbgrader_still_works():
    assert policy().late_submission_penalty("ada", 8.0, DAY) is None
    zero = LatePolicy(config=Config({"LateSubmissionPlugin": {"penalty_method": "zero"}}))
    assert zero.late_submission_penalty("ada", 8.0, 1) == 8
    assert "score of 0" in zero.rule()


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(TraitError, match="'Middle-Earth', which is not a time zone"):
        policy(time_zone="Middle-Earth")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 minute"),
        (59 * 60, "59 minutes"),
        (HOUR, "1 hour"),
        (2 * HOUR + 61, "2 hours and 2 minutes"),
        (DAY, "1 day"),
        (DAY + 1, "1 day and 1 minute"),
        (2 * DAY + 3 * HOUR + 5 * 60, "2 days, 3 hours, and 5 minutes"),
        (3 * DAY - 60, "2 days, 23 hours, and 59 minutes"),
        (3 * DAY - 1, "3 days"),
    ],
)
def test_a_delay_is_given_to_the_minute(seconds, words):
    assert describe_delay(seconds) == words


def test_due_dates_are_in_the_time_zone_of_the_course(tmp_path):
    (tmp_path / FILE_NAME).write_text(
        "assignment,student,due\n"
        "02-mnist,,2026-03-01 18:00\n"
        "02-mnist,ada,2026-07-01 18:00\n"
        "03-vgg16,,2026-03-01 18:00 UTC\n"
    )
    found = read_due_dates(tmp_path, "Europe/Berlin")
    assert found.of_class == {
        "02-mnist": datetime(2026, 3, 1, 17),
        "03-vgg16": datetime(2026, 3, 1, 18),
    }
    assert found.of_student == {("02-mnist", "ada"): datetime(2026, 7, 1, 16)}, "summer time"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("name,due\n", "has the columns name, due: write assignment,student,due"),
        ("assignment,due\n02-mnist,tomorrow\n", "line 2: 'tomorrow.*' is not a time"),
        ("assignment,due\n,2026-03-01 18:00\n", "line 2 names no assignment"),
        ("assignment,due\na,2026-03-01 18:00\na,2026-03-01 18:00\n", "line 3 repeats"),
        ("assignment,student,due\na,ada,2026-03-01 18:00\n", "no due date for a"),
    ],
)
def test_a_table_that_is_unclear_is_one_sentence(tmp_path, text, problem):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(CourseError) as error:
        read_due_dates(tmp_path, "UTC")
    assert re.search(problem, str(error.value)) and "\n" not in str(error.value)


@pytest.fixture
def late_class(tmp_path):
    root = create_course(tmp_path / "course", ANSWER, TEST, WHY)
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(
            "\nc.LatePolicy.percent_per_day = 10\nc.LatePolicy.time_zone = 'Europe/Berlin'\n"
        )
    (root / FILE_NAME).write_text(
        f"assignment,student,due\n{NAME},,2026-03-01 18:00\n{NAME},bob,2026-03-03 18:00\n"
    )
    for student in ("ada", "bob", "cem"):
        answered = cell("code", "answer = 3", "answer")
        path = submit(root, student, answered, TEST, WHY | {"source": "Because."})
        day = 1 if student == "cem" else 2
        path.with_name("timestamp.txt").write_text(f"2026-03-0{day} 16:30:00 UTC\n")
    return root


def penalties(root):
    with open_api(root).gradebook as gradebook:
        return {
            each.student_id: each.late_submission_penalty
            for each in gradebook.find_assignment(NAME).submissions
        }


@pytest.mark.slow
def test_penalties_follow_due_dates_extensions_and_points_given_by_hand(late_class, course_command):
    root = late_class

    def grade():
        done = course_command("-C", root, "grade")
        assert done.returncode == 0, done.stderr

    grade()
    assert penalties(root) == {"ada": pytest.approx(0.6), "bob": 0, "cem": 0}
    with open_api(root).gradebook as gradebook:
        for student in ("ada", "bob"):
            answer = gradebook.find_grade("why", "small", NAME, student)
            answer.manual_score, answer.needs_manual_grade = 4, False
        gradebook.db.commit()
    scores = root / "scores.csv"
    assert course_command("-C", root, "export", scores).returncode == 0
    assert penalties(root)["ada"] == pytest.approx(1.0), "without grading anything again"
    (exported,) = (row for row in csv.DictReader(scores.open()) if row["student_id"] == "ada")
    assert float(exported["score"]) == 9
    course_command("-C", root, "feedback")
    page = (root / "feedback" / "ada" / NAME / "small.html").read_text()
    assert "1 point was deducted" in page
    assert (
        "Submitted 23 hours and 30 minutes after the due date, 2026-03-01 18:00 Europe/Berlin."
        in page
    )
    assert "costs 10% of the score" in page
    assert "after the due date" not in (root / "feedback" / "bob" / NAME / "small.html").read_text()
    # Without the extension, bob is late, too.
    (root / FILE_NAME).write_text(f"assignment,student,due\n{NAME},,2026-03-01 18:00\n")
    course_command("-C", root, "feedback")
    assert "after the due date" in (root / "feedback" / "bob" / NAME / "small.html").read_text()
    assert penalties(root)["bob"] == pytest.approx(1.0)
    # The report follows a new score and a new due date as well.
    with open_api(root).gradebook as gradebook:
        gradebook.find_grade("why", "small", NAME, "ada").manual_score = 2
        gradebook.db.commit()
    (root / FILE_NAME).write_text(
        f"assignment,student,due\n{NAME},,2026-03-01 18:00\n{NAME},bob,2026-03-03 18:00\n"
    )
    done = course_command("-C", root, "report")
    assert done.returncode == 0, done.stderr
    shown = {row[1]: row[2] for row in map(str.split, done.stdout.splitlines()) if NAME in row}
    assert shown == {"ada": "7.2", "bob": "10", "cem": "6"}


@pytest.mark.slow
def test_an_extension_for_nobody_in_the_class_is_reported(late_class, course_command):
    table = late_class / FILE_NAME
    table.write_text(table.read_text() + f"{NAME},bobb,2026-03-04 18:00\n")
    sentence = "nobody in the class has the ID bobb in due_dates.csv: check the spelling"
    assert course_command("-C", late_class, "grade").stderr == f"course: {sentence}.\n"
    done = course_command("-C", late_class, "export", late_class / "scores.csv", "--waiting")
    assert (done.returncode, done.stderr) == (0, "") and f"{sentence}\n" in done.stdout
    # A student of the roster may have an extension before the submission arrives.
    (late_class / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\ncem,Cem\nbobb,Bobb\n")
    assert "nobody" not in course_command("-C", late_class, "grade").stderr


@pytest.mark.slow
def test_an_unreadable_table_is_reported_before_anything_is_graded(late_class, course_command):
    (late_class / FILE_NAME).write_text("assignment,due\n02-mnist,tomorrow\n")
    done = course_command("-C", late_class, "grade")
    assert done.returncode == 1
    assert "line 2: 'tomorrow" in done.stderr and "Traceback" not in done.stderr
    assert not (late_class / "autograded").exists()
