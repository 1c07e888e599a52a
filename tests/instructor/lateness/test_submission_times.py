"""The table of submission times, and the line about late submissions without a time."""

import re
from datetime import datetime

import pytest

from course.errors import CourseError
from course.instructor.course_dir import open_api
from course.instructor.lateness.submission_times import FILE_NAME, read_submission_times
from tests.conftest import cell
from tests.instructor.collect.platform_archives import canvas, zipped
from tests.instructor.grading.classes import ANSWER, NAME, create_course, submit

TEST = cell("code", "assert answer > 1", "test_answer", points=10)
HEADER = "assignment,student,submitted\n"


@pytest.fixture
def root(tmp_path):
    """Return a course directory with one small assignment, which was due on March 1, 18:00."""
    root = create_course(tmp_path / "course", ANSWER, TEST)
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(
            "\nc.LatePolicy.percent_per_day = 10\nc.LatePolicy.time_zone = 'Europe/Berlin'\n"
        )
    (root / "due_dates.csv").write_text(f"assignment,student,due\n{NAME},,2026-03-01 18:00\n")
    return root


def test_the_table_counts_before_the_file_beside_a_notebook(root):
    (root / FILE_NAME).write_text(
        f"{HEADER}{NAME},ada,2026-07-01 18:30\n{NAME},bob,2026-03-01 18:30 UTC\n"
    )
    for student in ("ada", "cem"):
        path = submit(root, student, ANSWER)
        path.with_name("timestamp.txt").write_text("2026-03-02 12:00:00 UTC\n")
    times = read_submission_times(root, "Europe/Berlin")
    assert times.of("ada", NAME) == datetime(2026, 7, 1, 16, 30), "summer time"
    assert times.of("bob", NAME) == datetime(2026, 3, 1, 18, 30)
    assert times.of("cem", NAME) == datetime(2026, 3, 2, 12)
    assert times.of("dora", NAME) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: write assignment,student,submitted"),
        ("assignment,submitted\n", "has the columns assignment, submitted: write assignment,stu"),
        (f"{HEADER}{NAME},ada,01.03.2026\n", "line 2: '01.03.2026.*' is not a time"),
        (f"{HEADER}{NAME},,2026-03-01 18:00\n", "line 2 names no student"),
        (f"{HEADER},ada,2026-03-01 18:00\n", "line 2 names no assignment"),
        (f"{HEADER}02-small,ada,2026-03-01 18:00\n", "'02-small' is not an assignment"),
        (f"{HEADER}{NAME},a,2026-03-01 18:00\n{NAME},a,2026-03-01 18:00\n", "line 3 repeats"),
    ],
)
def test_a_table_that_is_unclear_is_one_sentence(root, text, problem):
    (root / FILE_NAME).write_text(text)
    with pytest.raises(CourseError) as error:
        read_submission_times(root, "UTC")
    assert re.search(problem, str(error.value)) and "\n" not in str(error.value)


@pytest.mark.slow
def test_late_marks_are_shown_until_the_table_has_a_time_and_nothing_is_regraded(
    root, course_command
):
    assert course_command("-C", root, "release").returncode == 0
    submission = submit(root, "x", cell("code", "answer = 3", "answer"), TEST)
    archive = root.parent / "canvas.zip"
    archive.write_bytes(
        zipped(
            {
                canvas("Ada", 1, 5, "small.ipynb", late=True): submission.read_bytes(),
                canvas("Bob", 2, 6, "small.ipynb"): submission.read_bytes(),
            }
        )
    )
    submission.unlink()
    submission.parent.rmdir()
    done = course_command("-C", root, "collect", archive)
    assert "ada-1  collected: marked late by Canvas" in done.stdout

    def grade():
        done = course_command("-C", root, "grade")
        assert done.returncode == 0, done.stderr
        with open_api(root).gradebook as gradebook:
            found = gradebook.find_assignment(NAME).submissions
            return done.stdout, {each.student_id: each.late_submission_penalty for each in found}

    printed, penalties = grade()
    notice = (
        f"{NAME}: 1 submission is marked late by Canvas, but has no time, so it counts as on"
        " time (ada-1): add the time to submission_times.csv"
    )
    assert notice in printed
    assert penalties == {"ada-1": 0, "bob-2": 0}
    (root / "submitted" / "bob-2" / NAME / "timestamp.txt").write_text("2026-03-01 12:00:00 UTC")
    (root / FILE_NAME).write_text(
        f"{HEADER}{NAME},ada-1,2026-03-01 19:00\n{NAME},bob-2,2026-03-02 19:00\n"
        f"{NAME},zoe,2026-03-02 19:00\n"
    )
    printed, penalties = grade()
    assert "marked late" not in printed
    assert (
        f"{NAME}: submission_times.csv has a time for zoe, but submitted/ does not contain"
        " this submission: correct the name" in printed
    )
    assert printed.count("already graded") == 2
    assert penalties == {"ada-1": pytest.approx(1), "bob-2": pytest.approx(2)}
    assert course_command("-C", root, "feedback").returncode == 0
    page = (root / "feedback" / "ada-1" / NAME / "small.html").read_text()
    assert "Submitted 1 hour after the due date, 2026-03-01 18:00 Europe/Berlin." in page
    # Without the table, the time beside the notebook counts.
    (root / FILE_NAME).unlink()
    printed, penalties = grade()
    assert notice in printed
    assert penalties == {"ada-1": 0, "bob-2": 0}


@pytest.mark.slow
def test_a_replaced_submission_does_not_keep_the_time_of_the_earlier_one(root, course_command):
    path = submit(root, "ada", cell("code", "answer = 3", "answer"), TEST)
    time = path.with_name("timestamp.txt")
    time.write_text("2026-03-02 12:00:00 UTC")
    assert course_command("-C", root, "grade").returncode == 0
    submit(root, "ada", cell("code", "answer = 4", "answer"), TEST)
    time.unlink()
    assert course_command("-C", root, "grade").returncode == 0
    with open_api(root).gradebook as gradebook:
        submission = gradebook.find_submission(NAME, "ada")
        assert submission.timestamp is None and not submission.late_submission_penalty
