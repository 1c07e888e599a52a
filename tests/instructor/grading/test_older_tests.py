"""No submission keeps a result of older tests without a word."""

import json
import shutil

import pytest

from course.instructor.grading.class_grader import AssignmentGrader
from course.instructor.release.unreleased_changes import describe_changes
from tests.conftest import cell, write_notebook
from tests.instructor.grading.classes import (
    ANSWER,
    NAME,
    create_course,
    scores,
    start_grading,
    submit_answers,
)

pytestmark = pytest.mark.slow
ANSWERS = {"ada": 1, "bob": 2, "cem": 3, "dan": 1}
SOURCE = f"source/{NAME}/small.ipynb"


def bound(least):
    """Return a test that only answers of at least this value pass."""
    return cell("code", f"assert answer >= {least}", "test_bound", points=1)


def points(root):
    return {student: cells["test_bound"][0] for student, cells in scores(root).items()}


def passed(least):
    return {student: float(answer >= least) for student, answer in ANSWERS.items()}


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    """Grade the class with a test that everybody passes."""
    root = create_course(tmp_path_factory.mktemp("older") / "course", ANSWER, bound(1))
    submit_answers(root, ANSWERS, seconds=0.3)
    done = course_command("-C", root, "grade", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert points(root) == passed(1)
    return root


@pytest.fixture
def root(graded, tmp_path):
    return shutil.copytree(graded, tmp_path / "course")


@pytest.fixture
def grade(root, course_command):
    """Return a function that runs `course grade` and returns its output."""

    def run(*arguments):
        done = course_command("-C", root, "grade", "--workers", "2", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def write_source(root, *cells):
    write_notebook(root / SOURCE, list(cells))


def release(root, course_command):
    done = course_command("-C", root, "release")
    assert done.returncode == 0, done.stderr


def test_a_regrading_that_was_stopped_before_a_correction_starts_over(root, grade, course_command):
    stopped = start_grading(root, "--force", "--workers", "1")
    for _ in range(2):
        assert ": graded" in stopped.stdout.readline()
    stopped.kill()
    stopped.communicate()
    write_source(root, ANSWER, bound(2))
    release(root, course_command)
    output = grade("--force")
    assert output.count(": graded\n") == len(ANSWERS)
    assert points(root) == passed(2)


def test_results_of_older_tests_are_counted_and_regraded_on_request(root, grade, course_command):
    write_source(root, ANSWER, bound(2))
    release(root, course_command)
    output = grade()
    assert output.count(": already graded, with older tests\n") == len(ANSWERS)
    assert (
        "4 of 4 submissions for 01-small were graded with older tests: to grade them again, run"
        " course grade 01-small --outdated.\n"
    ) in output
    assert points(root) == passed(1)
    one = grade("--outdated", "--student", "ada")
    assert one.count(": graded\n") == 1
    output = grade("--outdated")
    assert "ada: already graded\n" in output
    assert output.count(": graded\n") == len(ANSWERS) - 1
    assert points(root) == passed(2)
    assert "older tests" not in output
    assert "older tests" not in grade()


def test_a_source_that_has_changed_since_its_release_is_named(root, grade):
    write_source(root, ANSWER, bound(3))
    output = grade("--force")
    assert (
        "course: source/01-small has changed since its release (cells test_bound), and grading uses"
        " the release: to use the new version, run course release 01-small, then course grade"
        " 01-small --outdated.\n"
    ) in output
    assert points(root) == passed(1)
    assert "older tests" not in output


def test_only_what_can_change_a_score_makes_a_result_outdated(root):
    folder = root / "source" / NAME
    before = AssignmentGrader(root, NAME).reference.fingerprint
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "values.txt").write_text("1")
    instruction, exploration = cell("markdown", "Set answer."), cell("code", "1 + 1")
    write_source(root, instruction, exploration, ANSWER, bound(1))
    assert AssignmentGrader(root, NAME).reference.fingerprint == before
    assert describe_changes(root, NAME) is None
    (folder / "values.txt").write_text("1")
    with_a_file = AssignmentGrader(root, NAME).reference.fingerprint
    assert with_a_file != before
    parameters = cell("code", "profile = None\nepochs = 3", tags=["parameters"])
    write_source(root, parameters, ANSWER, bound(1))
    assert AssignmentGrader(root, NAME).reference.fingerprint not in (before, with_a_file)


def test_a_result_without_a_fingerprint_counts_as_one_of_older_tests(root, grade):
    """The tests that graded it are unknown, as in results of an earlier version of the course."""
    path = root / "autograded" / "bob" / NAME / "small.ipynb"
    content = json.loads(path.read_text())
    assert content["metadata"].pop("tests_fingerprint")
    path.chmod(0o644)
    path.write_text(json.dumps(content))
    assert "1 of 4 submissions for 01-small were graded with older tests" in grade()


def test_exports_and_pages_say_which_scores_are_outdated(root, course_command):
    def printed(*command):
        done = course_command("-C", root, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    export = ("export", root / "scores.csv", "--force")
    assert "course grade" not in printed(*export) + printed("feedback")
    submit_answers(root, {"bob": 3}, seconds=0)
    replaced = (
        f"{NAME}: the submission was replaced after it was graded, and the score is that of the"
        f" earlier one (bob): run course grade {NAME}"
    )
    assert f"{replaced}\n" in printed(*export)
    assert f"course: {replaced}.\n" in printed("feedback")
    assert "bob" not in printed("feedback", "--student", "ada")
    write_source(root, ANSWER, bound(2))
    release(root, course_command)
    older = (
        f"{NAME}: the tests or points have changed since grading, and the scores are not those of"
        f" the current ones (ada, cem, dan): run course grade {NAME} --outdated\n"
    )
    output = printed(*export)
    assert older in output and f"{replaced}\n" in output
    printed("grade", "--outdated")
    assert "course grade" not in printed(*export) + printed("feedback")
