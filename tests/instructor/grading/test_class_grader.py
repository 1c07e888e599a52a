import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from tests.conftest import BIN, cell, run_command, write_notebook
from tests.submissions import ROOT, create_fixture_class, read_fixtures

FIXTURES = {
    name: fixture
    for name, fixture in read_fixtures("02-mnist").items()
    if not fixture.get("truncate")
}
UNREADABLE = "mnist.ipynb cannot be graded, because the file is not a complete notebook"
SCORES = """
    SELECT base_cell.name, grade.auto_score, grade_cells.max_score
    FROM grade JOIN grade_cells ON grade.cell_id = grade_cells.id
    JOIN base_cell ON base_cell.id = grade_cells.id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    WHERE submitted_assignment.student_id = ?
"""


def cell_scores(root, student):
    """Map each test cell to its (score, points), read from the database without nbgrader."""
    with sqlite3.connect(root / "gradebook.db") as database:
        return {
            name: (score, points) for name, score, points in database.execute(SCORES, [student])
        }


@pytest.mark.slow
def test_a_damaged_submission_gets_zeros_with_one_sentence_and_stops_no_other(graded_class):
    root, graded = graded_class
    assert graded.returncode == 1
    assert "Traceback" not in graded.stdout + graded.stderr
    (line,) = [line for line in graded.stdout.splitlines() if " not-json: " in line]
    count = len(FIXTURES) + 1
    assert re.match(rf" +\d/{count} .*  02-mnist +0/20 .* not-json: ", line)
    assert UNREADABLE in line
    assert line.endswith("ask the student for a new submission.")
    with sqlite3.connect(root / "gradebook.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        students = {
            row[0] for row in database.execute("SELECT student_id FROM submitted_assignment")
        }
    assert students == {*FIXTURES, "not-json"}
    assert {score for score, _ in cell_scores(root, "not-json").values()} == {0}
    *_, head, _, row, failed, total = graded.stdout.splitlines()
    assert failed == "failed in 02-mnist: not-json"
    table = dict(zip(re.split("  +", head), re.split("  +", row), strict=True))
    assert (table["graded"], table["failed"]) == (str(len(FIXTURES)), "1")
    assert re.fullmatch(rf"{count} graded in \d+\.\d s, \d+ per minute", total)


@pytest.mark.slow
def test_a_graded_submission_is_not_graded_again(graded_class, course_command):
    root, _ = graded_class
    again = course_command("-C", root, "grade", "02-mnist", "--student", "solved")
    assert again.returncode == 0
    assert "solved: already graded" in again.stdout


@pytest.mark.slow
def test_feedback_on_an_unreadable_submission_gives_the_reason(graded_class, course_command):
    root, _ = graded_class
    written = course_command("-C", root, "feedback", "02-mnist")
    assert written.returncode == 0, written.stderr
    damaged = (root / "feedback" / "not-json" / "02-mnist" / "mnist.html").read_text()
    assert "While this was graded:" in damaged
    assert damaged.count(UNREADABLE) > 5, "at the top, and instead of each test's result"
    autograded = (root / "autograded" / "not-json" / "02-mnist" / "mnist.ipynb").read_text()
    assert UNREADABLE in autograded, "the formgrader shows this one"


@pytest.mark.slow
def test_plain_nbgrader_gives_the_same_scores(graded_class, tmp_path):
    graded, _ = graded_class
    root = create_fixture_class(tmp_path, "02-mnist", names=["relu-missing", "not-json"])
    assert (
        run_command(
            BIN / "nbgrader", "generate_assignment", "02-mnist", "--force", cwd=root
        ).returncode
        == 0
    )
    # The damaged submission makes nbgrader exit with 1; the other must still be graded.
    assert run_command(BIN / "nbgrader", "autograde", "02-mnist", cwd=root).returncode == 1
    assert cell_scores(root, "relu-missing") == cell_scores(graded, "relu-missing")


ANSWER = cell("code", "### BEGIN SOLUTION\nanswer = 1\n### END SOLUTION", "answer")
DISTRACTIONS = {
    "a warning": ("import warnings\nwarnings.warn('careful')", 3),
    "writing to stderr": ("import sys\nprint('hm', file=sys.stderr)", 3),
    "a displayed number": ("1", 3),
    "a displayed zero": ("0", 3),
    "a displayed number above the points": ("99", 3),
    "a shown object": ("from IPython.display import display\ndisplay(0.5)", 3),
    "an error": ("raise ValueError('no')", 0),
    "a failed check after a displayed number": ("display(3)\nassert answer == 2", 0),
}


TAGGED = cell("code", "assert answer == 1\n2", "test_tagged", points=3, tags=["partial-credit"])
ONE_TEST = cell("code", "assert answer == 1", "test_answer", points=1)
DISTRACTED = [ANSWER]
for number, (source, _) in enumerate(DISTRACTIONS.values()):
    DISTRACTED.append(cell("code", f"assert answer == 1\n{source}", f"test_{number}", points=3))
