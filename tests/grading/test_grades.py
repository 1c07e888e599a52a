import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

from tests.conftest import BIN, cell, run_command, write_notebook
from tests.submissions import behaviours, lay_out

FIXTURES = {
    name: behaviour
    for name, behaviour in behaviours("02-mnist").items()
    if not behaviour.get("truncate")
}
SCORES = """
    SELECT base_cell.name, grade.auto_score, grade_cells.max_score
    FROM grade JOIN grade_cells ON grade.cell_id = grade_cells.id
    JOIN base_cell ON base_cell.id = grade_cells.id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    WHERE submitted_assignment.student_id = ?
"""


def cell_scores(root, student):
    """Return test cell to (score, points) as the gradebook has them, without asking nbgrader."""
    with sqlite3.connect(root / "gradebook.db") as database:
        return {
            name: (score, points) for name, score, points in database.execute(SCORES, [student])
        }


@pytest.mark.slow
@pytest.mark.parametrize("name", FIXTURES)
def test_a_fixture_earns_exactly_what_it_should(graded_class, name):
    root, _ = graded_class
    behaviour, scores = FIXTURES[name], cell_scores(root, name)
    automatic = {key: pair for key, pair in scores.items() if key.startswith("test_")}
    lost = automatic.keys() if behaviour["lost"] == "all" else behaviour["lost"]
    for key, (score, points) in automatic.items():
        assert score == (0 if key in lost else points), key
    assert sum(score for score, _ in automatic.values()) == behaviour["score"]
    assert sum(points for _, points in scores.values()) == 20
    written = [scores["explain_cnn"][0], scores["explain_confusion"][0]]
    # An answer waits for a person; an untouched one is a zero at once.
    assert written == ([0, 0] if behaviour.get("from") == "release" else [None, None])


@pytest.mark.slow
def test_a_damaged_submission_is_one_sentence_and_stops_nobody(graded_class):
    root, graded = graded_class
    assert graded.returncode == 1
    assert "Traceback" not in graded.stdout + graded.stderr
    (line,) = [line for line in graded.stdout.splitlines() if "not-json" in line]
    assert "mnist.ipynb is not a readable notebook" in line
    assert line.endswith("ask for it to be handed in again.")
    assert f"{len(FIXTURES)} graded, 1 not" in graded.stdout
    with sqlite3.connect(root / "gradebook.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        students = {
            row[0] for row in database.execute("SELECT student_id FROM submitted_assignment")
        }
    assert students == set(FIXTURES)


@pytest.mark.slow
def test_graded_once_is_not_graded_again(graded_class, course_command):
    root, _ = graded_class
    again = course_command("-C", root, "grade", "02-mnist", "--student", "solved")
    assert again.returncode == 0
    assert "solved: graded before" in again.stdout


@pytest.mark.slow
def test_feedback_gives_the_reason_and_no_hidden_test(graded_class, course_command):
    root, _ = graded_class
    written = course_command("-C", root, "feedback", "02-mnist")
    assert written.returncode == 0, written.stderr
    pages = {
        name: (root / "feedback" / name / "02-mnist" / "mnist.html").read_text()
        for name in FIXTURES
    }
    assert "the activation of the second convolution: got" in pages["relu-missing"]
    assert "It has none: without activation" in pages["relu-missing"]
    assert "Each filter and each unit has a bias too: 128 here." in pages["biases-forgotten"]
    source = (root / "source" / "02-mnist" / "mnist.ipynb").read_text()
    regions = "".join(re.findall(r"BEGIN HIDDEN TESTS(.*?)END HIDDEN TESTS", source, re.DOTALL))
    # A page's code is broken into many tags, so look for names of the hidden code, not for lines.
    compound_name = re.compile(r"[a-z]+(?:_[a-z]+)+")
    for name, page in pages.items():
        submitted = (root / "submitted" / name / "02-mnist" / "mnist.ipynb").read_text()
        hidden = set(compound_name.findall(regions)) - set(compound_name.findall(submitted))
        assert len(hidden) >= 3, "the test must look for what is really in the hidden tests"
        for word in [*hidden, "HIDDEN TESTS", "MARK SCHEME", "Half a point"]:
            assert not re.search(rf"\b{word}\b", page), f"{name}: {word}"


