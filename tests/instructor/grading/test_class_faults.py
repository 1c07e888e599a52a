"""A fault that grading a submission causes ends at that submission."""

import errno
import os
import shutil
import time

import pytest

from course.errors import CourseError
from course.instructor.grading import class_grader, notebook_grader
from course.instructor.grading.job import GradingJob, LockedCellError
from course.instructor.grading.journal import Journal
from course.instructor.grading.result_writer import ResultWriter
from course.instructor.release.build import ensure_in_gradebook
from course.instructor.sandbox import kernel_client
from course.instructor.sandbox.kernel_client import EngineError, KernelEnded
from tests.conftest import cell
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, create_course, scores, submit

ANSWERS = {"ada": 1, "bob": 3, "cem": 2}
POINTS = {"ada": 1, "bob": 3, "cem": 3}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    root = create_course(tmp_path_factory.mktemp("faults") / "course", ANSWER, *TESTS)
    ensure_in_gradebook(root, NAME)
    for student, answer in ANSWERS.items():
        submit(root, student, cell("code", f"answer = {answer}", "answer"), *TESTS)
    return root


@pytest.fixture
def root(released, tmp_path):
    return shutil.copytree(released, tmp_path / "course")


@pytest.fixture
def grade(root, monkeypatch):
    """Return a function that grades the class again while grading some jobs raises errors.

    The errors are given by student; "" is the job without a submission. A list of errors is raised
    one at a time. The function returns the results by student, and the order of the jobs.
    """
    original = notebook_grader.grade_json

    def run(errors):
        order = []

        def grade_or_fail(text):
            student = GradingJob.from_json(text).student
            order.append(student)
            if errors.get(student):
                raise errors[student].pop(0)
            return original(text)

        monkeypatch.setattr(notebook_grader, "grade_json", grade_or_fail)
        options = class_grader.GradingOptions(workers=2, force=True)
        results = {each.student: each for each in class_grader.grade(root, NAME, None, options)}
        return results, order

    return run


def points(results):
    return {student: each.score for student, each in results.items()}


def late():
    reason = "Stopped: the notebook ran for more than 300 s"
    return LockedCellError("setup", NAME, reason, stopped=True)


def broken():
    return LockedCellError("setup", NAME, "ValueError: no data")


def test_a_locked_cell_that_fails_with_one_submission_is_the_fault_of_that_submission(grade):
    results, order = grade({"bob": [broken(), broken()]})
    assert points(results) == POINTS | {"bob": 0}
    assert results["bob"].failed
    assert results["bob"].note == (
        "submitted/bob/01-small/small.ipynb cannot be graded, because the locked cell setup fails"
        " only with this submission: ValueError: no data."
    )
    assert order.count("") == 1
    again, _ = grade({})
    assert points(again) == POINTS


def test_a_locked_cell_that_fails_without_a_submission_stops_the_class(grade):
    with pytest.raises(CourseError, match="the locked cell setup of 01-small fails during grading"):
        grade({student: [broken()] for student in [*ANSWERS, ""]})


def test_the_assignment_is_checked_while_nothing_else_is_graded(root, monkeypatch):
    """A submission can take the processor or the memory from the locked cells beside it."""
    original, running = notebook_grader.grade_json, set()

    def grade_json(text):
        student = GradingJob.from_json(text).student
        beside = set(running)
        running.add(student)
        try:
            if student in ("", "bob") and beside:
                raise broken()
            if student == "ada":
                time.sleep(0.5)
            return original(text)
        finally:
            running.remove(student)

    monkeypatch.setattr(notebook_grader, "grade_json", grade_json)
    options = class_grader.GradingOptions(workers=2, force=True)
    results = {each.student: each for each in class_grader.grade(root, NAME, None, options)}
    assert points(results) == POINTS
    assert not any(each.failed for each in results.values())


def test_a_locked_cell_that_is_stopped_is_never_the_fault_of_the_assignment(grade, root):
    results, order = grade({"bob": [late()], "": [late()]})
    assert points(results) == POINTS
    assert order[-1] == "bob"
    before = scores(root)
    results, _ = grade({"bob": [late(), late()], "": [late(), late()]})
    assert scores(root) == before
    assert results["bob"].failed
    assert results["bob"].note == (
        "was not graded (the locked cell setup was stopped: the notebook ran for more than 300"
        " s): run the command again."
    )


def test_a_submission_is_graded_again_alone_after_an_error_that_others_can_cause(grade):
    mismatch = SystemError("AST constructor recursion depth mismatch (before=63, after=65)")
    results, order = grade({"ada": [KernelEnded("it ended")], "bob": [mismatch]})
    assert points(results) == POINTS
    assert not any(each.failed for each in results.values())
    assert order[-2:] == ["ada", "bob"]