SETUP = cell("code", "chosen = (profile, epochs)", "setup")
SETUP["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
WITH_PARAMETERS = cell("code", "assert chosen == ('smoke', 3), chosen", "test_chosen", points=1)
LISTING = cell(
    "code",
    "from pathlib import Path\nseen = sorted(map(str, Path().iterdir()))\nPath('left').touch()",
    "answer",
)
SEEN = cell(
    "code", "assert seen == ['strokes.txt'], seen\nopen('left', 'w')", "test_seen", points=1
)
WRITTEN = cell(
    "markdown", "### BEGIN SOLUTION\nmodel answer\n### END SOLUTION", "explain", points=2
)
WRITTEN["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
TWICE = [cell("code", f"assert answer == {n}", f"test_{n}", points=n) for n in (1, 2)]


def parameters(profile, epochs):
    return cell("code", f"profile = {profile!r}\nepochs = {epochs}", tags=["parameters"])


# Each student has a different assignment: the cells of its source and those submitted.
ODD_SUBMISSIONS = {
    "distracted": ([*DISTRACTED, TAGGED], [*DISTRACTED, TAGGED]),
    "typed": (
        [parameters(None, 3), SETUP, WITH_PARAMETERS],
        [parameters("gpu", 500), SETUP, WITH_PARAMETERS],
    ),
    "listed": ([LISTING, SEEN], [LISTING, SEEN]),
    "deleted": ([ANSWER, *TWICE], [ANSWER, TWICE[0]]),
    "renamed": ([ANSWER, ONE_TEST], [ANSWER, ONE_TEST]),
    "written": ([WRITTEN], [WRITTEN | {"source": "my words"}]),
}


@pytest.fixture(scope="module")
def odd_class(tmp_path_factory, course_command):
    """Grade a course of small assignments from the directory of another course."""
    root = tmp_path_factory.mktemp("odd")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    for student, (source, submitted) in ODD_SUBMISSIONS.items():
        write_notebook(root / "source" / f"01-{student}" / "small.ipynb", source)
        write_notebook(root / "submitted" / student / f"01-{student}" / "small.ipynb", submitted)
    (root / "submitted" / "listed" / "01-listed" / "strokes.txt").write_text("1 2")
    misnamed = root / "submitted" / "renamed" / "01-renamed" / "small.ipynb"
    misnamed.rename(misnamed.with_name("Copy of small.ipynb"))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "nbgrader_config.py").write_text(
        "c = get_config()\n"
        f"c.CourseDirectory.db_url = 'sqlite:///{elsewhere}/other.db'\n"
        "c.ExecuteIsolated.cell_seconds = 0.001\n"
    )
    graded = course_command("-C", root, "grade", cwd=elsewhere)
    assert not (elsewhere / "other.db").exists(), "a course is graded with its own configuration"
    return root, graded


@pytest.fixture
def odd_copy(odd_class, tmp_path):
    return shutil.copytree(odd_class[0], tmp_path / "copy")


def test_neither_stderr_nor_displayed_values_change_a_score(odd_class):
    scores = cell_scores(odd_class[0], "distracted")
    for index, (what, (_, expected)) in enumerate(DISTRACTIONS.items()):
        assert scores[f"test_{index}"] == (expected, 3), what
    assert scores["test_tagged"] == (2, 3), (
        "partial credit, as nbgrader documents it, needs the tag"
    )


def test_a_students_parameters_do_not_reach_grading(odd_class):
    assert cell_scores(odd_class[0], "typed") == {"test_chosen": (1, 1)}


def test_a_submission_sees_no_notebook_and_leaves_no_file(odd_class):
    root, _ = odd_class
    assert cell_scores(root, "listed") == {"test_seen": (1, 1)}
    assert not list(root.rglob("left"))


def test_a_deleted_test_cell_is_restored_and_counts(odd_class):
    assert cell_scores(odd_class[0], "deleted") == {"test_1": (1, 1), "test_2": (0, 2)}


def test_a_renamed_submission_is_reported_with_the_next_step(odd_class):
    _, graded = odd_class
    assert graded.returncode == 1
    assert graded.stderr == ""
    assert (
        "small.ipynb cannot be graded, because it is missing (found: Copy of small.ipynb): rename"
        " the submitted notebook to small.ipynb" in graded.stdout
    )


def test_a_manual_score_survives_a_regrade(odd_copy, course_command):
    from course.instructor.course_dir import open_api

    with open_api(odd_copy).gradebook as gradebook:
        grade = gradebook.find_grade("explain", "small", "01-written", "written")
        assert grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    regraded = course_command("-C", odd_copy, "grade", "01-written", "--force")
    assert regraded.returncode == 0
    assert "1.5/2" in regraded.stdout


def test_a_lost_gradebook_is_created_again(odd_copy, course_command):
    (odd_copy / "gradebook.db").unlink()
    no_feedback = course_command("-C", odd_copy, "feedback", "01-deleted")
    assert no_feedback.returncode == 1 and "Traceback" not in no_feedback.stderr
    again = course_command("-C", odd_copy, "grade", "01-deleted")
    assert again.returncode == 0, again.stderr
    assert cell_scores(odd_copy, "deleted") == {"test_1": (1, 1), "test_2": (0, 2)}


def test_an_interrupted_grading_tells_how_to_resume(small_course, course_command):
    wait = cell("code", "import time\nif slow: time.sleep(60)\nslept = slow", "answer")
    test = cell("code", "assert slept is not None", "test_answer", points=1)
    root = small_course(wait, test)
    for student, slow in [("ada", False), ("bob", True)]:
        cells = [cell("code", f"slow = {slow}"), wait, test]
        write_notebook(root / "submitted" / student / "01-small" / "small.ipynb", cells)
    grading = subprocess.Popen(
        [BIN / "course", "-C", root, "grade", "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Shells make background tests, and so this process, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert "ada: graded" in grading.stdout.readline()
    time.sleep(1)  # bob's kernels sleep by then
    os.killpg(grading.pid, signal.SIGINT)
    _, errors = grading.communicate(timeout=10)  # not when bob's cell is done
    assert grading.returncode == 130, errors
    (line,) = errors.splitlines()
    assert line.startswith("course: stopped: finished work is saved")
    again = course_command("-C", root, "grade", "--student", "ada")
    assert "ada: already graded" in again.stdout