@pytest.mark.slow
def test_plain_nbgrader_gives_the_same_scores(graded_class, tmp_path):
    graded, _ = graded_class
    root = lay_out(tmp_path, "02-mnist", names=["relu-missing", "not-json"])
    assert (
        run_command(
            BIN / "nbgrader", "generate_assignment", "02-mnist", "--force", cwd=root
        ).returncode
        == 0
    )
    # The damaged one makes nbgrader exit with 1; the other must be graded all the same.
    assert run_command(BIN / "nbgrader", "autograde", "02-mnist", cwd=root).returncode == 1
    assert cell_scores(root, "relu-missing") == cell_scores(graded, "relu-missing")


ANSWER = cell("code", "### BEGIN SOLUTION\nanswer = 1\n### END SOLUTION", "answer")
TRAPS = {
    "a warning": ("import warnings\nwarnings.warn('careful')", 3),
    "writing to stderr": ("import sys\nprint('hm', file=sys.stderr)", 3),
    "a displayed number": ("1", 3),
    "a displayed zero": ("0", 3),
    "a displayed number above the points": ("99", 3),
    "a shown object": ("from IPython.display import display\ndisplay(0.5)", 3),
    "an error": ("raise ValueError('no')", 0),
    "a failed check after a displayed number": ("display(3)\nassert answer == 2", 0),
}


def test_neither_stderr_nor_displayed_values_change_a_score(small_course, course_command):
    cells = [ANSWER]
    for index, (source, _) in enumerate(TRAPS.values()):
        cells.append(cell("code", f"assert answer == 1\n{source}", f"test_{index}", points=3))
    tagged = cell("code", "assert answer == 1\n2", "test_tagged", points=3, tags=["partial-credit"])
    root = small_course(*cells, tagged)
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", [*cells, tagged])
    assert course_command("-C", root, "grade").returncode == 0
    scores = cell_scores(root, "ada")
    for index, (what, (_, expected)) in enumerate(TRAPS.items()):
        assert scores[f"test_{index}"] == (expected, 3), what
    assert scores["test_tagged"] == (2, 3), (
        "partial credit, as nbgrader documents it, has to be asked for"
    )