def test_a_submission_that_ends_the_forkserver_twice_keeps_its_score(grade, root):
    grade({})
    before = scores(root)
    results, _ = grade({"ada": [KernelEnded("it ended"), KernelEnded("it ended")]})
    assert results["ada"].failed
    assert results["ada"].note == "was not graded (KernelEnded: it ended): run the command again."
    assert scores(root) == before


def test_a_machine_that_is_too_busy_costs_nobody_points(grade, root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(kernel_client, "START_SECONDS", 0)
        results, order = grade({})
    assert order == []
    for each in results.values():
        assert each.failed
        assert each.note == (
            "was not graded (a process could not be started, because it took more than 0 s: close"
            " other programs): run the command again."
        )
    assert not any(scores(root).values())
    results, _ = grade({})
    assert points(results) == POINTS


def test_a_submission_is_graded_again_alone_after_a_stall(grade, root, monkeypatch):
    stalls = [EngineError("too busy"), EngineError("too busy")]
    original = class_grader.read_notebook

    def read_or_stall(content):
        if b"answer = 3" in content and stalls:
            raise stalls.pop()
        return original(content)

    monkeypatch.setattr(class_grader, "read_notebook", read_or_stall)
    results, _ = grade({"ada": [EngineError("too busy")], "bob": [EngineError("too busy")]})
    assert points(results) | {"bob": 3} == POINTS
    assert [each for each in results if results[each].failed] == ["bob"]
    assert not scores(root).get("bob")
    results, _ = grade({})
    assert points(results) == POINTS


def test_a_forkserver_that_cannot_be_started_again_costs_nobody_points(grade, root):
    error = "the process that starts kernels ended (no reason given): run course doctor."
    results, _ = grade({"bob": [CourseError(error), CourseError(error)]})
    assert results["bob"].failed
    assert results["bob"].note == f"was not graded ({error[:-1]}): run the command again."
    assert not scores(root).get("bob")


@pytest.mark.parametrize(
    "error", [RecursionError("too deep\nin f"), MemoryError(), ValueError("x")]
)
def test_any_other_error_is_recorded_with_its_kind(grade, error):
    results, _ = grade({"cem": [error, error]})
    assert results["cem"].failed
    kind = {"RecursionError": "RecursionError: too deep", "ValueError": "ValueError: x"}
    reason = kind.get(type(error).__name__, "MemoryError")
    assert f"cannot be graded, because {reason}" in results["cem"].note
    assert points(results)["ada"] == POINTS["ada"]


MACHINE_ERRORS = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE]


@pytest.mark.parametrize("number", MACHINE_ERRORS)
def test_an_error_of_the_machine_while_a_result_is_saved_costs_no_points(
    grade, root, monkeypatch, number
):
    original = ResultWriter.save

    def save_or_fail(writer, nb, job, outcome):
        if job.student == "bob" and not outcome.is_graded:
            return original(writer, nb, job, outcome)  # smaller, so it still fits
        if job.student == "bob":
            raise OSError(number, os.strerror(number))
        return original(writer, nb, job, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(ResultWriter, "save", save_or_fail)
        results, _ = grade({})
    assert results["bob"].failed
    reason = f"[Errno {number}] {os.strerror(number)}"
    assert results["bob"].note == f"was not graded ({reason}): run the command again."
    assert "bob" not in scores(root)
    results, order = grade({})
    assert points(results) == POINTS
    assert order == []  # the outcome was in the journal, and the others are graded


def test_an_error_of_the_machine_while_a_submission_is_read_costs_no_points(
    grade, root, monkeypatch
):
    original = class_grader.read_notebook

    def read_or_fail(content):
        if b"answer = 3" in content:
            raise OSError(errno.EMFILE, "Too many open files")
        return original(content)

    with monkeypatch.context() as patch:
        patch.setattr(class_grader, "read_notebook", read_or_fail)
        results, _ = grade({})
    assert results["bob"].note == (
        "was not graded ([Errno 24] Too many open files): run the command again."
    )
    assert "bob" not in scores(root)
    assert points(results) | {"bob": 3} == POINTS


def test_a_file_name_that_cannot_be_saved_is_the_fault_of_the_submission(grade, monkeypatch):
    original = ResultWriter.save

    def save_or_fail(writer, nb, job, outcome):
        if job.student == "bob" and outcome.is_graded:
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return original(writer, nb, job, outcome)

    monkeypatch.setattr(ResultWriter, "save", save_or_fail)
    results, _ = grade({})
    assert points(results) == POINTS | {"bob": 0}
    assert results["bob"].note == "the result cannot be saved: [Errno 36] File name too long"


@pytest.mark.parametrize("length", [245, 251, 255])
def test_a_folder_with_a_long_name_stops_nobody(tmp_path, length):
    journal = Journal(tmp_path, NAME)
    journal.fail("s" * length)  # no file can have the name with another ending
    assert journal.ungraded() == {"s" * length}
    assert journal.students_with_outcome() == set()