def test_a_students_parameters_do_not_reach_grading(small_course, course_command):
    parameters = cell("code", "profile = None\nepochs = 3", tags=["parameters"])
    setup = cell("code", "settled = (profile, epochs)", "setup", points=None)
    setup["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
    test = cell("code", "assert settled == ('smoke', 3), settled", "test_settled", points=1)
    root = small_course(parameters, setup, test)
    typed = cell("code", "profile = 'gpu'\nepochs = 500", tags=["parameters"])
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", [typed, setup, test])
    assert course_command("-C", root, "grade").returncode == 0
    assert cell_scores(root, "ada") == {"test_settled": (1, 1)}


def test_a_submission_runs_without_any_notebook_beside_it_and_leaves_nothing(
    small_course, course_command
):
    look = cell(
        "code", "from pathlib import Path\nseen = sorted(map(str, Path().iterdir()))", "answer"
    )
    test = cell(
        "code", "assert seen == ['strokes.txt'], seen\nPath('left').touch()", "test_seen", points=1
    )
    root = small_course(look, test)
    handed_in = write_notebook(
        root / "submitted" / "ada" / "01-small" / "small.ipynb", [look, test]
    )
    (handed_in.parent / "strokes.txt").write_text("1 2")
    assert course_command("-C", root, "grade").returncode == 0
    assert cell_scores(root, "ada") == {"test_seen": (1, 1)}
    assert not list(root.rglob("left"))


def test_a_deleted_test_cell_costs_its_points(small_course, course_command):
    tests = [cell("code", f"assert answer == {n}", f"test_{n}", points=n) for n in (1, 2)]
    root = small_course(ANSWER, *tests)
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", [ANSWER, tests[0]])
    assert course_command("-C", root, "grade").returncode == 0
    assert cell_scores(root, "ada") == {"test_1": (1, 1), "test_2": (0, 2)}


def test_a_renamed_submission_is_named_with_what_to_do(small_course, course_command):
    test = cell("code", "assert answer == 1", "test_answer", points=1)
    root = small_course(ANSWER, test)
    write_notebook(root / "submitted" / "ada" / "01-small" / "Copy of small.ipynb", [ANSWER, test])
    graded = course_command("-C", root, "grade")
    assert graded.returncode == 1
    assert (
        "small.ipynb is missing (there is Copy of small.ipynb): rename what was handed in"
        in graded.stdout
    )


def test_a_manual_score_survives_a_regrade(small_course, course_command):
    from course.grading.coursework import open_api

    written = cell("markdown", "my words", "explain", points=2)
    written["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    empty = written | {"source": "### BEGIN SOLUTION\nthe model answer\n### END SOLUTION"}
    root = small_course(empty)
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", [written])
    assert course_command("-C", root, "grade").returncode == 0
    with open_api(root).gradebook as gradebook:
        grade = gradebook.find_grade("explain", "small", "01-small", "ada")
        assert grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    regraded = course_command("-C", root, "grade", "--force")
    assert regraded.returncode == 0
    assert "1.5/2" in regraded.stdout


def test_a_lost_gradebook_is_made_again(small_course, course_command):
    test = cell("code", "assert answer == 1", "test_answer", points=1)
    root = small_course(ANSWER, test)
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", [ANSWER, test])
    assert course_command("-C", root, "grade").returncode == 0
    (root / "gradebook.db").unlink()
    no_feedback = course_command("-C", root, "feedback")
    assert no_feedback.returncode == 1 and "Traceback" not in no_feedback.stderr
    again = course_command("-C", root, "grade")
    assert again.returncode == 0, again.stderr
    assert cell_scores(root, "ada") == {"test_answer": (1, 1)}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_grading_goes_on_where_it_was(small_course, course_command, stop):
    wait = cell("code", "import time\nif slow: time.sleep(60)", "answer")
    test = cell("code", "assert slow is not None", "test_answer", points=1)
    root = small_course(wait, test)

    def hand_in(student, slow):
        cells = [cell("code", f"slow = {slow}"), wait, test]
        write_notebook(root / "submitted" / student / "01-small" / "small.ipynb", cells)

    for student, slow in [("ada", False), ("bob", True), ("eve", False)]:
        hand_in(student, slow)
    grading = subprocess.Popen(
        [BIN / "course", "-C", root, "grade"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Where the tests run in the background, shells make them, and so this, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert "ada: graded" in grading.stdout.readline()
    while not (root / "autograded" / "bob" / "01-small" / "small.ipynb").is_file():
        time.sleep(0.1)
    time.sleep(3)  # the kernel has started by then, and sleeps
    os.killpg(grading.pid, stop)
    output, errors = grading.communicate(timeout=60)
    assert "eve" not in output
    if stop == signal.SIGINT:
        assert grading.returncode == 130, errors
        assert errors.splitlines()[-1].startswith("course: stopped; what is done is kept")

    hand_in("bob", False)
    again = course_command("-C", root, "grade")
    assert again.returncode == 0, again.stderr
    assert "ada: graded before" in again.stdout
    for student in ("bob", "eve"):
        assert f"{student}: graded\n" in again.stdout
    for student in ("ada", "bob", "eve"):
        assert cell_scores(root, student) == {"test_answer": (1, 1)}
